"""Parts of training with unlabelled samples: mixing, sharpening, reversed gradients. Imports torch."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..errors import InputError


def mixup(a: Tensor, b: Tensor, gamma: Tensor) -> Tensor:
    """Mix two batches, row by row: gamma a + (1 - gamma) b (Zhang et al. 2018, arXiv:1710.09412).

    Parameters
    ----------
    a, b
        (batch, columns).
    gamma
        (batch,) or (batch, 1) shares of `a`.
    """
    gamma = gamma.reshape(-1, *[1] * (a.dim() - 1))
    return gamma * a + (1 - gamma) * b


def draw_gamma(n: int, alpha: float, keep_dominant: bool) -> Tensor:
    """Draw (n,) shares from Beta(alpha, alpha); all 1 for alpha 0. With `keep_dominant`, the larger share counts."""
    if alpha < 0:
        raise InputError(f"alpha={alpha}: expected 0 or more")
    gamma = torch.distributions.Beta(alpha, alpha).sample((n,)) if alpha else torch.ones(n)
    return torch.maximum(gamma, 1 - gamma) if keep_dominant else gamma


def sharpen_labels(q: Tensor, T: float = 0.5) -> Tensor:
    """Lower the entropy of distributions: q^(1/T), with sum 1 again.

    Parameters
    ----------
    q
        (n, C) distributions.
    T
        Temperature: 1 changes nothing, 0 leaves the largest value only.
    """
    if T < 0:
        raise InputError(f"T={T}: expected 0 or more")
    if T == 0:
        return nn.functional.one_hot(q.argmax(1), q.shape[1]).to(q.dtype)
    return torch.softmax(torch.log(q) / T, dim=1)


def ramp(done: float, length: float, sigmoid: bool = False) -> float:
    """Return the share of a weight after `done` of `length` epochs: linear, or exp(-5 (1 - t)^2)."""
    t = 1.0 if done >= length else max(done, 0.0) / length
    return math.exp(-5.0 * (1 - t) ** 2) if sigmoid else t


class GradReverse(torch.autograd.Function):
    """Identity whose gradient is reversed and scaled (Ganin & Lempitsky 2015, arXiv:1409.7495)."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: float) -> Tensor:
        """Return x, and keep the weight for the gradient."""
        ctx.weight = weight
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad_output: Tensor) -> tuple[Tensor, None]:
        """Return the gradient times -weight, and none for the weight."""
        return -ctx.weight * grad_output, None
