"""Convolutional autoencoder, plain or variational, and a classifier on its code.

Source of the variational form: Kingma & Welling 2014 (arXiv:1312.6114).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..errors import InputError
from .base import Network, check_sizes
from .class_loss import class_loss


class ConvAutoencoder(nn.Module):
    """Two strided convolutions down to a Gaussian code and back up; the first stride grows with the image."""

    def __init__(self, side: int, in_chans: int, latent_dim: int = 32, width: int = 32):
        super().__init__()
        check_sizes(latent_dim=latent_dim, width=width)
        self.side = side
        stride = max(2, math.ceil(side / 64))
        grid = math.ceil(math.ceil(side / stride) / 2)  # side of the map after both convolutions
        self.encoder = nn.Sequential(
            nn.Conv2d(in_chans, width, 2 * stride - 1, stride, stride - 1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        size = 2 * width * grid * grid
        self.mean, self.log_variance = nn.Linear(size, latent_dim), nn.Linear(size, latent_dim)
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, size),
            nn.ReLU(),
            nn.Unflatten(1, (2 * width, grid, grid)),
            nn.ConvTranspose2d(2 * width, width, 3, stride=2, padding=1, output_padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width, in_chans, 2 * stride - 1, stride, stride - 1, output_padding=stride - 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map images to the means of their codes, (batch, latent_dim)."""
        return self.mean(self.encoder(images))

    embed = forward

    def rebuild(self, images: Tensor, beta: float | None) -> tuple[Tensor, Tensor]:
        """Encode and decode once, as training does.

        Parameters
        ----------
        images
            (batch, channels, side, side).
        beta
            Weight of the Kullback-Leibler divergence between the code and a standard normal; None for a plain
            autoencoder, which decodes the mean instead of a random draw.

        Returns
        -------
        tuple
            The means of the codes, (batch, latent_dim); and the loss: the squared error, summed over pixels and
            averaged over images, plus `beta` times the divergence.
        """
        encoded = self.encoder(images)
        mean = code = self.mean(encoded).float()
        divergence = images.new_zeros(())
        if beta is not None:
            log_variance = self.log_variance(encoded).float().clamp(-20, 20)
            code = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
            divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(1).mean()
        rebuilt = self.decoder(code)[..., : self.side, : self.side]  # the strides may round the side up
        error = ((rebuilt.float() - images) ** 2).sum(dim=(1, 2, 3)).mean()
        return mean, error + (beta or 0.0) * divergence


class ConvVae(Network):
    """A classifier on the code of a variational autoencoder: the code must predict the class and rebuild the image.

    The loss is cross-entropy + `reconstruction` × (squared error + `beta` × divergence) / values in the image.
    """

    def __init__(
        self,
        side: int,
        in_chans: int,
        num_classes: int,
        latent_dim: int = 32,
        width: int = 32,
        reconstruction: float = 1.0,
        beta: float = 1.0,
    ):
        super().__init__()
        for name, value in (("reconstruction", reconstruction), ("beta", beta)):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
                raise InputError(f"extra {name}={value!r}: expected a number of 0 or more")
        self.reconstruction, self.beta = reconstruction, beta
        self.body: ConvAutoencoder = ConvAutoencoder(side, in_chans, latent_dim, width)
        self.head = nn.Linear(latent_dim, num_classes)

    def loss(
        self, images: Tensor, targets: Tensor, weight: Tensor | None = None, kinds: Tensor | None = None
    ) -> Tensor:
        """Return the cross-entropy of the class from the mean code, plus the autoencoder's loss per image value."""
        mean, autoencoder_loss = self.body.rebuild(images, self.beta)
        of_classes = class_loss(self.head(mean), targets, weight, kinds)
        return of_classes + self.reconstruction * autoencoder_loss / images[0].numel()
