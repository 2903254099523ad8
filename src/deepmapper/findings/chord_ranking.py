"""How much the passes of a model rely on the gene chords (interaction gene sets) that they read as pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .. import accumulate
from ..core.stage_schemas import MODEL_CHORDS
from ..errors import InputError
from ..passes.result import PassResult


def rank_chords(results: Sequence[PassResult], names: Sequence[str], top_k: int, min_accuracy: float) -> pd.DataFrame:
    """One row per chord: its selection frequency, importance and rank among all features and chords.

    Parameters
    ----------
    results
        Passes of one model; their weights are not needed.
    names
        Names of the chords that the passes read.
    top_k
        Number of features and chords that each pass selects: the first of its ranking.
    min_accuracy
        Passes with a lower accuracy are left out.

    Raises
    ------
    InputError
        If an accepted pass read no chords.
    """
    columns = MODEL_CHORDS.names()
    accepted = accumulate.accepted_passes(results, min_accuracy)
    if not accepted or not names:
        return pd.DataFrame(columns=columns)
    chord_importance = [r.chords.importance for r in accepted if r.chords is not None]
    if len(chord_importance) < len(accepted):
        raise InputError(
            f"{len(accepted) - len(chord_importance)} of {len(accepted)} passes read no gene chords, expected "
            f"{len(names)}: train the passes of this model on the features with chords"
        )
    importances = [
        np.concatenate([r.importance, chords]).tolist() for r, chords in zip(accepted, chord_importance, strict=True)
    ]
    n = len(importances[0])
    chords = slice(n - len(names), None)
    top_sets = [accumulate.top_k_set(importance, top_k) for importance in importances]
    frequency = accumulate.selection_frequency(top_sets, n)[chords]
    intervals = np.array([accumulate.wilson_interval(share, len(accepted)) for share in frequency])
    low, median, high = np.quantile(chord_importance, [0.25, 0.5, 0.75], axis=0)
    ranks = accumulate.mean_rank([accumulate.ranks_from_importances(importance) for importance in importances])[chords]
    values = (list(names), frequency, *intervals.T, median, low, high, ranks)
    return pd.DataFrame(dict(zip(columns, values, strict=True)))
