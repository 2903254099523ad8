"""What the variational autoencoder of counts knows of cells: its settings and inputs checked, batches represented."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..core.words import count, some
from ..errors import DeepMapperWarning, InputError
from .arguments import check_share, check_whole
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


def check_numbers(model: SingleCellVariationalInference, dropout_rate: float) -> None:
    """Refuse numbers that are impossible.

    Raises
    ------
    InputError
        If there is one.
    """
    check_whole(n_latent=model.n_latent)
    check_whole(0, n_batch=model.n_batch, n_continuous_cov=model.n_continuous_cov)
    for size in model.n_cats_per_cov:
        check_whole(n_cats_per_cov=size)
    if not len(model.var_names_g):
        raise InputError("var_names_g is empty: expected the names of the features.")
    check_share(dropout_rate=dropout_rate, input_gene_dropout_rate=model.input_gene_dropout_rate)
    if not 0 <= model.annealing.start <= 1:
        raise InputError(f"kl_annealing_start={model.annealing.start}: expected 0 to 1.")
    for name in ("z_kl_weight_max", "batch_kl_weight_max"):
        if getattr(model, name) < 0:
            raise InputError(f"{name}={getattr(model, name)}: expected 0 or more.")


def warn_of_unread(model: SingleCellVariationalInference) -> None:
    """Warn of batches and categorical covariates that have no effect, since no layer reads them."""
    parts = model.encoder, model.decoder
    reads = [layer for part in parts for layer in (*part.hidden.reads, part.reads)]
    of_batches, of_covariates = (any(known) for known in zip(*reads, strict=True))
    if model.decoder.additive is not None:
        return
    for unread, what, layer in (
        (
            model.n_batch > 1 and not of_batches and model.decoder.dispersion != "gene-batch",
            f"n_batch={model.n_batch}",
            "LinearWithBatch",
        ),
        (
            bool(model.n_cats_per_cov) and not of_covariates,
            f"n_cats_per_cov={model.n_cats_per_cov}",
            "LinearWithBatchAndCovariates",
        ),
    ):
        if unread:
            text = f"{what}, but no layer of encoder or decoder reads them, so they have no effect: use {layer}."
            warnings.warn(text, DeepMapperWarning, stacklevel=3)


def check_counts(model: SingleCellVariationalInference, x_ng: Tensor) -> None:
    """Refuse negative values, and say once if values are no counts.

    Raises
    ------
    InputError
        If a value is negative.
    """
    if not x_ng.numel():
        return
    if (least := float(x_ng.min())) < 0:
        raise InputError(f"The cells have negative values ({least:.3g}), expected counts.")
    if not model.values_are_checked and not bool((x_ng == x_ng.round()).all()):
        warnings.warn(
            "The cells have values that are not whole numbers: the model explains counts. Leave transforms such as "
            "NormalizeTotal and Log1p out, or choose the layer that has the counts.",
            DeepMapperWarning,
            stacklevel=2,
        )
    model.values_are_checked = True


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


def chosen_places(gene_inds: Any, n_features: int) -> np.ndarray:
    """Places of features that are chosen by their number.

    Raises
    ------
    InputError
        If one is no place of a feature, or there are none.
    """
    places = np.asarray(gene_inds)
    if places.dtype.kind not in "iu" or places.ndim != 1 or not len(places):
        raise InputError(f"gene_inds={gene_inds!r}: expected places of features, such as [0, 1].")
    if places.min() < 0 or places.max() >= n_features:
        raise InputError(f"gene_inds has places from {places.min()} to {places.max()}, expected 0 to {n_features - 1}.")
    return places.astype(np.int64)


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
    _check_covariates(model, n, continuous_covariates_nc, categorical_covariate_index_nd)
    continuous = None if continuous_covariates_nc is None else continuous_covariates_nc.reshape(n, -1).to(x_ng.dtype)
    return {
        "batch_nb": model.batch_representation_from_batch_index(codes, use_mean),
        "continuous_covariates_nc": continuous,
        "categorical_covariate_np": model.categorical_onehot_from_categorical_index(categorical_covariate_index_nd),
    }


def _check_covariates(
    model: SingleCellVariationalInference, n: int, continuous: Tensor | None, categorical: Tensor | None
) -> None:
    """Refuse other numbers of covariates than those of the model, and unknown categories."""
    for name, given, expected in (
        ("continuous_covariates_nc", continuous, model.n_continuous_cov),
        ("categorical_covariate_index_nd", categorical, len(model.n_cats_per_cov)),
    ):
        n_found = 0 if given is None else given.reshape(n, -1).shape[1] if n else expected
        if n_found != expected:
            raise InputError(
                f"{name}: found {count(n_found, 'covariate')}, expected the {expected} of the model. Name a column for "
                "each in obs."
            )
    if categorical is None or not n:
        return
    for i, (codes, size) in enumerate(zip(categorical.reshape(n, -1).T, model.n_cats_per_cov, strict=True)):
        if codes.min() < 0 or codes.max() >= size:
            raise InputError(
                f"categorical_covariate_index_nd has codes from {int(codes.min())} to {int(codes.max())} in column "
                f"{i}, expected 0 to {size - 1} (n_cats_per_cov)."
            )


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
        If the model does not have the batch or the categories.
    """
    n, device, found = len(given["batch_nb"]), given["batch_nb"].device, dict(given)
    if categories is not None:
        fits = len(categories) == len(model.n_cats_per_cov)
        if not fits or not all(0 <= code < n for code, n in zip(categories, model.n_cats_per_cov, strict=True)):
            raise InputError(
                f"transform_categorical_covariates={list(categories)}: expected a code for each categorical covariate, "
                f"below their numbers of categories {model.n_cats_per_cov}."
            )
        codes = torch.tensor(categories, device=device).expand(n, -1)
        found["categorical_covariate_np"] = model.categorical_onehot_from_categorical_index(codes)
    if batch is None or not model.n_batch:
        return [found]
    if batch != "mean" and (isinstance(batch, str) or not 0 <= batch < model.n_batch):
        raise InputError(f"transform_batch={batch!r}: expected None, 'mean', or 0 to {model.n_batch - 1}.")
    chosen = range(min(_MOST_BATCHES, model.n_batch)) if isinstance(batch, str) else [batch]
    of_batch = model.batch_representation_from_batch_index
    return [found | {"batch_nb": of_batch(torch.full((n,), code, device=device), True)} for code in chosen]
