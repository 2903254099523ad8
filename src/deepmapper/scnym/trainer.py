"""Trainers of the networks, and their losses under the documented names. Imports torch.

A trainer writes its weights as torch's state dicts, which `load_weights` reads without executing anything, and a log of
its epochs as CSV.
"""

from __future__ import annotations

import csv
import io
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..core.files import atomic_write
from ..errors import InputError
from ..training.runtime import as_device
from .adversary import DANLoss
from .consistency import InterpolationConsistencyLoss, MixMatchLoss
from .dataprep import Sample
from .losses import ICLWeight, cross_entropy, get_class_weight, sharpen_labels

__all__ = [
    "BEST_WEIGHTS",
    "DANLoss",
    "ICLWeight",
    "InterpolationConsistencyLoss",
    "MixMatchLoss",
    "SemiSupervisedTrainer",
    "Trainer",
    "cross_entropy",
    "get_class_weight",
    "load_weights",
    "save_weights",
    "sharpen_labels",
]

BEST_WEIGHTS, LAST_WEIGHTS, ADVERSARY_WEIGHTS = (
    "00_best_model_weights.pkl",
    "01_final_model_weights.pkl",
    "02_best_dan_weights.pkl",
)

_LOG_COLUMNS = (
    "epoch",
    "train_loss",
    "train_accuracy",
    "unsup_loss",
    "dan_loss",
    "dan_accuracy",
    "val_loss",
    "val_acc",
)


