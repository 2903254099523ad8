"""The loss of the variational autoencoder of counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.distributions import kl_divergence

if TYPE_CHECKING:
    from .variational import SingleCellVariationalInference


def loss_of(
    model: SingleCellVariationalInference,
    x_ng: Tensor,
    given: dict[str, Any],
    batch_index_n: Tensor | None,
    total_mrna_umis_n: Tensor | None,
    cell_type_n: Tensor | None,
) -> dict[str, Tensor]:
    """Minus the evidence lower bound of cells, as `SingleCellVariationalInference.forward` returns it.

    Parameters
    ----------
    model
        The model.
    x_ng
        (n, g) counts.
    given
        What encoder and decoder read of the cells.
    batch_index_n, total_mrna_umis_n, cell_type_n
        As in `forward`.
    """
    encoded = model.inference(x_ng, **given)
    size = encoded["library_size_n1"] if total_mrna_umis_n is None else total_mrna_umis_n.reshape(-1, 1)
    decoded = model.generative(encoded["z"], size, **given, cell_type_n=cell_type_n)
    of_counts = -decoded["px"].log_prob(x_ng).sum(-1)
    if model.flow is None:
        divergence = kl_divergence(encoded["qz"], decoded["pz"]).sum(-1)
    else:
        drawn = encoded["normal"]
        divergence = encoded["qz"].log_prob(drawn).sum(-1) - model.flow.log_prob(drawn)
    weight = model.kl_weight if model.training else 1.0
    loss = of_counts + weight * model.z_kl_weight_max * divergence
    if model.batch_kl_weight_max and model.batches.log_deviation_bd is not None and batch_index_n is not None:
        loss = loss + weight * model.batch_kl_weight_max * model.batches.divergence(batch_index_n)
    found = {"reconstruction_loss": of_counts, "kl_divergence_z": divergence, "z_nk": encoded["z"]}
    return {"loss": loss.mean(), **found}
