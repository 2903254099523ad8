"""Mean, variance and standard deviation of every feature in one pass."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..core.tables import write_csv
from ..errors import InputError
from .arguments import check_whole
from .base import CellariumModel, Trainer
from .sums import BatchSums
from .tensors import check_batches, check_names, to_matrix

_ALGORITHMS = ("naive", "shifted_data")


class OnePassMeanVarStd(CellariumModel):
    """Mean, population variance and standard deviation of every feature, in one pass over the cells.

    All sums are float64, and variances are sums of squared deviations from the mean (Chan, Golub & LeVeque 1983), so
    both values of `algorithm` are accurate for any mean and give the same result.

    Parameters
    ----------
    var_names_g
        (g,) names of the features.
    algorithm
        "naive" or "shifted_data"; accepted for compatibility.
    n_batch
        Number of batches whose statistics are kept apart.
    output_path
        CSV file that is written after the last epoch; None for none.

    Raises
    ------
    InputError
        If an argument is impossible.
    """

    reads_sparse = True

    def __init__(
        self,
        var_names_g: np.ndarray,
        algorithm: Literal["naive", "shifted_data"] = "naive",
        n_batch: int = 1,
        output_path: str | None = "onepass_mean_var_std_output.csv",
    ) -> None:
        super().__init__()
        if algorithm not in _ALGORITHMS:
            raise InputError(f"algorithm={algorithm!r}: expected one of {', '.join(_ALGORITHMS)}")
        check_whole(n_batch=n_batch)
        self.var_names_g = np.asarray(var_names_g)
        self.algorithm, self.n_batch, self.output_path = algorithm, n_batch, output_path
        self.sums = BatchSums(len(self.var_names_g), n_batch)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Forget all cells."""
        self.sums.reset()

    def forward(
        self, x_ng: Tensor, var_names_g: np.ndarray, batch_index_n: Tensor | None = None
    ) -> dict[str, Tensor | None]:
        """Add some cells.

        Parameters
        ----------
        x_ng
            (n, g) cells, dense or CSR.
        var_names_g
            (g,) names of their features.
        batch_index_n
            (n,) batch of every cell; needed for more than one batch.
        """
        check_names(var_names_g, self.var_names_g, x_ng.shape[1])
        self.sums.add(to_matrix(x_ng), check_batches(batch_index_n, x_ng.shape[0], self.n_batch))
        return {}

    @property
    def n(self) -> int:
        """Number of cells."""
        return int(self.sums.n_b.sum())

    @property
    def mean_g(self) -> Tensor:
        """(g,) means over all cells, float64; NaN without cells."""
        return torch.from_numpy(self.sums.over_batches().mean)

    @property
    def var_g(self) -> Tensor:
        """(g,) population variances over all cells, float64; NaN without cells."""
        return torch.from_numpy(self.sums.over_batches().variance())

    @property
    def std_g(self) -> Tensor:
        """(g,) population standard deviations over all cells, float64."""
        return torch.sqrt(self.var_g)

    @property
    def batch_mean_bg(self) -> Tensor:
        """(n_batch, g) means of every batch, float64; NaN for a batch without cells."""
        return torch.from_numpy(np.stack([self.sums.moments(batch).mean for batch in range(self.n_batch)]))

    @property
    def batch_var_bg(self) -> Tensor:
        """(n_batch, g) population variances of every batch, float64; NaN for a batch without cells."""
        return torch.from_numpy(np.stack([self.sums.moments(batch).variance() for batch in range(self.n_batch)]))

    def on_train_epoch_start(self, trainer: Trainer) -> None:
        """Forget the cells of a previous epoch, so that each is counted once."""
        self.sums.reset()

    def on_train_epoch_end(self, trainer: Trainer) -> None:
        """Add the cells of the other processes."""
        self.sums.merge_processes()

    def on_train_end(self, trainer: Trainer) -> None:
        """Write `output_path`: one row per feature with ``mean``, ``var`` and ``std``, and both by batch if several."""
        if self.output_path is None or trainer.global_rank != 0:
            return
        columns = {"mean": self.mean_g, "var": self.var_g, "std": self.std_g}
        if self.n_batch > 1:
            means, variances = self.batch_mean_bg, self.batch_var_bg
            for batch in range(self.n_batch):
                columns |= {f"mean_{batch}": means[batch], f"var_{batch}": variances[batch]}
        write_csv(pd.DataFrame(columns, index=pd.Index(self.var_names_g, name="feature")), self.output_path)
