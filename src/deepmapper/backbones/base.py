"""Base class of all networks: images in, class scores out.

Every network has `embed` (images to the input of its last layer) and `head` (that last layer, which gives the scores).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import scipy.sparse as sp
from torch import Tensor, nn

from ..errors import InputError
from .class_loss import class_loss
from .pixels import StoredPixels


class Network(nn.Module):
    """Maps images to an embedding, and the embedding to class scores.

    A network whose first layer is linear in the pixels has `first_layer` and `later_layers`, and
    ``forward(images)`` is ``later_layers(first_layer(images))``.

    Attributes
    ----------
    body, head
        Images to the embedding, and the embedding to the scores. The names of layers are those of the weights in the
        file of a pass.
    takes_sparse
        Whether the network also reads images as a sparse matrix, (batch, side * side), and as what `store` made of one.
    learns_from_unlabelled
        Whether training reads samples without a label, if there are any (`adapted_loss`).
    learns_kinds
        Whether its loss takes labels above others for one of their kinds (`class_loss.class_loss`).
    ramp_epochs
        Epochs after which these have their whole weight.
    prime
        Sets the network up from statistics of the training samples (`Images.statistics`); None if it needs none.
    """

    body: nn.Module
    head: nn.Module
    takes_sparse = False
    learns_from_unlabelled = False
    learns_kinds = True
    ramp_epochs = 0
    prime: Callable[[Tensor, Tensor, Tensor], None] | None = None

    def embed(self, images: Tensor) -> Tensor:
        """Map (batch, channels, side, side) to (batch, d), the input of the last layer."""
        return self.body(images)

    def forward(self, images: Tensor) -> Tensor:
        """Map images to (batch, num_classes) scores before softmax."""
        return self.head(self.embed(images))

    def training_weights(self, sparse: bool = False) -> AbstractContextManager[None]:
        """Return the context in which to train, on `sparse` images or dense ones.

        A network may use it to drop weights that have no effect, or to hold them in another order.
        """
        return nullcontext()

    def store(self, images: sp.csr_matrix) -> StoredPixels:
        """Return sparse images with what the network computes of their pixels whatever its weights.

        Whoever reads the same images in every epoch computes that once. It is true until the network is primed again,
        and either within `training_weights` or outside.
        """
        return StoredPixels.of(images.indptr, images.data, images.indices)

    def loss(
        self, images: Tensor, targets: Tensor, weight: Tensor | None = None, kinds: Tensor | None = None
    ) -> Tensor:
        """Return the training loss: the mean cross-entropy of the scores.

        Parameters
        ----------
        images
            (batch, channels, side, side).
        targets
            (batch,) class codes.
        weight
            (num_classes,) weight of every class; None for equal weights.
        kinds
            (num_classes, num_classes) of which classes the samples of each class can be; see `class_loss.class_loss`.
        """
        return class_loss(self(images), targets, weight, kinds)

    def adapted_loss(
        self,
        images: Tensor,
        targets: Tensor,
        unlabelled: Tensor,
        domain: Tensor,
        epoch: float,
        weight: Tensor | None = None,
    ) -> Tensor:
        """Return the training loss of labelled and unlabelled samples, for networks that `learns_from_unlabelled`.

        Parameters
        ----------
        images, targets, weight
            The labelled samples; see `loss`.
        unlabelled
            (u, ...) samples without a label.
        domain
            (batch + u,) codes of the domains of the labelled samples and of these; -1 for a sample without one.
        epoch
            Epochs done, with fractions.
        """
        raise NotImplementedError


def check_sizes(**sizes: int) -> None:
    """Refuse options of a network that are not integers of at least 1."""
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"extra {name}={value!r}: expected a whole number of 1 or more")


def check_dropout(dropout: float) -> None:
    """Refuse a dropout rate that is negative or not below 1."""
    if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout < 1:
        raise InputError(f"extra dropout={dropout!r}: expected a share from 0 to less than 1")
