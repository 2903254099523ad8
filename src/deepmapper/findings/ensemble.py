"""Predictions and embeddings averaged over passes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..passes.restore import image_maker, restore_model, softmax
from ..passes.result import PassFile, PassResult

if TYPE_CHECKING:
    import torch

# Values of embeddings held in memory at once, 2 GB; larger embeddings are computed twice, in blocks of samples.
_MAX_VALUES = 2**29


def predict(result: PassResult | PassFile, X, rows: np.ndarray, device: torch.device | str | None = None) -> np.ndarray:
    """Probabilities predicted by a trained pass for `rows` of `X`, (n, C) float64; `device` as in `train_pass`."""
    from ..training import inference
    from ..training.runtime import as_device

    device = as_device(device)
    images = image_maker(X, result.config, result.seed, device)
    return softmax(inference.predict(restore_model(result, X.shape[1], device), images, rows))


def embed(result: PassResult | PassFile, X, rows: np.ndarray, device: torch.device | str | None = None) -> np.ndarray:
    """Inputs of the last layer of a trained pass for `rows` of `X`: (n, d) float32; `device` as in `predict`."""
    from ..training import inference
    from ..training.runtime import as_device

    device = as_device(device)
    images = image_maker(X, result.config, result.seed, device)
    return inference.embed(restore_model(result, X.shape[1], device), images, rows)


def embed_ensemble(
    results: Sequence[PassResult | PassFile],
    X,
    rows: np.ndarray,
    n_components: int = 32,
    device: torch.device | str | None = None,
    max_values: int = _MAX_VALUES,
) -> np.ndarray:
    """One embedding from all passes: the principal axes of their averaged kernel.

    The embedding of every pass is centred and scaled to unit total variance, so that all passes count the same; the
    principal components of the concatenated embeddings are those of the average of their linear kernels. If they hold
    more than `max_values` values, their covariance is summed over blocks of samples, which are then embedded a second
    time to be projected. `device` is as in `train_pass`.

    Returns
    -------
    numpy.ndarray
        (n, at most `n_components`) float32, columns by descending variance, signs fixed.
    """
    from sklearn.decomposition import PCA

    if not results:
        return np.zeros((len(rows), 0), dtype=np.float32)
    width = len(results) * embed(results[0], X, rows[:1], device).shape[1]  # all passes have the same shape
    if len(rows) * width > max_values:
        # a block is held in float64, as parts and concatenated
        return _embed_in_blocks(results, X, rows, n_components, max(1, max_values // 8 // width), device)
    parts = []
    for result in results:
        part = embed(result, X, rows, device).astype(np.float64)
        part -= part.mean(0)
        spread = np.sqrt((part**2).sum() / len(rows))
        parts.append((part / spread if spread > 0 else part).astype(np.float32))
    stacked = np.concatenate(parts, axis=1)
    n_components = min(n_components, *stacked.shape)
    # the covariance of more columns would take longer than a randomised decomposition
    solver = "covariance_eigh" if stacked.shape[1] <= 4096 else "randomized"
    return PCA(n_components, svd_solver=solver, random_state=0).fit_transform(stacked)


def _embed_in_blocks(results, X, rows: np.ndarray, n_components: int, size: int, device=None) -> np.ndarray:
    """Do the same as `embed_ensemble`, `size` samples at a time, in two rounds."""
    # `Moments` does not serve here: it has no products of different columns
    from scipy.linalg import eigh

    def embeddings(start: int) -> list[np.ndarray]:
        return [embed(result, X, rows[start : start + size], device).astype(np.float64) for result in results]

    total, products = np.zeros(()), np.zeros(())
    for start in range(0, len(rows), size):
        parts = embeddings(start)
        values = np.hstack(parts)
        total, products = total + values.sum(0), products + values.T @ values
    mean = total / len(rows)
    covariance = products / len(rows) - np.outer(mean, mean)
    variance = np.diagonal(covariance).clip(0)
    widths = [part.shape[1] for part in parts]
    spread = [np.sqrt(of_pass.sum()) or 1.0 for of_pass in np.split(variance, np.cumsum(widths)[:-1])]
    scale = np.repeat(spread, widths)
    covariance /= np.outer(scale, scale)
    n_components, d = min(n_components, len(rows), len(scale)), len(scale)
    axes = eigh(covariance, subset_by_index=[d - n_components, d - 1])[1][:, ::-1]
    axes *= np.sign(axes[np.abs(axes).argmax(0), np.arange(n_components)])  # the same signs as scikit-learn's
    embedding = np.empty((len(rows), n_components), dtype=np.float32)
    for start in range(0, len(rows), size):
        embedding[start : start + size] = (np.hstack(embeddings(start)) - mean) / scale @ axes
    return embedding


def map_embedding(embedding: np.ndarray, seed: int = 0) -> tuple[np.ndarray, str]:
    """Map an embedding to two dimensions by UMAP (McInnes et al. 2018, arXiv:1802.03426), few samples by PCA.

    Returns
    -------
    tuple
        (n, 2) float32, and the method: "UMAP", or "PCA" with fewer than 10 samples or 3 columns (missing axes are 0).
    """
    n, d = embedding.shape
    if n < 10 or d < 3:
        return np.pad(embedding[:, :2], ((0, 0), (0, max(0, 2 - d)))).astype(np.float32), "PCA"
    import umap

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_jobs value")  # a seed needs a single job, and UMAP warns of that
        mapped = umap.UMAP(n_neighbors=min(15, n - 1), random_state=seed).fit_transform(embedding)
    return mapped.astype(np.float32), "UMAP"
