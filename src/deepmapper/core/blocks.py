"""Row blocks of matrices that may be larger than memory.

A source is a numpy array or a scipy CSR matrix, either of which may be memory-mapped, or any object with a `shape` and
a method `blocks()`: `MappedRows` and `HStack` in this module, `io.stored.StoredMatrix` for a matrix in a file.
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

from .mapped_copy import mapped_csr

Matrix: TypeAlias = "np.ndarray | sp.csr_matrix"

# Values per block, including the zeros of a dense matrix: 128 MB as float32 values with int32 column indices.
VALUES_AT_ONCE = 2**24

# Columns per block of a CSC matrix; chosen by hand.
COLUMNS_AT_ONCE = 1024

# Values read in random order before pages are released. The kernel maps 16 pages around each page that is touched, so
# a few scattered rows take up ten times the memory they need.
_RELEASE_AFTER = 2**20

_ENTRY = np.dtype([("row", np.int32), ("column", np.int32), ("value", np.float32)])


@dataclass(frozen=True, eq=False)
class MappedRows:
    """Some rows of a source, transformed as they are read.

    Attributes
    ----------
    source
        The matrix to read.
    rows
        Row indices, ascending; None for all rows.
    transform
        Function of a block and the positions of its rows (among `rows`) that returns the block to yield, CSR float32.
        By default blocks are yielded unchanged.
    nnz
        Number of nonzero values over all rows; -1 if not counted.
    dense
        Whether blocks are yielded as arrays.
    """

    source: Any
    rows: np.ndarray | None
    transform: Callable[[Any, slice], Any] = lambda block, _: block
    nnz: int = -1
    dense: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.source.shape[0] if self.rows is None else len(self.rows), self.source.shape[1])

    def blocks(self) -> Iterator[tuple[slice, Any]]:
        """Yield the positions of each block's rows, and the block."""
        for place, block in blocks(self.source, self.rows):
            block = self.transform(block, place)
            yield place, block.toarray() if self.dense else block

    def blocks_between(self, start: int, stop: int) -> Iterator[tuple[slice, Any]]:
        """Yield rows `start` to `stop` (exclusive) in blocks, with their positions; no others are read."""
        rows = np.arange(start, stop) if self.rows is None else self.rows[start:stop]
        for place, block in blocks(self.source, rows):
            place = slice(start + place.start, start + place.stop)
            block = self.transform(block, place)
            yield place, block.toarray() if self.dense else block

    def to_memory(self) -> Matrix:
        """Read all rows into memory."""
        return _stack(self.blocks())


@dataclass(frozen=True, eq=False)
class HStack:
    """A matrix with k columns appended as it is read.

    Attributes
    ----------
    X
        (n, p) array or CSR matrix, possibly memory-mapped.
    values
        (n, k) columns to append, float32.
    """

    X: Any
    values: np.ndarray

    @property
    def dense(self) -> bool:
        """Whether blocks are yielded as arrays."""
        return isinstance(self.X, np.ndarray)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.X.shape[0], self.X.shape[1] + self.values.shape[1]

    @property
    def nnz(self) -> int:
        """Number of nonzero values."""
        return self.X.nnz + int(np.count_nonzero(self.values))

    def blocks(self) -> Iterator[tuple[slice, Any]]:
        """Yield the positions of each block's rows, and the block."""
        for place, block in blocks(self.X):
            added = self.values[place]
            yield place, np.hstack([block, added]) if self.dense else sp.hstack([block, sp.csr_matrix(added)], "csr")

    def to_memory(self) -> Matrix:
        """Read all rows into memory."""
        return _stack(self.blocks())


@dataclass(frozen=True, eq=False)
class VStack:
    """Matrices with the same columns, one below the other.

    Attributes
    ----------
    parts
        Sources with the same number of columns; `nnz` of each is known.
    dense
        Whether blocks are yielded as arrays, else as CSR.
    """

    parts: tuple[Any, ...]
    dense: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return sum(part.shape[0] for part in self.parts), self.parts[0].shape[1]

    @property
    def nnz(self) -> int:
        """Number of nonzero values."""
        return sum(int(part.nnz) for part in self.parts)

    def blocks(self) -> Iterator[tuple[slice, Any]]:
        """Yield the positions of each block's rows, and the block."""
        start = 0
        for part in self.parts:
            for place, block in blocks(part):
                where = slice(start + place.start, start + place.stop)
                if self.dense:
                    yield where, block.toarray() if sp.issparse(block) else block
                else:
                    yield where, sp.csr_matrix(block)
            start += part.shape[0]

    def to_memory(self) -> Matrix:
        """Read all rows into memory."""
        return _stack(self.blocks())


def in_memory(X) -> bool:
    """Whether `X` is a numpy array or a scipy matrix; it may be memory-mapped."""
    return isinstance(X, np.ndarray) or sp.issparse(X)


