"""Normalisation of counts: per 10,000, by the median depth, logarithms, or none."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from ..core.blocks import MappedRows, Matrix
from ..core.words import did_you_mean, some
from ..errors import DeepMapperWarning, InputError
from .matrix_stats import MatrixStats, check_counts, check_finite, check_not_negative, scan, surveyed

NORMALIZATIONS = ("none", "log1p_median", "log1p_cp10k", "log1p_cpm", "log1p_tpm")


def normalize_matrix(
    X: Matrix,
    method: str,
    layer_tpm: Matrix | None = None,
    target_sum: float = 1e4,
    names: Sequence[str] | None = None,
    typical: np.ndarray | None = None,
) -> sparse.csr_matrix:
    """Normalise a matrix sample by sample, without making it dense.

    Parameters
    ----------
    X
        Values, samples x features.
    method
        "none" (as they are), "log1p_median" (each sample scaled to the median total of the typical, then log1p),
        "log1p_cp10k" (scaled to ``target_sum``), "log1p_cpm" (scaled to one million) or "log1p_tpm" (log1p of
        ``layer_tpm``).
    layer_tpm
        Transcripts per million, in the shape of ``X``; needed for "log1p_tpm" only.
    target_sum
        Total of a sample after scaling with "log1p_cp10k", in counts.
    names
        Names of the samples, for messages.
    typical
        Rows over which "log1p_median" takes its median, those without counts left out; None for all.

    Returns
    -------
    csr_matrix
        float32, in the shape of ``X``. A sample without any count stays zero.

    Raises
    ------
    InputError
        The method is unknown, a value is negative, NaN or infinite, or the values look like logarithms already
        (all below 30 and more than a tenth of them not integers).

    Warns
    -----
    DeepMapperWarning
        Counts are not integers (as Salmon's estimates are not), or samples have no counts.

    """
    return normalised(X, method, layer_tpm, target_sum, names, typical=typical)[0].to_memory()


def normalised(
    X: Any,
    method: str,
    layer_tpm: Any = None,
    target_sum: float = 1e4,
    names: Sequence[str] | None = None,
    rows: np.ndarray | None = None,
    typical: np.ndarray | None = None,
) -> tuple[MappedRows, MatrixStats]:
    """Check a matrix in one reading, and normalise it whenever its blocks are read.

    Parameters
    ----------
    X, layer_tpm
        Sources of `blocks`.
    method, target_sum, names
        As in `normalize_matrix`, with its errors and warnings.
    rows
        The rows to take, rising; None for all.
    typical
        As in `normalize_matrix`, counted within `rows`.

    Returns
    -------
    tuple
        The normalised rows, and what was seen of the values that they are made from.
    """
    if method not in NORMALIZATIONS:
        raise InputError(
            f"The normalization {method!r} is unknown.{did_you_mean(method, NORMALIZATIONS)} "
            f"Known: {', '.join(NORMALIZATIONS)}."
        )
    if method == "log1p_tpm":
        if layer_tpm is None:
            raise InputError(
                "The normalization log1p_tpm needs transcripts per million, but the matrix has no layer 'tpm'; "
                "use log1p_median on counts."
            )
        if layer_tpm.shape != X.shape:
            raise InputError(f"The layer 'tpm' has the shape {layer_tpm.shape}, the matrix has {X.shape}.")
        X = layer_tpm
    raw = MappedRows(X, rows, lambda block, _: _canonical(block))
    names = [f"row {i}" for i in range(raw.shape[0])] if names is None else names
    if len(names) != raw.shape[0]:
        raise InputError(f"The matrix has {raw.shape[0]} rows, but {len(names)} names are given.")
    seen = scan(raw.blocks())
    check_finite(seen, "The matrix", names)
    if method == "none":
        return replace(raw, nnz=seen.nnz), seen
    if method == "log1p_tpm":
        check_not_negative(seen, names, "The layer 'tpm'", _OTHER_VALUES)
        return MappedRows(X, rows, lambda block, _: _canonical(block).log1p(), seen.nnz), seen
    check_counts(seen, names, "The matrix", _OTHER_VALUES)
    if method == "log1p_median":
        target_sum = _median_total(seen.totals if typical is None else seen.totals[typical])
    scale = _scales(seen.totals, 1e6 if method == "log1p_cpm" else target_sum, names)
    return MappedRows(X, rows, lambda block, place: _log1p_scaled(_canonical(block), scale[place]), seen.nnz), seen


def _canonical(X: Any) -> sparse.csr_matrix:
    """Return float32 CSR with every place once; the matrix that was given stays as it is."""
    X = sparse.csr_matrix(X, dtype=np.float32)
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


PASS_FALSE = "Pass normalize=False if the values are normalised already."

_OTHER_VALUES = "Set normalization to none if they are normalised already, or read another layer which holds counts."


def _median_total(totals: np.ndarray) -> float:
    """Median of the totals above 0, so that the 1 of log1p is about one count; 1 where there are none."""
    return float(np.median(totals[totals > 0])) if (totals > 0).any() else 1.0


def _scales(totals: np.ndarray, target_sum: float, names: Sequence[str]) -> np.ndarray:
    """Factor that brings every row to the target sum, float32; a row without counts stays zero, with a warning."""
    if not (np.isfinite(target_sum) and target_sum > 0):
        raise InputError(f"target_sum is {target_sum}; a total above 0 is expected, for example 10000.")
    empty = np.flatnonzero(totals == 0)
    if empty.size:
        warnings.warn(
            f"{empty.size} of {len(totals)} samples have no counts ({some([names[i] for i in empty[:4]])}); "
            "their values stay 0.",
            DeepMapperWarning,
            stacklevel=3,
        )
    return np.divide(target_sum, totals, out=np.zeros_like(totals), where=totals > 0).astype(np.float32)


def log1p_counts(X: sparse.csr_matrix, target_sum: float, names: Sequence[str]) -> sparse.csr_matrix:
    """Scale each row to the target sum and take log1p."""
    return _log1p_scaled(X, _scales(surveyed(X).totals, target_sum, names))


def _log1p_scaled(X: sparse.csr_matrix, scale: np.ndarray) -> sparse.csr_matrix:
    """Scale each row by its factor and take log1p."""
    scaled = X.copy()
    scaled.data *= np.repeat(scale, np.diff(scaled.indptr))
    np.log1p(scaled.data, out=scaled.data)
    return scaled
