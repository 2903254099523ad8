"""Checkpoint of one training run; resuming gives bit-identical results.

The path of a checkpoint is derived from everything that the pass depends on, so only that pass finds it. A checkpoint
is optional: if it cannot be read or written, training goes on without it and says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..core.records import DamagedRecord, read_record, write_record


class Checkpoint:
    """The file that keeps the state of a training run.

    Parameters
    ----------
    path
        The file, ending in .npz.
    seconds
        Minimum time between two writes.
    made_by
        What else affects the result to the last bit (device, threads, version of torch). A checkpoint that was made
        with anything else is ignored.
    progress
        Receives a line whenever a checkpoint is ignored or cannot be written.
    """

    def __init__(
        self, path: Path, seconds: float, made_by: dict[str, Any], progress: Callable[[str], None] = lambda line: None
    ):
        self.path, self.seconds, self.made_by, self.progress = path, seconds, made_by, progress
        self._last = time.monotonic()

    def due(self) -> bool:
        """Whether it is time to write again."""
        return time.monotonic() - self._last >= self.seconds

    def save(self, values: dict[str, Any], arrays: dict[str, Any]) -> None:
        """Write a state, as numbers and texts and as arrays, in place of the last one; the write is atomic."""
        try:
            write_record(self.path, {**values, "made_by": self.made_by}, arrays)
        except OSError as error:
            self.progress(f"no checkpoint written ({error}); the pass goes on without one")
        self._last = time.monotonic()

    def load(self) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """Return what `save` wrote, or None if there is no usable checkpoint."""
        try:
            values, arrays = read_record(self.path, "checkpoint")
        except FileNotFoundError:
            return None
        except DamagedRecord as error:
            self.progress(
                f"{self.path} is not a complete checkpoint ({error.reason}); the pass starts from the beginning"
            )
            return None
        made_by = values.pop("made_by", None)
        if made_by != self.made_by:
            self.progress(
                f"the checkpoint was made with {made_by}, this run has {self.made_by}; the pass starts from the "
                f"beginning"
            )
            return None
        return values, arrays

    def remove(self) -> None:
        """Delete the checkpoint, if there is one."""
        self.path.unlink(missing_ok=True)
