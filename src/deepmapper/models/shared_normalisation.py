"""Batch normalisation over the cells of all processes, so that several train as one process does."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch.plugins import LayerSync
from torch import Tensor, nn

from . import distributed


class SharedBatchNorm1d(nn.BatchNorm1d):
    """Batch normalisation whose means and variances are those of all processes' cells.

    Every process has as many cells. torch's own (``SyncBatchNorm``) works on GPUs alone.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (n, g) values."""
        _, size = distributed.rank_and_size()
        if not self.training or size == 1:
            return super().forward(x)
        n = size * len(x)
        mean = distributed.SumOfProcesses.apply(x.sum(0)) / n
        centred = x - mean
        variance = distributed.SumOfProcesses.apply((centred**2).sum(0)) / n
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            with torch.no_grad():
                self.num_batches_tracked += 1
                share = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
                self.running_mean.lerp_(mean, share)
                self.running_var.lerp_(variance * (n / (n - 1)), share)
        scaled = centred * torch.rsqrt(variance + self.eps)
        return scaled if self.weight is None else scaled * self.weight + self.bias


class SharedNormalisation(LayerSync):
    """Lets the batch normalisation of a model share its statistics among processes while Lightning trains it."""

    def apply(self, model: nn.Module) -> Any:
        """Let layers share; weights and state stay."""
        return _turn(model, nn.BatchNorm1d, SharedBatchNorm1d)

    def revert(self, model: nn.Module) -> Any:
        """Make them torch's layers again."""
        return _turn(model, SharedBatchNorm1d, nn.BatchNorm1d)


def _turn(model: nn.Module, found: type, wanted: type) -> nn.Module:
    """Change the class of some layers in place; both have the same attributes."""
    for layer in model.modules():
        if type(layer) is found:
            layer.__class__ = wanted
    return model
