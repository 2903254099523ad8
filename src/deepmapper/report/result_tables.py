"""Result tables as pages: title, how to read the table, and what its columns mean."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ..core.stage_schemas import CHORDS, ENRICHMENT, MARKERS
from ..core.table_schemas import AUDIT, FEATURES, MODELS, PASSES
from .table_page import table_page


@dataclass(frozen=True)
class _Page:
    """A table of a run: heading, how to read it, meanings of its columns, lead column, and columns shown first."""

    title: str
    about: str
    notes: dict[str, str]
    lead: str = ""
    first: tuple[str, ...] = ()


PAGES = {
    "features": _Page(
        "Features",
        "All features, in the order of the list to report. If there is a column q, it is the share of false positives "
        "to expect among all features with this q or less in the networks of this model. Search for a gene to see its "
        "rank.",
        FEATURES.descriptions,
        "feature",
        (
            "rank",
            "alias",
            "feature",
            "reported",
            "model_rank",
            "z",
            "q",
            "significant",
            "differential_q",
            "log2_fold_change",
            "higher_in",
            "selection_frequency",
            "median_importance",
            "stability",
            "evidence_rank",
            "chord",
        ),
    ),
    "passes": _Page(
        "Passes",
        "All passes, control passes last. Accuracies should be clearly above majority_accuracy and permuted_accuracy.",
        PASSES.descriptions,
    ),
    "models": _Page(
        "Models side by side",
        "All models, and logistic regression on all features, evaluated on the same samples. Models whose intervals "
        "overlap cannot be said to differ.",
        MODELS.descriptions,
    ),
    "markers": _Page(
        "Markers of the classes",
        "For every class, the features that are higher in it when each feature is tested alone, at the configured "
        "false discovery rate, the smallest p first. findings/differential.tsv has every comparison of every feature.",
        MARKERS.descriptions,
        "feature",
        ("within", "class", "versus", "order", "alias", "feature"),
    ),
    "enrichment": _Page(
        "Gene sets",
        "Every gene set in every reported list (test is list: are more of its genes in it than by chance?) and in "
        "every ranking of all tested features (are its genes higher than others?). A ranking is tested as correlated "
        "genes need it; the test of a list takes genes for independent, so its p is too small where they correlate.",
        ENRICHMENT.descriptions,
        first=("set", "test", "of", "class", "versus", "n_found", "n_set", "odds_ratio", "z", "p", "q", "members"),
    ),
    "chords": _Page(
        "Gene chords",
        "Sets of features whose product predicts a class better than the features do one by one (interactions), found "
        "on the development part and tested on the test split; the largest synergy comes first. If synergy_low is "
        "above 0, the chord carries information that its members do not carry one by one. The core has the members to "
        "read first.",
        CHORDS.descriptions,
    ),
    "audit": _Page(
        "What filtering would have lost",
        "Features and chord members that were found without any filter, and how many of them the usual choices of "
        "features would have discarded before the analysis. Principal components keep a feature only as far as it "
        "varies together with others; part of what they drop is noise.",
        AUDIT.descriptions,
        first=("choice", "of", "n", "n_lost", "share_lost", "lost_alias"),
    ),
}


def result_page(name: str, table: pd.DataFrame, source: str, model: str = "") -> str:
    """Render a table of a run as a page.

    Parameters
    ----------
    name
        Name of the table: "features", "passes", "models", "markers", "enrichment", "chords" or "audit".
    table
        The table.
    source
        Path of the file with the complete table.
    model
        Name of the model; empty for tables of all models.
    """
    page = PAGES[name]
    if len(table):
        table = table.dropna(axis="columns", how="all")  # what does not apply to the study
    first = [column for column in page.first if column in table]
    table = table[first + [column for column in table.columns if column not in first]]
    lead = "alias" if page.lead == "feature" and "alias" in table else page.lead
    title = f"{model}: {page.title[0].lower()}{page.title[1:]}" if model else page.title
    says_nothing = name == "audit" and "n_lost" in table and not (table["n_lost"] > 0).any()
    return table_page(table, title, page.about, source, page.notes, lead, empty=says_nothing)
