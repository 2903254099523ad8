"""A plain convolutional network without pooling, so that every pixel keeps its position."""

from __future__ import annotations

import math

import torch
from torch import nn

from .base import Network, check_dropout, check_sizes


class Cnn(Network):
    """Four convolutions of growing width with batch normalisation, then fully connected layers on every position."""

    def __init__(
        self, side: int, in_chans: int, num_classes: int, width: int = 32, hidden: int = 256, dropout: float = 0.3
    ):
        super().__init__()
        check_sizes(width=width, hidden=hidden)
        check_dropout(dropout)
        stages: list[nn.Module] = []
        channels, stride = in_chans, max(1, math.ceil(side / 64))
        for level, out in enumerate((width, 2 * width, 4 * width, 4 * width)):
            step = stride if level == 0 else 2
            kernel = 3 if step <= 2 else 2 * step - 1
            stages += [nn.Conv2d(channels, out, kernel, step, kernel // 2, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
            channels = out
        stages += [nn.Flatten(), nn.Dropout(dropout)]
        self.body = nn.Sequential(
            *stages, nn.Linear(_output_size(stages, side, in_chans), hidden), nn.ReLU(), nn.Dropout(dropout)
        )
        self.head = nn.Linear(hidden, num_classes)


def _output_size(stages: list[nn.Module], side: int, in_chans: int) -> int:
    """Length of the vector that `stages` make from one image."""
    probe = nn.Sequential(*stages).eval()  # evaluation mode: draws no dropout, updates no batch statistics
    with torch.no_grad():
        size = probe(torch.zeros(1, in_chans, side, side)).shape[1]
    probe.train()
    return size
