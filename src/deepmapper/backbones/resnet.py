"""Residual networks in plain torch: the published ResNet-18, and ResNets with a stem for small images.

Source: He et al. 2016 (arXiv:1512.03385). Layers, number of parameters and distribution of the initial weights follow
torchvision's implementation.
"""

from __future__ import annotations

import math

from torch import Tensor, nn

from .base import Network, check_dropout, check_sizes


class _Residual(nn.Module):
    """A block whose output is added to its input."""

    expansion = 1
    body: nn.Sequential

    def __init__(self, channels: int, out: int, stride: int):
        super().__init__()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != out:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(self.body(x) + self.shortcut(x))


class _Basic(_Residual):
    """Two 3 × 3 convolutions."""

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__(channels, width, stride)
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )


class _Bottleneck(_Residual):
    """A 3 × 3 convolution between two 1 × 1 convolutions, the last of which is four times as wide."""

    expansion = 4

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__(channels, 4 * width, stride)
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 4 * width, 1, bias=False),
            nn.BatchNorm2d(4 * width),
        )


class ResNet(Network):
    """Stem, four stages of residual blocks, pooling to at most `pool` × `pool` cells, and a linear layer on these.

    With `pool` 1 this is global average pooling, as published: positions with the same surroundings in the last map
    are indistinguishable. With more, each cell has weights of its own; within a cell, positions differ only by the
    phase of the strides and by the edges. `reduced` is the factor by which stem and stages divide the side.
    """

    def __init__(
        self,
        side: int,
        in_chans: int,
        num_classes: int,
        stem: nn.Sequential,
        block: type[_Residual],
        depths: tuple[int, int, int, int],
        width: int,
        dropout: float,
        pool: int,
        reduced: int,
    ):
        super().__init__()
        channels, stages = width, []
        for level, depth in enumerate(depths):
            for index in range(depth):
                stride = 2 if level > 0 and index == 0 else 1
                stages.append(block(channels, width * 2**level, stride))
                channels = width * 2**level * block.expansion
        cells = math.ceil(side / reduced)  # side of the last map
        size = math.ceil(cells / pool)
        self.body = nn.Sequential(stem, *stages, nn.AvgPool2d(size, ceil_mode=True), nn.Flatten(), nn.Dropout(dropout))
        self.head = nn.Linear(channels * math.ceil(cells / size) ** 2, num_classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")


def resnet18(side: int, in_chans: int, num_classes: int, width: int = 64, dropout: float = 0.0) -> ResNet:
    """ResNet-18 as published: 7 × 7 stem of stride 2, max-pooling, global average pooling.

    The stem was made for photographs. It divides the side by 4 before the first block, the whole network divides it by
    32, and the pooling averages over positions. Up to a side of 32 one position is left, so nothing is averaged.
    """
    check_sizes(width=width)
    check_dropout(dropout)
    stem = nn.Sequential(
        nn.Conv2d(in_chans, width, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
    )
    return ResNet(side, in_chans, num_classes, stem, _Basic, (2, 2, 2, 2), width, dropout, pool=1, reduced=32)


def resnet18_s(
    side: int, in_chans: int, num_classes: int, width: int = 64, dropout: float = 0.0, pool: int = 4
) -> ResNet:
    """ResNet-18 with a stem for small images."""
    return _small(side, in_chans, num_classes, _Basic, (2, 2, 2, 2), width, dropout, pool)


def resnet34_s(
    side: int, in_chans: int, num_classes: int, width: int = 64, dropout: float = 0.0, pool: int = 4
) -> ResNet:
    """ResNet-34 with a stem for small images."""
    return _small(side, in_chans, num_classes, _Basic, (3, 4, 6, 3), width, dropout, pool)


def resnet50_s(
    side: int, in_chans: int, num_classes: int, width: int = 64, dropout: float = 0.0, pool: int = 4
) -> ResNet:
    """ResNet-50 with a stem for small images."""
    return _small(side, in_chans, num_classes, _Bottleneck, (3, 4, 6, 3), width, dropout, pool)


def _small(side, in_chans, num_classes, block, depths, width, dropout, pool) -> ResNet:
    """Build with a stem of one 3 × 3 convolution of stride 1, without max-pooling: the first stage sees every pixel."""
    check_sizes(width=width, pool=pool)
    check_dropout(dropout)
    stem = nn.Sequential(nn.Conv2d(in_chans, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
    return ResNet(side, in_chans, num_classes, stem, block, depths, width, dropout, pool, reduced=8)
