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
    """The loss of a training run and its validation; a subclass defines `batch_loss`, all else is optional.

    All random numbers come from torch's generator, which the caller seeds (`runtime.seeded`); a resumed run restores
    the state of the generator.

    Attributes
    ----------
    score_name
        Name of the second number of `validate`, for the progress line.
    """

    score_name = "score"

    def batch_loss(self, rows: np.ndarray) -> Tensor:
        """Return the mean loss of a batch, a tensor without dimensions that gradients flow through.

        Parameters
        ----------
        rows
            (batch,) row numbers out of those given to `fit`. Whatever else a batch needs (unlabelled rows, noise,
            masks) is drawn here.
        """
        raise NotImplementedError

    def validate(self) -> tuple[float, float] | None:
        """Return loss and score on validation data, or None if there are none; should use no random numbers.

        Called after every epoch, without gradients, with the model in evaluation mode.
        """
        return None

    def state_dict(self) -> dict[str, Tensor]:
        """Return by name what changes during training besides the model, for example a running threshold."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state_dict` returned; the tensors are on the model's device."""


@dataclass(frozen=True)
class Training:
    """The course of a training run.

    Attributes
    ----------
    history
        (epochs run, 3) training loss, validation loss, validation score; the last two NaN without validation.
    stop_epoch
        1-based epoch whose weights the model ends with.
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

    If a GPU may run out of memory, call the function that builds the model and trains it through `runtime.halving`.

    Parameters
    ----------
    model
        On its device. Several networks trained together are held in one module.
    objective
        Loss of a batch, and validation. Without validation the model trains for `options.epochs` and keeps its last
        weights.
    rows
        (n,) row numbers; every epoch goes through all of them once, in a new order.
    options
        Epochs, batch size, optimiser, precision, weight averaging, early stopping.
    progress
        Receives one line per epoch.
    checkpoint
        Saves the state during training and resumes from it; the result is bit-identical to that of an uninterrupted
        run.

    Raises
    ------
    InputError
        If the loss becomes NaN or infinite, or the network has batch normalisation and the batch size is 1.
    """
    if options.batch_size == 1 and any(isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)) for m in model.modules()):
        raise InputError("batch_size=1: this network has batch normalisation, expected 2 or more. Raise batch_size.")
    run = _Run(model, objective, rows, options, progress, checkpoint)
    run.resume()
    return run.train_epochs()


@dataclass
class _State:
    """Progress of a training run, without the weights, the optimiser and the early stopping.

    Attributes
    ----------
    epoch
        0-based current epoch.
    order
        The rows in the order of this epoch; None before its first batch.
    n_batches, loss_sum
        Finished batches of this epoch, and the sum of their losses over rows.
    history
        Training loss, validation loss and validation score of the finished epochs.
    average, best
        Running average of the weights, and the weights of the best epoch by validation; by name.
    """

    epoch: int = 0
    order: np.ndarray | None = None
    n_batches: int = 0
    loss_sum: float = 0.0
    history: list[tuple[float, float, float]] = field(default_factory=list)
    average: dict[str, Tensor] | None = None
    best: dict[str, Tensor] | None = None


