"""Linear classifier and multilayer perceptron on the pixels."""

from __future__ import annotations

from torch import Tensor, nn

from .network import Network, check, check_dropout
from .pixels import PixelLayer, Pixels, SparseProduct


class Linear(Network):
    """Softmax regression on the pixels; its embedding is its scores, the pixels themselves being the data."""

    takes_sparse = True

    def __init__(self, side: int, in_chans: int, num_classes: int):
        super().__init__()
        self.head = nn.Linear(in_chans * side * side, num_classes)
        nn.init.zeros_(self.head.weight)  # convex: the start does not matter, and zero adds no noise to the ranking
        nn.init.zeros_(self.head.bias)

    def first(self, images: Pixels) -> Tensor:
        """Give the scores."""
        if isinstance(images, Tensor):
            return self.head(images.flatten(1))
        return SparseProduct.apply(self.head.weight.T, images) + self.head.bias

    embed = forward = first

    def rest(self, seen: Tensor) -> Tensor:
        """Give the scores back."""
        return seen


class Mlp(Network):
    """Fully connected layers of `hidden` units with ReLU and dropout."""

    takes_sparse = True

    def __init__(
        self, side: int, in_chans: int, num_classes: int, hidden: int = 128, dropout: float = 0.2, num_layers: int = 1
    ):
        super().__init__()
        check(hidden=hidden, num_layers=num_layers)
        check_dropout(dropout)
        self.pixels = PixelLayer(in_chans * side * side, hidden)
        layers: list[nn.Module] = [nn.ReLU(), nn.Dropout(dropout)]
        for _ in range(num_layers - 1):
            layers += [nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout)]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(hidden, num_classes)

    def first(self, images: Pixels) -> Tensor:
        """The first layer before its ReLU, (batch, hidden)."""
        return self.pixels(images.flatten(1) if isinstance(images, Tensor) else images)

    def rest(self, seen: Tensor) -> Tensor:
        """From what `first` gives to the scores."""
        return self.head(self.body(seen))

    def embed(self, images: Pixels) -> Tensor:
        """Map images to what the last layer reads."""
        return self.body(self.first(images))
