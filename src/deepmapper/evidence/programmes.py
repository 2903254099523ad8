"""Gene programmes: weak features supported by correlated features that differ in the same way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .compare import Compared
from .values import Values

_WEAK, _STRONG = 2.0, 5.0  # sizes of t from which, and up to which, a feature backs others the more

_BACKING = 0.5  # share of the backing that is counted, and of t that it may add or take


def _voices(t: np.ndarray) -> np.ndarray:
    """How much every feature says of the programme of a comparison, signed."""
    return np.sign(t) * (np.clip(np.abs(t), _WEAK, _STRONG) - _WEAK)


def programmes(values: Values, y: np.ndarray, found: Compared) -> np.ndarray:
    """Where every sample stands, within its class, on the features that differ in a comparison: (n, comparisons)."""
    scores = np.zeros((len(y), len(found.t)))
    voices = _voices(found.t)
    for place, block in values.blocks():
        block = (block - found.mean[:, place].astype(np.float32)[y]) * inverse(found.deviation[place]).astype(
            np.float32
        )
        scores += block @ voices[:, place].T.astype(np.float32)
    return scores


def back(
    values: Values, scores: np.ndarray, compared: Sequence[Compared], sources: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Correlate features, and shadows, with the programmes: (comparisons, p) each, signed by t, in standard errors.

    A feature's own share in the programme is taken off.
    """
    n = len(scores)
    lying = np.zeros((len(sources), *scores.shape))
    for row, source in zip(lying, sources, strict=True):
        np.add.at(row, source, scores)
    sums = [np.empty_like(found.t) for found in compared]
    turned = np.concatenate([row.T for row in lying]).astype(np.float32)
    for place, block in values.blocks():
        of_all = turned @ block
        for number, (total, found) in enumerate(zip(sums, compared, strict=True)):
            width = len(found.t)
            total[:, place] = of_all[number * width : (number + 1) * width] * inverse(found.deviation[place])
    spread = scores.std(0)[:, None]
    own = _voices(compared[0].t) * (compared[0].deviation > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return [
            np.nan_to_num(np.sign(found.t) * (total / n - (own if number == 0 else 0.0)) / spread * np.sqrt(n))
            for number, (total, found) in enumerate(zip(sums, compared, strict=True))
        ]


def backing_weights(t: np.ndarray, backing: np.ndarray) -> np.ndarray:
    """Size of t, with its backing: no more of that than of t itself."""
    size = np.abs(t)
    return size + _BACKING * np.clip(backing, -size, size)


def inverse(values: np.ndarray) -> np.ndarray:
    """One over each value; 0 for what is 0."""
    return np.divide(1.0, values, out=np.zeros(np.shape(values)), where=np.asarray(values) > 1e-9)