def _by_row(X: Any) -> Any:
    """Return a sparse matrix as CSR, since blocks of another format are not blocks of rows; an array as it is."""
    return X.tocsr() if sp.issparse(X) and X.format != "csr" else X


def blocks(X, rows: np.ndarray | None = None) -> Iterator[tuple[slice, Any]]:
    """Yield a source in blocks of rows, with their positions among `rows` (ascending; None for all rows).

    The pages of a memory-mapped source are released once they have been read.
    """
    if not in_memory(X):
        if rows is None:
            yield from X.blocks()
        elif len(rows):
            is_split = hasattr(X, "blocks_between")
            found = X.blocks_between(int(rows[0]), int(rows[-1]) + 1) if is_split else X.blocks()
            yield from _select_rows(found, rows)
        return
    X = _by_row(X)
    n = X.shape[0] if rows is None else len(rows)
    # Scattered rows are read in smaller blocks, since the rows between them are mapped into memory as well.
    is_span = rows is not None and n and rows[-1] - rows[0] + 1 == n
    max_values = max(1, int(VALUES_AT_ONCE * (1 if is_span else n / max(X.shape[0], 1))))
    if sp.issparse(X):
        sizes = np.diff(X.indptr) if rows is None else X.indptr[rows + 1] - X.indptr[rows]
        spans = spans_of(np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]), max_values)
    else:
        spans = even_spans(n, X.shape[1], max_values)
    for start, stop in spans:
        yield slice(start, stop), X[start:stop] if rows is None else X[rows[start:stop]]
        release(X)


def blocks_between(X, start: int, stop: int) -> Iterator[tuple[slice, Any]]:
    """Yield rows `start` to `stop` (exclusive) of a source in blocks, with their positions in the source.

    Other rows are not read, unless the source can only be read as a whole.
    """
    if not in_memory(X):
        if hasattr(X, "blocks_between"):
            yield from X.blocks_between(start, stop)
            return
        for place, block in _select_rows(X.blocks(), np.arange(start, stop)):
            yield slice(start + place.start, start + place.stop), block
        return
    X, n = _by_row(X), stop - start
    spans = spans_of(X.indptr[start : stop + 1]) if sp.issparse(X) else even_spans(n, X.shape[1])
    for first, last in spans:
        yield slice(start + first, start + last), X[start + first : start + last]
        release(X)


