"""What many passes agree on: their votes, gradients of the class scores by each feature, on a common scale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..passes.result import PassFile, PassResult

_STRATUM = 100  # features of similar mean value that are standardised together: enough for a stable root mean square

_MAX_STRATA = 50  # chosen by hand

# Smallest factor of `noise_factors`: where passes of a draw have little in common, their noise and what they share are
# hardly told apart, and smaller factors make p-values too small. Chosen on made passes.
_MIN_FACTOR = 0.85


def between_classes(gradient: np.ndarray) -> np.ndarray:
    """(C, p) gradients minus their mean over the classes; a class with any NaN gets 0, the mean."""
    known = ~np.isnan(gradient).any(axis=1)
    centred = np.zeros(gradient.shape)
    if known.any():
        centred[known] = gradient[known] - gradient[known].mean(0, dtype=np.float64)
    return centred


@dataclass(frozen=True)
class ShadowedVotes:
    """What passes with shadows agree on.

    Attributes
    ----------
    features
        (C, p) mean votes on the tested features over all passes.
    shadows
        (draws, C, p) mean votes on their shadows over the passes of each draw.
    n_passes
        (draws,) number of passes of each draw.
    squares
        (draws, C) mean square of the votes of a single pass on shadows.
    """

    features: np.ndarray
    shadows: np.ndarray
    n_passes: np.ndarray
    squares: np.ndarray


def pass_votes(
    gradient: np.ndarray, strata: Sequence[np.ndarray], shadows: np.ndarray | None = None
) -> list[np.ndarray]:
    """What a pass says of features, (C, p), and of their shadows: gradients in its own units, on a logarithmic scale.

    Networks differ in how steep they are, and gates and weights multiply what a feature got by chance: in a single pass
    an uninformative one may have thirty times the gradient of the others, and an average be made by that pass alone.
    Hence the gradients between classes are divided by the median size of those that are not 0, and their inverse
    hyperbolic sine is taken, which leaves small ones as they are and grows with the logarithm of large ones. Votes are
    averaged, and the hyperbolic sine of the average is back on the scale of gradients: a quasi-arithmetic mean, close
    to the arithmetic one of small gradients, and to the geometric one of large ones, so that what counts is what passes
    agree on. Features and shadows enter the unit alike, so that a feature without information is exchangeable with its
    shadow.

    Parameters
    ----------
    gradient, shadows
        (C, p) gradients of a pass by the features, and by their shadows if it read any.
    strata
        Positions of features of similar mean value, which share a unit (`strata_by_mean`); others get no votes.
    """
    parts = [between_classes(part) for part in (gradient, shadows) if part is not None]
    votes = [np.zeros_like(part) for part in parts]
    for members in strata:
        sizes = np.abs([part[:, members] for part in parts])
        sizes = sizes[sizes > 0]
        for vote, part in zip(votes, parts, strict=True):
            vote[:, members] = np.arcsinh(part[:, members] / np.median(sizes)) if len(sizes) else 0.0
    return votes


def mean_votes(passes: Iterable[PassResult | PassFile], strata: Sequence[np.ndarray]) -> tuple[np.ndarray, int]:
    """Mean votes of the passes on the features, (C, p), and the number of passes."""
    total, n = np.zeros(()), 0
    for result in passes:
        total, n = total + pass_votes(result.class_gradient, strata)[0], n + 1
    return total / n, n


def mean_shadowed_votes(shadow_passes: Iterable[PassResult | PassFile], strata: Sequence[np.ndarray]) -> ShadowedVotes:
    """Mean votes of passes with shadows, on the features of the strata, in their order, and on their shadows."""
    features, n = np.zeros(()), 0
    totals: dict[int, np.ndarray] = {}
    squares: dict[int, np.ndarray] = {}
    counts: dict[int, int] = {}
    for result in shadow_passes:
        part = result.shadows
        if part is None:
            raise InputError(f"pass {result.seed} read no shadow features: expected passes of `train_shadow_pass`")
        own, shadows = pass_votes(result.class_gradient, strata, part.class_gradient)
        features, n = features + own, n + 1
        totals[part.draw] = totals.get(part.draw, 0) + shadows
        squares[part.draw] = squares.get(part.draw, 0) + np.square(shadows)
        counts[part.draw] = counts.get(part.draw, 0) + 1
    kept = np.sort(np.concatenate(strata))
    return ShadowedVotes(
        features[:, kept] / n,
        np.stack([totals[draw][:, kept] / counts[draw] for draw in totals]),
        np.array([counts[draw] for draw in totals]),
        np.stack([squares[draw][:, kept].mean(1) / counts[draw] for draw in totals]),
    )


def noise_factors(shadowed: ShadowedVotes, n_passes: int) -> np.ndarray:
    """Factors that give mean votes on shadows, over few passes, the spread of means over many passes.

    A mean over k passes has the variance of what its passes share, plus that of single passes divided by k. Features
    are averaged over all passes, shadows over those of their draw, so shadows vary more; left so, p-values of features
    are too large. Both variances are estimated from passes of the same draw. A factor leaves the order of the shadows
    as it is, as in constrained empirical Bayes (Louis 1984, doi 10.1080/01621459.1984.10478062).

    Parameters
    ----------
    shadowed
        Shadows, each draw averaged over its passes.
    n_passes
        Passes that the features are averaged over.

    Returns
    -------
    numpy.ndarray
        (draws, C) factors, at least 0.85; 1 if no draw has two passes.
    """
    k = shadowed.n_passes[:, None]
    of_mean = np.square(shadowed.shadows).mean(2)
    if (k < 2).all():
        return np.ones(of_mean.shape)
    single = (k * (shadowed.squares - of_mean)).sum(0) / (k - 1).sum()
    shared = np.maximum((of_mean - single / k).mean(0), 0)
    variance = shared + single / k
    ratio = np.divide(shared + single / n_passes, variance, out=np.ones(variance.shape), where=variance > 0)
    return np.sqrt(ratio).clip(_MIN_FACTOR)


def comparable_scales(
    plain: np.ndarray, shadowed: np.ndarray, shadows: np.ndarray, mean_value: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Factors that make gradients comparable, by strata of features of similar mean value and by class.

    Parameters
    ----------
    plain
        (C, p) mean votes on the features of passes without shadows.
    shadowed
        (C, p) mean votes on the same features of passes with shadows.
    shadows
        (draws, C, p) mean gradients of the shadows.
    mean_value
        (p,) mean value of every feature.

    Returns
    -------
    tuple
        (C, p) factors from votes without shadows to votes with shadows, and from gradients to units of the root mean
        square of the shadows; 0 where all are 0.
    """
    ratio, scale = np.zeros_like(plain), np.zeros_like(plain)
    for members in strata_by_mean(mean_value):
        size = np.sqrt((shadows[:, :, members] ** 2).mean(axis=(0, 2)))
        for code in np.flatnonzero(size > 0):
            ratio[code, members] = _median_ratio(shadowed[code, members], plain[code, members])
            scale[code, members] = 1 / size[code]
    return ratio, scale


