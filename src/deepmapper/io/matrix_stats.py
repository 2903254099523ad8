"""One pass over a matrix that checks its values and sums its rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from ..core.blocks import Matrix
from ..core.words import count, percent
from ..errors import DeepMapperWarning, InputError

# Natural logarithms of counts stay far below this value; counts of a sequenced sample do not.
LARGEST_LOG = 30.0

# Kinds of bad values, and how they are recognised; the tolerance of 0.001 is chosen by hand.
_FAULTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "not finite": lambda values: ~np.isfinite(values),
    "negative": lambda values: values < 0,
    "not integer": lambda values: np.abs(values - np.rint(values)) > 1e-3,
}


@dataclass
class MatrixStats:
    """Statistics of a matrix that checks and normalisation need.

    Attributes
    ----------
    nnz, largest
        Number of stored values, and the largest of them.
    is_integer
        Whether all values are non-negative integers, exactly.
    totals, detected
        (n,) sum of every row, and its number of stored values.
    fractional, row_largest
        (n,) number of values of every row that are not integers, and its largest value.
    row_keys
        (n,) number that is equal for rows with the same values, and different for others.
    feature_totals
        (p,) sum of every column.
    faults
        For values that are "not finite", "negative" or "not integer" (by more than 0.001): row, column and value of the
        first one, and their number.
    """

    nnz: int
    largest: float
    is_integer: bool
    totals: np.ndarray
    detected: np.ndarray
    faults: dict[str, tuple[int, int, float, int]]
    fractional: np.ndarray
    row_largest: np.ndarray
    row_keys: np.ndarray
    feature_totals: np.ndarray


def scan(blocks: Iterable[tuple[slice, Any]]) -> MatrixStats:
    """Compute the statistics of a matrix from its row blocks, each of which is read once."""
    nnz, largest, is_integer = 0, -np.inf, True
    faults: dict[str, tuple[int, int, float, int]] = {}
    of_rows: dict[str, list[np.ndarray]] = {"totals": [], "fractional": [], "row_largest": [], "row_keys": []}
    detected = [np.empty(0, dtype=np.int64)]
    feature_totals = np.zeros(0)
    for place, X in blocks:
        is_sparse = sparse.issparse(X)
        values = X.data if is_sparse else X.reshape(-1)
        starts = X.indptr if is_sparse else np.arange(X.shape[0] + 1) * X.shape[1]
        fractional = np.zeros(X.shape[0], dtype=np.int64)
        with np.errstate(invalid="ignore"):  # infinity minus infinity
            for kind, is_bad in _FAULTS.items():
                bad = np.flatnonzero(is_bad(values))
                if not bad.size:
                    continue
                if is_sparse:
                    row, column = np.searchsorted(X.indptr, bad[0], side="right") - 1, X.indices[bad[0]]
                else:
                    row, column = divmod(bad[0], X.shape[1])
                new = place.start + int(row), int(column), float(values[bad[0]]), 0
                first_row, first_column, first_value, n = faults.get(kind, new)
                faults[kind] = first_row, first_column, first_value, n + len(bad)
                if kind == "not integer":
                    fractional = np.diff(np.searchsorted(bad, starts))
            if is_integer and values.size:
                is_integer = bool(values.min() >= 0 and (values == np.floor(values)).all())
            of_rows["row_keys"].append(sparse.csr_matrix(X) @ _weights(X.shape[1]))
        nnz += values.size
        largest = max(largest, float(values.max(initial=-np.inf)))
        of_rows["totals"].append(_flat(X.sum(axis=1, dtype=np.float64)))
        of_rows["fractional"].append(fractional)
        of_rows["row_largest"].append(_flat(X.max(axis=1)))
        detected.append(np.diff(X.indptr) if is_sparse else np.count_nonzero(X, axis=1))
        feature_totals = _flat(X.sum(axis=0, dtype=np.float64)) + (feature_totals if feature_totals.size else 0)
    joined = {name: np.concatenate([np.empty(0), *parts]) for name, parts in of_rows.items()}
    return MatrixStats(
        nnz, largest, is_integer, detected=np.concatenate(detected), faults=faults, feature_totals=feature_totals,
        **joined,
    )  # fmt: skip


def _weights(p: int) -> np.ndarray:
    """(p,) numbers of which different rows of a matrix have different weighted sums, but for a rare coincidence."""
    return np.modf(np.sin(np.arange(1, p + 1, dtype=np.float64)) * 43758.5453)[0] + 1.5


def _flat(X: Any) -> np.ndarray:
    """One value per row, or per column, as an array of one dimension."""
    return np.asarray(X.todense() if sparse.issparse(X) else X).ravel()


def stats_of(X: Matrix | MatrixStats) -> MatrixStats:
    """Return the statistics of a matrix in memory; statistics are returned as they are."""
    return X if isinstance(X, MatrixStats) else scan([(slice(0, X.shape[0]), X)])


def check_finite(
    X: Matrix | MatrixStats, source: str, names: Sequence[str], features: Sequence[str] | None = None
) -> None:
    """Refuse NaN and infinite values."""
    if fault := stats_of(X).faults.get("not finite"):
        row, column, value, n = fault
        feature = f"feature {features[column]!r}" if features is not None else f"column {column} (from 0)"
        raise InputError(
            f"{source}: found {count(n, 'NaN or infinite value')}, the first ({value}) in sample {names[row]!r}, "
            f"{feature}. Replace them in the source (a missing count is usually 0), or leave these samples out."
        )


def check_not_negative(X: Matrix | MatrixStats, names: Sequence[str], source: str, advice: str) -> None:
    """Refuse negative values; `advice` ends the message."""
    if fault := stats_of(X).faults.get("negative"):
        row, column, value, n = fault
        raise InputError(
            f"{source}: found {count(n, 'negative value')}, expected counts; the first is {value:g} in sample "
            f"{names[row]!r}, column {column} (from 0). {advice}"
        )


def check_counts(
    X: Matrix | MatrixStats,
    names: Sequence[str],
    source: str,
    advice: str,
    fractions_allowed: bool = True,
    logs_allowed: bool = False,
) -> None:
    """Refuse values that cannot be counts, and warn about counts that are not integers; `advice` ends the message."""
    stats = stats_of(X)
    check_not_negative(stats, names, source, advice)
    fault = stats.faults.get("not integer")
    if not fault:
        return
    row, column, value, n = fault
    share = n / stats.nnz
    message = (
        f"{source}: found {count(n, 'non-integer value')} ({percent(share, 1)} of the nonzero values), expected "
        f"counts; the first is {value:g} in sample {names[row]!r}, column {column} (from 0)"
    )
    looks_like_logs = stats.largest < LARGEST_LOG and share > 0.1
    if not fractions_allowed or (looks_like_logs and not logs_allowed):
        raise InputError(f"{message}, the largest is {stats.largest:g}. {advice}")
    warnings.warn(f"{message}. They are used unchanged.", DeepMapperWarning, stacklevel=3)
