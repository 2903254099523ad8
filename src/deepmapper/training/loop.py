"""The training loop: any model, any loss, with early stopping and checkpoints. Imports torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..earlystop import EarlyStopper
from ..errors import InputError
from ..training_options import TrainingOptions
from .checkpoint import Checkpoint
from .optimiser import AdamW, learning_rate_factor


class Objective:
    """What a training lowers, and what it is judged by: a subclass gives `batch_loss`, the rest is optional.

    Whatever is drawn at random comes from torch's generator, which the caller has seeded (`runtime.seeded`); a resumed
    training draws on where it was interrupted.

    Attributes
    ----------
    score_name
        What the second number of `validate` is, for the line of progress.
    """

    score_name = "score"

    def batch_loss(self, rows: np.ndarray) -> Tensor:
        """Return the mean loss of a batch, a tensor without dimensions that gradients flow through.

        Parameters
        ----------
        rows
            (batch,) row numbers, some of those that `fit` was given. What else a batch holds (unlabelled rows, noise,
            masks) is drawn here.
        """
        raise NotImplementedError

    def validate(self) -> tuple[float, float] | None:
        """Return loss and score on held-out data, or None if there are none; should draw nothing at random.

        Called after every epoch, without gradients, with the model in evaluation mode.
        """
        return None

    def state_dict(self) -> dict[str, Tensor]:
        """Return what changes during training beside the model, for example a running threshold, by name."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state_dict` returned; the tensors are on the model's device."""


@dataclass(frozen=True)
class Training:
    """How a training went.

    Attributes
    ----------
    history
        (epochs run, 3) training loss, validation loss, validation score; the last two NaN without validation.
    stop_epoch
        1-based epoch whose weights the model carries.
    """

    history: np.ndarray
    stop_epoch: int


def fit(
    model: nn.Module,
    objective: Objective,
    rows: np.ndarray,
    options: TrainingOptions,
    progress: Callable[[str], None] = lambda line: None,
    checkpoint: Checkpoint | None = None,
) -> Training:
    """Train `model` in place and leave it with its best weights, in evaluation mode.

    If the memory of a GPU may be too small, let `runtime.halving` call what builds the model and calls this function.

    Parameters
    ----------
    model
        On its device. Several networks trained together are held in one module.
    objective
        Loss of a batch, and validation. Without validation the model trains `options.epochs` and keeps its last
        weights.
    rows
        (n,) row numbers; an epoch goes through all of them once, in a fresh order.
    options
        Epochs, batch size, optimiser, precision, weight averaging, early stopping.
    progress
        Receives one line per epoch.
    checkpoint
        Where the training is kept while it runs, and resumed from; the result is bit-identical to that of a training
        that was never interrupted.

    Raises
    ------
    InputError
        If the loss becomes NaN or infinite, or the network normalises over batches and a batch is one row.
    """
    if options.batch_size == 1 and any(isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)) for m in model.modules()):
        raise InputError("batch_size=1: this network normalises over its batch, expected 2 or more. Raise batch_size.")
    run = _Run(model, objective, rows, options, progress, checkpoint)
    run.resume()
    return run.train_epochs()


@dataclass
class _State:
    """Where a training stands, beside the weights, the optimiser and the early stopping.

    Attributes
    ----------
    epoch
        0-based epoch that is running.
    order
        The rows in the order of this epoch; None before its first batch.
    n_batches, loss_sum
        Batches of this epoch that are done, and their losses summed over rows.
    history
        Training loss, validation loss and validation score of the epochs before.
    average, best
        Running average of the weights, and the best weights by validation, by name.
    """

    epoch: int = 0
    order: np.ndarray | None = None
    n_batches: int = 0
    loss_sum: float = 0.0
    history: list[tuple[float, float, float]] = field(default_factory=list)
    average: dict[str, Tensor] | None = None
    best: dict[str, Tensor] | None = None


