"""Checkpoint of one training run; resuming gives bit-identical results.

A checkpoint is named after all that the pass depends on, so it can only be found by the pass that it belongs to. It is
an aid: one that cannot be read is put aside, one that cannot be written is done without, and both are said.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..core.records import DamagedRecord, read_record, write_record


class Checkpoint:
    """The file in which a training is kept while it runs.

    Parameters
    ----------
    path
        The file, ending in .npz.
    seconds
        Time between two writes.
    made_by
        What else decides the bytes of a result (device, threads, version of torch). A checkpoint that was made
        otherwise is not taken.
    progress
        Receives what a person should know.
    """

    def __init__(
        self, path: Path, seconds: float, made_by: dict[str, Any], progress: Callable[[str], None] = lambda line: None
    ):
        self.path, self.seconds, self.made_by, self.tell = path, seconds, made_by, progress
        self._last = time.monotonic()

    def due(self) -> bool:
        """Whether it is time to write again."""
        return time.monotonic() - self._last >= self.seconds

    def save(self, about: dict[str, Any], arrays: dict[str, Any]) -> None:
        """Replace what is kept: plain builtins and arrays, whole or not at all."""
        try:
            write_record(self.path, {**about, "made_by": self.made_by}, arrays)
        except OSError as error:
            self.tell(f"no checkpoint written ({error}); the pass goes on without")
        self._last = time.monotonic()

    def load(self) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """Give back what `save` wrote, or None where there is nothing that fits."""
        try:
            about, arrays = read_record(self.path, "checkpoint")
        except FileNotFoundError:
            return None
        except DamagedRecord as error:
            self.tell(f"{self.path} is not a whole checkpoint ({error.reason}); the pass starts from its beginning")
            return None
        made_by = about.pop("made_by", None)
        if made_by != self.made_by:
            self.tell(
                f"the checkpoint was made by {made_by}, here is {self.made_by}; the pass starts from its beginning"
            )
            return None
        return about, arrays

    def remove(self) -> None:
        """Forget what is kept."""
        self.path.unlink(missing_ok=True)
