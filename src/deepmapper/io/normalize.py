"""Normalisation of counts: scaling to 10,000, a million or the median total of a sample, and logarithms."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from ..core.blocks import MappedRows, Matrix, without_duplicates
from ..core.words import did_you_mean
from ..errors import DeepMapperWarning, InputError
from .matrix_stats import MatrixStats, check_counts, check_finite, check_not_negative, scan, stats_of
from .value_checks import advice, check_scale, common_total, empty_samples_note

NORMALIZATIONS = ("none", "log1p_median", "log1p_cp10k", "log1p_cpm", "log1p_tpm")

# Advice in error messages of the documented functions.
PASS_FALSE = "Pass normalize=False if the values are already normalised."


def normalize_matrix(
    X: Matrix,
    method: str,
    layer_tpm: Matrix | None = None,
    target_sum: float = 1e4,
    names: Sequence[str] | None = None,
    reference: np.ndarray | None = None,
) -> sparse.csr_matrix:
    """Normalise a matrix sample by sample, without making it dense.

    Parameters
    ----------
    X
        Values, samples x features.
    method
        "none" (unchanged), "log1p_median" (each sample scaled to the median total of the reference samples, then
        log1p), "log1p_cp10k" (scaled to ``target_sum``, then log1p), "log1p_cpm" (scaled to one million, then log1p) or
        "log1p_tpm" (log1p of ``layer_tpm``).
    layer_tpm
        Transcripts per million, in the shape of ``X``; only for "log1p_tpm".
    target_sum
        Total of a sample after scaling with "log1p_cp10k", in counts.
    names
        Names of the samples, for messages.
    reference
        Indices of the reference samples, over which "log1p_median" takes the median of the totals above 0; None for
        all.

    Returns
    -------
    csr_matrix
        float32, in the shape of ``X``. A sample without counts stays zero.

    Raises
    ------
    InputError
        If the method is unknown, a value is negative, NaN or infinite, or the values look like logarithms (all below
        30, and more than a tenth of them not integers).

    Warns
    -----
    DeepMapperWarning
        If counts are not integers (Salmon's estimates are not), or samples have no counts.

    """
    return normalize_lazily(X, method, layer_tpm, target_sum, names, reference=reference)[0].to_memory()


def normalize_lazily(
    X: Any,
    method: str,
    layer_tpm: Any = None,
    target_sum: float = 1e4,
    names: Sequence[str] | None = None,
    rows: np.ndarray | None = None,
    reference: np.ndarray | None = None,
    layers_of_counts: Sequence[str] = (),
    median: float | None = None,
    million: float = 1e6,
    what_to_do: str = "",
    are_scaled_counts: bool = False,
) -> tuple[MappedRows, MatrixStats]:
    """Check a matrix in one pass, and return rows that are normalised whenever their blocks are read.

    Parameters
    ----------
    X, layer_tpm
        Matrices that `core.blocks.blocks` reads.
    method, target_sum, names
        As in `normalize_matrix`, with the same errors and warnings.
    rows
        Row indices, ascending; None for all rows.
    reference
        As in `normalize_matrix`, with positions among `rows`.
    layers_of_counts
        Further matrices of the same file that hold counts, for messages.
    median
        Total to which "log1p_median" scales, if it is known from other samples; None to take it from `reference`.
    million
        Total to which "log1p_cpm" scales; less than a million if features are known to be missing.
    what_to_do
        Advice on values that are not counts; "" for that on a configuration.
    are_scaled_counts
        Whether the values are known to be counts that were scaled, which have fractions and may be small.

    Returns
    -------
    tuple
        The normalised rows, and the statistics of the values before normalisation.
    """
    if method not in NORMALIZATIONS:
        raise InputError(
            f"normalization {method!r} is unknown.{did_you_mean(method, NORMALIZATIONS)} "
            f"Expected one of {', '.join(NORMALIZATIONS)}."
        )
    if method == "log1p_tpm":
        if layer_tpm is None:
            raise InputError(
                "normalization log1p_tpm needs transcripts per million, but the matrix has no layer 'tpm'. Use "
                "log1p_median on counts; if the matrix itself holds TPM, log1p_cpm, which leaves these as they are."
            )
        if layer_tpm.shape != X.shape:
            raise InputError(f"The layer 'tpm' has the shape {layer_tpm.shape}, expected {X.shape} as the matrix.")
        X = layer_tpm
    raw = MappedRows(X, rows, lambda block, _: _float32_csr(block))
    names = [f"row {i}" for i in range(raw.shape[0])] if names is None else names
    if len(names) != raw.shape[0]:
        raise InputError(f"Found {len(names)} names for {raw.shape[0]} rows of the matrix, expected one per row.")
    stats = scan(raw.blocks())
    check_finite(stats, "The matrix", names)
    what_to_do = what_to_do or advice(layers_of_counts)
    if method == "none":
        return replace(raw, nnz=stats.nnz), stats
    if method == "log1p_tpm":
        check_not_negative(stats, names, "The layer 'tpm'", what_to_do)
        return MappedRows(X, rows, lambda block, _: _float32_csr(block).log1p(), stats.nnz), stats
    if not are_scaled_counts:
        check_scale(stats, method)
        is_scaled = common_total(stats) is not None
        check_counts(stats, names, "The matrix", what_to_do, logs_allowed=is_scaled)
    if method == "log1p_median":
        reference_totals = stats.totals if reference is None else stats.totals[reference]
        target_sum = median_total(reference_totals) if median is None else median
    scale = _scales(stats.totals, million if method == "log1p_cpm" else target_sum, names)
    return MappedRows(X, rows, lambda block, place: _log1p_scaled(_float32_csr(block), scale[place]), stats.nnz), stats


def log1p_counts(X: sparse.csr_matrix, target_sum: float, names: Sequence[str]) -> sparse.csr_matrix:
    """Scale each row to the target sum, then take log1p."""
    return _log1p_scaled(X, _scales(stats_of(X).totals, target_sum, names))


def _float32_csr(X: Any) -> sparse.csr_matrix:
    return without_duplicates(sparse.csr_matrix(X, dtype=np.float32))


def median_total(totals: np.ndarray) -> float:
    """Median of the totals above 0, or 1 if there are none; with it the 1 in log1p is about one count."""
    return float(np.median(totals[totals > 0])) if (totals > 0).any() else 1.0


def _scales(totals: np.ndarray, target_sum: float, names: Sequence[str]) -> np.ndarray:
    """float32 factor that scales each row to the target sum; 0 for rows without counts, with a warning."""
    if not (np.isfinite(target_sum) and target_sum > 0):
        raise InputError(f"target_sum is {target_sum}, expected a number above 0, for example 10000.")
    empty = totals == 0
    if empty.any():
        warnings.warn(empty_samples_note(empty, names), DeepMapperWarning, stacklevel=3)
    return np.divide(target_sum, totals, out=np.zeros_like(totals), where=totals > 0).astype(np.float32)


def _log1p_scaled(X: sparse.csr_matrix, scale: np.ndarray) -> sparse.csr_matrix:
    """Scale each row by its factor, then take log1p."""
    scaled = X.copy()
    scaled.data *= np.repeat(scale, np.diff(scaled.indptr))
    np.log1p(scaled.data, out=scaled.data)
    return scaled
