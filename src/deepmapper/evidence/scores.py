"""The evidence scores: Welch's t between classes, support by correlated features, and a score learnt from both.

Everything is computed for the features and for draws of their shadows alike; see `rank` for the idea.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from .values import Values

# Classes of which every two are compared (66 comparisons); of more, each is compared with all others together.
MAX_PAIRED_CLASSES = 12

# Variances are shrunk as if this many more samples had been seen: those of a feature towards the median of all
# features, and those of a class towards the feature's. Chosen by hand; it matters for a few samples per class.
_PRIOR_SAMPLES = 4

# Sizes of t between which a feature's weight in its programme rises: below 2 a t is mostly noise, and above 5 it is
# certain, and a few strong markers must not dominate the programme. Chosen by hand.
_WEAK, _STRONG = 2.0, 5.0

# Share of the support that is added to the size of t, and largest change as a share of t. Chosen by hand.
_SUPPORT = 0.5

# Quantiles at which the learnt curves may bend: features that differ are in the upper tail.
_KNOTS = np.array([0.0, 0.5, 0.8, 0.95])

# L2 penalty of the learnt weights, against the sum of the losses of up to 40,000 features and shadows. Chosen by hand.
_PENALTY = 300.0

_MAX_LEARNT = 20_000  # features that weights are learnt from: more would hardly change the few weights

Side = tuple[int, ...]  # codes of the classes on one side of a comparison


@dataclass(frozen=True)
class Differences:
    """Differences between classes of the features, or of one draw of their shadows.

    Attributes
    ----------
    t
        (comparisons, p) Welch's t.
    mean
        (classes, p) mean of each class.
    deviation
        (p,) standard deviation within classes; 0 for a feature that does not vary.
    """

    t: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray


def comparisons(present: np.ndarray, same: np.ndarray) -> list[tuple[Side, Side]]:
    """List what is compared: every two of the `present` classes or, of many classes, each with all others.

    Classes whose samples can be of the same kind, by (C, C) `same` (`features.kinds.may_be_same`), are not compared.
    """
    if len(present) <= MAX_PAIRED_CLASSES:
        return [((int(a),), (int(b),)) for a, b in combinations(present, 2) if not same[a, b]]
    rest = {int(a): tuple(int(b) for b in present if not same[a, b]) for a in present}
    return [((a,), others) for a, others in rest.items() if others]


def side_name(side: Side, classes: Sequence[str]) -> str:
    """Name of one side of a comparison."""
    return classes[side[0]] if len(side) == 1 else "the others"


def compare_classes(
    values: Values, y: np.ndarray, n_classes: int, sides: Sequence[tuple[Side, Side]], sources: Sequence[np.ndarray]
) -> list[Differences]:
    """Compare features between classes, and draws of shadows: sample i of a draw has the values of row ``source[i]``.

    `sources` are that of the features, 0 .. n - 1, then one for each draw.
    """
    n, p = len(y), len(values.features)
    sizes = np.bincount(y, minlength=n_classes).astype(np.float64)
    # Class memberships of each draw, moved to the rows that the values come from, so that all draws share one product.
    member = np.zeros((len(sources) * n_classes, n), dtype=np.float32)
    for draw, source in enumerate(sources):
        np.add.at(member, (draw * n_classes + y, source), 1.0)
    total, square = np.empty((2, len(member), p))
    for part, block in values.blocks():
        total[:, part], square[:, part] = member @ block, member @ block**2
    differences = []
    for draw in range(len(sources)):
        own = slice(draw * n_classes, (draw + 1) * n_classes)
        differences.append(_welch(total[own], square[own], sizes, sides))
    return differences


def _welch(total: np.ndarray, square: np.ndarray, sizes: np.ndarray, sides: Sequence[tuple[Side, Side]]) -> Differences:
    """Welch's t with shrunken variances, from each class's sums and sums of squares, (C, p)."""
    n = sizes.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.nan_to_num(total / sizes[:, None])
    within = np.maximum(square.sum(0) - (sizes[:, None] * mean**2).sum(0), 0.0)
    freedom = max(n - (sizes > 0).sum(), 1)
    varies = within > 1e-9 * np.maximum(square.sum(0), 1e-12)  # else what is left is rounding
    typical = np.median(within[varies]) / freedom if varies.any() else 0.0
    prior = (within + _PRIOR_SAMPLES * typical) / (freedom + _PRIOR_SAMPLES)

    def moments(side: Side) -> tuple[np.ndarray, np.ndarray]:
        """Mean of one side, and the squared standard error of that mean."""
        codes = list(side)
        size = sizes[codes].sum()
        mean = total[codes].sum(0) / size
        around = np.maximum(square[codes].sum(0) - size * mean**2, 0.0)
        return mean, (around + _PRIOR_SAMPLES * prior) / (size - 1 + _PRIOR_SAMPLES) / size

    t = np.zeros((len(sides), total.shape[1]))
    for row, (first, second) in zip(t, sides, strict=True):
        (mean_first, variance_first), (mean_second, variance_second) = moments(first), moments(second)
        error = np.sqrt(variance_first + variance_second)
        row[varies] = (mean_first - mean_second)[varies] / error[varies]
    return Differences(t, mean, np.where(varies, np.sqrt(within / n), 0.0))


def programme_support(
    values: Values, y: np.ndarray, differences: Sequence[Differences], sources: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Correlation, within classes, of features and shadows with the programme of each comparison: (comparisons, p).

    A programme is the sum of the features that differ in the comparison. The correlations are in standard errors, and
    positive where a feature moves with the programme in the direction in which it differs. A feature's own part in the
    programme is subtracted.
    """
    features = differences[0]
    scores = _programme_scores(values, y, features)
    n = len(scores)
    # The scores of each draw, moved to the rows that the values come from, as class memberships in `compare_classes`.
    moved = np.zeros((len(sources), *scores.shape))
    for row, source in zip(moved, sources, strict=True):
        np.add.at(row, source, scores)
    sums = [np.empty_like(of_draw.t) for of_draw in differences]
    all_scores = np.concatenate([row.T for row in moved]).astype(np.float32)
    for part, block in values.blocks():
        products = all_scores @ block
        for draw, (total, of_draw) in enumerate(zip(sums, differences, strict=True)):
            width = len(of_draw.t)
            total[:, part] = products[draw * width : (draw + 1) * width] * _inverse(of_draw.deviation[part])
    spread = scores.std(0)[:, None]
    own = _programme_weights(features.t) * (features.deviation > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return [
            np.nan_to_num(np.sign(of_draw.t) * (total / n - (own if draw == 0 else 0.0)) / spread * np.sqrt(n))
            for draw, (total, of_draw) in enumerate(zip(sums, differences, strict=True))
        ]


def _programme_scores(values: Values, y: np.ndarray, features: Differences) -> np.ndarray:
    """Score of every sample, within its class, on the programme of each comparison: (n, comparisons)."""
    scores = np.zeros((len(y), len(features.t)))
    weights = _programme_weights(features.t)
    for part, block in values.blocks():
        scale = _inverse(features.deviation[part]).astype(np.float32)
        standardised = (block - features.mean[:, part].astype(np.float32)[y]) * scale
        scores += standardised @ weights[:, part].T.astype(np.float32)
    return scores


def _programme_weights(t: np.ndarray) -> np.ndarray:
    """Weight, with its sign, of every feature in the programme of each comparison."""
    return np.sign(t) * (np.clip(np.abs(t), _WEAK, _STRONG) - _WEAK)


def supported_size(t: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Size of t, plus or minus part of its support, which counts for no more than t itself."""
    size = np.abs(t)
    return size + _SUPPORT * np.clip(support, -size, size)


def learn_scores(features: np.ndarray, shadows: Sequence[np.ndarray]) -> np.ndarray:
    """Score features, (comparisons, p), by a monotone model that separates them from shadows: (p,) log odds."""
    p = features.shape[1]
    learnt = np.unique(np.linspace(0, p - 1, min(p, _MAX_LEARNT)).astype(np.int64))
    examples = np.concatenate([part[:, learnt] for part in (features, *shadows)], axis=1)
    curves = _Curves.of(examples)
    real = np.arange(examples.shape[1]) < len(learnt)
    offset, slopes = _fit(curves(examples), real, np.where(real, 1.0, 1.0 / len(shadows)))
    return offset + curves(features) @ slopes


@dataclass(frozen=True)
class _Curves:
    """Piecewise linear basis of increasing functions, for every comparison: ramps between quantiles.

    Attributes
    ----------
    knots
        (comparisons, knots) where the ramps begin, increasing; the last ramp has no end.
    """

    knots: np.ndarray

    @classmethod
    def of(cls, examples: np.ndarray) -> _Curves:
        """Set the knots at quantiles of the examples, (comparisons, m)."""
        return cls(np.quantile(examples, _KNOTS, axis=1).T)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Evaluate at (comparisons, m): (m, comparisons × knots), where each ramp rises by 1 up to the next knot."""
        columns = []
        for row, knots in zip(values, self.knots, strict=True):
            widths = np.diff(knots)
            ends = np.append(widths, np.inf)
            units = np.maximum(np.append(widths, widths[-1]), 1e-9)
            columns += [np.clip(row - knot, 0, end) / unit for knot, end, unit in zip(knots, ends, units, strict=True)]
        return np.stack(columns, axis=1).astype(np.float32)


def _fit(heights: np.ndarray, real: np.ndarray, weight: np.ndarray) -> tuple[float, np.ndarray]:
    """Logistic regression with slopes of 0 or more, penalised in units of each column's deviation."""
    from scipy.optimize import minimize
    from scipy.special import expit

    centre = heights.mean(0)
    scale = _inverse(heights.std(0)).astype(np.float32)
    sign = np.where(real, 1.0, -1.0)

    def loss(coefficients: np.ndarray) -> tuple[float, np.ndarray]:
        slopes = coefficients[1:] * scale
        margin = sign * (coefficients[0] + heights @ slopes.astype(np.float32) - centre @ slopes)
        pull = -sign * weight * expit(-margin)
        gradient = (heights.T @ pull.astype(np.float32) - centre * pull.sum()) * scale
        value = (weight * np.logaddexp(0, -margin)).sum() + _PENALTY / 2 * (coefficients[1:] ** 2).sum()
        return value, np.append(pull.sum(), gradient + _PENALTY * coefficients[1:]).astype(np.float64)

    start = np.zeros(1 + heights.shape[1])
    bounds = [(None, None)] + [(0, None)] * heights.shape[1]
    fitted = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500}).x
    slopes = fitted[1:] * scale
    return float(fitted[0] - centre @ slopes), slopes


def _inverse(values: np.ndarray) -> np.ndarray:
    """One over each value; 0 where the value is 0."""
    return np.divide(1.0, values, out=np.zeros(np.shape(values)), where=np.asarray(values) > 1e-9)
