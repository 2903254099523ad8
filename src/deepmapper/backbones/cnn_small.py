"""The default network: a small gated network on the pseudo-image that keeps every pixel's position."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from .network import Network, check, check_dropout
from .pixels import PixelLayer, Pixels

# Most places a side that the first convolution of cnn_small leaves, whatever the size of the image.
_GRID = 16

# Pixels of equal variance that the gates of cnn_small should leave.
_EFFECTIVE = 500

# What the gates take evidence and correlation ratio for, at least: no pixel that varies is shut out.
_MIN_EVIDENCE, _MIN_RATIO = 0.05, 0.03

# Share of pixels in use above which it does not pay to leave the others aside.
_NEARLY_ALL = 0.8


class CnnSmall(Network):
    """Two views of scaled pixels, one score: three strided convolutions beside one fully connected layer.

    Every pixel is scaled by a gate that the training samples set (`prime`) and training leaves alone. The fully
    connected layer sees which pixel is which, the convolutions add what neighbours of this arrangement say together;
    nothing is averaged over positions. A convolution's kernel is as wide as its stride, so each is one product per
    patch, and both views begin with a product that costs no more than the values that are not zero.

    `width`: channels of the convolutions; `hidden`: units of the fully connected layer; `dropout`: of both.
    """

    takes_sparse = True
    gates: Tensor

    def __init__(
        self, side: int, in_chans: int, num_classes: int, width: int = 8, hidden: int = 64, dropout: float = 0.3
    ):
        super().__init__()
        check(width=width, hidden=hidden)
        check_dropout(dropout)
        self.side, self.hidden = side, hidden
        self.stem = min(max(4, -(-side // _GRID)), side)
        self.grid = -(-side // self.stem)
        row, column = np.divmod(np.arange(side * side, dtype=np.int32), np.int32(side))
        self._patch = row // self.stem * self.grid + column // self.stem  # of every pixel, and its place therein
        self._place = row % self.stem * self.stem + column % self.stem
        self.register_buffer("gates", torch.ones(side, side))
        self.patches = PixelLayer(in_chans * self.stem**2, width, scale=0.1)
        self.whole = PixelLayer(in_chans * side * side, hidden, scale=0.1)
        self.local = nn.ModuleList(nn.Linear(4 * width, width) for _ in range(2))
        self.dropout = nn.Dropout(dropout)
        left = -(-self.grid // 4)
        self.head = nn.Linear(width * left * left + hidden, num_classes)

    def first(self, images: Pixels) -> Tensor:
        """Both products, (batch, hidden + grid * grid * width): all that is linear in the pixels."""
        return torch.cat([part.flatten(1) for part in self._views(images)], dim=1)

    def rest(self, seen: Tensor) -> Tensor:
        """From what `first` gives to the scores."""
        return self.head(self._after(*seen.split([self.hidden, seen.shape[1] - self.hidden], dim=1)))

    def embed(self, images: Pixels) -> Tensor:
        """Map images to what convolutions and fully connected layer say, side by side."""
        return self._after(*self._views(images))

    def _views(self, images: Pixels) -> tuple[Tensor, Tensor]:
        """Give what the fully connected layer and what the patches make of the scaled pixels, before their ReLU."""
        if isinstance(images, Tensor):
            scaled = images * self.gates
            return self.whole(scaled.flatten(1)), self.patches(self._cut(scaled))
        values = images.data * self.gates.numpy().ravel()[images.indices]
        scaled = sp.csr_matrix((values, images.indices, images.indptr), shape=images.shape)
        return self.whole(scaled), self.patches(self._cut_sparse(scaled))

    def prime(self, spread: Tensor, ratio: Tensor, evidence: Tensor) -> None:
        """Set the gates from the training samples.

        A gate is e · r^t / s^(1 - t): e the pixel's evidence, not taken below 0.05, r its correlation ratio with the
        classes, not below 0.03, s its standard deviation. With t = 0 pixels are standardised, with t = 1 they keep
        their values and are weighed by what they tell. It is the smallest t from 0 to 1 at which the images weigh no
        more pixels than 500 of equal variance would (`effective_number`): where few pixels carry evidence none has to
        be held back, where thousands do the small ones would drown the rest in their noise. A pixel that never varies
        has a gate of 0. All gates together are scaled so that the variances behind them add up to 100, whatever the
        number of pixels and the scale of the values: steps of one length then suit every data set.

        Parameters
        ----------
        spread
            (side, side) standard deviation of every pixel over the training samples.
        ratio, evidence
            (side, side) how much of its variation lies between classes, and how far that can be trusted; both from 0
            to 1 (`_images.Images.statistics`).
        """
        varies = spread > 1e-6
        if not varies.any():
            self.gates.zero_()
            return
        s, r, e = (values[varies].cpu().double() for values in (spread, ratio, evidence))
        r, e = r.clamp_min(_MIN_RATIO), e.clamp_min(_MIN_EVIDENCE)
        low, high = 0.0, 1.0  # t is between them; more of it leaves fewer pixels
        if effective_number((e * s**low) ** 2) <= _EFFECTIVE:
            high = low
        for _ in range(20):
            middle = (low + high) / 2
            enough = effective_number((e * r**middle * s**middle) ** 2) > _EFFECTIVE
            low, high = (middle, high) if enough else (low, middle)
        gates = e * r**high / s ** (1 - high)
        gates = gates * (10 / (gates * s).norm())
        self.gates.copy_(torch.zeros_like(self.gates).masked_scatter(varies, gates.to(self.gates)))

    def training_weights(self) -> AbstractContextManager[None]:
        """Leave the weights of pixels with a gate of 0 aside: half of them and more in counts of single cells."""
        used = torch.nonzero(self.gates.flatten()).flatten()
        return self.whole.only(used) if len(used) < _NEARLY_ALL * self.gates.numel() else nullcontext()

    def _after(self, whole: Tensor, places: Tensor) -> Tensor:
        places = places.reshape(len(whole), self.grid, self.grid, -1)
        for convolution in self.local:
            places = convolution(_quartered(places.relu()))
        return self.dropout(torch.cat([places.relu().flatten(1), whole.relu()], dim=1))

    def _cut(self, images: Tensor) -> Tensor:
        """Cut (batch, channels, side, side) into patches, (batch, grid * grid, channels * stem * stem)."""
        beyond = self.grid * self.stem - self.side
        padded = nn.functional.pad(images, (0, beyond, 0, beyond)) if beyond else images
        return nn.functional.pixel_unshuffle(padded, self.stem).flatten(2).transpose(1, 2)

    def _cut_sparse(self, images: sp.csr_matrix) -> sp.coo_matrix:
        """The same of sparse images: (batch * grid * grid, stem * stem)."""
        before = np.arange(images.shape[0], dtype=np.int32) * self.grid**2
        patch = np.repeat(before, np.diff(images.indptr)) + self._patch[images.indices]
        shape = (images.shape[0] * self.grid**2, self.stem**2)
        return sp.coo_matrix((images.data, (patch, self._place[images.indices])), shape=shape)


def _quartered(places: Tensor) -> Tensor:
    """Lay every 2 × 2 places of (batch, height, width, channels) behind one another; an odd last one is met by 0."""
    height, width = places.shape[1:3]
    if width % 2 or height % 2:  # where both are even, padding would still copy
        places = nn.functional.pad(places, (0, 0, 0, width % 2, 0, height % 2))
    return places.unflatten(2, (-1, 2)).unflatten(1, (-1, 2)).transpose(2, 3).flatten(3)


def effective_number(variances: Tensor) -> float:
    """How many equal variances would be spread as widely as these: (Σ v)² / Σ v² (Kish 1965)."""
    return float(variances.sum() ** 2 / (variances**2).sum())
