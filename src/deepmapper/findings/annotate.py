"""The expression matrix, annotated with all findings about its features and samples."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..core.blocks import MappedRows, VStack
from ..features.store import Features
from ..features.target import REFERENCE
from ..io.expression import Expression, write_expression
from ..io.h5_keys import h5_keys
from .feature_table import DIRECTIONS


def annotate(
    adata,
    features: Features,
    table: pd.DataFrame,
    predictions: pd.DataFrame,
    embedding: dict,
    metadata: dict,
    target: pd.DataFrame | None = None,
    embeddings: Mapping[str, Sequence[np.ndarray]] | None = None,
):
    """Put the findings into a copy of an AnnData, in the slots where a scanpy user looks for them.

    `var` gets the statistics (deepmapper_*); `varm["deepmapper_importance"]` and ``["deepmapper_direction"]`` (+1 up,
    -1 down, 0 unclear) get one column per class (`io.h5_keys`); `obs` gets the predictions; `obsm["X_deepmapper"]` the
    embedding, ``["X_deepmapper_umap"]`` (or ``_pca``) its map, and ``["X_NAME"]`` further `embeddings`;
    `uns["deepmapper"]` the `metadata`. Samples that were not analysed or have no label are left out. With `target`,
    target.tsv, those of its samples that are in the matrix follow: `obs` then has the columns deepmapper_probability,
    deepmapper_verdict and deepmapper_q, too, and their label is the one that they were given. Of a further embedding,
    (n, k) arrays are given: one of the samples of the features and, with `target`, one of those of target.tsv.
    """
    named = _named(target, adata.obs_names)
    adata = adata[[*features.names_of(features.labelled), *named.index]].copy()
    predictions, embedding = _extended(predictions, embedding, named)
    if len(table):
        by_feature = table.set_index("feature").loc[list(features.names)]
        always = ["rank", "selection_frequency", "median_importance", "mean_rank"]
        optional = ["reported", "model_rank", "z", "p", "q", "significant", "stability", "evidence"]
        for column in [*always, *(name for name in optional if name in by_feature)]:
            adata.var[f"deepmapper_{column}"] = by_feature[column].to_numpy()
        if "alias" in by_feature:
            adata.var["deepmapper_alias"] = by_feature["alias"].fillna("").astype(str).to_numpy()
        if "chord" in by_feature:
            adata.var["deepmapper_chord"] = by_feature["chord"].fillna("").astype(str).to_numpy()
            adata.var["deepmapper_z_chord"] = by_feature["z_chord"].to_numpy(dtype=float)
        signs = {name: sign for sign, name in DIRECTIONS.items()}
        for slot, prefix in (("deepmapper_importance", "importance"), ("deepmapper_direction", "direction")):
            columns = {name: by_feature[f"{prefix}[{name}]"] for name in features.classes}
            if prefix == "direction":
                columns = {name: values.map(signs).astype(np.int8) for name, values in columns.items()}
            adata.varm[slot] = pd.DataFrame(columns, index=adata.var_names).set_axis(h5_keys(features.classes), axis=1)
    further = sorted(set(named["label"].dropna()) - set(features.classes))
    adata.obs["deepmapper_label"] = pd.Categorical(predictions["label"], categories=[*features.classes, *further])
    if target is not None:
        terms = [name for name in ("term", "term_name", "term_probability") if name in named]
        for name in ("probability", "q", "verdict", *terms):
            values = named[name].reindex(adata.obs_names)
            is_word = name in ("verdict", "term", "term_name")
            adata.obs[f"deepmapper_{name}"] = pd.Categorical(values) if is_word else values.to_numpy()
    adata.obs["deepmapper_prediction"] = pd.Categorical(predictions["prediction"], categories=list(features.classes))
    adata.obs["deepmapper_confidence"] = predictions["confidence"].to_numpy()
    adata.obs["deepmapper_split"] = pd.Categorical(predictions["split"], categories=["test", "out_of_bag", "none"])
    adata.obsm["X_deepmapper"] = embedding["embedding"]
    adata.obsm[f"X_deepmapper_{str(embedding['basis']).lower()}"] = embedding["map"]
    for name, places in (embeddings or {}).items():
        of_named = [part[_is_named(target, adata.obs_names)] for part in places[1:] if target is not None]
        adata.obsm[f"X_{name}"] = np.vstack([places[0][features.labelled], *of_named])
    adata.uns["deepmapper"] = {
        name: json.dumps(value) if isinstance(value, (dict, list)) else value for name, value in metadata.items()
    }
    return adata


def _named(target: pd.DataFrame | None, names: pd.Index) -> pd.DataFrame:
    """Rows of target.tsv of the samples that are in the matrix, by name."""
    if target is None:
        return pd.DataFrame(columns=["label", "probability", "q", "verdict"], index=pd.Index([], dtype=object))
    return target[_is_named(target, names)].set_index("cell")


def _is_named(target: pd.DataFrame, names: pd.Index) -> np.ndarray:
    return ((target["source"] == REFERENCE) & target["cell"].isin(names)).to_numpy()


def _extended(predictions: pd.DataFrame, embedding: dict, named: pd.DataFrame) -> tuple[pd.DataFrame, dict]:
    """Append rows of target samples: their label, and no prediction out of bag or place in the embedding."""
    if named.empty:
        return predictions, embedding
    rows = pd.DataFrame({"cell": named.index, "label": named["label"].to_numpy(), "split": "none"})
    places = {
        name: np.pad(embedding[name], ((0, len(rows)), (0, 0)), constant_values=np.nan) for name in ("embedding", "map")
    }
    return pd.concat([predictions, rows], ignore_index=True), {**embedding, **places}


def write_annotated(
    path: str | Path,
    expression: Expression,
    features: Features,
    table: pd.DataFrame,
    predictions: pd.DataFrame,
    embedding: Mapping[str, np.ndarray],
    *,
    version: str,
    settings: Mapping,
    summary: Mapping,
    metrics: Mapping,
    target: pd.DataFrame | None = None,
    embeddings: Mapping[str, Sequence[np.ndarray]] | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> None:
    """Write the expression matrix of the analysed samples with the findings (`annotate`), block by block.

    Parameters
    ----------
    path
        The .h5ad file to write, atomically.
    expression
        The matrix from which the features were prepared; read from its file block by block.
    features
        Features of the run; their samples are written, in their order.
    table, predictions
        Contents of features.tsv and predictions.tsv.
    embedding
        Contents of embedding.npz: "embedding" (n, d), "map" (n, 2) and "basis".
    version, settings, summary, metrics
        Version of the package, settings of the model, contents of summary.json and metrics.json; all go into
        `uns["deepmapper"]`.
    target
        Contents of target.tsv, if samples of the matrix were named.
    embeddings
        Embeddings of the samples by name: of those of the features, and with `target` of its samples, too.
    progress
        Receives progress messages.

    Raises
    ------
    InputError
        If a sample of the features is not in the matrix.
    """
    import anndata

    adata = annotate(
        anndata.AnnData(obs=expression.obs, var=expression.var, uns=dict(expression.uns)),
        features,
        table,
        predictions,
        dict(embedding),
        {
            "version": version,
            "settings": settings,
            "features": features.metadata,
            "summary": summary,
            "metrics": metrics,
        },
        target,
        embeddings,
    )
    rows, n_labelled = expression.rows_of(list(adata.obs_names)), len(features.labelled)
    parts = [part for part in (rows[:n_labelled], rows[n_labelled:]) if len(part)]  # each ascending, as files are read
    matrices = {"X": expression.X} | {f"layers/{name}": layer for name, layer in expression.layers.items()}
    sources = {name: VStack(tuple(MappedRows(matrix, part) for part in parts)) for name, matrix in matrices.items()}
    write_expression(path, adata, sources, progress)
