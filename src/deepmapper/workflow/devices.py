"""The device of a job: the CPU, or a GPU that no other job uses. Imports torch on first use."""

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

_held: list[TextIO] = []  # open files keep their locks until the process ends


def for_job(
    gpu: int,
    shared_by: int,
    progress: Callable[[str], None] = lambda line: None,
    setting: str = "resources.gpu: 1",
    instead: str = "resources.gpu: 0",
) -> torch.device:
    """Choose the device of a job: the CPU if it asked for no GPU, else a GPU with a free place.

    Parameters
    ----------
    gpu
        Number of GPUs that the job asked for, 0 or 1.
    shared_by
        Number of jobs that may use the same GPU at a time.
    progress
        Receives a line when the job has to wait for a GPU.
    setting, instead
        For the message: the setting that asked for a GPU, and the one that asks for none.

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
        f"{setting}, but torch finds no GPU: torch {torch.__version__} is a {torch_build()} and CUDA_VISIBLE_DEVICES "
        f"is {'not set' if visible is None else repr(visible)}. {_remedy()}, or set {instead}."
    )


def for_screen(asked: str, gpu: int, shared_by: int, progress: Callable[[str], None] = lambda line: None) -> str:
    """Choose the backend of the chord screen: numpy, or a GPU if the job asked for one (see `for_job`).

    Parameters
    ----------
    asked
        `chords.device`.
    gpu
        Number of GPUs that the job asked for, 0 or 1.
    shared_by
        Number of jobs that may use the same GPU at a time.
    progress
        Receives a line on the device that is used.

    Returns
    -------
    str
        "numpy", or a CUDA device ("cuda:0").

    Raises
    ------
    InputError
        If a GPU was asked for and torch finds none, or, with "gpu", none that the screen can use.
    """
    if not gpu:
        return "numpy"
    why = ("chords.device: gpu", "chords.device: cpu") if asked == "gpu" else ()
    device = for_job(gpu, shared_by, progress, *why)
    if device.type == "cuda":
        progress(f"the screen runs on {device} ({device_name(device)})")
        return str(device)
    if asked == "gpu":
        raise InputError(
            f"chords.device: `gpu` needs a CUDA GPU, and torch has only {device.type} here. Set chords.device: cpu."
        )
    progress(f"the screen runs on the CPU: it can use only CUDA GPUs, and torch has {device.type}")
    return "numpy"


def claim(
    names: Sequence[str],
    shared_by: int,
    folder: Path,
    progress: Callable[[str], None] = lambda line: None,
    pause: float = 2.0,
) -> tuple[int, TextIO]:
    """Take the first free place on a device, spreading jobs over the devices; wait if every place is taken.

    A place is a kernel lock on a file, which is released when its process ends, even if it is killed.

    Parameters
    ----------
    names
        Names of the devices that this process sees; the same device has the same name in every process.
    shared_by
        Number of places on each device.
    folder
        Folder of the lock files: on this machine, the same for all jobs.
    progress
        Receives one line before the first wait.
    pause
        Seconds between two attempts.

    Returns
    -------
    tuple
        Index of the device in `names`, and the open file, which keeps the place until it is closed.
    """
    waiting = False
    while True:
        for place in range(shared_by):
            for i, name in enumerate(names):
                lock = _lock(folder / f"deepmapper-{name}.{place}.lock")
                if lock is not None:
                    return i, lock
        if not waiting:
            progress(f"waiting for a GPU: all {len(names)} are in use, with {shared_by} running on each")
        waiting = True
        time.sleep(pause)


def describe(device: torch.device, threads: int) -> str:
    """One line for the log: device, torch version and threads of a pass."""
    import torch

    shown = device.type
    if device.type == "cuda":
        shown = f"{device} ({device_name(device)})"
    elif device.type == "cpu" and torch.cuda.is_available():
        shown = "cpu (a GPU is available, but resources.gpu is 0)"
    return f"device {shown}, torch {torch.__version__} ({torch_build()}), {threads} thread{'s' if threads > 1 else ''}"


def device_name(device: torch.device) -> str:
    """Model of a device; results are bit-identical on devices of the same model."""
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def torch_build() -> str:
    """What the installed torch was built for, as "build for CUDA 12.8"."""
    import torch

    if torch.version.cuda:
        return f"build for CUDA {torch.version.cuda}"
    return f"build for ROCm {torch.version.hip}" if torch.version.hip else "build for the CPU"


def _remedy() -> str:
    import torch

    if not (torch.version.cuda or torch.version.hip):
        return "Install a build for your GPU (docs/cluster.md: GPUs)"
    return "Run the job on a node with a GPU and a working driver (check with nvidia-smi; docs/cluster.md: GPUs)"


def _lock(path: Path) -> TextIO | None:
    """Lock a file; None if another process has locked it."""
    try:
        lock = path.open()  # another user's file can only be read, which is enough for a lock
    except FileNotFoundError:
        lock = path.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock
