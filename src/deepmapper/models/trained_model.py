"""Training by gradients, which Lightning runs: checkpoints, resuming, several processes, precision and logging."""

from __future__ import annotations

import inspect
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.plugins.environments import LightningEnvironment, TorchElasticEnvironment
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from ..core.draws import Draw, integer_seed
from ..core.words import some
from ..errors import InputError
from . import distributed
from .base import CellariumModel
from .cells import Cells, open_for
from .shared_normalisation import SharedNormalisation
from .shuffled import ShuffledCells

# Lightning recommends further products in the log of every training.
logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(lambda record: "litlogger" not in record.msg)

# File of the last checkpoint in its folder.
_LAST = "last.ckpt"


@dataclass(frozen=True)
class Training:
    """How a model is trained.

    Attributes
    ----------
    data, obs, layer, transforms
        As in `run.fit`.
    batch_size, epochs, learning_rate, seed
        Numbers of cells in a batch and of epochs, learning rate of AdamW, and seed of everything random.
    devices
        Number of processes on this machine.
    checkpoint
        Folder for a checkpoint after each epoch, from which an interrupted training goes on; None for none.
    trainer
        Further arguments of ``lightning.pytorch.Trainer``.
    """

    data: Any
    obs: Mapping[str, Any]
    layer: str
    transforms: tuple[Any, ...]
    batch_size: int
    epochs: int
    learning_rate: float
    seed: int
    devices: int
    checkpoint: Path | None
    trainer: dict[str, Any] = field(default_factory=dict)


class TrainedModel(pl.LightningModule):
    """A model with its data and optimiser, for Lightning; the hooks of the model are called with Lightning's trainer.

    Parameters
    ----------
    model
        The model.
    training
        How it is trained.
    """

    def __init__(self, model: CellariumModel, training: Training) -> None:
        super().__init__()
        self.model, self.how = model, training

    def train_dataloader(self) -> DataLoader:
        """Return the cells of this process, in another order in each epoch."""
        return DataLoader(
            TrainedEpochs(self, open_for(self.model, self.how.data, self.how.obs, self.how.layer)), batch_size=None
        )

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> torch.Tensor:
        """Return the loss of a batch."""
        loss = self.model(**batch).get("loss")
        if loss is None:
            raise InputError(
                f"{type(self.model).__name__}.forward returned no loss, which a model with parameters is trained by."
            )
        self.log("loss", loss, batch_size=next(len(values) for values in batch.values() if isinstance(values, Tensor)))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW with torch's defaults, at the learning rates of the model."""
        return torch.optim.AdamW(self.model.parameter_groups(self.how.learning_rate))

    def on_train_start(self) -> None:
        """Call the hook of the model."""
        self.model.on_train_start(self.trainer)

    def on_train_epoch_start(self) -> None:
        """Call the hook of the model."""
        self.model.on_train_epoch_start(self.trainer)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Call the hook of the model."""
        self.model.on_train_batch_end(self.trainer)

    def on_train_epoch_end(self) -> None:
        """Call the hook of the model."""
        self.model.on_train_epoch_end(self.trainer)

    def on_train_end(self) -> None:
        """Call the hook of the model."""
        self.model.on_train_end(self.trainer)


class TrainedEpochs(IterableDataset):
    """The batches of whichever epoch the trainer is in when it starts to read, and the seed of what is drawn in it."""

    def __init__(self, module: TrainedModel, cells: Cells) -> None:
        self.module, self.cells = module, cells

    def __iter__(self) -> Iterator[dict[str, Any]]:
        how, trainer = self.module.how, self.module.trainer
        # before the first batch, which is read before the epoch starts: a resumed training draws the same
        torch.manual_seed(integer_seed(how.seed, Draw.TRAINED_EPOCH, trainer.current_epoch, trainer.global_rank))
        order = how.seed, trainer.current_epoch, trainer.global_rank, trainer.world_size
        model = self.module.model
        cells = ShuffledCells(self.cells, model.forward, how.transforms, how.batch_size, *order, model.n_copies)
        yield from cells


def train(model: CellariumModel, how: Training) -> None:
    """Train a model in place; it is on the CPU afterwards."""
    distributed.join()
    local, world = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), int(os.environ.get("WORLD_SIZE", "1"))
    options: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    options |= {"devices": max(how.devices, local), "num_nodes": world // local if world > local else 1}
    # named, since Lightning takes any process within a job of Slurm for one of several
    plugins: list[Any] = [TorchElasticEnvironment() if world > 1 else LightningEnvironment()]
    one_process = options["devices"] * options["num_nodes"] == 1
    if not one_process:
        strategy = "ddp" if world > 1 else "ddp_spawn"
        options["strategy"] = strategy if model.uses_all_weights else f"{strategy}_find_unused_parameters_true"
        plugins.append(SharedNormalisation())
    options["plugins"] = plugins
    own = {"max_epochs": how.epochs, "reload_dataloaders_every_n_epochs": 1, "use_distributed_sampler": False}
    _check_options(how.trainer, own)
    callbacks = list(how.trainer.get("callbacks") or [])
    if how.checkpoint is not None:
        if Path(how.checkpoint).is_file():
            raise InputError(f"checkpoint={str(how.checkpoint)!r} is a file: expected a folder, which may be new.")
        saver: dict[str, Any] = {
            "filename": Path(_LAST).stem,
            "enable_version_counter": False,
            "save_on_train_epoch_end": True,
        }
        callbacks.append(pl.callbacks.ModelCheckpoint(dirpath=how.checkpoint, **saver))
    options["enable_checkpointing"] = how.checkpoint is not None
    trainer = pl.Trainer(**(options | how.trainer | own | {"callbacks": callbacks}))
    with warnings.catch_warnings():
        loading = "does not have many workers|is larger than the number|IterableDataset|exists and is not empty"
        of_torch = "isinstance.treespec|have used fork_rng without"
        warnings.filterwarnings("ignore", f".*({loading}|`srun` command|{of_torch}).*")
        # the epochs seed the generators of the process, which is the caller's if there is no other
        with torch.random.fork_rng(enabled=one_process), distributed.refused_as_here():
            trainer.fit(TrainedModel(model, how), ckpt_path=_found(how, model))
    model.to("cpu")


def _check_options(given: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Refuse arguments of Lightning's trainer that it does not have, or that are set here."""
    if unknown := [name for name in given if name not in inspect.signature(pl.Trainer).parameters]:
        raise InputError(f"trainer has {some(unknown)}, which Lightning's Trainer does not take: correct the name.")
    if taken := [name for name in given if name in own]:
        raise InputError(f"trainer has {some(taken)}, which `fit` sets itself: leave it out (epochs is an argument).")


def _found(how: Training, model: CellariumModel) -> Path | None:
    """Checkpoint of an earlier training, if there is one.

    Raises
    ------
    InputError
        If it is damaged, or that of another model.
    """
    if how.checkpoint is None or not (path := Path(how.checkpoint) / _LAST).exists():
        return None
    advice = "remove the folder to train from the start, or choose another one (checkpoint)."
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    except Exception as error:  # whatever torch makes of a file that is none of its own
        raise InputError(f"{path} cannot be read as a checkpoint ({type(error).__name__}): {advice}") from error
    shapes = {name: tuple(values.shape) for name, values in state.items() if isinstance(values, Tensor)}
    own = {f"model.{name}": values for name, values in model.state_dict().items() if isinstance(values, Tensor)}
    if shapes != {name: tuple(values.shape) for name, values in own.items()}:
        raise InputError(f"{path} is the checkpoint of another model, with other weights: {advice}")
    return path
