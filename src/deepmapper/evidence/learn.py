"""A monotone model that learns, from features and their shadows, how much each comparison counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .programmes import inverse

_KNOTS = np.array([0.0, 0.5, 0.8, 0.95])  # quantiles at which the learnt curves may bend

_PENALTY = 300.0  # of the squares of weights, beside the sum of losses

_MAX_LEARNT = 20_000  # features that are learnt from


def learn(features: np.ndarray, shadows: Sequence[np.ndarray]) -> np.ndarray:
    """Score features, (comparisons, p), by a model that tells them from their shadows: (p,) log odds."""
    p = features.shape[1]
    known = np.unique(np.linspace(0, p - 1, min(p, _MAX_LEARNT)).astype(np.int64))
    seen = np.concatenate([part[:, known] for part in (features, *shadows)], axis=1)
    curves = _Curves.of(seen)
    real = np.arange(seen.shape[1]) < len(known)
    offset, slopes = _fit(curves(seen), real, np.where(real, 1.0, 1.0 / len(shadows)))
    return offset + curves(features) @ slopes


@dataclass(frozen=True)
class _Curves:
    """Rising curves of every comparison: ramps between quantiles, the last without an end.

    Attributes
    ----------
    knots
        (comparisons, knots) rising.
    """

    knots: np.ndarray

    @classmethod
    def of(cls, seen: np.ndarray) -> _Curves:
        return cls(np.quantile(seen, _KNOTS, axis=1).T)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Give (comparisons, m) values as (m, comparisons × knots) heights, of one unit each up to the next knot."""
        columns = []
        for row, knots in zip(values, self.knots, strict=True):
            widths = np.diff(knots)
            ends = np.append(widths, np.inf)
            units = np.maximum(np.append(widths, widths[-1]), 1e-9)
            columns += [np.clip(row - knot, 0, end) / unit for knot, end, unit in zip(knots, ends, units, strict=True)]
        return np.stack(columns, axis=1).astype(np.float32)


def _fit(heights: np.ndarray, real: np.ndarray, weight: np.ndarray) -> tuple[float, np.ndarray]:
    """Logistic regression with weights of 0 or more, penalised in units of each column's deviation."""
    from scipy.optimize import minimize
    from scipy.special import expit

    middle = heights.mean(0)
    scale = inverse(heights.std(0)).astype(np.float32)
    sign = np.where(real, 1.0, -1.0)

    def loss(coefficients: np.ndarray) -> tuple[float, np.ndarray]:
        slopes = coefficients[1:] * scale
        margin = sign * (coefficients[0] + heights @ slopes.astype(np.float32) - middle @ slopes)
        pull = -sign * weight * expit(-margin)
        gradient = (heights.T @ pull.astype(np.float32) - middle * pull.sum()) * scale
        value = (weight * np.logaddexp(0, -margin)).sum() + _PENALTY / 2 * (coefficients[1:] ** 2).sum()
        return value, np.append(pull.sum(), gradient + _PENALTY * coefficients[1:]).astype(np.float64)

    start = np.zeros(1 + heights.shape[1])
    bounds = [(None, None)] + [(0, None)] * heights.shape[1]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500}).x
    slopes = found[1:] * scale
    return float(found[0] - middle @ slopes), slopes
