"""Several processes: who reads which cells, and how their sums become one. With one process everything stays as it is.

Processes of the same run (those of ``torchrun``, the tasks of Slurm's ``srun``, or those that `run.fit` starts) talk
through `torch.distributed`. Sums are combined in the order of the ranks on every process, so that all hold the same
bits.
"""

from __future__ import annotations

import atexit
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor
from torch.multiprocessing import ProcessRaisedException

from ..errors import InputError

# Ports on which the processes of a step find each other: below those that Linux gives to programs.
_FIRST_PORT, _N_PORTS = 20000, 12000


def join() -> None:
    """Join the other processes of a run that ``torchrun`` or ``srun`` has started; do nothing if there are none.

    Afterwards the environment has the variables of ``torchrun``, whatever started the processes.

    Raises
    ------
    InputError
        If Slurm starts different numbers of tasks on its nodes.
    """
    os.environ.update(tasks_of_slurm(os.environ))
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and "MASTER_ADDR" in os.environ and not dist.is_initialized():
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
        atexit.register(_leave)


def _leave() -> None:
    """Leave the other processes; one that ends with threads of theirs still running now and then aborts."""
    if dist.is_initialized():
        dist.destroy_process_group()


def tasks_of_slurm(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what ``torchrun`` would set, for a task of ``srun`` that is one of several; nothing for other processes.

    The variables of a batch script are not enough: it is one process, however many tasks its job may start.

    Parameters
    ----------
    environment
        Environment of the process. An address and a port in it are kept.

    Raises
    ------
    InputError
        If Slurm starts different numbers of tasks on its nodes.
    """
    size = int(environment.get("SLURM_STEP_NUM_TASKS", "1"))
    if size == 1 or "WORLD_SIZE" in environment or "SLURM_PROCID" not in environment:
        return {}
    per_node = environment["SLURM_STEP_TASKS_PER_NODE"]
    same = re.fullmatch(r"(\d+)(\(x\d+\))?", per_node)
    if same is None:
        raise InputError(
            f"SLURM_STEP_TASKS_PER_NODE is {per_node}: expected as many tasks on every node. Start them with srun "
            "--ntasks-per-node."
        )
    # "node[07-09,12],other" -> "node07", where task 0 runs
    first = re.match(r"(?:[^,\[]|\[[^]]*\])+", environment["SLURM_STEP_NODELIST"])[0]  # type: ignore[index]
    step = int(environment["SLURM_JOB_ID"]) + int(environment["SLURM_STEP_ID"])
    return {
        "MASTER_ADDR": re.sub(r"\[(\w+)[^]]*\]", r"\1", first),
        "MASTER_PORT": str(_FIRST_PORT + step % _N_PORTS),
        **{name: environment[name] for name in ("MASTER_ADDR", "MASTER_PORT") if name in environment},
        "RANK": environment["SLURM_PROCID"],
        "WORLD_SIZE": str(size),
        "LOCAL_RANK": environment["SLURM_LOCALID"],
        "LOCAL_WORLD_SIZE": same[1],
        "GROUP_RANK": environment["SLURM_NODEID"],
    }


def rank_and_size() -> tuple[int, int]:
    """Rank of this process, and the number of processes."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def share_of(n: int, rank: int, size: int) -> slice:
    """Rows that a process reads: consecutive ones, each read by one process, none twice."""
    return slice(n * rank // size, n * (rank + 1) // size)


def gather(tensor: Tensor) -> list[Tensor]:
    """Return the tensor of every process, in the order of the ranks; it has the same shape everywhere."""
    _, size = rank_and_size()
    if size == 1:
        return [tensor]
    tensor = tensor.contiguous()
    parts = [torch.empty_like(tensor) for _ in range(size)]
    dist.all_gather(parts, tensor)
    return parts


def add_up(tensor: Tensor) -> None:
    """Replace a tensor by the sum over all processes, added in the order of the ranks."""
    _, size = rank_and_size()
    if size == 1:
        return
    dist.all_reduce(tensor)
    dist.broadcast(tensor, 0)  # a reduction may round differently on different processes


class SumOfProcesses(torch.autograd.Function):
    """Sum of a tensor over all processes, through which gradients flow: ``SumOfProcesses.apply(tensor)``."""

    @staticmethod
    def forward(ctx, tensor: Tensor) -> Tensor:  # type: ignore[override]
        """Return the sum, the same on every process."""
        total = tensor.clone()
        add_up(total)
        return total

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:  # type: ignore[override]
        """Add up what the losses of all processes want of the sum."""
        total = gradient.clone()
        add_up(total)
        return total


@contextmanager
def refused_as_here() -> Iterator[None]:
    """Raise what a process that was started refuses as if it were refused in this one.

    Raises
    ------
    InputError
        With the message of that process.
    """
    try:
        yield
    except ProcessRaisedException as error:
        traceback, _, message = str(error).rpartition(f"{InputError.__module__}.{InputError.__qualname__}: ")
        if not traceback:
            raise
        raise InputError(message.strip()) from None


def gather_objects(value: object) -> list:
    """Return a small object of every process, in the order of the ranks."""
    _, size = rank_and_size()
    if size == 1:
        return [value]
    values: list = [None] * size
    dist.all_gather_object(values, value)
    return values
