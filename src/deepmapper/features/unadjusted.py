"""Columns of the samples that no setting names, and that may explain differences between the classes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..core.words import yaml_list, yaml_text
from .confounded import Crosstab, cross_tabulate, not_comparable

# Words in the name of a column that holds how samples were processed.
_PROCESSING = re.compile("batch|batche|chip|flowcell|lane|lib|librarie|library|plate|sequencer")

# Words that are a name of such a column alone or next to those below: a patient is a donor, a patient_status is not.
_OF_DONORS = re.compile("animal|donor|individual|mouse|participant|patient|sample|subject")
_OF_BATCHES = re.compile(
    "array|capture|center|centre|channel|date|experiment|flow|cell|hospital|instrument|lab|laboratory|machine|operator|"
    f"platform|pool|run|sequencing|site|slide|study|technician|{_PROCESSING.pattern}|{_OF_DONORS.pattern}"
)
_BESIDE = re.compile("barcode|code|collection|experimental|id|ident|identifier|name|no|number|orig|prep|processing|seq")

_CELL_TYPES = re.compile(r"cell_?(type|state|label|ontology|subtype|class)|louvain|leiden|cluster")

# Found from the values themselves, so that clusters which are the classes say nothing against the classes.
_CLUSTERS = re.compile(r"louvain|leiden|cluster")

# Association with the classes from which on adjusting is suggested: Cramér's V corrected for bias, and p of the
# chi-square test. Chosen by hand; cells of one donor are not independent, so the p-value alone would say little.
_MIN_V, _MAX_P = 0.2, 1e-3

# With fewer samples than this, what differs between batches or donors hides what differs between the classes, even if
# all have samples of each; networks of more samples see through it. Chosen by hand.
_FEW_SAMPLES = 50

_MAX_LEVELS = 50  # as in `design.make_design`


@dataclass(frozen=True)
class Unadjusted:
    """What columns that nobody named may explain.

    Attributes
    ----------
    cautions
        Sentences, one for columns that divide the samples alike.
    confounded
        Names of the columns of batches or donors from which nothing can tell an effect of the class apart: each value
        has samples of one class only, and some class has samples of one value only. One for columns that divide the
        samples alike.
    """

    cautions: list[str]
    confounded: list[str]


def find_unadjusted(
    obs: pd.DataFrame,
    y: np.ndarray,
    classes: Sequence[str],
    *,
    label_column: str,
    group_column: str = "",
    adjusted: Sequence[str] = (),
) -> Unadjusted:
    """Find the columns that nobody named and that may explain differences between the classes.

    Considered are columns whose names are those of batches and donors, such as batch, lane, plate, date or donor, and
    of cell types, such as cell_type or leiden.

    Parameters
    ----------
    obs
        One row per sample.
    y, classes
        (n,) class codes, and the names of the classes.
    label_column, group_column
        Columns of the labels and of the groups, which are left out.
    adjusted
        Columns that are adjusted for, which are left out.

    Notes
    -----
    Cramér's V with the correction of Bergsma 2013, J. Korean Stat. Soc. 42:323.
    """
    found = _considered(obs, y, classes, (label_column, group_column, *adjusted), label_column)
    texts = [_describe(names, table, classes, label_column, group_column, adjusted) for names, table in found]
    confounded = [_main_name(names) for names, table in found if _is_confounded(_main_name(names), table)]
    return Unadjusted([text for text in texts if text], confounded)


def confounding_words(columns: Sequence[str], label: str) -> str:
    """Say what cannot be told from effects of the label; "" without such columns."""
    if not columns:
        return ""
    what, it = " or ".join(map(repr, columns)), "it" if len(columns) == 1 else "these"
    return (
        f"What differs between the classes of {label!r} may come from {what} instead: no value of {it} has samples of "
        "two classes, so nothing in these data tells the two apart."
    )


def _considered(
    obs: pd.DataFrame, y: np.ndarray, classes: Sequence[str], left_out: Sequence[str], label_column: str
) -> list[tuple[list[str], Crosstab]]:
    """Columns to consider: names of those that divide the samples alike, and their table."""
    found: dict[bytes, tuple[list[str], Crosstab]] = {}
    for name in obs.columns:
        if name in left_out or not _is_considered(str(name), label_column):
            continue
        column = obs[name]
        if pd.api.types.is_float_dtype(column) and not (column.dropna() % 1 == 0).all():
            continue
        codes, levels = pd.factorize(pd.Series(column.to_numpy(dtype=object)))
        if 2 <= len(levels) <= max(2, (codes >= 0).sum() // 2):
            names, _ = found.setdefault(codes.tobytes(), ([], cross_tabulate(column, y, len(classes))))
            names.append(str(name))
    return list(found.values())


def _main_name(names: Sequence[str]) -> str:
    """The name of a batch or donor among those of columns that divide the samples alike, else the first."""
    return next((name for name in names if _is_batch(name)), names[0])


def _is_confounded(name: str, table: Crosstab) -> bool:
    """Whether nothing can tell the column from the classes: each value has one class, and a class has one value."""
    values_of_class = (table.counts > 0).sum(0)
    if _CLUSTERS.search(name.lower()) or (values_of_class > 0).sum() < 2:
        return False
    return table.determines and int(values_of_class.min()) < 2


def _words(name: str) -> set[str]:
    """Words of a name in any style, without a plural s: ``orig.Batch_2`` and ``origBatch2`` have the word batch."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return {word.lower().removesuffix("s") for word in words}


