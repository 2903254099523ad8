"""A matrix read in blocks, without some of its columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


class OtherColumns:
    """A source without some of its columns, a source for `core.blocks.blocks`.

    Attributes
    ----------
    shape
        Rows, and columns that are left.
    sums
        Sums of the columns left out and of all columns, once the blocks have been read.
    """

    def __init__(self, source: Any, left_out: np.ndarray) -> None:
        self.path, self.key = source.path, source.key
        self._source, self._left_out = source, left_out
        self._kept = np.setdiff1d(np.arange(source.shape[1]), left_out)
        self.shape = source.shape[0], len(self._kept)
        self.sums = (0.0, 0.0)

    def blocks(self) -> Iterator[tuple[slice, Any]]:
        """Yield the positions of each block's rows, and the block."""
        of_left_out = of_all = 0.0
        for place, block in self._source.blocks():
            of_left_out += float(block[:, self._left_out].sum(dtype=np.float64))
            of_all += float(block.sum(dtype=np.float64))
            yield place, block[:, self._kept]
        self.sums = of_left_out, of_all
