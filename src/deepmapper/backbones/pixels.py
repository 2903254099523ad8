"""First layers that read only the non-zero pixels of a pseudo-image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

# Units from which on it pays to turn a batch of sparse images for the slopes of a layer's weights.
_WIDE = 32

# (batch, channels, side, side); of networks with `takes_sparse` also (batch, side * side), the values that are not zero
Pixels: TypeAlias = Tensor | sp.csr_matrix


class SparseProduct(torch.autograd.Function):
    """Sparse images times dense weights. Costs what the values that are not zero cost; a fixed order of additions."""

    @staticmethod
    def forward(ctx, weight: Tensor, images: sp.csr_matrix | sp.coo_matrix) -> Tensor:
        ctx.images = images
        if isinstance(images, sp.csr_matrix) and weight.is_contiguous():  # three times as quick as scipy's product
            return _sums(images, weight.detach())
        return torch.from_numpy(images @ weight.detach().numpy())

    @staticmethod
    def backward(ctx, slope: Tensor) -> tuple[Tensor, None]:
        if isinstance(ctx.images, sp.csr_matrix) and slope.shape[1] >= _WIDE:
            # turned, every pixel's slope is added up in one place and written once
            return _sums(ctx.images.tocsc(), slope.contiguous()), None
        return torch.from_numpy(ctx.images.T @ slope.numpy()), None


def _sums(entries: sp.csr_matrix | sp.csc_matrix, rows: Tensor) -> Tensor:
    """For every row of a CSR matrix, or every column of a CSC matrix, its values times the `rows` they point to."""
    values, which, ends = (torch.from_numpy(part) for part in (entries.data, entries.indices, entries.indptr))
    return nn.functional.embedding_bag(which, rows, ends[:-1], mode="sum", per_sample_weights=values)


class PixelLayer(nn.Module):
    """A fully connected layer on flat images, dense or sparse, drawn as torch draws its own, times `scale`.

    Its weight is (pixels, out), the other way round than torch's: what a sparse image touches lies together. A small
    `scale` leaves little of the draw in what is learnt: pixels that tell nothing keep the weights they start with.
    """

    def __init__(self, pixels: int, out: int, scale: float = 1.0):
        super().__init__()
        bound = pixels**-0.5
        self.weight = nn.Parameter(torch.empty(pixels, out).uniform_(-scale * bound, scale * bound))
        self.bias = nn.Parameter(torch.empty(out).uniform_(-bound, bound))
        self._used: Tensor | None = None

    def forward(self, images: Pixels | sp.coo_matrix) -> Tensor:
        """Map (..., pixels), or (batch, pixels) of sparse values, to (..., out)."""
        if isinstance(images, Tensor):
            return (images if self._used is None else images[..., self._used]) @ self.weight + self.bias
        if self._used is not None:
            # a value of a pixel left aside is zero: wherever it is added, it adds nothing
            shape = (images.shape[0], len(self._used))
            images = sp.csr_matrix((images.data, self._place[images.indices], images.indptr), shape=shape)
        return SparseProduct.apply(self.weight, images) + self.bias

    @contextmanager
    def only(self, used: Tensor) -> Iterator[None]:
        """Leave aside the weights of all pixels but `used`, (k,) numbers; the others have to be zero meanwhile."""
        whole, self._used = self.weight.detach(), used
        self._place = np.zeros(len(whole), dtype=np.int32)
        self._place[used.cpu().numpy()] = np.arange(len(used))
        self.weight = nn.Parameter(whole[used])
        try:
            yield
        finally:
            whole[used] = self.weight.detach()
            self.weight, self._used = nn.Parameter(whole), None
