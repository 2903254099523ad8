"""The networks themselves. Each maps images to class scores and keeps where a pixel is: none averages over positions.

Every one has `embed` (images to the vector that its last layer reads) and `head` (that vector to scores).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .errors import InputError


class Network(nn.Module):
    """Images to scores, by way of an embedding."""

    body: nn.Module
    head: nn.Module

    def embed(self, images: Tensor) -> Tensor:
        """Map (batch, channels, side, side) to (batch, d), what the last layer reads."""
        return self.body(images)

    def forward(self, images: Tensor) -> Tensor:
        """Map images to (batch, num_classes) scores before softmax."""
        return self.head(self.body(images))


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
        return self(images)


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
    """Three convolutions, the first strided by the size of the image, then a head that sees every position."""

    def __init__(
        self, side: int, in_chans: int, num_classes: int, width: int = 32, hidden: int = 128, dropout: float = 0.2
    ):
        super().__init__()
        _check(width=width, hidden=hidden)
        _check_dropout(dropout)
        stride = max(2, -(-side // 48))
        stages = [
            nn.Conv2d(in_chans, width, kernel_size=2 * stride - 1, stride=stride, padding=stride - 1),
            nn.ReLU(),
            nn.Conv2d(width, width, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, kernel_size=3, stride=1, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(dropout),
        ]
        self.body = nn.Sequential(
            *stages, nn.Linear(_width_of(stages, side, in_chans), hidden), nn.ReLU(), nn.Dropout(dropout)
        )
        self.head = nn.Linear(hidden, num_classes)


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


class ConvAutoencoder(nn.Module):
    """Two strided convolutions down to a Gaussian code and back."""

    def __init__(self, side: int, in_chans: int, latent_dim: int, width: int = 32):
        super().__init__()
        _check(latent_dim=latent_dim, width=width)
        self.side = side
        small = -(-side // 4)
        self.encoder = nn.Sequential(
            nn.Conv2d(in_chans, width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        size = 2 * width * small * small
        self.mean, self.log_variance = nn.Linear(size, latent_dim), nn.Linear(size, latent_dim)
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, size),
            nn.ReLU(),
            nn.Unflatten(1, (2 * width, small, small)),
            nn.ConvTranspose2d(2 * width, width, 3, stride=2, padding=1, output_padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width, in_chans, 3, stride=2, padding=1, output_padding=1),
        )

    def embed(self, images: Tensor) -> Tensor:
        """Map images to the means of their codes, (batch, latent_dim)."""
        return self.mean(self.encoder(images))

    def loss(self, images: Tensor, beta: float | None) -> Tensor:
        """Squared error of the reconstruction, with `beta` times the divergence of a sampled code unless it is None."""
        seen = self.encoder(images)
        mean = code = self.mean(seen)
        divergence = images.new_zeros(())
        if beta is not None:
            log_variance = self.log_variance(seen).clamp(-20, 20)
            code = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
            divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(1).mean()
        made = self.decoder(code)[..., : self.side, : self.side]  # odd sides come back one pixel larger
        return ((made - images) ** 2).sum(dim=(1, 2, 3)).mean() + (beta or 0.0) * divergence
