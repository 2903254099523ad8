"""Where and how torch computes: device, seeds, deterministic kernels, batches that fit the GPU."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from ..errors import DeepMapperWarning, InputError

_Result = TypeVar("_Result")


def as_device(device: torch.device | str | None = None) -> torch.device:
    """Return `device` as torch's object; None stands for the accelerator that torch sees, else the CPU."""
    if device is not None:
        return torch.device(device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw all of torch's random numbers from `seed`, with deterministic kernels; both are as before afterwards."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.get_deterministic_debug_mode()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        # the same as use_deterministic_algorithms(True, warn_only=True), which imports torch's compiler: two seconds
        torch.set_deterministic_debug_mode("warn")
        # every new tensor would be filled with NaN before it is written
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        try:
            yield
        finally:
            torch.set_deterministic_debug_mode(before)
            torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]


def halving(work: Callable[[int], _Result], size: int, what: str) -> _Result:
    """Return ``work(size)``; if the memory of the GPU is too small, try again with half the size, and half of that.

    Parameters
    ----------
    work
        Starts from the beginning whenever it is called.
    size
        Images at once.
    what
        What is done, for the warning of each halving.

    Raises
    ------
    InputError
        If the memory does not hold one image.

    Warns
    -----
    DeepMapperWarning
        At each halving.
    """
    while True:
        try:
            return work(size)
        except torch.OutOfMemoryError as error:
            message = str(error).partition("\n")[0]
        # outside, where the exception no longer holds the tensors
        if size == 1:
            raise InputError(
                f"the memory of the GPU does not hold {what} of one image ({message}). Take a smaller network or "
                f"image, fewer passes on one GPU (resources.passes_per_gpu), or the CPU (resources.gpu: 0)."
            )
        size //= 2
        torch.cuda.empty_cache()
        warnings.warn(
            f"out of memory on the GPU: {what} starts again in batches of {size}, not {2 * size} ({message})",
            DeepMapperWarning,
            stacklevel=2,
        )
