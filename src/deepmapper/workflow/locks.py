"""Removes Snakemake's locks that a killed run left behind. Standard library only."""

from __future__ import annotations

import atexit
import fcntl
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from ..core.files import unwritable

# Folders that Snakemake makes in its own before it plans anything (persistence/__init__.py and file.py of 9.27).
NEEDED = ("auxiliary", "conda", "conda-archive", "incomplete", "iocache", "locks", "metadata", "shadow", "singularity")

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
        Whether locks were found and removed. False if another run is alive, the file system has no kernel locks, or
        the folder cannot be written to: then nothing is changed, and Snakemake's own check decides.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        running = (folder / "running").open("a")
    except OSError:
        return False
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


def stand_in(folder: str | Path) -> Path | None:
    """Make a temporary folder that Snakemake can plan with in place of its own one, which cannot be written to.

    It has links to what is in `folder`, so that the plan is right, and is deleted when this process ends.

    Parameters
    ----------
    folder
        Snakemake's own folder, ``.snakemake``.

    Returns
    -------
    Path or None
        None if `folder` can be used as it is: it can be written to, or has all that planning needs.
    """
    folder = Path(folder)
    if not unwritable(folder) or all((folder / name).is_dir() for name in NEEDED):
        return None
    temporary = Path(tempfile.mkdtemp(prefix="deepmapper-plan-"))
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    for item in folder.iterdir() if folder.is_dir() else ():
        (temporary / item.name).symlink_to(item.absolute())
    return temporary
