"""Cell types of an ontology: logistic regression whose labels may be of any depth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from ..core.ontology import propagate
from ..core.words import some
from ..errors import InputError
from . import sparse_solver
from .arguments import check_distinct, check_positive, check_whole, names_of
from .base import CellariumModel, PredictMixin, ValidateMixin
from .tensors import check_names, fill_normal, to_matrix


class SOCAM(CellariumModel, PredictMixin, ValidateMixin):
    """Logistic regression over all terms of an ontology, inner ones included, with a Laplace prior.

    The probability of a term is the sum of the softmax over the term and its descendants, and a cell's loss is minus
    the logarithm of this probability of its label. A cell labelled with an inner term is therefore right whichever
    descendant gets the probability.

    `run.fit` minimises the objective by L-BFGS-B (`sparse_solver`): weights are exactly 0 where the data do not need
    them. With inner labels the objective is not convex, and the result is a local optimum from weights of 0.

    Parameters
    ----------
    n_obs
        Number of cells; the loss of a batch is scaled to it.
    var_names_g
        (g,) names of the features.
    descendant_tensor
        (terms, terms) 1 where the column's term is the row's term or a descendant of it, else 0; of the terms of a
        file, ``torch.from_numpy(read_ontology(path).descendants(cl_names))`` (`core.ontology`).
    cl_names
        Names of the terms.
    cl_name_subset
        Terms to use, of which all labels must be; None for all. They are sorted.
    probability_propagation_flag
        Whether to sum probabilities over descendants; if not, every term is a class of its own.
    W_prior_scale
        Scale of the Laplace prior: smaller means sparser.
    W_init_scale, seed
        Standard deviation of the random weights before training, and the seed. The fit starts from 0.
    log_metrics
        Whether to log the histogram of the weights; used by loggers only.
    include_ancestors_of_cl_name_subset
        Whether to use the ancestors of `cl_name_subset` too.

    Attributes
    ----------
    W_gc, b_c
        Weights and intercepts, float32.
    active_cl_names
        Names of the terms that are used, in the order of the predictions.
    n_passes
        How often the fit read all cells.

    Raises
    ------
    InputError
        If the terms do not fit together.
    """

    n_epochs = 3000
    reads_sparse = True
    active_descendant_tensor_cc: Tensor

    def __init__(
        self,
        n_obs: int,
        var_names_g: np.ndarray,
        descendant_tensor: Tensor,
        cl_names: list[str],
        cl_name_subset: list[str] | None = None,
        probability_propagation_flag: bool = True,
        W_prior_scale: float = 0.01,
        W_init_scale: float = 1.0,
        seed: int = 0,
        log_metrics: bool = True,
        include_ancestors_of_cl_name_subset: bool = True,
    ) -> None:
        super().__init__()
        self.n_obs, self.var_names_g, self.cl_names = n_obs, np.asarray(var_names_g), list(cl_names)
        check_distinct(self.cl_names, "cl_names")
        closure = torch.as_tensor(descendant_tensor).detach() != 0
        if closure.shape != (len(self.cl_names),) * 2 or not bool(closure.diagonal().all()):
            raise InputError(
                f"descendant_tensor has shape {tuple(closure.shape)}, expected a row and a column for each of "
                f"{len(self.cl_names)} cl_names, with 1 where both are the same term."
            )
        self._check_closure(closure)
        check_positive(W_prior_scale=W_prior_scale, W_init_scale=W_init_scale)
        check_whole(0, seed=seed)
        active = self._active(closure, cl_name_subset, include_ancestors_of_cl_name_subset)
        self.active_cl_names = [self.cl_names[i] for i in active]
        self.probability_propagation_flag = probability_propagation_flag
        self.W_prior_scale, self.W_init_scale, self.seed = W_prior_scale, W_init_scale, seed
        self.log_metrics, self.n_passes = log_metrics, 0
        used = closure[active][:, active] if probability_propagation_flag else torch.eye(len(active)) != 0
        self.register_buffer("active_descendant_tensor_cc", used)
        self.W_gc = nn.Parameter(torch.empty((len(self.var_names_g), len(active))))
        self.b_c = nn.Parameter(torch.empty(len(active)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew; the intercepts are 0."""
        fill_normal(self.W_gc, self.W_init_scale, self.seed)
        nn.init.zeros_(self.b_c)

    def forward(self, x_ng: Tensor, var_names_g: np.ndarray, cl_names_n: np.ndarray) -> dict[str, Tensor | None]:
        """Return the loss of some cells.

        Parameters
        ----------
        x_ng
            (n, g) cells.
        var_names_g
            (g,) names of their features.
        cl_names_n
            (n,) name of the term that each is labelled with.

        Returns
        -------
        dict
            ``loss``: minus the log probability of the labels times `n_obs` / n, plus the sum of absolute weights
            divided by `W_prior_scale`.

        Raises
        ------
        InputError
            If features or labels are not those of the model.
        """
        check_names(var_names_g, self.var_names_g, x_ng.shape[1])
        dense = x_ng.to_dense() if x_ng.layout == torch.sparse_csr else x_ng
        scores = dense @ self.W_gc + self.b_c
        allowed = torch.from_numpy(self._allowed(cl_names_n)).to(scores.device)
        of_label = torch.logsumexp(scores.masked_fill(~allowed, -torch.inf), dim=1)
        loss = (torch.logsumexp(scores, dim=1) - of_label).sum()
        return {"loss": loss * (self.n_obs / len(scores)) + self.W_gc.abs().sum() / self.W_prior_scale}

    def validate(
        self,
        trainer: Any,
        pl_module: Any,
        batch_idx: int,
        x_ng: Tensor,
        var_names_g: np.ndarray,
        cl_names_n: np.ndarray,
    ) -> None:
        """Log the loss of a batch as ``val_loss``."""
        super().validate(trainer, pl_module, batch_idx, x_ng=x_ng, var_names_g=var_names_g, cl_names_n=cl_names_n)

    @torch.no_grad()
    def predict(self, x_ng: Tensor, var_names_g: np.ndarray) -> dict[str, np.ndarray | Tensor]:
        """Return the scores (logits) and probabilities of the terms.

        Parameters
        ----------
        x_ng
            (n, g) cells, dense or CSR.
        var_names_g
            (g,) names of their features.

        Returns
        -------
        dict
            ``y_logits_nc``: (n, c) scores; ``y_probs_nc``: (n, c) probabilities, summed over descendants;
            ``category_labels_c``: names of the terms.
        """
        check_names(var_names_g, self.var_names_g, x_ng.shape[1])
        scores = x_ng @ self.W_gc + self.b_c
        single = torch.softmax(scores.double(), dim=1)
        summed = propagate(single, self.active_descendant_tensor_cc.double())
        names = np.array(self.active_cl_names)
        return {"y_logits_nc": scores, "y_probs_nc": summed.clamp(max=1.0).to(scores.dtype), "category_labels_c": names}

    def solve(self, read: Callable[[], Iterable[dict[str, Any]]], max_passes: int) -> None:
        """Minimise the objective over all cells.

        Parameters
        ----------
        read
            Returns the batches of this process, with the arguments of `forward`; called once for each pass.
        max_passes
            Maximum number of passes.

        Raises
        ------
        InputError
            If there are no cells, or features or labels are not those of the model.

        Warns
        -----
        DeepMapperWarning
            If the fit stops at `max_passes`.
        """
        g, c = self.W_gc.shape
        solution = sparse_solver.solve(lambda: self._blocks(read), g, c, self.W_prior_scale, max_passes)
        solution.copy_to(self.W_gc, self.b_c)
        self.n_passes = solution.n_passes

    def _check_closure(self, closure: Tensor) -> None:
        """Refuse a matrix that lacks the descendants of descendants, or in which two terms descend from each other."""
        below = sp.csr_matrix(closure.numpy(), dtype=np.int32)
        two_steps = sp.coo_matrix(below @ below)
        absent = ~closure.numpy()[two_steps.row, two_steps.col]
        if absent.any():
            upper, lower = (self.cl_names[int(places[absent][0])] for places in (two_steps.row, two_steps.col))
            raise InputError(
                f"descendant_tensor: '{lower}' descends from a descendant of '{upper}', but not from '{upper}'; "
                "expected all descendants of every term, not its children alone."
            )
        both = sp.coo_matrix(sp.triu(below.multiply(below.T), k=1))
        if both.nnz:
            raise InputError(
                f"descendant_tensor: '{self.cl_names[both.row[0]]}' and '{self.cl_names[both.col[0]]}' descend from "
                "each other: expected an ontology without such cycles."
            )

    def _active(self, closure: Tensor, subset: list[str] | None, with_ancestors: bool) -> list[int]:
        """Rows of the terms to use."""
        if subset is None:
            return list(range(len(self.cl_names)))
        subset = names_of(subset, "cl_name_subset")
        if not subset:
            raise InputError("cl_name_subset is empty: name the terms to use, or leave it out for all.")
        if unknown := sorted(set(subset) - set(self.cl_names)):
            raise InputError(f"cl_name_subset: {some(unknown)} not among the {len(self.cl_names)} cl_names.")
        rows = {self.cl_names.index(name) for name in subset}
        if with_ancestors:
            rows |= set(torch.nonzero(closure[:, sorted(rows)].any(dim=1)).ravel().tolist())
        return sorted(rows, key=lambda row: self.cl_names[row])

    def _allowed(self, cl_names_n: np.ndarray) -> np.ndarray:
        """(n, c) the terms that make each label right."""
        place = {name: i for i, name in enumerate(self.active_cl_names)}
        labels, codes = np.unique(np.asarray(cl_names_n, dtype=str), return_inverse=True)
        if unknown := [name for name in labels if name not in place]:
            raise InputError(f"cl_names_n: {some(unknown)} not among the {len(place)} terms that the model uses.")
        return self.active_descendant_tensor_cc.cpu().numpy()[[place[name] for name in labels]][codes]

    def _blocks(self, read: Callable[[], Iterable[dict[str, Any]]]) -> Iterator[sparse_solver.Block]:
        for batch in read():
            check_names(batch["var_names_g"], self.var_names_g, batch["x_ng"].shape[1])
            yield to_matrix(batch["x_ng"]).astype(np.float64), self._allowed(batch["cl_names_n"])
