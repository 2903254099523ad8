"""Early stopping on the plateau of a held-out metric. Standard library only.

The rule of Keras's EarlyStopping with ``restore_best_weights=True``, with a floor before which nothing counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


def is_improvement(value: float, best: float, min_delta: float, mode: str = "min") -> bool:
    """Whether `value` beats `best` by more than `min_delta`; NaN never does."""
    return value < best - min_delta if mode == "min" else value > best + min_delta


def should_stop(num_bad: int, patience: int, epoch: int, min_epochs: int) -> bool:
    """Whether to stop after `epoch` (0-based): the floor is reached and `patience` epochs brought nothing."""
    return epoch + 1 >= min_epochs and num_bad >= patience


@dataclass
class EarlyStopper:
    """Follows a metric, remembers its best epoch, says when to stop.

    Call `step` once an epoch; when `improved` is then true, keep the weights.

    Attributes
    ----------
    patience
        Epochs without improvement before stopping.
    min_delta
        Smallest change that counts as improvement.
    min_epochs
        Floor: earlier epochs are neither kept nor counted.
    mode
        "min" for a loss, "max" for an accuracy.
    best, best_epoch, num_bad, improved
        State: best value, its 0-based epoch (-1 before any), epochs since, whether the last step improved.
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
        """Record `value` of `epoch` (0-based); return whether to stop now."""
        self.improved = False
        if epoch + 1 < self.min_epochs:
            return False
        if is_improvement(value, self.best, self.min_delta, self.mode):
            self.best, self.best_epoch, self.num_bad, self.improved = value, epoch, 0, True
        else:
            self.num_bad += 1
        return should_stop(self.num_bad, self.patience, epoch, self.min_epochs)
