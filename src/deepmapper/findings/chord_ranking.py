"""How much the passes of a model rely on the chords that they read as pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .. import accumulate
from ..core.stage_schemas import MODEL_CHORDS
from ..errors import InputError
from ..passes.result import PassResult


def rank_chords(results: Sequence[PassResult], names: Sequence[str], top_k: int, min_accuracy: float) -> pd.DataFrame:
    """One row a chord: what the accepted passes that read it as a pixel make of it, among features and chords.

    Parameters
    ----------
    results
        Passes of one model; their weights are not needed.
    names
        The chords that they read.
    top_k
        Head of each pass's ranking that counts as selected.
    min_accuracy
        Passes below are left out.
    """
    columns = MODEL_CHORDS.names()
    kept = accumulate.accepted_passes(results, min_accuracy)
    if not kept or not names:
        return pd.DataFrame(columns=columns)
    of_chords = [r.chords.importance for r in kept if r.chords is not None]
    if len(of_chords) < len(kept):
        raise InputError(
            f"{len(kept) - len(of_chords)} of {len(kept)} passes read no gene chords, {len(names)} were expected: "
            f"train the passes of this model on the features with chords"
        )
    both = [np.concatenate([r.importance, chord]).tolist() for r, chord in zip(kept, of_chords, strict=True)]
    place = slice(len(both[0]) - len(names), None)
    share = accumulate.selection_frequency([accumulate.top_k_set(i, top_k) for i in both], len(both[0]))[place]
    intervals = np.array([accumulate.wilson_interval(one, len(kept)) for one in share])
    quartiles = np.quantile(of_chords, [0.25, 0.5, 0.75], axis=0)
    ranks = accumulate.mean_rank([accumulate.ranks_from_importances(i) for i in both])[place]
    found = (list(names), share, *intervals.T, quartiles[1], quartiles[0], quartiles[2], ranks)
    return pd.DataFrame(dict(zip(columns, found, strict=True)))
