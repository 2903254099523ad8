"""The progress of a run: passes done, accuracy so far, time left; from the log of Snakemake and the files of passes."""

from __future__ import annotations

import re
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path
from statistics import mean
from types import TracebackType
from typing import Any

import click

_STEPS = re.compile(r"^(\d+) of (\d+) steps \((\d+)%\) done", re.MULTILINE)
_MESSAGE = re.compile(r"^Job \d+: (.+)$", re.MULTILINE)

# Lines without a terminal: one for each of so many parts of the run.
_PARTS = 8

_BAR = 24  # characters

_ENOUGH = 0.05  # share of the run from which the rest is guessed


class Progress:
    """One line that is written again and again on a terminal; elsewhere a few lines in all.

    Parameters
    ----------
    log
        File with the output of Snakemake.
    settings
        The checked configuration.
    """

    def __init__(self, log: Path, settings: dict[str, Any]) -> None:
        self._log, self._n_read, self._rest = log, 0, ""
        self._steps, self._of_steps, self._message = 0, 0, ""
        self._passes = Passes(settings)
        self._live = sys.stdout.isatty()
        self._part = 0
        self._started = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            click.echo("\r\x1b[K", nl=False)

    def update(self) -> None:
        """Read what is new, and show it."""
        self._read_log()
        if not self._of_steps:
            if self._live:
                click.echo("\r\x1b[Kplanning", nl=False)
            return
        self._passes.look()
        if self._live:
            width, line = shutil.get_terminal_size((100, 24)).columns, self.line()
            click.echo(f"\r\x1b[K{line if len(line) < width else f'{line[: width - 2]}…'}", nl=False)
            return
        part = int(self._share() * _PARTS)
        if part > self._part:
            self._part = part
            click.echo(self.line())

    def line(self) -> str:
        """Write the state of the run in one line."""
        share = self._share()
        bar = "█" * int(share * _BAR) + "·" * (_BAR - int(share * _BAR))
        parts = [f"{bar} {share:4.0%}", self._passes.describe(), self._left(), self._message]
        return "  ".join(part for part in parts if part)

    def _share(self) -> float:
        """Share of this run that is done: by passes, which take most of the time, and by steps."""
        steps = self._steps / max(self._of_steps, 1)
        passes = self._passes.share
        return steps if passes is None else (steps + passes) / 2

    def _left(self) -> str:
        """Guess from the pace of this run so far; "" as long as there is too little of it."""
        share = self._share()
        if share < _ENOUGH or share >= 1:
            return ""
        return f"about {spell_time((time.monotonic() - self._started) / share * (1 - share))} left"

    def _read_log(self) -> None:
        with suppress(OSError), self._log.open("rb") as file:
            file.seek(self._n_read)
            new = file.read()
            self._n_read += len(new)
            text = self._rest + new.decode("utf-8", "replace")
            text, _, self._rest = text.rpartition("\n")
            if steps := _STEPS.findall(text):
                self._steps, self._of_steps = int(steps[-1][0]), int(steps[-1][1])
            if messages := _MESSAGE.findall(text):
                self._message = messages[-1]
                self._of_steps = self._of_steps or 1


class Passes:
    """The files of the passes of a run.

    Parameters
    ----------
    settings
        The checked configuration.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        from ..check.plan import passes_of

        self._folder = Path(settings["results"]) / "passes"
        self._models = list(settings["models"])
        self.total: int | None = len(self._models) * sum(passes_of(settings).values())
        if settings["passes"]["n_passes"] == "auto":
            self.total = None
        self._accuracies: dict[Path, float] = {}
        self._done: set[Path] = set()
        self._before = len(self._files())

    def look(self) -> None:
        """Look for new files."""
        files = self._files()
        for path in files - self._done:
            if path.parent.name in self._models and path.parent.parent == self._folder:
                self._accuracies[path] = accuracy_of(path)
        self._done |= files

    def _files(self) -> set[Path]:
        return {path for model in self._models for path in (self._folder / model).rglob("*.npz") if path.name[0] != "."}

    @property
    def share(self) -> float | None:
        """Share of the missing passes that is done; None if none was missing, or their number is not known."""
        missing = 0 if self.total is None else self.total - self._before
        return min(1.0, max(0, len(self._done) - self._before) / missing) if missing > 0 else None

    def describe(self) -> str:
        """Say how many passes are done, and their accuracy so far."""
        if not self._done:
            return ""
        known = [value for value in self._accuracies.values() if value == value]
        accuracy = f", accuracy {mean(known):.2f}" if known else ""
        return f"{len(self._done)}{f' of {self.total}' if self.total else ''} passes{accuracy}"


def accuracy_of(path: Path) -> float:
    """Out-of-bag accuracy of a pass; NaN if its file cannot be read."""
    from ..errors import InputError
    from ..passes.result import PassFile

    try:
        return float(PassFile(path).accuracy)
    except (InputError, OSError, AttributeError):
        return float("nan")


def spell_time(seconds: float) -> str:
    """Write a time in words: ``40 s``, ``3 min 5 s``, ``2 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
