"""A network that also learns from unlabelled samples, by MixMatch and a domain adversary.

Sources: MixMatch, Berthelot et al. 2019 (arXiv:1905.02249); domain adversary, Ganin et al. 2016 (arXiv:1505.07818);
both for cells, Kimmel & Kelley 2021 (doi 10.1101/gr.268581.120).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import scipy.sparse as sp
import torch
from torch import Tensor, nn

from ..errors import InputError
from .base import Network, check_dropout, check_sizes
from .pixels import PixelLayer, Pixels, as_matrix
from .semi_supervised import GradReverse, draw_gamma, mixup, ramp, sharpen_labels

# How sure a guess has to be for its sample to take part.
BARS = {"new_identity_discovery": 0.9, "no_new_identity": 0.0}

# What an arm of the adaptation uses: MixMatch, and the adversary. "auto" has to be replaced by one of these.
ARMS = {"none": (False, False), "mixmatch": (True, False), "adversary": (False, True), "both": (True, True)}

_TEMPERATURE = 0.5


class Scnym(Network):
    """Fully connected layers with batch normalisation, for semi-supervised training.

    The first layer is linear, so mixing its outputs is the same as mixing samples: every sample passes it once a step.

    Attributes
    ----------
    matches, domain
        Whether it is trained by MixMatch; the adversary, or None.
    """

    takes_sparse = True
    learns_kinds = False

    def __init__(
        self,
        side: int,
        in_chans: int,
        num_classes: int,
        hidden: int = 256,
        num_layers: int = 2,
        dropout: float = 0.5,
        config: str = "new_identity_discovery",
        adapt: str = "auto",
        unsup_weight: float = 1.0,
        adversary_weight: float = 0.1,
        ramp_epochs: int = 20,
        mixup: float = 0.3,
        input_dropout: float = 0.1,
        n_domains: int = 2,
    ):
        super().__init__()
        check_sizes(hidden=hidden, num_layers=num_layers, ramp_epochs=ramp_epochs, n_domains=n_domains)
        if n_domains < 2:
            raise InputError(f"extra n_domains={n_domains}: expected 2 or more")
        check_dropout(dropout)
        check_dropout(input_dropout)
        _check_word("config", config, tuple(BARS))
        _check_word("adapt", adapt, ("auto", *ARMS))
        _check_weights(unsup_weight=unsup_weight, adversary_weight=adversary_weight, mixup=mixup)
        self.bar, self.unsup_weight, self.adversary_weight = BARS[config], unsup_weight, adversary_weight
        self.matches, adversary = ARMS.get(adapt, (False, False))
        self.ramp_epochs, self.alpha, self.input_dropout = ramp_epochs, mixup, input_dropout
        self.learns_from_unlabelled = self.matches or adversary
        self.n_classes, self.n_domains = num_classes, n_domains
        self.pixels = PixelLayer(in_chans * side * side, hidden)
        layers: list[nn.Module] = [nn.BatchNorm1d(hidden), nn.Dropout(dropout), nn.ReLU()]
        for _ in range(num_layers):
            layers += [nn.Linear(hidden, hidden), nn.BatchNorm1d(hidden), nn.Dropout(dropout), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(hidden, num_classes)
        self.domain = None
        if adversary:
            self.domain = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, n_domains))

    def first_layer(self, images: Pixels) -> Tensor:
        """Return the first layer before batch normalisation, (batch, hidden)."""
        return self.pixels(self._flat(images))

    def later_layers(self, hidden: Tensor) -> Tensor:
        """Map the output of `first_layer` to the scores."""
        return self.head(self.body(hidden))

    def embed(self, images: Pixels) -> Tensor:
        """Map images to the input of the last layer."""
        return self.body(self.first_layer(images))

    def loss(
        self, images: Pixels, targets: Tensor, weight: Tensor | None = None, kinds: Tensor | None = None
    ) -> Tensor:
        """Return the cross-entropy of augmented and mixed labelled samples; see `Network.loss`, without `kinds`."""
        hidden = self.first_layer(self._dropped(images))
        label = self._one_hot(targets)
        gamma, other = draw_gamma(len(label), self.alpha, keep_dominant=True).to(hidden.device), _order(hidden)
        scores = self.later_layers(mixup(hidden, hidden[other], gamma))
        return nn.functional.cross_entropy(scores.float(), mixup(label, label[other], gamma), weight)

    def adapted_loss(
        self,
        images: Pixels,
        targets: Tensor,
        unlabelled: Pixels,
        domain: Tensor,
        epoch: float,
        weight: Tensor | None = None,
    ) -> Tensor:
        """Return the loss of labelled and unlabelled samples; see `Network.adapted_loss`."""
        with torch.no_grad(), evaluating(self):
            guess = torch.softmax(self(unlabelled).float(), dim=1)
        n, label = len(targets), self._one_hot(targets)
        parts = [self._flat(self._dropped(part)) for part in (images, unlabelled)]
        hidden = torch.cat(self.pixels.forward_parts(parts))
        sure = guess.max(1).values >= self.bar
        q = torch.cat([label, sharpen_labels(guess, _TEMPERATURE)])
        # unsure samples are mixed with none; batch normalisation sees them
        part = torch.nonzero(torch.cat([torch.ones_like(targets, dtype=torch.bool), sure])).squeeze(1)
        gamma = draw_gamma(len(part), self.alpha, keep_dominant=True).to(hidden.device)
        other = part[_order(part)]

        def mixed(values: Tensor) -> Tensor:
            return values.index_copy(0, part, mixup(values[part], values[other], gamma.to(values.dtype)))

        embedding = self.body(mixed(hidden))
        scores, q = self.head(embedding).float(), mixed(q)
        loss = nn.functional.cross_entropy(scores[:n], q[:n], weight)
        if self.matches:
            difference = ((torch.softmax(scores[n:], dim=1) - q[n:]) ** 2).sum(1)
            loss = loss + self.unsup_weight * ramp(epoch, self.ramp_epochs) * (difference * sure).mean()
        if self.domain is not None:
            strength = self.adversary_weight * ramp(epoch, self.ramp_epochs, sigmoid=True)
            told = self.domain(GradReverse.apply(embedding[part], strength)).float()
            # all 0 for a sample without a domain, of which the adversary then learns nothing
            d = nn.functional.one_hot(domain.clamp(min=0), self.n_domains).float() * (domain >= 0).unsqueeze(1)
            loss = loss + nn.functional.cross_entropy(told, mixed(d)[part])
        return loss

    def _flat(self, images: Pixels) -> Tensor | sp.csr_matrix:
        return images.flatten(1) if isinstance(images, Tensor) else as_matrix(images, len(self.pixels.weight))

    def _one_hot(self, targets: Tensor) -> Tensor:
        return nn.functional.one_hot(targets, self.n_classes).float()

    def _dropped(self, images: Pixels) -> Pixels:
        """Set some values to zero; the others stay, as a normalisation of counts would leave them."""
        if not self.input_dropout:
            return images
        if isinstance(images, Tensor):
            return images * (torch.rand_like(images) >= self.input_dropout)
        images = as_matrix(images, len(self.pixels.weight))
        kept = (torch.rand(images.nnz) >= self.input_dropout).numpy()
        return sp.csr_matrix((images.data * kept, images.indices, images.indptr), shape=images.shape)


def _order(values: Tensor) -> Tensor:
    return torch.randperm(len(values)).to(values.device)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode for a while."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _check_word(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"extra {name}={value!r}: expected one of {', '.join(known)}")


def _check_weights(**weights: float) -> None:
    for name, value in weights.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise InputError(f"extra {name}={value!r}: expected a number of 0 or more")
