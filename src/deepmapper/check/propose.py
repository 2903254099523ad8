"""What a look at a matrix suggests for its configuration: columns of labels and groups, layer and normalisation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..core.blocks import MappedRows
from ..core.words import listed, natural_order
from ..io.labels import as_categories
from ..io.layers import LAYERS_OF_COUNTS
from ..io.matrix_stats import scan
from ..io.peek import Peek
from .matrix import describe_values

# A column with more classes, or with fewer samples each on average, is hardly one of labels; both are chosen by hand.
_MOST_CLASSES, _FEWEST_EACH = 60, 2

_DONORS = re.compile(r"donor|patient|subject|individual|mouse|animal|participant|replicate|ind$|ind_?id", re.IGNORECASE)

_LABELS = re.compile(
    r"cell_?type|celltype|label|condition|state|disease|status|stim|treatment|group|class|population|cluster|louvain|leiden",
    re.IGNORECASE,
)  # noqa: E501


@dataclass(frozen=True)
class Column:
    """A column of the samples that may hold labels or groups.

    Attributes
    ----------
    name
        Its name.
    n_classes
        Number of its different values.
    examples
        Some of them.
    """

    name: str
    n_classes: int
    examples: str


@dataclass(frozen=True)
class Proposal:
    """What to put into a configuration.

    Attributes
    ----------
    n_samples, n_features
        Size of the matrix.
    labels, groups
        Columns that may be `labels.column` and `labels.group`, the likeliest first.
    layer
        Matrix of the file to read: "X", or the one that holds counts if X does not.
    normalization
        `features.normalization`.
    values
        What the values seem to be, in words.
    """

    n_samples: int
    n_features: int
    labels: tuple[Column, ...]
    groups: tuple[Column, ...]
    layer: str
    normalization: str
    values: str


def propose(found: Peek) -> Proposal:
    """Propose settings for a matrix that can be looked into."""
    data = found.data
    n, p = len(data.obs), len(data.var)
    layer, normalization, values = _values(found)
    columns = {str(name): _column(str(name), data.obs[name]) for name in data.obs.columns}
    groups = tuple(column for name, column in columns.items() if column and _DONORS.search(name))
    labels = [column for column in columns.values() if column and column not in groups]
    labels.sort(key=lambda column: not _LABELS.search(column.name))
    return Proposal(n, p, tuple(labels), groups, layer, normalization, values)


def _column(name: str, values: pd.Series) -> Column | None:
    """Describe a column if it may hold classes: few of them, in several samples each."""
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 != 0).any():
        return None
    found = as_categories(values)
    n_classes, n_known = len(found.names), int((~found.missing).sum())
    if not 2 <= n_classes <= _MOST_CLASSES or n_known < _FEWEST_EACH * n_classes:
        return None
    return Column(name, n_classes, listed(natural_order(found.names), 3, ", ..."))


def _values(found: Peek) -> tuple[str, str, str]:
    """Layer, normalisation, and the values in words."""
    data: Any = found.data
    of_counts = list(map(str, data.uns.get(LAYERS_OF_COUNTS, ())))
    if of_counts:
        return of_counts[0], "log1p_median", f"X does not hold counts, {of_counts[0]!r} does and is read"
    rows = np.arange(len(data.obs)) if found.rows is None else found.rows
    if not found.has_values or not len(rows):
        return "X", "log1p_median", "not looked at"
    stats = scan(MappedRows(data.X, rows).blocks())
    is_counts = stats.is_integer or (not stats.faults.get("negative") and stats.largest >= 30)
    return "X", "log1p_median" if is_counts else "none", describe_values(stats)
