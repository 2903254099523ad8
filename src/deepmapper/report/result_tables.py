"""Result tables as pages: what each table is, how to read it, what its columns mean."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ..core.stage_schemas import CHORDS
from ..core.table_schemas import AUDIT, FEATURES, MODELS, PASSES
from .table_page import table_page


@dataclass(frozen=True)
class _Kind:
    title: str
    about: str
    notes: dict[str, str]
    lead: str = ""
    first: tuple[str, ...] = ()


_KINDS = {
    "features": _Kind(
        "Features",
        "Every feature, the best first. Where there is a q, read it: the share of false ones to expect among all "
        "features up to that line. Without it the order has no error rate. Search for a gene to see its place.",
        FEATURES.descriptions,
        "feature",
        (
            "rank",
            "feature",
            "z",
            "q",
            "significant",
            "selection_frequency",
            "median_importance",
            "stability",
            "evidence_rank",
            "chord",
        ),
    ),
    "passes": _Kind(
        "Passes",
        "Every pass, control passes last. Accuracies should stand clear of majority_accuracy and permuted_accuracy.",
        PASSES.descriptions,
    ),
    "models": _Kind(
        "Models side by side",
        "Every model beside logistic regression on all features, on the same samples. Models whose intervals overlap "
        "have not been told apart.",
        MODELS.descriptions,
    ),
    "chords": _Kind(
        "Gene chords",
        "Sets of features whose product tells a class beyond what they tell one by one, found on the development part, "
        "proved on the test split. Where synergy_low is above 0 a chord adds what its members do not have one by one.",
        CHORDS.descriptions,
    ),
    "audit": _Kind(
        "What filtering would have lost",
        "Of the features and chord members that were found without any filter, those that usual choices would have "
        "thrown away before anyone looked. Components keep a feature only as far as it varies along with others; some "
        "of what they drop is noise.",
        AUDIT.descriptions,
    ),
}


def result_page(name: str, table: pd.DataFrame, source: str, model: str = "") -> str:
    """Write a table of a run as a page.

    Parameters
    ----------
    name
        Which: "features", "passes", "models", "chords" or "audit".
    table
        Its rows.
    source
        The file that holds all of it.
    model
        Whose it is; none where it is of all models.
    """
    kind = _KINDS[name]
    first = [column for column in kind.first if column in table]
    table = table[first + [column for column in table.columns if column not in first]]
    title = f"{model}: {kind.title[0].lower()}{kind.title[1:]}" if model else kind.title
    return table_page(table, title, kind.about, source, kind.notes, kind.lead)
