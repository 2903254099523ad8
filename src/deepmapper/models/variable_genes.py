"""Highly variable genes in two passes, flavours seurat_v3 and seurat_v3_paper, equal to those of scanpy."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from torch import Tensor

from ..core.tables import write_csv
from ..core.variable_features import (
    FLAVOURS,
    Trend,
    clip,
    fit_trend,
    rank_features,
    sample_variance,
    standardised_variance,
)
from ..errors import DeepMapperWarning, InputError
from .arguments import check_whole
from .base import CellariumModel, Trainer
from .sums import BatchSums
from .tensors import check_batches, check_names, to_matrix


class HVGSeuratV3(CellariumModel):
    """Highly variable genes from counts, in two epochs.

    Epoch 0 sums the counts of every batch; after it the trend of the variance is fitted. Epoch 1 sums the counts
    clipped to their limit; after it the genes are ranked.

    Parameters
    ----------
    var_names_g
        (g,) names of the genes.
    n_top_genes
        Number of genes to choose, or several numbers.
    n_batch
        Number of batches.
    flavor
        "seurat_v3" prefers genes by their median rank in the batches, "seurat_v3_paper" by the number of batches.
    use_batch_key
        Whether to use `batch_index_n`; otherwise all cells are one batch.
    span
        Share of the genes in each local fit of the loess.
    output_path
        CSV file written after epoch 1, ending in ``.csv``; None for none. Of several `n_top_genes`, each has its own
        file (``_2000.csv``), and for each the chosen genes alone are in another (``_hvgs.csv``).
    batch_n_cell_minimum
        Batches with fewer cells are left out.
    n_batch_minimum
        Number of batches among whose `n_top_genes` a chosen gene must be.

    Attributes
    ----------
    hvg_dfs
        For every number of `n_top_genes` a table by gene, in the order of `var_names_g`, with scanpy's columns:
        ``means``, ``variances``, ``highly_variable``, ``highly_variable_rank``, ``highly_variable_nbatches``,
        ``variances_norm``. Empty before the end of epoch 1.

    Raises
    ------
    InputError
        If an argument is impossible.
    """

    n_epochs = 2
    reads_sparse = True

    def __init__(
        self,
        var_names_g: np.ndarray,
        n_top_genes: int | list[int],
        n_batch: int = 1,
        flavor: Literal["seurat_v3", "seurat_v3_paper"] = "seurat_v3",
        use_batch_key: bool = False,
        span: float = 0.3,
        output_path: str | None = "hvg_seurat_v3_output.csv",
        batch_n_cell_minimum: int = 2,
        n_batch_minimum: int = 1,
    ) -> None:
        super().__init__()
        self.var_names_g = np.asarray(var_names_g)
        numbers = n_top_genes if isinstance(n_top_genes, list | tuple | np.ndarray) else [n_top_genes]
        if flavor not in FLAVOURS:
            raise InputError(f"flavor={flavor!r}: expected one of {', '.join(FLAVOURS)}")
        for number in numbers if len(numbers) else [numbers]:
            check_whole(n_top_genes=number)
        self.n_top_genes = [int(number) for number in numbers]
        check_whole(n_batch=n_batch, n_batch_minimum=n_batch_minimum, batch_n_cell_minimum=batch_n_cell_minimum)
        if n_batch_minimum > (n_batch if use_batch_key else 1):
            raise InputError(
                f"n_batch_minimum={n_batch_minimum} with {n_batch if use_batch_key else 1} batches (n_batch={n_batch}, "
                f"use_batch_key={use_batch_key}): no gene can be variable in more batches than there are."
            )
        if not 0 < span <= 1:
            raise InputError(f"span={span}: expected a share of the genes, above 0 and up to 1.")
        if output_path is not None and not str(output_path).endswith(".csv"):
            raise InputError(f"output_path={output_path!r}: expected a name that ends in .csv, or None")
        self.n_batch, self.flavor, self.use_batch_key, self.span = n_batch, flavor, use_batch_key, span
        self.output_path = output_path
        self.batch_n_cell_minimum, self.n_batch_minimum = batch_n_cell_minimum, n_batch_minimum
        n_sums = n_batch if use_batch_key else 1
        self.counts = BatchSums(len(self.var_names_g), n_sums, keep=("squares",))
        self.clipped = BatchSums(len(self.var_names_g), n_sums, keep=("squares",))
        self.register_load_state_dict_post_hook(_restore)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Forget all cells and results."""
        self.counts.reset()
        self.clipped.reset()
        self.epoch = 0
        self.counts_only = True
        self.trends: dict[int, Trend] = {}
        self.hvg_dfs: dict[int, pd.DataFrame] = {}

    def forward(
        self, x_ng: Tensor, var_names_g: np.ndarray, batch_index_n: Tensor | None = None
    ) -> dict[str, Tensor | None]:
        """Add some cells: their counts in epoch 0, their clipped counts in epoch 1.

        Parameters
        ----------
        x_ng
            (n, g) counts, dense or CSR.
        var_names_g
            (g,) names of their genes.
        batch_index_n
            (n,) batch of every cell; needed if `use_batch_key` and there are several.

        Raises
        ------
        InputError
            If there are negative counts, or the genes or batches are not those of the model.
        """
        check_names(var_names_g, self.var_names_g, x_ng.shape[1])
        given = batch_index_n if self.use_batch_key else None
        batches = check_batches(given, x_ng.shape[0], len(self.counts.n_b))
        block = to_matrix(x_ng)
        if self.epoch == 0:
            self._warn_of_values(block)
            if block.size and block.min() < 0:
                raise InputError(f"The cells have negative values ({block.min():.3g}), expected counts. Pass counts.")
            self.counts.add(block, batches)
            return {}
        for batch in [0] if batches is None else np.unique(batches).tolist():
            if batch in self.trends:
                rows = block if batches is None else block[batches == batch]
                self.clipped.moments(batch).update(clip(rows, self.trends[batch].limit))
        return {}

    def _warn_of_values(self, block: Any) -> None:
        """Say once if the cells have values that are no counts."""
        values = block.data if sp.issparse(block) else block
        if self.counts_only and not (values == np.floor(values)).all():
            self.counts_only = False
            warnings.warn(
                "The cells have values that are not whole numbers: highly variable genes are found from counts. Leave "
                "transforms such as NormalizeTotal and Log1p out, or choose the layer that has the counts.",
                DeepMapperWarning,
                stacklevel=2,
            )

    @property
    def hvg_df(self) -> pd.DataFrame:
        """Table for the first of `n_top_genes`.

        Raises
        ------
        InputError
            If the model has not read the cells twice.
        """
        if not self.hvg_dfs:
            raise InputError("There are no highly variable genes yet: train the model for two epochs.")
        return self.hvg_dfs[self.n_top_genes[0]]

    def on_train_start(self, trainer: Trainer) -> None:
        """Refuse several processes that cannot add up their sums."""
        if trainer.world_size > 1 and not torch.distributed.is_initialized():
            raise InputError(
                f"{trainer.world_size} processes, but no process group: use DDP, with broadcast_buffers=False."
            )

    def on_train_epoch_start(self, trainer: Trainer) -> None:
        """Note which epoch it is, and forget what an earlier run left."""
        self.epoch = trainer.current_epoch
        if self.epoch == 0:
            self.reset_parameters()
        else:
            self.clipped.reset()
            if not self.trends:  # restored from a checkpoint
                self._fit_trends()

    def on_train_epoch_end(self, trainer: Trainer) -> None:
        """After epoch 0 fit the trends, after epoch 1 rank the genes; both from the cells of all processes."""
        if self.epoch == 0:
            self.counts.merge_processes()
            self._fit_trends()
            return
        self.clipped.merge_processes()
        self._rank()
        if self.output_path is not None and trainer.global_rank == 0:
            self._write(Path(self.output_path))

    def _fit_trends(self) -> None:
        """Fit every batch that has enough cells."""
        sizes = self.counts.n_b.tolist()
        self.trends = {
            batch: fit_trend(self.counts.moments(batch), self.span, f"batch {batch}")
            for batch, size in enumerate(sizes)
            if size >= max(self.batch_n_cell_minimum, 2)
        }
        if not self.trends:
            raise InputError(
                f"No batch has batch_n_cell_minimum={self.batch_n_cell_minimum} cells; they have {sizes}. Lower it."
            )

    def _rank(self) -> None:
        variances = np.stack([standardised_variance(t, self.clipped.moments(b)) for b, t in self.trends.items()])
        whole = self.counts.over_batches()
        for n_top in self.n_top_genes:
            ranked = rank_features(variances, list(self.var_names_g), n_top, self.flavor, self.n_batch_minimum)
            ranked.insert(0, "means", whole.mean)
            ranked.insert(1, "variances", sample_variance(whole))
            self.hvg_dfs[n_top] = ranked.drop(columns="order")

    def _write(self, path: Path) -> None:
        for n_top, table in self.hvg_dfs.items():
            stem = path.stem if len(self.hvg_dfs) == 1 else f"{path.stem}_{n_top}"
            write_csv(table, path.with_name(f"{stem}.csv"))
            write_csv(table[table["highly_variable"]], path.with_name(f"{stem}_hvgs.csv"))


def _restore(model: Any, _: Any) -> None:
    """Compute the tables from the sums of a state that was loaded."""
    if int(model.clipped.n_b.sum()):
        model._fit_trends()
        model._rank()
