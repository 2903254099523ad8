"""Stability selection on complementary halves, with bounds on what it selects in error.

Every pair of passes reads the two halves of the samples; a feature's selection probability is the share of all passes
that put it among their first q, its simultaneous selection the share of pairs in which both did.

Sources: Meinshausen & Buehlmann 2010 (doi 10.1111/j.1467-9868.2010.00740.x); complementary pairs and bounds, Shah &
Samworth 2013 (doi 10.1111/j.1467-9868.2011.01034.x): with B pairs and a threshold t, the expected number of selected
features of low selection probability (at most q/p in a single pass) is at most

- (q^2 / p) / (2 t - 1), whatever the distribution (worst case, their theorem 1),
- C(t, B) q^2 / p, where simultaneous selection is unimodal (their theorem 2),
- p min(D(q^2 / p^2; 2 t - 1, B, -1/2), D(q / p; t, 2 B, -1/4)), where frequencies are r-concave (their section 3.4).

The first holds without the assumptions of Meinshausen & Buehlmann (exchangeable null features, better than guessing),
whose bound is the same number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from . import accumulate
from .checkpoint import Checkpoint
from .config import DeepMapperConfig
from .draws import Draw, stream
from .errors import InputError
from .pass_result import HalfPass
from .passes import draw_split, train_pass
from .samples_view import Samples
from .splits import few_samples, hold_out

if TYPE_CHECKING:
    import pandas as pd
    import torch


def draw_half(y: np.ndarray, groups: np.ndarray | None, seed: int, classes: Sequence[str] = ()) -> np.ndarray:
    """Positions of the half that pass `seed` reads: stratified by class, whole groups; 2k and 2k + 1 make the whole."""
    return hold_out(y, 0.5, stream(seed // 2, Draw.HALVES), groups, classes)[seed % 2]


def train_half_pass(
    samples: Samples,
    config: DeepMapperConfig,
    seed: int,
    *,
    checkpoint: Checkpoint | None = None,
    tell: Callable[[str], None] = lambda line: None,
    device: torch.device | str | None = None,
) -> HalfPass:
    """Train pass `seed` on its half of the samples; it draws validation and out-of-bag samples from that half.

    Where samples are few (`splits.few_samples`), or a half cannot be divided further, there is none: see `refused`.

    Parameters
    ----------
    samples, config, seed, checkpoint, tell, device
        As in `passes.train_pass`.
    """
    labels, groups, classes = samples.labels, samples.group_codes, samples.classes
    refused = f"{len(samples)} samples are too few to halve" if few_samples(labels) else ""
    half = samples.subset(np.arange(0))
    if not refused:
        try:
            half = samples.subset(draw_half(labels, groups, seed, classes))
            draw_split(half.labels, config, seed, half.group_codes, classes)
        except InputError as error:
            refused = f"the samples cannot be halved and divided again: {error}"
    if refused:
        tell(f"no pass: {refused}")
        return HalfPass(seed, refused, len(half), float("nan"), np.empty(0, dtype=np.float32))
    result = train_pass(half, config, seed, checkpoint=checkpoint, tell=tell, device=device)
    return HalfPass(seed, "", len(half), result.accuracy, result.importance)


def select(passes: Sequence[HalfPass], q: int, threshold: float, names: Sequence[str]) -> tuple[dict, np.ndarray]:
    """Count selections and bound the errors among features whose selection probability reaches the threshold.

    Parameters
    ----------
    passes
        Complementary pairs, in any order.
    q
        Features selected by one pass: the first of its ranking.
    threshold
        Selection probability from which a feature is selected, above 1/2.
    names
        Of the features.

    Returns
    -------
    tuple
        What stability.json holds, and the (p,) selection probability (NaN where there is none).
    """
    refused = next((result.refused for result in passes if result.refused), "")
    if refused or not passes:
        why = refused or "no passes on halves were trained (stability: n_pairs)"
        return {"statement": f"No stability selection: {why}.", "n_pairs": 0}, np.full(len(names), np.nan)
    by_seed = {result.seed: result for result in passes}
    lonely = [seed for seed in by_seed if seed ^ 1 not in by_seed]
    if lonely:
        raise InputError(f"pass {lonely[0]} on half of the samples lacks its counterpart: expected {lonely[0] ^ 1}")
    n_features, n_pairs = len(names), len(by_seed) // 2
    taken = min(q, n_features)
    single, both = np.zeros(n_features), np.zeros(n_features)
    for seed in sorted(seed for seed in by_seed if seed % 2 == 0):
        first, second = (_top(by_seed[s].importance, taken) for s in (seed, seed + 1))
        single += first.astype(float) + second
        both += first & second
    probability, simultaneous = single / (2 * n_pairs), both / n_pairs
    selected = np.flatnonzero(probability >= threshold - 1e-9)
    selected = selected[np.lexsort((-simultaneous[selected], -probability[selected]))]
    bounds = {
        "meinshausen_buehlmann": accumulate.stability_selection_bound(threshold, taken, n_features),
        "worst_case": worst_case_bound(threshold, taken, n_features),
        "unimodal": unimodal_bound(threshold, taken, n_features, n_pairs),
        "r_concave": r_concave_bound(threshold, taken, n_features, n_pairs),
    }
    low = bounds["r_concave"]
    about = {
        "statement": (
            f"{len(selected)} features are among the first {taken} of at least {threshold:.0%} of {2 * n_pairs} passes "
            f"on halves of the samples; of features that a pass takes no more often than chance, at most {low:.2g} are "
            f"expected among them."
        ),
        "n_pairs": n_pairs,
        "q": taken,
        "threshold": threshold,
        "n_features": n_features,
        "low_selection_probability": taken / n_features,
        "expected_false_selections": bounds,
        "accuracy_mean": float(np.mean([result.accuracy for result in passes])),
        "selected": [
            {
                "feature": names[int(i)],
                "selection_probability": float(probability[i]),
                "simultaneous_selection": float(simultaneous[i]),
            }
            for i in selected
        ],
    }
    return about, probability


def stability_table(probability: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """One row per feature, in their order: its name and its selection probability, as `select` returns it."""
    import pandas as pd

    return pd.DataFrame({"feature": list(names), "stability": probability})


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


def _top(importance: np.ndarray, q: int) -> np.ndarray:
    """(p,) whether each feature is among the first `q`; ties go to the one that comes first."""
    chosen = np.zeros(len(importance), dtype=bool)
    chosen[np.argsort(-importance, kind="stable")[:q]] = True
    return chosen
