"""Linear regression of values that are no counts, with moderated t statistics.

The variance of a feature is estimated from few samples, so it is drawn towards a common value, by as much as the
variances of all features support (Smyth 2004, doi 10.2202/1544-6115.1027; the method of limma).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import digamma, polygamma

from ..core.false_discovery import benjamini_hochberg
from .contrasts import TestDesign
from .results import empty_result


def fit_values(values: np.ndarray, design: TestDesign) -> tuple[list[pd.DataFrame], str]:
    """Fit a linear model to every feature and test every contrast of the design.

    Parameters
    ----------
    values
        (units, p) values, such as logarithms. Fold changes are differences of these values.
    design
        Design matrix of the units, and the contrasts.

    Returns
    -------
    list of pandas.DataFrame, str
        As `count_model.fit_counts`.
    """
    D = design.matrix.to_numpy()
    free = len(values) - D.shape[1]
    if free < 1:
        return (
            [empty_result(values.shape[1]) for _ in design.contrasts],
            f"{len(values)} samples leave nothing to estimate the variance from with {D.shape[1]} coefficients",
        )
    inverse = np.linalg.inv(D.T @ D)
    coefficients = inverse @ D.T @ values
    variance = ((values - D @ coefficients) ** 2).sum(axis=0) / free
    tested = np.flatnonzero(np.ptp(values, axis=0) > 0)
    prior_df, prior_variance = prior_of_variances(variance[tested], free)
    weight = 1.0 if np.isinf(prior_df) else prior_df / (prior_df + free)
    moderated = weight * prior_variance + (1 - weight) * variance[tested]
    total_df = min(free + prior_df, free * len(tested))
    results = []
    for contrast in design.contrasts:
        result = empty_result(values.shape[1])
        difference = contrast.vector @ coefficients[:, tested]
        error = np.sqrt(moderated * (contrast.vector @ inverse @ contrast.vector))
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(error > 0, difference / error, np.nan)
        result.loc[tested, "log2_fold_change"] = difference
        result.loc[tested, "standard_error"] = error
        result.loc[tested, "statistic"] = t
        result.loc[tested, "p"] = 2 * stats.t.sf(np.abs(t), total_df)
        result["q"] = benjamini_hochberg(result["p"].to_numpy())
        results.append(result)
    n_constant = values.shape[1] - len(tested)
    return results, f"not tested: {n_constant} that do not vary" if n_constant else ""


def prior_of_variances(variance: np.ndarray, free: int) -> tuple[float, float]:
    """Fit a scaled F distribution to variances by its first two moments: degrees of freedom and value of the prior.

    Parameters
    ----------
    variance
        (p,) variances, each of `free` degrees of freedom. Zeros are left out.

    Returns
    -------
    float, float
        Degrees of freedom of the prior, infinite if the variances vary no more than by chance; and its variance.
    """
    logs = np.log(variance[variance > 0])
    if len(logs) < 2:
        return 0.0, float(variance.mean()) if len(variance) else 0.0
    shifted = logs - digamma(free / 2) + np.log(free / 2)
    excess = shifted.var(ddof=1) - polygamma(1, free / 2)
    if excess <= 0:
        return np.inf, float(np.exp(shifted.mean()))
    prior = 2 * inverse_trigamma(excess)
    return prior, float(np.exp(shifted.mean() + digamma(prior / 2) - np.log(prior / 2)))


def inverse_trigamma(x: float) -> float:
    """Solve trigamma(y) = x by Newton's method, which converges from 0.5 + 1 / x for every x > 0."""
    y = 0.5 + 1 / x
    for _ in range(50):
        value = float(polygamma(1, y))
        step = value * (1 - value / x) / float(polygamma(2, y))
        y += step
        if -step / y < 1e-8:
            break
    return y