def transpose_blocks(source: Any, counts: np.ndarray, folder: str | Path) -> Iterator[tuple[slice, sp.csr_matrix]]:
    """Yield the transpose of a source in blocks of its rows, without holding either matrix in memory.

    The values are first written to a file, grouped by range of columns; each range is then read back and sorted.

    Parameters
    ----------
    source
        Matrix to transpose, read once in row blocks: CSR float32 without duplicate entries.
    counts
        (columns,) number of stored values in each column.
    folder
        Folder for an unnamed temporary file of 12 bytes per value; the system removes it even after a crash.
    """
    ends = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    at_once = max(1, VALUES_AT_ONCE // 4)  # sorting copies the entries several times
    runs = list(spans_of(ends, at_once))
    run_of_column = np.repeat(np.arange(len(runs)), [stop - start for start, stop in runs]).astype(np.uint16)
    next_free = ends[[start for start, _ in runs]]
    with tempfile.TemporaryFile(dir=folder) as file:
        for place, block in blocks(source):
            rows = np.repeat(np.arange(place.start, place.stop, dtype=np.int32), np.diff(block.indptr))
            for start in range(0, block.nnz, at_once):
                part = slice(start, start + at_once)
                run_of_value = run_of_column[block.indices[part]]
                order = np.argsort(run_of_value, kind="stable")
                entries = np.empty(len(order), dtype=_ENTRY)
                for name, values in zip(_ENTRY.names or (), (rows, block.indices, block.data), strict=True):
                    entries[name] = values[part][order]
                sizes = np.bincount(run_of_value, minlength=len(runs))
                stops = np.cumsum(sizes)
                for run in np.flatnonzero(sizes):
                    file.seek(int(next_free[run]) * _ENTRY.itemsize)
                    file.write(entries[stops[run] - sizes[run] : stops[run]].view(np.uint8).data)
                next_free += sizes
        for start, stop in runs:
            file.seek(int(ends[start]) * _ENTRY.itemsize)
            entries = np.frombuffer(file.read(int(ends[stop] - ends[start]) * _ENTRY.itemsize), dtype=_ENTRY)
            order = np.argsort(entries["column"], kind="stable")
            parts = entries["value"][order], entries["row"][order], ends[start : stop + 1] - ends[start]
            yield slice(start, stop), sp.csr_matrix(parts, shape=(stop - start, source.shape[0]))


def to_csc(X, rows: np.ndarray, megabytes: float, folder: str | Path) -> Any:
    """Return some rows of a matrix in a form that is fast to read by column.

    Parameters
    ----------
    X
        float32 array or CSR matrix without duplicate entries, possibly memory-mapped.
    rows
        Row indices, ascending.
    megabytes
        If the result is larger than this, it is memory-mapped from an unnamed temporary file.
    folder
        Folder for that file: 8 bytes per stored value, and 12 more while it is written.

    Returns
    -------
    numpy.ndarray or scipy.sparse.csc_matrix
        An array only if `X` is one and the result fits into `megabytes`.
    """
    if sp.issparse(X):
        n_values = int(np.diff(X.indptr)[rows].sum())
        if n_values * 8 <= megabytes * 2**20:
            return _stack(blocks(X, rows)).tocsc()
    elif len(rows) * X.shape[1] * 4 <= megabytes * 2**20:
        return _stack(blocks(X, rows))
    counts = np.zeros(X.shape[1], dtype=np.int64)
    for _, block in blocks(X, rows):
        counts += block.getnnz(0) if sp.issparse(block) else np.count_nonzero(block, axis=0)
    selected = MappedRows(X, rows, lambda block, _: sp.csr_matrix(block))
    turned = (block for _, block in transpose_blocks(selected, counts, folder))
    return mapped_csr(turned, int(counts.sum()), len(rows), folder).T


def column_blocks(X, columns: np.ndarray) -> Iterator[tuple[slice, Any]]:
    """Yield columns of a CSC matrix, which may be memory-mapped, in blocks with their positions; of an array, all."""
    step = COLUMNS_AT_ONCE if sp.issparse(X) else max(len(columns), 1)
    for start in range(0, len(columns), step):
        part = slice(start, min(start + step, len(columns)))
        yield part, X[:, columns[part]]
        release(X)


def keep_columns(X, columns: np.ndarray, rows: np.ndarray | None = None) -> sp.csr_matrix:
    """Return rows (None for all) of a matrix, in its shape, with the values of all other columns dropped."""
    kept = np.zeros(X.shape[1], dtype=np.bool_)
    kept[columns] = True

    def drop_others(block, _place: slice) -> sp.csr_matrix:
        block = sp.csr_matrix(block)
        is_kept = kept[block.indices]
        ends = np.concatenate([[0], np.cumsum(is_kept)])[block.indptr]
        return sp.csr_matrix((block.data[is_kept], block.indices[is_kept], ends), shape=block.shape)

    return MappedRows(X, rows, drop_others).to_memory()


def without_duplicates(X) -> sp.csr_matrix:
    """Convert to CSR with duplicate entries summed; the input is not changed."""
    X = sp.csr_matrix(X)
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


def spans_of(indptr: np.ndarray, max_values: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield spans of rows of a CSR matrix, each of at most `max_values` (default `VALUES_AT_ONCE`) or of one row."""
    n, start = len(indptr) - 1, 0
    max_values = VALUES_AT_ONCE if max_values is None else max_values
    while start < n:
        stop = int(np.searchsorted(indptr, indptr[start] + max_values, side="right")) - 1
        stop = min(max(stop, start + 1), n)
        yield start, stop
        start = stop


def even_spans(n: int, p: int, max_values: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield spans of n rows of p values each, as `spans_of` does."""
    step = max(1, (VALUES_AT_ONCE if max_values is None else max_values) // max(p, 1))
    for start in range(0, n, step):
        yield start, min(start + step, n)


class Reader:
    """Reads rows of a matrix in any order, and releases the pages of a memory-mapped one from time to time."""

    def __init__(self, X):
        self.X, self._n_read = X, 0

    def __call__(self, rows: np.ndarray):
        """Return these rows, in this order."""
        values = self.X[rows]
        self._n_read += values.size  # for a sparse matrix, the stored values
        if self._n_read > _RELEASE_AFTER:
            release(self.X)
            self._n_read = 0
        return values


def release(X) -> None:
    """Release the pages of a memory-mapped matrix and of its `parts`; the system may keep them in its page cache.

    Without this, everything that was ever read counts as memory of this process, and a cluster's memory limit may
    kill it.
    """
    for part in getattr(X, "parts", ()):
        release(part)
    for array in (X.data, X.indices) if sp.issparse(X) else (X,):
        while isinstance(array, np.ndarray):
            array = array.base
        if isinstance(array, mmap.mmap):
            array.madvise(mmap.MADV_DONTNEED)


def _stack(source: Iterator[tuple[slice, Any]]) -> Any:
    parts = [block for _, block in source]
    if len(parts) == 1:
        return parts[0]
    return sp.vstack(parts, format="csr") if sp.issparse(parts[0]) else np.concatenate(parts)


def _select_rows(source: Iterator[tuple[slice, Any]], rows: np.ndarray) -> Iterator[tuple[slice, Any]]:
    for place, block in source:
        if not len(rows) or place.start > rows[-1]:
            return
        first, last = np.searchsorted(rows, [place.start, place.stop])
        if last > first:
            yield slice(int(first), int(last)), block[rows[first:last] - place.start]
