"""The usual filters of features: highly variable features as scanpy chooses them, and principal components.

The flavours are computed from sums over blocks of samples, so the matrix need not fit into memory. A filter gives the
features that it keeps and a note on what it did.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.blocks import MappedRows, blocks
from ..core.moments import Moments, with_values
from ..core.variable_features import sample_variance
from ..core.words import percent
from ..features.levels import subsample_rows

N_TOP = 2000  # features that a flavour keeps; the default of Seurat

N_COMPONENTS = 50  # principal components; the default of scanpy

N_BINS = 20  # bins of the mean in flavour seurat; the default of scanpy

# Share of a feature's variance within the components below which the feature counts as lost; chosen by hand.
MIN_SHARE = 0.1


@dataclass
class MatrixScan:
    """What the filters need from one reading of a matrix.

    Attributes
    ----------
    lowest, highest
        Of all values, zeros included.
    detected
        (p,) whether any sample has the feature.
    moments
        Sums and sums of squares of the values, for each transformation that was asked for.
    """

    lowest: float
    highest: float
    detected: np.ndarray
    moments: list[Moments]


def identity(values: np.ndarray) -> np.ndarray:
    """No transformation, for `scan_matrix`."""
    return values


def scan_matrix(source: Any, rows: np.ndarray | None, *transforms: Callable[[np.ndarray], np.ndarray]) -> MatrixScan:
    """Read a source of blocks once, and sum the values after each transformation; transformations must keep zeros."""
    p = source.shape[1]
    scan = MatrixScan(0.0, 0.0, np.zeros(p, dtype=bool), [Moments(p, keep=("squares",)) for _ in transforms])
    for _, block in blocks(source, rows):
        block = sp.csr_matrix(block, dtype=np.float32)
        scan.lowest = min(scan.lowest, float(block.data.min(initial=0.0)))
        scan.highest = max(scan.highest, float(block.data.max(initial=0.0)))
        scan.detected[block.indices[block.data != 0]] = True
        for transform, moments in zip(transforms, scan.moments, strict=True):
            with np.errstate(over="ignore"):  # values that overflow are no logarithms, and are refused as such
                moments.update(with_values(block, transform(block.data)))
    return scan


def try_filter(choose: Callable[..., tuple[np.ndarray, str]], *arguments) -> tuple[np.ndarray | None, str]:
    """Apply a filter; if its method fails on these data, give None and the error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return choose(*arguments)
    except Exception as error:  # any error: the methods are from other packages, which refuse data in many ways
        return None, f"the method failed on these data: {type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _keep_variable(
    varying: np.ndarray, detected: np.ndarray, choose: Callable[[], np.ndarray]
) -> tuple[np.ndarray, str]:
    """Keep the detected features that `choose` marks, or all that vary if they are no more than `N_TOP`."""
    if varying.sum() <= N_TOP:
        return varying, f"{varying.sum()} of {len(varying)} features vary, no more than {N_TOP}: all of these are kept"
    kept = np.zeros(len(varying), dtype=bool)
    kept[detected] = choose()  # features without any counts would distort the bins of the others
    return kept, f"{kept.sum()} of {len(kept)} features are kept"


def seurat(moments: Moments, detected: np.ndarray) -> tuple[np.ndarray, str]:
    """Flavour seurat of scanpy: the log of variance over mean, standardised among features of similar mean."""
    mean, variance = moments.mean, sample_variance(moments)

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


def cell_ranger(moments: Moments, detected: np.ndarray) -> tuple[np.ndarray, str]:
    """Flavour cell_ranger of scanpy: variance over mean, relative to median and MAD among features of similar mean."""
    mean, variance = moments.mean, sample_variance(moments)

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


def seurat_v3(ranks: np.ndarray) -> tuple[np.ndarray, str]:
    """Flavour seurat_v3 of scanpy: the first features by rank, NaN for one that does not vary."""
    varying = ~np.isnan(ranks)
    return _keep_variable(varying, varying, lambda: ranks[varying] <= N_TOP)


def component_shares(X, rows: np.ndarray, moments: Moments) -> tuple[np.ndarray, str]:
    """Share of every feature's variance within the principal components, NaN if unknown or constant; and a note."""
    n, p = len(rows), X.shape[1]
    if min(n - 1, p) <= N_COMPONENTS:
        share = np.where(sample_variance(moments) > 0, 1.0, np.nan)
        return share, f"{n} samples of {p} features have no more than {N_COMPONENTS} components: all is kept"
    drawn, sampling_note = subsample_rows(X, rows)
    computed, note = try_filter(_share_in_components, MappedRows(X, drawn).to_memory())
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
    few = f"{n_low} of {len(share)} features have less than {percent(MIN_SHARE, 0)}"
    return share, f"{few} of their variance in the components"


def _variance(X) -> np.ndarray:
    """Sample variance of each column, without making `X` dense."""
    if not sp.issparse(X):
        return np.asarray(X, dtype=np.float64).var(0, ddof=1)
    mean = np.asarray(X.mean(0, dtype=np.float64)).ravel()
    square = X.copy()
    square.data = square.data.astype(np.float64) ** 2
    return np.maximum((np.asarray(square.mean(0)).ravel() - mean**2) * X.shape[0] / (X.shape[0] - 1), 0.0)
