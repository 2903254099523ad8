"""Statistics of every feature, computed in blocks: mean, variance, median, detection, and rank among variable features.

Means, variances and medians are of the values that are analysed; ranks are of the counts behind them. All are of the
development part, the samples that the findings come from. The filtering audit reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.blocks import MappedRows, blocks, column_blocks, to_csc
from ..core.moments import Moments
from ..core.variable_features import (
    FLAVOURS,
    Trend,
    fit_trend,
    rank_features,
    sample_variance,
    standardised_variance,
)
from ..errors import InputError
from ..features.store import Features
from ..io.expression import Expression
from .filters import N_TOP
from .scans import Scan, add_counts, batches_of, sum_counts, value_moments

SPAN = 0.3  # span of the loess of variance on mean; the default of scanpy

# A copy of the values by column, for the medians, is memory-mapped if it is larger.
_COPY_MEGABYTES = 128


@dataclass(frozen=True)
class FeatureStatistics:
    """Statistics of every feature.

    Attributes
    ----------
    table
        One row per feature, with the columns of the schema `STATISTICS`.
    why_no_counts
        Why the matrix does not hold counts, from which variable features are found; empty if it does.
    why_no_ranks
        Why variable features were not found although there are counts; empty if they were.
    """

    table: pd.DataFrame
    why_no_counts: str = ""
    why_no_ranks: str = ""

    @property
    def notes(self) -> dict[str, str]:
        """What ``statistics.json`` holds."""
        return {"why_no_counts": self.why_no_counts, "why_no_ranks": self.why_no_ranks}


def feature_statistics(
    features: Features, expression: Expression, estimated: bool, folder: str | Path, scan: Scan | None = None
) -> FeatureStatistics:
    """Compute the statistics of a run on its development part.

    Parameters
    ----------
    features
        Features of the run; their test split is not read. Their groups are the batches of the variable features.
    expression
        The matrix from which the features were prepared.
    estimated
        Whether its values are estimated numbers of fragments, which are rounded, rather than counted molecules.
    folder
        Folder for a temporary copy of a large matrix by column.
    scan
        Sums over the development part (`scans.scan_samples`), merged from those of shards; None to compute them.

    Returns
    -------
    FeatureStatistics

    Raises
    ------
    InputError
        If a sample of the features is not in the matrix.
    """
    rows = features.development
    table = pd.DataFrame({"feature": list(features.names)})
    for name, values in value_statistics(features.X, rows, folder, scan.values if scan else None).items():
        table[name] = values
    counts = MappedRows(expression.X, expression.rows_of(features.names_of(rows)))
    sums = (list(scan.counts), scan.lowest, scan.fraction) if scan else None
    found = variable_features(counts, features.names, batches_of(features), estimated, sums)
    return FeatureStatistics(table.join(found.table.drop(columns="feature")), found.why_no_counts, found.why_no_ranks)


def value_statistics(X, rows: np.ndarray, folder: str | Path, moments: Moments | None = None) -> dict[str, np.ndarray]:
    """Mean, sample variance, share of non-zero values, median, and median of the non-zero values, of every feature.

    Parameters
    ----------
    X
        (n, p) CSR or dense, possibly memory-mapped.
    rows
        Rows to use, ascending.
    folder
        Folder for a temporary copy of a large matrix by column.
    moments
        `scans.value_moments` of these rows; None to compute them.

    Returns
    -------
    dict
        ``mean``, ``variance``, ``detected``, ``median``, ``median_detected``: (p,) float64 each; the last is NaN for a
        feature without non-zero values. Medians are exact.
    """
    moments = value_moments(X, rows) if moments is None else moments
    medians = [np.full(X.shape[1], np.nan) for _ in range(2)]
    by_column = to_csc(X, rows, _COPY_MEGABYTES, folder)
    for place, block in column_blocks(by_column, np.arange(X.shape[1])):
        for i, column in enumerate(range(place.start, place.stop)):
            values = block.data[block.indptr[i] : block.indptr[i + 1]] if sp.issparse(block) else block[:, i]
            medians[0][column], medians[1][column] = _medians(np.asarray(values), len(rows))
    return {
        "mean": moments.mean,
        "variance": moments.variance(ddof=1),
        "detected": moments.n_nonzero / moments.n,
        "median": medians[0],
        "median_detected": medians[1],
    }


def _medians(values: np.ndarray, n: int) -> tuple[float, float]:
    """Median of n values, given those that are stored (the others are 0), and median of those that are not 0."""
    values = np.sort(values[values != 0].astype(np.float64))
    if not len(values):
        return 0.0, np.nan
    n_negative, n_zero = int(np.searchsorted(values, 0)), n - len(values)

    def at(position: int) -> float:
        if position < n_negative:
            return values[position]
        return 0.0 if position < n_negative + n_zero else values[position - n_zero]

    return (at((n - 1) // 2) + at(n // 2)) / 2, float(np.median(values))


def variable_features(
    counts: Any,
    names: Sequence[str],
    groups: np.ndarray | None = None,
    estimated: bool = False,
    sums: tuple[list[Moments], float, float] | None = None,
) -> FeatureStatistics:
    """Rank the features by the variance of their counts; flavours seurat_v3 and seurat_v3_paper.

    Parameters
    ----------
    counts
        Source of `blocks`; read twice, or once if there are `sums`.
    names
        Names of the features.
    groups
        (n,) codes of the batches, 0, 1, ...; None for a single one.
    estimated
        Whether the counts are estimated, and to be rounded.
    sums
        `scans.sum_counts` of these counts; None to compute it.

    Returns
    -------
    FeatureStatistics
        Its table has ``feature``, ``standardised_variance`` and ``hvg_rank`` (all samples as one batch), and
        ``hvg_rank_seurat_v3`` and ``hvg_rank_seurat_v3_paper`` (over the batches). Ranks start at 1; they are empty
        for a feature that does not vary, and the last two for one that is among the first `N_TOP` of no batch.
    """
    table = pd.DataFrame({"feature": list(names), "standardised_variance": np.nan})
    ranks = ["hvg_rank", *(f"hvg_rank_{flavor}" for flavor in FLAVOURS)]
    table[ranks] = pd.NA
    table = table.astype(dict.fromkeys(ranks, "Int64"))
    several = groups is not None and len(np.unique(groups)) > 1
    batches = groups if several else None
    moments, lowest, fraction = sums or sum_counts(counts, batches, _n_sums(batches))
    if obstacle := _no_counts(lowest, fraction, estimated):
        return FeatureStatistics(table, why_no_counts=obstacle)
    try:
        trends = [fit_trend(moments[0], SPAN, "all samples")]
    except InputError as error:
        return FeatureStatistics(table, why_no_ranks=str(error))
    why_no_ranks = ""
    try:
        trends += [fit_trend(part, SPAN, f"group {group}") for group, part in enumerate(moments[1:])]
    except InputError as error:
        why_no_ranks, batches = str(error), None
    variances = _standardised(counts, batches, trends if batches is not None else trends[:1])
    table["standardised_variance"] = variances[0]
    detected, varying = moments[0].sum > 0, sample_variance(moments[0]) > 0
    table["hvg_rank"] = _ranks(variances[:1], len(names), FLAVOURS[0], detected, varying)
    for flavor in FLAVOURS:
        if batches is not None:
            table[f"hvg_rank_{flavor}"] = _ranks(variances[1:], N_TOP, flavor, detected, varying)
        elif not why_no_ranks:
            table[f"hvg_rank_{flavor}"] = table["hvg_rank"]
    return FeatureStatistics(table, why_no_ranks=why_no_ranks)


def _no_counts(lowest: float, fraction: float, estimated: bool) -> str:
    """Say why values cannot be counts; empty if they can."""
    if lowest < 0:
        return f"needs counts; the values go down to {lowest:.3g}"
    if not np.isnan(fraction) and not estimated:
        return f"needs counts; the matrix holds {fraction:.4g}, which is not a whole number"
    return ""


def _standardised(counts: Any, batches: np.ndarray | None, trends: list[Trend]) -> np.ndarray:
    """Standardised variances (1 + batches, p) of the clipped counts: of all samples, then of each batch."""
    clipped = [Moments(counts.shape[1], keep=("squares",)) for _ in trends]
    limits = [trend.limit for trend in trends]
    for place, block in blocks(counts):
        block = sp.csr_matrix(block, dtype=np.float32)
        add_counts(clipped, block, None if batches is None else batches[place], limits)
    return np.stack([standardised_variance(*parts) for parts in zip(trends, clipped, strict=True)])


def _n_sums(batches: np.ndarray | None) -> int:
    return 1 if batches is None else 2 + int(batches.max())


def _ranks(
    variances: np.ndarray, n_top: int, flavor: str, detected: np.ndarray, varying: np.ndarray
) -> pd.arrays.IntegerArray:
    """Ranks from 1 of the features that vary and are among the `n_top` of any batch; the others are missing.

    Features without any counts are left out first, as in an analysis with scanpy, where equal variances are ranked in
    an order that depends on all features.
    """
    places = np.flatnonzero(detected)
    ranked = rank_features(variances[:, detected], places.tolist(), n_top, flavor)
    known = varying.copy()
    known[places] &= ranked["highly_variable_nbatches"].to_numpy() > 0
    order = np.full(len(detected), len(detected))
    order[places] = ranked["order"]
    ranks = np.zeros(len(detected), dtype=np.int64)
    ranks[known] = np.argsort(np.argsort(order[known])) + 1
    return pd.arrays.IntegerArray(ranks, ~known)