@dataclass(frozen=True)
class Consensus:
    """Mean votes of passes with and without shadows, and the units that make them comparable.

    Attributes
    ----------
    vote
        (C, p) mean votes.
    ratio, scale
        (C, p) factors from votes without shadows to votes with shadows, and from gradients to z.
    shadows
        (draws, C, p) mean gradients of the shadows, at the noise of means over all passes with shadows.
    """

    vote: np.ndarray
    ratio: np.ndarray
    scale: np.ndarray
    shadows: np.ndarray

    @property
    def z(self) -> np.ndarray:
        """(C, p) gradients in units of the shadows."""
        return np.sinh(self.vote) * self.scale


def consensus(plain: np.ndarray, n_passes: int, shadowed: ShadowedVotes, mean_value: np.ndarray) -> Consensus:
    """Combine passes with and without shadows.

    Parameters
    ----------
    plain, n_passes
        (C, p) mean votes of passes without shadows, and their number.
    shadowed
        Votes of passes with shadows, on the same features.
    mean_value
        (p,) mean value of every feature.
    """
    n_shadow_passes = int(shadowed.n_passes.sum())
    shadows = np.sinh(shadowed.shadows * noise_factors(shadowed, n_shadow_passes)[:, :, None])
    ratio, scale = comparable_scales(plain, shadowed.features, shadows, mean_value)
    return Consensus(combined_votes(plain, n_passes, shadowed, ratio), ratio, scale, shadows)


def combined_votes(plain: np.ndarray, n_passes: int, shadowed: ShadowedVotes, ratio: np.ndarray) -> np.ndarray:
    """(C, p) mean votes of passes without shadows, rescaled by a ratio, and with shadows."""
    n_shadow_passes = int(shadowed.n_passes.sum())
    return (n_passes * ratio * plain + n_shadow_passes * shadowed.features) / (n_passes + n_shadow_passes)


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
    for members in strata_by_mean(mean_value):
        square = (shadows[:, :, members] ** 2).mean(axis=2)
        total = square.sum(0)
        others = (total - square) / max(len(shadows) - 1, 1)
        # no other draw has a gradient here: all draws, so that the shadow counts
        others = np.where(others > 1e-12 * total, others, total / len(shadows))
        factor = np.divide(1, np.sqrt(others), out=np.zeros_like(others), where=others > 0)
        standardised[:, :, members] = shadows[:, :, members] * factor[:, :, None]
    return standardised


def strata_by_mean(mean_value: np.ndarray) -> list[np.ndarray]:
    """Divide features into strata of similar mean value: positions of the features of each."""
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
