"""Area under the ROC curve, and resamples of samples or of their groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve, ties counted half; NaN where a side is empty."""
    inside, outside = score[positive], np.sort(score[~positive])
    if not len(inside) or not len(outside):
        return float("nan")
    below = np.searchsorted(outside, inside, "left") + np.searchsorted(outside, inside, "right")
    return float(below.mean() / 2 / len(outside))


def resamples(n: int, groups: np.ndarray | None, draws: int, seed: Sequence[int]) -> list[np.ndarray]:
    """Draw rows with replacement, `draws` times; whole groups where `groups`, (n,) codes, are given."""
    rng = np.random.default_rng(seed)
    if groups is None:
        return [rng.integers(0, n, n) for _ in range(draws)]
    rows = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    return [np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))]) for _ in range(draws)]
