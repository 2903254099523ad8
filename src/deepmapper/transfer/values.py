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
    """

    X: np.ndarray | sp.csr_matrix
    model: Model
    gaps: tuple[Gap, ...] = ()

    @property
    def n_columns(self) -> int:
        """Number of columns that the networks read: features and chords."""
        return self.X.shape[1] + len(self.model.chords)

    def blocks(self) -> Iterator[Any]:
        """Yield the values, some samples at a time."""
        for start in range(0, self.X.shape[0], _AT_ONCE):
            block = self.X[start : start + _AT_ONCE]
            for gap in self.gaps:
                rows = slice(max(gap.rows.start - start, 0), min(gap.rows.stop - start, block.shape[0]))
                if rows.start < rows.stop and len(gap.columns):
                    block = _filled(block, rows, gap.columns, self.model.mean[gap.columns])
            yield self.model.with_chords(block)

    def take(self, rows: np.ndarray) -> Any:
        """Return the values of some samples, in ascending order."""
        block = self.X[rows]
        for gap in self.gaps:
            inside = slice(*np.searchsorted(rows, [gap.rows.start, gap.rows.stop]).tolist())
            if inside.start < inside.stop and len(gap.columns):
                block = _filled(block, inside, gap.columns, self.model.mean[gap.columns])
        return self.model.with_chords(block)


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
