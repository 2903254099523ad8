"""Cells in random order for training: batches mix all sources, whatever the order in which cells are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..core.draws import Draw, stream
from ..core.words import count
from ..errors import InputError
from .cells import Cells
from .transforms import select

# Consecutive cells that are read at once, and cells among which the order is random. Runs are drawn from all sources,
# so that a batch is no batch of one study. Chosen by hand.
_RUN, _POOL = 64, 8192


@dataclass(frozen=True, eq=False)
class ShuffledCells:
    """The batches of one epoch, as a process sees them.

    All processes draw the same order and read the same cells; each batch is divided evenly among them. What is left of
    the last batch by this division, or would be a single cell, is left out in this epoch.

    Attributes
    ----------
    cells
        All cells.
    function
        What takes the batches: only keys that it names are passed.
    transforms
        Applied to each batch.
    batch_size
        Number of cells in a batch, over all processes.
    seed, epoch
        Seed of the order, and number of the epoch.
    rank, size
        This process, and how many there are.
    n_copies
        Copies of every cell that the transforms must make.
    """

    cells: Cells
    function: Callable[..., Any]
    transforms: tuple[Any, ...]
    batch_size: int
    seed: int
    epoch: int
    rank: int
    size: int
    n_copies: int = 1

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the batches.

        Raises
        ------
        InputError
            If no batch has two cells for each process, or the transforms do not copy the cells.
        """
        if min(self.batch_size, self.cells.n) // self.size < 2:
            raise InputError(
                f"Found {count(self.cells.n, 'cell')} in batches of {self.batch_size} for "
                f"{count(self.size, 'process', 'processes')}: expected two or more for each process, since "
                "training compares the cells of a batch."
            )
        rng = stream(self.seed, Draw.STREAM_ORDER, self.epoch)
        starts = rng.permutation(np.arange(0, self.cells.n, _RUN))
        values: Any = None
        places = np.empty(0, dtype=np.int64)
        for first in range(0, len(starts), _POOL // _RUN):
            rows = [slice(start, min(start + _RUN, self.cells.n)) for start in starts[first : first + _POOL // _RUN]]
            blocks = [block for run in rows for block in self.cells.blocks(run)]
            values = _stack([*([] if values is None else [values]), *blocks])
            places = np.concatenate([places, *(np.arange(run.start, run.stop) for run in rows)])
            order = rng.permutation(len(places))
            is_last = first + _POOL // _RUN >= len(starts)
            n_used = len(order) if is_last else len(order) // self.batch_size * self.batch_size
            for low in range(0, n_used, self.batch_size):
                n_own = len(order[low : low + self.batch_size][:n_used]) // self.size
                own = order[low + self.rank * n_own : low + (self.rank + 1) * n_own]
                if n_own > 1:
                    batch = self.cells.batch(values[own], places[own], True, self.transforms)
                    self._check_copies(batch, len(own))
                    yield select(self.function, batch)
            values, places = values[order[n_used:]], places[order[n_used:]]

    def _check_copies(self, batch: dict[str, Any], n: int) -> None:
        if self.n_copies > 1 and len(batch["x_ng"]) != self.n_copies * n:
            raise InputError(
                f"A batch of {count(n, 'cell')} has {count(len(batch['x_ng']), 'row')}, expected {self.n_copies} "
                "copies of every cell: add Duplicate and a random transform behind it, or SplitCounts, to transforms."
            )


def _stack(blocks: list[Any]) -> Any:
    return sp.vstack(blocks, format="csr") if sp.issparse(blocks[0]) else np.concatenate(blocks)
