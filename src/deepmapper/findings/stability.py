"""Stability selection on complementary halves of the samples.

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

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .. import accumulate
from ..errors import InputError
from ..passes.result import HalfPass
from .selection_bounds import r_concave_bound, unimodal_bound, worst_case_bound

if TYPE_CHECKING:
    import pandas as pd


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


def _top(importance: np.ndarray, q: int) -> np.ndarray:
    """(p,) whether each feature is among the first `q`; ties go to the one that comes first."""
    chosen = np.zeros(len(importance), dtype=bool)
    chosen[np.argsort(-importance, kind="stable")[:q]] = True
    return chosen
