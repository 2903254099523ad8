"""What a design cannot answer: classes that no sample tells apart from a confounder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from ..core.words import listed, yaml_text
from ..errors import InputError
from .composition import is_composition
from .design import Design

# Options that compute a confounder, by the name of its column.
_OPTIONS = {"depth": "depth", "detected": "detected", "s_score": "cell_cycle", "g2m_score": "cell_cycle"}

# Whole numbers are also taken as codes of categories if each value has at least this many samples on average, and
# combinations of confounders are compared with the classes if each has at least this many; chosen by hand.
_MIN_PER_CODE, _MIN_PER_COMBINATION = 4, 2

_NOTHING_LEFT = (
    "Differences between the classes cannot be told from those of the confounder, and the adjustment would leave "
    "nothing of them."
)

_TOLERANCE = 1e-8  # of variances, each relative to that of an indicator


@dataclass(frozen=True, eq=False)
class Crosstab:
    """How many samples of each class have each value of a column.

    Attributes
    ----------
    levels
        The values of the column as text.
    counts
        (n_levels, n_classes) numbers of samples.
    """

    levels: tuple[str, ...]
    counts: np.ndarray

    @property
    def components(self) -> np.ndarray:
        """(n_classes,) code of each class: equal for classes that share a value, or are connected by such classes."""
        from scipy.sparse import csr_matrix
        from scipy.sparse.csgraph import connected_components

        shared = self.counts.T.astype(np.int64) @ (self.counts > 0)
        return connected_components(csr_matrix(shared), directed=False)[1]

    @property
    def determines(self) -> bool:
        """Whether every value has samples of one class only."""
        return bool(((self.counts > 0).sum(1) == 1).all())

    def text(self, classes: Sequence[str], n: int = 6) -> str:
        """Write the first `n` values with their classes: ``b1: A 30; b2: B 28, C 2``."""
        rows = []
        for level, row in zip(self.levels, self.counts, strict=True):
            held = [f"{classes[code]} {row[code]}" for code in np.flatnonzero(row).tolist()]
            rows.append(f"{level}: {listed(held)}")
        return "; ".join(rows[:n]) + (f"; and {len(rows) - n} more" if len(rows) > n else "")


def cross_tabulate(values: Iterable, y: np.ndarray, n_classes: int) -> Crosstab:
    """Count the samples of each class by the values of a column; missing values are left out."""
    codes, levels = pd.factorize(pd.Series(list(values), dtype=object), sort=False)
    order = np.argsort([str(level) for level in levels], kind="stable")
    counts = np.zeros((len(levels), n_classes), dtype=np.int64)
    np.add.at(counts, (codes[codes >= 0], y[codes >= 0]), 1)
    return Crosstab(tuple(str(levels[i]) for i in order), counts[order])


def check_confounders(
    columns: pd.DataFrame,
    design: Design,
    y: np.ndarray,
    classes: Sequence[str],
    computed: Sequence[str] = (),
    group_column: str = "",
) -> list[str]:
    """Refuse confounders that determine the class, one by one or together.

    Parameters
    ----------
    columns
        One row per sample, one column per confounder to adjust for.
    design
        Their design matrix.
    y, classes
        (n,) class codes, and the names of the classes.
    computed
        Names of the columns that are computed from the matrix.
    group_column
        Column of the groups, which are never split.

    Returns
    -------
    list of str
        Cautions: comparisons of classes that cannot be told from a confounder, while others can.

    Raises
    ------
    InputError
        If a confounder, or all of them together, determine the class.
    """
    partial = {}
    for name in columns:
        table = None if name in computed else _as_categories(columns[name], y, len(classes))
        if table is not None and table.determines:
            raise InputError(_determined(str(name), table, classes, computed, group_column))
        ranges = _ranges_apart(columns[name], y, classes)
        if ranges:
            raise InputError(
                f"confounder '{name}' tells the classes apart by itself: its values do not overlap ({ranges}). "
                f"{_NOTHING_LEFT} {_without(str(name), computed)}"
            )
        if table is not None and len(np.unique(table.components)) > 1:
            partial[str(name)] = not_comparable(table.components, classes)
    _check_together(columns, design, y, classes, computed)
    return [
        f"Classes on different sides of a bar share no value of the confounder '{name}': {text}. Differences between "
        f"them cannot be told from those of '{name}', for which the run adjusts; the other comparisons can be made."
        for name, text in partial.items()
    ]


def not_comparable(components: np.ndarray, classes: Sequence[str]) -> str:
    """Name the sets of classes of which no two share a value: ``A, B | C``."""
    sets = [
        listed([classes[code] for code in np.flatnonzero(components == part).tolist()])
        for part in np.unique(components)
        if part >= 0
    ]
    return " | ".join(sets[:8]) + (" | ..." if len(sets) > 8 else "")


def _check_together(columns, design: Design, y, classes, computed) -> None:
    """Refuse confounders that determine the class together, though none does alone."""
    categories = [
        name for name in columns if name not in computed and _as_categories(columns[name], y, len(classes)) is not None
    ]
    for names in [*combinations(categories, 2), *([tuple(categories)] if len(categories) > 2 else [])]:
        table = cross_tabulate(_combined(columns[list(names)]), y, len(classes))
        if table.determines and len(table.levels) * _MIN_PER_COMBINATION <= len(y):
            raise InputError(
                f"confounders {_quoted(names)} together determine the class: each of their {len(table.levels)} "
                f"combinations has samples of one class only ({table.text(classes)}). {_NOTHING_LEFT} "
                f"{_without(str(names[-1]), computed)}"
            )
    if design.names and len(np.unique(_inseparable(design.values, y, len(classes)), axis=0)) == len(classes):
        raise InputError(
            f"confounders {_quoted(columns)} are {len(design.names)} numbers for each of {len(y)} samples (one for "
            f"each number, and one for each further category), and the class of every sample is a sum of them. "
            f"{_NOTHING_LEFT} {_without(str(columns.columns[-1]), computed)}"
        )


def _combined(columns: pd.DataFrame) -> np.ndarray:
    """Combination of the values of several columns in every sample, as text."""
    codes = np.zeros(len(columns), dtype=np.int64)
    for name in columns:
        own = pd.factorize(columns[name])[0]
        codes = pd.factorize(codes * (own.max() + 1) + own)[0]
    first = np.unique(codes, return_index=True)[1]
    texts = columns.iloc[first].astype(str).agg(" + ".join, axis=1)
    return texts.to_numpy(dtype=object)[codes]


def _quoted(names: Iterable) -> str:
    return listed([f"'{name}'" for name in names])


def _inseparable(design: np.ndarray, y: np.ndarray, n_classes: int) -> np.ndarray:
    """Combinations of class indicators that the design holds, (n_classes, k): rows differ if classes do not compare.

    The indicators' residuals after regression on the design span the comparisons that can be made; the null space of
    their covariance holds those that cannot, and the sum of all indicators.
    """
    n = len(y)
    indicators = np.eye(n_classes)[y] if n * n_classes < 2**24 else None
    sizes = np.bincount(y, minlength=n_classes).astype(np.float64)
    if indicators is None:
        sums = np.array([design[y == code].sum(0) for code in range(n_classes)]).T
    else:
        sums = design.T @ indicators
    sums = sums - np.outer(design.sum(0), sizes / n)
    covariance = np.diag(sizes) - np.outer(sizes, sizes) / n
    covariance -= sums.T @ np.linalg.pinv(design.T @ design, rcond=1e-10, hermitian=True) @ sums
    scale = np.sqrt(sizes)
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    return np.round(vectors[:, values < _TOLERANCE] / scale[:, None] * np.sqrt(n), 4)


def _as_categories(column: pd.Series, y: np.ndarray, n_classes: int) -> Crosstab | None:
    """Cross-tabulate a column of categories, or of whole numbers that may be codes; None for other numbers."""
    is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if is_number and (column.nunique() * _MIN_PER_CODE > len(column) or (column % 1 != 0).any()):
        return None
    return cross_tabulate(column, y, n_classes)


def _ranges_apart(column: pd.Series, y: np.ndarray, classes: Sequence[str]) -> str:
    """Range of a number in every class, if no two classes overlap; else ""."""
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return ""
    by_class = column.astype(np.float64).groupby(np.asarray(y))
    ranges = pd.DataFrame({"low": by_class.min(), "high": by_class.max()}).sort_values("low")
    if (ranges["low"].to_numpy()[1:] <= ranges["high"].to_numpy()[:-1]).any():
        return ""
    return "; ".join(f"{classes[code]}: {row['low']:g} to {row['high']:g}" for code, row in ranges.iterrows())


def _determined(name: str, table: Crosstab, classes: Sequence[str], computed: Sequence[str], group_column: str) -> str:
    """Message about a confounder each value of which has samples of one class only."""
    n, n_levels = int(table.counts.sum()), len(table.levels)
    if n_levels == n:
        found = f"confounder '{name}' has a value of its own in every sample, from which the class follows"
    else:
        found = (
            f"confounder '{name}' determines the class: each of its {n_levels} values has samples of one class only "
            f"({table.text(classes)})"
        )
    advice = _without(name, computed)
    if n_levels < n and (table.counts > 0).sum(0).min() > 1:
        if name == group_column:
            advice += " It is named in labels.group already, so its groups are held out as a whole."
        else:
            advice += (
                f" If its values are donors, set `labels: {{group: {yaml_text(name)}}}`, so that these are held out."
            )
    return f"{found}. {_NOTHING_LEFT} {advice}"


def _without(name: str, computed: Sequence[str] = ()) -> str:
    if is_composition(name):
        return "Leave `confounders: {composition: ...}` out to report differences that may be due to the composition."
    if name in computed:
        return f"Set `confounders: {{{_OPTIONS[name]}: false}}` to report differences that may be due to {name}."
    return f"Remove '{name}' from confounders.columns to report differences that may be due to it."
