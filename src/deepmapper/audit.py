"""What filtering would have lost: features that the usual choices discard before anyone looks.

Two choices are held against the findings, made on the same samples, the development part: the most variable features in
three flavours, and the first principal components.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import scipy.sparse as sp

from .io import LARGEST_LOG

# Stored values up to which all samples are audited: 1 GB as CSR, of which the methods of others make several copies.
# Beyond, the choices are made on so many samples, drawn with this seed, as fit into it.
MOST_VALUES, SEED = 2**27, 123
N_TOP = 2000
N_COMPONENTS = 50
LEAST_SHARE = 0.1  # of a feature's variance within the components, below which the feature counts as lost

# Column of the audit -> the choice in words.
CHOICES = {
    "hvg_seurat": f"{N_TOP} highly variable features, flavour seurat",
    "hvg_seurat_v3": f"{N_TOP} highly variable features, flavour seurat_v3",
    "hvg_cell_ranger": f"{N_TOP} highly variable features, flavour cell_ranger",
    "pca_50": f"{N_COMPONENTS} principal components",
}
COLUMNS = ["choice", "of", "n", "n_lost", "share_lost", "lost", "note"]


def audit_features(
    X, names: Sequence[str], *, logarithms: bool, counts=None, estimated: bool = False
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Say of every feature whether the usual choices would have kept it.

    Parameters
    ----------
    X
        (n, p) CSR or dense, the values that were analysed, of the development part.
    names
        Names of the features.
    logarithms
        Whether `X` is known to hold natural logarithms of 1 + scaled counts.
    counts
        (n, p) raw values of the same samples, for flavour "seurat_v3"; None where there are none.
    estimated
        Whether `counts` are estimated fragments, which are rounded, rather than counted molecules.

    Returns
    -------
    tuple
        A table with the columns ``feature``, ``hvg_*`` for each flavour (True: kept; empty where the flavour could not
        be had) and ``pca_50`` (share of the feature's variance that lies in the components; empty for a constant one);
        and a note for every column that says what was done or why it is empty.

    Notes
    -----
    Flavours are those of ``scanpy.pp.highly_variable_genes``: Satija et al. 2015 (seurat), Stuart et al. 2019
    (seurat_v3), Zheng et al. 2017 (cell_ranger). Components are of the centred values, not scaled.
    """
    n, p = X.shape
    columns: dict[str, object] = {"feature": list(names)}
    notes = {}
    for flavour in ("seurat", "seurat_v3", "cell_ranger"):
        column = f"hvg_{flavour}"
        of_counts = flavour == "seurat_v3"
        unfit = _no_counts(counts, estimated) if of_counts else _no_logs(X, logarithms)
        if p <= N_TOP:
            kept, notes[column] = np.ones(p, dtype=bool), f"{p} features are no more than {N_TOP}: all are kept"
        elif unfit:
            kept, notes[column] = None, unfit
        else:
            kept, notes[column] = _tried(_highly_variable, counts if of_counts else X, flavour)
        columns[column] = pd.array([pd.NA] * p if kept is None else kept, dtype="boolean")
    if min(n - 1, p) <= N_COMPONENTS:
        share: np.ndarray | None = np.where(_variance(X) > 0, 1.0, np.nan)
        notes["pca_50"] = f"{n} samples of {p} features span no more than {N_COMPONENTS} components: all is kept"
    else:
        share, notes["pca_50"] = _tried(_share_in_components, X)
    columns["pca_50"] = np.full(p, np.nan) if share is None else share
    return pd.DataFrame(columns), notes


def drawn_rows(X, rows: np.ndarray) -> tuple[np.ndarray, str]:
    """Choose the rows to audit: all, or as many as `MOST_VALUES` allow, drawn; and say so in a sentence, or nothing."""
    stored = int(np.diff(X.indptr)[rows].sum()) if sp.issparse(X) else len(rows) * X.shape[1]
    if stored <= MOST_VALUES:
        return rows, ""
    n = max(1, int(len(rows) * (MOST_VALUES / stored)))
    drawn = np.sort(np.random.default_rng(SEED).choice(rows, n, replace=False))
    return drawn, f"made on {n} of {len(rows)} samples, drawn at random: all hold {stored} values"


def add_audit(table: pd.DataFrame, audited: pd.DataFrame) -> pd.DataFrame:
    """Add the columns of `audit_features` to a table with one row a feature, column ``feature``."""
    of_feature = audited.set_index("feature").reindex(table["feature"])
    return table.assign(**{column: of_feature[column].to_numpy() for column in CHOICES})


def chord_members(chords: pd.DataFrame) -> list[str]:
    """Features that are in any chord, each once, from ``chords.tsv``."""
    sides = [chords[f"side_{number}"].dropna().astype(str) for number in (1, 2, 3)]
    return list(dict.fromkeys(name for side in sides for cell in side for name in cell.split(",") if name))


