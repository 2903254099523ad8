"""Filtering audit: features that the usual filters discard before any analysis.

Two choices are held against the findings, made on the same samples, the development part: the most variable features in
three flavours, from statistics that are added up over blocks of samples, and the first principal components.
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

N_TOP = 2000

N_COMPONENTS = 50

N_BINS = 20  # of mean, for flavour seurat

SPAN = 0.3  # of the samples' features, for the loess of flavour seurat_v3

MIN_SHARE = 0.1  # of a feature's variance within the components, below which the feature counts as lost

# Column of the audit -> the choice in words.
CHOICES = {
    "hvg_seurat": f"{N_TOP} highly variable features, flavour seurat",
    "hvg_seurat_v3": f"{N_TOP} highly variable features, flavour seurat_v3",
    "hvg_cell_ranger": f"{N_TOP} highly variable features, flavour cell_ranger",
    "pca_50": f"{N_COMPONENTS} principal components",
}


@dataclass
class _Seen:
    """What one reading of a matrix tells.

    Attributes
    ----------
    lowest, highest
        Of all values, zeros counted in.
    broken
        A value that is no whole number, or None.
    detected
        (p,) whether any sample holds the feature.
    moments
        Sums and sums of squares of the values after each change that was asked for.
    """

    lowest: float
    highest: float
    broken: float | None
    detected: np.ndarray
    moments: list[Moments]


def audit_features(
    X, names: Sequence[str], *, logarithms: bool, rows: np.ndarray | None = None, counts=None, estimated: bool = False
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Say of every feature whether the usual choices would have kept it.

    Parameters
    ----------
    X
        (n, p) CSR or dense, possibly mapped: the values that were analysed.
    names
        Names of the features.
    logarithms
        Whether `X` is known to hold natural logarithms of 1 + scaled counts.
    rows
        Rows to look at, rising: the development part. None for all.
    counts
        Raw values of the same rows, a source of `blocks`, for flavour "seurat_v3"; None where there are none.
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
    (seurat_v3), Zheng et al. 2017 (cell_ranger). `X` is read once for them and `counts` twice. Components are of the
    centred values, not scaled.
    """
    rows = np.arange(X.shape[0]) if rows is None else rows
    n, p = len(rows), X.shape[1]
    columns: dict[str, object] = {"feature": list(names)}
    notes = {}
    values = _look(X, rows, _as_it_is, np.expm1)
    unfit = _no_logs(values, logarithms)
    chosen: dict[str, tuple[str, Callable, tuple]] = {
        "seurat": (unfit, _seurat, (values.moments[1], values.detected)),
        "seurat_v3": ("needs counts; there are none", _seurat_v3, ()),
        "cell_ranger": (unfit, _cell_ranger, (values.moments[0], values.detected)),
    }
    if counts is not None and p > N_TOP:
        of_counts = _look(counts, None, np.rint)
        chosen["seurat_v3"] = (_no_counts(of_counts, estimated), _seurat_v3, (of_counts, counts))
    for flavour, (unfit, choose, given) in chosen.items():
        column = f"hvg_{flavour}"
        if p <= N_TOP:
            kept, notes[column] = np.ones(p, dtype=bool), f"{p} features are no more than {N_TOP}: all are kept"
        elif unfit:
            kept, notes[column] = None, unfit
        else:
            kept, notes[column] = _tried(choose, *given)
        columns[column] = pd.array([pd.NA] * p if kept is None else kept, dtype="boolean")
    if min(n - 1, p) <= N_COMPONENTS:
        share: np.ndarray | None = np.where(_scanpy_variance(values.moments[0]) > 0, 1.0, np.nan)
        notes["pca_50"] = f"{n} samples of {p} features span no more than {N_COMPONENTS} components: all is kept"
    else:
        drawn, said = drawn_rows(X, rows)
        share, notes["pca_50"] = _tried(_share_in_components, MappedRows(X, drawn).to_memory())
        notes["pca_50"] += f"; {said}" if said else ""
    columns["pca_50"] = np.full(p, np.nan) if share is None else share
    return pd.DataFrame(columns), notes


