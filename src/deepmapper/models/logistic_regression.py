"""Logistic regression with a Laplace prior, fitted exactly from streamed cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import InputError
from . import sparse_solver
from .arguments import check_distinct, check_positive, check_whole
from .base import CellariumModel, PredictMixin, ValidateMixin
from .tensors import check_names, fill_normal, to_matrix


class LogisticRegression(CellariumModel, PredictMixin, ValidateMixin):
    """Multinomial logistic regression whose weights have a Laplace prior; the intercepts have none.

    `run.fit` finds the maximum of the posterior, which is unique in its value: L-BFGS-B on the positive and the
    negative parts of the weights, so that most weights are exactly 0. The objective is that of scikit-learn's
    ``LogisticRegression(l1_ratio=1, C=W_prior_scale)``. A trainer that follows the gradient of `forward` instead only
    approaches it, from random weights, and no weight becomes 0.

    Parameters
    ----------
    n_obs
        Number of cells; the log loss of a batch is scaled to it.
    var_names_g
        (g,) names of the features.
    y_categories
        (c,) names of the classes.
    W_prior_scale
        Scale of the Laplace prior: smaller means sparser.
    W_init_scale, seed
        Standard deviation of the random weights before training, and the seed. The fit starts from 0.
    log_metrics
        Whether to log the histogram of the weights; used by loggers only.

    Attributes
    ----------
    W_gc, b_c
        Weights and intercepts, float32.
    n_passes
        How often the fit read all cells.
    """

    n_epochs = 3000
    reads_sparse = True

    def __init__(
        self,
        n_obs: int,
        var_names_g: np.ndarray,
        y_categories: np.ndarray,
        W_prior_scale: float = 1.0,
        W_init_scale: float = 1.0,
        seed: int = 0,
        log_metrics: bool = True,
    ) -> None:
        super().__init__()
        self.n_obs = n_obs
        self.var_names_g, self.y_categories = np.asarray(var_names_g), np.asarray(y_categories)
        if len(self.y_categories) < 2:
            raise InputError(f"y_categories={self.y_categories.tolist()}: expected two or more classes")
        check_distinct(self.y_categories, "y_categories")
        check_positive(W_prior_scale=W_prior_scale, W_init_scale=W_init_scale)
        check_whole(0, seed=seed)
        self.W_prior_scale, self.W_init_scale, self.seed = W_prior_scale, W_init_scale, seed
        self.log_metrics = log_metrics
        self.n_passes = 0
        g, c = len(self.var_names_g), len(self.y_categories)
        self.W_gc = nn.Parameter(torch.empty((g, c)))
        self.b_c = nn.Parameter(torch.empty(c))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew; the intercepts are 0."""
        fill_normal(self.W_gc, self.W_init_scale, self.seed)
        nn.init.zeros_(self.b_c)

    def forward(
        self, x_ng: Tensor, var_names_g: np.ndarray, y_n: Tensor, y_categories: np.ndarray
    ) -> dict[str, Tensor | None]:
        """Return the loss of some cells.

        Parameters
        ----------
        x_ng
            (n, g) cells.
        var_names_g
            (g,) names of their features.
        y_n
            (n,) class codes.
        y_categories
            (c,) names of the classes that the codes stand for.

        Returns
        -------
        dict
            ``loss``: log loss times `n_obs` / n, plus the sum of absolute weights divided by `W_prior_scale`.

        Raises
        ------
        InputError
            If features or classes are not those of the model.
        """
        self._check(x_ng, var_names_g, y_categories)
        dense = x_ng.to_dense() if x_ng.layout == torch.sparse_csr else x_ng
        loss = nn.functional.cross_entropy(dense @ self.W_gc + self.b_c, y_n.long(), reduction="sum")
        return {"loss": loss * (self.n_obs / len(y_n)) + self.W_gc.abs().sum() / self.W_prior_scale}

    @torch.no_grad()
    def predict(self, x_ng: Tensor, var_names_g: np.ndarray) -> dict[str, np.ndarray | Tensor]:
        """Return the scores (logits) of the classes.

        Parameters
        ----------
        x_ng
            (n, g) cells, dense or CSR.
        var_names_g
            (g,) names of their features.

        Returns
        -------
        dict
            ``y_logits_nc``: (n, c).
        """
        check_names(var_names_g, self.var_names_g, x_ng.shape[1])
        return {"y_logits_nc": x_ng @ self.W_gc + self.b_c}

    def solve(self, read: Callable[[], Iterable[dict[str, Any]]], max_passes: int) -> None:
        """Find the maximum of the posterior.

        Parameters
        ----------
        read
            Returns the batches of this process, with the arguments of `forward`; called once for each pass.
        max_passes
            Maximum number of passes.

        Raises
        ------
        InputError
            If there are no cells, or features or classes are not those of the model.

        Warns
        -----
        DeepMapperWarning
            If the fit stops at `max_passes`.
        """
        g, c = self.W_gc.shape
        solution = sparse_solver.solve(lambda: self._blocks(read), g, c, self.W_prior_scale, max_passes)
        solution.copy_to(self.W_gc, self.b_c)
        self.n_passes = solution.n_passes

    def _blocks(self, read: Callable[[], Iterable[dict[str, Any]]]) -> Iterator[sparse_solver.Block]:
        codes = np.arange(len(self.y_categories))
        for batch in read():
            self._check(batch["x_ng"], batch["var_names_g"], batch["y_categories"])
            yield to_matrix(batch["x_ng"]).astype(np.float64), batch["y_n"].numpy()[:, None] == codes

    def _check(self, x_ng: Tensor, var_names_g: np.ndarray, y_categories: np.ndarray) -> None:
        check_names(var_names_g, self.var_names_g, x_ng.shape[1])
        if y_categories is not self.y_categories and not np.array_equal(y_categories, self.y_categories):
            raise InputError(
                f"y_categories are {np.asarray(y_categories).tolist()}, expected {self.y_categories.tolist()}: pass "
                "codes of the model's classes."
            )
