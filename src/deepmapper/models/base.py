"""Base class and mixins of the models, as documented.

A model is a torch module. `forward` reads some cells and returns a dictionary, with the key ``loss`` where there is
one; `run.fit` passes it each batch, and calls the hooks `on_train_start`, `on_train_epoch_start`, `on_train_epoch_end`
and `on_train_end` (of one that is trained by gradients also `on_train_batch_end`) with an object that has `world_size`,
`global_rank` and `current_epoch`, as Lightning's trainer has.
"""

from __future__ import annotations

from abc import ABC, ABCMeta, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn


class Trainer(Protocol):
    """What the models ask of a trainer: that of Lightning, or that of `run.fit`."""

    @property
    def world_size(self) -> int:
        """Number of processes."""

    @property
    def global_rank(self) -> int:
        """Number of this process."""

    @property
    def current_epoch(self) -> int:
        """Number of the epoch."""


@contextmanager
def evaluated(model: Any) -> Iterator[None]:
    """Compute without gradients and dropout; the model trains on afterwards if it did before."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


class CellariumModel(nn.Module, metaclass=ABCMeta):
    """Base class of the models.

    Attributes
    ----------
    n_epochs
        How often `run.fit` reads all cells if not told otherwise.
    reads_sparse
        Whether the model accepts cells as a CSR tensor.
    uses_all_weights
        Whether the loss of every batch depends on all parameters; if not, several processes look for those in use.
    n_copies
        Copies of every cell that a batch must have in training.
    obs_categories
        Key of codes -> the categories that they stand for, as `run.fit` met them first, of a model that predicts.
    """

    n_epochs: int = 1
    reads_sparse: bool = False
    uses_all_weights: bool = True
    n_copies: int = 1
    obs_categories: Mapping[str, Any] = {}

    @abstractmethod
    def reset_parameters(self) -> None:
        """Set all parameters and buffers that the constructor made to their first values."""

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return the parameters in groups with their learning rates, for the optimiser: all with the same."""
        return [{"params": list(self.parameters()), "lr": learning_rate}]

    def on_train_start(self, trainer: Trainer) -> None:
        """Do nothing before the first epoch; some models do."""

    def on_train_epoch_start(self, trainer: Trainer) -> None:
        """Do nothing before an epoch; some models do."""

    def on_train_batch_end(self, trainer: Trainer) -> None:
        """Do nothing after a batch; some models that are trained by gradients do."""

    def on_train_epoch_end(self, trainer: Trainer) -> None:
        """Do nothing after an epoch; some models do."""

    def on_train_end(self, trainer: Trainer) -> None:
        """Do nothing after the last epoch; some models do."""


class PredictMixin(ABC):
    """A model that predicts."""

    @abstractmethod
    def predict(self, *args: Any, **kwargs: Any) -> dict[str, np.ndarray | Tensor]:
        """Return the predictions by name."""


class ValidateMixin:
    """A model that is validated."""

    def validate(self, trainer: Any, pl_module: Any, batch_idx: int, *args: Any, **kwargs: Any) -> None:
        """Log the loss of a batch as ``val_loss``, averaged over batches and processes."""
        loss = self(*args, **kwargs)["loss"]  # type: ignore[operator]
        pl_module.log("val_loss", loss, sync_dist=True, on_epoch=True)


class TestMixin(ABC):
    """A model that is tested."""

    @abstractmethod
    def test(self, trainer: Any, pl_module: Any, batch_idx: int, *args: Any, **kwargs: Any) -> None:
        """Test one batch."""
