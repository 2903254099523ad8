"""p-values below one over the size of the null distribution: a generalised Pareto tail fitted to its largest values.

An empirical p-value cannot be smaller than 1 / (1 + m) with m null values, which is too large for a single true feature
among thousands. The excesses over a high threshold follow a generalised Pareto distribution in the limit (Pickands
1975), so that the largest null values say how p goes on beyond them (Knijnenburg et al. 2009, doi
10.1093/bioinformatics/btp211). The fit is tested, with fewer and fewer values, and none is used that its test rejects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.draws import FixedDraw, fixed_stream

# Null values from which a tail is fitted, and the largest number of values, and share of them, that it is fitted to.
# Knijnenburg et al. take 250; the shape of heavy tails is too uncertain from so few. Fewer than 50 values say little.
MIN_NULL, MAX_TAIL, MIN_TAIL, MAX_SHARE = 1000, 500, 50, 0.1

# A fitted p-value is at least this share of the smallest empirical one: further out nothing supports the tail.
MAX_EXTRAPOLATION = 100

# A fit with a p-value of this or less is rejected; the p-value comes from this many samples of the fitted tail.
_MIN_FIT, _SAMPLES = 0.05, 200


@dataclass(frozen=True)
class NullTail:
    """The largest values of a null distribution, and the generalised Pareto distribution of their excesses.

    Attributes
    ----------
    threshold
        Value above which the tail begins.
    n_tail, n_null
        Null values in the tail, and all.
    shape, scale
        Parameters of the distribution. The shape is raised by its standard error and is never negative, so that no
        value is impossible and p-values are too large rather than too small.
    fit_p
        p-value of the Anderson-Darling test of the fit.
    """

    threshold: float
    n_tail: int
    n_null: int
    shape: float
    scale: float
    fit_p: float

    @property
    def min_p(self) -> float:
        """Smallest p-value that the tail gives."""
        return 1 / (1 + self.n_null) / MAX_EXTRAPOLATION

    def p_values(self, values: np.ndarray) -> np.ndarray:
        """Probability that a null value reaches each of some values that exceed the threshold."""
        excess = (np.asarray(values) - self.threshold) / self.scale
        share = (1 + self.n_tail) / (1 + self.n_null)
        return np.maximum(share * np.exp(-_log_return(excess, self.shape)), self.min_p)


def fit_tail(null: np.ndarray) -> NullTail | None:
    """Fit the tail of a null distribution.

    Parameters
    ----------
    null
        (m,) null distribution, ascending.

    Returns
    -------
    NullTail or None
        None with fewer than `MIN_NULL` values, or if no fit to 50 values or more passes its test.
    """
    m = len(null)
    if m < MIN_NULL:
        return None
    rng = fixed_stream(FixedDraw.NULL_TAIL)
    for n in range(min(MAX_TAIL, int(MAX_SHARE * m)), MIN_TAIL - 1, -10):
        threshold = (null[m - n - 1] + null[m - n]) / 2
        excess = null[m - n :] - threshold
        if excess[-1] <= 0 or excess[0] <= 0:  # ties at the threshold, such as many zeros
            continue
        shape, scale = _fit_excesses(excess)
        fit_p = _test_fit(excess, shape, scale, rng)
        if fit_p > _MIN_FIT:
            raised = max(shape, 0.0) + (1 + max(shape, 0.0)) / np.sqrt(n)
            return NullTail(float(threshold), n, m, float(raised), float(scale), float(fit_p))
    return None


def tail_p(values: np.ndarray, null: np.ndarray, tail: NullTail | None, floor: float = 0.0) -> np.ndarray:
    """Probability that a null value reaches each value: empirical, or by the fitted tail where fewer than ten reach it.

    Parameters
    ----------
    values
        (p,) test statistics.
    null
        (m,) null distribution, ascending.
    tail
        Its fitted tail; None: all p-values are empirical, so at least 1 / (1 + m) (Phipson & Smyth 2010, doi
        10.2202/1544-6115.1585).
    floor
        Smallest possible p-value.
    """
    reach = len(null) - np.searchsorted(null, values, side="left")
    p = (1 + reach) / (1 + len(null))
    if tail is not None:
        far = reach < 10  # from ten on, the empirical share is precise enough
        p[far] = np.minimum(p[far], tail.p_values(values[far]))
    return np.maximum(p, floor)


def _fit_excesses(excess: np.ndarray) -> tuple[float, float]:
    """Shape and scale by probability-weighted moments, of ascending excesses (Hosking & Wallis 1987)."""
    n = len(excess)
    weights = (n - np.arange(1, n + 1) + 0.35) / n
    mean, weighted = float(excess.mean()), float((weights * excess).mean())
    ratio = mean / (mean - 2 * weighted)
    return 2 - ratio, 2 * mean * weighted / (mean - 2 * weighted)


def _log_return(excess: np.ndarray, shape: float) -> np.ndarray:
    """Minus the logarithm of the probability that a scaled excess is reached; infinite beyond the end of the tail."""
    if abs(shape) < 1e-9:
        return excess
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(1 + shape * excess > 0, np.log1p(shape * excess) / shape, np.inf)


def _anderson_darling(excess: np.ndarray, shape: float, scale: float) -> float:
    """Anderson-Darling distance of ascending excesses from the distribution."""
    n = len(excess)
    reached = np.exp(-_log_return(excess / scale, shape)).clip(1e-12, 1 - 1e-12)
    order = np.arange(1, n + 1)
    return float(-n - ((2 * order - 1) * (np.log1p(-reached) + np.log(reached[::-1]))).mean())


def _test_fit(excess: np.ndarray, shape: float, scale: float, rng: np.random.Generator) -> float:
    """Share of samples of the fitted distribution, each fitted anew, that are as far from their own fit."""
    seen = _anderson_darling(excess, shape, scale)
    uniform = -np.log(rng.random((_SAMPLES, len(excess))))
    drawn = np.sort(scale * (np.expm1(shape * uniform) / shape if abs(shape) > 1e-9 else uniform), axis=1)
    further = sum(_anderson_darling(sample, *_fit_excesses(sample)) >= seen for sample in drawn)
    return (1 + further) / (1 + _SAMPLES)
