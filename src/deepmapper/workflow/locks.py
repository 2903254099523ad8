"""Stale locks of killed runs, recognised and removed. Standard library only."""

from __future__ import annotations

import fcntl
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TextIO

_held: list[TextIO] = []  # open files hold their locks until the process ends


def clear_stale_locks(folder: str | Path) -> bool:
    """Remove Snakemake's locks if the run that took them is gone, and mark this process as running.

    Snakemake's locks are files: those of a run that was killed (``kill -9``, a power cut) stay and block the next one.
    So every run also shares a lock of the kernel, on the file ``running``, which ends with its process however that
    ends. Only who could have it alone may remove what lies there.

    Parameters
    ----------
    folder
        Snakemake's own folder, ``.snakemake``; made where it does not exist.

    Returns
    -------
    bool
        Whether there were locks, and they were removed. False also where another run lives, or the file system has no
        such locks: then all stays as it is, and Snakemake's own check decides.
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
        fcntl.flock(running, fcntl.LOCK_SH)  # waits only while another process looks, as above
    return found
