"""Matrices in an h5ad or zarr, read in blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.blocks import transpose_blocks
from .assemble import to_float32
from .h5ad import read_blocks
from .open import OPENERS


@dataclass(frozen=True)
class StoredMatrix:
    """A CSR or dense matrix of AnnData in an h5ad or zarr, a source for `core.blocks.blocks`.

    Attributes
    ----------
    path, key
        The file, and the path of the matrix in it.
    shape
        Rows and columns.
    """

    path: Path
    key: str
    shape: tuple[int, int]

    def blocks(self) -> Iterator[tuple[slice, Any]]:
        """Yield the positions of each block's rows, and the block: CSR or an array, float32, without stored zeros."""
        yield from self.blocks_between(0, self.shape[0])

    def blocks_between(self, start: int, stop: int) -> Iterator[tuple[slice, Any]]:
        """Yield the blocks of rows `start` to `stop` (exclusive), as `blocks` does; the others are not read."""
        source = f"{self.path} ({self.key})"
        with _open_container(self.path) as file:
            for place, block in read_blocks(file[self.key], self.shape, source, start, stop):
                yield place, to_float32(block, source)


@dataclass(frozen=True)
class StoredCSC:
    """A CSC matrix of AnnData in an h5ad or zarr, a source for `core.blocks.blocks`; it is read twice.

    Attributes
    ----------
    path, key
        The file, and the path of the matrix in it.
    shape
        Rows and columns.
    folder
        Folder for an unnamed temporary file of 12 bytes per value.
    """

    path: Path
    key: str
    shape: tuple[int, int]
    folder: Path

    def blocks(self) -> Iterator[tuple[slice, Any]]:
        """Yield the positions of each block's rows, and the block: CSR float32, without stored zeros."""
        n, p = self.shape
        columns = StoredMatrix(self.path, self.key, (p, n))  # the arrays of CSC are those of the transpose as CSR
        counts = sum((np.bincount(block.indices, minlength=n) for _, block in columns.blocks()), np.zeros(n))
        yield from transpose_blocks(columns, counts, self.folder)


def _open_container(path: Path) -> AbstractContextManager[Any]:
    return OPENERS["zarr" if path.is_dir() else "h5ad"](path)
