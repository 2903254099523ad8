"""Matrices that need not fit into memory, a block of rows at a time.

A source is a numpy array or a scipy CSR matrix (both may be memory-mapped), or anything with a `shape` and `blocks()`:
`Changed` here, a matrix in an HDF5 file in `io`.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

# Values read at a time, zeros counted where the matrix is dense: 128 MB as values with their columns.
VALUES_AT_ONCE = 2**24
# Values read here and there after which pages are given back. The system maps a run of 16 pages around each that is
# touched, so that a few rows here and there bring ten times as much as was asked for.
_KEPT = 2**20


@dataclass(frozen=True, eq=False)
class Changed:
    """Some rows of a source, changed while they are read.

    Attributes
    ----------
    source
        What is read.
    rows
        Which of its rows, rising; None for all.
    change
        Makes of a block and the positions of its rows (among `rows`) what is given out: CSR float32.
    nnz
        Values that are not zero, of all rows; -1 when not counted.
    dense
        Whether blocks are given out as arrays.
    """

    source: Any
    rows: np.ndarray | None
    change: Callable[[Any, slice], sp.csr_matrix]
    nnz: int = -1
    dense: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.source.shape[0] if self.rows is None else len(self.rows), self.source.shape[1])

    def blocks(self) -> Iterator[tuple[slice, Any]]:
        """Yield the positions of some rows, and these rows."""
        for place, block in blocks(self.source, self.rows):
            block = self.change(block, place)
            yield place, block.toarray() if self.dense else block

    def whole(self) -> np.ndarray | sp.csr_matrix:
        """Read all of it into memory."""
        parts = [block for _, block in self.blocks()]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if self.dense else sp.vstack(parts, format="csr")


def in_memory(X) -> bool:
    """Whether `X` is an array or a matrix of numpy or scipy, which may be memory-mapped."""
    return isinstance(X, np.ndarray) or sp.issparse(X)


def blocks(X, rows: np.ndarray | None = None) -> Iterator[tuple[slice, Any]]:
    """Yield some rows of a source at a time, with their positions among `rows` (rising; None for all rows).

    What is mapped into memory is given back as it has been read.
    """
    if not in_memory(X):
        yield from X.blocks() if rows is None else _chosen(X.blocks(), rows)
        return
    n = X.shape[0] if rows is None else len(rows)
    if sp.issparse(X):
        sizes = np.diff(X.indptr) if rows is None else np.diff(X.indptr)[rows]
        spans = spans_of(np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]))
    else:
        spans = even_spans(n, X.shape[1])
    for start, stop in spans:
        yield slice(start, stop), X[start:stop] if rows is None else X[rows[start:stop]]
        release(X)


def spans_of(indptr: np.ndarray) -> Iterator[tuple[int, int]]:
    """Cut the rows of a CSR matrix into runs of at most `VALUES_AT_ONCE` values, but at least one row."""
    n, start = len(indptr) - 1, 0
    while start < n:
        stop = int(np.searchsorted(indptr, indptr[start] + VALUES_AT_ONCE, side="right")) - 1
        stop = min(max(stop, start + 1), n)
        yield start, stop
        start = stop


def even_spans(n: int, p: int) -> Iterator[tuple[int, int]]:
    """Cut n rows of p values into runs of at most `VALUES_AT_ONCE` values, but at least one row."""
    step = max(1, VALUES_AT_ONCE // max(p, 1))
    for start in range(0, n, step):
        yield start, min(start + step, n)


class Reader:
    """Reads any rows of a matrix, and gives back the pages of one that is memory-mapped as it goes along."""

    def __init__(self, X):
        self.X, self._read = X, 0

    def __call__(self, rows: np.ndarray):
        """Give these rows, in their order."""
        values = self.X[rows]
        self._read += values.size  # of a sparse matrix those that are stored
        if self._read > _KEPT:
            release(self.X)
            self._read = 0
        return values


def release(X) -> None:
    """Take the pages of a memory-mapped matrix off this process; they stay in the system's cache, if there is room.

    Else all that was ever read counts as this process's memory, and a cluster that counts so ends it.
    """
    for array in (X.data, X.indices) if sp.issparse(X) else (X,):
        while isinstance(array, np.ndarray):
            array = array.base
        if isinstance(array, mmap.mmap):
            array.madvise(mmap.MADV_DONTNEED)


def _chosen(source: Iterator[tuple[slice, Any]], rows: np.ndarray) -> Iterator[tuple[slice, Any]]:
    for place, block in source:
        first, last = np.searchsorted(rows, [place.start, place.stop])
        if last > first:
            yield slice(int(first), int(last)), block[rows[first:last] - place.start]
