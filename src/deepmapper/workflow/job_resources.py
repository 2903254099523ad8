"""What jobs ask for. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path


def grow(amount: float, per_mb: float = 0, most: float = float("inf")) -> Callable[..., float]:
    """A resource that grows with every attempt, and by so much for every MB of input, but by no more than `most`.

    Returns
    -------
    Callable
        What Snakemake asks for each job: it looks at the names of the parameters.
    """
    if not per_mb:
        return lambda wildcards, attempt: amount * attempt
    return lambda wildcards, input, attempt: int(amount + min(per_mb * megabytes(input), most)) * attempt


def megabytes(paths: Iterable[str | Path]) -> float:
    """Size of files and of folders with all that is in them; Snakemake's own `size_mb` takes a folder for empty."""
    size = 0
    for path in map(Path, paths):
        files = path.rglob("*") if path.is_dir() else [path]
        size += sum(file.stat().st_size for file in files)
    return size / 1e6
