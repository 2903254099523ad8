"""Memory and time that jobs ask Snakemake for. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path


def grow(amount: float, per_mb: float = 0, max_extra: float = float("inf")) -> Callable[..., float]:
    """A resource that grows with every attempt, and with the input: `per_mb` for each MB, at most `max_extra`.

    Returns
    -------
    Callable
        For Snakemake's ``resources``, which passes arguments by the names of the parameters.
    """
    if not per_mb:
        return lambda wildcards, attempt: amount * attempt
    return lambda wildcards, input, attempt: int(amount + min(per_mb * megabytes(input), max_extra)) * attempt


def megabytes(paths: Iterable[str | Path]) -> float:
    """Total size of files, and of folders with all their files; Snakemake's own `size_mb` counts a folder as empty."""
    size = 0
    for path in map(Path, paths):
        files = path.rglob("*") if path.is_dir() else [path]
        size += sum(file.stat().st_size for file in files)
    return size / 1e6
