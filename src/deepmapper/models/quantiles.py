"""Medians of the non-zero values of every feature, by t-digests."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from . import distributed
from .base import CellariumModel, Trainer
from .tensors import check_names, to_matrix


class TDigest(CellariumModel):
    """Approximate distribution of the non-zero values of every feature (Dunning & Ertl 2019), in one pass.

    Needs crick (the extra "stream"). A t-digest is for values that are never all in memory: the workflow has exact
    medians, from sorted columns.

    Parameters
    ----------
    var_names_g
        (g,) names of the features.

    Attributes
    ----------
    tdigests_g
        The digest of every feature, a ``crick.TDigest``.

    Raises
    ------
    ImportError
        If crick is not installed.
    """

    reads_sparse = True

    def __init__(self, var_names_g: np.ndarray) -> None:
        super().__init__()
        try:
            import crick
        except ImportError as error:
            raise ImportError(
                f"TDigest needs crick ({error}): pip install 'deepmapper[stream]'. The workflow computes exact medians "
                "without it (findings/statistics.tsv)."
            ) from error
        self._new = crick.TDigest
        self.var_names_g = np.asarray(var_names_g)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Forget all cells."""
        self.tdigests_g = [self._new() for _ in self.var_names_g]

    def forward(self, x_ng: Tensor, var_names_g: np.ndarray) -> dict[str, Tensor | None]:
        """Add the non-zero values of some cells.

        Parameters
        ----------
        x_ng
            (n, g) cells, dense or CSR.
        var_names_g
            (g,) names of their features.
        """
        check_names(var_names_g, self.var_names_g, x_ng.shape[1])
        columns = sp.csc_matrix(to_matrix(x_ng)).astype(np.float64)
        columns.eliminate_zeros()
        for gene in np.flatnonzero(np.diff(columns.indptr)):
            self.tdigests_g[gene].update(columns.data[columns.indptr[gene] : columns.indptr[gene + 1]])
        return {}

    @property
    def median_g(self) -> Tensor:
        """(g,) approximate median of the non-zero values, float64; NaN for a feature without any."""
        return torch.tensor([digest.quantile(0.5) for digest in self.tdigests_g], dtype=torch.float64)

    def on_train_epoch_start(self, trainer: Trainer) -> None:
        """Forget the cells of a previous epoch, so that each is counted once."""
        self.reset_parameters()

    def on_train_epoch_end(self, trainer: Trainer) -> None:
        """Add the cells of the other processes."""
        states = distributed.gather_objects(self.get_extra_state())
        if len(states) == 1:
            return
        self.set_extra_state(states[0])
        for state in states[1:]:
            for mine, other in zip(self.tdigests_g, self._digests(state), strict=True):
                if other.size():
                    mine.merge(other)

    def get_extra_state(self) -> dict[str, Tensor]:
        """Return centroids, their number by feature, and the extremes, for checkpoints; no pickled objects."""
        states: list[Any] = [digest.__getstate__() for digest in self.tdigests_g]
        centroids = np.concatenate([state[0] for state in states])
        return {
            "n_centroids_g": torch.tensor([len(state[0]) for state in states]),
            "centroids": torch.from_numpy(np.column_stack([centroids["mean"], centroids["weight"]])),
            "totals_g": torch.tensor([state[1:] for state in states], dtype=torch.float64),
        }

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        """Restore what `get_extra_state` returned."""
        self.tdigests_g = self._digests(state)

    def _digests(self, state: dict[str, Tensor]) -> list[Any]:
        digests = []
        ends = np.cumsum(state["n_centroids_g"].numpy())
        for end, size, totals in zip(ends, state["n_centroids_g"].tolist(), state["totals_g"].tolist(), strict=True):
            part = state["centroids"][end - size : end].numpy()
            centroids = np.empty(size, dtype=[("mean", "<f8"), ("weight", "<f8")])
            centroids["mean"], centroids["weight"] = part[:, 0], part[:, 1]
            digest = self._new()
            digest.__setstate__((centroids, *totals))
            digests.append(digest)
        return digests
