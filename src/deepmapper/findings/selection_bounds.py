"""Bounds on the expected number of false selections in stability selection. Standard library only."""

from __future__ import annotations

import numpy as np

from .. import accumulate


def worst_case_bound(threshold: float, q: float, n_features: int) -> float:
    """Bound on the expected number of selected features of low selection probability, whatever the distribution."""
    return accumulate.stability_selection_bound(threshold, q, n_features)


def unimodal_bound(threshold: float, q: float, n_features: int, n_pairs: int) -> float:
    """The same where the simultaneous selection of such a feature has a unimodal distribution.

    Never above the worst case, which takes its place where the theorem does not apply (q above p / sqrt(3), or a
    threshold too close to 1/2).
    """
    worst = worst_case_bound(threshold, q, n_features)
    share = q / n_features
    least = min(0.5 + share**2, 0.5 + 1 / (2 * n_pairs) + 0.75 * share**2)
    if share > 3**-0.5 or threshold <= least:
        return worst
    if threshold <= 0.75:
        slack = 2 * (2 * threshold - 1 - 1 / (2 * n_pairs))
        factor = 1 / slack if slack > 0 else np.inf
    else:
        factor = 4 * (1 - threshold + 1 / (2 * n_pairs)) / (1 + 1 / n_pairs)
    return float(min(worst, factor * share**2 * n_features))


def r_concave_bound(threshold: float, q: float, n_features: int, n_pairs: int) -> float:
    """The same where simultaneous selection is -1/2-concave and the selection frequency -1/4-concave (so unimodal)."""
    share = q / n_features
    of_pairs = largest_tail(share**2, _steps((2 * threshold - 1) * n_pairs), n_pairs, -1 / 2)
    of_passes = largest_tail(share, _steps(2 * threshold * n_pairs), 2 * n_pairs, -1 / 4)
    return min(unimodal_bound(threshold, q, n_features, n_pairs), min(of_pairs, of_passes) * n_features)


def largest_tail(mean: float, least: int, n_steps: int, r: float) -> float:
    """Largest probability of `least` or more for an r-concave distribution on 0, 1, .. n_steps with a mean as given.

    Parameters
    ----------
    mean
        As a share of `n_steps`.
    least
        Where the tail begins.
    n_steps
        Largest value.
    r
        Below 0: the distribution to the power of r is convex.

    Notes
    -----
    The extremal distributions are f(i) = (a + i)^(1/r) on 0 .. k, cut off behind it, the value at k + 1 taking what the
    mean asks for (Shah & Samworth 2013, appendix A.4).
    """
    from scipy.optimize import brentq, minimize_scalar

    power, expected = 1 / r, mean * n_steps
    first = int(np.ceil(2 * expected)) + 1
    if least < first:
        return 1.0
    if first > n_steps or least > n_steps:
        return 1.0 if least <= n_steps else 0.0

    def surplus(log_a: float, k: int) -> float:
        places = np.arange(k + 1)
        weight = (np.exp(log_a) + places) ** power
        return float((places * weight).sum() / weight.sum() - expected)

    def tail(log_a: float, k: int) -> float:
        places = np.arange(k + 1)
        weight = (np.exp(log_a) + places) ** power
        kept = (k + 1 - expected) * weight[:least].sum()
        return float(1 - kept / ((k + 1 - places) * weight).sum())

    low, high = np.log(1e-12), np.log(1e9)
    root = {k: brentq(surplus, low, high, args=(k,)) for k in range(first, n_steps + 1)}
    best = 0.0
    for k in range(max(first, least - 1), n_steps):
        found = minimize_scalar(
            lambda log_a, k=k: -tail(log_a, k), bounds=(root[k + 1], root[k]), method="bounded", options={"xatol": 1e-9}
        )
        best = max(best, -found.fun, tail(root[k], k), tail(root[k + 1], k))
    return min(1.0, best)


def _steps(value: float) -> int:
    """Round up, whatever the last digit of a float says."""
    return int(np.ceil(round(value, 9)))
