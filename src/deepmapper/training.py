"""Training one network: AdamW on cross-entropy, with a validation plateau that ends it. Imports torch."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from ._images import Images
from ._networks import Network
from .augment import make_train_transform
from .config import DeepMapperConfig
from .earlystop import EarlyStopper
from .errors import InputError


@dataclass(frozen=True)
class Training:
    """How a training went.

    Attributes
    ----------
    history
        (epochs run, 3) training loss, validation loss, validation accuracy; the last two NaN without validation.
    stop_epoch
        1-based epoch whose weights the model carries.
    """

    history: np.ndarray
    stop_epoch: int


def device() -> torch.device:
    """Give the accelerator that torch sees, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Make all that torch draws follow `seed`, with deterministic kernels; the caller's generator is left as it was."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.get_deterministic_debug_mode()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        # the same as use_deterministic_algorithms(True, warn_only=True), which imports torch's compiler: two seconds
        torch.set_deterministic_debug_mode("warn")
        try:
            yield
        finally:
            torch.set_deterministic_debug_mode(before)


def fit(
    model: Network,
    images: Images,
    y: np.ndarray,
    train: np.ndarray,
    validation: np.ndarray,
    config: DeepMapperConfig,
    tell: Callable[[str], None] = lambda line: None,
) -> Training:
    """Train `model` in place and leave it with its best weights, in evaluation mode.

    Parameters
    ----------
    model
        On its device.
    images
        The samples, on the model's device.
    y
        Class code of every row.
    train, validation
        Row numbers; without validation rows the model trains `config.epochs` and keeps its last weights.
    config
        Epochs, batch size, learning rate and its schedule, weight decay, gradient clipping, precision, class weights,
        weight averaging, early stopping, augmentation.
    tell
        Receives one line an epoch.

    Raises
    ------
    InputError
        If the loss becomes NaN or infinite, or the network normalises over batches and a batch is one sample.
    """
    if config.batch_size == 1 and any(isinstance(layer, nn.BatchNorm2d) for layer in model.modules()):
        raise InputError("batch_size=1: this network normalises over its batch, expected 2 or more. Raise batch_size.")
    if model.prime is not None:
        model.prime(*images.statistics(y, train))
    with model.training_weights():
        return _descend(model, images, y, train, validation, config, tell)


