"""What the variational autoencoder of counts knows of cells: its settings and inputs checked, batches represented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..core.words import some
from ..errors import InputError
from .base import Trainer
from .tensors import check_names
from .variational_layers import one_hot

if TYPE_CHECKING:
    from .variational import SingleCellVariationalInference

_PARTS = ("encoder", "decoder", "both", "none")

# Largest number of batches over which "mean" averages, as documented.
_MOST_BATCHES = 10

# Argument -> its values.
_CHOICES: dict[str, tuple[Any, ...]] = {
    "gene_likelihood": ("nb", "zinb", "poisson"),
    "latent_distribution": ("normal", "ln"),
    "dispersion": ("gene", "gene-batch", "gene-label", "gene-cell"),
    "use_batch_norm": _PARTS,
    "use_layer_norm": _PARTS,
    "use_size_factor_key": (False,),
}


@dataclass
class Annealing:
    """How the weights of the divergences rise while a model is trained.

    Attributes
    ----------
    epochs, steps
        Over how many; steps come first, and both None is no rise.
    start
        Share of the final weights at the beginning.
    used_epochs
        The epochs that are used: at most half of those of the training.
    """

    epochs: int | None
    steps: int | None
    start: float
    used_epochs: int | None = None

    def begin(self, trainer: Trainer) -> None:
        """Note how long the training is."""
        most = getattr(trainer, "max_epochs", None)
        known = self.epochs is not None and most is not None and most > 0
        self.used_epochs = min(self.epochs or 0, max(1, most // 2)) if known and most else self.epochs

    def weight(self, trainer: Trainer) -> float:
        """Share of the final weights at this point of the training."""
        if self.steps:
            share = getattr(trainer, "global_step", 0) / self.steps
        else:
            share = trainer.current_epoch / self.used_epochs if self.used_epochs else 1.0
        return self.start + (1 - self.start) * min(share, 1.0)


def check_choices(**given: Any) -> None:
    """Refuse values of arguments that cannot be used.

    Raises
    ------
    InputError
        If there is one.
    """
    for name, value in given.items():
        if value not in _CHOICES[name]:
            raise InputError(f"{name}={value!r}: expected {' or '.join(map(repr, _CHOICES[name]))}.")


def check_batches_and_labels(
    dispersion: str, n_batch: int, n_latent_batch: int | None, batch_embedded: bool, labels: Sequence[str] | None
) -> None:
    """Refuse representations of batches, and dispersions by batch or label, that do not fit together.

    Raises
    ------
    InputError
        If there is one.
    """
    if not batch_embedded and n_latent_batch not in (None, n_batch):
        raise InputError(f"n_latent_batch={n_latent_batch} without batch_embedded: expected n_batch ({n_batch}).")
    if dispersion == "gene-batch" and (batch_embedded or not n_batch):
        raise InputError("dispersion='gene-batch' needs n_batch of 1 or more, and batch_embedded=False.")
    if dispersion == "gene-label" and not labels:
        raise InputError("dispersion='gene-label' needs cell_type_categories: pass the names of the labels.")


def represent_labels(model: SingleCellVariationalInference, cell_type_n: Tensor | None) -> Tensor | None:
    """Indicators (n, labels) of the labels of cells if the dispersion depends on them, else None.

    Raises
    ------
    InputError
        If labels are needed, and missing or unknown.
    """
    if model.decoder.dispersion != "gene-label":
        return None
    n_labels = len(model.cell_type_categories or ())
    if cell_type_n is None:
        raise InputError("dispersion='gene-label', but no cell_type_n was given: pass the codes of the labels.")
    if len(cell_type_n) and (cell_type_n.min() < 0 or cell_type_n.max() >= n_labels):
        found = f"from {int(cell_type_n.min())} to {int(cell_type_n.max())}"
        raise InputError(f"cell_type_n has codes {found}, expected 0 to {n_labels - 1}.")
    return one_hot(cell_type_n, n_labels)


def places_of(names: Any, var_names_g: np.ndarray) -> np.ndarray:
    """Find features by name; all if no names are given.

    Raises
    ------
    InputError
        If one is not among the features of the model.
    """
    if names is None:
        return np.arange(len(var_names_g))
    place = {str(name): i for i, name in enumerate(var_names_g)}
    if unknown := [name for name in names if str(name) not in place]:
        raise InputError(f"reconstruction_var_names_g: {some(unknown)} not among the {len(place)} features.")
    return np.array([place[str(name)] for name in names], dtype=np.int64)


def represent(
    model: SingleCellVariationalInference,
    x_ng: Tensor,
    var_names_g: np.ndarray,
    batch_index_n: Tensor | None = None,
    continuous_covariates_nc: Tensor | None = None,
    categorical_covariate_index_nd: Tensor | None = None,
    use_mean: bool = False,
) -> dict[str, Any]:
    """Check cells, and return their batches and covariates as encoder and decoder read them.

    Raises
    ------
    InputError
        If features, batches or covariates are not those of the model.
    """
    check_names(var_names_g, model.var_names_g, x_ng.shape[1])
    if batch_index_n is None and model.n_batch > 1:
        raise InputError(f"n_batch={model.n_batch}, but no batch_index_n was given: pass the codes of the batches.")
    n = len(x_ng)
    codes = torch.zeros(n, device=x_ng.device) if batch_index_n is None else batch_index_n
    if model.n_batch and n and (codes.min() < 0 or codes.max() >= model.n_batch):
        found = f"from {int(codes.min())} to {int(codes.max())}"
        raise InputError(f"batch_index_n has codes {found}, expected 0 to {model.n_batch - 1}.")
    for name, given, expected in (
        ("continuous_covariates_nc", continuous_covariates_nc, model.n_continuous_cov),
        ("categorical_covariate_index_nd", categorical_covariate_index_nd, len(model.n_cats_per_cov)),
    ):
        n_found = 0 if given is None else given.reshape(n, -1).shape[1]
        if n_found != expected:
            raise InputError(f"{name}: found {n_found} covariates, expected the {expected} of the model.")
    continuous = None if continuous_covariates_nc is None else continuous_covariates_nc.reshape(n, -1).to(x_ng.dtype)
    return {
        "batch_nb": model.batch_representation_from_batch_index(codes, use_mean),
        "continuous_covariates_nc": continuous,
        "categorical_covariate_np": model.categorical_onehot_from_categorical_index(categorical_covariate_index_nd),
    }


def decoded_for(
    model: SingleCellVariationalInference,
    given: dict[str, Any],
    batch: str | int | None,
    categories: list[int] | None,
) -> list[dict[str, Any]]:
    """What the decoder reads for every batch to decode for.

    Raises
    ------
    InputError
        If the model does not have the batch.
    """
    n, device, found = len(given["batch_nb"]), given["batch_nb"].device, dict(given)
    if categories is not None:
        codes = torch.tensor(categories, device=device).expand(n, -1)
        found["categorical_covariate_np"] = model.categorical_onehot_from_categorical_index(codes)
    if batch is None or not model.n_batch:
        return [found]
    if batch != "mean" and (isinstance(batch, str) or not 0 <= batch < model.n_batch):
        raise InputError(f"transform_batch={batch!r}: expected None, 'mean', or 0 to {model.n_batch - 1}.")
    chosen = range(min(_MOST_BATCHES, model.n_batch)) if isinstance(batch, str) else [batch]
    of_batch = model.batch_representation_from_batch_index
    return [found | {"batch_nb": of_batch(torch.full((n,), code, device=device), True)} for code in chosen]
