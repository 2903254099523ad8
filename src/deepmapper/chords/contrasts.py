"""Residuals of one class against the rest, adjusted for main effects and confounders, and their permutations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.arrays import take_rows
from ..core.draws import Draw, stream
from ..errors import CannotScreen
from ..features.strata import strata_by_probability
from .columns import Columns, make_columns

_MIN_ROWS = 10  # a class with fewer samples in strata of both sides is not screened; chosen by hand

# Samples per stratum on average: as many as make twelve strata, within these bounds. With 40 of them a study of 50 has
# one stratum, which leaves the main effects in: where they are strong and classes of unequal size, every screen then
# names pairs (measured in benchmarks/README.md). More than twelve strata cost power and hold nothing further apart.
_STRATA, _PER_STRATUM = 12, (10, 40)

# A class is not screened if main effects leave less than this share of its labels open: products would be scored by the
# few samples that the additive model gets wrong. Chosen by hand.
LITTLE_OPEN = 0.05


@dataclass(frozen=True)
class Contrast:
    """Residuals of one class against the rest.

    Attributes
    ----------
    code
        The class; with two classes only the second is contrasted, the first being its mirror.
    rows
        (m,) positions of the samples whose stratum has members of both sides.
    strata
        (m,) stratum codes from 0.
    design
        (m, q) confounders of these samples, or None.
    residuals
        (1 + permutations, m) float32: membership minus its share in the stratum, then its permutations.
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
        """Standardise features (None: all) of `X`, (n, p) of all samples, for this contrast."""
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
    """Make the contrast of every class of which the additive model leaves enough open.

    Labels are permuted within strata of similar probability, and within groups. If every group has a single class, only
    whole groups can be exchanged: the residuals of each group get a random sign instead.

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
        Number of permutations, and their seed.
    """
    nested = groups is not None and _single_class(y, groups)
    contrasts = []
    size = int(np.clip(len(y) // _STRATA, *_PER_STRATUM))
    n_classes = probability.shape[1]
    for code in range(1, 2) if n_classes == 2 else range(n_classes):
        strata = strata_by_probability(probability[:, code], None if nested else groups, size)
        residual, weight = centred_labels(y == code, strata)
        rows = np.flatnonzero(weight > 0)
        if len(rows) < _MIN_ROWS or weight.sum() < LITTLE_OPEN * np.var(y == code) * len(y):
            continue
        strata = np.unique(strata[rows], return_inverse=True)[1]
        rng = stream(seed, Draw.CHORD_PERMUTATIONS, code)
        whole_groups = np.unique(groups[rows], return_inverse=True)[1] if nested and groups is not None else None
        residuals = permuted_residuals(residual[rows], strata, permutations, rng, whole_groups)
        adjusted = take_rows(design, rows)
        contrasts.append(Contrast(code, rows, strata, adjusted, residuals, weight[rows]))
    return tuple(contrasts)


def check_exchangeable(y: np.ndarray, groups: np.ndarray | None, level: float) -> None:
    """Raise an error if only whole groups can be exchanged and there are too few of them.

    Raises
    ------
    CannotScreen
        If every group has a single class and the groups' signs have fewer arrangements than `level` needs.
    """
    if groups is None:
        return
    n_groups = len(np.unique(groups))
    if _single_class(y, groups) and 2.0 ** (n_groups - 1) < 1 / level:
        raise CannotScreen(
            f"{n_groups} groups, each of a single class, can be exchanged in only {2 ** (n_groups - 1)} ways, so no "
            f"product could reach the level {level:g}. Add groups, or screen without groups; samples of one group are "
            f"then treated as independent."
        )


def _single_class(y: np.ndarray, groups: np.ndarray) -> bool:
    """Whether every group has a single class."""
    return all(len(np.unique(y[groups == group])) == 1 for group in np.unique(groups))


def family_threshold(null_largest: np.ndarray, level: float) -> float:
    """Return the null maximum to exceed for a family-wise p <= level; infinite if there are too few permutations.

    The observed labels count as one more permutation.
    """
    allowed = int(np.floor(level * (1 + len(null_largest)) + 1e-9)) - 1
    return float(np.sort(null_largest)[::-1][allowed]) if allowed >= 0 else float("inf")


def centred_labels(member: np.ndarray, strata: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Class membership minus its share in the stratum, and its variance when labels are permuted within the stratum.

    Parameters
    ----------
    member
        (n,) bool.
    strata
        (n,) stratum codes from 0.

    Returns
    -------
    tuple of numpy.ndarray
        (n,) float32 each; both 0 in a stratum of one class.
    """
    size = np.bincount(strata)
    share = np.bincount(strata, weights=member) / size
    variance = share * (1 - share) * size / np.maximum(size - 1, 1)
    return (member - share[strata]).astype(np.float32), variance[strata].astype(np.float32)


def permuted_residuals(
    residual: np.ndarray, strata: np.ndarray, times: int, rng: np.random.Generator, groups: np.ndarray | None = None
) -> np.ndarray:
    """Return the residual and `times` permutations of it, (1 + times, n) float32.

    Residuals are permuted within strata; where `groups` (codes from 0) are given, the residuals of each group get a
    random sign instead.
    """
    permuted = np.empty((1 + times, len(residual)), dtype=np.float32)
    permuted[0] = residual
    by_stratum = np.argsort(strata, kind="stable")
    for i in range(1, 1 + times):
        if groups is not None:
            permuted[i] = residual * rng.choice(np.array([-1, 1], dtype=np.float32), groups.max() + 1)[groups]
        else:
            permuted[i, by_stratum] = residual[np.lexsort((rng.random(len(residual)), strata))]
    return permuted
