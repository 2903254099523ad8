"""Layers of the variational autoencoder of counts: linear ones that know batch and covariates, stacked as described."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Gamma, Normal, constraints
from torch.nn import functional
from torch.quasirandom import SobolEngine

from ..core.words import some
from ..errors import InputError

# Documented class of a layer, by the last part of its path -> whether it reads the batch, and the covariates.
_KINDS = {
    "Linear": (False, False),
    "LinearWithBatch": (True, False),
    "LinearWithBatchAndCovariates": (True, True),
}

# Documented arguments of a layer; the two last ones are the same under two names.
_ARGUMENTS = ("out_features", "bias", "batch_to_bias_hidden_layers", "label_to_bias_hidden_layers")

# Momentum and smallest variance of batch normalisation, as in scvi-tools.
_MOMENTUM, _EPS = 0.01, 1e-3

# Keeps logarithms of means and dispersions finite, as in scvi-tools.
_TINY = 1e-8

# Points of the mean of logistic normal variables (a power of 2, as for any Sobol sequence), and those that are computed
# at once. Chosen by hand.
_N_POINTS, _POINTS_AT_ONCE = 1024, 64


class BatchLinear(nn.Module):
    """Linear layer with a bias that depends on the batch, and on categorical covariates.

    Parameters
    ----------
    n_in, n_out
        Sizes of input and output.
    n_conditions
        Size of the representation of batch and covariates; 0 for an ordinary layer.
    hidden
        Sizes of the hidden layers between this representation and the bias; with none it is linear.
    bias
        Whether there is a bias besides.
    """

    def __init__(self, n_in: int, n_out: int, n_conditions: int, hidden: Sequence[int] = (), bias: bool = True) -> None:
        super().__init__()
        self.linear = nn.Linear(n_in, n_out, bias=bias)
        self.condition: nn.Sequential | None = None
        if n_conditions:
            sizes, layers = [n_conditions, *hidden], []
            for width, following in zip(sizes[:-1], sizes[1:], strict=True):
                layers += [nn.Linear(width, following), nn.ReLU()]
            self.condition = nn.Sequential(*layers, nn.Linear(sizes[-1], n_out, bias=False))

    def forward(self, x: Tensor, conditions: Tensor) -> Tensor:
        """Map (n, n_in) and (n, n_conditions) to (n, n_out)."""
        return self.linear(x) if self.condition is None else self.linear(x) + self.condition(conditions)


class Stack(nn.Module):
    """Hidden layers as a configuration describes them: linear, normalisation, ReLU, dropout.

    Parameters
    ----------
    n_in
        Size of the input.
    layers
        Description of every layer: ``{"class_path": "...LinearWithBatch", "init_args": {"out_features": 128}}``.
    sizes
        Sizes of the representations of batch and covariates.
    batch_norm, layer_norm
        Which normalisation follows a linear layer.
    dropout
        Share of the units that are dropped in training.
    """

    def __init__(
        self,
        n_in: int,
        layers: Sequence[Mapping[str, Any]],
        sizes: tuple[int, int],
        batch_norm: bool,
        layer_norm: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.linears, self.dressings = nn.ModuleList(), nn.ModuleList()
        self.reads = []
        for layer in layers:
            if "out_features" not in layer.get("init_args", {}):
                raise InputError(f"hidden_layers: {dict(layer)} has no out_features in its init_args; give the size.")
            linear, reads = build_layer(layer, n_in, None, sizes)
            n_in = linear.linear.out_features
            dressing: list[nn.Module] = [nn.BatchNorm1d(n_in, momentum=_MOMENTUM, eps=_EPS)] if batch_norm else []
            dressing += [nn.LayerNorm(n_in, elementwise_affine=False)] if layer_norm else []
            self.linears.append(linear)
            self.dressings.append(nn.Sequential(*dressing, nn.ReLU(), nn.Dropout(dropout)))
            self.reads.append(reads)
        self.n_out = n_in

    def forward(self, x: Tensor, batch_nb: Tensor, covariates_np: Tensor) -> Tensor:
        """Map (n, n_in) to (n, n_out)."""
        for linear, dressing, reads in zip(self.linears, self.dressings, self.reads, strict=True):
            x = dressing(linear(x, conditions_of(reads, batch_nb, covariates_np)))
        return x


def layers_of_scvi(n_hidden: int = 128, n_layers: int = 1, of_batch: str = "LinearWithBatch") -> dict[str, dict]:
    """Return the arguments ``encoder`` and ``decoder`` for the layout of scvi-tools: the encoder knows no batch.

    Parameters
    ----------
    n_hidden, n_layers
        Size and number of the hidden layers of each.
    of_batch
        Class of the hidden layers of the decoder; "LinearWithBatchAndCovariates" with categorical covariates.
    """

    def layer(kind: str, **arguments: int) -> dict:
        return {"class_path": kind, "init_args": arguments}

    hidden = {kind: [layer(kind, out_features=n_hidden)] * n_layers for kind in ("Linear", of_batch)}
    return {
        "encoder": {"hidden_layers": hidden["Linear"], "final_layer": layer("Linear")},
        "decoder": {"hidden_layers": hidden[of_batch], "final_layer": layer("Linear")},
    }


def build_layer(
    layer: Mapping[str, Any], n_in: int, n_out: int | None, sizes: tuple[int, int]
) -> tuple[BatchLinear, tuple[bool, bool]]:
    """Build a layer from its description; also whether it reads the batch, and the covariates.

    Raises
    ------
    InputError
        If class or arguments are not among the documented ones.
    """
    name, given = str(layer.get("class_path", "")).rsplit(".", 1)[-1], dict(layer.get("init_args", {}))
    if name not in _KINDS:
        raise InputError(f"class_path {layer.get('class_path')!r}: expected a path that ends in {', '.join(_KINDS)}")
    if unknown := sorted(set(given) - set(_ARGUMENTS)):
        raise InputError(f"init_args of {name}: found {some(unknown)}, expected some of {', '.join(_ARGUMENTS)}")
    reads = _KINDS[name]
    hidden = given.get("batch_to_bias_hidden_layers") or given.get("label_to_bias_hidden_layers") or ()
    n_conditions = sum(size for size, used in zip(sizes, reads, strict=True) if used)
    size = n_out if n_out is not None else int(given["out_features"])
    return BatchLinear(n_in, size, n_conditions, hidden, bool(given.get("bias", True))), reads


def conditions_of(reads: tuple[bool, bool], batch_nb: Tensor, covariates_np: Tensor) -> Tensor:
    """What a layer reads besides its input: representations of batch and covariates, side by side."""
    return torch.cat(
        [part for part, used in zip((batch_nb, covariates_np), reads, strict=True) if used] or [batch_nb[:, :0]], dim=-1
    )


class NegativeBinomial(Distribution):
    """Negative binomial counts by mean and inverse dispersion, also for values that are no integers.

    Parameters
    ----------
    mu
        Means, at least 0.
    theta
        Inverse dispersion: the variance is mu + mu² / theta.
    """

    arg_constraints = {"mu": constraints.greater_than_eq(0), "theta": constraints.positive}
    support = constraints.nonnegative_integer

    def __init__(self, mu: Tensor, theta: Tensor) -> None:
        self.mu, self.theta = torch.broadcast_tensors(mu, theta)
        super().__init__(self.mu.shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """Means."""
        return self.mu

    @property
    def variance(self) -> Tensor:
        """Variances."""
        return self.mu + self.mu**2 / self.theta

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw counts: Poisson with a gamma-distributed rate."""
        with torch.no_grad():
            rate = Gamma(self.theta, self.theta / self.mu.clamp(min=_TINY)).sample(sample_shape)
            return torch.poisson(rate.clamp(max=1e8))

    def log_prob(self, value: Tensor) -> Tensor:
        """Logarithm of the probability of counts."""
        mu, theta = self.mu, self.theta
        total = torch.log(theta + mu + _TINY)
        of_mean = theta * (torch.log(theta + _TINY) - total) + value * (torch.log(mu + _TINY) - total)
        return of_mean + torch.lgamma(value + theta) - torch.lgamma(theta) - torch.lgamma(value + 1)


