"""The genes behind the labels that new samples got, and how high they are in reference and target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.moments import Moments
from .model import Model
from .naming import NEW
from .values import Gap, gaps_of

N_GENES = 10  # of a label, as of a new identity; chosen by hand


def gene_table(
    model: Model,
    table: pd.DataFrame,
    identities: pd.DataFrame,
    X: np.ndarray | sp.csr_matrix,
    sources: Sequence[Mapping[str, Any]],
) -> pd.DataFrame:
    """Return `target_genes.tsv`: the genes behind every label, and of every new identity.

    Those of a label are the features of largest importance for its class, by the mean over the passes.

    Parameters
    ----------
    model
        The model.
    table, identities
        `target.tsv` and `new_identities.tsv`.
    X
        (n, p) normalised values of the samples.
    sources
        The files: "n_cells", and "missing" with the names of the features that each lacks.
    """
    names = np.array(model.features, dtype=object)
    classes = [name for name, leaf in zip(model.classes, model.is_leaf, strict=True) if leaf]
    means = _means(model, table, identities, X, sources)
    overall = model.mean
    rows: list[dict[str, Any]] = []
    for name in classes:
        code = model.classes.index(name)
        importance = np.nan_to_num(model.class_importance[code])
        for rank, i in enumerate(np.argsort(-importance, kind="stable")[:N_GENES], start=1):
            if importance[i] > 0:
                direction = "up" if model.class_mean[code, i] > overall[i] else "down"
                rows.append(_row(name, rank, names[i], float(importance[i]), direction))
    for name, genes in zip(identities["identity"], identities["genes"], strict=True):
        found = [gene for gene in str(genes).split(",") if gene] if pd.notna(genes) else []
        rows += [_row(name, rank, gene, np.nan, "up") for rank, gene in enumerate(found, start=1)]
    found = pd.DataFrame(rows, columns=["label", "rank", "gene", "importance", "direction"])
    place = {name: i for i, name in enumerate(names)}
    at = [place[gene] for gene in found["gene"]]
    columns = {name: values[at] for name, values in means.items()}
    return pd.concat([found, pd.DataFrame(columns, index=found.index)], axis=1)


def _row(label: str, rank: int, gene: str, importance: float, direction: str) -> dict[str, Any]:
    return {"label": label, "rank": rank, "gene": gene, "importance": importance, "direction": direction}


def _means(
    model: Model,
    table: pd.DataFrame,
    identities: pd.DataFrame,
    X: np.ndarray | sp.csr_matrix,
    sources: Sequence[Mapping[str, Any]],
) -> dict[str, np.ndarray]:
    """Means of all features by label, in the reference and among the samples with this label."""
    gaps = gaps_of(sources, model)
    label, is_new = table["label"].to_numpy(dtype=object), (table["verdict"] == NEW).to_numpy()
    means = {}
    for code, name in enumerate(model.classes):
        if model.is_leaf[code]:
            means[f"reference[{name}]"] = model.class_mean[code].astype(np.float64)
            means[f"target[{name}]"] = _mean(X, np.flatnonzero((label == name) & ~is_new), gaps)
    for name in identities["identity"]:
        rows = np.flatnonzero((table["identity"] == name).to_numpy())
        means[f"reference[{name}]"] = np.full(len(model.features), np.nan)
        means[f"target[{name}]"] = _mean(X, rows, gaps)
    return means


def _mean(X: np.ndarray | sp.csr_matrix, rows: np.ndarray, gaps: Sequence[Gap]) -> np.ndarray:
    """Means over some rows, of every feature over those whose file has it."""
    if not len(rows):
        return np.full(X.shape[1], np.nan)
    moments = Moments(X.shape[1], keep=())
    for start in range(0, len(rows), 1024):
        moments.update(X[rows[start : start + 1024]])
    n = np.full(X.shape[1], float(len(rows)))
    for gap in gaps:
        n[gap.columns] -= np.sum((rows >= gap.rows.start) & (rows < gap.rows.stop))
    return np.divide(moments.mean * len(rows), n, out=np.full(len(n), np.nan), where=n > 0)