class Trainer:
    """Trains a classifier and keeps the weights of the epoch with the lowest validation loss.

    Parameters
    ----------
    model, criterion, optimizer
        The network, the loss of scores against distributions, and torch's optimiser of the weights.
    dataloaders
        "train" and "val": iterables of samples (`dataprep`); "val" may be left out or empty, and the last weights are
        kept then.
    out_path
        Folder of the weights and the log.
    batch_transformers
        "train" and "val": functions of a batch.
    n_epochs, min_epochs
        Epochs, and those before the first whose weights may be kept.
    exp_name
        Start of the name of the log.
    reg_criterion
        Function of the network that is added to the loss.
    use_gpu
        Train on the GPU.
    verbose
        Print the loss of every batch.
    save_freq
        Epochs between two saved states of the weights.
    scheduler
        Of the learning rate; its `step` is called after every epoch.
    tb_writer
        An object with ``add_scalar(name, value, epoch)``, such as TensorBoard's.
    patience
        Stop after as many epochs without a lower validation loss; None for never.
    """

    def __init__(
        self,
        model: nn.Module,
        criterion: Callable[[Tensor, Tensor], Tensor],
        optimizer: torch.optim.Optimizer,
        dataloaders: Mapping[str, Any],
        out_path: str,
        batch_transformers: Mapping[str, Callable[[Sample], Sample]] = {},  # noqa: B006  # never written to
        n_epochs: int = 50,
        min_epochs: int = 0,
        exp_name: str = "",
        reg_criterion: Callable[[nn.Module], Tensor] | None = None,
        use_gpu: bool = False,
        verbose: bool = False,
        save_freq: int = 10,
        scheduler: Any = None,
        tb_writer: Any = None,
        patience: int | None = None,
    ) -> None:
        self.model, self.criterion, self.optimizer, self.dataloaders = model, criterion, optimizer, dataloaders
        self.out_path, self.batch_transformers = Path(out_path), dict(batch_transformers)
        self.n_epochs, self.min_epochs, self.patience = n_epochs, min_epochs, patience
        self.exp_name, self.reg_criterion, self.verbose, self.save_freq = exp_name, reg_criterion, verbose, save_freq
        self.scheduler, self.tb_writer, self.use_gpu = scheduler, tb_writer, use_gpu
        if n_epochs < 1:
            raise InputError(f"n_epochs={n_epochs}: expected 1 or more")
        self.device = as_device("cuda") if use_gpu else next(model.parameters()).device
        self.model.to(self.device)
        self.epoch, self.best_epoch, self.best_loss = 0, -1, math.inf
        self.log: list[dict[str, float]] = []

    def batches(self, part: str) -> Iterator[Sample]:
        """Yield the batches of a part, transformed and on the device."""
        transform = self.batch_transformers.get(part)
        for batch in self.dataloaders.get(part) or ():
            batch = batch if transform is None else transform(batch)
            yield {name: value.to(self.device) for name, value in batch.items()}

    def batch_loss(self, batch: Sample) -> tuple[Tensor, Tensor, dict[str, float]]:
        """Return the loss of a batch, its scores, and further numbers for the log."""
        scores = self.model(batch["input"])
        return self.criterion(scores, batch["output"]), scores, {}

    def train_epoch(self) -> None:
        """Train on every batch once.

        Raises
        ------
        InputError
            If there is no batch, or the loss is no number.
        """
        self.model.train()
        sums: dict[str, float] = {}
        n = 0
        for batch in self.batches("train"):
            self.optimizer.zero_grad()
            loss, scores, more = self.batch_loss(batch)
            if self.reg_criterion is not None:
                loss = loss + self.reg_criterion(self.model)
            loss.backward()
            self.optimizer.step()
            size, n = len(batch["input"]), n + len(batch["input"])
            right = (scores.argmax(1) == batch["output"].argmax(1)).float().mean()
            # every cell counts the same, so that a short last batch does not count more
            for name, value in {"train_loss": loss.item(), "train_accuracy": right.item(), **more}.items():
                sums[name] = sums.get(name, 0.0) + value * size
            if self.verbose:
                print(f"epoch {self.epoch + 1}, {n} cells: loss {loss.item():.4f}")
        if not n:
            raise InputError('dataloaders["train"] has no batch: give at least one (drop_last drops a short one)')
        self.log.append({"epoch": self.epoch, **{name: value / n for name, value in sums.items()}})
        if not math.isfinite(self.log[-1]["train_loss"]):
            raise InputError(f"training diverged in epoch {self.epoch + 1}: lower the learning rate")

    @torch.no_grad()
    def val_epoch(self) -> None:
        """Measure loss and accuracy on the validation batches, and keep the weights if the loss is the lowest."""
        self.model.eval()
        loss, right, n = 0.0, 0.0, 0
        for batch in self.batches("val"):
            scores, size = self.model(batch["input"]), len(batch["input"])
            loss += float(self.criterion(scores, batch["output"])) * size
            right += float((scores.argmax(1) == batch["output"].argmax(1)).sum())
            n += size
        if n:
            self.log[-1] |= {"val_loss": loss / n, "val_acc": right / n}
        # without validation the last weights are the best
        current = loss / n if n else -float(self.epoch)
        if self.epoch >= self.min_epochs and current < self.best_loss:
            self.best_loss, self.best_epoch = current, self.epoch
            self.save_best()

    def save_best(self) -> None:
        """Write the weights of the best epoch so far."""
        save_weights(self.model, self.out_path / BEST_WEIGHTS)

    def train(self) -> None:
        """Train for `n_epochs` or until `patience` ends, and leave the network with its best weights.

        Raises
        ------
        InputError
            As `train_epoch`, or if no validation loss was a number.
        """
        self.out_path.mkdir(parents=True, exist_ok=True)
        self.min_epochs = min(self.min_epochs, self.n_epochs - 1)
        for epoch in range(self.n_epochs):
            self.epoch = epoch
            self.train_epoch()
            self.val_epoch()
            if self.scheduler is not None:
                self.scheduler.step()
            if self.tb_writer is not None:
                for name, value in self.log[-1].items():
                    self.tb_writer.add_scalar(name, value, self.epoch)
            if self.save_freq and self.epoch % self.save_freq == self.save_freq - 1:
                save_weights(self.model, self.out_path / f"model_weights_{self.epoch + 1:03d}.pkl")
            if self.patience is not None and self.best_epoch >= 0 and self.epoch - self.best_epoch >= self.patience:
                break
        save_weights(self.model, self.out_path / LAST_WEIGHTS)
        self.write_log()
        if self.best_epoch < 0:  # the folder may hold the best weights of another run
            raise InputError(
                "the validation loss was no number in any epoch from min_epochs on: look for values that are missing "
                'or infinite in dataloaders["val"]'
            )
        self.model.load_state_dict(load_weights(self.out_path / BEST_WEIGHTS))
        self.model.eval()

    def write_log(self) -> None:
        """Write one row per epoch."""
        name = f"{self.exp_name}_log.csv" if self.exp_name else "log.csv"
        with atomic_write(self.out_path / name) as tmp, tmp.open("w", newline="") as file:
            writer = csv.DictWriter(file, _LOG_COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.log)


