"""What many passes agree on: the mean slope of each class with each feature, and scales that make slopes comparable."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..errors import InputError
from ..passes.result import PassFile, PassResult

_STRATUM = 100  # features of similar mean value that are standardised together

_MAX_STRATA = 50


def between_classes(slope: np.ndarray) -> np.ndarray:
    """(C, p) slopes minus their mean over the classes; classes without a value (NaN) count as the mean."""
    seen = ~np.isnan(slope).any(axis=1)
    centred = np.zeros(slope.shape)
    if seen.any():
        centred[seen] = slope[seen] - slope[seen].mean(0, dtype=np.float64)
    return centred


def mean_slopes(passes: Iterable[PassResult | PassFile]) -> tuple[np.ndarray, int]:
    """Mean over passes of the slopes between classes, (C, p), and the number of passes."""
    total, n = np.zeros(()), 0
    for result in passes:
        total, n = total + between_classes(result.class_gradient), n + 1
    return total / n, n


def mean_slopes_by_draw(shadow_passes: Iterable[PassResult | PassFile]) -> tuple[np.ndarray, np.ndarray, int]:
    """Consensus of passes with shadows: of the features, (C, p); of the shadows of each draw, (draws, C, p)."""
    features, n = np.zeros(()), 0
    totals: dict[int, np.ndarray] = {}
    times: dict[int, int] = {}
    for result in shadow_passes:
        features, n = features + between_classes(result.class_gradient), n + 1
        part = result.shadows
        if part is None:
            raise InputError(f"pass {result.seed} read no shadow features: expected passes of `train_shadow_pass`")
        draw = part.draw
        totals[draw] = totals.get(draw, 0) + between_classes(part.class_gradient)
        times[draw] = times.get(draw, 0) + 1
    return features / n, np.stack([totals[draw] / times[draw] for draw in totals]), n


def comparable_scales(
    found: np.ndarray, beside: np.ndarray, draws: np.ndarray, mean_value: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find what makes slopes comparable, among features of similar mean value and class by class.

    Parameters
    ----------
    found
        (C, p) consensus of the passes without shadows.
    beside
        (C, p) that of the same features beside shadows.
    draws
        (draws, C, p) that of the shadows.
    mean_value
        (p,) what is similar.

    Returns
    -------
    tuple
        (C, p) factors: from slopes without shadows to slopes beside them, and from these to root mean squares of
        shadows; 0 where there are only zeros.
    """
    ratio, scale = np.zeros_like(found), np.zeros_like(found)
    order = np.argsort(mean_value, kind="stable")
    for members in np.array_split(order, min(max(1, len(order) // _STRATUM), _MAX_STRATA)):
        size = np.sqrt((draws[:, :, members] ** 2).mean(axis=(0, 2)))
        for code in np.flatnonzero(size > 0):
            ratio[code, members] = _ratio(beside[code, members], found[code, members])
            scale[code, members] = 1 / size[code]
    return ratio, scale


def limit_ranks(values: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Lower the r-th largest of the values to the r-th largest of the limits, where it is above."""
    held = np.empty(len(values))
    order = np.argsort(values, kind="stable")
    held[order] = np.minimum(values[order], np.sort(limits))
    return held


def _ratio(beside: np.ndarray, alone: np.ndarray) -> float:
    """Ratio of median sizes, over features that are not zero in both; 0 where there are none."""
    both = (beside != 0) & (alone != 0)
    return float(np.median(np.abs(beside[both])) / np.median(np.abs(alone[both]))) if both.any() else 0.0


def root_mean_square(z: np.ndarray) -> np.ndarray:
    """Root mean square over classes, of (..., C, p)."""
    return np.sqrt((z**2).mean(axis=-2))
