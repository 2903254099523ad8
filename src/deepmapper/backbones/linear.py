"""Linear classifier and multilayer perceptron on the pixels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from .base import Network, check_dropout, check_sizes
from .pixels import PixelLayer, Pixels, SparseProduct, as_matrix


class Linear(Network):
    """Softmax regression on the pixels; its embedding is its scores, as there is no hidden layer."""

    takes_sparse = True
    head: nn.Linear

    def __init__(self, side: int, in_chans: int, num_classes: int):
        super().__init__()
        self.head = nn.Linear(in_chans * side * side, num_classes)
        nn.init.zeros_(self.head.weight)  # the loss is convex: any start will do, and zero adds no noise to the ranking
        nn.init.zeros_(self.head.bias)

    def first_layer(self, images: Pixels) -> Tensor:
        """Return the scores."""
        if isinstance(images, Tensor):
            return self.head(images.flatten(1))
        (product,) = SparseProduct.apply(self.head.weight.T, as_matrix(images, self.head.in_features))
        return product + self.head.bias

    embed = forward = first_layer

    def later_layers(self, hidden: Tensor) -> Tensor:
        """Return the scores unchanged."""
        return hidden

    @contextmanager
    def training_weights(self, sparse: bool = False) -> Iterator[None]:
        """Hold the weights of every pixel together in memory while sparse images are read: nothing has to be copied."""
        if sparse:
            self.head.weight = nn.Parameter(self.head.weight.detach().T.contiguous().T)
        try:
            yield
        finally:
            if sparse:
                self.head.weight = nn.Parameter(self.head.weight.detach().contiguous())


class Mlp(Network):
    """Fully connected layers of `hidden` units with ReLU and dropout."""

    takes_sparse = True

    def __init__(
        self, side: int, in_chans: int, num_classes: int, hidden: int = 128, dropout: float = 0.2, num_layers: int = 1
    ):
        super().__init__()
        check_sizes(hidden=hidden, num_layers=num_layers)
        check_dropout(dropout)
        self.pixels = PixelLayer(in_chans * side * side, hidden)
        layers: list[nn.Module] = [nn.ReLU(), nn.Dropout(dropout)]
        for _ in range(num_layers - 1):
            layers += [nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout)]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(hidden, num_classes)

    def first_layer(self, images: Pixels) -> Tensor:
        """Return the first layer before its ReLU, (batch, hidden)."""
        if isinstance(images, Tensor):
            return self.pixels(images.flatten(1))
        return self.pixels(as_matrix(images, len(self.pixels.weight)))

    def later_layers(self, hidden: Tensor) -> Tensor:
        """Map the output of `first_layer` to the scores."""
        return self.head(self.body(hidden))

    def embed(self, images: Pixels) -> Tensor:
        """Map images to the input of the last layer."""
        return self.body(self.first_layer(images))
