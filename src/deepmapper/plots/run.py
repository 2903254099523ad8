"""All figures of one model, and of the chords, from the tables of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from .chords import chord_networks, chord_scores
from .evaluation import calibration, confusion, embedding, per_class
from .features import evidence, importance_heatmap, importance_null, importance_significance, ranking
from .filtering import audit
from .passes import accuracy_references, agreement, convergence, learning_curves

# Tables that the figures of a model are drawn from.
MODEL_TABLES = (
    *("features", "passes", "history", "agreement", "audit", "convergence", "null"),
    *("per_class", "confusion", "calibration", "predictions"),
)

# Those that the figures of the chords are drawn from.
CHORD_TABLES = ("chords", "pairs", "triplets", "scores")


def draw_model(
    model: str,
    tables: Mapping[str, pd.DataFrame],
    paths: Mapping[str, str | Path],
    *,
    summary: Mapping,
    convergence_summary: Mapping,
    embedded: Mapping[str, np.ndarray],
    top: int,
    level: float,
) -> None:
    """Draw every figure of one model.

    Parameters
    ----------
    model
        Its name, for the titles.
    tables
        Its tables by the names in `MODEL_TABLES`.
    paths
        File of each figure, by its name; the suffix chooses the format.
    summary, convergence_summary
        What summary.json and convergence.json hold.
    embedded
        What embedding.npz holds: `map` (n, 2) and `basis`.
    top
        Features listed.
    level
        False discovery rate at which a feature is significant.
    """
    features, predictions = tables["features"], tables["predictions"]
    judged = "out of bag" if summary["scheme"] == "repeated" else "on the test split"

    def of(table: str, figure: str, title: str) -> tuple:
        return tables[table], paths[figure], f"{model}: {title}"

    ranking(features, paths["ranking"], top, summary, f"{model}: ranking")
    importance_significance(
        features,
        paths["importance_significance"],
        level=level,
        summary=summary,
        title=f"{model}: importance and significance",
    )
    importance_null(tables["null"], paths["importance_null"], title=f"{model}: features against shadows")
    evidence(features, paths["evidence"], summary=summary, title=f"{model}: two rankings")
    audit(tables["audit"], paths["audit"], title=f"{model}: what filtering would have lost")
    importance_heatmap(
        features, paths["importance_heatmap"], top, summary["classes"], summary, f"{model}: importance in each class"
    )
    confusion(*of("confusion", "confusion", f"confusion {judged}"))
    per_class(*of("per_class", "per_class", f"every class {judged}"))
    calibration(*of("calibration", "calibration", f"calibration {judged}"))
    learning_curves(*of("history", "learning_curves", "learning curves"))
    accuracy_references(*of("passes", "accuracy_references", "accuracy of each pass and its references"))
    agreement(*of("agreement", "agreement", "agreement between passes"))
    convergence(
        tables["convergence"], paths["convergence"], convergence_summary, f"{model}: how many passes are enough"
    )
    embedding(
        embedded["map"],
        predictions["label"],
        paths["embedding"],
        test=predictions["split"] == "test",
        predicted=predictions["prediction"],
        basis=str(embedded["basis"]),
        title=f"{model}: what the passes see",
    )


def draw_chords(tables: Mapping[str, pd.DataFrame], paths: Mapping[str, str | Path], *, why: str) -> None:
    """Draw the members of the chords, and their scores in every class.

    Parameters
    ----------
    tables
        Those of the run by the names in `CHORD_TABLES`.
    paths
        Files of "chord_networks" and "chord_scores".
    why
        What the screen found, in a sentence, for a run without chords.
    """
    chords = tables["chords"]
    chord_networks(chords, tables["pairs"], paths["chord_networks"], triplets=tables["triplets"], why=why)
    chord_scores(tables["scores"], chords, paths["chord_scores"], why=why)