class SemiSupervisedTrainer(Trainer):
    """Trains with labelled and unlabelled cells: supervised + weight times unsupervised + adversarial loss.

    Parameters
    ----------
    unsup_criterion
        Such as `MixMatchLoss`: returns both losses and the scores.
    unsup_dataloader
        Iterable of unlabelled samples, started again whenever it ends.
    unsup_weight
        Function of the epoch, such as `ICLWeight`.
    dan_criterion
        `DANLoss`; None for no adversary.
    dan_weight
        Function of the epoch: weight of the reversed gradient. None for that of the adversary.
    kwargs
        Arguments of `Trainer`.
    """

    def __init__(
        self,
        unsup_criterion: InterpolationConsistencyLoss,
        unsup_dataloader: Any,
        unsup_weight: Callable[[int], float],
        dan_criterion: DANLoss | None = None,
        dan_weight: Callable[[int], float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.unsup_criterion, self.unsup_dataloader, self.unsup_weight = unsup_criterion, unsup_dataloader, unsup_weight
        self.dan_criterion, self.dan_weight = dan_criterion, dan_weight
        if dan_criterion is not None:
            dan_criterion.dann.to(self.device)
        self._unlabelled = self._for_ever()

    def _for_ever(self) -> Iterator[Sample]:
        while True:
            n = 0
            for batch in self.unsup_dataloader:
                n += 1
                yield {name: value.to(self.device) for name, value in batch.items()}
            if not n:
                raise InputError("unsup_dataloader has no batch: give at least one (drop_last drops a short one)")

    def train_epoch(self) -> None:
        """Train on every labelled batch once, each with the next unlabelled batch."""
        if self.dan_criterion is not None:
            self.dan_criterion.dann.train()
        super().train_epoch()

    def batch_loss(self, batch: Sample) -> tuple[Tensor, Tensor, dict[str, float]]:
        """Return the loss of a labelled batch with an unlabelled one, the labelled scores, and parts of the loss."""
        unlabelled = next(self._unlabelled)
        supervised, unsupervised, scores = self.unsup_criterion(
            model=self.model, unlabeled_sample=unlabelled, labeled_sample=batch
        )
        loss = supervised + self.unsup_weight(self.epoch) * unsupervised
        more = {"unsup_loss": unsupervised.item()}
        if self.dan_criterion is not None:
            assert self.unsup_criterion.augmented is not None
            weight = None if self.dan_weight is None else self.dan_weight(self.epoch)
            domain = self.dan_criterion(
                *self.unsup_criterion.augmented, weight=weight, confident=self.unsup_criterion.confident
            )
            loss = loss + domain
            more |= {"dan_loss": domain.item(), "dan_accuracy": self.dan_criterion.dan_acc}
        return loss, scores, more

    def save_best(self) -> None:
        """Write the weights of the best epoch so far, and those of its adversary."""
        super().save_best()
        if self.dan_criterion is not None:
            save_weights(self.dan_criterion.dann.domain_clf, self.out_path / ADVERSARY_WEIGHTS)


def save_weights(model: nn.Module, path: str | Path) -> None:
    """Write the weights of a network, atomically; equal weights give equal bytes."""
    save_plain({name: value.detach().cpu().clone() for name, value in model.state_dict().items()}, path)


def save_plain(content: Any, path: str | Path) -> None:
    """Write tensors, numbers, texts, lists and dicts in torch's format."""
    buffer = io.BytesIO()  # torch writes the name of a file into it, which would be that of the temporary one
    torch.save(content, buffer)
    with atomic_write(path) as tmp:
        tmp.write_bytes(buffer.getvalue())


def load_weights(path: str | Path) -> Any:
    """Read what `save_weights` or `save_plain` wrote, on the CPU, executing nothing.

    Raises
    ------
    InputError
        If the file is missing, damaged, or holds anything else.
    """
    if not Path(path).is_file():
        raise InputError(f"{path} does not exist. Give the folder of a training run, the out_path of scnym_api.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's words on how to read pickles all the same
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds, among them pickle's
        raise InputError(
            f"{path} cannot be read as weights: it is damaged, or another program wrote it. Pickles of other programs "
            "can hold code and are not read; train the model again."
        ) from error
