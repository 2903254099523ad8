"""Welch's t of every feature between every two classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from .values import Values

MAX_PAIRED_CLASSES = 12  # classes; of more, each is compared with all others together

_AS_IF = 4  # samples by which a variance is drawn to that of the feature, and of the features


@dataclass(frozen=True)
class Compared:
    """Features, or one draw of their shadows, compared between classes.

    Attributes
    ----------
    t
        (comparisons, p) Welch's t.
    mean, deviation
        (C, p) mean of each class; (p,) standard deviation within classes, 0 for a feature that does not vary.
    """

    t: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray


def class_moments(codes: tuple[int, ...], classes: Sequence[str]) -> str:
    return classes[codes[0]] if len(codes) == 1 else "the others"


def comparisons(present: np.ndarray) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Every two classes that there are; of many each against the others."""
    if len(present) <= MAX_PAIRED_CLASSES:
        return [((int(a),), (int(b),)) for a, b in combinations(present, 2)]
    return [((int(a),), tuple(int(b) for b in present if b != a)) for a in present]


def compare(
    values: Values, y: np.ndarray, n_classes: int, sides: Sequence, sources: Sequence[np.ndarray]
) -> list[Compared]:
    """Compare features between classes, and so their shadows: those of a draw are rows ``source`` of the features."""
    n, p = len(y), len(values.features)
    sizes = np.bincount(y, minlength=n_classes).astype(np.float64)
    # classes of shadows, seen from the rows that they come from
    member = np.zeros((len(sources) * n_classes, n), dtype=np.float32)
    for number, source in enumerate(sources):
        np.add.at(member, (number * n_classes + y, source), 1.0)
    total, square = np.empty((2, len(member), p))
    for place, block in values.blocks():
        total[:, place], square[:, place] = member @ block, member @ block**2
    found = []
    for number in range(len(sources)):
        own = slice(number * n_classes, (number + 1) * n_classes)
        found.append(_welch(total[own], square[own], sizes, sides))
    return found


def _welch(total: np.ndarray, square: np.ndarray, sizes: np.ndarray, sides: Sequence) -> Compared:
    """Welch's t from sums and sums of squares of every class, (C, p), its variances drawn to the usual ones."""
    n = sizes.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.nan_to_num(total / sizes[:, None])
    within = np.maximum(square.sum(0) - (sizes[:, None] * mean**2).sum(0), 0.0)
    free = max(n - (sizes > 0).sum(), 1)
    varies = within > 1e-9 * np.maximum(square.sum(0), 1e-12)
    usual = np.median(within[varies]) / free if varies.any() else 0.0
    of_feature = (within + _AS_IF * usual) / (free + _AS_IF)
    t = np.zeros((len(sides), total.shape[1]))
    for row, (one, other) in zip(t, sides, strict=True):
        parts = []
        for side in map(list, (one, other)):
            size = sizes[side].sum()
            middle = total[side].sum(0) / size
            around = np.maximum(square[side].sum(0) - size * middle**2, 0.0)
            parts.append((middle, (around + _AS_IF * of_feature) / (size - 1 + _AS_IF) / size))
        (a, spread_a), (b, spread_b) = parts
        error = np.sqrt(spread_a + spread_b)
        row[varies] = (a - b)[varies] / error[varies]
    return Compared(t, mean, np.where(varies, np.sqrt(within / n), 0.0))
