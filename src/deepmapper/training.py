"""Training one network: AdamW on cross-entropy, with a validation plateau that ends it. Imports torch."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from ._images import Images
from ._networks import Network
from .augment import make_train_transform
from .checkpoint import Checkpoint
from .config import DeepMapperConfig
from .earlystop import EarlyStopper
from .errors import DeepMapperWarning, InputError

_Result = TypeVar("_Result")
_chosen: list[torch.device] = []  # by `choose`; empty: whatever there is


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


def choose(where: torch.device | str) -> None:
    """Settle the device of all that follows in this process."""
    _chosen[:] = [torch.device(where)]


def device() -> torch.device:
    """Give the device that was chosen; where none was, the accelerator that torch sees, else the CPU."""
    if _chosen:
        return _chosen[0]
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
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        # the same as use_deterministic_algorithms(True, warn_only=True), which imports torch's compiler: two seconds
        torch.set_deterministic_debug_mode("warn")
        # every new tensor would be filled with NaN before it is written
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        try:
            yield
        finally:
            torch.set_deterministic_debug_mode(before)
            torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]


def fit(
    model: Network,
    images: Images,
    y: np.ndarray,
    train: np.ndarray,
    validation: np.ndarray,
    config: DeepMapperConfig,
    tell: Callable[[str], None] = lambda line: None,
    checkpoint: Checkpoint | None = None,
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
    checkpoint
        Where the training is kept while it runs, and taken up again; the result is the same as if it had never ended.

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
        return _descend(model, images, y, train, validation, config, tell, checkpoint)


@dataclass
class _Progress:
    """Where a training stands, beside the weights, the optimiser and the early stopping.

    `order` holds the rows of the epoch in its order, None before its first batch; `place` counts the batches behind it
    and `total` their summed loss.
    """

    epoch: int = 0
    order: np.ndarray | None = None
    place: int = 0
    total: float = 0.0
    history: list[tuple[float, float, float]] = field(default_factory=list)
    average: dict[str, Tensor] | None = None
    best: dict[str, Tensor] | None = None


def _descend(model, images, y, train, validation, config: DeepMapperConfig, tell, checkpoint) -> Training:
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
    now = _Progress()
    kept = None if checkpoint is None else checkpoint.load()
    if kept is not None and kept[0]["batch_size"] == config.batch_size:
        now = _taken_up(kept[0], kept[1], model, optimiser, stopper, where)
        tell(f"goes on from a checkpoint in epoch {now.epoch + 1}, after {now.place} of its batches")
    stop = False
    while now.epoch < config.epochs and not stop:
        model.train()
        if now.order is None:
            now.order = _shuffled(train)
        for batch in _cut(now.order, config.batch_size)[now.place :]:
            with torch.autocast(where.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
                loss = model.loss(noise(read(batch)), torch.from_numpy(y[batch]).to(where), weight)
            loss.backward()
            optimiser.step(_rate(config.schedule, optimiser.steps / n_steps))
            now.total += loss.item() * len(batch)
            now.place += 1
            if checkpoint is not None and checkpoint.due():
                checkpoint.save(*_kept(now, model, optimiser, stopper, config.batch_size, where))
        mean = now.total / len(train)
        if not math.isfinite(mean):
            raise InputError(
                f"training diverged: the loss of epoch {now.epoch + 1} is {mean}. Lower lr (now {config.lr:g}), set "
                f"clip_norm (now {config.clip_norm:g}, for example 1) or check the scale of the values (features: "
                f"normalization)."
            )
        if config.weight_average:
            now.average = _averaged(now.average, model, config.weight_average, now.epoch)
        with _weights(model, now.average):
            held_loss, held_accuracy = _judge(model, images, y, validation, config.batch_size)
        now.history.append((mean, held_loss, held_accuracy))
        tell(_line(now.epoch, config.epochs, *now.history[-1]))
        if len(validation):
            stop = stopper.step(now.epoch, held_loss)
            if stopper.improved:
                now.best = _copy(now.average or model.state_dict())
        now.epoch, now.order, now.place, now.total = now.epoch + 1, None, 0, 0.0
    ends_with = now.best or now.average
    if ends_with is not None:
        model.load_state_dict(ends_with)
    model.eval()
    return Training(np.array(now.history), stopper.best_epoch + 1 if now.best is not None else len(now.history))


def _kept(now: _Progress, model, optimiser, stopper, batch_size: int, where) -> tuple[dict, dict[str, np.ndarray]]:
    """Give all that the rest of a training depends on, as builtins and arrays."""
    about = {"epoch": now.epoch, "place": now.place, "total": now.total, "steps": optimiser.steps}
    about["batch_size"] = batch_size
    about |= {"history": now.history, "stopper": asdict(stopper)}
    tensors = {"random": torch.get_rng_state()}
    if where.type != "cpu":
        tensors["random_there"] = getattr(torch, where.type).get_rng_state()
    for group, state in {"model": model.state_dict(), "average": now.average, "best": now.best}.items():
        tensors |= {f"{group}/{name}": value for name, value in (state or {}).items()}
    for group in ("means", "squares", "counts"):
        tensors |= {f"{group}/{i}": value for i, value in enumerate(getattr(optimiser, group))}
    assert now.order is not None  # kept within an epoch
    return about, {"order": now.order} | {name: value.detach().cpu().numpy() for name, value in tensors.items()}


def _taken_up(about: dict, arrays: dict[str, np.ndarray], model, optimiser, stopper, where) -> _Progress:
    """Put a training back to where `_kept` saw it."""

    def group(name: str) -> dict[str, Tensor]:
        within = f"{name}/"
        return {n.removeprefix(within): torch.from_numpy(arrays[n]).to(where) for n in arrays if n.startswith(within)}

    model.load_state_dict(group("model"))
    for name in ("means", "squares", "counts"):
        for i, value in group(name).items():
            getattr(optimiser, name)[int(i)].copy_(value)
    optimiser.steps = about["steps"]
    vars(stopper).update(about["stopper"])
    torch.set_rng_state(torch.from_numpy(arrays["random"]))
    if where.type != "cpu":
        getattr(torch, where.type).set_rng_state(torch.from_numpy(arrays["random_there"]))
    return _Progress(
        epoch=about["epoch"],
        order=arrays["order"],
        place=about["place"],
        total=about["total"],
        history=[(mean, loss, accuracy) for mean, loss, accuracy in about["history"]],
        average=group("average") or None,
        best=group("best") or None,
    )


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

    def results(size: int) -> np.ndarray:
        with torch.no_grad():
            parts = [function(read(rows[i : i + size])).cpu().numpy() for i in range(0, len(rows), size)]
        return np.concatenate(parts)

    return halving(results, batch_size, "prediction")


def halving(work: Callable[[int], _Result], size: int, what: str) -> _Result:
    """Give ``work(size)``; where the memory of the GPU does not hold that, with half the size, and half of that.

    Parameters
    ----------
    work
        Starts from the beginning whenever it is called.
    size
        Images at once.
    what
        What is done, for the warning of each halving.

    Raises
    ------
    InputError
        If the memory does not hold one image.

    Warns
    -----
    DeepMapperWarning
        At each halving.
    """
    while True:
        try:
            return work(size)
        except torch.OutOfMemoryError as error:
            said = str(error).partition("\n")[0]
        # outside, where the exception no longer holds the tensors
        if size == 1:
            raise InputError(
                f"the memory of the GPU does not hold {what} of one image ({said}). Take a smaller network or image, "
                f"fewer passes on one GPU (resources.passes_per_gpu), or the CPU (resources.gpu: 0)."
            )
        size //= 2
        torch.cuda.empty_cache()
        warnings.warn(
            f"out of memory on the GPU: {what} starts again in batches of {size}, not {2 * size} ({said})",
            DeepMapperWarning,
            stacklevel=2,
        )


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
