"""How each kind of embedding of a run is fitted: scores of all samples by what was learnt from some rows."""

from __future__ import annotations

from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

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

# Cells in a batch of Geneformer's training. Chosen by hand.
_GENEFORMER_BATCH = 64


def _shards(features: Features, rows: np.ndarray) -> tuple[np.ndarray, Shard, Shard]:
    """Names of the features, all samples, and those in some rows."""
    names = np.array(features.names, dtype=object)
    whole = Shard("the features", features.X, pd.DataFrame(index=range(features.X.shape[0])), names)
    chosen = Shard("the features", MappedRows(features.X, rows), pd.DataFrame(index=range(len(rows))), names)
    return names, whole, chosen


def _fit_pca(features: Features, rows: np.ndarray, n_components: int, _seed: int) -> tuple:
    """Scores of all samples, axes and variances of components fitted on some rows."""
    from ..models.pca import IncrementalPCA  # with torch
    from ..models.run import fit, predict

    names, whole, chosen = _shards(features, rows)
    pca = IncrementalPCA(names, n_components)
    fit(pca, chosen)
    components = pca.components_kg.numpy().astype(np.float32)
    return predict(pca, whole)["x_ng"], components, pca.explained_variance_k.numpy()


def _fit_ppca(features: Features, rows: np.ndarray, n_components: int, seed: int) -> tuple:
    """The same of probabilistic components; their axes are the loadings."""
    from ..models.probabilistic_pca import ProbabilisticPCA  # with torch
    from ..models.run import fit, predict

    names, whole, chosen = _shards(features, rows)
    ppca = ProbabilisticPCA(len(rows), names, n_components, "marginalized", seed=seed)
    fit(ppca, chosen)
    return predict(ppca, whole)["z_nk"], ppca.W_kg.numpy().astype(np.float32), ppca.L_k.numpy()


def _fit_contrastive(
    features: Features, rows: np.ndarray, n_components: int, seed: int, *, n_features: int, views: str, **options: Any
) -> tuple:
    """Scores of all samples by a contrastive network trained on some rows, from the values that vary most there."""
    import torch

    from ..models.distributed import rank_and_size
    from ..models.run import predict
    from ..models.transforms import Filter
    from ..passes.encoders import fit_contrastive, said_of, views_of
    from ..training.runtime import seeded

    names, whole, chosen = _shards(features, rows)
    selected: list[Any] = []
    if n_features and n_features < len(names):
        variance = value_moments(features.X, rows).variance(ddof=1)
        names = names[np.sort(np.argsort(-variance, kind="stable")[:n_features])]
        selected = [Filter(names)]
    views = views_of(views, features.X, rows)
    if rank_and_size()[0] == 0:
        print(said_of(views))
    with seeded(seed):
        network = fit_contrastive(chosen, names, n_components, seed, views=views, **options)
        with torch.no_grad():
            scores = predict(network, whole, transforms=selected)["x_ng"]
    return scores, None, None


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
) -> tuple:
    """Latent variables of all samples by an autoencoder of the counts trained on some rows."""
    import torch

    from ..models.run import predict
    from ..models.variational import SingleCellVariationalInference
    from ..models.variational_layers import layers_of_scvi
    from ..passes.encoders import train_encoder
    from ..training.runtime import seeded

    whole = counts_of(features, rows, expression, n_features)
    obs, batches = pd.DataFrame(index=range(len(rows))), None
    if batch:
        learnt = expression.obs.iloc[expression.rows_of(features.samples)[rows]]
        obs["batch"] = batches_of_samples(learnt, batch).to_numpy()
        batches = {"batch_index_n": "batch"}
    chosen = Shard("the counts", MappedRows(whole.X, rows), obs, whole.var_names)
    with seeded(seed):
        n_batch = obs["batch"].nunique() if batch else 0
        sizes: Any = {**layers_of_scvi(hidden_units), "n_batch": n_batch, "n_latent": n_components}
        network = SingleCellVariationalInference(list(whole.var_names), **sizes)
        train_encoder("scvi", network, chosen, n_epochs, seed, obs=batches)
        with torch.no_grad():
            scores = predict(network, whole)["x_ng"]
    return scores, None, None


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
) -> tuple:
    """Scores of all samples by a Geneformer trained on some rows; values are ranked relative to those of the rows."""
    import torch

    from ..models.geneformer import CellEmbedding, Geneformer
    from ..models.run import fit, predict
    from ..models.transforms import DivideByScale, Filter
    from ..training.runtime import seeded

    check_ranks(
        any((block.data if sp.issparse(block) else block).min(initial=0) < 0 for _, block in blocks(features.X))
    )
    names, whole, chosen = _shards(features, rows)
    with TemporaryDirectory() as folder:
        typical = value_statistics(features.X, rows, folder)["median_detected"]
    detected = np.isfinite(typical)  # the others have no place in a list
    names = names[detected]
    ranked = [Filter(names), DivideByScale(torch.from_numpy(typical[detected]), names)]
    with seeded(seed):
        network = Geneformer(
            names, n_components, n_layers, n_heads, 2 * n_components, max_position_embeddings=max_tokens
        )
        fit(network, chosen, transforms=ranked, epochs=n_epochs, batch_size=_GENEFORMER_BATCH, seed=seed)
        scores = predict(CellEmbedding(network), whole, transforms=ranked)["x_ng"]
    return scores, None, None


# Kind of embedding -> function of features, rows, number of components, seed and options.
FIT: dict[str, Callable[..., tuple]] = {
    "pca": _fit_pca,
    "ppca": _fit_ppca,
    "contrastive": _fit_contrastive,
    "geneformer": _fit_geneformer,
    "scvi": _fit_scvi,
}
