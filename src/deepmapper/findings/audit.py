"""Filtering audit: which features the usual filters would have discarded before the analysis.

Two kinds of filter are applied to the development part, the samples that the findings come from: highly variable
features in three flavours, computed from sums over blocks of samples, and the first principal components.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.blocks import MappedRows, blocks
from ..core.moments import Moments, with_values
from ..core.table_schemas import AUDIT
from ..features.levels import drawn_rows
from ..features.store import Features
from ..io.expression import Expression
from ..io.matrix_stats import LARGEST_LOG

N_TOP = 2000  # the default of scanpy and Seurat

N_COMPONENTS = 50  # the default of scanpy

N_BINS = 20  # bins of the mean in flavour seurat; the default of scanpy

SPAN = 0.3  # span of the loess in flavour seurat_v3; the default of scanpy

# Share of a feature's variance within the components below which the feature counts as lost; chosen by hand.
MIN_SHARE = 0.1

# Column of the audit -> the filter in words.
CHOICES = {
    "hvg_seurat": f"{N_TOP} highly variable features, flavour seurat",
    "hvg_seurat_v3": f"{N_TOP} highly variable features, flavour seurat_v3",
    "hvg_cell_ranger": f"{N_TOP} highly variable features, flavour cell_ranger",
    "pca_50": f"{N_COMPONENTS} principal components",
}


@dataclass(frozen=True)
class FilteringAudit:
    """What the usual filters would have done to every feature.

    Attributes
    ----------
    table
        One row per feature: ``feature``; ``hvg_*`` for each flavour (True: kept; empty where the flavour could not be
        computed); and ``pca_50`` (share of the feature's variance within the components; empty for a constant feature).
    notes
        For every column what was done, or why the column is empty.
    """

    table: pd.DataFrame
    notes: dict[str, str]


@dataclass
class _MatrixScan:
    """What the filters need from one reading of a matrix.

    Attributes
    ----------
    lowest, highest
        Of all values, zeros included.
    fraction
        The first value that is not a whole number, or None.
    detected
        (p,) whether any sample has the feature.
    moments
        Sums and sums of squares of the values, for each transformation that was asked for.
    """

    lowest: float
    highest: float
    fraction: float | None
    detected: np.ndarray
    moments: list[Moments]


def audit_features(
    X, names: Sequence[str], *, logarithms: bool, rows: np.ndarray | None = None, counts=None, estimated: bool = False
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
    counts
        Raw values of the same rows, a source of `blocks`, for flavour "seurat_v3"; None if there are none.
    estimated
        Whether `counts` are estimated numbers of fragments, which are rounded, rather than counted molecules.

    Notes
    -----
    The flavours are those of ``scanpy.pp.highly_variable_genes``: Satija et al. 2015 (seurat), Stuart et al. 2019
    (seurat_v3), Zheng et al. 2017 (cell_ranger). They read `X` once and `counts` twice. The principal components are
    those of the centred values, which are not scaled.
    """
    rows = np.arange(X.shape[0]) if rows is None else rows
    p = X.shape[1]
    columns: dict[str, object] = {"feature": list(names)}
    notes = {}
    values = _scan(X, rows, _identity, np.expm1)
    no_logarithms = _why_no_logarithms(values, logarithms)
    # flavour -> why it cannot be computed (empty if it can), the function that computes it, and its arguments
    flavours: dict[str, tuple[str, Callable, tuple]] = {
        "seurat": (no_logarithms, _seurat, (values.moments[1], values.detected)),
        "seurat_v3": ("needs counts; there are none", _seurat_v3, ()),
        "cell_ranger": (no_logarithms, _cell_ranger, (values.moments[0], values.detected)),
    }
    if counts is not None and p > N_TOP:
        count_scan = _scan(counts, None, np.rint)
        flavours["seurat_v3"] = (_why_no_counts(count_scan, estimated), _seurat_v3, (count_scan, counts))
    for flavour, (obstacle, choose, arguments) in flavours.items():
        column = f"hvg_{flavour}"
        if p <= N_TOP:
            kept, notes[column] = np.ones(p, dtype=bool), f"there are {p} features, no more than {N_TOP}: all are kept"
        elif obstacle:
            kept, notes[column] = None, obstacle
        else:
            kept, notes[column] = _try_filter(choose, *arguments)
        columns[column] = pd.array([pd.NA] * p if kept is None else kept, dtype="boolean")
    columns["pca_50"], notes["pca_50"] = _component_shares(X, rows, values.moments[0])
    return FilteringAudit(pd.DataFrame(columns), notes)


def audit_run(features: Features, expression: Expression, estimated: bool) -> FilteringAudit:
    """Audit the development part of a run: `audit_features` on its values and on the counts behind them.

    Parameters
    ----------
    features
        Features of the run; their test split is not read.
    expression
        The matrix from which the features were prepared.
    estimated
        Whether its values are estimated numbers of fragments.

    Raises
    ------
    InputError
        If a sample of the features is not in the matrix.
    """
    rows = features.development
    return audit_features(
        features.X,
        features.names,
        rows=rows,
        logarithms=features.about["normalization"] != "none",
        counts=MappedRows(expression.X, expression.rows_of(features.names_of(rows))),
        estimated=estimated,
    )


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
    order = dict(zip(ranking["feature"], range(len(ranking)), strict=True))
    in_chords = sorted(set(members), key=lambda name: order.get(name, len(order)))
    discarded_by = {column: _discarded(audited, column) for column in CHOICES}
    rows = []
    for column, choice in CHOICES.items():
        for what, features in ((kind, list(findings)), ("chord members", in_chords)):
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
    return pd.DataFrame(rows, columns=AUDIT.names()).astype({"n_lost": "Int64"})


def _discarded(audited: pd.DataFrame, column: str) -> set[str] | None:
    """Features that a filter discards; None if it could not be computed."""
    values = audited[column]
    if values.isna().all():
        return None
    if column == "pca_50":
        discarded = (values < MIN_SHARE) | values.isna()
    else:
        discarded = ~values.astype("boolean").fillna(True)
    return set(audited.loc[discarded, "feature"])


def _identity(values: np.ndarray) -> np.ndarray:
    return values


def _scan(source: Any, rows: np.ndarray | None, *transforms: Callable[[np.ndarray], np.ndarray]) -> _MatrixScan:
    """Read a source of blocks once, and sum the values after each transformation; transformations must keep zeros."""
    p = source.shape[1]
    scan = _MatrixScan(0.0, 0.0, None, np.zeros(p, dtype=bool), [Moments(p, keep=("squares",)) for _ in transforms])
    for _, block in blocks(source, rows):
        block = sp.csr_matrix(block, dtype=np.float32)
        scan.lowest = min(scan.lowest, float(block.data.min(initial=0.0)))
        scan.highest = max(scan.highest, float(block.data.max(initial=0.0)))
        fractions = block.data[block.data != np.rint(block.data)]
        if len(fractions) and scan.fraction is None:
            scan.fraction = float(fractions[0])
        scan.detected[block.indices[block.data != 0]] = True
        for transform, moments in zip(transforms, scan.moments, strict=True):
            with np.errstate(over="ignore"):  # values that overflow are no logarithms, and are refused as such
                moments.update(with_values(block, transform(block.data)))
    return scan


def _why_no_logarithms(scan: _MatrixScan, logarithms: bool) -> str:
    """Say why values cannot be logarithms of counts; empty if they can."""
    if scan.lowest < 0:
        return (
            f"needs logarithms of counts; the values go down to {scan.lowest:.3g}, so they have been centred or scaled"
        )
    if not logarithms and scan.highest >= LARGEST_LOG:
        return f"needs logarithms of counts; the values go up to {scan.highest:.3g} and were not normalised"
    return ""


def _why_no_counts(scan: _MatrixScan, estimated: bool) -> str:
    """Say why values cannot be counts; empty if they can."""
    if scan.lowest < 0:
        return f"needs counts; the values go down to {scan.lowest:.3g}"
    if scan.fraction is not None and not estimated:
        return f"needs counts; the matrix holds {scan.fraction:.4g}, which is not a whole number"
    return ""


def _try_filter(choose: Callable[..., tuple[np.ndarray, str]], *arguments) -> tuple[np.ndarray | None, str]:
    """Apply a filter; if its method fails on these data, give None and the error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return choose(*arguments)
    except Exception as error:  # any error: the methods are from other packages, which refuse data in many ways
        return None, f"the method failed on these data: {type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _scanpy_variance(moments: Moments) -> np.ndarray:
    """Sample variance as scanpy computes it, from sums of squares; 0 if it is within rounding error of 0."""
    n, mean = moments.n, moments.mean
    variance = moments.square_sum / n - mean**2
    return np.where(variance > 1e-12 * mean**2, variance, 0.0) * (n / max(n - 1, 1))


def _keep_variable(
    varying: np.ndarray, detected: np.ndarray, choose: Callable[[], np.ndarray]
) -> tuple[np.ndarray, str]:
    """Keep the detected features that `choose` marks, or all that vary if they are no more than `N_TOP`."""
    # the loess of seurat_v3 ends the whole process when it gets no data, so too few features must not reach it
    if varying.sum() <= N_TOP:
        return varying, f"{varying.sum()} of {len(varying)} features vary, no more than {N_TOP}: all of these are kept"
    kept = np.zeros(len(varying), dtype=bool)
    kept[detected] = choose()  # features without any counts would distort the bins of the others
    return kept, f"{kept.sum()} of {len(kept)} features are kept"


def _seurat(moments: Moments, detected: np.ndarray) -> tuple[np.ndarray, str]:
    """Flavour seurat of scanpy: the log of variance over mean, standardised among features of similar mean."""
    mean, variance = moments.mean, _scanpy_variance(moments)

    def choose() -> np.ndarray:
        with np.errstate(divide="ignore"):
            dispersion = np.log(variance[detected] / mean[detected])
        dispersion[variance[detected] == 0] = np.nan
        table = pd.DataFrame({"dispersion": dispersion})
        grouped = table.groupby(pd.cut(np.log1p(mean[detected]), bins=N_BINS), observed=True)["dispersion"]
        centre, spread = grouped.transform("mean"), grouped.transform("std")
        single = spread.isna()  # the only feature in its bin
        return _highest((dispersion - centre.where(~single, 0)) / spread.where(~single, centre))

    return _keep_variable(variance > 0, detected, choose)


def _cell_ranger(moments: Moments, detected: np.ndarray) -> tuple[np.ndarray, str]:
    """Flavour cell_ranger of scanpy: variance over mean, relative to median and MAD among features of similar mean."""
    mean, variance = moments.mean, _scanpy_variance(moments)

    def choose() -> np.ndarray:
        from scipy.special import ndtri

        dispersion = pd.Series(variance[detected] / mean[detected])
        edges = np.r_[-np.inf, np.percentile(mean[detected], np.arange(10, 105, 5)), np.inf]
        bins = pd.cut(mean[detected], bins=edges)
        deviation = dispersion - dispersion.groupby(bins, observed=True).transform("median")
        return _highest(deviation / (deviation.abs().groupby(bins, observed=True).transform("median") / ndtri(0.75)))

    return _keep_variable(variance > 0, detected, choose)


def _highest(values: pd.Series) -> np.ndarray:
    """Mark the `N_TOP` highest values and those that equal the last of them; NaN counts as lowest."""
    known = np.sort(values[values.notna()])
    return np.nan_to_num(values.to_numpy(), nan=-np.inf) >= known[-min(N_TOP, len(known))]


def _seurat_v3(scan: _MatrixScan, counts: Any) -> tuple[np.ndarray, str]:
    """Flavour seurat_v3 of scanpy: variance of clipped counts, standardised by a loess of variance on mean."""
    n, mean, variance = scan.moments[0].n, scan.moments[0].mean, _scanpy_variance(scan.moments[0])
    detected = scan.detected

    def choose() -> np.ndarray:
        from skmisc.loess import loess

        varying = detected & (variance > 0)
        model = loess(np.log10(mean[varying]), np.log10(variance[varying]), span=SPAN, degree=2)
        model.fit()
        expected = np.ones(len(mean))
        expected[varying] = 10**model.outputs.fitted_values
        limit = np.sqrt(expected) * np.sqrt(n) + mean
        clipped = Moments(len(mean), keep=("squares",))
        for _, block in blocks(counts):
            block = sp.csr_matrix(block, dtype=np.float32)
            values = np.minimum(np.rint(block.data).astype(np.float64), limit[block.indices])
            clipped.update(with_values(block, values))
        standardised = (n * mean**2 + clipped.square_sum - 2 * clipped.sum * mean) / ((n - 1) * expected)
        return np.argsort(np.argsort(-standardised[detected])) < N_TOP

    return _keep_variable(variance > 0, detected, choose)


def _component_shares(X, rows: np.ndarray, moments: Moments) -> tuple[np.ndarray, str]:
    """Share of every feature's variance within the principal components, NaN if unknown or constant; and a note."""
    n, p = len(rows), X.shape[1]
    if min(n - 1, p) <= N_COMPONENTS:
        share = np.where(_scanpy_variance(moments) > 0, 1.0, np.nan)
        return share, f"{n} samples of {p} features have no more than {N_COMPONENTS} components: all is kept"
    drawn, sampling_note = drawn_rows(X, rows)
    computed, note = _try_filter(_share_in_components, MappedRows(X, drawn).to_memory())
    if sampling_note:
        note += f"; {sampling_note}"
    return np.full(p, np.nan) if computed is None else computed, note


def _share_in_components(X) -> tuple[np.ndarray, str]:
    """Share of every feature's variance that the first principal components explain; NaN for constant features."""
    import anndata
    import scanpy

    adata = anndata.AnnData(X.astype(np.float32, copy=False))
    scanpy.pp.pca(adata, n_comps=N_COMPONENTS, random_state=0)
    variance = _variance(X)
    explained = adata.varm["PCs"].astype(np.float64) ** 2 @ adata.uns["pca"]["variance"].astype(np.float64)
    share = np.divide(explained, variance, out=np.full(len(variance), np.nan), where=variance > 0)
    share = np.clip(share, 0.0, 1.0)
    n_low = int((share < MIN_SHARE).sum() + np.isnan(share).sum())
    return share, f"{n_low} of {len(share)} features have less than {MIN_SHARE:.0%} of their variance in the components"


def _variance(X) -> np.ndarray:
    """Sample variance of each column, without making `X` dense."""
    if not sp.issparse(X):
        return np.asarray(X, dtype=np.float64).var(0, ddof=1)
    mean = np.asarray(X.mean(0, dtype=np.float64)).ravel()
    square = X.copy()
    square.data = square.data.astype(np.float64) ** 2
    return np.maximum((np.asarray(square.mean(0)).ravel() - mean**2) * X.shape[0] / (X.shape[0] - 1), 0.0)
