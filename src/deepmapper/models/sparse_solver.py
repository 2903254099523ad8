"""Linear models of class scores with a Laplace prior, fitted to streamed cells so that weights are exactly 0.

A cell's loss is minus the log probability of the classes that its label allows: one class, or several where a label
stands for a group of classes. The absolute weights are the sum of their positive and negative parts, which are bounded
by 0 (L-BFGS-B), so the objective has a gradient everywhere. Weights that are 0 and would stay so are soon left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..errors import DeepMapperWarning, InputError
from . import distributed

# Decrease of the objective in a step below which L-BFGS-B stops, and size of the gradient.
_TOLERANCE, _GRADIENT_TOLERANCE = 1e-13, 1e-10

# Passes on all weights, before only those that are not 0, or should not be, are fitted. On all of them, L-BFGS-B stops
# a hundred-thousandth above the optimum (measured), and could not remember as many steps.
_FIRST_PASSES, _FIRST_STEPS, _STEPS = 300, 10, 200

# The set of weights is renewed until that lowers the objective by no more than this share.
_GAIN = 1e-10

# Some cells: (n, g) values, CSR or dense, and (n, c) which classes the label of each allows.
Block = tuple[Any, np.ndarray]


@dataclass(frozen=True, eq=False)
class Solution:
    """Optimum of the objective.

    Attributes
    ----------
    weight, intercept
        (g, c) and (c,).
    n_passes
        How often all cells were read.
    """

    weight: np.ndarray
    intercept: np.ndarray
    n_passes: int

    @torch.no_grad()
    def copy_to(self, weight: torch.Tensor, intercept: torch.Tensor) -> None:
        """Copy weights and intercepts into parameters of a model."""
        weight.copy_(torch.from_numpy(self.weight))
        intercept.copy_(torch.from_numpy(self.intercept))


def solve(
    read: Callable[[], Iterable[Block]], n_features: int, n_classes: int, prior_scale: float, max_passes: int
) -> Solution:
    """Minimise the summed loss of all cells plus the sum of absolute weights divided by `prior_scale`, from 0.

    Parameters
    ----------
    read
        Returns the blocks of this process; called once for each pass. Cells of other processes are added.
    n_features, n_classes
        Numbers of features g and classes c.
    prior_scale
        Scale of the Laplace prior of the weights; intercepts have none.
    max_passes
        Maximum number of passes.

    Raises
    ------
    InputError
        If there are no cells.

    Warns
    -----
    DeepMapperWarning
        If the fit stops at `max_passes`.
    """
    from scipy.optimize import minimize

    g, c = n_features, n_classes
    n_passes = 0

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal n_passes
        n_passes += 1
        positive, negative, intercept = _parts(flat, g, c)
        loss, slope, n = _mean_loss(read, positive - negative, intercept)
        prior = 1 / (prior_scale * n)
        gradient = np.concatenate([slope[:-1].ravel() + prior, prior - slope[:-1].ravel(), slope[-1]])
        return loss + prior * float(positive.sum() + negative.sum()), gradient

    n_weights = 2 * g * c
    flat, lowest = np.zeros(n_weights + c), np.inf
    chosen, steps, passes = np.arange(len(flat)), _FIRST_STEPS, _FIRST_PASSES
    while n_passes < max_passes:

        def of_chosen(part: np.ndarray, chosen: np.ndarray = chosen) -> tuple[float, np.ndarray]:
            value, gradient = objective(_placed(part, chosen, n_weights + c))
            return value, gradient[chosen]

        bounds = [(0, None) if place < n_weights else (None, None) for place in chosen.tolist()]
        options: dict[str, float] = {"maxiter": max_passes, "maxfun": min(passes, max_passes - n_passes)}
        options |= {"maxcor": steps, "ftol": _TOLERANCE, "gtol": _GRADIENT_TOLERANCE}
        found = minimize(of_chosen, flat[chosen], method="L-BFGS-B", jac=True, bounds=bounds, options=options)
        before, lowest, flat = lowest, float(found.fun), _placed(found.x, chosen, n_weights + c)
        if before - lowest <= _GAIN * abs(lowest):
            break
        gradient = objective(flat)[1]
        chosen = np.flatnonzero((flat > 0) | (gradient < 0) | (np.arange(len(flat)) >= n_weights))
        steps, passes = _STEPS, max_passes
    if n_passes >= max_passes:
        warnings.warn(
            f"The fit stopped after {n_passes} passes before it converged: allow more epochs.",
            DeepMapperWarning,
            stacklevel=3,
        )
    positive, negative, intercept = _parts(flat, g, c)
    return Solution(positive - negative, intercept, n_passes)


def _mean_loss(
    read: Callable[[], Iterable[Block]], weight: np.ndarray, intercept: np.ndarray
) -> tuple[float, np.ndarray, int]:
    """Mean loss over all cells of all processes, its gradient (g + 1, c), and the number of cells."""
    from scipy.special import logsumexp

    total = torch.zeros(2, dtype=torch.float64)  # of the loss, and the number of cells
    gradient = np.zeros((len(weight) + 1, len(intercept)))
    for block, allowed in read():
        score = np.asarray(block @ weight) + intercept
        of_all = logsumexp(score, axis=1, keepdims=True)
        within = np.where(allowed, score, -np.inf)
        of_allowed = logsumexp(within, axis=1, keepdims=True)
        total += torch.tensor([float((of_all - of_allowed).sum()), len(score)])
        error = np.exp(score - of_all) - np.exp(within - of_allowed)
        gradient[:-1] += np.asarray(block.T @ error)
        gradient[-1] += error.sum(axis=0)
    distributed.add_up(total)
    distributed.add_up(torch.from_numpy(gradient))
    n = int(total[1])
    if n == 0:
        raise InputError("There are no cells: pass at least one.")
    return float(total[0]) / n, gradient / n, n


def _placed(part: np.ndarray, chosen: np.ndarray, n: int) -> np.ndarray:
    """Return n values, of which those chosen are given and the others are 0."""
    whole = np.zeros(n)
    whole[chosen] = part
    return whole


def _parts(flat: np.ndarray, g: int, c: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split all variables into the positive and the negative parts of the weights, (g, c), and the intercepts (c,)."""
    return flat[: g * c].reshape(g, c), flat[g * c : 2 * g * c].reshape(g, c), flat[2 * g * c :]