def audit_run(features: Features, expression: Expression, estimated: bool) -> tuple[pd.DataFrame, dict[str, str]]:
    """Audit the development part of a run: `audit_features` on its values, and on the counts behind them.

    Parameters
    ----------
    features
        Of the run; its test split is not read.
    expression
        The matrix that the features were made of.
    estimated
        As in `audit_features`.

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
        found, kind = ranking.loc[ranking["significant"], "feature"], "significant features"
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
    return pd.DataFrame(rows, columns=AUDIT.names()).astype({"n_lost": "Int64"})


def _lost(audited: pd.DataFrame, column: str) -> set[str] | None:
    """Features that a choice discards; None where it could not be made."""
    values = audited[column]
    if values.isna().all():
        return None
    if column == "pca_50":
        gone = (values < MIN_SHARE) | values.isna()
    else:
        gone = ~values.astype("boolean").fillna(True)
    return set(audited.loc[gone, "feature"])


def _as_it_is(values: np.ndarray) -> np.ndarray:
    return values


def _look(source: Any, rows: np.ndarray | None, *changes: Callable[[np.ndarray], np.ndarray]) -> _Seen:
    """Read a source of blocks once; sums are of the values after each change, which leaves zeros as they are."""
    p = source.shape[1]
    seen = _Seen(0.0, 0.0, None, np.zeros(p, dtype=bool), [Moments(p, keep=("squares",)) for _ in changes])
    for _, block in blocks(source, rows):
        block = sp.csr_matrix(block, dtype=np.float32)
        seen.lowest = min(seen.lowest, float(block.data.min(initial=0.0)))
        seen.highest = max(seen.highest, float(block.data.max(initial=0.0)))
        broken = block.data[block.data != np.rint(block.data)]
        if len(broken) and seen.broken is None:
            seen.broken = float(broken[0])
        seen.detected[block.indices[block.data != 0]] = True
        for change, moments in zip(changes, seen.moments, strict=True):
            with np.errstate(over="ignore"):  # of what is no logarithm, and is refused as such
                moments.update(with_values(block, change(block.data)))
    return seen


def _scanpy_variance(moments: Moments) -> np.ndarray:
    """Variance with n - 1 as scanpy computes it, from sums of squares; 0 where it is no more than rounding."""
    n, mean = moments.n, moments.mean
    variance = moments.square_sum / n - mean**2
    return np.where(variance > 1e-12 * mean**2, variance, 0.0) * (n / max(n - 1, 1))


def _chosen(varying: np.ndarray, detected: np.ndarray, choose: Callable[[], np.ndarray]) -> tuple[np.ndarray, str]:
    """Keep the highest of what `choose` gives for the features detected; of few that vary all."""
    # also for the sake of the loess of seurat_v3, which ends the process where it has no data
    if varying.sum() <= N_TOP:
        return varying, f"{varying.sum()} of {len(varying)} features vary, no more than {N_TOP}: all of these are kept"
    kept = np.zeros(len(varying), dtype=bool)
    kept[detected] = choose()  # what no sample holds has no bin of its own to vary in
    return kept, f"{kept.sum()} of {len(kept)} features are kept"


def _seurat(moments: Moments, detected: np.ndarray) -> tuple[np.ndarray, str]:
    """As scanpy's flavour: the logarithm of variance over mean, standardised among features of like mean."""
    mean, variance = moments.mean, _scanpy_variance(moments)

    def choose() -> np.ndarray:
        with np.errstate(divide="ignore"):
            dispersion = np.log(variance[detected] / mean[detected])
        dispersion[variance[detected] == 0] = np.nan
        table = pd.DataFrame({"dispersion": dispersion})
        grouped = table.groupby(pd.cut(np.log1p(mean[detected]), bins=N_BINS), observed=True)["dispersion"]
        middle, spread = grouped.transform("mean"), grouped.transform("std")
        alone = spread.isna()  # in its bin
        return _highest((dispersion - middle.where(~alone, 0)) / spread.where(~alone, middle))

    return _chosen(variance > 0, detected, choose)


def _cell_ranger(moments: Moments, detected: np.ndarray) -> tuple[np.ndarray, str]:
    """As scanpy's flavour: variance over mean, by the median and its deviation among features of like mean."""
    mean, variance = moments.mean, _scanpy_variance(moments)

    def choose() -> np.ndarray:
        from scipy.special import ndtri

        dispersion = pd.Series(variance[detected] / mean[detected])
        ends = np.r_[-np.inf, np.percentile(mean[detected], np.arange(10, 105, 5)), np.inf]
        bins = pd.cut(mean[detected], bins=ends)
        away = dispersion - dispersion.groupby(bins, observed=True).transform("median")
        return _highest(away / (away.abs().groupby(bins, observed=True).transform("median") / ndtri(0.75)))

    return _chosen(variance > 0, detected, choose)


