"""Which logarithm of which total the values of a matrix are, recognised by what its samples sum to.

Values that were scaled to the same total in every sample, and then logged, keep a trace of both: without the logarithm,
all samples have the same sum. With another base they differ, and so they do in a part of the features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..core.blocks import without_duplicates
from .matrix_stats import LARGEST_LOG

# Natural logarithm of the base of "logarithms of one plus a value" by its name, and the name of no logarithm.
BASES, LINEAR = {"e": 1.0, "2": float(np.log(2)), "10": float(np.log(10))}, "none"

# Totals that values are usually scaled to, in words.
_TOTALS = {
    1.0: "shares", 100.0: "percentages", 1e3: "counts per 1,000", 1e4: "counts per 10,000", 1e5: "counts per 100,000",
    1e6: "counts per million",
}  # fmt: skip

# Share of the samples whose sum has to be close to the total, and relative deviation up to which it is, chosen after
# measurements (benchmarks/README.md, New cells): for any total, and for a usual one, which leaves room for values
# rounded to two decimals. Relative difference below which two totals are the same.
NEARLY_ALL, TOLERANCE, TOLERANCE_OF_USUAL, SAME = 0.95, 1e-3, 1e-2, 2e-3

# With fewer samples than this, only a usual total is recognised, to within the lower deviation; with this many of which
# most differ under some base, that base is given up. Largest natural logarithm of a value under a base. Without a
# logarithm, values are as large as this, or have a usual total: logarithms of all genes of a tissue have about the same
# sum, too. All chosen by hand.
_FEW, _ENOUGH, _LARGEST = 10, 100, LARGEST_LOG


@dataclass(frozen=True)
class Units:
    """How the values of a matrix were scaled and logged.

    Attributes
    ----------
    base
        Base of the logarithm of one plus the scaled value: "e", "2" or "10"; "none" without a logarithm.
    total
        What the scaled values of every sample sum to.
    """

    base: str
    total: float

    def is_like(self, other: Units) -> bool:
        """Whether values in the other units need no conversion."""
        return self.base == other.base and abs(self.total / other.total - 1) <= SAME

    def undo(self, values: np.ndarray) -> np.ndarray:
        """Return the scaled values behind logarithms, in float64."""
        return _undone(values, self.base)

    def apply(self, scaled: np.ndarray) -> np.ndarray:
        """Return the logarithms of scaled values."""
        return scaled if self.base == LINEAR else np.log1p(scaled) / BASES[self.base]

    @property
    def words(self) -> str:
        """What the values are: ``natural logarithms of counts per 10,000``."""
        scaled = _TOTALS.get(self.total, f"counts scaled to a total of {self.total:,.6g}")
        if self.base == LINEAR:
            return f"{scaled} without a logarithm"
        return f"{'natural logarithms' if self.base == 'e' else f'logarithms to the base {self.base}'} of {scaled}"


class SumsOfSamples:
    """What the samples of a matrix sum to under every base, over all of its features; collected block by block.

    Attributes
    ----------
    n
        Number of samples so far.
    is_integer
        Whether all values are whole numbers.
    largest
        Largest value.
    negative
        Whether a value is below 0.
    """

    def __init__(self) -> None:
        self.n, self.is_integer, self.largest, self.negative = 0, True, 0.0, False
        self._sum, self._size = 0.0, 0.0
        self._sums: dict[str, list[np.ndarray]] = {name: [] for name in (*BASES, LINEAR)}

    def update(self, block: Any) -> None:
        """Take in further samples: (n, p), sparse or dense."""
        X = without_duplicates(block)
        self.n += X.shape[0]
        self.is_integer = self.is_integer and bool((X.data == np.rint(X.data)).all())
        self.largest = max(self.largest, float(X.data.max(initial=0)))
        self.negative = self.negative or bool(X.data.min(initial=0) < 0)
        self._sum += float(X.data.sum(dtype=np.float64))
        self._size += float(np.abs(X.data).sum(dtype=np.float64))
        for base in list(self._sums):
            if self.negative or not self.largest * BASES.get(base, 0.0) <= _LARGEST:
                del self._sums[base]
                continue
            scaled = sp.csr_matrix((_undone(X.data, base), X.indices, X.indptr), shape=X.shape)
            self._sums[base].append(np.asarray(scaled.sum(1)).ravel())
            if self.n >= _ENOUGH and _share_near(self._of(base), None, TOLERANCE_OF_USUAL) < 0.5:
                del self._sums[base]

    @property
    def is_centred(self) -> bool:
        """Whether the mean was taken off the features: values below 0 outweigh a good part of those above."""
        return self.negative and abs(self._sum) < 0.5 * self._size

    def are(self, units: Units) -> bool:
        """Whether nearly all samples have this total under this base."""
        sums = self._of(units.base)
        if self.is_integer or not len(sums) or abs(float(np.median(sums)) / units.total - 1) > SAME:
            return False
        return _share_near(sums, units.total, TOLERANCE_OF_USUAL) >= NEARLY_ALL

    def units(self) -> Units | None:
        """Base and total, if nearly all samples have the same total under one base and no other; None if not.

        Whole numbers are counts, and have none.
        """
        fitting = [units for base in self._sums if (units := self._under(base)) is not None]
        return fitting[0] if len(fitting) == 1 and not self.is_integer else None

    def _under(self, base: str) -> Units | None:
        """Base and total, if nearly all samples have the same under this base."""
        sums = self._of(base)
        if len(sums) < 2:
            return None
        total, many = float(np.median(sums)), len(sums) >= _FEW
        usual = next((known for known in _TOTALS if abs(total / known - 1) <= SAME), None)
        if usual is None and (not many or (base == LINEAR and self.largest < LARGEST_LOG)):
            return None
        units, tolerance = Units(base, usual or total), TOLERANCE if usual is None or not many else TOLERANCE_OF_USUAL
        return units if _share_near(sums, units.total, tolerance) >= NEARLY_ALL else None

    def _of(self, base: str) -> np.ndarray:
        """Sums under a base of the samples that have values; none if the base was given up."""
        sums = np.concatenate([np.empty(0), *self._sums.get(base, ())])
        return sums[sums != 0]


def _undone(values: np.ndarray, base: str) -> np.ndarray:
    values = values.astype(np.float64)
    with np.errstate(over="ignore"):
        return values if base == LINEAR else np.expm1(values * BASES[base])


def _share_near(sums: np.ndarray, total: float | None, tolerance: float) -> float:
    """Share of the sums that are close to a total, None for their median; 0 if there are none."""
    if not len(sums):
        return 0.0
    with np.errstate(invalid="ignore"):  # infinite values are refused by those who read them
        total = float(np.median(sums)) if total is None else total
        return float((np.abs(sums / total - 1) <= tolerance).mean())