class _Run:
    """One training run: what `fit` was given, and its state."""

    def __init__(self, model, objective: Objective, rows, options: TrainingOptions, progress, checkpoint):
        self.model, self.objective, self.rows, self.options = model, objective, rows, options
        self.progress, self.checkpoint = progress, checkpoint
        self.device = next(model.parameters()).device
        self.optimiser = AdamW(model, options.lr, options.weight_decay, options.clip_norm)
        mode = "max" if options.monitor == "score" else "min"
        self.stopper = EarlyStopper(options.patience, options.min_delta, options.min_epochs, mode)
        self.n_steps = options.epochs * len(_batch_starts(len(rows), options.batch_size))
        self.state = _State()

    def resume(self) -> None:
        """Continue from the checkpoint, if there is one with the same batch size."""
        stored = None if self.checkpoint is None else self.checkpoint.load()
        if stored is not None and stored[0]["batch_size"] == self.options.batch_size:
            self.load_state_dict(*stored)
            self.progress(
                f"resuming from a checkpoint in epoch {self.state.epoch + 1}, after {self.state.n_batches} batches"
            )

    def train_epochs(self) -> Training:
        """Train to the last epoch or until early stopping, and leave the model with its best weights."""
        state, stop = self.state, False
        while state.epoch < self.options.epochs and not stop:
            loss = self._train_epoch()
            stop = self._end_epoch(loss)
        weights = state.best or state.average
        if weights is not None:
            self.model.load_state_dict(weights)
        self.model.eval()
        stop_epoch = self.stopper.best_epoch + 1 if state.best is not None else len(state.history)
        return Training(np.array(state.history), stop_epoch)

    def _train_epoch(self) -> float:
        """Train on the remaining batches of this epoch and return the epoch's mean loss."""
        state, options = self.state, self.options
        self.model.train()
        if state.order is None:
            state.order = _shuffled(self.rows)
        for batch in _split_batches(state.order, options.batch_size)[state.n_batches :]:
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
        """Average the weights, validate, advance the state to the next epoch and return whether to stop."""
        state, options = self.state, self.options
        if options.weight_average:
            state.average = _update_average(state.average, self.model, options.weight_average, state.epoch)
        self.model.eval()
        with _swapped_weights(self.model, state.average), torch.no_grad():
            validation = self.objective.validate()
        validation_loss, score = (math.nan, math.nan) if validation is None else validation
        state.history.append((loss, validation_loss, score))
        self.progress(_progress_line(state.epoch, options.epochs, *state.history[-1], self.objective.score_name))
        stop = False
        if validation is not None:
            stop = self.stopper.step(state.epoch, score if options.monitor == "score" else validation_loss)
            if self.stopper.improved:
                state.best = _copy(state.average or self.model.state_dict())
        state.epoch += 1
        state.order, state.n_batches, state.loss_sum = None, 0, 0.0
        return stop

    def state_dict(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return everything that the remaining training depends on: numbers and texts, and arrays."""
        state = self.state
        assert state.order is not None
        values: dict[str, Any] = {"epoch": state.epoch, "n_batches": state.n_batches, "loss_sum": state.loss_sum}
        values |= {"batch_size": self.options.batch_size, "history": state.history, "stopper": asdict(self.stopper)}
        tensors = {"random": torch.get_rng_state()}
        if self.device.type != "cpu":
            tensors["device_random"] = getattr(torch, self.device.type).get_rng_state()
        for part, state_dict in {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "objective": self.objective.state_dict(),
            "average": state.average,
            "best": state.best,
        }.items():
            tensors |= {f"{part}/{name}": value for name, value in (state_dict or {}).items()}
        return values, {"order": state.order} | {name: value.detach().cpu().numpy() for name, value in tensors.items()}

    def load_state_dict(self, values: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
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
        vars(self.stopper).update(values["stopper"])
        torch.set_rng_state(torch.from_numpy(arrays["random"]))
        if self.device.type != "cpu":
            getattr(torch, self.device.type).set_rng_state(torch.from_numpy(arrays["device_random"]))
        self.state = _State(
            epoch=values["epoch"],
            order=arrays["order"],
            n_batches=values["n_batches"],
            loss_sum=values["loss_sum"],
            history=[(loss, validation_loss, score) for loss, validation_loss, score in values["history"]],
            average=part("average") or None,
            best=part("best") or None,
        )


def _update_average(average: dict[str, Tensor] | None, model: nn.Module, keep: float, epoch: int) -> dict[str, Tensor]:
    """Move the running average of all weights towards those after `epoch`, by larger steps in the first epochs."""
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
def _swapped_weights(model: nn.Module, weights: dict[str, Tensor] | None) -> Iterator[None]:
    """Give the model other weights within the context; None for its own."""
    if weights is None:
        yield
        return
    own = _copy(model.state_dict())
    model.load_state_dict(weights)
    yield
    model.load_state_dict(own)


def _copy(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in state.items()}


def batches(rows: np.ndarray, size: int) -> list[np.ndarray]:
    """Shuffle rows and split them into batches; a last batch of one row joins the one before it."""
    return _split_batches(_shuffled(rows), size)


def _shuffled(rows: np.ndarray) -> np.ndarray:
    return rows[torch.randperm(len(rows)).numpy()]


def _split_batches(order: np.ndarray, size: int) -> list[np.ndarray]:
    starts = _batch_starts(len(order), size)
    return [order[start:end] for start, end in zip(starts, [*starts[1:], len(order)], strict=True)]


def _batch_starts(n: int, size: int) -> list[int]:
    starts = list(range(0, n, size))
    if len(starts) > 1 and n - starts[-1] == 1:  # batch normalisation needs two rows
        del starts[-1]
    return starts


def _progress_line(
    epoch: int, epochs: int, train_loss: float, validation_loss: float, score: float, score_name: str
) -> str:
    line = f"epoch {epoch + 1}/{epochs}  training loss {train_loss:.4f}"
    if not math.isnan(validation_loss):
        line += f"  validation loss {validation_loss:.4f}  {score_name} {score:.3f}"
    return line
