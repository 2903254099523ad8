"""First layers that read only the non-zero pixels of a pseudo-image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

# With at least this many units torch's sums are faster than scipy's, for the gradient even of a batch that has to be
# transposed for them (measured).
_WIDE = 32

# Pixels whose gradients of several parts are added up at a time.
_PIXELS_AT_ONCE = 2048


@dataclass(frozen=True)
class StoredPixels:
    """The non-zero pixels of some images, one image after another, with what a network needs to know of each.

    Attributes
    ----------
    starts
        (images + 1,) int32 where each image starts.
    table
        (1 + k, pixels) int32: the bits of the float32 values, and k whole numbers for each pixel, first its place.
    """

    starts: np.ndarray
    table: np.ndarray

    @classmethod
    def of(cls, starts: np.ndarray, values: np.ndarray, *numbers: np.ndarray) -> StoredPixels:
        """Join the values of the pixels with the numbers for each of them."""
        bits = values.astype(np.float32, copy=False).view(np.int32)
        return cls(starts.astype(np.int32, copy=False), np.stack([bits, *numbers], dtype=np.int32))

    @classmethod
    def join(cls, parts: Sequence[StoredPixels]) -> StoredPixels:
        """Put images one after another."""
        starts = _starts(np.concatenate([np.diff(part.starts) for part in parts]))
        return cls(starts, np.concatenate([part.table for part in parts], axis=1))

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.starts) - 1

    @property
    def values(self) -> np.ndarray:
        """(pixels,) float32."""
        return self.table[0].view(np.float32)

    def take(self, images: np.ndarray) -> StoredPixels:
        """Return some of the images, in the order given."""
        first, last = self.starts[images], self.starts[images + 1]
        # slices are copied as they lie in memory, three times as fast as picking single pixels
        parts = [self.table[:, start:end] for start, end in zip(first.tolist(), last.tolist(), strict=True)]
        return StoredPixels(_starts(last - first), np.concatenate(parts, axis=1))

    def matrix(self, n_places: int) -> sp.csr_matrix:
        """Return the images as rows of a matrix, with every value in its place."""
        return sp.csr_matrix((self.values, self.table[1], self.starts), shape=(len(self), n_places))


def _starts(counts: np.ndarray) -> np.ndarray:
    starts = np.zeros(len(counts) + 1, dtype=np.int32)
    np.cumsum(counts, out=starts[1:])
    return starts


# (batch, channels, side, side); for networks with `takes_sparse` also a sparse (batch, side * side), or what `store` of
# the network made of it
Pixels: TypeAlias = Tensor | sp.csr_matrix | StoredPixels


def as_matrix(images: sp.csr_matrix | StoredPixels, n_places: int) -> sp.csr_matrix:
    """Return sparse images as a matrix, (batch, n_places)."""
    return images.matrix(n_places) if isinstance(images, StoredPixels) else images


class SparseProduct(torch.autograd.Function):
    """Sparse images times dense weights; the cost depends on the non-zero values, the order of additions is fixed."""

    @staticmethod
    def forward(ctx, weight: Tensor, *parts: sp.csr_matrix | sp.coo_matrix) -> tuple[Tensor, ...]:
        """Return part @ weight, (rows, out), for every part."""
        ctx.parts = parts
        return tuple(_times(part, weight.detach()) for part in parts)

    @staticmethod
    def backward(ctx, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradient of the weights; the images need none."""
        total = _transposed_times(ctx.parts[0], gradients[0])
        for part, gradient in zip(ctx.parts[1:], gradients[1:], strict=True):
            if gradient.shape[1] < _WIDE:
                total += _transposed_times(part, gradient)
                continue
            # some pixels at a time, or there would be a second gradient as large as the weights
            columns = part.tocsc()
            for start in range(0, len(total), _PIXELS_AT_ONCE):
                some = slice(start, start + _PIXELS_AT_ONCE)
                total[some] += _transposed_times(columns[:, some], gradient)
        return total, *(None for _ in ctx.parts)


def _times(images: sp.csr_matrix | sp.coo_matrix, weight: Tensor) -> Tensor:
    if isinstance(images, sp.csr_matrix) and weight.shape[1] >= _WIDE:  # three times as fast as scipy
        return _sums(images, weight)
    return torch.from_numpy(images @ weight.numpy())


def _transposed_times(images: sp.csr_matrix | sp.csc_matrix | sp.coo_matrix, gradient: Tensor) -> Tensor:
    if isinstance(images, sp.csr_matrix | sp.csc_matrix) and gradient.shape[1] >= _WIDE:
        # transposed, the gradient of every pixel is summed in one place and written once
        return _sums(images.tocsc(), gradient.contiguous())
    return torch.from_numpy(images.T @ gradient.numpy())


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

    def forward(self, images: Tensor | sp.csr_matrix | sp.coo_matrix) -> Tensor:
        """Map (..., pixels), or a sparse (batch, pixels) with the places that `places` gives, to (..., out)."""
        if isinstance(images, Tensor):
            return (images if self._used is None else images[..., self._used]) @ self.weight + self.bias
        (product,) = SparseProduct.apply(self.weight, images)
        return product + self.bias

    def forward_parts(self, parts: Sequence[Tensor | sp.csr_matrix]) -> list[Tensor]:
        """Map several batches as `forward` does; of sparse ones, their gradients of the weights are added in place."""
        if any(isinstance(part, Tensor) for part in parts):
            return [self(part) for part in parts]
        return [product + self.bias for product in SparseProduct.apply(self.weight, *parts)]

    def places(self, pixels: np.ndarray) -> np.ndarray:
        """Return where the weights of some pixels are; of dropped ones, whose values are zero, anywhere."""
        return pixels if self._used is None else self._position[pixels]

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
