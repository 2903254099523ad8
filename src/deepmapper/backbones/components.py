"""A network that reads components of the features instead of the features."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from .base import Network


class OnComponents(Network):
    """Projects the pixels on fixed axes, and passes the standardised scores to another network as its pixels.

    The projection is a layer of this network, so scores are attributed to the features through the loadings.

    Parameters
    ----------
    inner
        The network on the components.
    n_pixels
        Pixels of an image.
    n_components
        Number of components.
    inner_side, in_chans
        Side and channels of the images of `inner`.
    """

    def __init__(self, inner: Network, n_pixels: int, n_components: int, inner_side: int, in_chans: int) -> None:
        super().__init__()
        self.inner, self.learns_kinds = inner, inner.learns_kinds
        self.inner_side, self.in_chans = inner_side, in_chans
        self.register_buffer("axes", torch.zeros((n_pixels, n_components)))
        self.register_buffer("centre", torch.zeros(n_components))

    axes: Tensor
    centre: Tensor

    @property
    def n_components(self) -> int:
        """Number of components."""
        return self.axes.shape[1]

    @property
    def head(self) -> nn.Module:  # type: ignore[override]
        """The last layer of the network on the components."""
        return self.inner.head

    def scores(self, images: Tensor) -> Tensor:
        """Map (batch, channels, side, side), whose channels are equal, to (batch, components)."""
        return images[:, 0].flatten(1) @ self.axes - self.centre

    def as_images(self, scores: Tensor) -> Tensor:
        """Place scores on the pixels of the images of the inner network."""
        padded = nn.functional.pad(scores, (0, self.inner_side**2 - scores.shape[1]))
        return padded.view(-1, 1, self.inner_side, self.inner_side).expand(-1, self.in_chans, -1, -1)

    def embed(self, images: Tensor) -> Tensor:
        """Map images to the input of the last layer."""
        return self.inner.embed(self.as_images(self.scores(images)))

    def forward(self, images: Tensor) -> Tensor:
        """Map images to scores of the classes."""
        return self.inner(self.as_images(self.scores(images)))

    def training_weights(self, sparse: bool = False) -> AbstractContextManager[None]:
        """Return the context in which the inner network trains, whose images are dense ones."""
        return self.inner.training_weights()

    def loss(
        self, images: Tensor, targets: Tensor, weight: Tensor | None = None, kinds: Tensor | None = None
    ) -> Tensor:
        """Return the training loss of the inner network."""
        return self.inner.loss(self.as_images(self.scores(images)), targets, weight, kinds)