def _highest(values: pd.Series) -> np.ndarray:
    """Mark the `N_TOP` highest, and what is as high as the last of them; NaN is lowest."""
    known = np.sort(values[values.notna()])
    return np.nan_to_num(values.to_numpy(), nan=-np.inf) >= known[-min(N_TOP, len(known))]


def _seurat_v3(seen: _Seen, counts: Any) -> tuple[np.ndarray, str]:
    """As scanpy's flavour: variance of counts standardised by what a loess expects of their mean, and clipped."""
    n, mean, variance = seen.moments[0].n, seen.moments[0].mean, _scanpy_variance(seen.moments[0])
    detected = seen.detected

    def choose() -> np.ndarray:
        from skmisc.loess import loess

        varying = detected & (variance > 0)
        model = loess(np.log10(mean[varying]), np.log10(variance[varying]), span=SPAN, degree=2)
        model.fit()
        expected = np.ones(len(mean))
        expected[varying] = 10**model.outputs.fitted_values
        most = np.sqrt(expected) * np.sqrt(n) + mean
        clipped = Moments(len(mean), keep=("squares",))
        for _, block in blocks(counts):
            block = sp.csr_matrix(block, dtype=np.float32)
            values = np.minimum(np.rint(block.data).astype(np.float64), most[block.indices])
            clipped.update(with_values(block, values))
        standard = (n * mean**2 + clipped.square_sum - 2 * clipped.sum * mean) / ((n - 1) * expected)
        return np.argsort(np.argsort(-standard[detected])) < N_TOP

    return _chosen(variance > 0, detected, choose)


def _share_in_components(X) -> tuple[np.ndarray, str]:
    import anndata
    import scanpy

    adata = anndata.AnnData(X.astype(np.float32, copy=False))
    scanpy.pp.pca(adata, n_comps=N_COMPONENTS, random_state=0)
    variance = _variance(X)
    within = adata.varm["PCs"].astype(np.float64) ** 2 @ adata.uns["pca"]["variance"].astype(np.float64)
    share = np.divide(within, variance, out=np.full(len(variance), np.nan), where=variance > 0)
    share = np.clip(share, 0.0, 1.0)
    low = int((share < MIN_SHARE).sum() + np.isnan(share).sum())
    return share, f"{low} of {len(share)} features have less than {MIN_SHARE:.0%} of their variance in the components"


def _tried(choose: Callable[..., tuple[np.ndarray, str]], *arguments) -> tuple[np.ndarray | None, str]:
    """Make a choice; where its method fails on these data, say with what words."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return choose(*arguments)
    except Exception as error:  # any: the method is another's, and what it refuses varies from data to data
        return None, f"the method failed on these data: {type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _no_logs(seen: _Seen, logarithms: bool) -> str:
    """Say why values cannot be taken for logarithms; nothing where they can."""
    if seen.lowest < 0:
        lowest = f"{seen.lowest:.3g}"
        return f"needs logarithms of counts; the values go down to {lowest}, so they were centred or scaled before"
    if not logarithms and seen.highest >= LARGEST_LOG:
        return f"needs logarithms of counts; the values go up to {seen.highest:.3g} and were not normalised"
    return ""


def _no_counts(seen: _Seen, estimated: bool) -> str:
    """Say why values are no counts; nothing where they are."""
    if seen.lowest < 0:
        return f"needs counts; the values go down to {seen.lowest:.3g}"
    if seen.broken is not None and not estimated:
        return f"needs counts; the values that were read hold {seen.broken:.4g}, which is none"
    return ""


def _variance(X) -> np.ndarray:
    """Variance of each column (n - 1), without making `X` dense."""
    if not sp.issparse(X):
        return np.asarray(X, dtype=np.float64).var(0, ddof=1)
    mean = np.asarray(X.mean(0, dtype=np.float64)).ravel()
    square = X.copy()
    square.data = square.data.astype(np.float64) ** 2
    return np.maximum((np.asarray(square.mean(0)).ravel() - mean**2) * X.shape[0] / (X.shape[0] - 1), 0.0)
