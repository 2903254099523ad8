"""Memory and time that jobs ask Snakemake for. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


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


def in_tasks(n_tasks: int, nodes: int, mem_mb: float) -> dict[str, Any]:
    """Resources of a job that starts itself as several tasks (`core.tasks`), as many on each of some nodes of Slurm.

    Parameters
    ----------
    n_tasks, nodes
        Number of tasks, and of nodes that share them; a job of one task asks for neither.
    mem_mb
        Memory of one task; a job asks for that of a node, and for more when it is repeated.
    """
    memory = {"mem_mb": grow(mem_mb * math.ceil(n_tasks / nodes))}
    if n_tasks == 1:
        return memory
    # without "mpi" the executor would start the job as a single task
    return memory | {"tasks": n_tasks, "nodes": nodes, "cpus_per_task": 1, "mpi": "srun"}


def megabytes(paths: Iterable[str | Path]) -> float:
    """Total size of files, and of folders with all their files; Snakemake's own `size_mb` counts a folder as empty."""
    size = 0
    for path in map(Path, paths):
        files = path.rglob("*") if path.is_dir() else [path]
        size += sum(file.stat().st_size for file in files)
    return size / 1e6
