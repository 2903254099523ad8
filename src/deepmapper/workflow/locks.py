"""Removes Snakemake's locks that a killed run left behind. Standard library only."""

from __future__ import annotations

import fcntl
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TextIO

_held: list[TextIO] = []  # open files keep their locks until the process ends


def clear_stale_locks(folder: str | Path) -> bool:
    """Remove Snakemake's locks if the run that took them has ended, and mark this process as running.

    Snakemake's locks are files: those of a killed run (``kill -9``, a power cut) stay and block the next one. So every
    run also holds a shared kernel lock on the file ``running``, which is released when its process ends, however it
    ends. A process that gets this lock exclusively knows that no other run is alive, and may remove the files.

    Parameters
    ----------
    folder
        Snakemake's own folder, ``.snakemake``; created if it does not exist.

    Returns
    -------
    bool
        Whether locks were found and removed. False if another run is alive or the file system has no kernel locks:
        then nothing is changed, and Snakemake's own check decides.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    running = (folder / "running").open("a")
    _held.append(running)
    locks = folder / "locks"
    found = False
    with suppress(OSError):
        fcntl.flock(running, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = locks.is_dir() and any(locks.iterdir())
        shutil.rmtree(locks, ignore_errors=True)
    with suppress(OSError):
        fcntl.flock(running, fcntl.LOCK_SH)  # waits only while another process is in the block above
    return found
