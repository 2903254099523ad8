"""Cross-entropy against distributions, sharpened labels, and weights that ramp. Imports torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from ..backbones.semi_supervised import ramp, sharpen_labels
from ..errors import InputError

__all__ = ["ICLWeight", "cross_entropy", "get_class_weight", "sharpen_labels", "teaching"]


def get_class_weight(y: np.ndarray) -> np.ndarray:
    """Return the weight of every class: the inverse of its share, with 1 for the most frequent one.

    Parameters
    ----------
    y
        (cells,) labels.

    Returns
    -------
    numpy.ndarray
        (classes,) in the order of the sorted labels.
    """
    sizes = np.unique(y, return_counts=True)[1]
    return sizes.max() / sizes


def cross_entropy(
    pred_: Tensor,
    label: Tensor,
    class_weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the cross-entropy of scores against distributions over the classes.

    Parameters
    ----------
    pred_
        (batch, C) scores before softmax.
    label
        (batch, C) distributions; a one per row, or mixed.
    class_weight
        (C,) weights; a row takes the largest product of weight and label.
    sample_weight
        (batch,) or (batch, 1) weights of the rows.
    reduction
        "mean", "sum" or "none".

    Raises
    ------
    InputError
        If shapes differ or the reduction is unknown.
    """
    if pred_.shape != label.shape:
        raise InputError(f"scores have shape {tuple(pred_.shape)}, labels {tuple(label.shape)}: expected the same")
    loss = -(label * torch.log_softmax(pred_, dim=1)).sum(1)
    if class_weight is not None:
        loss = loss * (class_weight.to(label.device) * label).max(1).values
    if sample_weight is not None:
        loss = loss * sample_weight.reshape(-1)
    if reduction == "none":
        return loss
    if reduction not in ("mean", "sum"):
        raise InputError(f"reduction={reduction!r}: expected mean, sum or none")
    return loss.mean() if reduction == "mean" else loss.sum()


class ICLWeight:
    """Weight of the unlabelled cells by epoch: 0 during the burn-in, then a ramp to the maximum.

    Parameters
    ----------
    ramp_epochs, burn_in_epochs
        Their numbers of epochs.
    max_unsup_weight
        The maximum.
    sigmoid
        Shape of the ramp: the maximum times exp(-5 (1 - t)^2), where t is the share of the ramp; else linear.
    """

    def __init__(
        self, ramp_epochs: int, burn_in_epochs: int = 0, max_unsup_weight: float = 10.0, sigmoid: bool = False
    ) -> None:
        self.ramp_epochs, self.burn_in_epochs = ramp_epochs, burn_in_epochs
        self.max_unsup_weight, self.sigmoid = max_unsup_weight, sigmoid

    def __call__(self, epoch: int) -> float:
        """Return the weight in an epoch, counted from 0.

        Raises
        ------
        TypeError
            If the epoch is not a whole number.
        """
        if isinstance(epoch, bool) or not isinstance(epoch, int | np.integer):
            raise TypeError(f"epoch={epoch!r}: expected a whole number")
        done = int(epoch) - self.burn_in_epochs
        if done < 0:
            return 0.0
        return self.max_unsup_weight * ramp(done, self.ramp_epochs, self.sigmoid)


@contextmanager
def teaching(model: nn.Module, evaluate: bool, running_stats: bool | None) -> Iterator[None]:
    """Put a network into a mode in which its batch normalisation learns nothing, for a while.

    Parameters
    ----------
    model
        The network.
    evaluate
        Whether dropout is off, and batch normalisation takes running means.
    running_stats
        Whether it takes them; None for as `evaluate` says.
    """
    modes = {module: module.training for module in model.modules()}
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm1d)]
    momenta = [module.momentum for module in norms]
    model.train(not evaluate)
    for norm in norms:
        norm.train(not (evaluate if running_stats is None else running_stats))
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, mode in modes.items():
            module.training = mode
