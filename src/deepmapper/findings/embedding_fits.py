"""How each kind of embedding of a run is fitted on some of its samples."""

from __future__ import annotations

from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.blocks import MappedRows, blocks
from ..features.for_embeddings import batches_of_samples, check_ranks
from ..features.store import Features
from ..io.expression import Expression
from ..io.shards import Shard
from .embedding_counts import counts_of
from .scans import value_moments
from .statistics import value_statistics

if TYPE_CHECKING:
    from ..models.fitted_embedding import FittedEmbedding

# Cells in a batch of Geneformer's training. Chosen by hand.
_GENEFORMER_BATCH = 64


def _chosen(features: Features, rows: np.ndarray) -> tuple[np.ndarray, Shard]:
    """Names of the features, and the samples in some rows."""
    names = np.array(features.names, dtype=object)
    chosen = Shard("the features", MappedRows(features.X, rows), pd.DataFrame(index=range(len(rows))), names)
    return names, chosen


def _fit_statistics(kind: str, features: Features, rows: np.ndarray, **sizes: int) -> FittedEmbedding:
    """Principal components, probabilistic or not, of some rows."""
    from ..models.fitted_embedding import FittedEmbedding, build_network  # with torch
    from ..models.run import fit

    names, chosen = _chosen(features, rows)
    network = fit(build_network(kind, names, sizes), chosen)
    return FittedEmbedding(kind, names, sizes, network)


def _fit_pca(features: Features, rows: np.ndarray, n_components: int, _seed: int) -> FittedEmbedding:
    return _fit_statistics("pca", features, rows, n_components=n_components)


def _fit_ppca(features: Features, rows: np.ndarray, n_components: int, seed: int) -> FittedEmbedding:
    return _fit_statistics("ppca", features, rows, n_obs=len(rows), n_components=n_components, seed=seed)


def _fit_contrastive(
    features: Features, rows: np.ndarray, n_components: int, seed: int, *, n_features: int, views: str, **options: Any
) -> FittedEmbedding:
    """A contrastive network trained on some rows, from the values that vary most there."""
    from ..models.distributed import rank_and_size
    from ..models.fitted_embedding import FittedEmbedding
    from ..passes.encoders import fit_contrastive, said_of, views_of
    from ..training.runtime import seeded

    names, chosen = _chosen(features, rows)
    if n_features and n_features < len(names):
        variance = value_moments(features.X, rows).variance(ddof=1)
        names = names[np.sort(np.argsort(-variance, kind="stable")[:n_features])]
    views = views_of(views, features.X, rows)
    if rank_and_size()[0] == 0:
        print(said_of(views))
    with seeded(seed):
        network = fit_contrastive(chosen, names, n_components, seed, views=views, **options)
    sizes = {
        "hidden_size": [options["hidden_units"]],
        "embed_dim": n_components,
        "temperature": options["temperature"],
    }
    return FittedEmbedding("contrastive", names, sizes, network)


def _fit_scvi(
    features: Features,
    rows: np.ndarray,
    n_components: int,
    seed: int,
    *,
    expression: Expression,
    hidden_units: int,
    n_features: int,
    n_epochs: int,
    batch: str,
) -> FittedEmbedding:
    """An autoencoder of the counts trained on some rows."""
    from ..models.fitted_embedding import FittedEmbedding, build_network
    from ..passes.encoders import train_encoder
    from ..training.runtime import seeded

    counts = counts_of(features, rows, expression, n_features)
    obs, batches = pd.DataFrame(index=range(len(rows))), None
    if batch:
        learnt = expression.obs.iloc[expression.rows_of(features.samples)[rows]]
        obs["batch"] = batches_of_samples(learnt, batch).to_numpy()
        batches = {"batch_index_n": "batch"}
    chosen = Shard(counts.name, counts.X, obs, counts.var_names)
    n_batch = obs["batch"].nunique() if batch else 0
    sizes = {"hidden_units": hidden_units, "n_batch": n_batch, "n_latent": n_components}
    with seeded(seed):
        network = build_network("scvi", counts.var_names, sizes)
        train_encoder("scvi", network, chosen, n_epochs, seed, obs=batches)
    return FittedEmbedding("scvi", counts.var_names, sizes, network)


def _fit_geneformer(
    features: Features,
    rows: np.ndarray,
    n_components: int,
    seed: int,
    *,
    n_layers: int,
    n_heads: int,
    max_tokens: int,
    n_epochs: int,
) -> FittedEmbedding:
    """A Geneformer trained on some rows; values are ranked relative to those of the rows."""
    import torch

    from ..models.fitted_embedding import FittedEmbedding, build_network
    from ..models.run import fit
    from ..models.transforms import DivideByScale, Filter
    from ..training.runtime import seeded

    check_ranks(
        any((block.data if sp.issparse(block) else block).min(initial=0) < 0 for _, block in blocks(features.X))
    )
    names, chosen = _chosen(features, rows)
    with TemporaryDirectory() as folder:
        typical = value_statistics(features.X, rows, folder)["median_detected"]
    detected = np.isfinite(typical)  # the others have no place in a list
    names, typical = names[detected], typical[detected]
    ranked = [Filter(names), DivideByScale(torch.from_numpy(typical), names)]
    sizes = {
        "hidden_size": n_components,
        "num_hidden_layers": n_layers,
        "num_attention_heads": n_heads,
        "intermediate_size": 2 * n_components,
        "max_position_embeddings": max_tokens,
    }
    with seeded(seed):
        network = build_network("geneformer", names, sizes)
        fit(network, chosen, transforms=ranked, epochs=n_epochs, batch_size=_GENEFORMER_BATCH, seed=seed)
    return FittedEmbedding("geneformer", names, sizes, network, typical)


# Kind of embedding -> function of features, rows, number of components, seed and options.
FIT: dict[str, Callable[..., FittedEmbedding]] = {
    "pca": _fit_pca,
    "ppca": _fit_ppca,
    "contrastive": _fit_contrastive,
    "geneformer": _fit_geneformer,
    "scvi": _fit_scvi,
}
