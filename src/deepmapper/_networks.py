"""The networks themselves. Each maps images to class scores and keeps where a pixel is: none averages over positions.

Every one has `embed` (images to the vector that its last layer reads) and `head` (that vector to scores).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from .errors import InputError

# (batch, channels, side, side); of networks with `takes_sparse` also (batch, side * side), the values that are not zero
Pixels: TypeAlias = Tensor | sp.csr_matrix


class _SparseProduct(torch.autograd.Function):
    """Sparse images times dense weights. Costs what the values that are not zero cost; a fixed order of additions."""

    @staticmethod
    def forward(ctx, weight: Tensor, images: sp.csr_matrix) -> Tensor:
        ctx.images = images
        return torch.from_numpy(images @ weight.detach().numpy())

    @staticmethod
    def backward(ctx, slope: Tensor) -> tuple[Tensor, None]:
        return torch.from_numpy(ctx.images.T @ slope.numpy()), None


class PixelLayer(nn.Module):
    """A fully connected layer on flat images, dense or sparse, drawn as torch draws its own.

    Its weight is (pixels, out), the other way round than torch's: what a sparse image touches lies together.
    """

    def __init__(self, pixels: int, out: int):
        super().__init__()
        bound = pixels**-0.5
        self.weight = nn.Parameter(torch.empty(pixels, out).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out).uniform_(-bound, bound))

    def forward(self, images: Pixels) -> Tensor:
        """Map (..., pixels), or (batch, pixels) of sparse values, to (..., out)."""
        dense = isinstance(images, Tensor)
        return (images @ self.weight if dense else _SparseProduct.apply(self.weight, images)) + self.bias


class Network(nn.Module):
    """Images to scores, by way of an embedding.

    Networks with `first` and `rest` say what of them is linear in the pixels: forward(images) is rest(first(images)).
    """

    body: nn.Module
    head: nn.Module
    takes_sparse = False  # whether the values that are not zero are enough, (batch, side * side)
    prime: Callable[[Tensor, Tensor], None] | None = None  # defined by networks that start from the training samples

    def embed(self, images: Tensor) -> Tensor:
        """Map (batch, channels, side, side) to (batch, d), what the last layer reads."""
        return self.body(images)

    def forward(self, images: Tensor) -> Tensor:
        """Map images to (batch, num_classes) scores before softmax."""
        return self.head(self.embed(images))

    def loss(self, images: Tensor, targets: Tensor, weight: Tensor | None = None) -> Tensor:
        """What training lowers: the mean cross-entropy of the scores.

        Parameters
        ----------
        images
            (batch, channels, side, side).
        targets
            (batch,) class codes.
        weight
            (num_classes,) weight of every class; None for equal weights.
        """
        return nn.functional.cross_entropy(self(images).float(), targets, weight)


class Linear(Network):
    """Softmax regression on the pixels; its embedding is its scores, the pixels themselves being the data."""

    takes_sparse = True

    def __init__(self, side: int, in_chans: int, num_classes: int):
        super().__init__()
        self.head = nn.Linear(in_chans * side * side, num_classes)
        nn.init.zeros_(self.head.weight)  # convex: the start does not matter, and zero adds no noise to the ranking
        nn.init.zeros_(self.head.bias)

    def first(self, images: Pixels) -> Tensor:
        """Give the scores."""
        if isinstance(images, Tensor):
            return self.head(images.flatten(1))
        return _SparseProduct.apply(self.head.weight.T, images) + self.head.bias

    embed = forward = first

    def rest(self, seen: Tensor) -> Tensor:
        """Give the scores back."""
        return seen


class Mlp(Network):
    """Fully connected layers of `hidden` units with ReLU and dropout."""

    takes_sparse = True

    def __init__(
        self, side: int, in_chans: int, num_classes: int, hidden: int = 128, dropout: float = 0.2, num_layers: int = 1
    ):
        super().__init__()
        _check(hidden=hidden, num_layers=num_layers)
        _check_dropout(dropout)
        self.pixels = PixelLayer(in_chans * side * side, hidden)
        layers: list[nn.Module] = [nn.ReLU(), nn.Dropout(dropout)]
        for _ in range(num_layers - 1):
            layers += [nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout)]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(hidden, num_classes)

    def first(self, images: Pixels) -> Tensor:
        """The first layer before its ReLU, (batch, hidden)."""
        return self.pixels(images.flatten(1) if isinstance(images, Tensor) else images)

    def rest(self, seen: Tensor) -> Tensor:
        """From what `first` gives to the scores."""
        return self.head(self.body(seen))

    def embed(self, images: Pixels) -> Tensor:
        """Map images to what the last layer reads."""
        return self.body(self.first(images))


class CnnSmall(Network):
    """Two views of scaled pixels, one score: three strided convolutions beside one fully connected layer.

    Every pixel is scaled by a gate that the training samples set (`prime`) and training leaves alone. The fully
    connected layer sees which pixel is which, the convolutions add what neighbours of this arrangement say together;
    nothing is averaged over positions. The first convolution's kernel is as wide as its stride, so it is one product
    per patch, and both views begin with a product that costs no more than the values that are not zero.

    `width`: channels of the convolutions; `hidden`: units of the fully connected layer; `dropout`: of both.
    """

    takes_sparse = True
    gates: Tensor

    def __init__(
        self, side: int, in_chans: int, num_classes: int, width: int = 8, hidden: int = 64, dropout: float = 0.3
    ):
        super().__init__()
        _check(width=width, hidden=hidden)
        _check_dropout(dropout)
        self.side, self.hidden = side, hidden
        self.stem = min(max(4, -(-side // 24)), side)  # at most 24 × 24 places are left, whatever the side
        self.grid = -(-side // self.stem)
        self.register_buffer("gates", torch.ones(side, side))
        self.patches = PixelLayer(in_chans * self.stem**2, width)
        self.whole = PixelLayer(in_chans * side * side, hidden)
        self.local = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(width, width, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.dropout = nn.Dropout(dropout)
        left = -(-self.grid // 4)
        self.head = nn.Linear(width * left * left + hidden, num_classes)

    def first(self, images: Pixels) -> Tensor:
        """Both products, (batch, hidden + grid * grid * width): all that is linear in the pixels."""
        if isinstance(images, Tensor):
            scaled = images * self.gates
            return torch.cat([self.whole(scaled.flatten(1)), self.patches(self._cut(scaled)).flatten(1)], dim=1)
        values = images.data * self.gates.numpy().ravel()[images.indices]
        scaled = sp.csr_matrix((values, images.indices, images.indptr), shape=images.shape)
        places = self.patches(self._cut_sparse(scaled)).reshape(images.shape[0], -1)
        return torch.cat([self.whole(scaled), places], dim=1)

    def rest(self, seen: Tensor) -> Tensor:
        """From what `first` gives to the scores."""
        return self.head(self._after(seen))

    def embed(self, images: Pixels) -> Tensor:
        """Map images to what convolutions and fully connected layer say, side by side."""
        return self._after(self.first(images))

    def prime(self, spread: Tensor, evidence: Tensor) -> None:
        """Set the gates from the training samples.

        A pixel's gate is its evidence, not taken below 0.05, over its standard deviation to the power of 3/4: between
        values as they are and standardised ones. One that never varies has a gate of 0. All gates together are scaled
        so that the variances behind them add up to 100, whatever the number of pixels and the scale of the values:
        steps of one length then suit every data set.

        Parameters
        ----------
        spread
            (side, side) standard deviation of every pixel over the training samples.
        evidence
            (side, side) how far its difference between classes can be trusted, from 0 to 1 (`_images.evidence`).
        """
        gates = torch.where(spread > 1e-6, evidence.clamp_min(0.05) / spread.clamp_min(1e-6) ** 0.75, 0.0)
        self.gates.copy_(gates * (10 / (gates * spread).norm().clamp_min(1e-6)))

    def _after(self, seen: Tensor) -> Tensor:
        whole, places = seen[:, : self.hidden], seen[:, self.hidden :].reshape(len(seen), self.grid, self.grid, -1)
        return self.dropout(torch.cat([self.local(places.permute(0, 3, 1, 2)), whole.relu()], dim=1))

    def _cut(self, images: Tensor) -> Tensor:
        """Cut (batch, channels, side, side) into patches, (batch, grid * grid, channels * stem * stem)."""
        beyond = self.grid * self.stem - self.side
        padded = nn.functional.pad(images, (0, beyond, 0, beyond)) if beyond else images
        return nn.functional.pixel_unshuffle(padded, self.stem).flatten(2).transpose(1, 2)

    def _cut_sparse(self, images: sp.csr_matrix) -> sp.csr_matrix:
        """The same of sparse images: (batch * grid * grid, stem * stem)."""
        row, column = np.divmod(images.indices, self.side)
        patch = row // self.stem * self.grid + column // self.stem
        place = row % self.stem * self.stem + column % self.stem
        sample = np.repeat(np.arange(images.shape[0]), np.diff(images.indptr))
        shape = (images.shape[0] * self.grid**2, self.stem**2)
        return sp.csr_matrix((images.data, (sample * self.grid**2 + patch, place)), shape=shape)


class Cnn(Network):
    """Four convolutions of growing width with batch normalisation, then a head that sees every position."""

    def __init__(
        self, side: int, in_chans: int, num_classes: int, width: int = 32, hidden: int = 256, dropout: float = 0.3
    ):
        super().__init__()
        _check(width=width, hidden=hidden)
        _check_dropout(dropout)
        stages: list[nn.Module] = []
        channels, stride = in_chans, max(1, -(-side // 64))
        for level, out in enumerate((width, 2 * width, 4 * width, 4 * width)):
            step = stride if level == 0 else 2
            kernel = 3 if step <= 2 else 2 * step - 1
            stages += [nn.Conv2d(channels, out, kernel, step, kernel // 2, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
            channels = out
        stages += [nn.Flatten(), nn.Dropout(dropout)]
        self.body = nn.Sequential(
            *stages, nn.Linear(_width_of(stages, side, in_chans), hidden), nn.ReLU(), nn.Dropout(dropout)
        )
        self.head = nn.Linear(hidden, num_classes)


def _width_of(stages: list[nn.Module], side: int, in_chans: int) -> int:
    """Length of the vector that `stages` make of one image."""
    probe = nn.Sequential(*stages).eval()  # evaluation: no dropout drawn, no batch statistics kept
    with torch.no_grad():
        width = probe(torch.zeros(1, in_chans, side, side)).shape[1]
    probe.train()
    return width


def _check(**sizes: int) -> None:
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"extra {name}={value!r}: expected a whole number of 1 or more")


def _check_dropout(dropout: float) -> None:
    if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout < 1:
        raise InputError(f"extra dropout={dropout!r}: expected a share from 0 to less than 1")
