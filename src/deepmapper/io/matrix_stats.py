"""One pass over a matrix that checks its values and adds up its totals."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from ..core.blocks import Matrix
from ..errors import DeepMapperWarning, InputError

# Logarithms of counts stay far below this value, counts of a sequenced sample do not.
LARGEST_LOG = 30.0

_FAULTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "not finite": lambda values: ~np.isfinite(values),
    "negative": lambda values: values < 0,
    "not whole": lambda values: np.abs(values - np.rint(values)) > 1e-3,
}


@dataclass
class MatrixStats:
    """What checks and normalisation need to know of a matrix.

    Attributes
    ----------
    nnz, largest
        Values that are stored, and the largest of them.
    whole
        Whether no value is negative and all are whole numbers, exactly.
    totals, detected
        (n,) sum of every row, and number of its stored values.
    faults
        Of values that are "not finite", "negative" or "not whole" (by more than 0.001): row and column of the first,
        its value, and how many there are.
    """

    nnz: int
    largest: float
    whole: bool
    totals: np.ndarray
    detected: np.ndarray
    faults: dict[str, tuple[int, int, float, int]]


def scan(blocks: Iterable[tuple[slice, Any]]) -> MatrixStats:
    """Read all blocks once."""
    nnz, largest, whole = 0, -np.inf, True
    faults: dict[str, tuple[int, int, float, int]] = {}
    totals, detected = [np.empty(0)], [np.empty(0, dtype=np.int64)]
    for place, X in blocks:
        is_sparse = sparse.issparse(X)
        values = X.data if is_sparse else X.reshape(-1)
        with np.errstate(invalid="ignore"):  # infinite less infinite
            for what, is_bad in _FAULTS.items():
                bad = np.flatnonzero(is_bad(values))
                if not bad.size:
                    continue
                if is_sparse:
                    row, column = np.searchsorted(X.indptr, bad[0], side="right") - 1, X.indices[bad[0]]
                else:
                    row, column = divmod(bad[0], X.shape[1])
                found = place.start + int(row), int(column), float(values[bad[0]]), 0
                faults[what] = (*(faults.get(what, found))[:3], faults.get(what, found)[3] + len(bad))
            if whole and values.size:
                whole = bool(values.min() >= 0 and (values == np.floor(values)).all())
        nnz += values.size
        largest = max(largest, float(values.max(initial=-np.inf)))
        totals.append(np.asarray(X.sum(axis=1, dtype=np.float64)).ravel())
        detected.append(np.diff(X.indptr) if is_sparse else np.count_nonzero(X, axis=1))
    return MatrixStats(nnz, largest, whole, np.concatenate(totals), np.concatenate(detected), faults)


def surveyed(X: Matrix | MatrixStats) -> MatrixStats:
    return X if isinstance(X, MatrixStats) else scan([(slice(0, X.shape[0]), X)])


def check_finite(
    X: Matrix | MatrixStats, where: str, names: Sequence[str], features: Sequence[str] | None = None
) -> None:
    """Refuse NaN and infinite values."""
    if found := surveyed(X).faults.get("not finite"):
        row, column, value, count = found
        feature = repr(features[column]) if features is not None else f"{column} (from 0)"
        raise InputError(
            f"{where}: {count} values are NaN or infinite; the first is {value} in sample {names[row]!r}, feature "
            f"{feature}. Replace them in the source (a missing count is usually 0), or leave the samples out."
        )


def check_not_negative(X: Matrix | MatrixStats, names: Sequence[str], where: str, way_out: str) -> None:
    """Refuse negative values."""
    if found := surveyed(X).faults.get("negative"):
        row, column, value, count = found
        raise InputError(
            f"{where}: counts are expected, but {count} values are negative; the first is {value:g} in sample "
            f"{names[row]!r}, column {column} (from 0). {way_out}"
        )


def check_counts(
    X: Matrix | MatrixStats,
    names: Sequence[str],
    where: str,
    way_out: str,
    fractions_allowed: bool = True,
    logs_allowed: bool = False,
) -> None:
    """Refuse what cannot be counts; warn of counts that are not integers."""
    seen = surveyed(X)
    check_not_negative(seen, names, where, way_out)
    found = seen.faults.get("not whole")
    if not found:
        return
    row, column, value, count = found
    share = count / seen.nnz
    message = (
        f"{where}: counts are expected, but {count} values ({share:.1%} of those that are not 0) are not integers; the "
        f"first is {value:g} in sample {names[row]!r}, column {column} (from 0)"
    )
    looks_like_logs = seen.largest < LARGEST_LOG and share > 0.1
    if not fractions_allowed or (looks_like_logs and not logs_allowed):
        raise InputError(f"{message}, the largest is {seen.largest:g}. {way_out}")
    warnings.warn(f"{message}. They are used as they are.", DeepMapperWarning, stacklevel=3)
