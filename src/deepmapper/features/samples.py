"""The samples that a pass, a control or an evaluation may see, with their labels, groups and strata."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import InputError


@dataclass(frozen=True, eq=False)
class Samples:
    """Rows of a matrix with what is known of them; the matrix stays whole and is not copied.

    Attributes
    ----------
    X
        (n, p + chords) float32, dense or CSR, possibly memory-mapped; read a batch of rows at a time.
    y
        (n,) class codes, 0 .. len(classes) - 1; other values only outside `rows`.
    classes
        Name of every class.
    rows
        Rows of `X` that may be seen; None for all.
    groups
        (n,) group codes, for example of donors, or None; a group stays on one side of every split.
    strata
        (n,) codes within which labels are permuted, where confounders are to be held (`passes.shuffle_labels`), or
        None.
    n_chords
        How many of the last columns of `X` hold values of gene chords.

    Raises
    ------
    InputError
        If the lengths differ, or a row is not in the matrix or has no label.
    """

    X: Any
    y: np.ndarray
    classes: tuple[str, ...]
    rows: np.ndarray = None  # type: ignore[assignment]  # None is replaced when it is made
    groups: np.ndarray | None = None
    strata: np.ndarray | None = None
    n_chords: int = 0

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        n, n_columns = self.X.shape
        for name in ("y", "groups", "strata"):
            values = getattr(self, name)
            if values is not None and np.shape(values) != (n,):
                raise InputError(
                    f"{name} has shape {np.shape(values)}, X has {n} rows: expected {name} for every row, ({n},)"
                )
        if not 0 <= self.n_chords <= n_columns:
            raise InputError(
                f"n_chords={self.n_chords}, X has {n_columns} columns: expected how many of the last hold gene chords"
            )
        rows = np.arange(n) if self.rows is None else np.asarray(self.rows)
        if rows.ndim != 1 or not np.issubdtype(rows.dtype, np.integer):
            raise InputError(
                f"rows is of type {rows.dtype} and shape {rows.shape}: expected row numbers, one dimension. Take "
                f"np.flatnonzero(...) of a mask."
            )
        beyond = rows[(rows < 0) | (rows >= n)]
        if len(beyond):
            raise InputError(f"rows holds {beyond[0]}, X has {n} rows: expected row numbers from 0 to {n - 1}")
        labels = np.asarray(self.y)[rows]
        unknown = rows[(labels < 0) | (labels >= len(self.classes))]
        if len(unknown):
            raise InputError(
                f"y holds {self.y[unknown[0]]} at row {unknown[0]}: expected a code of one of {len(self.classes)} "
                f"classes, 0 to {len(self.classes) - 1}. Leave samples without a label out of rows."
            )
        object.__setattr__(self, "rows", rows)

    def __len__(self) -> int:
        """Samples that may be seen."""
        return len(self.rows)

    @property
    def n_features(self) -> int:
        """Number of features p, chords not counted."""
        return self.X.shape[1] - self.n_chords

    @property
    def labels(self) -> np.ndarray:
        """(len(self),) class codes of the rows."""
        return self.y[self.rows]

    @property
    def group_codes(self) -> np.ndarray | None:
        """(len(self),) group codes of the rows, or None."""
        return None if self.groups is None else self.groups[self.rows]

    @property
    def strata_codes(self) -> np.ndarray | None:
        """(len(self),) strata of the rows, or None."""
        return None if self.strata is None else self.strata[self.rows]

    def subset(self, positions: np.ndarray) -> Samples:
        """Take some of the samples, by their positions among `rows`."""
        return replace(self, rows=self.rows[positions])

    def relabel(self, labels: np.ndarray) -> Samples:
        """Give the rows other class codes, (len(self),)."""
        y = self.y.copy()
        y[self.rows] = labels
        return replace(self, y=y)
