"""Encoder and decoder of the variational autoencoder of counts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Normal, Poisson, kl_divergence
from torch.nn import functional

from ..core.words import some
from ..errors import InputError
from .variational_layers import (
    BatchLinear,
    NegativeBinomial,
    Stack,
    ZeroInflatedNegativeBinomial,
    build_layer,
    conditions_of,
    one_hot,
)

# Smallest variance of the latent variables of a cell, as in scvi-tools.
_LEAST_VARIANCE = 1e-4

NETWORKS = ("encoder", "decoder")

_KEYS = ("hidden_layers", "final_layer", "final_additive_bias")


class Encoder(nn.Module):
    """From cells to the distributions of their latent variables.

    Parameters
    ----------
    settings
        ``hidden_layers`` and ``final_layer``, as documented.
    sizes
        Numbers of features and of latent variables.
    n_continuous
        Number of continuous covariates.
    conditions
        Sizes of the representations of batch and of categorical covariates.
    norms, dropout
        Whether there are batch and layer normalisation, and the dropout, of `variational_layers.Stack`.
    """

    def __init__(
        self,
        settings: dict[str, Any],
        sizes: tuple[int, int],
        n_continuous: int,
        conditions: tuple[int, int],
        norms: tuple[bool, bool],
        dropout: float,
    ) -> None:
        super().__init__()
        _check_keys("encoder", settings)
        n_in = sizes[0] + n_continuous
        self.hidden = Stack(n_in, settings["hidden_layers"], conditions, *norms, dropout)
        self.mean, self.reads = build_layer(settings["final_layer"], self.hidden.n_out, sizes[1], conditions)
        self.log_variance, _ = build_layer(settings["final_layer"], self.hidden.n_out, sizes[1], conditions)
        self.knows_batches = any(batch for batch, _ in (*self.hidden.reads, self.reads))

    def forward(self, x: Tensor, batch_nb: Tensor, continuous: Tensor | None, categorical: Tensor | None) -> Normal:
        """Map (n, g) values, with what is known of the cells, to distributions of (n, k) latent variables."""
        categorical = _or_none_wide(categorical, x)
        hidden = self.hidden(_beside(x, continuous), batch_nb, categorical)
        conditions = conditions_of(self.reads, batch_nb, categorical)
        variance = self.log_variance(hidden, conditions).exp() + _LEAST_VARIANCE
        return Normal(self.mean(hidden, conditions), variance.sqrt())


class Decoder(nn.Module):
    """From latent variables to the distributions of the counts.

    Parameters
    ----------
    settings
        ``hidden_layers``, ``final_layer`` and ``final_additive_bias``, as documented.
    sizes
        Numbers of latent variables and of features.
    n_continuous, conditions, norms
        As in `Encoder`.
    counts
        Likelihood, dispersion, and number of batches or labels that have dispersions of their own.
    """

    def __init__(
        self,
        settings: dict[str, Any],
        sizes: tuple[int, int],
        n_continuous: int,
        conditions: tuple[int, int],
        norms: tuple[bool, bool],
        counts: tuple[str, str, int],
    ) -> None:
        super().__init__()
        _check_keys("decoder", settings)
        n_in, g = sizes[0] + n_continuous, sizes[1]
        self.hidden = Stack(n_in, settings["hidden_layers"], conditions, *norms, 0.0)
        self.scores, self.reads = build_layer(settings["final_layer"], self.hidden.n_out, g, conditions)
        self.likelihood, self.dispersion, n_groups = counts
        self.additive = BatchLinear(sum(conditions), g, 0) if settings.get("final_additive_bias") else None
        self.log_dispersion: Any = None
        if self.likelihood != "poisson" and self.dispersion == "gene-cell":
            self.log_dispersion = nn.Linear(self.hidden.n_out, g)
        elif self.likelihood != "poisson":
            self.log_dispersion = nn.Parameter(torch.randn((g,) if self.dispersion == "gene" else (g, n_groups)))
        self.zero_logits = nn.Linear(self.hidden.n_out, g) if self.likelihood == "zinb" else None

    def forward(
        self,
        z_nk: Tensor,
        library_size_n1: Tensor,
        batch_nb: Tensor,
        continuous: Tensor | None,
        categorical: Any,
        label_nl: Tensor | None = None,
    ) -> Distribution:
        """Map (n, k) latent variables and (n, 1) sums, with what is known of the cells, to (n, g) distributions.

        Indicators of the labels, (n, labels), are needed if the dispersion is that of a gene and label.
        """
        categorical = _or_none_wide(categorical, z_nk)
        hidden = self.hidden(_beside(z_nk, continuous), batch_nb, categorical)
        share = torch.softmax(self.scores(hidden, conditions_of(self.reads, batch_nb, categorical)), dim=-1)
        if self.additive is not None:
            known = torch.cat([batch_nb, categorical], dim=-1)
            share = share + functional.relu(self.additive(known, known))
        rate = library_size_n1 * share
        if self.likelihood == "poisson":
            # the gradient of a rate of 0, that of an empty cell, would be 0 / 0
            return Poisson(rate.clamp(min=torch.finfo(rate.dtype).tiny), validate_args=False)
        log_dispersion = self.log_dispersion
        if self.dispersion == "gene-cell":
            log_dispersion = log_dispersion(hidden)
        elif self.dispersion != "gene":
            log_dispersion = (batch_nb if self.dispersion == "gene-batch" else label_nl) @ log_dispersion.T
        if self.zero_logits is None:
            return NegativeBinomial(rate, log_dispersion.exp())
        return ZeroInflatedNegativeBinomial(rate, log_dispersion.exp(), self.zero_logits(hidden))


class Batches(nn.Module):
    """Representation of batches: indicators, learnt numbers, or learnt distributions of them.

    Parameters
    ----------
    n_batch
        Number of batches.
    embedded
        How many numbers, and whether they are distributions; None for indicators.
    """

    def __init__(self, n_batch: int, embedded: tuple[int, bool] | None) -> None:
        super().__init__()
        self.n_batch = n_batch
        self.mean_bd: Any = None
        self.log_deviation_bd: Any = None
        if embedded is not None:
            self.mean_bd = nn.Parameter(torch.empty((n_batch, embedded[0])))
            self.log_deviation_bd = nn.Parameter(torch.empty((n_batch, embedded[0]))) if embedded[1] else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start from indicators, with deviations of 1."""
        if self.mean_bd is not None:
            nn.init.eye_(self.mean_bd)
        if self.log_deviation_bd is not None:
            nn.init.zeros_(self.log_deviation_bd)

    def forward(self, codes: Tensor, use_mean: bool) -> Tensor:
        """Represent (n,) codes by (n, b) numbers, drawn from their distribution unless `use_mean`."""
        if self.mean_bd is None:
            return one_hot(codes, self.n_batch)
        if use_mean or self.log_deviation_bd is None:
            return self.mean_bd[codes.long().ravel()]
        return self._distribution(codes).rsample()

    def divergence(self, codes: Tensor) -> Tensor:
        """Kullback-Leibler divergence of each representation from standard normal numbers, (n,)."""
        found = self._distribution(codes)
        return kl_divergence(found, Normal(torch.zeros_like(found.mean), torch.ones_like(found.mean))).sum(-1)

    def _distribution(self, codes: Tensor) -> Normal:
        places = codes.long().ravel()
        return Normal(self.mean_bd[places], self.log_deviation_bd[places].exp())


def _check_keys(name: str, settings: dict[str, Any]) -> None:
    missing, unknown = {"hidden_layers", "final_layer"} - set(settings), set(settings) - set(_KEYS)
    if missing or unknown:
        raise InputError(f"{name}: found the keys {some(settings, 9) or '(none)'}, expected {', '.join(_KEYS)}.")


def _beside(x: Tensor, continuous: Tensor | None) -> Tensor:
    return x if continuous is None else torch.cat([x, continuous], dim=-1)


def _or_none_wide(categorical: Tensor | None, like: Tensor) -> Tensor:
    """The representation of the covariates; without any, of no width."""
    return like[..., :0] if categorical is None else categorical
