"""Several processes: who reads which cells, and how their sums become one. With one process everything stays as it is.

Processes of the same run (``torchrun``, Slurm, or those that `run.fit` starts) talk through `torch.distributed`. Sums
are combined in the order of the ranks on every process, so that all hold the same bits.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


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


def gather_objects(value: object) -> list:
    """Return a small object of every process, in the order of the ranks."""
    _, size = rank_and_size()
    if size == 1:
        return [value]
    values: list = [None] * size
    dist.all_gather_object(values, value)
    return values
