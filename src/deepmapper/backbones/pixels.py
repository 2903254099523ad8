"""First layers that read only the non-zero pixels of a pseudo-image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

# With at least this many units, transposing a batch of sparse images speeds up the gradient of a layer (measured).
_WIDE = 32

# (batch, channels, side, side); for networks with `takes_sparse` also a sparse (batch, side * side)
Pixels: TypeAlias = Tensor | sp.csr_matrix


class SparseProduct(torch.autograd.Function):
    """Sparse images times dense weights; the cost depends on the non-zero values, the order of additions is fixed."""

    @staticmethod
    def forward(ctx, weight: Tensor, images: sp.csr_matrix | sp.coo_matrix) -> Tensor:
        """Return images @ weight, (rows, out)."""
        ctx.images = images
        if isinstance(images, sp.csr_matrix) and weight.is_contiguous():  # three times as fast as scipy
            return _sums(images, weight.detach())
        return torch.from_numpy(images @ weight.detach().numpy())

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        """Return the gradient of the weights; the images need none."""
        if isinstance(ctx.images, sp.csr_matrix) and gradient.shape[1] >= _WIDE:
            # transposed, the gradient of every pixel is summed in one place and written once
            return _sums(ctx.images.tocsc(), gradient.contiguous()), None
        return torch.from_numpy(ctx.images.T @ gradient.numpy()), None


def _sums(entries: sp.csr_matrix | sp.csc_matrix, rows: Tensor) -> Tensor:
    """Multiply every row of a CSR matrix, or every column of a CSC matrix, by `rows`: (rows or columns, out)."""
    values, indices, starts = (torch.from_numpy(part) for part in (entries.data, entries.indices, entries.indptr))
    return nn.functional.embedding_bag(indices, rows, starts[:-1], mode="sum", per_sample_weights=values)


class PixelLayer(nn.Module):
    """A fully connected layer on flat images, dense or sparse; initial weights are torch's own times `scale`.

    Its weight is (pixels, out), the transpose of torch's, so that the weights of a non-zero pixel lie together in
    memory. Uninformative pixels keep the weights they start with, so a small `scale` lowers the noise that they add.
    """

    def __init__(self, pixels: int, out: int, scale: float = 1.0):
        super().__init__()
        bound = pixels**-0.5
        self.weight = nn.Parameter(torch.empty(pixels, out).uniform_(-scale * bound, scale * bound))
        self.bias = nn.Parameter(torch.empty(out).uniform_(-bound, bound))
        self._used: Tensor | None = None

    def forward(self, images: Pixels | sp.coo_matrix) -> Tensor:
        """Map (..., pixels), or a sparse (batch, pixels), to (..., out)."""
        if isinstance(images, Tensor):
            return (images if self._used is None else images[..., self._used]) @ self.weight + self.bias
        if self._used is not None:
            # the values of dropped pixels become zero, so the position that they are given does not matter
            shape = (images.shape[0], len(self._used))
            images = sp.csr_matrix((images.data, self._position[images.indices], images.indptr), shape=shape)
        return SparseProduct.apply(self.weight, images) + self.bias

    @contextmanager
    def restrict(self, used: Tensor) -> Iterator[None]:
        """Drop the weights of all pixels but `used`, (k,) indices, for a while; all other pixels have to be zero."""
        full, self._used = self.weight.detach(), used
        self._position = np.zeros(len(full), dtype=np.int32)  # of every pixel among those used
        self._position[used.cpu().numpy()] = np.arange(len(used))
        self.weight = nn.Parameter(full[used])
        try:
            yield
        finally:
            full[used] = self.weight.detach()
            self.weight, self._used = nn.Parameter(full), None