class _Run:
    """One training run: its parts as given to `fit`, and where it stands."""

    def __init__(self, model, objective: Objective, rows, options: TrainingOptions, progress, checkpoint):
        self.model, self.objective, self.rows, self.options = model, objective, rows, options
        self.progress, self.checkpoint = progress, checkpoint
        self.device = next(model.parameters()).device
        self.optimiser = AdamW(model, options.lr, options.weight_decay, options.clip_norm)
        mode = "max" if options.monitor == "score" else "min"
        self.stopper = EarlyStopper(options.patience, options.min_delta, options.min_epochs, mode)
        self.n_steps = options.epochs * len(_starts(len(rows), options.batch_size))
        self.state = _State()

    def resume(self) -> None:
        """Continue from the checkpoint, if there is one that was made with the same batch size."""
        stored = None if self.checkpoint is None else self.checkpoint.load()
        if stored is not None and stored[0]["batch_size"] == self.options.batch_size:
            self.load_state_dict(*stored)
            self.progress(
                f"goes on from a checkpoint in epoch {self.state.epoch + 1}, after {self.state.n_batches} of its "
                f"batches"
            )

    def train_epochs(self) -> Training:
        """Train to the last epoch or the plateau, and leave the model with the weights to keep."""
        state, stop = self.state, False
        while state.epoch < self.options.epochs and not stop:
            loss = self._train_epoch()
            stop = self._end_epoch(loss)
        kept = state.best or state.average
        if kept is not None:
            self.model.load_state_dict(kept)
        self.model.eval()
        stop_epoch = self.stopper.best_epoch + 1 if state.best is not None else len(state.history)
        return Training(np.array(state.history), stop_epoch)

    def _train_epoch(self) -> float:
        """Train on the batches of this epoch that are left; return the epoch's mean loss."""
        state, options = self.state, self.options
        self.model.train()
        if state.order is None:
            state.order = _shuffled(self.rows)
        for batch in _cut(state.order, options.batch_size)[state.n_batches :]:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=options.precision == "bfloat16"):
                loss = self.objective.batch_loss(batch)
            loss.backward()
            self.optimiser.step(learning_rate_factor(options.schedule, self.optimiser.steps / self.n_steps))
            state.loss_sum += loss.item() * len(batch)
            state.n_batches += 1
            if self.checkpoint is not None and self.checkpoint.due():
                self.checkpoint.save(*self.state_dict())
        mean = state.loss_sum / len(self.rows)
        if not math.isfinite(mean):
            raise InputError(
                f"training diverged: the loss of epoch {state.epoch + 1} is {mean}. Lower lr (now {options.lr:g}), set "
                f"clip_norm (now {options.clip_norm:g}, for example 1) or check the scale of the values (features: "
                f"normalization)."
            )
        return mean

    def _end_epoch(self, loss: float) -> bool:
        """Average the weights, validate, and return whether to stop; the state moves on to the next epoch."""
        state, options = self.state, self.options
        if options.weight_average:
            state.average = _averaged(state.average, self.model, options.weight_average, state.epoch)
        self.model.eval()
        with _weights(self.model, state.average), torch.no_grad():
            validated = self.objective.validate()
        held_loss, score = (math.nan, math.nan) if validated is None else validated
        state.history.append((loss, held_loss, score))
        self.progress(_line(state.epoch, options.epochs, *state.history[-1], self.objective.score_name))
        stop = False
        if validated is not None:
            stop = self.stopper.step(state.epoch, score if options.monitor == "score" else held_loss)
            if self.stopper.improved:
                state.best = _copy(state.average or self.model.state_dict())
        state.epoch, state.order, state.n_batches, state.loss_sum = state.epoch + 1, None, 0, 0.0
        return stop

    def state_dict(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return all that the rest of the training depends on, within an epoch: as builtins, and as arrays."""
        state = self.state
        assert state.order is not None
        about: dict[str, Any] = {"epoch": state.epoch, "n_batches": state.n_batches, "loss_sum": state.loss_sum}
        about |= {"batch_size": self.options.batch_size, "history": state.history, "stopper": asdict(self.stopper)}
        tensors = {"random": torch.get_rng_state()}
        if self.device.type != "cpu":
            tensors["device_random"] = getattr(torch, self.device.type).get_rng_state()
        for part, values in {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "objective": self.objective.state_dict(),
            "average": state.average,
            "best": state.best,
        }.items():
            tensors |= {f"{part}/{name}": value for name, value in (values or {}).items()}
        return about, {"order": state.order} | {name: value.detach().cpu().numpy() for name, value in tensors.items()}

    def load_state_dict(self, about: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Restore what `state_dict` returned."""

        def part(name: str) -> dict[str, Tensor]:
            prefix = f"{name}/"
            return {
                key.removeprefix(prefix): torch.from_numpy(value).to(self.device)
                for key, value in arrays.items()
                if key.startswith(prefix)
            }

        self.model.load_state_dict(part("model"))
        self.optimiser.load_state_dict(part("optimiser"))
        self.objective.load_state_dict(part("objective"))
        vars(self.stopper).update(about["stopper"])
        torch.set_rng_state(torch.from_numpy(arrays["random"]))
        if self.device.type != "cpu":
            getattr(torch, self.device.type).set_rng_state(torch.from_numpy(arrays["device_random"]))
        self.state = _State(
            epoch=about["epoch"],
            order=arrays["order"],
            n_batches=about["n_batches"],
            loss_sum=about["loss_sum"],
            history=[(loss, held_loss, score) for loss, held_loss, score in about["history"]],
            average=part("average") or None,
            best=part("best") or None,
        )


def _averaged(average: dict[str, Tensor] | None, model: nn.Module, keep: float, epoch: int) -> dict[str, Tensor]:
    """Move the running average of all weights towards those after `epoch`; it forgets faster in the first epochs."""
    state = model.state_dict()
    if average is None:
        return _copy(state)
    share = 1 - min(keep, (1 + epoch) / (4 + epoch))
    for name, value in state.items():
        if value.is_floating_point():
            average[name].lerp_(value, share)
        else:
            average[name].copy_(value)
    return average


@contextmanager
def _weights(model: nn.Module, other: dict[str, Tensor] | None) -> Iterator[None]:
    """Lend the model other weights."""
    if other is None:
        yield
        return
    own = _copy(model.state_dict())
    model.load_state_dict(other)
    yield
    model.load_state_dict(own)


def _copy(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in state.items()}


def batches(rows: np.ndarray, size: int) -> list[np.ndarray]:
    """Rows in a fresh order, in batches; a last batch of one joins the one before (batch statistics need two)."""
    return _cut(_shuffled(rows), size)


def _shuffled(rows: np.ndarray) -> np.ndarray:
    return rows[torch.randperm(len(rows)).numpy()]


def _cut(order: np.ndarray, size: int) -> list[np.ndarray]:
    starts = _starts(len(order), size)
    return [order[start:end] for start, end in zip(starts, [*starts[1:], len(order)], strict=True)]


def _starts(n: int, size: int) -> list[int]:
    starts = list(range(0, n, size))
    return starts[:-1] if len(starts) > 1 and n - starts[-1] == 1 else starts


def _line(epoch: int, epochs: int, train_loss: float, held_loss: float, score: float, score_name: str) -> str:
    line = f"epoch {epoch + 1}/{epochs}  training loss {train_loss:.4f}"
    if not math.isnan(held_loss):
        line += f"  validation loss {held_loss:.4f}  {score_name} {score:.3f}"
    return line
