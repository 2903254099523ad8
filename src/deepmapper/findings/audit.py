"""Filtering audit: which features the usual filters would have discarded before the analysis.

The filters (`filters`) are applied to the development part, the samples that the findings come from: highly variable
features in three flavours, and the first principal components.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..core.arrays import take_rows
from ..core.blocks import MappedRows
from ..core.table_schemas import AUDIT
from ..core.words import percent
from ..features.composition import explained_by_composition
from ..features.store import Features
from ..io.matrix_stats import LARGEST_LOG
from . import filters
from .filters import MIN_SHARE, N_COMPONENTS, N_TOP
from .statistics import FeatureStatistics

# Share of the variance from which on composition counts as what a feature mostly follows; chosen by hand.
MOSTLY = 0.5

COMPOSITION = "composition_r2"

# Column of the audit -> the filter in words.
CHOICES = {
    "hvg_seurat": f"{N_TOP} highly variable features, flavour seurat",
    "hvg_seurat_v3": f"{N_TOP} highly variable features, flavour seurat_v3",
    "hvg_cell_ranger": f"{N_TOP} highly variable features, flavour cell_ranger",
    "pca_50": f"{N_COMPONENTS} principal components",
}

_LITTLE_COMPOSITION = f"only features of which the composition of the samples explains less than {percent(MOSTLY, 0)}"


@dataclass(frozen=True)
class FilteringAudit:
    """What the usual filters would have done to every feature.

    Attributes
    ----------
    table
        One row per feature: ``feature``; ``hvg_*`` for each flavour (True: kept; empty where the flavour could not be
        computed); ``pca_50`` (share of the feature's variance within the components; empty for a constant feature);
        and, if composition is adjusted for, ``composition_r2`` (share of its variance that the composition explains).
    notes
        For every column what was done, or why the column is empty.
    """

    table: pd.DataFrame
    notes: dict[str, str]


def audit_features(
    X,
    names: Sequence[str],
    *,
    logarithms: bool,
    rows: np.ndarray | None = None,
    variable: FeatureStatistics | None = None,
) -> FilteringAudit:
    """Find out for every feature whether the usual filters would have kept it.

    Parameters
    ----------
    X
        (n, p) CSR or dense, possibly memory-mapped: the values that were analysed.
    names
        Names of the features.
    logarithms
        Whether `X` is known to hold natural logarithms of 1 + scaled counts.
    rows
        Row indices to use, ascending: the development part. None for all.
    variable
        Ranks by the variance of the counts of the same rows (`statistics.variable_features`), for flavour "seurat_v3";
        None if there are no counts.

    Notes
    -----
    The flavours are those of ``scanpy.pp.highly_variable_genes``: Satija et al. 2015 (seurat), Stuart et al. 2019
    (seurat_v3, without batches), Zheng et al. 2017 (cell_ranger). `X` is read once. The principal components are those
    of the centred values, which are not scaled.
    """
    rows = np.arange(X.shape[0]) if rows is None else rows
    p = X.shape[1]
    columns: dict[str, object] = {"feature": list(names)}
    notes = {}
    values = filters.scan_matrix(X, rows, filters.identity, np.expm1)
    no_logarithms = _why_no_logarithms(values, logarithms)
    ranks, no_ranks = _ranks(variable)
    # flavour -> why it cannot be computed (empty if it can), the function that computes it, and its arguments
    flavours: dict[str, tuple[str, Callable, tuple]] = {
        "seurat": (no_logarithms, filters.seurat, (values.moments[1], values.detected)),
        "seurat_v3": (no_ranks, filters.seurat_v3, (ranks,)),
        "cell_ranger": (no_logarithms, filters.cell_ranger, (values.moments[0], values.detected)),
    }
    for flavour, (obstacle, choose, arguments) in flavours.items():
        column = f"hvg_{flavour}"
        if p <= N_TOP:
            kept, notes[column] = np.ones(p, dtype=bool), f"there are {p} features, no more than {N_TOP}: all are kept"
        elif obstacle:
            kept, notes[column] = None, obstacle
        else:
            kept, notes[column] = filters.try_filter(choose, *arguments)
        columns[column] = pd.array([pd.NA] * p if kept is None else kept, dtype="boolean")
    columns["pca_50"], notes["pca_50"] = filters.component_shares(X, rows, values.moments[0])
    return FilteringAudit(pd.DataFrame(columns), notes)


def audit_run(features: Features, statistics: FeatureStatistics) -> FilteringAudit:
    """Audit the development part of a run: `audit_features`, and what composition explains if it is adjusted for.

    Parameters
    ----------
    features
        Features of the run; their test split is not read.
    statistics
        Statistics of the same features.
    """
    audit = audit_features(
        features.X,
        features.names,
        rows=features.development,
        logarithms=features.metadata["normalization"] != "none",
        variable=statistics,
    )
    rows = features.development
    explained = explained_by_composition(
        MappedRows(features.X, rows), take_rows(features.design, rows), features.design_names
    )
    if explained is None:
        return audit
    note = "adjusted R² on the development part, of the values before any adjustment"
    return FilteringAudit(audit.table.assign(**{COMPOSITION: explained}), audit.notes | {COMPOSITION: note})


def chord_members(chords: pd.DataFrame) -> list[str]:
    """List the features that belong to any chord in ``chords.tsv``, each once."""
    sides = [chords[f"side_{number}"].dropna().astype(str) for number in (1, 2, 3)]
    return list(dict.fromkeys(name for side in sides for cell in side for name in cell.split(",") if name))


def audit_findings(
    ranking: pd.DataFrame, audited: pd.DataFrame, notes: dict[str, str], members: Sequence[str], top: int
) -> pd.DataFrame:
    """Count and name the findings that each filter would have lost.

    Parameters
    ----------
    ranking
        ``features.tsv`` of a model; its column ``significant`` says which features are findings. Without that column,
        that is without shadow passes, the first `top` features are used instead, and the table says so.
    audited, notes
        Table and notes of a `FilteringAudit`.
    members
        Features that belong to any chord.
    top
        Number of features to use if there is no error rate.

    Returns
    -------
    pandas.DataFrame
        One row for every filter (``choice``) and kind of finding (``of``): how many there are (``n``) and how many are
        lost (``n_lost``, ``share_lost``, ``lost``, by rank). Where the filter could not be computed these three are
        empty, and ``note`` says why.
    """
    if "significant" in ranking:
        findings, kind = ranking.loc[ranking["significant"], "feature"], "significant features"
    else:
        findings, kind = ranking["feature"].head(top), "first features of the ranking (no error rate)"
    reported = list(ranking.loc[ranking["reported"], "feature"]) if "reported" in ranking else []
    order = dict(zip(ranking["feature"], range(len(ranking)), strict=True))
    in_chords = sorted(set(members), key=lambda name: order.get(name, len(order)))
    choices = CHOICES | ({COMPOSITION: _LITTLE_COMPOSITION} if COMPOSITION in audited else {})
    discarded_by = {column: _discarded(audited, column) for column in choices}
    rows = []
    for column, choice in choices.items():
        of_list = [("features to report", reported)] if column == COMPOSITION else []
        for what, features in (*of_list, (kind, list(findings)), ("chord members", in_chords)):
            discarded = discarded_by[column]
            lost = None if discarded is None else [name for name in features if name in discarded]
            rows.append(
                {
                    "choice": choice,
                    "of": what,
                    "n": len(features),
                    "n_lost": pd.NA if lost is None else len(lost),
                    "share_lost": np.nan if lost is None or not features else len(lost) / len(features),
                    "lost": "" if lost is None else ",".join(lost),
                    "note": notes[column],
                }
            )
    return pd.DataFrame(rows, columns=AUDIT.names(optional=False)).astype({"n_lost": "Int64"})


def _discarded(audited: pd.DataFrame, column: str) -> set[str] | None:
    """Features that a filter discards; None if it could not be computed."""
    values = audited[column]
    if values.isna().all():
        return None
    if column == "pca_50":
        discarded = (values < MIN_SHARE) | values.isna()
    elif column == COMPOSITION:
        discarded = values >= MOSTLY
    else:
        discarded = ~values.astype("boolean").fillna(True)
    return set(audited.loc[discarded, "feature"])


def _why_no_logarithms(scan: filters.MatrixScan, logarithms: bool) -> str:
    """Explain why values cannot be logarithms of counts; empty if they can."""
    if scan.lowest < 0:
        return (
            f"needs logarithms of counts; the values go down to {scan.lowest:.3g}, so they have been centred or scaled"
        )
    if not logarithms and scan.highest >= LARGEST_LOG:
        return f"needs logarithms of counts; the values go up to {scan.highest:.3g} and were not normalised"
    return ""


def _ranks(variable: FeatureStatistics | None) -> tuple[np.ndarray, str]:
    """Ranks by the variance of the counts, NaN for a feature that does not vary; or why there are none."""
    if variable is None:
        return np.empty(0), "needs counts; there are none"
    ranks = variable.table["hvg_rank"].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    return ranks, variable.why_no_counts or ("" if np.isfinite(ranks).any() else variable.why_no_ranks)
