"""A network that reads an embedding of the features, computed by an encoder that was trained without labels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .base import Network
from .components import OnScores


class OnEncoder(OnScores):
    """Encodes the pixels by one hidden layer, and passes the standardised embedding to another network as its pixels.

    The encoder is not trained with the network: `passes.encoders` trains it first, on the training samples of a pass.

    Parameters
    ----------
    inner, n_components, inner_side, in_chans
        As in `OnScores`.
    n_read
        Number of pixels that the encoder reads.
    how
        `hidden_units` of the encoder, its `kind`, and how it is trained (`passes.encoders.ENCODERS`).

    Attributes
    ----------
    pixels
        (n_read,) pixels that are read.
    hidden, hidden_bias, output, output_bias
        Weights and biases of the hidden layer, (n_read, n_hidden) and (n_hidden,), and of the embedding, (n_hidden,
        n_components) and (n_components,).
    """

    pixels: Tensor
    hidden: Tensor
    hidden_bias: Tensor
    output: Tensor
    output_bias: Tensor

    def __init__(
        self,
        inner: Network,
        n_components: int,
        inner_side: int,
        in_chans: int,
        n_read: int,
        how: dict[str, Any],
    ) -> None:
        super().__init__(inner, n_components, inner_side, in_chans)
        self.how, n_hidden = how, how["hidden_units"]
        self.register_buffer("pixels", torch.arange(n_read))
        self.register_buffer("hidden", torch.zeros((n_read, n_hidden)))
        self.register_buffer("hidden_bias", torch.zeros(n_hidden))
        self.register_buffer("output", torch.zeros((n_hidden, n_components)))
        self.register_buffer("output_bias", torch.zeros(n_components))

    def scores(self, images: Tensor) -> Tensor:
        """Map (batch, channels, side, side), whose channels are equal, to (batch, components)."""
        return self.encode(images[:, 0].flatten(1)[:, self.pixels])

    def encode(self, values: Tensor) -> Tensor:
        """Map the (batch, n_read) values of the pixels that are read to (batch, components)."""
        return torch.relu(values @ self.hidden + self.hidden_bias) @ self.output + self.output_bias
