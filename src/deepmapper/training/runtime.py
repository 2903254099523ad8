"""How torch computes: device, seeds, deterministic kernels, batches that fit into the memory of the GPU."""

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
    """Return a torch device; None stands for the accelerator that torch finds, else the CPU.

    Raises
    ------
    InputError
        If torch knows no such device, or finds no GPU.
    """
    if device is not None:
        try:
            found = torch.device(device)
        except (RuntimeError, TypeError) as error:
            raise InputError(f"device is {device!r}: expected 'cpu', 'cuda', 'cuda:1' or 'mps'.") from error
        if found.type == "cuda" and not torch.cuda.is_available():
            raise InputError(f"device is {device!r}, but torch {torch.__version__} finds no GPU: expected 'cpu'.")
        return found
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch and use deterministic kernels within the context; afterwards both are as before.

    The variable of the environment stays: cuBLAS reads it once, when it is first used, which may be later.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    debug_mode = torch.get_deterministic_debug_mode()
    fill_memory = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        # as use_deterministic_algorithms(True, warn_only=True), which would import torch's compiler for two seconds
        torch.set_deterministic_debug_mode("warn")
        # otherwise every new tensor is first filled with NaN, which takes time
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        try:
            yield
        finally:
            torch.set_deterministic_debug_mode(debug_mode)
            torch.utils.deterministic.fill_uninitialized_memory = fill_memory  # type: ignore[attr-defined]


def halving(work: Callable[[int], _Result], size: int, what: str) -> _Result:
    """Return ``work(size)``; whenever the GPU runs out of memory, try again with half the size.

    Parameters
    ----------
    work
        Function of the batch size; every call starts from the beginning.
    size
        Images per batch.
    what
        What is computed, for messages: "training".

    Raises
    ------
    InputError
        If the memory is too small for a single image.

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
        # outside the except clause, where the exception no longer keeps the tensors alive
        if size == 1:
            raise InputError(
                f"the memory of the GPU is too small for {what} with a single image ({message}). Use a smaller network "
                f"or image, fewer passes per GPU (resources.passes_per_gpu), or the CPU (resources.gpu: 0)."
            )
        size //= 2
        torch.cuda.empty_cache()
        warnings.warn(
            f"out of memory on the GPU: {what} starts again in batches of {size}, not {2 * size} ({message})",
            DeepMapperWarning,
            stacklevel=2,
        )
