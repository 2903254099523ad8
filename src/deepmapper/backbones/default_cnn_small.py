"""The default network: a small gated network in which every pixel keeps its position."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from .base import Network, check_dropout, check_sizes
from .pixels import PixelLayer, Pixels, StoredPixels

# Maximum side of the grid of patches, whatever the size of the image; chosen by hand.
_MAX_GRID = 16

# The gates leave about as many effective pixels as this many of equal variance; chosen by hand.
_N_EFFECTIVE = 500

# Lower bounds of shrinkage and correlation ratio in a gate, so that no pixel that varies is shut out; chosen by hand.
_MIN_SHRINKAGE, _MIN_RATIO = 0.05, 0.03

# Norm of the gated standard deviations: the gated variances add up to its square. The initial weights suit this scale.
_GATED_NORM = 10

# If more than this share of the pixels varies, dropping the others does not pay.
_NEARLY_ALL = 0.8

# Initial weights on the pixels are this small, so that uninformative pixels add little noise; see `PixelLayer`.
_WEIGHT_SCALE = 0.1


class CnnSmall(Network):
    """Two views of gated pixels, one score: three strided convolutions in parallel with one fully connected layer.

    Every pixel is multiplied by a gate that is computed from the training samples (`prime`) and not trained. The fully
    connected layer has weights for every pixel; the convolutions add what neighbours in this arrangement contribute
    together. Nothing is averaged over positions. The kernel of a convolution is as wide as its stride, so a convolution
    is one product per patch, and the first product of both views costs no more than the non-zero values.

    `width`: channels of the convolutions; `hidden`: units of the fully connected layer; `dropout`: of both.
    """

    takes_sparse = True
    gates: Tensor

    def __init__(
        self, side: int, in_chans: int, num_classes: int, width: int = 8, hidden: int = 64, dropout: float = 0.3
    ):
        super().__init__()
        check_sizes(width=width, hidden=hidden)
        check_dropout(dropout)
        self.side, self.hidden = side, hidden
        self.stem = min(max(4, math.ceil(side / _MAX_GRID)), side)
        self.grid = math.ceil(side / self.stem)
        row, column = np.divmod(np.arange(side * side, dtype=np.int32), np.int32(side))
        self._patch = row // self.stem * self.grid + column // self.stem  # of every pixel
        self._place = row % self.stem * self.stem + column % self.stem  # of every pixel within its patch
        self.register_buffer("gates", torch.ones(side, side))
        self.patches = PixelLayer(in_chans * self.stem**2, width, scale=_WEIGHT_SCALE)
        self.whole = PixelLayer(in_chans * side * side, hidden, scale=_WEIGHT_SCALE)
        self.local = nn.ModuleList(nn.Linear(4 * width, width) for _ in range(2))
        self.dropout = nn.Dropout(dropout)
        last_grid = math.ceil(self.grid / 4)
        self.head = nn.Linear(width * last_grid**2 + hidden, num_classes)

    def first_layer(self, images: Pixels) -> Tensor:
        """Return both first products side by side, (batch, hidden + grid * grid * width); linear in the pixels."""
        return torch.cat([view.flatten(1) for view in self._views(images)], dim=1)

    def later_layers(self, hidden: Tensor) -> Tensor:
        """Map the output of `first_layer` to the scores."""
        return self.head(self._embed_views(*hidden.split([self.hidden, hidden.shape[1] - self.hidden], dim=1)))

    def embed(self, images: Pixels) -> Tensor:
        """Map images to the outputs of the convolutions and of the fully connected layer, side by side."""
        return self._embed_views(*self._views(images))

    def prime(self, spread: Tensor, ratio: Tensor, shrinkage: Tensor) -> None:
        """Set the gates from the training samples.

        A gate is e · r^t / s^(1 - t), where e is the pixel's shrinkage, at least 0.05; r its correlation ratio with the
        classes, at least 0.03; and s its standard deviation. With t = 0 pixels are standardised, with t = 1 they keep
        their values and are weighted by how informative they are of the classes. t is the smallest from 0 to 1 at
        which the images have no more effective pixels than 500 of equal variance (`effective_number`): if few pixels
        are informative, none has to be held back; if thousands are, the small ones would drown the rest in their noise.
        A pixel that never varies has a gate of 0. All gates are scaled so that the gated variances add up to 100,
        whatever the number of pixels and the scale of the values, so that one learning rate suits every data set.

        Parameters
        ----------
        spread
            (side, side) standard deviation of every pixel over the training samples.
        ratio, shrinkage
            (side, side) how much of its variation lies between classes, and how far that can be trusted; both from 0
            to 1 (`Images.statistics`).
        """
        varies = spread > 1e-6
        if not varies.any():
            self.gates.zero_()
            return
        s, r, e = (values[varies].cpu().double() for values in (spread, ratio, shrinkage))
        r, e = r.clamp_min(_MIN_RATIO), e.clamp_min(_MIN_SHRINKAGE)
        low, high = 0.0, 1.0  # bisection: t lies between them, and a larger t leaves fewer effective pixels
        if effective_number((e * s**low) ** 2) <= _N_EFFECTIVE:
            high = low
        for _ in range(20):
            middle = (low + high) / 2
            if effective_number((e * r**middle * s**middle) ** 2) > _N_EFFECTIVE:
                low = middle
            else:
                high = middle
        gates = e * r**high / s ** (1 - high)
        gates = gates * (_GATED_NORM / (gates * s).norm())
        self.gates.copy_(torch.zeros_like(self.gates).masked_scatter(varies, gates.to(self.gates)))

    def training_weights(self, sparse: bool = False) -> AbstractContextManager[None]:
        """Drop the weights of pixels with a gate of 0: in single-cell counts, half of all pixels or more."""
        used = torch.nonzero(self.gates.flatten()).flatten()
        return self.whole.restrict(used) if len(used) < _NEARLY_ALL * self.gates.numel() else nullcontext()

    def store(self, images: sp.csr_matrix) -> StoredPixels:
        """Return gated pixels, each with the place of its weights, its patch and its place within the patch."""
        values, pixels = images.data * self.gates.numpy().ravel()[images.indices], images.indices
        return StoredPixels.of(
            images.indptr, values, self.whole.places(pixels), self._patch[pixels], self._place[pixels]
        )

    def _views(self, images: Pixels) -> tuple[Tensor, Tensor]:
        """Return the outputs of the fully connected layer and of the patches for the gated pixels, before ReLU."""
        if isinstance(images, Tensor):
            gated = images * self.gates
            return self.whole(gated.flatten(1)), self.patches(self._cut(gated))
        stored = images if isinstance(images, StoredPixels) else self.store(images)
        return self.whole(stored.matrix(len(self.whole.weight))), self.patches(self._cut_stored(stored))

    def _embed_views(self, whole: Tensor, patches: Tensor) -> Tensor:
        """Apply the further convolutions to the patches and join both views."""
        patches = patches.reshape(len(whole), self.grid, self.grid, -1)
        for convolution in self.local:
            patches = convolution(_stack_2x2(patches.relu()))
        return self.dropout(torch.cat([patches.relu().flatten(1), whole.relu()], dim=1))

    def _cut(self, images: Tensor) -> Tensor:
        """Cut (batch, channels, side, side) into patches, (batch, grid * grid, channels * stem * stem)."""
        padding = self.grid * self.stem - self.side
        padded = nn.functional.pad(images, (0, padding, 0, padding)) if padding else images
        return nn.functional.pixel_unshuffle(padded, self.stem).flatten(2).transpose(1, 2)

    def _cut_stored(self, images: StoredPixels) -> sp.coo_matrix:
        """Cut sparse images into patches, (batch * grid * grid, stem * stem)."""
        _, _, patch, place = images.table
        first_patch = np.arange(len(images), dtype=np.int32) * np.int32(self.grid**2)
        patch = np.repeat(first_patch, np.diff(images.starts)) + patch
        return sp.coo_matrix((images.values, (patch, place)), shape=(len(images) * self.grid**2, self.stem**2))


def _stack_2x2(patches: Tensor) -> Tensor:
    """Stack the channels of every 2 × 2 block of (batch, height, width, channels); odd sides are padded with 0."""
    height, width = patches.shape[1:3]
    if width % 2 or height % 2:  # a padding of nothing would still copy
        patches = nn.functional.pad(patches, (0, 0, 0, width % 2, 0, height % 2))
    return patches.unflatten(2, (-1, 2)).unflatten(1, (-1, 2)).transpose(2, 3).flatten(3)


def effective_number(variances: Tensor) -> float:
    """Return how many equal variances would be as evenly spread as these: (Σ v)² / Σ v² (Kish 1965)."""
    return float(variances.sum() ** 2 / (variances**2).sum())
