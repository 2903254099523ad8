"""Networks that read components or an embedding of the features instead of the features."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from .base import Network


class OnScores(Network):
    """Computes a few scores from the pixels by a fixed map, and passes them to another network as its pixels.

    The map is part of this network, so gradients, and with them attributions, go through it to the features.

    Parameters
    ----------
    inner
        The network on the scores.
    n_components
        Number of scores.
    inner_side, in_chans
        Side and channels of the images of `inner`.
    """

    def __init__(self, inner: Network, n_components: int, inner_side: int, in_chans: int) -> None:
        super().__init__()
        self.inner, self.learns_kinds = inner, inner.learns_kinds
        self.n_components, self.inner_side, self.in_chans = n_components, inner_side, in_chans

    @property
    def head(self) -> nn.Module:  # type: ignore[override]
        """The last layer of the network on the scores."""
        return self.inner.head

    def scores(self, images: Tensor) -> Tensor:
        """Map (batch, channels, side, side), whose channels are equal, to (batch, components)."""
        raise NotImplementedError

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


class OnComponents(OnScores):
    """A network on standardised scores of components; `axes` and `centre` are set by `passes.components`.

    Parameters
    ----------
    inner, n_components, inner_side, in_chans
        As in `OnScores`.
    n_pixels
        Pixels of an image.
    """

    axes: Tensor
    centre: Tensor

    def __init__(self, inner: Network, n_pixels: int, n_components: int, inner_side: int, in_chans: int) -> None:
        super().__init__(inner, n_components, inner_side, in_chans)
        self.register_buffer("axes", torch.zeros((n_pixels, n_components)))
        self.register_buffer("centre", torch.zeros(n_components))

    def scores(self, images: Tensor) -> Tensor:
        """Map (batch, channels, side, side), whose channels are equal, to (batch, components)."""
        return images[:, 0].flatten(1) @ self.axes - self.centre
