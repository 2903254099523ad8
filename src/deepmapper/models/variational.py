"""Variational autoencoder of counts (scVI, Lopez et al. 2018, doi 10.1038/s41592-018-0229-2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Normal

from . import variational_inputs as inputs
from .base import CellariumModel, PredictMixin, Trainer, ValidateMixin, evaluated
from .variational_flow import SplineFlow
from .variational_layers import mean_of_softmax, one_hot
from .variational_loss import loss_of
from .variational_networks import NETWORKS, Batches, Decoder, Encoder
from .variational_reconstruction import expected_counts
from .variational_validation import Validation

if TYPE_CHECKING:
    import pandas as pd


class SingleCellVariationalInference(CellariumModel, PredictMixin, ValidateMixin):
    """Variational autoencoder of counts, which may know batches and covariates.

    At equal weights, loss and gradients are those of scvi-tools; `variational_layers.layers_of_scvi` has its layout.

    Parameters
    ----------
    var_names_g
        (g,) names of the features.
    encoder, decoder
        Layers: ``hidden_layers``, a list, and ``final_layer``; each has a ``class_path`` that ends in Linear,
        LinearWithBatch (with a bias for each batch) or LinearWithBatchAndCovariates, and ``init_args``:
        ``out_features`` of a hidden layer, ``bias``, and ``batch_to_bias_hidden_layers``. With ``final_additive_bias``
        the decoder adds a positive bias for each batch to the expected shares.
    n_batch, n_latent, n_continuous_cov, n_cats_per_cov
        Numbers of batches, latent variables, continuous covariates, and categories of every categorical one. Encoder
        and decoder read the continuous ones.
    dropout_rate, input_gene_dropout_rate
        Shares of the hidden units of the encoder, and of the counts that it reads, that are dropped in training.
    dispersion, gene_likelihood, latent_distribution
        "gene", "gene-batch", "gene-label" or "gene-cell"; "nb", "zinb" or "poisson"; "normal" or, for latent variables
        that are shares of a whole (the softmax of normal ones), "ln".
    log_variational
        Whether the encoder reads log(1 + counts).
    batch_embedded, batch_representation_sampled, n_latent_batch
        Represent a batch by `n_latent_batch` numbers that are learnt, or by a learnt distribution of them, instead of
        indicators.
    z_kl_weight_max, batch_kl_weight_max
        Final weights of the Kullback-Leibler divergences of latent variables and of representations of batches.
    use_batch_norm, use_layer_norm
        Where hidden layers are normalised: "encoder", "decoder", "both" or "none".
    kl_warmup_epochs, kl_warmup_steps, kl_annealing_start
        These weights rise from the share `kl_annealing_start` over so many steps or else epochs, but over half of the
        epochs at most; both None for no rise.
    use_size_factor_key
        False; pass ``total_mrna_umis_n`` for other sizes than the sums of the counts.
    reconstruct_counts_on_predict, reconstruction_*, reconstructed_library_size
        Whether `predict` returns expected counts instead of latent variables, and arguments of `reconstruct` for this;
        the names stand for its `gene_inds`, None for all features.
    use_flow, flow_hidden_features
        Whether the prior of the latent variables is a neural spline flow, and the sizes of its hidden layers.
    cell_type_categories, ontology_distance_matrix, val_cell_type_classifier_reservoir_size
        For `validate`: types (also labels of "gene-label"), distances of their terms, cells kept for the classifier.

    Attributes
    ----------
    kl_weight
        Share of the final weights of the divergences that training has reached.
    batch_categories
        Names of the batches, in the order of their codes, as `run.fit` found them; None if it had none.

    Raises
    ------
    InputError
        If an argument is impossible.

    Warns
    -----
    DeepMapperWarning
        If there are batches or categorical covariates that no layer reads.
    """

    n_epochs = 100

    def __init__(
        self,
        var_names_g: Sequence[str],
        encoder: dict[str, list[dict] | dict | bool],
        decoder: dict[str, list[dict] | dict | bool],
        n_batch: int = 0,
        n_latent: int = 10,
        n_continuous_cov: int = 0,
        n_cats_per_cov: list[int] | None = None,
        dropout_rate: float = 0.1,
        dispersion: Literal["gene", "gene-batch", "gene-label", "gene-cell"] = "gene",
        log_variational: bool = True,
        gene_likelihood: Literal["zinb", "nb", "poisson"] = "nb",
        latent_distribution: Literal["normal", "ln"] = "normal",
        batch_embedded: bool = False,
        batch_representation_sampled: bool = False,
        n_latent_batch: int | None = None,
        z_kl_weight_max: float = 1.0,
        batch_kl_weight_max: float = 0.0,
        input_gene_dropout_rate: float = 0.0,
        use_batch_norm: Literal["encoder", "decoder", "none", "both"] = "both",
        use_layer_norm: Literal["encoder", "decoder", "none", "both"] = "none",
        kl_warmup_epochs: int | None = 400,
        kl_warmup_steps: int | None = None,
        kl_annealing_start: float = 0.0,
        use_size_factor_key: bool = False,
        reconstruct_counts_on_predict: bool = False,
        reconstruction_var_names_g: np.ndarray | list | None = None,
        reconstruction_transform_batch: None | int | str = 0,
        reconstruction_n_latent_samples: int = 30,
        reconstruction_use_latent_mean: bool = False,
        reconstruction_use_importance_sampling: bool = False,
        reconstructed_library_size: int = 10_000,
        reconstruction_transform_categorical_covariates: list[int] | None = None,
        use_flow: bool = False,
        flow_hidden_features: list[int] = [64, 64],  # noqa: B006 - the documented default; it is never changed
        cell_type_categories: list[str] | None = None,
        ontology_distance_matrix: pd.DataFrame | None = None,
        val_cell_type_classifier_reservoir_size: int = 50_000,
    ) -> None:
        super().__init__()
        self.var_names_g = np.asarray(var_names_g)
        self.n_batch, self.n_latent, self.n_continuous_cov = n_batch, n_latent, n_continuous_cov
        self.n_cats_per_cov = list(n_cats_per_cov or [])
        self.log_variational, self.input_gene_dropout_rate = log_variational, input_gene_dropout_rate
        self.z_kl_weight_max, self.batch_kl_weight_max = z_kl_weight_max, batch_kl_weight_max
        self.annealing, self.kl_weight = inputs.Annealing(kl_warmup_epochs, kl_warmup_steps, kl_annealing_start), 1.0
        self.batch_categories: np.ndarray | None = None
        inputs.check_numbers(self, dropout_rate)
        inputs.check_choices(
            gene_likelihood=gene_likelihood,
            latent_distribution=latent_distribution,
            dispersion=dispersion,
            use_batch_norm=use_batch_norm,
            use_layer_norm=use_layer_norm,
            use_size_factor_key=use_size_factor_key,
        )
        inputs.check_batches_and_labels(dispersion, n_batch, n_latent_batch, batch_embedded, cell_type_categories)
        self.latent_distribution, self.cell_type_categories = latent_distribution, cell_type_categories
        self.reconstruct_counts_on_predict, self.values_are_checked = reconstruct_counts_on_predict, False
        self.reconstruction = {
            "gene_inds": inputs.places_of(reconstruction_var_names_g, self.var_names_g),
            "transform_batch": reconstruction_transform_batch,
            "transform_categorical_covariates": reconstruction_transform_categorical_covariates,
            "use_latent_mean": reconstruction_use_latent_mean,
            "n_latent_samples": reconstruction_n_latent_samples,
            "use_importance_sampling": reconstruction_use_importance_sampling,
            "reconstructed_library_size": reconstructed_library_size,
        }
        n_kept = val_cell_type_classifier_reservoir_size
        self.validation = Validation(cell_type_categories, ontology_distance_matrix, n_kept)
        g, conditions = len(self.var_names_g), (n_latent_batch or n_batch, sum(self.n_cats_per_cov))
        norms = [(use_batch_norm in (part, "both"), use_layer_norm in (part, "both")) for part in NETWORKS]
        counts = gene_likelihood, dispersion, len(cell_type_categories or ()) if dispersion == "gene-label" else n_batch
        self.encoder = Encoder(encoder, (g, n_latent), n_continuous_cov, conditions, norms[0], dropout_rate)
        self.decoder = Decoder(decoder, (n_latent, g), n_continuous_cov, conditions, norms[1], counts)
        self.batches = Batches(n_batch, (conditions[0], batch_representation_sampled) if batch_embedded else None)
        self.flow = SplineFlow(n_latent, flow_hidden_features) if use_flow else None
        inputs.warn_of_unread(self)

    def reset_parameters(self) -> None:
        """Draw the weights anew, from torch's generator."""
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.BatchNorm1d | Batches | SplineFlow):
                layer.reset_parameters()
        if isinstance(self.decoder.log_dispersion, nn.Parameter):
            nn.init.normal_(self.decoder.log_dispersion)
        self.kl_weight = 1.0

    def batch_representation_from_batch_index(
        self, batch_index_n: Tensor, use_mean_though_sampling: bool = False
    ) -> Tensor:
        """Represent (n,) codes of batches, (n, b): if by distributions, by draws or by their means."""
        return self.batches(batch_index_n, use_mean_though_sampling)

    def categorical_onehot_from_categorical_index(self, categorical_covariate_index_nd: Tensor | None) -> Tensor | None:
        """Represent categorical covariates, (n, d) codes, by indicators, (n, sum of their categories); None stays."""
        if categorical_covariate_index_nd is None:
            return None
        columns = categorical_covariate_index_nd.reshape(len(categorical_covariate_index_nd), -1).T
        parts = [one_hot(codes, n) for codes, n in zip(columns, self.n_cats_per_cov, strict=True)]
        return torch.cat(parts, dim=1)

    def inference(
        self,
        x_ng: Tensor,
        batch_nb: Tensor,
        continuous_covariates_nc: Tensor | None = None,
        categorical_covariate_np: Tensor | None = None,
    ) -> dict[str, Any]:
        """Encode (n, g) counts, given representations of batch and covariates.

        Returns
        -------
        dict
            ``qz``: normal distribution of the latent variables; ``normal``: (n, k) a draw from it; ``z``: the latent
            variables, its softmax if they are "ln"; ``library_size_n1``: sums of the counts.
        """
        qz = self._posterior(x_ng, batch_nb, continuous_covariates_nc, categorical_covariate_np)
        normal = qz.rsample()
        return {"qz": qz, "normal": normal, "z": self.latent(normal), "library_size_n1": x_ng.sum(1, keepdim=True)}

    def generative(
        self,
        z_nk: Tensor,
        library_size_n1: Tensor,
        batch_nb: Tensor,
        continuous_covariates_nc: Tensor | None = None,
        categorical_covariate_np: Tensor | None = None,
        cell_type_n: Tensor | None = None,
    ) -> dict[str, Distribution]:
        """Decode latent variables for expected sums of the counts, given batch and covariates, and labels if needed.

        Returns
        -------
        dict
            ``px``: (n, g) distribution of the counts; ``pz``: the standard normal distribution.
        """
        covariates = continuous_covariates_nc, categorical_covariate_np, inputs.represent_labels(self, cell_type_n)
        px = self.decoder(z_nk, library_size_n1, batch_nb, *covariates)
        return {"px": px, "pz": Normal(torch.zeros_like(z_nk), torch.ones_like(z_nk))}

    def log_prior(self, normal: Tensor) -> Tensor:
        """Logarithm of the prior density of latent variables, (..., k), before any softmax."""
        if self.flow is not None:
            return self.flow.log_prob(normal)
        return Normal(torch.zeros_like(normal), torch.ones_like(normal)).log_prob(normal).sum(-1)

    def latent(self, normal: Tensor) -> Tensor:
        """Latent variables of normal ones, (..., k)."""
        return torch.softmax(normal, dim=-1) if self.latent_distribution == "ln" else normal

    def mean_latent(self, qz: Normal) -> Tensor:
        """Means of the latent variables of cells, (n, k)."""
        return mean_of_softmax(qz) if self.latent_distribution == "ln" else qz.mean

    def forward(
        self,
        x_ng: Tensor,
        var_names_g: np.ndarray,
        batch_index_n: Tensor | None = None,
        continuous_covariates_nc: Tensor | None = None,
        categorical_covariate_index_nd: Tensor | None = None,
        total_mrna_umis_n: Tensor | None = None,
        cell_type_n: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the loss of some cells, minus their evidence lower bound.

        Parameters
        ----------
        x_ng
            (n, g) counts.
        var_names_g
            (g,) names of their features.
        batch_index_n
            (n,) codes of their batches; may be left out with up to one batch.
        continuous_covariates_nc, categorical_covariate_index_nd
            (n, c) values and (n, d) codes.
        total_mrna_umis_n
            (n,) expected sums of the counts; None for those observed.
        cell_type_n
            (n,) codes of the labels, in the order of `cell_type_categories`; read with the dispersion "gene-label".

        Returns
        -------
        dict
            ``loss``: mean over cells, with divergences weighted by `kl_weight` in training; ``reconstruction_loss``,
            ``kl_divergence_z``: (n,); ``z_nk``: (n, k).

        Raises
        ------
        InputError
            If the cells are not as the model expects them.
        """
        cells = x_ng, var_names_g, batch_index_n, continuous_covariates_nc, categorical_covariate_index_nd
        given = inputs.represent(self, *cells)
        return loss_of(self, x_ng, given, batch_index_n, total_mrna_umis_n, cell_type_n)

    @torch.no_grad()
    def predict(
        self,
        x_ng: Tensor,
        var_names_g: np.ndarray,
        batch_index_n: Tensor | None = None,
        continuous_covariates_nc: Tensor | None = None,
        categorical_covariate_index_nd: Tensor | None = None,
    ) -> dict[str, np.ndarray | Tensor]:
        """Return the means of the latent variables (without batches, if the encoder knows none) or expected counts.

        Returns
        -------
        dict
            ``x_ng``: (n, k) latent variables or (n, features) expected counts; ``var_names_g``: their names.
        """
        cells = x_ng, var_names_g, batch_index_n, continuous_covariates_nc, categorical_covariate_index_nd
        if self.reconstruct_counts_on_predict:
            settings: Any = dict(self.reconstruction)
            names = self.var_names_g[settings["gene_inds"]]
            arguments = (*cells[:2], settings.pop("gene_inds"), *cells[2:])
            return {**self.reconstruct(*arguments, **settings), "var_names_g": names}
        return {"x_ng": self._latent(*cells), "var_names_g": np.array([f"Z{i + 1}" for i in range(self.n_latent)])}

    def reconstruct(
        self,
        x_ng: Tensor,
        var_names_g: np.ndarray,
        gene_inds: np.ndarray | list[int],
        batch_index_n: Tensor | None = None,
        continuous_covariates_nc: Tensor | None = None,
        categorical_covariate_index_nd: Tensor | None = None,
        transform_batch: str | int | None = None,
        transform_categorical_covariates: list[int] | None = None,
        use_latent_mean: bool = False,
        n_latent_samples: int = 1000,
        use_importance_sampling: bool = False,
        reconstructed_library_size: float = 10_000,
    ) -> dict[str, Tensor]:
        """Return the counts that the model expects of cells, also as if they were from another batch.

        Parameters
        ----------
        x_ng, var_names_g, batch_index_n, continuous_covariates_nc, categorical_covariate_index_nd
            As in `forward`.
        gene_inds
            Places of the features to return.
        transform_batch, transform_categorical_covariates
            Codes to decode for; None for those of the cell, "mean" for the mean over the first ten batches.
        use_latent_mean, n_latent_samples
            Decode the means of the latent variables, or average over so many draws.
        use_importance_sampling
            Weight the draws of a cell by p(counts, z) / q(z), so that they follow the posterior; not possible with the
            dispersion "gene-label", since the labels are not among the arguments.
        reconstructed_library_size
            Expected sum of the counts of every cell.

        Returns
        -------
        dict
            ``x_ng``: (n, features) expected counts.
        """
        cells = x_ng, var_names_g, batch_index_n, continuous_covariates_nc, categorical_covariate_index_nd
        settings = None if use_latent_mean else n_latent_samples, use_importance_sampling, reconstructed_library_size
        with evaluated(self):
            given = inputs.represent(self, *cells, use_mean=True)
            others = inputs.decoded_for(self, given, transform_batch, transform_categorical_covariates)
            return {"x_ng": expected_counts(self, x_ng, given, others, gene_inds, *settings)}

    def validate(self, trainer: Any, pl_module: Any, batch_idx: int, *args: Any, **kwargs: Any) -> None:
        """Log ``val_loss``, minus the evidence lower bound, and keep cells for the metrics of the epoch.

        Besides the arguments of `forward`, ``cell_type_n`` has the codes of the types, in the order of
        `cell_type_categories`.
        """
        super().validate(trainer, pl_module, batch_idx, *args, **kwargs)
        cells = dict(zip(("x_ng", "var_names_g", "batch_index_n"), args, strict=False)) | kwargs
        types, _ = cells.pop("cell_type_n", None), cells.pop("total_mrna_umis_n", None)
        self.validation.add(batch_idx, self._latent(**cells), cells.get("batch_index_n"), types)

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Log the metrics of the latent variables (`variational_validation.Validation`), and forget the cells."""
        for name, value in self.validation.metrics().items():
            pl_module.log(name, value, sync_dist=True)

    def on_train_start(self, trainer: Trainer) -> None:
        """Note how long the training is."""
        self.annealing.begin(trainer)

    def on_train_epoch_start(self, trainer: Trainer) -> None:
        """Set the weight of the divergences, before an epoch and after a batch."""
        self.kl_weight = self.annealing.weight(trainer)

    on_train_batch_end = on_train_epoch_start

    def _posterior(self, x: Tensor, *conditions: Tensor | None) -> Normal:
        """Distribution of the latent variables; nothing is drawn outside of training."""
        inputs.check_counts(self, x)
        if self.training and self.input_gene_dropout_rate:
            x = x * (torch.rand_like(x) >= self.input_gene_dropout_rate)
        return self.encoder(torch.log1p(x) if self.log_variational else x, *conditions)

    def _latent(
        self, x_ng: Tensor, var_names_g: np.ndarray, batch_index_n: Tensor | None = None, *more: Any, **named: Any
    ) -> Tensor:
        """Means of the latent variables."""
        if batch_index_n is None and not self.encoder.knows_batches:
            batch_index_n = torch.zeros(len(x_ng), device=x_ng.device)
        given = inputs.represent(self, x_ng, var_names_g, batch_index_n, *more, **named | {"use_mean": True})
        with evaluated(self):
            return self.mean_latent(self._posterior(x_ng, *given.values()))
