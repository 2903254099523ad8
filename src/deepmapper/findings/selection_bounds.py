"""Bounds on the expected number of false selections in stability selection (Shah & Samworth 2013).

A false selection is a selected feature whose selection probability in a single pass is at most q / p. The worst case,
whatever the distribution, is `accumulate.stability_selection_bound`.
"""

from __future__ import annotations

import numpy as np

from ..accumulate import stability_selection_bound


def unimodal_bound(threshold: float, q: float, n_features: int, n_pairs: int) -> float:
    """Bound if the simultaneous selection of a feature of low selection probability has a unimodal distribution.

    It is never above the worst case, which is used where the theorem does not apply (q above p / sqrt(3), or a
    threshold too close to 1/2).
    """
    worst = stability_selection_bound(threshold, q, n_features)
    share = q / n_features
    min_threshold = min(0.5 + share**2, 0.5 + 1 / (2 * n_pairs) + 0.75 * share**2)
    if share > 3**-0.5 or threshold <= min_threshold:
        return worst
    if threshold <= 0.75:
        slack = 2 * (2 * threshold - 1 - 1 / (2 * n_pairs))
        factor = 1 / slack if slack > 0 else np.inf
    else:
        factor = 4 * (1 - threshold + 1 / (2 * n_pairs)) / (1 + 1 / n_pairs)
    return float(min(worst, factor * share**2 * n_features))


def r_concave_bound(threshold: float, q: float, n_features: int, n_pairs: int) -> float:
    """Bound if simultaneous selection is -1/2-concave and the selection frequency -1/4-concave (hence unimodal)."""
    share = q / n_features
    pair_tail = largest_tail(share**2, _ceil((2 * threshold - 1) * n_pairs), n_pairs, -1 / 2)
    pass_tail = largest_tail(share, _ceil(2 * threshold * n_pairs), 2 * n_pairs, -1 / 4)
    return min(unimodal_bound(threshold, q, n_features, n_pairs), min(pair_tail, pass_tail) * n_features)


def largest_tail(mean: float, start: int, n_steps: int, r: float) -> float:
    """Largest probability of `start` or more for an r-concave distribution on 0, 1, .. n_steps with a given mean.

    Parameters
    ----------
    mean
        Mean of the distribution, as a share of `n_steps`.
    start
        First value of the tail.
    n_steps
        Largest value.
    r
        Below 0; the distribution to the power of r is convex.

    Notes
    -----
    The extremal distributions are f(i) = (a + i)^(1/r) on 0 .. k and 0 above k + 1, where the value at k + 1 is set so
    that the mean is right (Shah & Samworth 2013, appendix A.4).
    """
    from scipy.optimize import brentq, minimize_scalar

    power, expected = 1 / r, mean * n_steps
    first = int(np.ceil(2 * expected)) + 1
    if start < first:
        return 1.0
    if start > n_steps:
        return 0.0

    def surplus(log_a: float, k: int) -> float:
        places = np.arange(k + 1)
        weight = (np.exp(log_a) + places) ** power
        return float((places * weight).sum() / weight.sum() - expected)

    def tail(log_a: float, k: int) -> float:
        places = np.arange(k + 1)
        weight = (np.exp(log_a) + places) ** power
        kept = (k + 1 - expected) * weight[:start].sum()
        return float(1 - kept / ((k + 1 - places) * weight).sum())

    low, high = np.log(1e-12), np.log(1e9)
    root = {k: brentq(surplus, low, high, args=(k,)) for k in range(first, n_steps + 1)}
    best = 0.0
    for k in range(max(first, start - 1), n_steps):
        result = minimize_scalar(
            lambda log_a, k=k: -tail(log_a, k), bounds=(root[k + 1], root[k]), method="bounded", options={"xatol": 1e-9}
        )
        best = max(best, -result.fun, tail(root[k], k), tail(root[k + 1], k))
    return min(1.0, best)


def _ceil(value: float) -> int:
    """Round up, tolerating the rounding error of floats."""
    return int(np.ceil(round(value, 9)))
