"""Test-split evidence for each chord: its score in every sample and how well that predicts the class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..core.words import count
from ..features.levels import draw_samples
from ..features.store import Features
from . import proof as chords_proof
from . import tables
from .pixels import of_members
from .types import Chord

PROOF = (
    *("n_test", "auc_chord", "auc_chord_low", "auc_chord_high", "best_member", "auc_best_member", "auc_additive"),
    *("synergy", "synergy_low", "synergy_high", "macro_auc", "macro_auc_additive", "accuracy", "accuracy_additive"),
)


def prove(
    features: Features, found: Sequence[Chord], *, max_samples: int = 20_000, draws: int = 1000, seed: int = 0
) -> tuple[pd.DataFrame, dict]:
    """Judge chords on the test split: the table of chords with the columns of the proof, and what can be said of it.

    The models that are compared learn from the samples that were screened: `max_samples` as there. Without a test
    split the columns are empty: nothing is proved, and the statement says so.
    """
    table = tables.chord_table(found)
    by_class = [f"{what}[{name}]" for name in features.classes for what in ("auc", "synergy")]
    judged, told = len(found) > 0 and len(features.test) > 0, {}
    if judged:
        learnt_from = draw_samples(features, max_samples, seed)
        rows = np.sort(np.concatenate([learnt_from, features.test]))
        compared = features.select(rows)
        proofs = chords_proof.prove_chords(
            of_members(features.X, found, rows),
            compared.labels,
            found,
            development=np.searchsorted(rows, learnt_from),
            test=np.searchsorted(rows, features.test),
            classes=features.classes,
            confounders=None if features.design is None else features.design[rows],
            groups=compared.group_codes,
            draws=draws,
            seed=seed,
        )
        table = tables.chord_table(found, proofs)
        adding = [proof for proof in proofs if proof.synergy_low > 0]
        told = {"n_adding": len(adding)}
        of_all = count(len(found), "chord tells", "chords tell", zero="no")
        statement = (
            f"{len(adding)} of {of_all} more than the "
            f"members one by one on {len(features.test)} samples that the screen never saw (the 95 % interval of the "
            f"synergy lies above 0)."
        )
    elif found:
        statement = (
            "No test split was set aside, so no chord was judged on samples that the screen had not seen: nothing is "
            "proved."
        )
    else:
        statement = "There is no chord to prove."
    return table.reindex(columns=[*tables.chord_table(()).columns, *PROOF, *by_class]), {
        "proved": judged,
        **told,
        "statement": statement,
    }


@dataclass(frozen=True)
class ProvenChords:
    """The chords of a run, judged on its test split.

    Attributes
    ----------
    table
        One row per chord, with the columns of the proof.
    summary
        For findings/chords.json; `summary["statement"]` says it in a sentence.
    scores
        One row per chord and sample: the value of the chord (`score_table`).
    """

    table: pd.DataFrame
    summary: dict
    scores: pd.DataFrame


def prove_run(
    features: Features, found: Sequence[Chord], *, max_samples: int = 20_000, draws: int = 1000, seed: int = 0
) -> ProvenChords:
    """Judge the chords of a run (`prove`), and compute their values in every sample."""
    table, summary = prove(features, found, max_samples=max_samples, draws=draws, seed=seed)
    return ProvenChords(table, summary, score_table(features, found))


def score_table(features: Features, found: Sequence[Chord]) -> pd.DataFrame:
    """Value of every chord in every sample that has a label, one row each."""
    rows = features.labelled
    values = chords_proof.chord_features(of_members(features.X, found), found)[rows]
    n = len(rows)
    split = np.where(np.isin(rows, features.test), "test", "development").astype(object)
    cells = np.array(features.samples or range(len(features.y)), dtype=object)[rows]
    parts = {
        "cell": np.tile(cells, len(found)),
        "split": np.tile(split, len(found)),
        "label": np.tile(np.array(features.classes, dtype=object)[features.y[rows]], len(found)),
        "chord": np.repeat(np.array([chord.name for chord in found], dtype=object), n),
        "score": values.T.ravel(),
    }
    return pd.DataFrame(parts)