def _descend(model, images, y, train, validation, config: DeepMapperConfig, tell) -> Training:
    """As `fit`, from the weights that the network has."""
    where = next(model.parameters()).device
    optimiser = _AdamW(model, config.lr, config.weight_decay, config.clip_norm)
    stopper = EarlyStopper(config.patience, config.min_delta, config.min_epochs)
    noise = make_train_transform(config.augment)
    # noise leaves no value at zero
    read = images if config.augment.enabled else _reader(model, images)
    weight = None
    if config.class_weights == "balanced":
        weight = _class_weights(y[train], predict(model, images, train[:1]).shape[1], where)
    n_steps = config.epochs * len(_starts(len(train), config.batch_size))
    average: dict[str, Tensor] | None = None
    best: dict[str, Tensor] | None = None
    history = []
    for epoch in range(config.epochs):
        model.train()
        total = 0.0
        for batch in batches(train, config.batch_size):
            with torch.autocast(where.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
                loss = model.loss(noise(read(batch)), torch.from_numpy(y[batch]).to(where), weight)
            loss.backward()
            optimiser.step(_rate(config.schedule, optimiser.steps / n_steps))
            total += loss.item() * len(batch)
        mean = total / len(train)
        if not math.isfinite(mean):
            raise InputError(
                f"training diverged: the loss of epoch {epoch + 1} is {mean}. Lower lr (now {config.lr:g}), set "
                f"clip_norm (now {config.clip_norm:g}, for example 1) or check the scale of the values (features: "
                f"normalization)."
            )
        if config.weight_average:
            average = _averaged(average, model, config.weight_average, epoch)
        with _weights(model, average):
            held_loss, held_accuracy = _judge(model, images, y, validation, config.batch_size)
        history.append((mean, held_loss, held_accuracy))
        tell(_line(epoch, config.epochs, *history[-1]))
        if not len(validation):
            continue
        stop = stopper.step(epoch, held_loss)
        if stopper.improved:
            best = _copy(average or model.state_dict())
        if stop:
            break
    kept = best or average
    if kept is not None:
        model.load_state_dict(kept)
    model.eval()
    return Training(np.array(history), stopper.best_epoch + 1 if best is not None else len(history))


class _AdamW:
    """AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) by torch's fused kernel.

    Called as a function: the first use of an optimiser of `torch.optim` imports torch's compiler, which takes two
    seconds, and a job trains one pass.
    """

    def __init__(self, model: nn.Module, lr: float, weight_decay: float, clip_norm: float):
        self.lr, self.weight_decay, self.clip_norm, self.steps = lr, weight_decay, clip_norm, 0
        self.weights = [weight for weight in model.parameters() if weight.requires_grad]
        self.means = [torch.zeros_like(weight) for weight in self.weights]
        self.squares = [torch.zeros_like(weight) for weight in self.weights]
        self.counts = [torch.zeros((), device=weight.device) for weight in self.weights]

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """Take one step at `factor` of the learning rate along the gradients, and forget them."""
        self.steps += 1
        used = [i for i, weight in enumerate(self.weights) if weight.grad is not None]
        slopes = [weight.grad for weight in self.weights if weight.grad is not None]
        if self.clip_norm:
            norm = torch.stack([slope.norm() for slope in slopes]).norm()
            torch._foreach_mul_(slopes, (self.clip_norm / (norm + 1e-6)).clamp_max(1.0))
        adamw(
            [self.weights[i] for i in used],
            slopes,
            [self.means[i] for i in used],
            [self.squares[i] for i in used],
            [],
            [self.counts[i] for i in used],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self.lr * factor,
            weight_decay=self.weight_decay,
            eps=1e-8,
            maximize=False,
        )
        for weight in self.weights:
            weight.grad = None


def _rate(schedule: str, progress: float) -> float:
    """Share of the learning rate when `progress` of all steps is done."""
    return 0.5 + 0.5 * math.cos(math.pi * progress) if schedule == "cosine" else 1.0


def _class_weights(y: np.ndarray, n_classes: int, where: torch.device) -> Tensor:
    """Weights that make every class count the same, 1 on average over the samples; absent classes have none."""
    counts = np.bincount(y, minlength=n_classes)
    weight = np.divide(len(y), counts * (counts > 0).sum(), out=np.zeros(n_classes), where=counts > 0)
    return torch.from_numpy(weight.astype(np.float32)).to(where)


def _reader(model: nn.Module, images: Any) -> Callable[[np.ndarray], Any]:
    """What gives the model its images: the values that are not zero, where it takes them and they are few."""
    sparse = getattr(model, "takes_sparse", False) and getattr(images, "mostly_zero", False)
    return images.sparse if sparse else images


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


def predict(
    model: nn.Module, images: Callable[[np.ndarray], Tensor], rows: np.ndarray, batch_size: int = 256
) -> np.ndarray:
    """Scores of `rows` before softmax: (n, classes) float32."""
    return _in_batches(model, model, images, rows, batch_size)


def embed(
    model: nn.Module, images: Callable[[np.ndarray], Tensor], rows: np.ndarray, batch_size: int = 256
) -> np.ndarray:
    """What the last layer reads of `rows`: (n, d) float32."""
    return _in_batches(model, model.embed, images, rows, batch_size)


def _in_batches(model, function, images, rows, batch_size) -> np.ndarray:
    model.eval()
    read = _reader(model, images)
    with torch.no_grad():
        parts = [function(read(rows[i : i + batch_size])).cpu().numpy() for i in range(0, len(rows), batch_size)]
    return np.concatenate(parts)


def batches(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Rows in a fresh order, in batches; a last batch of one joins the one before (batch statistics need two)."""
    order = rows[torch.randperm(len(rows)).numpy()]
    starts = _starts(len(rows), size)
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        yield order[start:end]


def _starts(n: int, size: int) -> list[int]:
    starts = list(range(0, n, size))
    return starts[:-1] if len(starts) > 1 and n - starts[-1] == 1 else starts


def _judge(model, images, y, rows, batch_size) -> tuple[float, float]:
    if not len(rows):
        return math.nan, math.nan
    scores = predict(model, images, rows, batch_size)
    loss = nn.functional.cross_entropy(torch.from_numpy(scores), torch.from_numpy(y[rows]))
    return loss.item(), float((scores.argmax(1) == y[rows]).mean())


def _line(epoch: int, epochs: int, train_loss: float, val_loss: float, val_accuracy: float) -> str:
    line = f"epoch {epoch + 1}/{epochs}  training loss {train_loss:.4f}"
    if not math.isnan(val_loss):
        line += f"  validation loss {val_loss:.4f}  accuracy {val_accuracy:.3f}"
    return line
