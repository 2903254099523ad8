"""Row blocks of matrices that may be larger than memory.

A source is a numpy array or a scipy CSR matrix (both may be memory-mapped), or anything with a `shape` and `blocks()`:
`Changed` here, a matrix in an HDF5 file in `io`.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp

# Values read at a time, zeros counted where the matrix is dense: 128 MB as values with their columns.
VALUES_AT_ONCE = 2**24

COLUMNS_AT_ONCE = 1024

# Values read here and there after which pages are given back. The system maps a run of 16 pages around each that is
# touched, so that a few rows here and there bring ten times as much as was asked for.
_KEPT = 2**20

_ENTRY = np.dtype([("row", np.int32), ("column", np.int32), ("value", np.float32)])


@dataclass(frozen=True, eq=False)
class MappedRows:
    """Some rows of a source, changed while they are read.

    Attributes
    ----------
    source
        What is read.
    rows
        Which of its rows, rising; None for all.
    change
        Makes of a block and the positions of its rows (among `rows`) what is given out: CSR float32. The block itself
        where not said.
    nnz
        Values that are not zero, of all rows; -1 when not counted.
    dense
        Whether blocks are given out as arrays.
    """

    source: Any
    rows: np.ndarray | None
    change: Callable[[Any, slice], Any] = lambda block, _: block
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
        return _joined(self.blocks())


@dataclass(frozen=True, eq=False)
class HStack:
    """A matrix with further columns behind its own, while it is read.

    Attributes
    ----------
    X
        An array or a CSR matrix, possibly mapped.
    values
        (n, k) float32.
    """

    X: Any
    values: np.ndarray

    @property
    def dense(self) -> bool:
        """Whether blocks are given out as arrays."""
        return isinstance(self.X, np.ndarray)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.X.shape[0], self.X.shape[1] + self.values.shape[1]

    @property
    def nnz(self) -> int:
        """Values that are not zero."""
        return self.X.nnz + int(np.count_nonzero(self.values))

    def blocks(self) -> Iterator[tuple[slice, Any]]:
        """Yield the positions of some rows, and these rows."""
        for place, block in blocks(self.X):
            more = self.values[place]
            yield place, np.hstack([block, more]) if self.dense else sp.hstack([block, sp.csr_matrix(more)], "csr")

    def whole(self) -> np.ndarray | sp.csr_matrix:
        """Read all of it into memory."""
        return _joined(self.blocks())


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
    # Of rows that lie far apart fewer are read at once: whatever lies between them is mapped along with them.
    most = max(1, int(VALUES_AT_ONCE * (n / max(X.shape[0], 1))))
    if sp.issparse(X):
        sizes = np.diff(X.indptr) if rows is None else np.diff(X.indptr)[rows]
        spans = spans_of(np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]), most)
    else:
        spans = even_spans(n, X.shape[1], most)
    for start, stop in spans:
        yield slice(start, stop), X[start:stop] if rows is None else X[rows[start:stop]]
        release(X)


def transpose_blocks(source: Any, counts: np.ndarray, folder: str | Path) -> Iterator[tuple[slice, sp.csr_matrix]]:
    """Yield some columns of a source at a time, as the rows of its transpose; neither lies in memory in full.

    Values are laid down in a file, those of each run of columns together, and every run is then put in order alone.

    Parameters
    ----------
    source
        What is read, once, a block of rows at a time: CSR float32, every place once.
    counts
        (columns,) values of each column.
    folder
        Where the file lies, 12 bytes a value. It has no name there, and is gone at the end, however that comes.
    """
    ends = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    at_once = max(1, VALUES_AT_ONCE // 4)  # entries are copied more often than values are elsewhere
    runs = list(spans_of(ends, at_once))
    run_of = np.repeat(np.arange(len(runs)), [stop - start for start, stop in runs]).astype(np.uint16)
    free = ends[[start for start, _ in runs]]
    with tempfile.TemporaryFile(dir=folder) as file:
        for place, block in blocks(source):
            rows = np.repeat(np.arange(place.start, place.stop, dtype=np.int32), np.diff(block.indptr))
            for start in range(0, block.nnz, at_once):
                some = slice(start, start + at_once)
                home = run_of[block.indices[some]]
                order = np.argsort(home, kind="stable")
                entries = np.empty(len(order), dtype=_ENTRY)
                for name, values in zip(_ENTRY.names or (), (rows, block.indices, block.data), strict=True):
                    entries[name] = values[some][order]
                sizes = np.bincount(home, minlength=len(runs))
                last = np.cumsum(sizes)
                for run in np.flatnonzero(sizes):
                    file.seek(int(free[run]) * _ENTRY.itemsize)
                    file.write(entries[last[run] - sizes[run] : last[run]].view(np.uint8).data)
                free += sizes
        for start, stop in runs:
            file.seek(int(ends[start]) * _ENTRY.itemsize)
            entries = np.frombuffer(file.read(int(ends[stop] - ends[start]) * _ENTRY.itemsize), dtype=_ENTRY)
            order = np.argsort(entries["column"], kind="stable")
            parts = entries["value"][order], entries["row"][order], ends[start : stop + 1] - ends[start]
            yield slice(start, stop), sp.csr_matrix(parts, shape=(stop - start, source.shape[0]))


def to_csc(X, rows: np.ndarray, megabytes: float, folder: str | Path) -> Any:
    """Some rows of a matrix, to be read by columns.

    Parameters
    ----------
    X
        An array or a CSR matrix of float32, possibly memory-mapped, every place once.
    rows
        Which rows, rising.
    megabytes
        Where they would take more than this, they lie in a mapped file without a name.
    folder
        Where that file lies: 8 bytes a stored value, and 12 more while it is written.

    Returns
    -------
    numpy.ndarray or scipy.sparse.csc_matrix
        An array only if `X` is one and the rows fit.
    """
    if sp.issparse(X):
        n_values = int(np.diff(X.indptr)[rows].sum())
        if n_values * 8 <= megabytes * 2**20:
            return _joined(blocks(X, rows)).tocsc()
    elif len(rows) * X.shape[1] * 4 <= megabytes * 2**20:
        return _joined(blocks(X, rows))
    counts = np.zeros(X.shape[1], dtype=np.int64)
    for _, block in blocks(X, rows):
        counts += block.getnnz(0) if sp.issparse(block) else np.count_nonzero(block, axis=0)
    ends = np.concatenate([[0], np.cumsum(counts)])
    index = np.int32 if ends[-1] < 2**31 else np.int64  # one type for both, or scipy copies
    taken = MappedRows(X, rows, lambda block, _: sp.csr_matrix(block))
    with tempfile.TemporaryFile(dir=folder) as values, tempfile.TemporaryFile(dir=folder) as places:
        for _, block in transpose_blocks(taken, counts, folder):
            values.write(block.data.data)
            places.write(block.indices.astype(index, copy=False).data)
        values.flush()
        places.flush()
        parts = [
            np.memmap(file, dtype, mode="r", shape=(int(ends[-1]),))  # type: ignore[call-overload]
            for file, dtype in ((values, np.float32), (places, index))
        ]
    return sp.csc_matrix((*parts, ends.astype(index)), shape=(len(rows), X.shape[1]), copy=False)


def column_blocks(X, columns: np.ndarray) -> Iterator[tuple[slice, Any]]:
    """Yield some columns of a CSC matrix at a time, which may be mapped, with their positions; of an array all."""
    step = COLUMNS_AT_ONCE if sp.issparse(X) else max(len(columns), 1)
    for start in range(0, len(columns), step):
        some = slice(start, min(start + step, len(columns)))
        yield some, X[:, columns[some]]
        release(X)


def keep_columns(X, columns: np.ndarray, rows: np.ndarray | None = None) -> sp.csr_matrix:
    """Give rows (None for all) of a matrix without the values of all other columns, block by block."""
    kept = np.zeros(X.shape[1], dtype=np.bool_)
    kept[columns] = True

    def only(block) -> sp.csr_matrix:
        block = sp.csr_matrix(block)
        stays = kept[block.indices]
        ends = np.concatenate([[0], np.cumsum(stays)])[block.indptr]
        return sp.csr_matrix((block.data[stays], block.indices[stays], ends), shape=block.shape)

    return MappedRows(X, rows, lambda block, _: only(block)).whole()


def spans_of(indptr: np.ndarray, most: int | None = None) -> Iterator[tuple[int, int]]:
    """Cut the rows of a CSR matrix into runs of at most so many values (`VALUES_AT_ONCE`), but at least one row."""
    n, start = len(indptr) - 1, 0
    most = VALUES_AT_ONCE if most is None else most
    while start < n:
        stop = int(np.searchsorted(indptr, indptr[start] + most, side="right")) - 1
        stop = min(max(stop, start + 1), n)
        yield start, stop
        start = stop


def even_spans(n: int, p: int, most: int | None = None) -> Iterator[tuple[int, int]]:
    """Cut n rows of p values as `spans_of` does."""
    step = max(1, (VALUES_AT_ONCE if most is None else most) // max(p, 1))
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


def _joined(source: Iterator[tuple[slice, Any]]) -> Any:
    parts = [block for _, block in source]
    if len(parts) == 1:
        return parts[0]
    return sp.vstack(parts, format="csr") if sp.issparse(parts[0]) else np.concatenate(parts)


def _chosen(source: Iterator[tuple[slice, Any]], rows: np.ndarray) -> Iterator[tuple[slice, Any]]:
    for place, block in source:
        first, last = np.searchsorted(rows, [place.start, place.stop])
        if last > first:
            yield slice(int(first), int(last)), block[rows[first:last] - place.start]


Matrix: TypeAlias = "np.ndarray | sp.csr_matrix"
