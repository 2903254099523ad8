"""What a look at a matrix suggests for its configuration: columns of labels and groups, layer and normalisation."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.blocks import MappedRows
from ..core.words import listed, natural_order
from ..errors import DeepMapperWarning
from ..io.labels import as_categories
from ..io.layers import LAYERS_OF_COUNTS
from ..io.matrix_stats import scan
from ..io.orientation import has_samples_in_columns
from ..io.peek import Peek, peek
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


def proposed_transpose(matrix: str | Path, labels_table: str | Path | None, columns: Sequence[str]) -> bool:
    """Say, with a warning, whether a table is to be read with `transpose`, by the names of its samples and labels."""
    if not has_samples_in_columns(matrix, labels_table, columns):
        return False
    what = labels_table or ", ".join(map(repr, columns))
    text = f"{matrix}: features are in rows and samples in columns, as {what} shows (transpose: true)."
    warnings.warn(text, DeepMapperWarning, stacklevel=2)
    return True


def look(matrix: str | Path, layer: str, **options: Any) -> tuple[Peek, Proposal | None]:
    """Look at a matrix, or at the one of its layers that holds counts, and propose settings for it.

    Parameters
    ----------
    matrix, options
        As in `peek`.
    layer
        The layer that was chosen; "" to read counts if there are some.

    Returns
    -------
    found, proposal
        What was read, and settings; None if the values and names are not known.
    """
    found = peek(matrix, layer=layer or "X", **options)
    if found.data is None:
        return found, None
    of_counts = list(map(str, found.data.uns.get(LAYERS_OF_COUNTS, ())))
    if not of_counts or layer:
        return found, propose(found, layer or "X")
    # another layer may have other features, as `raw` has
    found = peek(matrix, layer=of_counts[0], **options)
    why = f"X does not hold counts, {of_counts[0]!r} does and is read: "
    return found, propose(found, of_counts[0], why)


def propose(found: Peek, layer: str = "X", why: str = "") -> Proposal:
    """Propose settings for a matrix that can be looked into, of which this layer was read for some reason."""
    data = found.data
    n, p = len(data.obs), len(data.var)
    normalization, values = _values(found)
    columns = {str(name): _column(str(name), data.obs[name]) for name in data.obs.columns}
    groups = tuple(column for name, column in columns.items() if column and _DONORS.search(name))
    labels = [column for column in columns.values() if column and column not in groups]
    labels.sort(key=lambda column: not _LABELS.search(column.name))
    return Proposal(n, p, tuple(labels), groups, layer, normalization, why + values)


def _column(name: str, values: pd.Series) -> Column | None:
    """Describe a column if it may hold classes: few of them, in several samples each."""
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 != 0).any():
        return None
    found = as_categories(values)
    n_classes, n_known = len(found.names), int((~found.missing).sum())
    if not 2 <= n_classes <= _MOST_CLASSES or n_known < _FEWEST_EACH * n_classes:
        return None
    return Column(name, n_classes, listed(natural_order(found.names), 3, ", ..."))


def _values(found: Peek) -> tuple[str, str]:
    """Normalisation, and the values in words."""
    data: Any = found.data
    rows = np.arange(len(data.obs)) if found.rows is None else found.rows
    if not found.has_values or not len(rows):
        return "log1p_median", "values not looked at"
    stats = scan(MappedRows(data.X, rows).blocks())
    is_counts = stats.is_integer or (not stats.faults.get("negative") and stats.largest >= 30)
    return "log1p_median" if is_counts else "none", describe_values(stats)
