"""Principal components of streamed cells."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .base import CellariumModel, PredictMixin, Trainer
from .spectrum import Spectrum
from .tensors import check_names, to_matrix


class IncrementalPCA(CellariumModel, PredictMixin):
    """Principal components: exact in one pass with at most 2048 features, otherwise refined in further passes.

    See `spectrum` for the method. With more features, `residual_k` says how far the components are from exact.

    Parameters
    ----------
    var_names_g
        (g,) names of the features.
    n_components
        Number of components k.
    svd_lowrank_niter
        Number of passes that refine the components after the first, if there are more than 2048 features.
    perform_mean_correction
        Whether to centre the features; False if they are centred already.

    Attributes
    ----------
    n_epochs
        Number of passes: 1, or 1 + `svd_lowrank_niter` with more than 2048 features.

    Raises
    ------
    InputError
        If there are fewer features than components.
    """

    reads_sparse = True

    def __init__(
        self,
        var_names_g: np.ndarray,
        n_components: int,
        svd_lowrank_niter: int = 2,
        perform_mean_correction: bool = True,
    ) -> None:
        super().__init__()
        self.var_names_g = np.asarray(var_names_g)
        self.n_components, self.svd_lowrank_niter = n_components, svd_lowrank_niter
        self.perform_mean_correction = perform_mean_correction
        self.spectrum = Spectrum(len(self.var_names_g), n_components, svd_lowrank_niter)
        self.n_epochs = self.spectrum.n_epochs

    def reset_parameters(self) -> None:
        """Forget all cells."""
        self.spectrum.start_epoch(0)

    def forward(self, x_ng: Tensor, var_names_g: np.ndarray) -> dict[str, Tensor | None]:
        """Add some cells.

        Parameters
        ----------
        x_ng
            (n, g) cells, dense or CSR.
        var_names_g
            (g,) names of their features.
        """
        check_names(var_names_g, self.var_names_g, x_ng.shape[1])
        self.spectrum.add(to_matrix(x_ng))
        return {}

    @property
    def x_size(self) -> int:
        """Number of cells."""
        return int(self.spectrum.n)

    @property
    def x_mean_g(self) -> Tensor:
        """(g,) mean of every feature, float64; 0 without mean correction."""
        if not self.perform_mean_correction:
            return torch.zeros_like(self.spectrum.sum_g)
        return self.spectrum.sum_g / self.spectrum.n

    @property
    def explained_variance_k(self) -> Tensor:
        """(k,) variance along every component, descending, float64; the divisor is the number of cells."""
        return self.spectrum.eigenvalue_k

    @property
    def components_kg(self) -> Tensor:
        """(k, g) principal axes of unit length, float64, by decreasing variance; the largest entry of each is positive.

        Components that the cells do not span are 0.
        """
        return self.spectrum.vector_gk.T

    @property
    def residual_k(self) -> Tensor:
        """(k,) distance of every component from an eigenvector (`Spectrum.residual_k`)."""
        return self.spectrum.residual_k

    def predict(self, x_ng: Tensor, var_names_g: np.ndarray) -> dict[str, np.ndarray | Tensor]:
        """Project centred cells onto the components.

        Parameters
        ----------
        x_ng
            (n, g) cells, dense or CSR.
        var_names_g
            (g,) names of their features.

        Returns
        -------
        dict
            ``x_ng``: (n, k) scores in the type of the cells; ``var_names_g``: PC1, PC2, ...
        """
        check_names(var_names_g, self.var_names_g, x_ng.shape[1])
        if not self.x_size:
            raise InputError("There are no components yet: train the model first (models.fit).")
        axes = self.spectrum.vector_gk.cpu().numpy()
        scores = to_matrix(x_ng) @ axes - self.x_mean_g.cpu().numpy() @ axes
        names = np.array([f"PC{i + 1}" for i in range(self.n_components)])
        return {"x_ng": torch.from_numpy(np.asarray(scores)).to(x_ng.dtype), "var_names_g": names}

    def on_train_epoch_start(self, trainer: Trainer) -> None:
        """Forget the cells of an earlier run (epoch 0), or prepare to refine the components."""
        self.spectrum.start_epoch(trainer.current_epoch)

    def on_train_epoch_end(self, trainer: Trainer) -> None:
        """Add the cells of the other processes and compute the components."""
        self.spectrum.end_epoch(None if self.perform_mean_correction else np.zeros(len(self.var_names_g)))
