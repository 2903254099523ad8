"""Significance of every feature: z, p and q against shadow features.

The test statistic is the consensus of the passes: a mean over passes of the gradient of each class's score by the
feature (`PassResult.class_gradient`), relative to the mean over classes. Gradients have a sign, so what a single pass
picked up by chance cancels out; sizes of contributions would add up. The mean is one that no single pass can make large
(`consensus.pass_votes`). The null distribution comes from shadow features (`shadows.train_shadow_pass`), which have the
same distribution as the features and are read by networks that learn the same labels. Gradients depend on the scale of
a feature, so they are standardised among features of similar mean value. Shadows are standardised in the same way by
draws to which they do not belong (`consensus.standardise_shadows`), after their means over the few passes of a draw
were given the spread of means over all passes with shadows (`consensus.noise_factors`). The p-value of a feature is the
share of all shadows that reach its value; beyond the largest shadows it comes from a tail fitted to them (`null_tail`),
so that a single strong feature can be significant.

Source of the false discovery rate: Benjamini & Hochberg 1995.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from ..core.false_discovery import benjamini_hochberg
from ..core.table_schemas import CALIBRATION_NULL
from ..passes.result import PassFile, PassResult
from .consensus import (
    consensus,
    limit_ranks,
    mean_shadowed_votes,
    mean_votes,
    root_mean_square,
    standardise_shadows,
    strata_by_mean,
)
from .null_tail import NullTail, fit_tail, tail_p

_MANY = 10**9  # from this number of label permutations on, p-values are not limited by it


@dataclass(frozen=True)
class Calibration:
    """Standardised statistics and error rates of p features, over all C classes and for each class.

    Attributes
    ----------
    z
        (p,) root mean square of the consensus over the classes, in units of the root mean square of the shadows.
    p, q
        (p,) probability that a shadow reaches `z` (`null_tail.tail_p`), and the lowest false discovery rate at which
        the feature is significant (Benjamini & Hochberg). NaN for features that are not tested; their `z` is 0.
    class_z
        (C, p) signed z of each class: positive if the class's score rises with the feature.
    class_p, class_q
        (C, p) p and q of the absolute `class_z`, computed separately for each class.
    tested
        (p,) whether the feature is tested.
    strata
        Positions of tested features of similar mean value, which share a unit (`consensus.pass_votes`).
    level
        False discovery rate up to which features are called significant.
    null_z
        (shadows,) `z` of all shadows, each in units of the other draws of shadows, ascending: the null distribution.
    min_p
        Smallest possible p-value, given the numbers of shadows and of label permutations.
    tail
        The fitted tail of `null_z`; None if all p-values are empirical, as with a single draw of shadows.
    n_passes, n_shadow_passes, n_draws
        Passes on features alone; passes with shadows; draws of shadows among the latter.
    n_permutations
        Possible permutations of the labels.
    """

    z: np.ndarray
    p: np.ndarray
    q: np.ndarray
    class_z: np.ndarray
    class_p: np.ndarray
    class_q: np.ndarray
    tested: np.ndarray
    strata: tuple[np.ndarray, ...]
    level: float
    null_z: np.ndarray
    min_p: float
    tail: NullTail | None
    n_passes: int
    n_shadow_passes: int
    n_draws: int
    n_permutations: int

    @property
    def significant(self) -> np.ndarray:
        """(p,) whether the q-value of each feature is within the level."""
        return self.q <= self.level

    @property
    def statement(self) -> str:
        """The result in a sentence, and the reason if p-values cannot get small enough."""
        tested = int(self.tested.sum())
        statement = (
            f"{int(self.significant.sum()):,} of {tested:,} tested features are significant at a false discovery rate "
            f"of {self.level:g}, compared with {len(self.null_z):,} shadow features of {self.n_shadow_passes} passes."
        )
        if self.min_p > self.level:
            statement += (
                f" No feature can be significant: there are only {self.n_permutations} permutations of the labels, so "
                f"no p-value can be below {self.min_p:.2f}."
            )
        elif self.min_p * tested > self.level:
            needed = int(np.ceil(self.min_p * tested / self.level))
            statement += (
                f" No p-value can be below {self.min_p:.2g}, so features can only be significant if at least "
                f"{needed:,} are: raise passes.n_shadow."
            )
        return statement


def calibrate(
    passes: Iterable[PassResult | PassFile],
    shadow_passes: Iterable[PassResult | PassFile],
    mean_value: np.ndarray,
    tested: np.ndarray,
    level: float = 0.1,
    n_permutations: int = _MANY,
) -> Calibration:
    """Standardise the consensus of the passes and compute its p- and q-values.

    Parameters
    ----------
    passes
        Accepted passes; read once, one at a time.
    shadow_passes
        Results of `shadows.train_shadow_pass`; read once, one at a time.
    mean_value
        (p,) mean value of every feature over the samples of the passes.
    tested
        (p,) which features to test. Features that are zero in nearly all samples carry little information and cost
        the others power.
    level
        False discovery rate up to which features are called significant.
    n_permutations
        Possible permutations of the labels (`count_permutations`): no p-value is below one over this number.

    Notes
    -----
    Features are ranked by the consensus of all passes. Passes with shadows read twice as many features, and their
    gradients have a different scale. The votes of the other passes are therefore rescaled by the ratio of the median
    sizes of the same features, stratum by stratum. This ratio need not hold for the largest gradients, so the z of the
    feature of rank r is limited to the r-th largest z of the passes with shadows alone, in which features and shadows
    differ in nothing but their information on the labels. So passes without shadows never increase the number of
    significant features; they make it more certain which ones they are.
    """
    kept = np.flatnonzero(tested)
    mean_value = np.asarray(mean_value)[kept]
    strata = tuple(kept[members] for members in strata_by_mean(mean_value))
    plain, n_passes = mean_votes(passes, strata)
    shadowed = mean_shadowed_votes(shadow_passes, strata)
    n_classes, n_shadow_passes = len(plain), int(shadowed.n_passes.sum())
    agreed = consensus(plain[:, kept], n_passes, shadowed, mean_value)
    z, z_shadowed = agreed.z, np.sinh(shadowed.features) * agreed.scale
    null = standardise_shadows(agreed.shadows, mean_value)
    overall = root_mean_square(z)
    null_overall = np.sort(root_mean_square(null).ravel())
    limited = limit_ranks(overall, root_mean_square(z_shadowed))
    class_z = np.sign(z) * np.stack([limit_ranks(np.abs(z[c]), np.abs(z_shadowed[c])) for c in range(n_classes)])
    n_permutations = min(n_permutations, _MANY)
    floor = 1 / n_permutations
    # a single draw is part of its own scale, so its largest values say nothing of what lies beyond them
    fit = fit_tail if len(agreed.shadows) > 1 else lambda null: None
    tail = fit(null_overall)
    p = tail_p(limited, null_overall, tail, floor)
    class_nulls = [np.sort(np.abs(null[:, c]).ravel()) for c in range(n_classes)]
    class_p = np.stack([tail_p(np.abs(class_z[c]), own, fit(own), floor) for c, own in enumerate(class_nulls)])

    def spread_out(values: np.ndarray, fill: float) -> np.ndarray:
        """Put the values of tested features in the places of all features."""
        wide = np.full((*values.shape[:-1], len(tested)), fill)
        wide[..., kept] = values
        return wide

    return Calibration(
        z=spread_out(limited, 0.0),
        p=spread_out(p, np.nan),
        q=spread_out(benjamini_hochberg(p), np.nan),
        class_z=spread_out(class_z, 0.0),
        class_p=spread_out(class_p, np.nan),
        class_q=spread_out(np.stack([benjamini_hochberg(row) for row in class_p]), np.nan),
        tested=np.asarray(tested, dtype=bool),
        strata=strata,
        level=level,
        null_z=null_overall,
        min_p=max(floor, tail.min_p if tail else 1 / (1 + len(null_overall))),
        tail=tail,
        n_passes=n_passes,
        n_shadow_passes=n_shadow_passes,
        n_draws=len(agreed.shadows),
        n_permutations=n_permutations,
    )


def significance_table(calibration: Calibration, names: Sequence[str], classes: Sequence[str]) -> pd.DataFrame:
    """One row per feature, in input order: feature, z, p, q, significant, and z, p and q of every class."""
    columns = {
        "feature": list(names),
        "z": calibration.z,
        "p": calibration.p,
        "q": calibration.q,
        "significant": calibration.significant,
    }
    for code, name in enumerate(classes):
        columns |= {
            f"z[{name}]": calibration.class_z[code],
            f"p[{name}]": calibration.class_p[code],
            f"q[{name}]": calibration.class_q[code],
        }
    return pd.DataFrame(columns)


def null_table(calibration: Calibration | None, n_points: int = 1000) -> pd.DataFrame:
    """Quantiles of `z` of shadows and of tested features, for a plot: columns share, z_shadow, z_feature."""
    columns = CALIBRATION_NULL.names()
    if calibration is None or not calibration.tested.any():
        return pd.DataFrame(columns=columns)
    share = (np.arange(n_points) + 0.5) / n_points
    values = [share, np.quantile(calibration.null_z, share), np.quantile(calibration.z[calibration.tested], share)]
    return pd.DataFrame(dict(zip(columns, values, strict=True)))


def summarise_calibration(calibration: Calibration | None) -> dict:
    """Contents of significance.json: the result, or the statement that there is none."""
    if calibration is None:
        reason = "no pass was accepted, or none was trained with shadow features (passes: n_shadow)"
        return {"statement": f"No error rates: {reason}."}
    return {
        "statement": calibration.statement,
        "level": calibration.level,
        "n_significant": int(calibration.significant.sum()),
        "n_tested": int(calibration.tested.sum()),
        "n_passes": calibration.n_passes,
        "n_shadow_passes": calibration.n_shadow_passes,
        "n_draws": calibration.n_draws,
        "min_p": calibration.min_p,
        "tail": asdict(calibration.tail) if calibration.tail else None,
        "n_labelings": None if calibration.n_permutations == _MANY else calibration.n_permutations,
    }
