"""Options of one training run. Standard library only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .errors import InputError

SCHEDULES = ("constant", "cosine")

PRECISIONS = ("float32", "bfloat16")

MONITORS = ("loss", "score")


@dataclass(frozen=True)
class TrainingOptions:
    """Settings of the training loop, for any network and loss.

    Attributes
    ----------
    epochs, batch_size
        Maximum number of epochs, and rows per batch.
    lr, weight_decay
        AdamW's learning rate and its decoupled weight decay.
    clip_norm
        Gradients are scaled down to this norm; 0 for no clipping.
    schedule
        "constant", or "cosine": the learning rate decays to zero over `epochs` along half a cosine.
    precision
        "float32", or "bfloat16" in the operations for which torch's autocast uses it.
    weight_average
        Decay per epoch of the exponential moving average of the weights. The average is what is validated and what
        the model ends with; 0 for no averaging.
    monitor
        Validation metric for early stopping: "loss" (lower is better) or "score" (higher is better).
    patience, min_delta, min_epochs
        Training stops when the metric has not improved by more than `min_delta` for `patience` epochs, but never
        before `min_epochs`; see `earlystop.EarlyStopper`. Without validation rows there is no early stopping.

    Raises
    ------
    InputError
        If a value is invalid; the message lists every such field.
    """

    epochs: int = 20
    batch_size: int = 64
    lr: float = 1e-3
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    schedule: str = "constant"
    precision: str = "float32"
    weight_average: float = 0.0
    monitor: str = "loss"
    patience: int = 20
    min_delta: float = 1e-3
    min_epochs: int = 40

    def __post_init__(self) -> None:
        faults = [f"{name}={getattr(self, name)!r}: expected {expected}" for name, expected in self._invalid()]
        if faults:
            raise InputError("TrainingOptions cannot be used:\n  " + "\n  ".join(faults))

    def _invalid(self) -> Iterator[tuple[str, str]]:
        """Yield the fields whose value is invalid, with what is expected."""
        for name in ("epochs", "batch_size"):
            if not getattr(self, name) >= 1:
                yield name, "1 or more"
        if not self.lr > 0:
            yield "lr", "more than 0"
        for name in ("weight_decay", "clip_norm", "min_delta"):
            if not getattr(self, name) >= 0:
                yield name, "0 or more"
        if not 0 <= self.weight_average < 1:
            yield "weight_average", "a share from 0 to less than 1"
        for name, known in (("schedule", SCHEDULES), ("precision", PRECISIONS), ("monitor", MONITORS)):
            if getattr(self, name) not in known:
                yield name, f"one of {', '.join(known)}"
