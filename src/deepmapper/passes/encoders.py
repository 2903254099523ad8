"""Encoders of samples, trained without labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError
from ..io.shards import Shard
from ..models.contrastive import ContrastiveMLP
from ..models.count_halves import SplitCounts, are_counts
from ..models.run import fit
from ..models.transforms import Dropout, Duplicate, Filter

# Cells in a batch of contrastive learning, where each is compared with all others of its batch. Chosen by hand.
_BATCH = 256


def fit_contrastive(
    chosen: Shard,
    names: np.ndarray,
    n_components: int,
    seed: int,
    *,
    hidden_units: int,
    n_epochs: int,
    views: str,
    dropout: float,
    temperature: float,
    part_g: np.ndarray | None = None,
) -> ContrastiveMLP:
    """Train a contrastive network on samples.

    Parameters
    ----------
    chosen
        The samples.
    names
        Names of the features that the network reads, in the order of the samples'.
    n_components, seed
        Size of the embedding, and seed of everything random.
    hidden_units, n_epochs, views, dropout, temperature
        As in the configuration, section `embeddings.contrastive`; `views` is "counts" or "dropout".
    part_g
        For `SplitCounts`.
    """
    selected: list[Any] = [Filter(names)] if len(names) < len(chosen.var_names) else []
    # counts are divided first, since the smallest of all is taken for one
    two = [SplitCounts(part_g), *selected] if views == "counts" else [*selected, Duplicate(), Dropout(dropout)]
    network = ContrastiveMLP(len(names), [hidden_units], n_components, temperature)
    size = min(_BATCH, max(2, chosen.n // 2))
    fit(network, chosen, transforms=two, epochs=n_epochs, batch_size=size, seed=seed)
    return network


def views_of(asked: str, X: Any, rows: np.ndarray | None = None, part_g: np.ndarray | None = None) -> str:
    """How two copies of a sample are made, as `asked` in the configuration: of "auto", by its counts if it has them.

    Raises
    ------
    InputError
        If the values are not those of counts, and "counts" is asked for.
    """
    if asked == "dropout" or are_counts(X, rows, part_g):
        return "dropout" if asked == "dropout" else "counts"
    if asked == "counts":
        raise InputError(
            "embeddings.contrastive.views is counts, and the values are not log1p of scaled counts. Give counts with a "
            "`features.normalization` (log1p_median, log1p_cp10k or log1p_cpm), or set it to dropout."
        )
    return "dropout"
