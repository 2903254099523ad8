"""Area under the ROC curve, and bootstrap resamples of samples or of groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve, ties counted half; NaN where a side is empty."""
    inside, outside = score[positive], np.sort(score[~positive])
    if not len(inside) or not len(outside):
        return float("nan")
    below = np.searchsorted(outside, inside, "left") + np.searchsorted(outside, inside, "right")
    return float(below.mean() / 2 / len(outside))


def weighted_auc(score: np.ndarray, positive: np.ndarray) -> Callable[[np.ndarray], float]:
    """Sort once; give what computes `auc` of rows that count several times, or not at all, from (n,) whole numbers."""
    order = np.argsort(score, kind="stable")
    sorted_score, inside = score[order], positive[order]
    starts = np.flatnonzero(np.concatenate([[True], sorted_score[1:] != sorted_score[:-1]]))  # of equal scores

    def area(times: np.ndarray) -> float:
        times = times[order]
        outside = np.add.reduceat(np.where(inside, 0, times), starts)
        here = np.add.reduceat(np.where(inside, times, 0), starts)
        n_inside, n_outside = here.sum(), outside.sum()
        if not n_inside or not n_outside:
            return float("nan")
        below = here * (2 * np.cumsum(outside) - outside)
        return float(below.sum() / n_inside / 2 / n_outside)

    return area


def resamples(n: int, groups: np.ndarray | None, draws: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Draw rows with replacement, `draws` times; whole groups where `groups`, (n,) codes, are given."""
    rows = None if groups is None else [np.flatnonzero(groups == group) for group in np.unique(groups)]
    for _ in range(draws):
        if rows is None:
            yield rng.integers(0, n, n)
        else:
            yield np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))])
