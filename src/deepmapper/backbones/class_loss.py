"""The loss of class scores, also where some classes are kinds of others. Imports torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def class_loss(scores: Tensor, targets: Tensor, weight: Tensor | None = None, kinds: Tensor | None = None) -> Tensor:
    """Return the mean cross-entropy of scores.

    With `kinds`, a sample whose label is above others is one of their kinds: its loss is the negative logarithm of
    their probabilities, added up. So it teaches what tells its kinds from all others, and the label above them is never
    predicted: which samples got it says nothing of the samples, and a network that learns it fits noise.

    Parameters
    ----------
    scores
        (n, C) scores of the classes.
    targets
        (n,) class codes.
    weight
        (C,) weights of the classes; None for equal ones.
    kinds
        (C, C) boolean, see `features.samples.Samples.kinds`; None if no class is a kind of another.
    """
    scores = scores.float()
    if kinds is None:
        return nn.functional.cross_entropy(scores, targets, weight)
    own = torch.logsumexp(scores.masked_fill(~kinds[targets], -torch.inf), 1)
    found = torch.logsumexp(scores, 1) - own
    return found.mean() if weight is None else (found * weight[targets]).sum() / weight[targets].sum()
