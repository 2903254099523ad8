"""Counts that the variational autoencoder expects of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import InputError
from .arguments import check_positive, check_whole
from .variational_inputs import chosen_places

if TYPE_CHECKING:
    from .variational import SingleCellVariationalInference


def expected_counts(
    model: SingleCellVariationalInference,
    x_ng: Tensor,
    given: dict[str, Any],
    others: list[dict[str, Any]],
    gene_inds: Any,
    n_draws: int | None,
    by_importance: bool,
    library_size: float,
) -> Tensor:
    """Average the expected counts over draws of the latent variables, and over what they are decoded for.

    Parameters
    ----------
    model
        The model, in evaluation mode.
    x_ng
        (n, g) counts.
    given, others
        What encoder and decoder read of the cells, and each of what is decoded for.
    gene_inds
        Places of the features to return.
    n_draws
        Draws of each cell; None decodes the mean of its latent variables.
    by_importance
        Whether the draws of a cell are weighted by p(counts, z) / q(z).
    library_size
        Sum of the expected counts of all features.

    Returns
    -------
    torch.Tensor
        (n, features) expected counts.

    Raises
    ------
    InputError
        If an argument is impossible, or draws cannot be weighted.
    """
    places = chosen_places(gene_inds, len(model.var_names_g))
    check_positive(reconstructed_library_size=library_size)
    if n_draws is not None:
        check_whole(n_latent_samples=n_draws)
    encoded = model.inference(x_ng, **given)
    qz, size = encoded["qz"], torch.full((len(x_ng), 1), library_size, device=x_ng.device)
    normal_snk = qz.sample((n_draws,)) if n_draws else None
    z_snk = model.mean_latent(qz)[None] if normal_snk is None else model.latent(normal_snk)
    weight_sn = torch.full(z_snk.shape[:2], 1 / len(z_snk), device=x_ng.device)
    if by_importance and normal_snk is not None:
        if model.decoder.dispersion == "gene-label":
            raise InputError(
                "use_importance_sampling=True with dispersion='gene-label': the probability of the counts depends on "
                "labels, which reconstruct does not take. Set it to False."
            )
        log_ratio = [
            model.generative(model.latent(normal), encoded["library_size_n1"], **given)["px"].log_prob(x_ng).sum(-1)
            + model.log_prior(normal)
            - qz.log_prob(normal).sum(-1)
            for normal in normal_snk
        ]
        weight_sn = torch.softmax(torch.stack(log_ratio), dim=0)
    labels = torch.zeros(len(x_ng), dtype=torch.int64, device=x_ng.device)  # means do not depend on the dispersion
    chosen = torch.from_numpy(places).to(x_ng.device)
    total = torch.zeros((len(x_ng), len(places)), device=x_ng.device)
    for z, weight in zip(z_snk, weight_sn, strict=True):
        for other in others:
            px = model.generative(z, size, **other, cell_type_n=labels)["px"]
            total += px.mean[:, chosen] * (weight / len(others))[:, None]
    return total
