"""Training one network: AdamW on cross-entropy, with a validation plateau that ends it. Imports torch."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

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
    before = torch.are_deterministic_algorithms_enabled()
    only_warned = torch.is_deterministic_algorithms_warn_only_enabled()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before, warn_only=only_warned)


def fit(
    model: Network,
    images: Callable[[np.ndarray], Tensor],
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
        Gives (batch, channels, side, side) on the model's device for row numbers.
    y
        Class code of every row.
    train, validation
        Row numbers; without validation rows the model trains `config.epochs` and keeps its last weights.
    config
        Epochs, batch size, learning rate, weight decay, early stopping, augmentation.
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
        model.prime(*pixel_statistics(images, y, train, config.batch_size))
    optimiser = torch.optim.AdamW(model.parameters(), config.lr, weight_decay=config.weight_decay, fused=True)
    stopper = EarlyStopper(config.patience, config.min_delta, config.min_epochs)
    noise = make_train_transform(config.augment)
    where = next(model.parameters()).device
    best: dict[str, Tensor] | None = None
    history = []
    for epoch in range(config.epochs):
        model.train()
        total = 0.0
        for batch in batches(train, config.batch_size):
            loss = model.loss(noise(images(batch)), torch.from_numpy(y[batch]).to(where))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            total += loss.item() * len(batch)
        mean = total / len(train)
        if not math.isfinite(mean):
            raise InputError(
                f"training diverged: the loss of epoch {epoch + 1} is {mean}. Lower lr (now {config.lr:g}) or check "
                f"the scale of the values (features: normalization)."
            )
        held_loss, held_accuracy = _judge(model, images, y, validation, config.batch_size)
        history.append((mean, held_loss, held_accuracy))
        tell(_line(epoch, config.epochs, *history[-1]))
        if not len(validation):
            continue
        stop = stopper.step(epoch, held_loss)
        if stopper.improved:
            best = {name: value.detach().clone() for name, value in model.state_dict().items()}
        if stop:
            break
    if best is not None:
        model.load_state_dict(best)
    model.eval()
    return Training(np.array(history), stopper.best_epoch + 1 if best is not None else len(history))


def pixel_statistics(
    images: Callable[[np.ndarray], Tensor], y: np.ndarray, rows: np.ndarray, batch_size: int
) -> tuple[Tensor, Tensor]:
    """Measure every pixel over `rows`: its standard deviation and its F statistic between classes.

    Sums are kept in float64, a batch at a time. Returns two (side, side) float32 tensors of the first channel, on the
    images' device; with no more samples than classes the F statistic is infinite: nothing is known against any pixel.
    """
    codes, member = np.unique(y[rows], return_inverse=True)
    probe = images(rows[:1])[0, 0]
    # double precision is not to be had on every accelerator; these sums are small
    sums = torch.zeros(len(codes), *probe.shape, dtype=torch.float64)
    squares = torch.zeros(probe.shape, dtype=torch.float64)
    for start in range(0, len(rows), batch_size):
        batch = images(rows[start : start + batch_size])[:, 0].cpu().double()
        sums.index_add_(0, torch.from_numpy(member[start : start + batch_size]), batch)
        squares += (batch**2).sum(0)
    sizes = torch.from_numpy(np.bincount(member)).double()
    n, n_classes = len(rows), len(codes)
    mean = sums.sum(0) / n
    total = (squares - n * mean**2).clamp_min(0)
    between = ((sums / sizes[:, None, None] - mean) ** 2 * sizes[:, None, None]).sum(0)
    within = (total - between).clamp_min(1e-12) / max(n - n_classes, 1)
    separation = between / max(n_classes - 1, 1) / within
    if n <= n_classes:
        separation = torch.full_like(separation, torch.inf)
    return (total / n).sqrt().float().to(probe.device), separation.float().to(probe.device)


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
    with torch.no_grad():
        parts = [function(images(rows[i : i + batch_size])).cpu().numpy() for i in range(0, len(rows), batch_size)]
    return np.concatenate(parts)


def batches(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Rows in a fresh order, in batches; a last batch of one joins the one before (batch statistics need two)."""
    order = rows[torch.randperm(len(rows)).numpy()]
    starts = list(range(0, len(order), size))
    if len(starts) > 1 and len(order) - starts[-1] == 1:
        starts.pop()
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        yield order[start:end]


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