def _has_word(name: str, pattern: re.Pattern) -> bool:
    return any(pattern.fullmatch(word) for word in _words(name))


def _is_batch(name: str) -> bool:
    if name.lower() == "orig.ident" or _has_word(name, _PROCESSING):
        return True
    others = {word for word in _words(name) if not _BESIDE.fullmatch(word)}
    return bool(others - {"cell"}) and all(_OF_BATCHES.fullmatch(word) for word in others)


def _is_cell_type(name: str) -> bool:
    return bool(_CELL_TYPES.search(re.sub(r"[ .-]", "_", name.lower())))


def _is_considered(name: str, label_column: str) -> bool:
    """Whether the name is one of batches or cell types, and not another name of the labels."""
    if _words(name) and _words(name) <= _words(label_column):
        return False
    return _is_batch(name) or (_is_cell_type(name) and not _is_cell_type(label_column))


def _describe(
    names: list[str],
    table: Crosstab,
    classes: Sequence[str],
    label_column: str,
    group_column: str,
    adjusted: Sequence[str],
) -> str:
    """Describe columns that divide the samples alike; "" if they are no reason for caution."""
    name = _main_name(names)
    is_batch = _is_batch(name)
    known = table.counts.sum(0) > 0
    counts = table.counts[:, known]
    of = "column " + " = ".join(repr(each) for each in names)
    if counts.shape[1] < 2:
        return ""
    if table.determines:
        return "" if _CLUSTERS.search(name.lower()) else _describe_determining(name, of, table, classes, group_column)
    components = np.where(known, table.components, -1)  # -1: the column is empty for the class
    if len(np.unique(components[known])) > 1 and not _CLUSTERS.search(name.lower()):
        return (
            f"Classes on different sides of a bar share no value of the {of} of the sample table: "
            f"{not_comparable(components, classes)}. Differences between them cannot be told from those of "
            f"'{name}'; the other comparisons can be made."
        )
    if is_batch and counts.sum() < _FEW_SAMPLES and _leaves_room(counts) and not (group_column and _is_donor(name)):
        return _describe_crossed(name, of, len(table.levels), adjusted)
    v, p = cramers_v(counts)
    if v < _MIN_V or p > _MAX_P or len(table.levels) > _MAX_LEVELS:
        return ""
    line = f"`confounders: {{columns: {yaml_list([*adjusted, name])}}}`"
    kind = "batch" if is_batch else "cell type"
    due_to = "it" if is_batch else "the shares of the types"
    return (
        f"The {of} of the sample table, which looks like a {kind}, differs between the classes of '{label_column}' "
        f"(Cramér's V {v:.2f}) and is not adjusted for: findings may be due to {due_to}. To adjust for it: {line}."
    )


def _is_donor(name: str) -> bool:
    return _has_word(name, _OF_DONORS)


def _leaves_room(counts: np.ndarray) -> bool:
    """Whether every value (row) has samples of several classes (columns), and enough to compare within values."""
    return bool(((counts > 0).sum(1) > 1).all()) and counts.sum() - counts.shape[1] - counts.shape[0] + 1 >= 2


def _describe_crossed(name: str, of: str, n_levels: int, adjusted: Sequence[str]) -> str:
    """Describe a column each value of which has samples of several classes, in a study of few samples."""
    line = f"`confounders: {{columns: {yaml_list([*adjusted, name])}}}`"
    if _is_donor(name):
        line = f"`labels: {{group: {yaml_text(name)}}}`"
    return (
        f"Each of the {n_levels} values of the {of} of the sample table has samples of several classes. With few "
        f"samples, what differs between these values hides what differs between the classes. To compare within them: "
        f"{line}."
    )


def _describe_determining(name: str, of: str, table: Crosstab, classes: Sequence[str], group_column: str) -> str:
    """Describe a column each value of which has samples of one class only."""
    text = f"each of its {len(table.levels)} values has samples of one class only ({table.text(classes)})"
    if _is_confounded(name, table):
        return f"Nothing found here can be told apart from differences in the {of} of the sample table: {text}."
    if group_column:
        return ""  # whole groups are held out already
    what = "As samples of one donor are alike" if _is_donor(name) else "If samples of one value are alike"
    return (
        f"In the {of} of the sample table, {text}. {what}, they must not be divided between training and test: set "
        f"`labels: {{group: {yaml_text(name)}}}`."
    )


def cramers_v(counts: np.ndarray) -> tuple[float, float]:
    """Return Cramér's V of a table of counts, corrected for bias, and p of the chi-square test."""
    from scipy.stats import chi2_contingency

    counts = counts[counts.sum(1) > 0][:, counts.sum(0) > 0]
    rows, columns = counts.shape
    if min(rows, columns) < 2:
        return 0.0, 1.0
    result = chi2_contingency(counts, correction=False)
    n = counts.sum()
    phi = max(0.0, result.statistic / n - (rows - 1) * (columns - 1) / max(n - 1, 1))
    rows, columns = (k - (k - 1) ** 2 / max(n - 1, 1) for k in (rows, columns))
    return float(np.sqrt(phi / max(min(rows, columns) - 1, 1e-9))), float(result.pvalue)
