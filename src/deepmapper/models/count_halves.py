"""Counts recovered from normalised values, and two copies of a cell with half of its counts each: count splitting.

The values are logarithms of scaled counts, as `io.normalize` makes them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from ..core.blocks import blocks
from .tensors import to_csr

# How far a value may be from a multiple of the cell's smallest, in counts and as a share of the value: float32 holds
# seven digits, and the logarithm costs one.
_FAR, _SHARE = 0.01, 3e-6


class SplitCounts(nn.Module):
    """Divide the counts of every cell at random into two halves, scale each to the whole, and take log1p.

    The halves of Poisson counts are independent of each other: what they share is the cell's expression, not its noise
    (Neufeld et al. 2024, doi 10.1093/biostatistics/kxac047). The smallest value of a cell is taken for one count
    (`are_counts`). torch's generator draws.

    Parameters
    ----------
    part_g
        (g,) number of the part that each feature belongs to, from 0, if parts of a cell are scaled differently; None
        for one part.
    """

    def __init__(self, part_g: np.ndarray | None = None) -> None:
        super().__init__()
        self.part_g = _tensor(part_g)

    def forward(self, x_ng: Tensor) -> dict[str, Tensor]:
        """Return the first halves of all cells, then the second in the same order, (2 n, g); sparse cells stay so.

        Parameters
        ----------
        x_ng
            (n, g) log1p of scaled counts, dense or CSR.
        """
        if x_ng.layout != torch.sparse_csr:
            return {"x_ng": self(to_csr(x_ng))["x_ng"].to_dense()}
        ends, columns, values = x_ng.crow_indices(), x_ng.col_indices(), x_ng.values()
        counts, unit = _counts(x_ng, self.part_g)
        first = torch.binomial(counts, torch.full_like(counts, 0.5))
        halves = torch.cat([torch.log1p(2 * part * unit) for part in (first, counts - first)]).to(values.dtype)
        parts = torch.cat([ends, ends[1:] + ends[-1]]), torch.cat([columns, columns]), halves
        size = 2 * x_ng.shape[0], x_ng.shape[1]
        return {"x_ng": torch.sparse_csr_tensor(*parts, size=size, check_invariants=False)}


class WithCounts(nn.Module):
    """Select features, and add the counts behind their values.

    Parameters
    ----------
    columns
        Places of the features to keep, ascending.
    part_g
        As in `SplitCounts`.
    """

    def __init__(self, columns: np.ndarray, part_g: np.ndarray | None = None) -> None:
        super().__init__()
        self.columns, self.part_g = torch.as_tensor(columns, dtype=torch.int64), _tensor(part_g)

    def forward(self, x_ng: Tensor, var_names_g: np.ndarray) -> dict[str, Tensor | np.ndarray]:
        """Return dense values and their counts, (n, columns): ``x_ng`` and ``counts_ng``, and ``var_names_g``."""
        sparse = to_csr(x_ng)
        counts = torch.sparse_csr_tensor(
            sparse.crow_indices(),
            sparse.col_indices(),
            _counts(sparse, self.part_g)[0].to(x_ng.dtype),
            size=x_ng.shape,
            check_invariants=False,
        )
        dense = [part.to_dense()[:, self.columns] for part in (sparse, counts)]
        return {"x_ng": dense[0], "counts_ng": dense[1], "var_names_g": np.asarray(var_names_g)[self.columns.numpy()]}


def _tensor(part_g: np.ndarray | None) -> Tensor | None:
    return None if part_g is None else torch.as_tensor(part_g, dtype=torch.int64)


def _counts(x_ng: Tensor, part_g: Tensor | None) -> tuple[Tensor, Tensor]:
    """Count behind every stored value of a CSR tensor, and its unit: the smallest positive value of part and cell."""
    row = torch.arange(x_ng.shape[0]).repeat_interleave(x_ng.crow_indices().diff())
    if part_g is not None:
        row = row * (int(part_g.max()) + 1) + part_g[x_ng.col_indices().long()]
    scaled = torch.expm1(x_ng.values().double())
    least = scaled.new_full((int(row.max()) + 1 if len(row) else 0,), torch.inf)
    least.scatter_reduce_(0, row, torch.where(scaled > 0, scaled, torch.inf), "amin")
    unit = torch.where(torch.isfinite(least), least, 1.0)[row]  # 1 for a part whose stored values are all 0
    return torch.where(scaled > 0, torch.round(scaled / unit), 0.0), unit


def are_counts(X: Any, rows: np.ndarray | None = None, part_g: np.ndarray | None = None) -> bool:
    """Whether values are log1p of counts, scaled by a factor for each cell of which at least one value is 1.

    Parameters
    ----------
    X
        (n, p) source of `core.blocks.blocks`, which is read once.
    rows
        Rows to look at, ascending; None for all.
    part_g
        As in `SplitCounts`.
    """
    return all(_multiples(sp.csr_matrix(block), part_g) for _, block in blocks(X, rows))


def _multiples(block: sp.csr_matrix, part_g: np.ndarray | None) -> bool:
    """Whether every value of a cell is a multiple of its smallest, before the logarithm."""
    row, positive = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr)), block.data > 0
    if (block.data < 0).any():
        return False
    if part_g is not None:
        row = row * (part_g.max() + 1) + part_g[block.indices]
    row, scaled = row[positive], np.expm1(block.data[positive].astype(np.float64))
    least = np.full(row.max(initial=-1) + 1, np.inf)
    np.minimum.at(least, row, scaled)
    multiple = scaled / least[row]
    return bool((np.abs(multiple - np.round(multiple)) <= _FAR + _SHARE * multiple).all())
