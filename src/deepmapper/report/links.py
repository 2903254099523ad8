"""Links from the pages to all tables and figures of a run, by the names of the report's menu."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from .models import Model
from .titles import (
    CHORD_FIGURES,
    FIGURES,
    FILES,
    MODEL_FIGURES,
    STUDY_FIGURES,
    TABLES,
    TARGET_FIGURES,
    TARGET_FILES,
)


def links_of(
    models: Sequence[Model],
    chords: pd.DataFrame,
    *,
    from_reads: bool,
    with_sets: bool,
    with_target: bool,
    with_withheld: bool = False,
    with_perturbed: bool = False,
) -> dict[str, dict[str, str]]:
    """Files to look at next: for each model and for all models, path from the folder findings -> text of the link.

    What has nothing to show is left out.
    """
    files = {}
    for model in models:
        shown = {name: name != "audit" or loses(model) for name in (*MODEL_FIGURES, "passes", "features")}
        figures = [name for name in MODEL_FIGURES if shown[name]] + (["novel"] if from_reads else [])
        links = {f"{name}.html": TABLES[name] for name in ("features", "passes", "audit") if shown[name]}
        links |= {f"plots/{name}.svg": FIGURES[name] for name in figures}
        links |= {f"plots/{name}.svg": FIGURES[name] for name in TARGET_FIGURES if with_target}
        tables = [name for name in TARGET_FILES if with_target and (with_withheld or name != "withheld")]
        links |= {f"{name}.tsv": FILES[name] for name in tables}
        if with_perturbed:
            links |= {"perturbation.tsv": FILES["perturbation"], "plots/perturbation.svg": FIGURES["perturbation"]}
        files[model.name] = {f"{model.name}/{path}": text for path, text in links.items()}
    tables = ["models", "markers", *(["enrichment"] if with_sets else []), *(["chords"] if len(chords) else [])]
    figures = ["models", *STUDY_FIGURES, *(["enrichment"] if with_sets else [])]
    figures += CHORD_FIGURES if len(chords) else []
    shared = {f"{name}.html": TABLES[name] for name in tables}
    return {**files, "all models": shared | {f"{name}.svg": FIGURES[name] for name in figures}}


def loses(model: Model) -> bool:
    """Whether any usual filter would have discarded a finding of the model."""
    return bool((model.audit["n_lost"] > 0).any())
