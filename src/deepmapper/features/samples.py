"""The samples that a pass, a control or an evaluation may use, with their labels, groups and strata."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.arrays import take_rows
from ..errors import InputError


@dataclass(frozen=True, eq=False)
class Samples:
    """Some rows of a matrix, with everything known about them; the matrix is shared, not copied.

    Attributes
    ----------
    X
        (n, p + chords) float32, dense or CSR, possibly memory-mapped; read in batches of rows.
    y
        (n,) class codes, 0 .. len(classes) - 1; outside `rows` any value is allowed.
    classes
        Name of every class.
    rows
        Rows of `X` that may be used; None for all.
    groups
        (n,) group codes, for example of donors, or None; a group is never split.
    strata
        (n,) codes within which labels are permuted to preserve their association with confounders
        (`label_permutations.shuffle_labels`), or None.
    n_chords
        Number of gene chords, whose values are the last columns of `X`.

    Raises
    ------
    InputError
        If shapes do not match, or a row is outside the matrix or has no label.
    """

    X: Any
    y: np.ndarray
    classes: tuple[str, ...]
    rows: np.ndarray = None  # type: ignore[assignment]  # __post_init__ replaces None
    groups: np.ndarray | None = None
    strata: np.ndarray | None = None
    n_chords: int = 0

    def __post_init__(self) -> None:
        """Check that the parts match, and fill in the default of `rows`."""
        n, n_columns = self.X.shape
        for name in ("y", "groups", "strata"):
            values = getattr(self, name)
            if values is not None and np.shape(values) != (n,):
                raise InputError(
                    f"{name} has shape {np.shape(values)}, X has {n} rows: expected {name} for every row, ({n},)"
                )
        if not 0 <= self.n_chords <= n_columns:
            raise InputError(
                f"n_chords={self.n_chords}, X has {n_columns} columns: expected the number of columns that hold chords"
            )
        rows = np.arange(n) if self.rows is None else np.asarray(self.rows)
        if rows.ndim != 1 or not np.issubdtype(rows.dtype, np.integer):
            raise InputError(
                f"rows has dtype {rows.dtype} and shape {rows.shape}: expected row indices in one dimension. Use "
                f"np.flatnonzero(...) of a mask."
            )
        outside = rows[(rows < 0) | (rows >= n)]
        if len(outside):
            raise InputError(f"rows contains {outside[0]}, X has {n} rows: expected row indices from 0 to {n - 1}")
        labels = np.asarray(self.y)[rows]
        unknown = rows[(labels < 0) | (labels >= len(self.classes))]
        if len(unknown):
            raise InputError(
                f"y is {self.y[unknown[0]]} in row {unknown[0]}: expected the code of one of {len(self.classes)} "
                f"classes, 0 to {len(self.classes) - 1}. Leave samples without a label out of rows."
            )
        object.__setattr__(self, "rows", rows)

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.rows)

    @property
    def n_features(self) -> int:
        """Number of features p, without chords."""
        return self.X.shape[1] - self.n_chords

    @property
    def labels(self) -> np.ndarray:
        """(len(self),) class codes of the rows."""
        return self.y[self.rows]

    @property
    def group_codes(self) -> np.ndarray | None:
        """(len(self),) group codes of the rows, or None."""
        return take_rows(self.groups, self.rows)

    @property
    def strata_codes(self) -> np.ndarray | None:
        """(len(self),) strata of the rows, or None."""
        return take_rows(self.strata, self.rows)

    def subset(self, positions: np.ndarray) -> Samples:
        """Return some of the samples, by their positions in `rows`."""
        return replace(self, rows=self.rows[positions])

    def relabel(self, labels: np.ndarray) -> Samples:
        """Return the same samples with other class codes, (len(self),)."""
        y = self.y.copy()
        y[self.rows] = labels
        return replace(self, y=y)
