"""One class against the rest, adjusted for main effects and confounders, with its null draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.draws import Draw, stream
from ..errors import CannotScreen
from ..features.strata import draw_strata
from .scan import Columns, make_columns

_MIN_ROWS = 10  # with fewer samples that could be of either class, nothing is left to explain


@dataclass(frozen=True)
class Contrast:
    """Residuals of one class against the rest.

    Attributes
    ----------
    code
        The class; with two classes only the second is contrasted, the first being its mirror.
    rows
        (m,) positions of the samples whose stratum holds both sides.
    strata
        (m,) codes from 0.
    design
        (m, q) confounders of these samples, or None.
    residuals
        (1 + permutations, m) float32: membership minus its share in the stratum, then draws of it under the null.
    weight
        (m,) float32 variance of each residual under the null.
    """

    code: int
    rows: np.ndarray
    strata: np.ndarray
    design: np.ndarray | None
    residuals: np.ndarray
    weight: np.ndarray

    def columns(self, X, clip: float, features: np.ndarray | None = None) -> Columns:
        """Standardise features of `X`, (n, p) of all samples, for this contrast; None for all."""
        return make_columns(X, self.rows, self.strata, self.design, clip, features)


def make_contrasts(
    y: np.ndarray,
    probability: np.ndarray,
    *,
    design: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    permutations: int = 39,
    seed: int = 0,
) -> tuple[Contrast, ...]:
    """Make the contrast of every class of which the additive model leaves something open.

    Labels are exchanged within strata of equal probability, and within groups. Where no group holds two classes, only
    whole groups can be exchanged: the signs of their residuals are drawn.

    Parameters
    ----------
    y
        (n,) class codes, 0 .. K - 1.
    probability
        (n, K) out-of-fold probabilities of the additive model.
    design
        (n, q) confounders, or None.
    groups
        (n,) codes, or None.
    permutations, seed
        Number of draws under the null, and their seed.
    """
    nested = groups is not None and all(len(np.unique(y[groups == group])) == 1 for group in np.unique(groups))
    made = []
    n_classes = probability.shape[1]
    for code in range(1, 2) if n_classes == 2 else range(n_classes):
        strata = draw_strata(probability[:, code], None if nested else groups)
        residual, weight = centred_labels(y == code, strata)
        rows = np.flatnonzero(weight > 0)
        if len(rows) < _MIN_ROWS:
            continue
        strata = np.unique(strata[rows], return_inverse=True)[1]
        rng = stream(seed, Draw.CHORD_PERMUTATIONS, code)
        exchanged = np.unique(groups[rows], return_inverse=True)[1] if nested and groups is not None else None
        draws = permuted_residuals(residual[rows], strata, permutations, rng, exchanged)
        made.append(Contrast(code, rows, strata, None if design is None else design[rows], draws, weight[rows]))
    return tuple(made)


def check_exchangeable(y: np.ndarray, groups: np.ndarray | None, level: float) -> None:
    """Refuse groups that are too few to be exchanged, where only whole groups can be.

    Raises
    ------
    CannotScreen
        If no group holds two classes and the groups' signs have fewer arrangements than `level` asks for.
    """
    if groups is None:
        return
    codes = np.unique(groups)
    if all(len(np.unique(y[groups == group])) == 1 for group in codes) and 2.0 ** (len(codes) - 1) < 1 / level:
        raise CannotScreen(
            f"{len(codes)} groups, each of a single class, can be exchanged in {2 ** (len(codes) - 1)} ways, and no "
            f"product could reach the level {level:g}. Add groups, or screen without groups, knowing that samples of "
            f"one group are then taken for independent."
        )


def centred_labels(member: np.ndarray, strata: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Class membership minus its share in the stratum, and the variance of that when labels are exchanged in it.

    Parameters
    ----------
    member
        (n,) bool.
    strata
        (n,) codes from 0.

    Returns
    -------
    tuple of numpy.ndarray
        (n,) float32 each; both 0 in a stratum of one class.
    """
    size = np.bincount(strata)
    share = np.bincount(strata, weights=member) / size
    spread = share * (1 - share) * size / np.maximum(size - 1, 1)
    return (member - share[strata]).astype(np.float32), spread[strata].astype(np.float32)


def permuted_residuals(
    residual: np.ndarray, strata: np.ndarray, times: int, rng: np.random.Generator, groups: np.ndarray | None = None
) -> np.ndarray:
    """Give the residual and `times` draws of it under the null, (1 + times, n) float32.

    Residuals are exchanged within strata; where `groups` (codes from 0) are given, the sign of each group's residuals
    is drawn instead.
    """
    drawn = np.empty((1 + times, len(residual)), dtype=np.float32)
    drawn[0] = residual
    home = np.argsort(strata, kind="stable")
    for i in range(1, 1 + times):
        if groups is not None:
            drawn[i] = residual * rng.choice(np.array([-1, 1], dtype=np.float32), groups.max() + 1)[groups]
        else:
            drawn[i, home] = residual[np.lexsort((rng.random(len(residual)), strata))]
    return drawn
