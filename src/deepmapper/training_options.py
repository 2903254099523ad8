"""Options of one training run. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import InputError

SCHEDULES = ("constant", "cosine")

PRECISIONS = ("float32", "bfloat16")

MONITORS = ("loss", "score")


@dataclass(frozen=True)
class TrainingOptions:
    """How the training loop trains, whatever the network and its loss.

    Attributes
    ----------
    epochs, batch_size
        Epochs at most, and rows in a batch.
    lr, weight_decay
        AdamW's learning rate and its decoupled weight decay.
    clip_norm
        Gradients longer than this are shortened to it; 0 for no bound.
    schedule
        "constant", or "cosine": the learning rate falls to zero over `epochs` along half a cosine.
    precision
        "float32", or "bfloat16" where torch's autocast uses it in training.
    weight_average
        Share of the running average of the weights that every epoch keeps. The average is what is validated and what
        the model ends with; 0 for no averaging.
    monitor
        What early stopping follows on validation: "loss" (lower is better) or "score" (higher is better).
    patience, min_delta, min_epochs
        Training stops when the monitored value has not improved by more than `min_delta` for `patience` epochs, never
        before `min_epochs`; see `earlystop.EarlyStopper`. Without validation there is no early stopping.

    Raises
    ------
    InputError
        If a value cannot work; the message lists every such field.
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
        checks = {
            "1 or more": [(name, getattr(self, name) >= 1) for name in ("epochs", "batch_size")],
            "more than 0": [("lr", self.lr > 0)],
            "0 or more": [(name, getattr(self, name) >= 0) for name in ("weight_decay", "clip_norm", "min_delta")],
            "a share from 0 to less than 1": [("weight_average", 0 <= self.weight_average < 1)],
            f"one of {', '.join(SCHEDULES)}": [("schedule", self.schedule in SCHEDULES)],
            f"one of {', '.join(PRECISIONS)}": [("precision", self.precision in PRECISIONS)],
            f"one of {', '.join(MONITORS)}": [("monitor", self.monitor in MONITORS)],
        }
        faults = [
            f"{name}={getattr(self, name)!r}: expected {expected}"
            for expected, checked in checks.items()
            for name, holds in checked
            if not holds
        ]
        if faults:
            raise InputError("TrainingOptions cannot be used:\n  " + "\n  ".join(faults))
