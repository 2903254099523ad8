"""What every network shares: images in, class scores out, and every pixel keeps its position.

Every one has `embed` (images to the vector that its last layer reads) and `head` (that vector to scores).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from torch import Tensor, nn

from ..errors import InputError


class Network(nn.Module):
    """Images to scores, by way of an embedding.

    Networks with `first` and `rest` say what of them is linear in the pixels: forward(images) is rest(first(images)).
    """

    body: nn.Module
    head: nn.Module
    takes_sparse = False  # whether the values that are not zero are enough, (batch, side * side)
    prime: Callable[[Tensor, Tensor, Tensor], None] | None = None  # of networks that start from the training samples

    def embed(self, images: Tensor) -> Tensor:
        """Map (batch, channels, side, side) to (batch, d), what the last layer reads."""
        return self.body(images)

    def forward(self, images: Tensor) -> Tensor:
        """Map images to (batch, num_classes) scores before softmax."""
        return self.head(self.embed(images))

    def training_weights(self) -> AbstractContextManager[None]:
        """Where training happens: a network may leave weights aside there that cannot matter."""
        return nullcontext()

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


def check(**sizes: int) -> None:
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"extra {name}={value!r}: expected a whole number of 1 or more")


def check_dropout(dropout: float) -> None:
    if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout < 1:
        raise InputError(f"extra dropout={dropout!r}: expected a share from 0 to less than 1")
