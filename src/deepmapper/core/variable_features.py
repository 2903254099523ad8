"""Highly variable features, flavours seurat_v3 and seurat_v3_paper: the arithmetic, from sums over blocks of samples.

Nothing here reads a matrix. A caller sums the counts of each batch once (`mean` and `variance`), fits the trend of the
variance (`fit_trend`), sums the clipped counts in a second reading (`clip`) and ranks the features (`rank_features`).

Source: Stuart et al. 2019 (doi 10.1016/j.cell.2019.05.031), as in ``scanpy.pp.highly_variable_genes``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..errors import InputError
from .moments import Moments, with_values

FLAVOURS = ("seurat_v3", "seurat_v3_paper")

# Features in a local fit: a parabola needs three, and the loess crashes the process without any.
_MIN_IN_FIT = 3


@dataclass(frozen=True, eq=False)
class Trend:
    """Variance of counts as a function of their mean, in one batch.

    Attributes
    ----------
    n
        Number of samples.
    mean
        (p,) means.
    expected
        (p,) variances expected from the means; 1 for a constant feature.
    limit
        (p,) values to which counts are clipped.
    """

    n: int
    mean: np.ndarray
    expected: np.ndarray
    limit: np.ndarray


def sample_variance(moments: Moments) -> np.ndarray:
    """Sample variance (p,) from sums of squares, exact for counts; 0 if it is within rounding error of 0.

    Sums of whole numbers do not depend on their order, so that features with the same counts have the same variance.
    """
    n, mean = moments.n, moments.mean
    variance = moments.square_sum / n - mean**2
    return np.where(variance > 1e-12 * mean**2, variance, 0.0) * (n / max(n - 1, 1))


def fit_trend(moments: Moments, span: float = 0.3, batch: str = "the matrix") -> Trend:
    """Fit the loess of log10 variance on log10 mean.

    Parameters
    ----------
    moments
        Sums and sums of squares of the counts of one batch.
    span
        Share of the features in each local fit.
    batch
        Where the counts are from, for messages.

    Raises
    ------
    InputError
        If there are too few features that vary, or the loess fails.
    """
    from skmisc.loess import loess

    n, mean, variance = moments.n, moments.mean, sample_variance(moments)
    varying = variance > 0
    if int(varying.sum() * span) < _MIN_IN_FIT:
        raise InputError(
            f"{batch}: {varying.sum()} of {len(mean)} features vary among {n} samples, expected at least "
            f"{math.ceil(_MIN_IN_FIT / span)} to find highly variable ones. Leave this batch out, or merge it with "
            "another."
        )
    expected = np.ones(len(mean))
    try:
        model = loess(np.log10(mean[varying]), np.log10(variance[varying]), span=span, degree=2)
        model.fit()
        expected[varying] = 10**model.outputs.fitted_values
    except ValueError as error:
        raise InputError(
            f"{batch}: the loess of variance on mean failed ({' '.join(str(error).split())[:200]}) on {n} samples. Use "
            f"a larger span than {span}, or merge this batch with another."
        ) from error
    return Trend(n, mean, expected, np.sqrt(expected) * np.sqrt(n) + mean)


def clip(block: Any, limit: np.ndarray) -> Any:
    """Return a CSR or dense block with values above the limit of their column set to it, as float64."""
    if not sp.issparse(block):
        return np.minimum(np.asarray(block, dtype=np.float64), limit)
    values = block.data.astype(np.float64)
    at = np.flatnonzero(values > limit.min())  # few; the limits of all others need not be looked up
    values[at] = np.minimum(values[at], limit[block.indices[at]])
    return with_values(block, values)


def standardised_variance(trend: Trend, clipped: Moments) -> np.ndarray:
    """Variance (p,) of the clipped counts about the mean of all counts, divided by the expected variance.

    Parameters
    ----------
    trend
        From `fit_trend`.
    clipped
        Sums and sums of squares of the clipped counts of the same samples.
    """
    about_mean = trend.n * trend.mean**2 + clipped.square_sum - 2 * clipped.sum * trend.mean
    return about_mean / ((trend.n - 1) * trend.expected)


def rank_features(
    variances: np.ndarray, names: Sequence[Any], n_top: int, flavor: str = "seurat_v3", min_batches: int = 0
) -> pd.DataFrame:
    """Rank the features over all batches.

    Parameters
    ----------
    variances
        (batches, p) standardised variances.
    names
        Names of the features.
    n_top
        Number of features to choose.
    flavor
        "seurat_v3" sorts by the median rank among the `n_top` of each batch, then by the number of batches;
        "seurat_v3_paper" the other way round. With one batch they are the same.
    min_batches
        Number of batches of whose `n_top` a chosen feature must be one.

    Returns
    -------
    pandas.DataFrame
        By feature, in the order of `names`: ``highly_variable``, ``highly_variable_rank`` (median rank from 0; NaN if
        it is among the `n_top` of no batch), ``highly_variable_nbatches``, ``variances_norm`` (mean over batches), and
        ``order`` (position by the flavour, from 0).

    Raises
    ------
    InputError
        If the flavour is unknown.
    """
    if flavor not in FLAVOURS:
        raise InputError(f"flavor={flavor!r}: expected one of {', '.join(FLAVOURS)}")
    ranks = np.argsort(np.argsort(-variances, axis=1), axis=1).astype(np.float32)
    is_top = ranks < n_top
    median = np.ma.median(np.ma.masked_array(ranks, mask=~is_top), axis=0).filled(np.nan)
    table = pd.DataFrame(
        {
            "highly_variable": False,
            "highly_variable_rank": median,
            "highly_variable_nbatches": is_top.sum(axis=0),
            "variances_norm": variances.mean(axis=0),
        },
        index=pd.Index(names),
    )
    by = [("highly_variable_rank", True), ("highly_variable_nbatches", False)]
    by = by if flavor == "seurat_v3" else by[::-1]
    plain = table.reset_index(drop=True)
    order = plain.sort_values([name for name, _ in by], ascending=[up for _, up in by], na_position="last").index
    table["order"] = np.argsort(order.to_numpy())
    enough = table["highly_variable_nbatches"].to_numpy() >= min_batches
    chosen = order[enough[order]][:n_top]
    table.iloc[chosen, 0] = True
    return table
