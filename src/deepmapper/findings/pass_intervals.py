"""Bootstrap intervals over passes, of importances and of ranks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.draws import Draw, stream
from ..passes.result import PassFile, PassResult

_MAX_VALUES = 2**24  # values of resampled passes held in memory at once


def importances(passes: Sequence[PassResult | PassFile]) -> np.ndarray:
    """Importances of all passes, (passes, p) float32."""
    parts = np.empty((len(passes), len(passes[0].importance)), dtype=np.float32)
    for row, result in zip(parts, passes, strict=True):
        row[:] = result.importance
    return parts


def importance_intervals(
    importances: np.ndarray,
    n_resamples: int = 200,
    seed: int = 0,
    confidence: float = 0.95,
    max_values: int = _MAX_VALUES,
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile intervals of the median importance over resampled passes.

    Parameters
    ----------
    importances
        (passes, p) importances.
    n_resamples, seed, confidence
        Resamples and seed of the bootstrap, and the confidence of the intervals.
    max_values
        Values held in memory at once; does not change the result.

    Returns
    -------
    tuple
        (p,) lower and (p,) upper limits.
    """
    n_passes, n_features = importances.shape
    drawn = _resamples(n_passes, n_resamples, seed)
    low, high = np.empty(n_features), np.empty(n_features)
    tail = (1 - confidence) / 2
    width = max(1, max_values // drawn.size)
    for start in range(0, n_features, width):
        block = slice(start, start + width)
        medians = np.median(importances[:, block][drawn], axis=1)
        low[block], high[block] = np.quantile(medians, [tail, 1 - tail], axis=0)
    return low, high


def rank_intervals(
    scores: np.ndarray,
    n_resamples: int = 200,
    seed: int = 0,
    confidence: float = 0.95,
    max_values: int = _MAX_VALUES,
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile intervals of the rank of the absolute mean score over resampled passes; 1 is the largest.

    Parameters
    ----------
    scores
        (passes, p) scores, for example `pass_scores` or importances.
    n_resamples, seed, confidence
        Resamples and seed of the bootstrap, and the confidence of the intervals.
    max_values
        Values held in memory at once; does not change the result.

    Returns
    -------
    tuple
        (p,) lower and (p,) upper limits.
    """
    n_passes, n_features = scores.shape
    drawn = _resamples(n_passes, n_resamples, seed)
    ranks = np.empty((n_resamples, n_features), dtype=np.int32)
    one_to_p = np.arange(1, n_features + 1, dtype=np.int32)
    for row, passes in enumerate(drawn):
        counts = np.bincount(passes, minlength=n_passes).astype(scores.dtype)
        ranks[row, np.argsort(-np.abs(counts @ scores), kind="stable")] = one_to_p
    tail = (1 - confidence) / 2
    low, high = np.empty(n_features), np.empty(n_features)
    width = max(1, max_values // n_resamples)
    for start in range(0, n_features, width):
        block = slice(start, start + width)
        low[block], high[block] = np.quantile(ranks[:, block], [tail, 1 - tail], axis=0, method="nearest")
    return low, high


def _resamples(n_passes: int, n_resamples: int, seed: int) -> np.ndarray:
    """Indices of passes drawn with replacement, (resamples, passes)."""
    return stream(seed, Draw.PASS_RESAMPLES).integers(0, n_passes, (n_resamples, n_passes))
