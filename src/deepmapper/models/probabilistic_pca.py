"""Probabilistic principal components by their closed form."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .arguments import check_positive, check_whole
from .base import CellariumModel, PredictMixin, Trainer
from .spectrum import Spectrum
from .tensors import check_names, fill_normal, to_matrix

_FLAVOURS = ("marginalized", "linear_vae")

# Passes that refine the components after the first, as in `IncrementalPCA`.
_N_REFINEMENTS = 2


class ProbabilisticPCA(CellariumModel, PredictMixin):
    """Probabilistic PCA (Tipping & Bishop 1999): cells are W z + mean + noise of equal variance in all features.

    The maximum of the likelihood is known in closed form, and is that of the linear VAE too (Lucas et al. 2019). So
    nothing is trained by gradients: the parameters are set at the end of each epoch, and both flavours are the same.

    Parameters
    ----------
    n_obs
        Number of cells; the loss of a batch is scaled to it.
    var_names_g
        (g,) names of the features.
    n_components
        Number of components k, less than g.
    ppca_flavor
        "marginalized" or "linear_vae".
    mean_g
        (g,) mean of the features; None estimates it.
    W_init_scale, sigma_init_scale, seed
        Scale of the random `W_kg` and value of `sigma` before the first epoch has ended, and the seed.

    Attributes
    ----------
    W_kg, sigma, mean_g
        Loadings, standard deviation of the noise, and means; float64.

    Raises
    ------
    InputError
        If an argument is impossible.
    """

    reads_sparse = True
    W_kg: Tensor
    sigma: Tensor
    mean_g: Tensor

    def __init__(
        self,
        n_obs: int,
        var_names_g: np.ndarray,
        n_components: int,
        ppca_flavor: Literal["marginalized", "linear_vae"],
        mean_g: Tensor | None = None,
        W_init_scale: float = 1.0,
        sigma_init_scale: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.var_names_g = np.asarray(var_names_g)
        g = len(self.var_names_g)
        if ppca_flavor not in _FLAVOURS:
            raise InputError(f"ppca_flavor={ppca_flavor!r}: expected one of {', '.join(_FLAVOURS)}")
        check_whole(n_obs=n_obs, n_components=n_components)
        check_whole(0, seed=seed)
        check_positive(W_init_scale=W_init_scale, sigma_init_scale=sigma_init_scale)
        if n_components >= g:
            raise InputError(f"n_components={n_components}: expected 1 to {g - 1}, fewer than the {g} features")
        self.n_obs, self.n_components, self.ppca_flavor = n_obs, n_components, ppca_flavor
        self.W_init_scale, self.sigma_init_scale, self.seed = W_init_scale, sigma_init_scale, seed
        self.estimates_mean = mean_g is None
        self.spectrum = Spectrum(g, n_components, _N_REFINEMENTS)
        self.n_epochs = self.spectrum.n_epochs
        given = torch.zeros(g) if mean_g is None else torch.as_tensor(mean_g).detach()
        if given.shape != (g,):
            raise InputError(f"mean_g has shape {tuple(given.shape)}, expected one mean for each of {g} features.")
        self.register_buffer("mean_g", given.to(torch.float64, copy=True))
        self.register_buffer("W_kg", torch.empty((n_components, g), dtype=torch.float64))
        self.register_buffer("sigma", torch.empty((), dtype=torch.float64))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Forget all cells; `W_kg` is random again."""
        self.spectrum.start_epoch(0)
        fill_normal(self.W_kg, self.W_init_scale, self.seed)
        self.sigma.fill_(self.sigma_init_scale)
        if self.estimates_mean:
            self.mean_g.zero_()

    def forward(self, x_ng: Tensor, var_names_g: np.ndarray) -> dict[str, Tensor | None]:
        """Add some cells while training, and return their loss.

        Parameters
        ----------
        x_ng
            (n, g) cells, dense or CSR.
        var_names_g
            (g,) names of their features.

        Returns
        -------
        dict
            ``loss``: negative log likelihood of the cells under the parameters so far, times `n_obs` / n; it has no
            gradient.
        """
        check_names(var_names_g, self.var_names_g, x_ng.shape[1])
        if self.training:
            self.spectrum.add(to_matrix(x_ng))
        return {"loss": self._loss(x_ng)}

    def predict(self, x_ng: Tensor, var_names_g: np.ndarray) -> dict[str, np.ndarray | Tensor]:
        """Return the posterior mean of the latent variables.

        Parameters
        ----------
        x_ng
            (n, g) cells, dense or CSR.
        var_names_g
            (g,) names of their features.

        Returns
        -------
        dict
            ``z_nk``: (n, k), in the type of the cells.
        """
        check_names(var_names_g, self.var_names_g, x_ng.shape[1])
        return {"z_nk": torch.linalg.solve(self._inner(), self._projected(x_ng).T).T.to(x_ng.dtype)}

    @property
    def L_k(self) -> Tensor:
        """(k,) eigenvalues of the components, descending: variance along each, noise included."""
        return torch.linalg.svdvals(self.W_kg) ** 2 + self.sigma**2

    @property
    def U_gk(self) -> Tensor:
        """(g, k) components of unit length, in the order of `L_k`."""
        return torch.linalg.svd(self.W_kg.T, full_matrices=False).U

    @property
    def W_variance(self) -> float:
        """Variance of all features that the latent variables explain."""
        return float((self.W_kg**2).sum())

    @property
    def sigma_variance(self) -> float:
        """Variance of all features that is noise."""
        return float(self.sigma**2) * len(self.var_names_g)

    def on_train_epoch_start(self, trainer: Trainer) -> None:
        """Forget the cells of an earlier run (epoch 0), or prepare to refine the components."""
        self.spectrum.start_epoch(trainer.current_epoch)

    def on_train_epoch_end(self, trainer: Trainer) -> None:
        """Add the cells of the other processes and set the parameters to the maximum of the likelihood."""
        centre = None if self.estimates_mean else self.mean_g.numpy()
        self.spectrum.end_epoch(centre)
        values, vectors = self.spectrum.eigenvalue_k, self.spectrum.vector_gk
        g, k = vectors.shape
        noise = max(self.spectrum.total_variance(centre) - float(values.sum()), 0.0) / (g - k)
        if noise <= 0:
            raise InputError(
                f"The cells vary in no more than {k} dimensions (n_components), so there is no noise to estimate: use "
                "fewer components, or more cells."
            )
        self.sigma.fill_(math.sqrt(noise))
        self.W_kg.copy_((vectors * torch.sqrt(torch.clamp(values - noise, min=0))).T)
        if self.estimates_mean:
            self.mean_g.copy_(self.spectrum.sum_g / self.spectrum.n)

    def _inner(self) -> Tensor:
        """W W' + sigma² I, (k, k)."""
        return self.W_kg @ self.W_kg.T + self.sigma**2 * torch.eye(self.n_components, dtype=torch.float64)

    def _projected(self, x_ng: Tensor) -> Tensor:
        """Centred cells times W', (n, k)."""
        product = torch.from_numpy(np.asarray(to_matrix(x_ng) @ self.W_kg.T.numpy()))
        return product - self.mean_g @ self.W_kg.T

    def _loss(self, x_ng: Tensor) -> Tensor:
        block = to_matrix(x_ng)
        mean, (n, g) = self.mean_g.numpy(), block.shape
        squares = block.multiply(block) if hasattr(block, "multiply") else block.astype(np.float64) ** 2
        about_mean = np.asarray(squares.sum(axis=1)).ravel() - 2 * np.asarray(block @ mean).ravel() + mean @ mean
        inner, projected = self._inner(), self._projected(x_ng)
        explained = (projected * torch.linalg.solve(inner, projected.T).T).sum(dim=1)
        distance = (torch.from_numpy(about_mean) - explained) / self.sigma**2
        volume = torch.logdet(inner) + 2 * (g - self.n_components) * torch.log(self.sigma)
        return 0.5 * (distance.sum() + n * (volume + g * math.log(2 * math.pi))) * (self.n_obs / n)
