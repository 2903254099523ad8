"""Standardised features, adjusted for strata and confounders, read a block of columns at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..core.blocks import release
from ..features.design import orthonormal


@dataclass(frozen=True)
class Columns:
    """Standardised features with stratum means and confounders removed, read a block at a time.

    Attributes
    ----------
    X
        CSC (possibly memory-mapped) or dense, float32: all rows and columns.
    rows
        (n,) the rows that are screened; None for all.
    features
        (p,) the columns that are screened.
    basis
        (n, q) orthonormal float32: what is regressed out of every feature.
    clip
        Standardised values are clipped to this size, so that a few cells cannot make a product large.
    cached
        (n, p) all blocks, if they were cached; None if blocks are computed when needed.
    """

    X: sp.csc_matrix | np.ndarray
    rows: np.ndarray | None
    features: np.ndarray
    basis: np.ndarray
    clip: float
    cached: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Number of samples and of features that are screened."""
        return len(self.basis), len(self.features)

    def block(self, start: int, stop: int) -> np.ndarray:
        """Compute features start .. stop - 1: (n, stop - start) float32, column-major."""
        if self.cached is not None:
            return self.cached[:, start:stop]
        values: Any = self.X[:, self.features[start:stop]]
        if sp.issparse(values):
            values = values.toarray(order="F")
            release(self.X)
        values = np.array(values if self.rows is None else values[self.rows], dtype=np.float32, order="F")
        values -= self.basis @ (self.basis.T @ values)
        scale = np.sqrt(np.einsum("ij,ij->j", values, values) / len(values))
        values /= np.where(scale > 1e-6, scale, np.inf).astype(np.float32)  # a constant feature becomes 0
        return np.clip(values, -self.clip, self.clip, out=values)

    def select(self, positions: np.ndarray) -> Columns:
        """Return the columns at `positions` among those that are screened."""
        cached = None if self.cached is None else self.cached[:, positions]
        return replace(self, features=self.features[positions], cached=cached)

    def cache(self, block: int, memory_mb: float) -> Columns:
        """Return the same columns with all blocks in memory, if they take at most `memory_mb`."""
        n, p = self.shape
        if n * p * 4 / 2**20 > memory_mb:
            return self
        cached = np.empty((n, p), dtype=np.float32, order="F")
        for start, stop in spans(p, block):
            cached[:, start:stop] = self.block(start, stop)
        return replace(self, cached=cached)


def make_columns(
    X,
    rows: np.ndarray,
    strata: np.ndarray,
    design: np.ndarray | None,
    clip: float,
    features: np.ndarray | None = None,
) -> Columns:
    """Make columns of `rows` and `features` of `X` (None: all), with stratum means and `design`, (n, q), removed."""
    indicator = (strata[:, None] == np.unique(strata)).astype(np.float64)
    adjusted = indicator if design is None else np.hstack([indicator, design])
    return Columns(
        X.tocsc() if sp.issparse(X) else X,
        None if np.array_equal(rows, np.arange(X.shape[0])) else rows,
        np.arange(X.shape[1]) if features is None else features,
        orthonormal(adjusted),
        clip,
    )


def select_rows(X, rows: np.ndarray):
    """Select rows of a matrix that is then read by columns; the matrix itself if these are all of its rows."""
    X = X if np.array_equal(rows, np.arange(X.shape[0])) else X[rows]
    return X.tocsc() if sp.issparse(X) else X


def spans(p: int, block: int) -> Iterator[tuple[int, int]]:
    """Yield the start and end of every block."""
    for start in range(0, p, block):
        yield start, min(start + block, p)
