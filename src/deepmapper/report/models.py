"""The results of each model that the summary page shows."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..core.tables import read_table

# Fields of `Model` that are read from tables, and those that are read from JSON files.
TABLES = ("features", "audit")

SUMMARIES = ("summary", "metrics", "significance", "stability", "convergence", "panel")


@dataclass(frozen=True)
class Model:
    """Results of one model.

    Attributes
    ----------
    summary, metrics, features, audit
        summary.json, metrics.json, features.tsv and audit.tsv.
    significance, stability, convergence, panel
        significance.json, stability.json, convergence.json and panel.json.
    reads_chords
        Whether its networks read chords as extra pixels.
    """

    summary: Mapping
    metrics: Mapping
    features: pd.DataFrame
    audit: pd.DataFrame
    significance: Mapping
    stability: Mapping
    convergence: Mapping
    panel: Mapping
    reads_chords: bool = False

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.summary["model"]

    @property
    def tested(self) -> bool:
        """Whether the features have q-values."""
        return "significant" in self.features


def read_models(*, reading_chords: Collection[str] = (), **files: Sequence[str | Path]) -> list[Model]:
    """Read the results of all models.

    Parameters
    ----------
    reading_chords
        Names of the models whose networks read chords as extra pixels.
    **files
        For each name in `TABLES` and `SUMMARIES`, one file per model, always in the same order of models.

    Raises
    ------
    ValueError
        If the numbers of files differ.
    """
    models = []
    for paths in zip(*files.values(), strict=True):
        path = dict(zip(files, map(Path, paths), strict=True))
        tables = {name: read_table(path[name]) for name in TABLES}
        summaries = {name: json.loads(path[name].read_text()) for name in SUMMARIES}
        models.append(Model(**tables, **summaries, reads_chords=summaries["summary"]["model"] in reading_chords))
    return models
