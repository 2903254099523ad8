"""The differential test of a run: the test that its samples allow, its results, and the markers of every class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from ..core.arrays import take_rows
from ..core.blocks import MappedRows
from ..core.words import count, listed, some
from ..errors import InputError
from ..features.confounders import CELL_CYCLE, COMPUTED
from ..features.kinds import has_lowest_label, overlaps
from ..features.store import Features
from ..features.unadjusted import confounding_words
from ..io.matrix_stats import scan
from .cells import compare_cells
from .contrasts import compared
from .regression import compare_units
from .results import Tested
from .tables import class_levels, differential_rows, feature_columns, marker_table, no_rows
from .units import make_units

# Up to this many samples without groups are taken for bulk samples, more for cells; chosen by hand.
MAX_BULK = 300


@dataclass(frozen=True, eq=False)
class Differential:
    """Results of the differential test.

    Attributes
    ----------
    table, markers, features
        Contents of differential.tsv and markers.tsv, and the columns that features.tsv gets.
    summary
        Contents of differential.json, which begins with a statement in words.
    """

    table: pd.DataFrame
    markers: pd.DataFrame
    features: pd.DataFrame
    summary: dict


def run_differential(
    features: Features,
    expression,
    options: Mapping,
    *,
    level: float,
    seed: int = 0,
    n_threads: int = 1,
    progress: Callable[[str], None] = lambda line: None,
) -> Differential:
    """Test every feature between the classes, on all samples with a label.

    Parameters
    ----------
    features
        The features of a run.
    expression
        `io.expression.Expression` of the same samples: counts, and the columns of the samples.
    options
        The section `differential` of the configuration.
    level
        False discovery rate at which a feature counts as different.
    seed
        Seed of the draw of cells.
    n_threads
        Number of processes of the negative binomial model.
    progress
        Receives progress.

    Raises
    ------
    InputError
        If an option does not fit the samples.
    """
    rows = features.labelled
    compared(features.classes, options["reference"])  # refuses an unknown reference
    all_levels = class_levels(features, rows)
    tested: list[Tested] = []
    tables: list[pd.DataFrame] = []
    withheld: list[str] = []
    if options["enabled"]:
        obs = _known_columns(features, expression, rows)
        for part, inside in split_by_level(obs, options["within"]):
            chosen = rows[inside]
            found = _test_part(features, expression, obs[inside], chosen, options, level, seed, n_threads, progress)
            place = f"{options['within']} {part}: " if part else ""
            progress(f"{place}{found.method}")
            tested.append(replace(found, notes=tuple(f"{place}{note}" for note in found.notes)))
            levels = class_levels(features, chosen) if part else all_levels
            tables += differential_rows(features, found, levels, part)
            withheld += [] if found.holds else [part]
    table = pd.concat(tables, ignore_index=True) if tables else no_rows()
    held = table[~table["within"].isin(withheld)]
    by_feature = feature_columns(table, features, all_levels)
    if withheld:
        by_feature["differential_q"] = feature_columns(held, features, all_levels)["differential_q"]
    n_different = int((by_feature["differential_q"] <= level).sum())
    confounded = confounding_words(
        features.metadata.get("confounded", ()), features.metadata.get("label_column") or "class"
    )
    summary = _summary(tested, features.n_features, n_different, level, options) | {"confounded": confounded}
    for note in filter(None, [_overlap_note(features, rows), confounded] if tested else []):
        progress(note)
        summary["notes"].append(note)
    return Differential(table, marker_table(held, level), by_feature, summary)


def choose_test(asked: str, n_samples: int, counts: bool, grouped: bool) -> str:
    """Choose the test: "deseq2" for counts, "linear" for other values, "wilcoxon" for many samples without groups.

    Raises
    ------
    InputError
        If the test asked for needs counts and there are none.
    """
    if asked == "deseq2" and not counts:
        raise InputError(
            "differential.test is 'deseq2', which needs counts, and the values are not counts (features.normalization "
            "is none). Set it to 'linear', or give the counts (matrix.layer)."
        )
    if asked != "auto":
        return asked
    if not grouped and n_samples > MAX_BULK:
        return "wilcoxon"
    return "deseq2" if counts else "linear"


def has_counts(features: Features, expression, rows: np.ndarray) -> bool:
    """Whether the matrix holds counts: it was normalised as such, or its values are whole and none is negative."""
    return features.metadata["normalization"] != "none" or scan(MappedRows(expression.X, rows).blocks()).is_integer


def split_by_level(obs: pd.DataFrame, within: str) -> list[tuple[str, np.ndarray]]:
    """Levels of a column and which rows have each; all rows, and "" as their level, without a column.

    Raises
    ------
    InputError
        If there is no such column.
    """
    if not within:
        return [("", np.ones(len(obs), dtype=bool))]
    if within not in obs:
        raise InputError(
            f"differential.within is {within!r}, which is not a column of the samples. Expected one of "
            f"{some(map(str, obs.columns), 20)}."
        )
    known, texts = obs[within].notna().to_numpy(), obs[within].astype(str).to_numpy(dtype=object)
    return [(level, known & (texts == level)) for level in sorted(set(texts[known]))]


def _test_part(
    features: Features,
    expression,
    obs: pd.DataFrame,
    rows: np.ndarray,
    options: Mapping,
    level: float,
    seed: int,
    n_threads: int,
    progress: Callable[[str], None],
) -> Tested:
    """Test some samples."""
    groups = take_rows(features.groups, rows)
    stored = expression.rows_of(features.names_of(rows))
    counts = has_counts(features, expression, stored)
    test = choose_test(options["test"], len(rows), counts, groups is not None)
    if test == "wilcoxon":
        return compare_cells(features, rows, options, seed)
    X, places = (expression.X, stored) if test == "deseq2" else (features.X, rows)
    units = make_units(X, places, features.y[rows], groups, obs, _covariates(features, rows), sums=test == "deseq2")
    label, group = features.metadata["label_column"] or "class", features.metadata.get("group_column", "")
    return compare_units(
        units,
        test,
        label,
        group,
        features.classes,
        options,
        level=level,
        overlaps=overlaps(features.classes, features.kinds),
        n_threads=n_threads,
        progress=progress,
    )


def _known_columns(features: Features, expression, rows: np.ndarray) -> pd.DataFrame:
    """Columns of the samples that a formula may name; confounders that are numbers as numbers, though standardised."""
    obs = expression.obs.iloc[expression.rows_of(features.names_of(rows))].reset_index(drop=True)
    for i, name in enumerate(features.design_names):
        if name in obs and features.design is not None:
            obs[name] = features.design[rows, i]
    return obs


def _covariates(features: Features, rows: np.ndarray) -> pd.DataFrame:
    """Confounders to adjust for, as numbers; without those that are computed from the values, such as the depth."""
    computed = {*COMPUTED, *CELL_CYCLE}
    kept = [i for i, name in enumerate(features.design_names) if name not in computed]
    values = np.zeros((len(rows), 0)) if features.design is None else features.design[rows][:, kept]
    return pd.DataFrame(values, columns=[features.design_names[i] for i in kept])


def _overlap_note(features: Features, rows: np.ndarray) -> str:
    """Say what labels above others mean for the comparisons; "" if no sample has one."""
    upper = features.y[rows][~has_lowest_label(features.y[rows], features.kinds)]
    if not (n := len(upper)):
        return ""
    names = listed([features.classes[code] for code in np.unique(upper)])
    return (
        f"{n} of {count(len(rows), 'sample')} {'has' if n == 1 else 'have'} a label above others "
        f"({names}; labels.ontology) and may be of any kind below it. So "
        "a label above others is not compared with those below it: where one of them is compared with the rest, "
        "samples with the other are left out."
    )


def _summary(tested: list[Tested], n_features: int, n_different: int, level: float, options: Mapping) -> dict:
    notes = list(dict.fromkeys(note for part in tested for note in part.notes))
    known = [part for part in tested if part.results]
    withheld = [part for part in known if not part.holds]
    first = known[0] if known else tested[0] if tested else Tested()
    if known and len(withheld) == len(known):
        statement = f"No list of features that differ when each is tested alone ({first.method}). {notes[-1]}"
    elif known:
        n = count(n_features, "feature", separator=",")
        parts = f" within {len(tested)} levels of {options['within']}" if options["within"] else ""
        statement = (
            f"{n_different:,} of {n} {'differs' if n_different == 1 else 'differ'} between the classes{parts} at q ≤ "
            f"{level:g} when each is tested alone ({first.method})."
        )
    elif tested:
        statement = f"The features were not tested one by one. {notes[0]}"
    else:
        statement = "The features were not tested one by one (setting: differential.enabled)."
    return {
        "statement": statement,
        "test": first.test,
        "method": first.method,
        "unit": first.unit,
        "formula": first.formula,
        "n_units": first.n_units,
        "within": options["within"],
        "level": level,
        "n_different": n_different,
        "divisions": asdict(first.divisions) if first.divisions else None,
        "withheld": bool(known) and len(withheld) == len(known),
        "notes": notes,
    }
