"""Draw all figures of one model from the tables of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..core.aliases import alias_of
from .evaluation import calibration, confusion, per_class
from .features import importance_heatmap, ranking
from .filtering import audit
from .passes import accuracy_references, agreement, convergence, learning_curves
from .pseudo_images import pseudo_image
from .sample_map import embedding
from .significance import evidence, importance_null
from .value_maps import feature_maps

MAPPED = 8  # features drawn on the map of the samples

MAX_MAPPED_SAMPLES = 20_000  # drawn on it, evenly over their order

# Tables behind the figures of a model.
MODEL_TABLES = (
    *("features", "passes", "history", "agreement", "audit", "convergence", "null"),
    *("per_class", "confusion", "calibration", "predictions"),
)


def draw_model(
    model: str,
    tables: Mapping[str, pd.DataFrame],
    paths: Mapping[str, str | Path],
    *,
    summary: Mapping,
    convergence_summary: Mapping,
    embedded: Mapping[str, np.ndarray],
    pictures: Sequence[Mapping],
    picture_note: str,
    values: np.ndarray,
    rows: np.ndarray,
    top: int,
) -> None:
    """Draw every figure of one model.

    Parameters
    ----------
    model
        Its name, used in the titles.
    tables
        Its tables, by the names in `MODEL_TABLES`.
    paths
        File of each figure, by the name of the figure; the suffix sets the format.
    summary, convergence_summary
        Contents of summary.json and convergence.json.
    embedded
        Contents of embedding.npz: `map` (n, 2) and `basis`.
    pictures, picture_note
        Images of one pass (`pseudo_images.pseudo_image`), and a sentence about it.
    values, rows
        Values of the first `MAPPED` features in some samples, and the rows of these in `predictions`.
    top
        Number of features listed.
    """
    features, predictions = tables["features"], tables["predictions"]
    evaluated = "out of bag" if summary["scheme"] == "repeated" else "on the test split"

    ranking(features, paths["ranking"], top, summary, f"{model}: ranking")
    importance_null(tables["null"], paths["importance_null"], title=f"{model}: features against shadow features")
    evidence(features, paths["evidence"], summary=summary, title=f"{model}: two rankings")
    audit(tables["audit"], paths["audit"], title=f"{model}: what filtering would have lost")
    importance_heatmap(
        features, paths["importance_heatmap"], top, summary["classes"], summary, f"{model}: importance in each class"
    )
    confusion(tables["confusion"], paths["confusion"], f"{model}: confusion {evaluated}")
    per_class(tables["per_class"], paths["per_class"], f"{model}: each class {evaluated}")
    calibration(tables["calibration"], paths["calibration"], f"{model}: calibration {evaluated}")
    learning_curves(tables["history"], paths["learning_curves"], f"{model}: learning curves")
    accuracy_references(
        tables["passes"], paths["accuracy_references"], f"{model}: accuracy of each pass and its references"
    )
    agreement(tables["agreement"], paths["agreement"], f"{model}: agreement between passes")
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
        title=f"{model}: samples as the networks represent them",
    )
    feature_maps(
        embedded["map"][rows],
        values,
        features["feature"].astype(str).head(MAPPED).tolist(),
        paths["feature_maps"],
        aliases=alias_of(features),
        basis=str(embedded["basis"]),
        title=f"{model}: first features on the map of the samples",
    )
    pseudo_image(pictures, paths["pseudo_image"], title=f"{model}: images of one pass", note=picture_note)
