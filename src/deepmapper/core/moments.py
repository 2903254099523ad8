"""Streaming statistics of the columns of a matrix, accumulated over blocks of rows and merged across parts.

Nothing here reads a matrix: callers iterate over `blocks.blocks`, or over files, and pass each block to
`Moments.update`. Statistics accumulated in different processes or from different files are merged with
`Moments.merge`; `Moments.as_dict` returns plain arrays to save or to send.

Source: pairwise update of sums of squared deviations, Chan, Golub & LeVeque 1983 (doi 10.1080/00031305.1983.10483115).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp

from .blocks import without_duplicates

# Smallest share of a sum of squares that may be left when the square of the mean is subtracted; chosen by hand: at most
# one digit is lost.
_MIN_LEFT = 0.1

# Statistics that may be kept besides the number of rows and the sums; each costs memory and time.
PARTS = ("squares", "deviations", "nonzero", "extremes")


class Moments:
    """Number of rows, sums and further statistics of p columns, in float64, including the zeros of sparse rows.

    Each block is summed first, and its sums are added to those so far. The same blocks in the same order therefore give
    bit-identical results, sparse or dense (if dense blocks are row-major and have more than one column, since numpy
    sums others pairwise).

    Parameters
    ----------
    n_features
        Number of columns, p.
    keep
        Which of `PARTS` to keep; all by default.

        "squares"
            Sums of squares (`square_sum`), for callers with their own formula. A variance computed from them loses
            digits if the mean is large compared with the standard deviation.
        "deviations"
            Sums of squared deviations from the mean, for `variance`, which is accurate for any mean.
        "nonzero"
            Number of nonzero values (`n_nonzero`).
        "extremes"
            Smallest and largest value (`minimum`, `maximum`).
    n_groups
        Number of groups of rows, such as classes, whose sums are kept separately.

    Attributes
    ----------
    group_n
        (n_groups,) number of rows in each group.
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
        """(p,) number of nonzero values."""
        return self._part("n_nonzero", "nonzero")

    @property
    def minimum(self) -> np.ndarray:
        """(p,) smallest values, including the zeros of sparse rows; inf without rows."""
        return self._part("minimum", "extremes")

    @property
    def maximum(self) -> np.ndarray:
        """(p,) largest values, including the zeros of sparse rows; -inf without rows."""
        return self._part("maximum", "extremes")

    def variance(self, ddof: int = 0) -> np.ndarray:
        """(p,) variances over all rows with divisor n - `ddof`, as in numpy; NaN if that is not positive."""
        deviation_sum = self._part("deviation_sum", "deviations")
        return deviation_sum / (self.n - ddof) if self.n > ddof else np.full(self.n_features, np.nan)

    def update(self, block: np.ndarray | sp.spmatrix | sp.sparray, groups: np.ndarray | None = None) -> None:
        """Add some rows.

        Parameters
        ----------
        block
            (n, p) dense or sparse. Duplicate entries are added up first, as in scipy.
        groups
            (n,) group of every row, 0 .. n_groups - 1; not needed for a single group.

        Raises
        ------
        ValueError
            If the number of columns is wrong, or `groups` is missing, has the wrong length or an unknown code.
        """
        n, p = block.shape
        if p != self.n_features:
            raise ValueError(f"block of {p} columns: expected {self.n_features}, as in the previous blocks")
        sizes = self._sizes(n, groups)
        if not n:
            return
        values = without_duplicates(block) if sp.issparse(block) else np.asarray(block)
        if sp.issparse(block) or {"square_sum", "deviation_sum"} & set(self._parts):
            # scipy sums a float32 matrix in float32, even if a float64 result is requested
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
        self.merge(self._from_parts(sizes, sums, parts))

    def merge(self, other: Moments) -> None:
        """Add the rows summarised by `other`.

        Raises
        ------
        ValueError
            If `other` has other columns, groups or statistics.
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
        """Return everything as named arrays (copies), for example for ``numpy.savez``."""
        arrays = {"group_n": self.group_n, "group_sum": self.group_sum, **self._parts}
        return {name: array.copy() for name, array in arrays.items()}

    @classmethod
    def from_dict(cls, arrays: Mapping[str, Any], copy: bool = True) -> Moments:
        """Restore moments from the arrays of `as_dict`.

        Parameters
        ----------
        arrays
            The arrays by name.
        copy
            If False, `update` and `merge` change these arrays, so that they always hold the sums.

        Raises
        ------
        ValueError
            If an array is missing or unknown.
        """
        names = {"group_n", "group_sum"}
        known = names | {"square_sum", "deviation_sum", "n_nonzero", "minimum", "maximum"}
        if not names <= set(arrays) or not set(arrays) <= known:
            raise ValueError(f"arrays {sorted(arrays)}: expected {sorted(names)} and some of {sorted(known - names)}")
        own = {name: np.array(array) if copy else array for name, array in sorted(arrays.items())}
        return cls._from_parts(own.pop("group_n"), own.pop("group_sum"), own)

    @classmethod
    def _from_parts(cls, group_n: np.ndarray, group_sum: np.ndarray, parts: dict[str, np.ndarray]) -> Moments:
        moments = cls.__new__(cls)
        moments.group_n, moments.group_sum, moments._parts = group_n, group_sum, parts
        return moments

    def _part(self, name: str, keep: str) -> np.ndarray:
        if name not in self._parts:
            raise ValueError(f"{name} was not kept: create Moments with '{keep}' in `keep`")
        return self._parts[name]

    def _sizes(self, n: int, groups: np.ndarray | None) -> np.ndarray:
        """Number of rows of each group in a block of n rows."""
        n_groups = len(self.group_n)
        if groups is None:
            if n_groups > 1:
                raise ValueError(f"there are {n_groups} groups: expected the group of every row (`groups`)")
            return np.array([n])
        sizes = np.bincount(groups, minlength=n_groups)
        if len(groups) != n or len(sizes) != n_groups:
            raise ValueError(
                f"groups of {len(groups)} rows with codes up to {len(sizes) - 1}: expected {n} rows and codes below "
                f"{n_groups}"
            )
        return sizes


def with_values(block: sp.csr_matrix, data: np.ndarray) -> sp.csr_matrix:
    """Return a CSR matrix with the same sparsity pattern and other values; the pattern is shared, not copied."""
    return sp.csr_matrix((data, block.indices, block.indptr), shape=block.shape)


def _column_sum(values) -> np.ndarray:
    return np.asarray(values.sum(axis=0, dtype=np.float64)).ravel()


def _group_sums(values, groups: np.ndarray, n_groups: int) -> np.ndarray:
    n = len(groups)
    sums = sp.csr_matrix((np.ones(n), (groups, np.arange(n))), shape=(n_groups, n)) @ values
    return sums.toarray() if sp.issparse(sums) else sums


def _squared(values):
    return with_values(values, np.square(values.data)) if sp.issparse(values) else np.square(values)


def _deviation_sum(values, mean: np.ndarray) -> np.ndarray:
    """Sums of squared deviations from these means, including the zeros of sparse rows."""
    if not sp.issparse(values):
        return _column_sum(np.square(values - mean))
    n, squares = values.shape[0], _column_sum(_squared(values))
    deviations = squares - n * np.square(mean)
    # where this subtraction loses digits, each value's deviation is squared, which takes ten times as long
    lossy = deviations < _MIN_LEFT * squares
    if lossy.any():
        at = np.flatnonzero(lossy[values.indices])
        columns = values.indices[at]
        stored = np.bincount(columns, np.square(values.data[at] - mean[columns]), minlength=len(mean))
        n_zero = n - np.bincount(columns, minlength=len(mean))
        deviations[lossy] = (stored + n_zero * np.square(mean))[lossy]
    return deviations


def _n_nonzero(values) -> np.ndarray:
    if not sp.issparse(values):
        return np.count_nonzero(values, axis=0)
    return np.bincount(values.indices[values.data != 0], minlength=values.shape[1])


def _extremes(values) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest value of every column, including the zeros of sparse rows."""
    if not sp.issparse(values):
        return values.min(axis=0), values.max(axis=0)
    columns = values.tocsc()
    return columns.min(axis=0).toarray().ravel(), columns.max(axis=0).toarray().ravel()
