"""The expression matrix, annotated with all findings about its features and samples."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..core.blocks import MappedRows
from ..features.store import Features
from ..io.expression import Expression, write_expression
from .feature_table import DIRECTIONS


def annotate(
    adata, features: Features, table: pd.DataFrame, predictions: pd.DataFrame, embedding: dict, metadata: dict
):
    """Put the findings into a copy of an AnnData, in the slots where a scanpy user looks for them.

    `var` gets the statistics (deepmapper_*); `varm["deepmapper_importance"]` and ``["deepmapper_direction"]`` (+1 up,
    -1 down, 0 unclear) get one column per class; `obs` gets the predictions; `obsm["X_deepmapper"]` the embedding and
    ``["X_deepmapper_umap"]`` (or ``_pca``) its map; `uns["deepmapper"]` the `metadata`. Samples that were not analysed
    or have no label are left out.
    """
    adata = adata[features.names_of(features.labelled)].copy()
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
            adata.varm[slot] = pd.DataFrame(columns, index=adata.var_names)
    adata.obs["deepmapper_label"] = pd.Categorical(predictions["label"], categories=list(features.classes))
    adata.obs["deepmapper_prediction"] = pd.Categorical(predictions["prediction"], categories=list(features.classes))
    adata.obs["deepmapper_confidence"] = predictions["confidence"].to_numpy()
    adata.obs["deepmapper_split"] = pd.Categorical(predictions["split"], categories=["test", "out_of_bag", "none"])
    adata.obsm["X_deepmapper"] = embedding["embedding"]
    adata.obsm[f"X_deepmapper_{str(embedding['basis']).lower()}"] = embedding["map"]
    adata.uns["deepmapper"] = {
        name: json.dumps(value) if isinstance(value, (dict, list)) else value for name, value in metadata.items()
    }
    return adata


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
    progress
        Receives progress messages.

    Raises
    ------
    InputError
        If a sample of the features is not in the matrix.
    """
    import anndata

    rows = expression.rows_of(features.names_of(features.labelled))
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
    )
    matrices = {"X": expression.X} | {f"layers/{name}": layer for name, layer in expression.layers.items()}
    write_expression(path, adata, {name: MappedRows(matrix, rows) for name, matrix in matrices.items()}, progress)
