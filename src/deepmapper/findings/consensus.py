"""What many passes agree on: mean gradients of the class scores by each feature, brought to comparable scales."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..errors import InputError
from ..passes.result import PassFile, PassResult

_STRATUM = 100  # features of similar mean value that are standardised together: enough for a stable root mean square

_MAX_STRATA = 50  # chosen by hand


def between_classes(gradient: np.ndarray) -> np.ndarray:
    """(C, p) gradients minus their mean over the classes; a class with any NaN gets 0, the mean."""
    known = ~np.isnan(gradient).any(axis=1)
    centred = np.zeros(gradient.shape)
    if known.any():
        centred[known] = gradient[known] - gradient[known].mean(0, dtype=np.float64)
    return centred


def mean_gradients(passes: Iterable[PassResult | PassFile]) -> tuple[np.ndarray, int]:
    """Mean over passes of the gradients between classes, (C, p), and the number of passes."""
    total, n = np.zeros(()), 0
    for result in passes:
        total, n = total + between_classes(result.class_gradient), n + 1
    return total / n, n


def mean_gradients_by_draw(shadow_passes: Iterable[PassResult | PassFile]) -> tuple[np.ndarray, np.ndarray, int]:
    """Mean gradients of passes with shadows: of the features, (C, p); of the shadows of each draw, (draws, C, p).

    The third value is the number of passes.
    """
    features, n = np.zeros(()), 0
    totals: dict[int, np.ndarray] = {}
    counts: dict[int, int] = {}
    for result in shadow_passes:
        features, n = features + between_classes(result.class_gradient), n + 1
        part = result.shadows
        if part is None:
            raise InputError(f"pass {result.seed} read no shadow features: expected passes of `train_shadow_pass`")
        draw = part.draw
        totals[draw] = totals.get(draw, 0) + between_classes(part.class_gradient)
        counts[draw] = counts.get(draw, 0) + 1
    return features / n, np.stack([totals[draw] / counts[draw] for draw in totals]), n


def comparable_scales(
    plain: np.ndarray, shadowed: np.ndarray, shadows: np.ndarray, mean_value: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Factors that make gradients comparable, by strata of features of similar mean value and by class.

    Parameters
    ----------
    plain
        (C, p) mean gradients of the features in passes without shadows.
    shadowed
        (C, p) mean gradients of the same features in passes with shadows.
    shadows
        (draws, C, p) mean gradients of the shadows.
    mean_value
        (p,) mean value of every feature.

    Returns
    -------
    tuple
        (C, p) factors from gradients without shadows to gradients with shadows, and from the latter to units of the
        root mean square of the shadows; 0 where all gradients are 0.
    """
    ratio, scale = np.zeros_like(plain), np.zeros_like(plain)
    for members in _strata(mean_value):
        size = np.sqrt((shadows[:, :, members] ** 2).mean(axis=(0, 2)))
        for code in np.flatnonzero(size > 0):
            ratio[code, members] = _median_ratio(shadowed[code, members], plain[code, members])
            scale[code, members] = 1 / size[code]
    return ratio, scale


def standardise_shadows(shadows: np.ndarray, mean_value: np.ndarray) -> np.ndarray:
    """Standardise shadows as features are: by the root mean square of shadows to which they do not belong.

    Each draw is divided by the root mean square of the other draws, stratum by stratum. If a draw were part of its own
    scale, its largest values would raise it: among n shadows of a stratum none could exceed the square root of n, which
    a feature can, and a draw that resembles the labels by chance would hide how far a draw can get. A single draw is
    divided by its own root mean square.

    Parameters
    ----------
    shadows
        (draws, C, p) mean gradients of the shadows.
    mean_value
        (p,) mean value of every feature.

    Returns
    -------
    numpy.ndarray
        (draws, C, p).
    """
    standardised = np.zeros_like(shadows)
    for members in _strata(mean_value):
        square = (shadows[:, :, members] ** 2).mean(axis=2)
        total = square.sum(0)
        others = (total - square) / max(len(shadows) - 1, 1)
        # no other draw has a gradient here: all draws, so that the shadow counts
        others = np.where(others > 1e-12 * total, others, total / len(shadows))
        factor = np.divide(1, np.sqrt(others), out=np.zeros_like(others), where=others > 0)
        standardised[:, :, members] = shadows[:, :, members] * factor[:, :, None]
    return standardised


def _strata(mean_value: np.ndarray) -> list[np.ndarray]:
    """Divide features into strata of similar mean value."""
    order = np.argsort(mean_value, kind="stable")
    return np.array_split(order, min(max(1, len(order) // _STRATUM), _MAX_STRATA))


def _median_ratio(numerator: np.ndarray, denominator: np.ndarray) -> float:
    """Ratio of the median absolute values, over places where neither array is 0; 0 if there are none."""
    both = (numerator != 0) & (denominator != 0)
    if not both.any():
        return 0.0
    return float(np.median(np.abs(numerator[both])) / np.median(np.abs(denominator[both])))


def limit_ranks(values: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Limit the r-th largest of the values to the r-th largest of the limits, for every r."""
    limited = np.empty(len(values))
    order = np.argsort(values, kind="stable")
    limited[order] = np.minimum(values[order], np.sort(limits))
    return limited


def root_mean_square(z: np.ndarray) -> np.ndarray:
    """Root mean square over the classes, of (..., C, p)."""
    return np.sqrt((z**2).mean(axis=-2))
