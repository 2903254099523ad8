"""The device of a job: CPU, or a GPU of its own. Loads torch on first use."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ..errors import InputError

if TYPE_CHECKING:
    import torch

_held: list[TextIO] = []  # open files hold their locks until the process ends


def for_job(
    gpu: int,
    shared_by: int,
    progress: Callable[[str], None] = lambda line: None,
    setting: str = "resources.gpu: 1",
    instead: str = "resources.gpu: 0",
) -> torch.device:
    """Give the device of a job: the CPU where it asked for no GPU, else one that no other job has.

    Parameters
    ----------
    gpu
        GPUs that the job asked for, 0 or 1.
    shared_by
        Jobs that may have the same GPU at a time.
    progress
        Receives a line when the job has to wait for a GPU.
    setting, instead
        For the message: what asked for a GPU, and what asks for none.

    Raises
    ------
    InputError
        If a GPU was asked for and torch sees none.
    """
    import torch

    if not gpu:
        return torch.device("cpu")
    if torch.cuda.is_available():
        names = [str(torch.cuda.get_device_properties(i).uuid) for i in range(torch.cuda.device_count())]
        chosen, lock = claim(names, shared_by, Path(tempfile.gettempdir()), progress)
        _held.append(lock)
        torch.cuda.set_device(chosen)
        return torch.device("cuda", chosen)
    if torch.backends.mps.is_available():
        return torch.device("mps")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    raise InputError(
        f"{setting}, and torch sees no GPU here: torch {torch.__version__} is a {build()} and CUDA_VISIBLE_DEVICES is "
        f"{'not set' if visible is None else repr(visible)}. {_remedy()}, or set {instead}."
    )


def for_screen(asked: str, gpu: int, shared_by: int, progress: Callable[[str], None] = lambda line: None) -> str:
    """Give what multiplies in the screen: numpy, or a GPU where the job asked for one, taken as passes take theirs.

    Parameters
    ----------
    asked
        `chords.device`.
    gpu, shared_by, progress
        As of `for_job`.

    Raises
    ------
    InputError
        If a GPU was asked for and torch sees none, or, with "gpu", none that the screen can use.
    """
    if not gpu:
        return "numpy"
    why = ("chords.device: gpu", "chords.device: cpu") if asked == "gpu" else ()
    where = for_job(gpu, shared_by, progress, *why)
    if where.type == "cuda":
        progress(f"the screen multiplies on {where} ({name(where)})")
        return str(where)
    if asked == "gpu":
        raise InputError(f"chords.device: expected a CUDA GPU for `gpu`, torch has {where.type} alone. Take `cpu`.")
    progress(f"the screen multiplies on the CPU: it knows CUDA alone, torch has {where.type}")
    return "numpy"


def claim(
    names: Sequence[str],
    shared_by: int,
    folder: Path,
    progress: Callable[[str], None] = lambda line: None,
    pause: float = 2.0,
) -> tuple[int, TextIO]:
    """Take the first free place on a device, in turns over the devices; wait for one where all are taken.

    Every place is a lock of the kernel on a file, which ends with its process however that ends.

    Parameters
    ----------
    names
        Of the devices that this process sees; the same device has the same name in every process.
    shared_by
        Places on each device.
    folder
        Where the locks lie: on this machine, the same for all jobs.
    progress
        Receives one line before the first wait.
    pause
        Seconds between two tries.

    Returns
    -------
    tuple
        Number of the device in `names`, and the open file that holds the place until it is closed.
    """
    waiting = False
    while True:
        for place in range(shared_by):
            for number, name in enumerate(names):
                lock = _take(folder / f"deepmapper-{name}.{place}.lock")
                if lock is not None:
                    return number, lock
        if not waiting:
            progress(f"waits for a GPU: all {len(names)} are taken, each by {shared_by}")
        waiting = True
        time.sleep(pause)


def describe(where: torch.device, threads: int) -> str:
    """Say in one line what a pass computes on."""
    import torch

    if where.type == "cuda":
        device = f"{where} ({name(where)})"
    elif where.type == "cpu" and torch.cuda.is_available():
        device = "cpu (a GPU is there and was not asked for: resources.gpu)"
    else:
        device = where.type
    return f"device {device}, torch {torch.__version__} ({build()}), {threads} thread{'s' if threads > 1 else ''}"


def name(where: torch.device) -> str:
    """Name the kind of a device: results are the same bytes on the same kind."""
    import torch

    return torch.cuda.get_device_name(where) if where.type == "cuda" else where.type


def build() -> str:
    """Say what this torch was built for."""
    import torch

    if torch.version.cuda:
        return f"build for CUDA {torch.version.cuda}"
    return f"build for ROCm {torch.version.hip}" if torch.version.hip else "build for the CPU"


def _remedy() -> str:
    import torch

    if not (torch.version.cuda or torch.version.hip):
        return "Install a build for its GPU (docs/cluster.md: GPUs)"
    return "Give the job a node with a GPU and a driver that answers (nvidia-smi; docs/cluster.md: GPUs)"


def _take(path: Path) -> TextIO | None:
    """Lock a file, or None where another process has it."""
    try:
        lock = path.open()  # the file of another user may be read, and that is enough
    except FileNotFoundError:
        lock = path.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock
