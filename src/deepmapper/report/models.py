"""What the first page reads of each model."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..core.tables import read_table

# Fields of `Model` that are tables, and those that are JSON.
TABLES = ("features", "audit")

SUMMARIES = ("summary", "metrics", "significance", "stability", "convergence", "panel")


@dataclass(frozen=True)
class Model:
    """What is known of one model.

    Attributes
    ----------
    summary, metrics, features, audit
        summary.json, metrics.json, features.tsv and audit.tsv.
    significance, stability, convergence, panel
        significance.json, stability.json, convergence.json and panel.json.
    reads_chords
        Whether its networks read chords as pixels.
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
        """Its name."""
        return self.summary["model"]

    @property
    def tested(self) -> bool:
        """Whether features have q-values."""
        return "significant" in self.features


def read_models(*, reading_chords: Collection[str] = (), **files: Sequence[str | Path]) -> list[Model]:
    """Read what is known of each model.

    Parameters
    ----------
    reading_chords
        Names of the models whose networks read chords as pixels.
    **files
        For each name in `TABLES` and `SUMMARIES` one file per model, the models in the same order throughout.

    Raises
    ------
    ValueError
        If there are more files of one kind than of another.
    """
    models = []
    for paths in zip(*files.values(), strict=True):
        of_model = dict(zip(files, map(Path, paths), strict=True))
        tables = {name: read_table(of_model[name]) for name in TABLES}
        summaries = {name: json.loads(of_model[name].read_text()) for name in SUMMARIES}
        models.append(Model(**tables, **summaries, reads_chords=summaries["summary"]["model"] in reading_chords))
    return models
