"""Streaming statistics of the columns of a matrix, added up over blocks of rows and merged across parts.

Nothing here reads a matrix: callers iterate over `blocks.blocks`, or over files, and pass each block to
`Moments.update`. Parts that were added up in different processes or from different files are merged with
`Moments.merge`; `Moments.as_dict` gives plain arrays to save or to send.

Source: pairwise update of sums of squared deviations, Chan, Golub & LeVeque 1983 (doi 10.1080/00031305.1983.10483115).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp

# What is kept beside the number of rows and the sums, each at its own cost.
PARTS = ("squares", "deviations", "nonzero", "extremes")


class Moments:
    """Number of rows, sums and further statistics of p columns, in float64; zeros of sparse rows count.

    Each block is summed, and its sums are added to those of the blocks before: the same blocks in the same order give
    the same bits, sparse or dense (dense in row-major order and of more than one column; numpy sums others pairwise).

    Parameters
    ----------
    n_features
        Number of columns, p.
    keep
        Which of `PARTS` to keep; every one by default.

        "squares"
            Sums of squares (`square_sum`). The variance computed from them loses digits where the mean is large
            against the deviation; it is here for callers with a formula of their own.
        "deviations"
            Sums of squared deviations from the mean, for `variance`, which is accurate whatever the mean.
        "nonzero"
            Number of values that are not zero (`n_nonzero`).
        "extremes"
            Smallest and largest value (`minimum`, `maximum`).
    n_groups
        Groups of rows, such as classes, whose sums are kept apart.

    Attributes
    ----------
    group_n
        (n_groups,) rows of each group.
    group_sum
        (n_groups, p) sums over the rows of each group.

    Raises
    ------
    ValueError
        If `keep` names an unknown part.
    """

    def __init__(self, n_features: int, keep: Collection[str] = PARTS, n_groups: int = 1):
        if unknown := sorted(set(keep) - set(PARTS)):
            raise ValueError(f"keep={unknown}: expected some of {', '.join(PARTS)}")
        self.group_n = np.zeros(n_groups, dtype=np.int64)
        self.group_sum = np.zeros((n_groups, n_features))
        self._parts: dict[str, np.ndarray] = {}
        if "squares" in keep:
            self._parts["square_sum"] = np.zeros(n_features)
        if "deviations" in keep:
            self._parts["deviation_sum"] = np.zeros(n_features)
        if "nonzero" in keep:
            self._parts["n_nonzero"] = np.zeros(n_features, dtype=np.int64)
        if "extremes" in keep:
            self._parts["minimum"] = np.full(n_features, np.inf)
            self._parts["maximum"] = np.full(n_features, -np.inf)

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self.group_n.sum())

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return self.group_sum.shape[1]

    @property
    def sum(self) -> np.ndarray:
        """(p,) sums over all rows."""
        return self.group_sum.sum(axis=0)

    @property
    def mean(self) -> np.ndarray:
        """(p,) means over all rows; NaN without rows."""
        return self.sum / self.n if self.n else np.full(self.n_features, np.nan)

    @property
    def group_mean(self) -> np.ndarray:
        """(n_groups, p) means over the rows of each group; NaN for a group without rows."""
        size = self.group_n[:, None]
        return np.divide(self.group_sum, size, out=np.full_like(self.group_sum, np.nan), where=size > 0)

    @property
    def square_sum(self) -> np.ndarray:
        """(p,) sums of squares."""
        return self._part("square_sum", "squares")

    @property
    def n_nonzero(self) -> np.ndarray:
        """(p,) number of values that are not zero."""
        return self._part("n_nonzero", "nonzero")

    @property
    def minimum(self) -> np.ndarray:
        """(p,) smallest values, zeros of sparse rows included; inf without rows."""
        return self._part("minimum", "extremes")

    @property
    def maximum(self) -> np.ndarray:
        """(p,) largest values, zeros of sparse rows included; -inf without rows."""
        return self._part("maximum", "extremes")

    def variance(self, ddof: int = 0) -> np.ndarray:
        """(p,) variances over all rows, divided by n - `ddof` as in numpy; NaN where that is not positive."""
        deviation_sum = self._part("deviation_sum", "deviations")
        return deviation_sum / (self.n - ddof) if self.n > ddof else np.full(self.n_features, np.nan)

    def update(self, block: np.ndarray | sp.spmatrix | sp.sparray, groups: np.ndarray | None = None) -> None:
        """Add some rows.

        Parameters
        ----------
        block
            (n, p) dense or sparse. Values stored several times for one place are added first, as scipy does.
        groups
            (n,) group of every row, 0 .. n_groups - 1; not needed where there is one group.

        Raises
        ------
        ValueError
            If the block has another number of columns, or `groups` another length than the block, or is missing.
        """
        n, p = block.shape
        if p != self.n_features:
            raise ValueError(f"block of {p} columns: expected {self.n_features}, as in the blocks before")
        sizes = self._sizes(n, groups)
        if not n:
            return
        values = _canonical(block) if sp.issparse(block) else np.asarray(block)
        if sp.issparse(block) or {"square_sum", "deviation_sum"} & set(self._parts):
            # scipy adds up a float32 matrix in float32, even where the sum is asked for in float64
            values = values.astype(np.float64, copy=False)
        sums = _column_sum(values)[None] if groups is None else _group_sums(values, groups, len(self.group_n))
        parts = {}
        if "square_sum" in self._parts:
            parts["square_sum"] = _column_sum(_squared(values))
        if "deviation_sum" in self._parts:
            parts["deviation_sum"] = _deviation_sum(values, sums.sum(axis=0) / n)
        if "n_nonzero" in self._parts:
            parts["n_nonzero"] = _n_nonzero(values)
        if "minimum" in self._parts:
            parts["minimum"], parts["maximum"] = _extremes(values)
        self.merge(self._of(sizes, sums, parts))

    def merge(self, other: Moments) -> None:
        """Add the rows that `other` has seen; columns, groups and kept parts must be the same.

        Raises
        ------
        ValueError
            If they are not.
        """
        shapes = self.group_sum.shape, other.group_sum.shape
        kept = sorted(self._parts), sorted(other._parts)
        for what, (expected, found) in (("shape (groups, columns)", shapes), ("kept statistics", kept)):
            if found != expected:
                raise ValueError(f"cannot merge moments: {what} is {found}, expected {expected}")
        if not other.n:
            return
        mine, theirs = self._parts, other._parts
        if "deviation_sum" in mine:
            mine["deviation_sum"] += theirs["deviation_sum"]
            if self.n:
                mine["deviation_sum"] += (other.mean - self.mean) ** 2 * (self.n * other.n / (self.n + other.n))
        for name in ("square_sum", "n_nonzero"):
            if name in mine:
                mine[name] += theirs[name]
        if "minimum" in mine:
            np.minimum(mine["minimum"], theirs["minimum"], out=mine["minimum"])
            np.maximum(mine["maximum"], theirs["maximum"], out=mine["maximum"])
        self.group_n += other.group_n
        self.group_sum += other.group_sum

    def as_dict(self) -> dict[str, np.ndarray]:
        """Give everything as named arrays (copies), for example for ``numpy.savez``."""
        arrays = {"group_n": self.group_n, "group_sum": self.group_sum, **self._parts}
        return {name: array.copy() for name, array in arrays.items()}

    @classmethod
    def from_dict(cls, arrays: Mapping[str, Any]) -> Moments:
        """Restore what `as_dict` gave.

        Raises
        ------
        ValueError
            If an array is missing or is not known.
        """
        names = {"group_n", "group_sum"}
        known = names | {"square_sum", "deviation_sum", "n_nonzero", "minimum", "maximum"}
        if not names <= set(arrays) or not set(arrays) <= known:
            raise ValueError(f"arrays {sorted(arrays)}: expected {sorted(names)} and some of {sorted(known - names)}")
        parts = {name: np.array(arrays[name]) for name in sorted(set(arrays) - names)}
        return cls._of(np.array(arrays["group_n"]), np.array(arrays["group_sum"]), parts)

    @classmethod
    def _of(cls, group_n: np.ndarray, group_sum: np.ndarray, parts: dict[str, np.ndarray]) -> Moments:
        made = cls.__new__(cls)
        made.group_n, made.group_sum, made._parts = group_n, group_sum, parts
        return made

    def _part(self, name: str, keep: str) -> np.ndarray:
        if name not in self._parts:
            raise ValueError(f"{name} was not kept: expected '{keep}' among `keep` of Moments")
        return self._parts[name]

    def _sizes(self, n: int, groups: np.ndarray | None) -> np.ndarray:
        """Rows of each group in a block of n rows."""
        n_groups = len(self.group_n)
        if groups is None:
            if n_groups > 1:
                raise ValueError(f"rows of {n_groups} groups: expected the group of every row (`groups`)")
            return np.array([n])
        sizes = np.bincount(groups, minlength=n_groups)
        if len(groups) != n or len(sizes) != n_groups:
            raise ValueError(
                f"groups of {len(groups)} rows with codes up to {len(sizes) - 1}: expected {n} rows and codes below "
                f"{n_groups}"
            )
        return sizes


def _canonical(block) -> sp.csr_matrix:
    """CSR with every place stored at most once; a copy where that must be made so."""
    block = sp.csr_matrix(block)
    if not block.has_canonical_format:
        block = block.copy()
        block.sum_duplicates()
    return block


def _column_sum(values) -> np.ndarray:
    return np.asarray(values.sum(axis=0, dtype=np.float64)).ravel()


def _group_sums(values, groups: np.ndarray, n_groups: int) -> np.ndarray:
    n = len(groups)
    sums = sp.csr_matrix((np.ones(n), (groups, np.arange(n))), shape=(n_groups, n)) @ values
    return sums.toarray() if sp.issparse(sums) else sums


def _squared(values):
    return with_values(values, np.square(values.data)) if sp.issparse(values) else np.square(values)


def with_values(block: sp.csr_matrix, data: np.ndarray) -> sp.csr_matrix:
    """Give a CSR matrix with other values in the same places; the places are shared, not copied."""
    return sp.csr_matrix((data, block.indices, block.indptr), shape=block.shape)


def _deviation_sum(values, mean: np.ndarray) -> np.ndarray:
    """Sums of squared deviations from these means, the zeros of sparse rows counted."""
    if not sp.issparse(values):
        return _column_sum(np.square(values - mean))
    stored = np.bincount(values.indices, minlength=len(mean))
    away = with_values(values, np.square(values.data - mean[values.indices]))
    return _column_sum(away) + (values.shape[0] - stored) * np.square(mean)


def _n_nonzero(values) -> np.ndarray:
    if not sp.issparse(values):
        return np.count_nonzero(values, axis=0)
    return np.bincount(values.indices[values.data != 0], minlength=values.shape[1])


def _extremes(values) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest value of every column, the zeros of sparse rows included."""
    if not sp.issparse(values):
        return values.min(axis=0), values.max(axis=0)
    columns = values.tocsc()
    return columns.min(axis=0).toarray().ravel(), columns.max(axis=0).toarray().ravel()
