"""Early stopping when a validation metric no longer improves. Standard library only.

The rule of Keras's EarlyStopping with ``restore_best_weights=True``; epochs before a minimum number are ignored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


def is_improvement(value: float, best: float, min_delta: float, mode: str = "min") -> bool:
    """Whether `value` is better than `best` by more than `min_delta`; NaN never is."""
    return value < best - min_delta if mode == "min" else value > best + min_delta


def should_stop(num_bad: int, patience: int, epoch: int, min_epochs: int) -> bool:
    """Whether to stop after `epoch` (0-based): `min_epochs` are over and `patience` epochs brought no improvement."""
    return epoch + 1 >= min_epochs and num_bad >= patience


@dataclass
class EarlyStopper:
    """Tracks a metric, remembers its best epoch and decides when to stop.

    Call `step` once per epoch; if `improved` is true afterwards, save the weights.

    Attributes
    ----------
    patience
        Epochs without improvement before stopping.
    min_delta
        Smallest change that counts as improvement.
    min_epochs
        Minimum number of epochs; earlier ones are neither kept nor counted as bad.
    mode
        "min" for a loss, "max" for an accuracy.
    best, best_epoch, num_bad, improved
        State: best value, its 0-based epoch (-1 before any), epochs since then, whether the last step improved.
    """

    patience: int = 20
    min_delta: float = 1e-3
    min_epochs: int = 40
    mode: str = "min"
    best: float = math.inf
    best_epoch: int = -1
    num_bad: int = 0
    improved: bool = False

    def __post_init__(self) -> None:
        if self.mode not in ("min", "max"):
            raise ValueError(f"mode={self.mode!r}: expected 'min' or 'max'")
        self.best = math.inf if self.mode == "min" else -math.inf

    def step(self, epoch: int, value: float) -> bool:
        """Record the metric's `value` after `epoch` (0-based); return whether to stop now."""
        self.improved = False
        if epoch + 1 < self.min_epochs:
            return False
        if is_improvement(value, self.best, self.min_delta, self.mode):
            self.best, self.best_epoch, self.num_bad, self.improved = value, epoch, 0, True
        else:
            self.num_bad += 1
        return should_stop(self.num_bad, self.patience, epoch, self.min_epochs)
