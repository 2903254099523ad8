"""Area under the ROC curve, and bootstrap resamples of rows or of groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve, ties counted half; NaN if there are no positives or no negatives."""
    positives, negatives = score[positive], np.sort(score[~positive])
    if not len(positives) or not len(negatives):
        return float("nan")
    below = np.searchsorted(negatives, positives, "left") + np.searchsorted(negatives, positives, "right")
    return float(below.mean() / 2 / len(negatives))


def weighted_auc(score: np.ndarray, positive: np.ndarray) -> Callable[[np.ndarray], float]:
    """Sort the scores once and return a function that computes `auc` with (n,) integer weights of the rows."""
    order = np.argsort(score, kind="stable")
    sorted_score, is_positive = score[order], positive[order]
    tie_starts = np.flatnonzero(np.concatenate([[True], sorted_score[1:] != sorted_score[:-1]]))

    def area(weights: np.ndarray) -> float:
        weights = weights[order]
        negatives = np.add.reduceat(np.where(is_positive, 0, weights), tie_starts)
        positives = np.add.reduceat(np.where(is_positive, weights, 0), tie_starts)
        n_positive, n_negative = positives.sum(), negatives.sum()
        if not n_positive or not n_negative:
            return float("nan")
        below = positives * (2 * np.cumsum(negatives) - negatives)
        return float(below.sum() / n_positive / 2 / n_negative)

    return area


def resamples(n: int, groups: np.ndarray | None, draws: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield `draws` bootstrap samples of n rows, as indices; with `groups`, (n,) codes, whole groups are drawn."""
    rows = None if groups is None else [np.flatnonzero(groups == group) for group in np.unique(groups)]
    for _ in range(draws):
        if rows is None:
            yield rng.integers(0, n, n)
        else:
            yield np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))])