def audit_findings(
    ranking: pd.DataFrame, audited: pd.DataFrame, notes: dict[str, str], members: Sequence[str], top: int
) -> pd.DataFrame:
    """Count which findings each choice would have lost, with their names.

    Parameters
    ----------
    ranking
        ``features.tsv`` of a model; its column ``significant`` says which features are found. Without this column, as
        without null passes, the first `top` features stand in and the table says so.
    audited, notes
        What `audit_features` returned.
    members
        Features that are in any chord.
    top
        See `ranking`.

    Returns
    -------
    pandas.DataFrame
        A row for every choice and kind of finding (``of``): how many there are (``n``) and how many are lost
        (``n_lost``, ``share_lost``, ``lost``, by rank). Where the choice could not be made these three are empty, and
        ``note`` says why.
    """
    if "significant" in ranking:
        found, kind = (
            ranking.loc[ranking["significant"].astype(str).str.lower() == "true", "feature"],
            "significant features",
        )
    else:
        found, kind = ranking["feature"].head(top), "first features of the ranking (no error rate)"
    order = dict(zip(ranking["feature"], range(len(ranking)), strict=True))
    in_chords = sorted(set(members), key=lambda name: order.get(name, len(order)))
    lost_by = {column: _lost(audited, column) for column in CHOICES}
    rows = []
    for column, choice in CHOICES.items():
        for what, features in ((kind, list(found)), ("chord members", in_chords)):
            lost = lost_by[column]
            gone = None if lost is None else [name for name in features if name in lost]
            rows.append(
                {
                    "choice": choice,
                    "of": what,
                    "n": len(features),
                    "n_lost": pd.NA if gone is None else len(gone),
                    "share_lost": np.nan if gone is None or not features else len(gone) / len(features),
                    "lost": "" if gone is None else ",".join(gone),
                    "note": notes[column],
                }
            )
    return pd.DataFrame(rows, columns=COLUMNS).astype({"n_lost": "Int64"})


def _lost(audited: pd.DataFrame, column: str) -> set[str] | None:
    """Features that a choice discards; None where it could not be made."""
    values = audited[column]
    if values.isna().all():
        return None
    if column == "pca_50":
        gone = (values < LEAST_SHARE) | values.isna()
    else:
        gone = values.astype(str).str.lower() == "false"
    return set(audited.loc[gone, "feature"])


def _highly_variable(X, flavour: str) -> tuple[np.ndarray, str]:
    import anndata
    import scanpy

    varying = _variance(X) > 0
    if (
        varying.sum() <= N_TOP
    ):  # also for the sake of the loess of seurat_v3, which ends the process where it has no data
        return varying, f"{varying.sum()} of {len(varying)} features vary, no more than {N_TOP}: all of these are kept"
    detected = np.asarray((X != 0).sum(0)).ravel() > 0  # what no sample holds has no bin of its own to vary in
    adata = anndata.AnnData(X[:, detected].astype(np.float32))
    if flavour == "seurat_v3":
        adata.X = adata.X.rint() if sp.issparse(adata.X) else np.rint(adata.X)
    else:
        adata.uns["log1p"] = {"base": None}
    table = scanpy.pp.highly_variable_genes(adata, n_top_genes=N_TOP, flavor=flavour, inplace=False)
    kept = np.zeros(X.shape[1], dtype=bool)
    kept[detected] = table["highly_variable"].to_numpy(dtype=bool)
    return kept, f"{kept.sum()} of {len(kept)} features are kept"


def _share_in_components(X) -> tuple[np.ndarray, str]:
    import anndata
    import scanpy

    adata = anndata.AnnData(X.astype(np.float32))
    scanpy.pp.pca(adata, n_comps=N_COMPONENTS, random_state=0)
    variance = _variance(X)
    within = adata.varm["PCs"].astype(np.float64) ** 2 @ adata.uns["pca"]["variance"].astype(np.float64)
    share = np.divide(within, variance, out=np.full(len(variance), np.nan), where=variance > 0)
    share = np.clip(share, 0.0, 1.0)
    low = int((share < LEAST_SHARE).sum() + np.isnan(share).sum())
    return share, f"{low} of {len(share)} features have less than {LEAST_SHARE:.0%} of their variance in the components"


def _tried(choose: Callable[..., tuple[np.ndarray, str]], *arguments) -> tuple[np.ndarray | None, str]:
    """Make a choice; where its method fails on these data, say with what words."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return choose(*arguments)
    except Exception as error:  # any: the method is another's, and what it refuses varies from data to data
        return None, f"the method failed on these data: {type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _no_logs(X, logarithms: bool) -> str:
    """Say why `X` cannot be taken for logarithms; nothing where it can."""
    values = X.data if sp.issparse(X) else X
    lowest, highest = min(0.0, values.min(initial=0.0)), values.max(initial=0.0)
    if lowest < 0:
        return f"needs logarithms of counts; the values go down to {lowest:.3g}, so they were centred or scaled before"
    if not logarithms and highest >= LARGEST_LOG:
        return f"needs logarithms of counts; the values go up to {highest:.3g} and were not normalised"
    return ""


def _no_counts(counts, estimated: bool) -> str:
    """Say why there are no counts; nothing where there are."""
    if counts is None:
        return "needs counts; there are none"
    values = counts.data if sp.issparse(counts) else counts
    if values.min(initial=0.0) < 0:
        return f"needs counts; the values go down to {values.min():.3g}"
    broken = values[values != np.rint(values)]
    if len(broken) and not estimated:
        return f"needs counts; the values that were read hold {broken.ravel()[0]:.4g}, which is none"
    return ""


def _variance(X) -> np.ndarray:
    """Variance of each column (n - 1), without making `X` dense."""
    if not sp.issparse(X):
        return np.asarray(X, dtype=np.float64).var(0, ddof=1)
    mean = np.asarray(X.mean(0, dtype=np.float64)).ravel()
    square = X.copy()
    square.data = square.data.astype(np.float64) ** 2
    return np.maximum((np.asarray(square.mean(0)).ravel() - mean**2) * X.shape[0] / (X.shape[0] - 1), 0.0)
