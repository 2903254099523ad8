"""Values of new samples as networks read them: a block at a time, with gaps filled and chords appended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from .model import Model

# Samples that are read at once; chosen by hand.
_AT_ONCE = 2048


@dataclass(frozen=True, eq=False)
class Gap:
    """Features that the samples of one file lack.

    Attributes
    ----------
    rows
        The samples.
    columns
        Positions of the features.
    """

    rows: slice
    columns: np.ndarray


@dataclass(frozen=True, eq=False)
class Shift:
    """Factors of features that the samples of one file are divided by.

    Attributes
    ----------
    rows
        The samples.
    logs
        (p,) natural logarithms of the factors.
    """

    rows: slice
    logs: np.ndarray


@dataclass(frozen=True, eq=False)
class NewValues:
    """Normalised values of new samples on the features of a model.

    Features that a file lacks have the mean of the labelled samples: with 0 the samples would look unlike all others.

    Attributes
    ----------
    X
        (n, p) dense or CSR, possibly memory-mapped; 0 where features are missing.
    model
        The model.
    gaps
        What is missing.
    shifts
        What is divided by factors; the values are logarithms of one plus something.
    """

    X: np.ndarray | sp.csr_matrix
    model: Model
    gaps: tuple[Gap, ...] = ()
    shifts: tuple[Shift, ...] = ()

    @property
    def n_columns(self) -> int:
        """Number of columns that the networks read: features and chords."""
        return self.X.shape[1] + len(self.model.chords)

    @property
    def lost(self) -> float:
        """Largest share of the importance that a file lacks."""
        total = float(self.model.importance.sum())
        if total <= 0:
            return 0.0
        return max((float(self.model.importance[gap.columns].sum()) / total for gap in self.gaps), default=0.0)

    def blocks(self) -> Iterator[Any]:
        """Yield the values, some samples at a time."""
        for start in range(0, self.X.shape[0], _AT_ONCE):
            block = self.X[start : start + _AT_ONCE]
            for shift in self.shifts:
                rows = slice(max(shift.rows.start - start, 0), min(shift.rows.stop - start, block.shape[0]))
                if rows.start < rows.stop:
                    block = _divided(block, rows, shift.logs)
            for gap in self.gaps:
                rows = slice(max(gap.rows.start - start, 0), min(gap.rows.stop - start, block.shape[0]))
                if rows.start < rows.stop and len(gap.columns):
                    block = _filled(block, rows, gap.columns, self.model.mean[gap.columns])
            yield self.model.with_chords(block)

    def take(self, rows: np.ndarray) -> Any:
        """Return the values of some samples, in ascending order."""
        block = self.X[rows]
        for shift in self.shifts:
            inside = slice(*np.searchsorted(rows, [shift.rows.start, shift.rows.stop]).tolist())
            if inside.start < inside.stop:
                block = _divided(block, inside, shift.logs)
        for gap in self.gaps:
            inside = slice(*np.searchsorted(rows, [gap.rows.start, gap.rows.stop]).tolist())
            if inside.start < inside.stop and len(gap.columns):
                block = _filled(block, inside, gap.columns, self.model.mean[gap.columns])
        return self.model.with_chords(block)


def parts_of(X: Any, rows: slice) -> Iterator[Any]:
    """Yield consecutive rows of a matrix, some at a time, so that a large file is not copied as a whole."""
    for start in range(rows.start, rows.stop, _AT_ONCE):
        yield X[start : min(start + _AT_ONCE, rows.stop)]


def gaps_of(sources: Sequence[Mapping[str, Any]], model: Model) -> tuple[Gap, ...]:
    """Return the gaps of files, in the order of their samples: their "n_cells" and the names that are "missing"."""
    position = {name: i for i, name in enumerate(model.features)}
    gaps, start = [], 0
    for source in sources:
        stop = start + source["n_cells"]
        columns = np.array(sorted(position[name] for name in source["missing"]), dtype=np.int64)
        gaps.append(Gap(slice(start, stop), columns))
        start = stop
    return tuple(gaps)


def _filled(block: Any, rows: slice, columns: np.ndarray, values: np.ndarray) -> Any:
    """Return a block in which some rows have the same values in some columns, which were 0."""
    if not sp.issparse(block):
        block = np.array(block)
        block[rows, columns] = values
        return block
    used = values != 0
    columns, values, n = columns[used], values[used], rows.stop - rows.start
    shape = (block.shape[0], block.shape[1])
    places = np.repeat(np.arange(rows.start, rows.stop), len(columns)), np.tile(columns, n)
    added = sp.csr_matrix((np.tile(values.astype(np.float32), n), places), shape=shape)
    return sp.csr_matrix(block + added)


def _divided(block: Any, rows: slice, logs: np.ndarray) -> Any:
    """Return a block of logarithms in which some rows are divided by factors, and keep their totals."""
    if not sp.issparse(block):
        block = np.array(block)
        before = np.expm1(block[rows].astype(np.float64))
        after = before * np.exp(-logs)
        total = after.sum(1, keepdims=True)
        after *= np.divide(before.sum(1, keepdims=True), total, out=np.ones_like(total), where=total > 0)
        block[rows] = np.log1p(after)
        return block
    block = sp.csr_matrix(block, copy=True)
    inside = slice(block.indptr[rows.start], block.indptr[rows.stop])
    row = np.repeat(np.arange(rows.stop - rows.start), np.diff(block.indptr[rows.start : rows.stop + 1]))
    before = np.expm1(block.data[inside].astype(np.float64))
    after = before * np.exp(-logs[block.indices[inside]])
    totals = [np.bincount(row, part, minlength=rows.stop - rows.start) for part in (before, after)]
    scale = np.divide(totals[0], totals[1], out=np.ones_like(totals[0]), where=totals[1] > 0)
    block.data[inside] = np.log1p(after * scale[row])
    return block
