"""The variational autoencoder of counts with an encoder that reads normalised values."""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from .variational import SingleCellVariationalInference
from .variational_inputs import represent


class ValueEncodedVariational(SingleCellVariationalInference):
    """`SingleCellVariationalInference`, whose encoder reads log1p of scaled counts, and whose decoder explains counts.

    Its latent variables are then a function of the values that a network reads, with a gradient by each of them.
    """

    def forward(  # type: ignore[override]
        self, x_ng: Tensor, counts_ng: Tensor, var_names_g: np.ndarray
    ) -> dict[str, Tensor]:
        """Return the loss of some cells, minus their evidence lower bound.

        Parameters
        ----------
        x_ng, counts_ng
            (n, g) values and counts (`count_halves.WithCounts`).
        var_names_g
            (g,) names of their features.
        """
        given = represent(self, x_ng, var_names_g)
        posterior: Normal = self.encoder(x_ng, given["batch_nb"], None, None)
        found = self.generative(posterior.rsample(), counts_ng.sum(1, keepdim=True), **given)
        divergence = kl_divergence(posterior, found["pz"]).sum(-1)
        weight = self.kl_weight if self.training else 1.0
        return {"loss": (weight * divergence - found["px"].log_prob(counts_ng).sum(-1)).mean()}
