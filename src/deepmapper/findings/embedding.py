"""Embeddings of a run's samples, and how well classifiers on them predict, on the same samples as the models.

An embedding is fitted on the samples that may be learnt from: those of the development part or, without a test split,
those that a pass does not leave out of bag. The others are only projected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..core.blocks import MappedRows
from ..core.files import atomic_write
from ..core.logistic import fit_ridge_logistic
from ..errors import InputError
from ..features.splits import draw_out_of_bag
from ..features.store import Features
from ..io.shards import Shard
from . import evaluation
from .metrics import compute_metrics

if TYPE_CHECKING:
    from ..models.pca import IncrementalPCA

# Nearest neighbours of the classifier; the default of scanpy's graph of neighbours.
N_NEIGHBOURS = 15


@dataclass(frozen=True)
class RunEmbedding:
    """Principal components of a run.

    Attributes
    ----------
    scores
        (n, k) float32, of all samples.
    components, variance
        (k, p) float32 axes, and the variance along each.
    metrics
        Name of a classifier -> its numbers, as in metrics.json of a model.
    lines
        Lines for the log.
    """

    scores: np.ndarray
    components: np.ndarray
    variance: np.ndarray
    metrics: dict[str, dict]
    lines: tuple[str, ...]


def fit_run_embedding(
    features: Features,
    *,
    n_components: int,
    out_of_bag: float,
    draws: Sequence[int],
    bins: int,
    n_resamples: int,
    seed: int,
) -> RunEmbedding:
    """Fit principal components on the development part of a run, and classifiers on them.

    Parameters
    ----------
    features
        Features of the run.
    n_components
        Number of components.
    out_of_bag, draws
        Share of the samples that a pass leaves out of bag, and the seeds of the passes whose splits are used if there
        is no test split.
    bins
        Number of bins of the calibration.
    n_resamples, seed
        Resamples and seed of the bootstrap over test samples.

    Raises
    ------
    InputError
        If there are not enough samples or features for as many components.
    """
    y, development, test, why = features.y, features.development, features.test, features.metadata["why"]
    fewest = min(features.n_features, int(len(development) * (1 - (0 if len(test) else out_of_bag))) - 1)
    if n_components > fewest:
        raise InputError(
            f"embeddings.pca.n_components is {n_components}, but {len(development)} samples of {features.n_features} "
            f"features have at most {fewest} components here. Set it to {fewest} or less."
        )
    pca, scores = _components(features, development, n_components)
    samples = features.development_samples
    metrics, lines = {}, [f"{n_components} components, {len(development)} samples"]
    per_draw = []
    if features.metadata["scheme"] == "repeated":
        for draw in draws:
            kept, left_out = draw_out_of_bag(samples.labels, out_of_bag, draw, samples.group_codes)
            per_draw.append((kept, left_out, _components(features, development[kept], n_components)[1][development]))
    for name, classify in CLASSIFIERS.items():
        if per_draw:
            average = _out_of_bag(per_draw, samples.labels, len(features.classes), classify)
            result = evaluation.evaluate_average(average, samples.labels, features.classes, samples.group_codes, why)
        else:
            probability = classify(scores[development], y[development], scores[test], len(features.classes))
            result = evaluation.evaluate_ensemble([probability], y[test], y[development], features.classes, why)
        metrics[name] = compute_metrics(result, bins, n_resamples, seed, features.names_of(development)).numbers
        lines.append(f"{name}: accuracy {metrics[name]['accuracy']:.3f} on {metrics[name]['n_test']} samples")
    components = pca.components_kg.numpy().astype(np.float32)
    return RunEmbedding(scores, components, pca.explained_variance_k.numpy(), metrics, tuple(lines))


def write_embedding(path: str | Path, embedding: RunEmbedding, features: Features) -> None:
    """Write an embedding with the names of its samples and features as .npz, without pickles."""
    arrays = {
        "scores": embedding.scores,
        "components": embedding.components,
        "variance": embedding.variance,
        "samples": np.array(features.samples, dtype=str),
        "features": np.array(features.names, dtype=str),
    }
    with atomic_write(path) as tmp, tmp.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def _components(features: Features, rows: np.ndarray, n_components: int) -> tuple[IncrementalPCA, np.ndarray]:
    """Components fitted on some rows, and the scores of all samples."""
    from ..models.pca import IncrementalPCA  # with torch
    from ..models.run import fit, predict

    names = np.array(features.names, dtype=object)
    whole = Shard("the features", features.X, pd.DataFrame(index=range(features.X.shape[0])), names)
    chosen = Shard("the features", MappedRows(features.X, rows), pd.DataFrame(index=range(len(rows))), names)
    pca = IncrementalPCA(names, n_components)
    fit(pca, chosen)
    return pca, predict(pca, whole)["x_ng"]


def _out_of_bag(
    per_draw: list[tuple[np.ndarray, np.ndarray, np.ndarray]], y: np.ndarray, n_classes: int, classify: Callable
) -> np.ndarray:
    """Average probability of every sample over the draws that left it out; NaN if none did."""
    total, counts = np.zeros((len(y), n_classes)), np.zeros(len(y))
    for kept, left_out, scores in per_draw:
        total[left_out] += classify(scores[kept], y[kept], scores[left_out], n_classes)
        counts[left_out] += 1
    return np.divide(total, counts[:, None], out=np.full_like(total, np.nan), where=counts[:, None] > 0)


def _by_neighbours(train: np.ndarray, y: np.ndarray, test: np.ndarray, n_classes: int) -> np.ndarray:
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(min(N_NEIGHBOURS, len(train))).fit(train, y)
    probability = np.zeros((len(test), n_classes))
    probability[:, model.classes_] = model.predict_proba(test)
    return probability


def _by_regression(train: np.ndarray, y: np.ndarray, test: np.ndarray, n_classes: int) -> np.ndarray:
    return fit_ridge_logistic(train, y, n_classes=n_classes).probabilities(test)


# Name in ``models.tsv`` after that of the embedding -> function of training scores, labels, scores and number of
# classes that returns probabilities.
CLASSIFIERS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]] = {
    "knn": _by_neighbours,
    "logistic": _by_regression,
}
