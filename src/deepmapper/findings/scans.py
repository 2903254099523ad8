"""Sums of every feature over some samples, from which statistics are computed: one scan a shard, merged exactly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..core.blocks import MappedRows, blocks
from ..core.files import atomic_write
from ..core.moments import Moments, with_values
from ..core.variable_features import clip
from ..features.store import Features
from ..io.expression import Expression

# Values of one feature that are kept in each part of a scan, by the name in the file.
_OF_VALUES, _OF_COUNTS = "values", "counts"


@dataclass(frozen=True, eq=False)
class Scan:
    """What one reading of some samples says about every feature.

    Attributes
    ----------
    values
        Deviations and numbers of nonzero values, of the values that are analysed.
    counts
        Sums of squares of the rounded counts behind them: of all samples, then of each batch if there are several.
    lowest
        Smallest count, at most 0.
    fraction
        The first count that is not a whole number; NaN if all are whole.
    """

    values: Moments
    counts: tuple[Moments, ...]
    lowest: float
    fraction: float


def scan_samples(features: Features, expression: Expression, first: int = 0, last: int | None = None) -> Scan:
    """Scan the samples of the development part that are in some rows of the expression matrix.

    Parameters
    ----------
    features
        Features of the run.
    expression
        The matrix from which they were prepared.
    first, last
        Rows of the matrix: the first, and the one after the last; None for the end.
    """
    stored = expression.rows_of(features.names_of(features.development))
    inside = (stored >= first) & (stored < (len(expression.obs) if last is None else last))
    batches = batches_of(features)
    values = value_moments(features.X, features.development[inside])
    own = None if batches is None else batches[inside]
    n_sums = 1 if batches is None else 2 + int(batches.max())
    counts, lowest, fraction = sum_counts(MappedRows(expression.X, stored[inside]), own, n_sums)
    return Scan(values, tuple(counts), lowest, fraction)


def batches_of(features: Features) -> np.ndarray | None:
    """Codes (0, 1, ...) of the groups of the development part; None with a single one."""
    if features.groups is None:
        return None
    groups, codes = np.unique(features.groups[features.development], return_inverse=True)
    return codes if len(groups) > 1 else None


def value_moments(X: Any, rows: np.ndarray) -> Moments:
    """Sum the values of some rows (ascending) of a matrix."""
    moments = Moments(X.shape[1], keep=("deviations", "nonzero"))
    for _, block in blocks(X, rows):
        moments.update(block)
    return moments


def sum_counts(counts: Any, batches: np.ndarray | None, n_sums: int) -> tuple[list[Moments], float, float]:
    """Sums of all samples and of each batch; the lowest value, and the first that is not whole (else NaN)."""
    sums = [Moments(counts.shape[1], keep=("squares",)) for _ in range(n_sums)]
    lowest, fraction = 0.0, np.nan
    for place, block in blocks(counts):
        block = sp.csr_matrix(block, dtype=np.float32)
        lowest = min(lowest, float(block.data.min(initial=0.0)))
        fractions = block.data[block.data != np.rint(block.data)]
        if len(fractions) and np.isnan(fraction):
            fraction = float(fractions[0])
        add_counts(sums, block, None if batches is None else batches[place])
    return sums, lowest, fraction


def add_counts(
    sums: Sequence[Moments], block: sp.csr_matrix, batches: np.ndarray | None, limits: list | None = None
) -> None:
    """Add rows, rounded, to the sums of all samples and of their batches, clipped to the limits of each."""
    block = with_values(block, np.rint(block.data))
    parts = [(0, block)]
    if batches is not None:
        parts += [(1 + int(batch), block[batches == batch]) for batch in np.unique(batches)]
    for batch, rows in parts:
        sums[batch].update(rows if limits is None else clip(rows, limits[batch]))


def merge_scans(scans: Iterable[Scan]) -> Scan:
    """Merge scans of different samples of one run; the first is changed."""
    merged, *others = scans
    lowest, fraction = merged.lowest, merged.fraction
    for scan in others:
        merged.values.merge(scan.values)
        for mine, theirs in zip(merged.counts, scan.counts, strict=True):
            mine.merge(theirs)
        lowest = min(lowest, scan.lowest)
        fraction = scan.fraction if np.isnan(fraction) else fraction
    return Scan(merged.values, merged.counts, lowest, fraction)


def write_scan(path: str | Path, scan: Scan) -> None:
    """Write a scan as .npz, without pickles."""
    arrays: dict[str, Any] = {"lowest": scan.lowest, "fraction": scan.fraction, "n_counts": len(scan.counts)}
    parts = [(_OF_VALUES, scan.values), *((f"{_OF_COUNTS}{i}", moments) for i, moments in enumerate(scan.counts))]
    for name, moments in parts:
        arrays |= {f"{name}/{key}": array for key, array in moments.as_dict().items()}
    with atomic_write(path) as tmp, tmp.open("wb") as file:
        np.savez(file, **arrays)


def read_scan(path: str | Path) -> Scan:
    """Read what `write_scan` wrote."""
    with np.load(path, allow_pickle=False) as file:

        def moments(name: str) -> Moments:
            keys = [key for key in file.files if key.startswith(f"{name}/")]
            return Moments.from_dict({key.partition("/")[2]: file[key] for key in keys})

        counts = tuple(moments(f"{_OF_COUNTS}{i}") for i in range(int(file["n_counts"])))
        return Scan(moments(_OF_VALUES), counts, float(file["lowest"]), float(file["fraction"]))
