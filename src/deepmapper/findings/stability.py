"""Stability selection on complementary halves of the samples.

The two passes of a pair are trained on the two halves of the samples. The selection probability of a feature is the
share of all passes that rank it among their first q; its simultaneous selection is the share of pairs in which both
passes do.

Sources: Meinshausen & Buehlmann 2010 (doi 10.1111/j.1467-9868.2010.00740.x); complementary pairs and bounds, Shah &
Samworth 2013 (doi 10.1111/j.1467-9868.2011.01034.x). With B pairs and a threshold t, the expected number of selected
features of low selection probability (at most q/p in a single pass) is at most

- (q^2 / p) / (2 t - 1), whatever the distribution (worst case, their theorem 1),
- C(t, B) q^2 / p, if simultaneous selection is unimodal (their theorem 2),
- p min(D(q^2 / p^2; 2 t - 1, B, -1/2), D(q / p; t, 2 B, -1/4)), if frequencies are r-concave (their section 3.4).

The bound of Meinshausen & Buehlmann is the same number as the first, but relies on assumptions that the first does not
need (exchangeable null features, selection better than guessing).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..accumulate import stability_selection_bound
from ..core.words import at_most_about, percent
from ..errors import InputError
from ..passes.result import HalfPass
from .metrics import mean_or_none
from .selection_bounds import r_concave_bound, unimodal_bound


@dataclass(frozen=True)
class StabilitySelection:
    """Result of stability selection.

    Attributes
    ----------
    summary
        Contents of stability.json.
    table
        One row per feature, in input order: `feature` and `stability`, its selection probability (NaN if there were no
        passes on halves).
    """

    summary: dict
    table: pd.DataFrame


def select_stable(passes: Sequence[HalfPass], q: int, threshold: float, names: Sequence[str]) -> StabilitySelection:
    """Select the features whose selection probability reaches a threshold, and bound the number of false selections.

    Parameters
    ----------
    passes
        Complementary pairs, in any order.
    q
        Number of features that each pass selects: the first of its ranking.
    threshold
        Selection probability from which a feature is selected, above 1/2.
    names
        Names of the features.

    Raises
    ------
    InputError
        If a pass has no counterpart.
    """
    refused = next((result.refused for result in passes if result.refused), "")
    if refused or not passes:
        reason = refused or "no passes were trained on halves of the samples (stability: n_pairs)"
        summary = {"statement": f"No stability selection: {reason.rstrip('.')}.", "n_pairs": 0}
        return StabilitySelection(summary, _table(names, np.full(len(names), np.nan)))
    by_seed = {result.seed: result for result in passes}
    unpaired = [seed for seed in by_seed if seed ^ 1 not in by_seed]
    if unpaired:
        raise InputError(
            f"the pass of seed {unpaired[0]} on one half of the samples has no counterpart: expected a pass of seed "
            f"{unpaired[0] ^ 1} on the other half"
        )
    n_features, n_pairs = len(names), len(by_seed) // 2
    q = min(q, n_features)
    n_selected, n_both = np.zeros(n_features), np.zeros(n_features)
    for seed in sorted(seed for seed in by_seed if seed % 2 == 0):
        first, second = (_top(by_seed[s].importance, q) for s in (seed, seed + 1))
        n_selected += first.astype(float) + second
        n_both += first & second
    probability, simultaneous = n_selected / (2 * n_pairs), n_both / n_pairs
    selected = np.flatnonzero(probability >= threshold - 1e-9)
    selected = selected[np.lexsort((-simultaneous[selected], -probability[selected]))]
    bounds = _bounds(threshold, q, n_features, n_pairs)
    summary = {
        "statement": _statement(len(selected), q, threshold, n_pairs, bounds["r_concave"]),
        "n_pairs": n_pairs,
        "q": q,
        "threshold": threshold,
        "n_features": n_features,
        "low_selection_probability": q / n_features,
        "expected_false_selections": bounds,
        "accuracy_mean": mean_or_none(np.array([result.accuracy for result in passes])),
        "selected": [
            {
                "feature": names[int(i)],
                "selection_probability": float(probability[i]),
                "simultaneous_selection": float(simultaneous[i]),
            }
            for i in selected
        ],
    }
    return StabilitySelection(summary, _table(names, probability))


def _statement(n: int, q: int, threshold: float, n_pairs: int, bound: float) -> str:
    """Say how many features are stable, and how many of them chance explains."""
    are = "No feature is" if n == 0 else "1 feature is" if n == 1 else f"{n:,} features are"
    text = f"{are} among the model's own first {q:,} in at least {percent(threshold)} of {2 * n_pairs} passes on halves"
    by_chance = f"; {at_most_about(min(bound, n))} expected by chance" if n else ""
    return f"{text} of the samples{by_chance}."


def _top(importance: np.ndarray, q: int) -> np.ndarray:
    """(p,) whether each feature is among the first `q`; ties go to the first in input order."""
    top = np.zeros(len(importance), dtype=bool)
    top[np.argsort(-importance, kind="stable")[:q]] = True
    return top


def _bounds(threshold: float, q: int, n_features: int, n_pairs: int) -> dict[str, float]:
    """Bounds on the expected number of false selections, by their assumptions."""
    worst_case = stability_selection_bound(threshold, q, n_features)
    return {
        "meinshausen_buehlmann": worst_case,
        "worst_case": worst_case,
        "unimodal": unimodal_bound(threshold, q, n_features, n_pairs),
        "r_concave": r_concave_bound(threshold, q, n_features, n_pairs),
    }


def _table(names: Sequence[str], probability: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"feature": list(names), "stability": probability})
