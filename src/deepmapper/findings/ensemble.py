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

_AT_ONCE = 2**29  # numbers of embeddings held together, 2 GB; more are computed twice, in blocks of samples


def predict(result: PassResult | PassFile, X, rows: np.ndarray, device: torch.device | str | None = None) -> np.ndarray:
    """Probabilities that a trained pass gives to `rows` of `X`: (n, C) float64; `device` as in `passes.train_pass`."""
    from ..training import inference
    from ..training.runtime import as_device

    device = as_device(device)
    images = image_maker(X, result.config, result.seed, device)
    return softmax(inference.predict(restore_model(result, X.shape[1], device), images, rows))


def embed(result: PassResult | PassFile, X, rows: np.ndarray, device: torch.device | str | None = None) -> np.ndarray:
    """What the last layer of a trained pass reads of `rows` of `X`: (n, d) float32; `device` as in `predict`."""
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
) -> np.ndarray:
    """One embedding from all passes: the principal axes of their averaged kernel.

    Every pass's embedding is centred and scaled to unit total variance, so that each counts the same; the principal
    components of all of them side by side are those of the average of their linear kernels. Where they would take more
    than 2 GB, their covariance is added up over blocks of samples, which are then embedded once more to be projected.
    `device` is as in `passes.train_pass`.

    Returns
    -------
    numpy.ndarray
        (n, at most `n_components`) float32, columns by falling variance, signs fixed.
    """
    from sklearn.decomposition import PCA

    if not results:
        return np.zeros((len(rows), 0), dtype=np.float32)
    width = len(results) * embed(results[0], X, rows[:1], device).shape[1]  # passes of one model are of one shape
    if len(rows) * width > _AT_ONCE:
        return _embed_in_blocks(results, X, rows, n_components, max(1, _AT_ONCE // 8 // width), device)
    parts = []
    for result in results:
        part = embed(result, X, rows, device).astype(np.float64)
        part -= part.mean(0)
        spread = np.sqrt((part**2).sum() / len(rows))
        parts.append((part / spread if spread > 0 else part).astype(np.float32))
    stacked = np.concatenate(parts, axis=1)
    n_components = min(n_components, *stacked.shape)
    return PCA(
        n_components, svd_solver="covariance_eigh" if stacked.shape[1] <= 4096 else "randomized", random_state=0
    ).fit_transform(stacked)


def _embed_in_blocks(results, X, rows: np.ndarray, n_components: int, size: int, device=None) -> np.ndarray:
    """As `embed_ensemble`, `size` samples at a time, twice."""
    # no `Moments`: the sums are of products of all columns with one another
    from scipy.linalg import eigh

    def stacked(start: int) -> list[np.ndarray]:
        return [embed(result, X, rows[start : start + size], device).astype(np.float64) for result in results]

    total, products = np.zeros(()), np.zeros(())
    for start in range(0, len(rows), size):
        parts = stacked(start)
        values = np.hstack(parts)
        total, products = total + values.sum(0), products + values.T @ values
    mean = total / len(rows)
    covariance = products / len(rows) - np.outer(mean, mean)
    variance = np.diagonal(covariance).clip(0)
    ends = np.cumsum([0, *(part.shape[1] for part in parts)])
    spread = [np.sqrt(variance[a:b].sum()) or 1.0 for a, b in zip(ends, ends[1:], strict=False)]
    scale = np.repeat(spread, np.diff(ends))
    covariance /= np.outer(scale, scale)
    n_components, d = min(n_components, len(rows), len(scale)), len(scale)
    axes = eigh(covariance, subset_by_index=[d - n_components, d - 1])[1][:, ::-1]
    axes *= np.sign(axes[np.abs(axes).argmax(0), np.arange(n_components)])  # as scikit-learn turns them
    found = np.empty((len(rows), n_components), dtype=np.float32)
    for start in range(0, len(rows), size):
        found[start : start + size] = (np.hstack(stacked(start)) - mean) / scale @ axes
    return found


def map_embedding(embedding: np.ndarray, seed: int = 0) -> tuple[np.ndarray, str]:
    """Two dimensions to look at: UMAP (McInnes et al. 2018, arXiv:1802.03426), or the first two axes of few samples.

    Returns
    -------
    tuple
        (n, 2) float32 and what the axes are, "UMAP" or "PCA" (fewer than 10 samples or 3 columns; absent axes are 0).
    """
    n, d = embedding.shape
    if n < 10 or d < 3:
        return np.pad(embedding[:, :2], ((0, 0), (0, max(0, 2 - d)))).astype(np.float32), "PCA"
    import umap

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_jobs value")  # one job is what a seed asks for
        return umap.UMAP(n_neighbors=min(15, n - 1), random_state=seed).fit_transform(embedding).astype(
            np.float32
        ), "UMAP"
