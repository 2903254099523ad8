"""How well classifiers on an embedding predict, on the same samples as the models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..core.logistic import fit_ridge_logistic
from ..features.splits import draw_out_of_bag
from ..features.store import Features
from . import evaluation
from .embedding_files import read_draws
from .metrics import compute_metrics

# Nearest neighbours of the classifier; the default of scanpy's graph of neighbours.
N_NEIGHBOURS = 15


def evaluate_embedding(
    features: Features,
    scores: np.ndarray,
    folder: str | Path,
    *,
    out_of_bag: float,
    draws: Sequence[int],
    bins: int,
    n_resamples: int,
    seed: int,
) -> tuple[dict[str, dict], list[str]]:
    """Evaluate classifiers on an embedding: on the test split or, without one, on samples out of bag.

    Parameters
    ----------
    features
        Features of the run.
    scores
        (n, k) embedding of all samples.
    folder
        Folder of the embedding. Without a test split, the development part as embedded for every draw is read from it.
    out_of_bag, draws
        Share of the samples that a pass leaves out of bag, and the seeds of the draws.
    bins
        Number of bins of the calibration.
    n_resamples, seed
        Resamples and seed of the bootstrap over test samples.

    Returns
    -------
    tuple
        Name of a classifier -> its numbers, as in metrics.json of a model; and lines for the log.

    Raises
    ------
    InputError
        If there is no test split and the folder has no embedding of the draws.
    """
    y, development, test, why = features.y, features.development, features.test, features.metadata["why"]
    samples = features.development_samples
    metrics, lines = {}, []
    repeated = features.metadata["scheme"] == "repeated"
    if repeated:
        of_draws = read_draws(folder)
        drawn = [draw_out_of_bag(samples.labels, out_of_bag, draw, samples.group_codes) for draw in draws]
    for name, classify in CLASSIFIERS.items():
        if repeated:
            average = _out_of_bag(drawn, of_draws, samples.labels, len(features.classes), classify)
            result = evaluation.evaluate_average(
                average, samples.labels, features.classes, samples.group_codes, why, features.kinds
            )
        else:
            probability = classify(scores[development], y[development], scores[test], len(features.classes))
            result = evaluation.evaluate_ensemble(
                [probability], y[test], y[development], features.classes, why, features.kinds
            )
        metrics[name] = compute_metrics(result, bins, n_resamples, seed, features.names_of(development)).numbers
        lines.append(f"{name}: accuracy {metrics[name]['accuracy']:.3f} on {metrics[name]['n_test']} samples")
    return metrics, lines + evaluation.left_out_lines(result)


def _out_of_bag(
    drawn: list[tuple[np.ndarray, np.ndarray]], of_draws: np.ndarray, y: np.ndarray, n_classes: int, classify: Callable
) -> np.ndarray:
    """Average probability of every sample over the draws that left it out; NaN if none did."""
    total, counts = np.zeros((len(y), n_classes)), np.zeros(len(y))
    for (kept, left_out), scores in zip(drawn, of_draws, strict=True):
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
