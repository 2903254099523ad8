"""Sums over cells by batch, as buffers of a model: they are saved with it and merged over processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..core.moments import Moments
from . import distributed

# Kept statistic -> name of its array in `Moments`.
_ARRAYS = {"squares": "square_sum", "deviations": "deviation_sum"}


class BatchSums(nn.Module):
    """Number of cells, sums, and sums of squares or of squared deviations of g features in every batch, in float64.

    Parameters
    ----------
    n_features, n_batch
        Number of features and of batches.
    keep
        "squares" (exact for counts) or "deviations" (accurate for any mean), or both.

    Attributes
    ----------
    n_b
        (n_batch,) number of cells.
    sum_bg, square_sum_bg, deviation_sum_bg
        (n_batch, g) sums; the last two only if kept.
    """

    n_b: Tensor
    sum_bg: Tensor

    def __init__(self, n_features: int, n_batch: int = 1, keep: Sequence[str] = ("deviations",)) -> None:
        super().__init__()
        self.keep = tuple(keep)
        self.register_buffer("n_b", torch.empty(n_batch, dtype=torch.int64))
        for name in ("sum", *(_ARRAYS[part] for part in self.keep)):
            self.register_buffer(f"{name}_bg", torch.empty((n_batch, n_features), dtype=torch.float64))
        self.reset()

    def reset(self) -> None:
        """Forget all cells."""
        for buffer in self.buffers():
            buffer.zero_()

    def add(self, block: Any, batches: np.ndarray | None) -> None:
        """Add cells (CSR or dense) of one batch (None) or of several (the batch of each cell)."""
        present = [0] if batches is None else np.unique(batches).tolist()
        for batch in present:
            rows = block if batches is None or len(present) == 1 else block[batches == batch]
            self.moments(batch).update(rows)

    def moments(self, batch: int) -> Moments:
        """Sums of one batch, as they stand: what is added to them is added to the buffers."""
        arrays, one = self._arrays(), slice(batch, batch + 1)
        own = {name: array[one] if name.startswith("group") else array[batch] for name, array in arrays.items()}
        return Moments.from_dict(own, copy=False)

    def over_batches(self) -> Moments:
        """Sums over all batches."""
        whole = Moments(self.sum_bg.shape[1], keep=self.keep)
        for batch in range(len(self.n_b)):
            whole.merge(self.moments(batch))
        return whole

    def merge_processes(self) -> None:
        """Add the cells of the other processes; afterwards all hold the same sums."""
        gathered = {name: distributed.gather(buffer) for name, buffer in self.named_buffers()}
        _, size = distributed.rank_and_size()
        if size == 1:
            return
        self.reset()
        for rank in range(size):
            other = BatchSums(self.sum_bg.shape[1], len(self.n_b), self.keep)
            for name, buffer in other.named_buffers():
                buffer.copy_(gathered[name][rank])
            for batch in range(len(self.n_b)):
                self.moments(batch).merge(other.moments(batch))

    def _arrays(self) -> dict[str, np.ndarray]:
        if self.n_b.device.type != "cpu":
            raise ValueError(f"the sums are on {self.n_b.device}: statistics are computed on the CPU, keep them there")
        parts = {_ARRAYS[part]: getattr(self, f"{_ARRAYS[part]}_bg") for part in self.keep}
        tensors = {"group_n": self.n_b, "group_sum": self.sum_bg, **parts}
        return {name: tensor.numpy() for name, tensor in tensors.items()}
