"""The networks themselves. Each maps images to class scores and keeps where a pixel is: none averages over positions.

Every one has `embed` (images to the vector that its last layer reads) and `head` (that vector to scores).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .errors import InputError


class Network(nn.Module):
    """Images to scores, by way of an embedding."""

    body: nn.Module
    head: nn.Module
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

    def __init__(self, side: int, in_chans: int, num_classes: int):
        super().__init__()
        self.body = nn.Flatten()
        self.head = nn.Linear(in_chans * side * side, num_classes)
        nn.init.zeros_(self.head.weight)  # convex: the start does not matter, and zero adds no noise to the ranking
        nn.init.zeros_(self.head.bias)

    def embed(self, images: Tensor) -> Tensor:
        """Give the scores."""
        return self.head(self.body(images))

    def forward(self, images: Tensor) -> Tensor:
        """Give the scores."""
        return self.embed(images)


class Mlp(Network):
    """Fully connected layers of `hidden` units with ReLU and dropout."""

    def __init__(
        self, side: int, in_chans: int, num_classes: int, hidden: int = 128, dropout: float = 0.2, num_layers: int = 1
    ):
        super().__init__()
        _check(hidden=hidden, num_layers=num_layers)
        _check_dropout(dropout)
        layers: list[nn.Module] = [nn.Flatten()]
        size = in_chans * side * side
        for _ in range(num_layers):
            layers += [nn.Linear(size, hidden), nn.ReLU(), nn.Dropout(dropout)]
            size = hidden
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(size, num_classes)


class CnnSmall(Network):
    """A gate for every pixel, then three strided convolutions beside one fully connected layer; both reach the scores.

    The gates start where the training samples put them (`prime`): a pixel whose class means differ by no more than
    chance starts nearly closed, none that varies is shut out, and training moves them all. The fully connected layer
    sees which pixel is which, the convolutions add what neighbours of this arrangement say together; nothing is
    averaged over positions.

    `width`: channels of the convolutions; `hidden`: units of the fully connected layer; `dropout`: of both.
    """

    def __init__(
        self, side: int, in_chans: int, num_classes: int, width: int = 8, hidden: int = 64, dropout: float = 0.3
    ):
        super().__init__()
        _check(width=width, hidden=hidden)
        _check_dropout(dropout)
        stem = min(max(4, -(-side // 24)), side)  # at most 24 × 24 places are left, whatever the number of features
        self.gates = nn.Parameter(torch.ones(side, side))
        stages = [
            nn.ZeroPad2d((0, -side % stem, 0, -side % stem)),
            # a convolution whose kernel is as wide as its stride, written as what it is: one product per patch
            nn.PixelUnshuffle(stem),
            nn.Conv2d(in_chans * stem * stem, width, kernel_size=1),
            nn.ReLU(),
            nn.Conv2d(width, width, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(dropout),
        ]
        self.local = nn.Sequential(*stages)
        self.whole = nn.Sequential(
            nn.Flatten(), nn.Linear(in_chans * side * side, hidden), nn.ReLU(), nn.Dropout(dropout)
        )
        self.head = nn.Linear(_width_of(stages, side, in_chans) + hidden, num_classes)

    def embed(self, images: Tensor) -> Tensor:
        """Map images to what convolutions and fully connected layer say, side by side."""
        gated = images * self.gates
        return torch.cat([self.local(gated), self.whole(gated)], dim=1)

    def prime(self, spread: Tensor, separation: Tensor) -> None:
        """Set the gates from the training samples.

        A pixel's gate is the share of the variation between its class means that is not chance, squared, over the
        square root of its standard deviation; the share is the factor by which James and Stein (1961) shrink a mean,
        and is not taken below a tenth. A pixel that never varies has a gate of 0.

        Parameters
        ----------
        spread
            (side, side) standard deviation of every pixel over the training samples.
        separation
            (side, side) F statistic of every pixel: variance between over variance within the classes.
        """
        share = (1 - 1 / separation.clamp_min(1)).clamp_min(0.1)
        gates = share**2 / spread.clamp_min(1e-6).sqrt()
        with torch.no_grad():
            self.gates.copy_(torch.where(spread > 1e-6, gates, torch.zeros_like(gates)))


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
