"""The samples that a pass, a control or an evaluation may use, with their labels, groups and strata."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

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
    unlabelled
        Rows of `X` without a label, which only networks that learn from them read; None for none (`with_target`).
    domains
        (n,) codes of domains (studies, donors, batches), which the adversary of such networks tells apart; -1 for a row
        without one. None for the labelled rows as one domain, and those without a label as the other.
    kinds
        (C, C) for each class (row) the classes of which its samples can be: itself, or, if others are kinds of it,
        those of them that have no kinds of their own; None where every class is itself alone.

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
    unlabelled: np.ndarray | None = None
    domains: np.ndarray | None = None
    kinds: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Check that the parts match, and fill in the default of `rows`."""
        n, n_columns = self.X.shape
        for name in ("y", "groups", "strata", "domains"):
            values = getattr(self, name)
            if values is not None and np.shape(values) != (n,):
                raise InputError(
                    f"{name} has shape {np.shape(values)}, X has {n} rows: expected {name} for every row, ({n},)"
                )
        if self.kinds is not None and np.shape(self.kinds) != (len(self.classes), len(self.classes)):
            raise InputError(
                f"kinds has shape {np.shape(self.kinds)}: expected a row and a column for each of "
                f"{len(self.classes)} classes"
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

    @property
    def n_domains(self) -> int:
        """Number of domains that are told apart."""
        return 2 if self.domains is None else int(self.domains.max(initial=-1)) + 1

    def subset(self, positions: np.ndarray) -> Samples:
        """Return some of the samples, by their positions in `rows`."""
        return replace(self, rows=self.rows[positions])

    def relabel(self, labels: np.ndarray) -> Samples:
        """Return the same samples with other class codes, (len(self),)."""
        y = self.y.copy()
        y[self.rows] = labels
        return replace(self, y=y)


@dataclass(frozen=True)
class Stacked:
    """Two matrices with the same columns, one below the other, read in batches of rows.

    Attributes
    ----------
    top, bottom
        Dense or CSR.
    """

    top: Any
    bottom: Any

    @property
    def parts(self) -> tuple[Any, Any]:
        """Both matrices."""
        return self.top, self.bottom

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.top.shape[0] + self.bottom.shape[0], self.top.shape[1]

    def __getitem__(self, rows: np.ndarray) -> np.ndarray | sp.csr_matrix:
        """Return some rows, in their order."""
        rows = np.arange(self.shape[0])[rows]
        n = self.top.shape[0]
        upper, lower = np.flatnonzero(rows < n), np.flatnonzero(rows >= n)
        parts = [self.top[rows[upper]], self.bottom[rows[lower] - n]]
        order = np.argsort(np.concatenate([upper, lower]), kind="stable")
        if sp.issparse(parts[0]):
            return sp.vstack([parts[0], sp.csr_matrix(parts[1])], format="csr")[order]
        below = parts[1].toarray() if sp.issparse(parts[1]) else parts[1]
        return np.concatenate([parts[0], below])[order]


def with_target(samples: Samples, target: Any, domains: np.ndarray | None = None) -> Samples:
    """Return the samples with unlabelled ones below them.

    Parameters
    ----------
    samples
        The labelled samples.
    target
        (m, p) values of the unlabelled samples on the same features.
    domains
        (n + m,) codes of the domains of both; see `Samples`.

    Raises
    ------
    InputError
        If the features are not the same, or domains do not fit.
    """
    n, m = samples.X.shape[0], target.shape[0]
    if target.shape[1] != samples.X.shape[1]:
        raise InputError(
            f"the target has {target.shape[1]} features, the samples {samples.X.shape[1]} (gene chords included): "
            "expected the same. Models that learn from target samples read no chords (chord_pixels)."
        )

    def longer(codes: np.ndarray | None) -> np.ndarray | None:
        return None if codes is None else np.concatenate([codes, np.full(m, -1, dtype=codes.dtype)])

    return replace(
        samples,
        X=Stacked(samples.X, target),
        y=np.concatenate([samples.y, np.full(m, -1, dtype=samples.y.dtype)]),
        groups=longer(samples.groups),
        strata=longer(samples.strata),
        unlabelled=np.arange(n, n + m),
        domains=domains,
    )
