"""Neural spline flow, as the prior of a latent space: what it maps to standard normal numbers can have any shape.

Durkan et al. 2019 (arXiv 1906.04032): monotone rational quadratic splines on an interval, the identity outside, whose
knots for a dimension follow from those before it (masked autoregressive networks, Germain et al. 2015).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

# Splines of the flow, bins of each, half the interval on which they bend, and smallest width, height and slope.
_N_TRANSFORMS, _N_BINS, _BOUND, _SMALLEST = 3, 8, 5.0, 1e-3


class SplineFlow(nn.Module):
    """Density of a flow; the order of the dimensions is reversed after every transform.

    Parameters
    ----------
    n_features
        Number of dimensions.
    hidden
        Sizes of the hidden layers of the network of each transform.
    """

    def __init__(self, n_features: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.networks = nn.ModuleList([_MaskedNetwork(n_features, hidden) for _ in range(_N_TRANSFORMS)])

    def reset_parameters(self) -> None:
        """Draw the weights anew; the flow is close to the identity."""
        for network in self.networks:
            network.reset_parameters()  # type: ignore[operator]

    def log_prob(self, z: Tensor) -> Tensor:
        """Logarithm of the density at (..., d) points."""
        log_slope = torch.zeros(z.shape[:-1], device=z.device, dtype=z.dtype)
        for network in self.networks:
            z, of_each = spline(z, *network(z))
            z, log_slope = z.flip(-1), log_slope + of_each.sum(-1)
        return log_slope - 0.5 * (z**2).sum(-1) - 0.5 * z.shape[-1] * math.log(2 * math.pi)


class _MaskedNetwork(nn.Module):
    """Widths, heights and slopes of the splines of each dimension, from the dimensions before it."""

    def __init__(self, n_features: int, hidden: Sequence[int]) -> None:
        super().__init__()
        n_each = 3 * _N_BINS - 1
        degrees = torch.arange(1, n_features + 1)
        layers: list[nn.Module] = []
        for size in hidden:
            following = torch.arange(size) % max(n_features - 1, 1) + 1
            layers += [_MaskedLinear(following[:, None] >= degrees), nn.ReLU()]
            degrees = following
        last = torch.arange(1, n_features + 1).repeat_interleave(n_each)
        self.layers = nn.Sequential(*layers, _MaskedLinear(last[:, None] > degrees))
        self.n_each = n_each
        self.reset_parameters()

    def reset_parameters(self) -> None:
        for layer in self.layers:
            if isinstance(layer, _MaskedLinear):
                layer.reset_parameters()
        with torch.no_grad():
            self.layers[-1].weight.mul_(0.01)  # type: ignore[operator, union-attr]
            self.layers[-1].bias.zero_()  # type: ignore[operator, union-attr]

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        knots = self.layers(z).unflatten(-1, (z.shape[-1], self.n_each))
        return knots[..., :_N_BINS], knots[..., _N_BINS : 2 * _N_BINS], knots[..., 2 * _N_BINS :]


class _MaskedLinear(nn.Linear):
    """Linear layer whose outputs read some of the inputs only."""

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.float())

    mask: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight * self.mask, self.bias)


def spline(x: Tensor, widths: Tensor, heights: Tensor, slopes: Tensor) -> tuple[Tensor, Tensor]:
    """Monotone rational quadratic splines.

    Parameters
    ----------
    x
        (..., d) values.
    widths, heights, slopes
        (..., d, bins), the same, and (..., d, bins - 1): unconstrained sizes of the bins, and slopes between them.

    Returns
    -------
    tuple
        The mapped values, and the logarithms of the slopes there.
    """
    inside = (x > -_BOUND) & (x < _BOUND)
    at = x.clamp(-_BOUND, _BOUND)
    x_knots, y_knots = _knots(widths), _knots(heights)
    slopes = functional.pad(_SMALLEST + functional.softplus(slopes + _AT_ONE), (1, 1), value=1.0)
    place = (torch.searchsorted(x_knots[..., 1:-1].contiguous(), at[..., None].contiguous())).clamp(max=_N_BINS - 1)

    def pick(knots: Tensor, offset: int = 0) -> Tensor:
        return knots.gather(-1, place + offset).squeeze(-1)

    left, low, slope, next_slope = pick(x_knots), pick(y_knots), pick(slopes), pick(slopes, 1)
    width, height = pick(x_knots, 1) - left, pick(y_knots, 1) - low
    mean_slope, share = height / width, (at - left) / width
    both = share * (1 - share)
    below = mean_slope + (slope + next_slope - 2 * mean_slope) * both
    value = low + height * (mean_slope * share**2 + slope * both) / below
    rise = next_slope * share**2 + 2 * mean_slope * both + slope * (1 - share) ** 2
    log_slope = 2 * torch.log(mean_slope) + torch.log(rise) - 2 * torch.log(below)
    return torch.where(inside, value, x), torch.where(inside, log_slope, torch.zeros_like(x))


# softplus(_AT_ONE) + _SMALLEST is 1: a network of zeros makes the identity.
_AT_ONE = math.log(math.expm1(1 - _SMALLEST))


def _knots(sizes: Tensor) -> Tensor:
    shares = _SMALLEST + (1 - _SMALLEST * _N_BINS) * torch.softmax(sizes, dim=-1)
    return functional.pad(2 * _BOUND * shares.cumsum(-1), (1, 0)) - _BOUND