class ZeroInflatedNegativeBinomial(NegativeBinomial):
    """Negative binomial counts, of which a share is 0 whatever their mean.

    Parameters
    ----------
    mu, theta
        Means and inverse dispersion of the other counts, as in `NegativeBinomial`.
    zero_logits
        Logits of the share.
    """

    arg_constraints = {**NegativeBinomial.arg_constraints, "zero_logits": constraints.real}

    def __init__(self, mu: Tensor, theta: Tensor, zero_logits: Tensor) -> None:
        mu, theta, self.zero_logits = torch.broadcast_tensors(mu, theta, zero_logits)
        super().__init__(mu, theta)

    @property
    def mean(self) -> Tensor:
        """Means, with the additional zeros."""
        return torch.sigmoid(-self.zero_logits) * self.mu

    @property
    def variance(self) -> Tensor:
        """Variances, with the additional zeros."""
        others = torch.sigmoid(-self.zero_logits)
        return others * super().variance + others * (1 - others) * self.mu**2

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw counts."""
        drawn = super().sample(sample_shape)
        return drawn * (torch.rand_like(drawn) >= torch.sigmoid(self.zero_logits))

    def log_prob(self, value: Tensor) -> Tensor:
        """Logarithm of the probability of counts."""
        of_others = super().log_prob(value) + functional.logsigmoid(-self.zero_logits)
        is_zero = torch.logaddexp(functional.logsigmoid(self.zero_logits), of_others)
        return torch.where(value == 0, is_zero, of_others)


def mean_of_softmax(normal: Normal) -> Tensor:
    """Mean of the softmax of independent normal variables, (..., k); there is no formula for it.

    It is computed over evenly spread points, the same for all cells and at every call (a Sobol sequence).
    """
    k = normal.mean.shape[-1]
    spread = SobolEngine(k).draw(_N_POINTS).to(normal.mean) + 0.5 / _N_POINTS  # its first point is 0
    total = torch.zeros_like(normal.mean)
    for points in torch.special.ndtri(spread).split(_POINTS_AT_ONCE):
        points = points.reshape(-1, *[1] * (normal.mean.ndim - 1), k)
        total += torch.softmax(normal.mean + normal.stddev * points, dim=-1).sum(0)
    return total / _N_POINTS


def one_hot(codes: Tensor, n: int) -> Tensor:
    """(n_cells, n) float32 indicators; of no width if there are no categories."""
    if n == 0:
        return torch.zeros((len(codes), 0), device=codes.device)
    return functional.one_hot(codes.long().ravel(), n).float()
