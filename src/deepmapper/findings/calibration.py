"""Calibrated significance of every feature: z, p and q against shadow features.

The statistic is the consensus of the passes: the mean, over passes, of how each class's score moves with the feature
(`PassResult.class_gradient`), between classes. What one pass happened to pick up cancels in it; sizes of contributions,
which have no sign, would add up. Its null are shadows (`shadows.train_shadow_pass`), features of the same distribution
in networks that learn the same labels. Slopes follow a feature's scale, so they are standardised among features of
similar mean value. The empirical p-value of a feature is the share of all shadows, standardised alike, that reach it.

Sources: empirical p-values, Phipson & Smyth 2010 (doi 10.2202/1544-6115.1585); false discovery rate, Benjamini &
Hochberg 1995.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..core.table_schemas import CALIBRATION_NULL
from ..passes.result import PassFile, PassResult
from .consensus import (
    between_classes,
    comparable_scales,
    limit_ranks,
    mean_slopes,
    mean_slopes_by_draw,
    root_mean_square,
)

_MANY = 10**9  # ways to deal labels out, from which on they limit no p-value


@dataclass(frozen=True)
class Calibration:
    """Standardised statistics of p features, in C classes and over all, with their error rates.

    Attributes
    ----------
    z
        (p,) size of the consensus, over the classes: 1 is the root mean square of shadows.
    p, q
        (p,) share of shadows that reach `z`, and the false discovery rate at which the feature is found (Benjamini &
        Hochberg). NaN for features that are not tested; their `z` is 0.
    class_z
        (C, p) signed: positive where the class's score rises with the feature.
    class_p, class_q
        (C, p) of the size of `class_z`, each class by itself.
    tested
        (p,) whether the feature is tested.
    weight, weight_beside
        (C, p) by which the slopes of a pass without, or with, shadows count; see `votes`.
    level
        The false discovery rate at which features are called significant.
    null_z
        (shadows,) `z` of all shadows, rising: what `z` is held against.
    min_p
        The least p-value there can be: of so many shadows, and of the ways to deal the labels out.
    n_passes, n_shadow_passes, n_draws
        Passes on features alone; with shadows; different draws of the shadows among these.
    n_labelings
        Ways to deal the labels out.
    """

    z: np.ndarray
    p: np.ndarray
    q: np.ndarray
    class_z: np.ndarray
    class_p: np.ndarray
    class_q: np.ndarray
    tested: np.ndarray
    weight: np.ndarray
    weight_beside: np.ndarray
    level: float
    null_z: np.ndarray
    min_p: float
    n_passes: int
    n_shadow_passes: int
    n_draws: int
    n_labelings: int

    @property
    def significant(self) -> np.ndarray:
        """(p,) whether each feature is found at the level."""
        return self.q <= self.level

    @property
    def statement(self) -> str:
        """The result in a sentence, and why nothing can be found where that is so."""
        tested = int(self.tested.sum())
        said = (
            f"{int(self.significant.sum())} of {tested} tested features are significant at a false discovery rate of "
            f"{self.level:g}, held against {len(self.null_z)} shadow features of {self.n_shadow_passes} passes."
        )
        if self.min_p > self.level:
            said += (
                f" None can be: there are only {self.n_labelings} ways to deal the labels out, so that no p-value can "
                f"be below {self.min_p:.2f}."
            )
        elif self.min_p * tested > self.level:
            needed = int(np.ceil(self.min_p * tested / self.level))
            said += f" No p-value can be below {self.min_p:.2g}, so that at least {needed} would be found together."
        return said


def calibrate(
    passes: Iterable[PassResult | PassFile],
    shadow_passes: Iterable[PassResult | PassFile],
    mean_value: np.ndarray,
    tested: np.ndarray,
    level: float = 0.1,
    n_labelings: int = _MANY,
) -> Calibration:
    """Standardise the consensus of the passes and give it p- and q-values.

    Parameters
    ----------
    passes
        Those that are accumulated; read once, one by one.
    shadow_passes
        Of `shadows.train_shadow_pass`; read once, one by one.
    mean_value
        (p,) mean of every feature over the samples of the passes.
    tested
        (p,) which features to test; those that hardly ever differ from zero say little and cost the others power.
    level
        False discovery rate for `significant`.
    n_labelings
        Ways to deal the labels out (`controls.count_labelings`): no p-value is below one over them.

    Notes
    -----
    Features are ranked by the consensus of all passes. Those with shadows read twice as many features, and their
    weights have another scale, so slopes of the others are brought to it by the ratio of the median sizes of the same
    features, stratum by stratum. That ratio need not hold for the largest slopes, so the z of the feature of rank r is
    at most the r-th largest z of the passes with shadows alone, where features and shadows are alike but for what they
    tell. No more features are found than stand out beside shadows, and more passes without shadows make it more surely
    the right ones. Shadows are averaged over the passes that read the same draw of them, features over all. Both keep
    p-values on the safe side.
    """
    found, n_passes = mean_slopes(passes)
    beside, draws, n_shadow_passes = mean_slopes_by_draw(shadow_passes)
    kept = np.flatnonzero(tested)
    n_features, n_classes = len(tested), len(found)
    ratio, scale = comparable_scales(found[:, kept], beside[:, kept], draws[:, :, kept], np.asarray(mean_value)[kept])
    all_passes = n_passes + n_shadow_passes
    z = (n_passes * ratio * found[:, kept] + n_shadow_passes * beside[:, kept]) / all_passes * scale
    z_beside, null = beside[:, kept] * scale, draws[:, :, kept] * scale
    overall = root_mean_square(z)
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = np.where(overall > 0, z / overall, 0.0) / n_classes * scale
    null_overall = np.sort(root_mean_square(null).ravel())
    standard = limit_ranks(overall, root_mean_square(z_beside))
    class_z = np.sign(z) * np.stack([limit_ranks(np.abs(z[c]), np.abs(z_beside[c])) for c in range(n_classes)])
    n_labelings = min(n_labelings, _MANY)
    floor = 1 / n_labelings
    p = empirical_p(standard, null_overall, floor)
    class_p = np.stack(
        [empirical_p(np.abs(class_z[c]), np.sort(np.abs(null[:, c]).ravel()), floor) for c in range(n_classes)]
    )

    def spread_out(values: np.ndarray, fill: float) -> np.ndarray:
        wide = np.full((*values.shape[:-1], n_features), fill)
        wide[..., kept] = values
        return wide

    return Calibration(
        z=spread_out(standard, 0.0),
        p=spread_out(p, np.nan),
        q=spread_out(false_discovery(p), np.nan),
        class_z=spread_out(class_z, 0.0),
        class_p=spread_out(class_p, np.nan),
        class_q=spread_out(np.stack([false_discovery(row) for row in class_p]), np.nan),
        tested=np.asarray(tested, dtype=bool),
        weight=spread_out(unit * ratio, 0.0),
        weight_beside=spread_out(unit, 0.0),
        level=level,
        null_z=null_overall,
        min_p=max(floor, 1 / (1 + len(null_overall))),
        n_passes=n_passes,
        n_shadow_passes=n_shadow_passes,
        n_draws=len(draws),
        n_labelings=n_labelings,
    )


def empirical_p(values: np.ndarray, null: np.ndarray, floor: float = 0.0) -> np.ndarray:
    """Share of the null, the value itself included, that reaches each value; not below `floor`.

    Parameters
    ----------
    values
        (p,).
    null
        (m,) rising.
    floor
        Least p-value.
    """
    reach = len(null) - np.searchsorted(null, values, side="left")
    return np.maximum((1 + reach) / (1 + len(null)), floor)


def false_discovery(p: np.ndarray) -> np.ndarray:
    """Benjamini-Hochberg q-values; of none, none."""
    from scipy.stats import false_discovery_control

    return false_discovery_control(p) if len(p) else p


def votes(
    passes: Iterable[PassResult | PassFile], shadow_passes: Iterable[PassResult | PassFile], found: Calibration
) -> np.ndarray:
    """Part the consensus that ranks the features among the passes: (passes, p) float32, those with shadows last.

    The slopes of every pass are projected on the consensus of all, so that each resample of passes has a ranking of its
    own: by the size of the mean of its rows.

    Parameters
    ----------
    passes, shadow_passes
        The same as `calibrate` was given; read once, one by one.
    found
        What it returned.
    """
    parts = np.empty((found.n_passes + found.n_shadow_passes, found.weight.shape[1]), dtype=np.float32)
    rows = iter(parts)
    for side, weight in ((passes, found.weight), (shadow_passes, found.weight_beside)):
        for result in side:
            next(rows)[:] = (weight * between_classes(result.class_gradient)).sum(0)
    return parts


def significance_table(found: Calibration, names: Sequence[str], classes: Sequence[str]) -> pd.DataFrame:
    """One row a feature, in their order: feature, z, p, q, significant, and z, p and q of every class."""
    columns = {"feature": list(names), "z": found.z, "p": found.p, "q": found.q, "significant": found.significant}
    for code, name in enumerate(classes):
        columns |= {
            f"z[{name}]": found.class_z[code],
            f"p[{name}]": found.class_p[code],
            f"q[{name}]": found.class_q[code],
        }
    return pd.DataFrame(columns)


def null_table(found: Calibration | None, n_points: int = 1000) -> pd.DataFrame:
    """Quantiles of `z` of shadows and of tested features, for a plot: columns share, z_shadow, z_feature."""
    columns = CALIBRATION_NULL.names()
    if found is None or not found.tested.any():
        return pd.DataFrame(columns=columns)
    share = (np.arange(n_points) + 0.5) / n_points
    values = [share, np.quantile(found.null_z, share), np.quantile(found.z[found.tested], share)]
    return pd.DataFrame(dict(zip(columns, values, strict=True)))


def summarise(found: Calibration | None) -> dict:
    """State the result, or that there is none, for summary.json."""
    if found is None:
        return {
            "statement": "No error rate: there are no accepted passes, or none with shadow features (passes: n_shadow)."
        }
    return {
        "statement": found.statement,
        "level": found.level,
        "n_significant": int(found.significant.sum()),
        "n_tested": int(found.tested.sum()),
        "n_passes": found.n_passes,
        "n_shadow_passes": found.n_shadow_passes,
        "n_draws": found.n_draws,
        "min_p": found.min_p,
        "n_labelings": None if found.n_labelings == _MANY else found.n_labelings,
    }
