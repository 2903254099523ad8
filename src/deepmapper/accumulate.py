"""Aggregate the importances of many passes into statistics per feature. Standard library only.

Sources: selection frequency and its bound, Meinshausen & Buehlmann 2010 (doi 10.1111/j.1467-9868.2010.00740.x);
mean rank, Borda count; interval of a proportion, Wilson 1927.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import NormalDist, median


def accept_pass(accuracy: float, min_accuracy: float) -> bool:
    """Whether a pass is accumulated: its accuracy is at least `min_accuracy`, and not NaN."""
    return accuracy >= min_accuracy


def accepted_passes(results: Iterable, min_accuracy: float) -> list:
    """Return the passes (anything with an `accuracy`) that `accept_pass` accepts, in their order."""
    return [result for result in results if accept_pass(result.accuracy, min_accuracy)]


def ranks_from_importances(importances: Sequence[float]) -> list[int]:
    """Rank the features, 1 for the most important; of tied features the first one ranks higher.

    Raises
    ------
    ValueError
        If an importance is NaN.
    """
    ranks = [0] * len(importances)
    for rank, feature in enumerate(_descending(importances), start=1):
        ranks[feature] = rank
    return ranks


def top_k_set(importances: Sequence[float], k: int) -> list[int]:
    """Return the indices of the `k` most important features, most important first (all of them if fewer than `k`).

    Ties are broken as in `ranks_from_importances`.

    Raises
    ------
    ValueError
        If an importance is NaN, or `k` is negative.
    """
    if k < 0:
        raise ValueError(f"k={k}: expected 0 or more")
    return _descending(importances)[:k]


def selection_frequency(top_sets: Sequence[Sequence[int]], n_features: int) -> list[float]:
    """Return the fraction of passes that selected each feature, in [0, 1]; all 0 without passes.

    Raises
    ------
    ValueError
        If a set contains a feature twice, or one that does not exist.
    """
    counts = [0] * n_features
    for i, selected in enumerate(top_sets):
        if len(set(selected)) != len(selected):
            raise ValueError(f"top_sets[{i}] contains a feature twice")
        for feature in selected:
            if not 0 <= feature < n_features:
                raise ValueError(f"top_sets[{i}] contains feature {feature}: expected 0 .. {n_features - 1}")
            counts[feature] += 1
    return [count / len(top_sets) if top_sets else 0.0 for count in counts]


def mean_rank(rank_lists: Sequence[Sequence[float]]) -> list[float]:
    """Return the mean rank of each feature over the passes (Borda count), lower is better; empty without passes."""
    return [math.fsum(ranks) / len(rank_lists) for ranks in _by_feature(rank_lists)]


def median_importance(importance_lists: Sequence[Sequence[float]]) -> list[float]:
    """Return the median importance of each feature over the passes; empty without passes."""
    return [float(median(values)) for values in _by_feature(importance_lists)]


def stability_selection_bound(pi_thr: float, q: float, n_features: int) -> float:
    """Bound the expected number of falsely selected features: E[V] <= q^2 / ((2 pi - 1) p).

    Parameters
    ----------
    pi_thr
        Selection frequency from which a feature counts as selected, in (0.5, 1].
    q
        Average number of features selected by one pass.
    n_features
        Number of features p.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    Holds for passes on random halves of the samples, exchangeable null features, and a selection that is not worse
    than random guessing (Meinshausen & Buehlmann 2010, theorem 1).
    """
    if not 0.5 < pi_thr <= 1.0:
        raise ValueError(f"pi_thr={pi_thr}: expected more than 0.5 and at most 1")
    if q < 0 or n_features < 1:
        raise ValueError(f"q={q}, n_features={n_features}: expected q >= 0 and n_features >= 1")
    return q * q / ((2.0 * pi_thr - 1.0) * n_features)


def wilson_interval(share: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson interval of a proportion observed in `n` trials; (0, 1) without trials."""
    if n == 0:
        return 0.0, 1.0
    z2 = NormalDist().inv_cdf(0.5 + confidence / 2) ** 2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))


def _descending(values: Sequence[float]) -> list[int]:
    if any(value != value for value in values):
        raise ValueError("an importance is NaN and cannot be ranked")
    return sorted(range(len(values)), key=lambda i: -values[i])


def _by_feature(lists: Sequence[Sequence[float]]):
    if len({len(values) for values in lists}) > 1:
        raise ValueError(f"passes with different numbers of features: {sorted({len(values) for values in lists})}")
    return zip(*lists, strict=True)
