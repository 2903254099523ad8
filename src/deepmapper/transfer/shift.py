"""Factors by which features are larger in new samples than in the reference, the composition allowed for.

Another batch or technology multiplies every feature by a factor of its own. Factors are estimated as empirical Bayes
adjusts for batches with the class as a covariate (Johnson, Li and Rabinovic 2007, doi 10.1093/biostatistics/kxj037),
the classes being those that the model predicts, and predictions and factors in turn: expectation and maximisation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from ..io.matrix_stats import LARGEST_LOG
from .model import Model
from .values import Gap, NewValues, Shift

# Standard deviation of the logarithms of the factors from which a file is aligned, chosen after measurements
# (docs/transfer.md): below it are other shares, new classes, and two studies in which alignment did harm.
SPREAD = 0.8

# Total variation distance between the shares of the classes in target and reference above which nothing is aligned:
# wrong labels take part of the factors for other shares. Chosen between .07 (the same shares) and .17 (half of the
# classes thinned to a tenth), the largest and smallest of twenty splits each.
OTHER_SHARES = 0.1

# Rounds after which nothing changes any more; samples from which factors are estimated, fewest and most; features.
# Chosen by hand.
_ROUNDS, _FEWEST, _MOST, _FEWEST_FEATURES = 4, 50, 5000, 50

# Largest logarithm of a factor, halvings of an interval, and the largest standard error of a logarithm that is used.
_LARGEST, _HALVINGS, _UNSURE = 6.0, 30, 1.0

_MEDIAN_OF_CHI2 = 0.4549  # with one degree of freedom


@dataclass(frozen=True, eq=False)
class Factors:
    """Factors of the features of one file.

    Attributes
    ----------
    logs
        (p,) natural logarithms.
    spread
        Their standard deviation over the features, without the error of the estimates.
    """

    logs: np.ndarray
    spread: float


def can_align(values: NewValues) -> bool:
    """Whether the values are logarithms of one plus something, so that a factor can be undone."""
    scale, X = values.model.scale, values.X
    by_hand = scale.method == "none" and not scale.is_integer and scale.largest < LARGEST_LOG
    if not (by_hand or scale.method.startswith("log1p")) or not min(X.shape):
        return False
    return float(X.min()) >= 0 and float(np.nan_to_num(values.model.class_mean).min()) >= 0


def align_to_reference(
    values: NewValues, probability: np.ndarray, predict: Callable[[NewValues], np.ndarray]
) -> tuple[NewValues, tuple[float, ...]]:
    """Undo factors of features, file by file, where they are large.

    Parameters
    ----------
    values
        Values of the n samples.
    probability
        (n, C) their probabilities.
    predict
        Gives the probabilities of other values.

    Returns
    -------
    tuple
        The values; and for every file the standard deviation of the logarithms of its factors, NaN for one with too
        few samples or features to tell. Files below `SPREAD` stay as they are.
    """
    files = values.gaps or (Gap(slice(0, values.X.shape[0]), np.empty(0, dtype=np.int64)),)
    shifts, spreads = [], []
    for file in files:
        found = _of_file(values, file, probability, predict)
        spreads.append(float("nan") if found is None else found.spread)
        if found is not None and found.spread >= SPREAD:
            shifts.append(Shift(file.rows, found.logs))
    return replace(values, shifts=tuple(shifts)), tuple(spreads)


def _of_file(
    values: NewValues, file: Gap, probability: np.ndarray, predict: Callable[[NewValues], np.ndarray]
) -> Factors | None:
    """Factors of one file; after the first round if they are small."""
    rows = np.arange(file.rows.start, file.rows.stop)
    if len(rows) > _MOST:
        rows = rows[np.linspace(0, len(rows) - 1, _MOST).astype(np.int64)]
    rows = rows[np.asarray(values.X[rows].sum(1)).ravel() > 0]
    if len(rows) < _FEWEST:
        return None
    X = sp.csc_matrix(values.X[rows], dtype=np.float64)
    part = replace(values, X=values.X[rows], gaps=(Gap(slice(0, len(rows)), file.columns),))
    found = estimate_factors(X, probability[rows], values.model, np.zeros(X.shape[1]), file.columns)
    for _ in range(_ROUNDS - 1):
        if found is None or found.spread < SPREAD:
            break
        named = predict(replace(part, shifts=(Shift(slice(0, len(rows)), found.logs),)))
        found = estimate_factors(X, named, values.model, found.logs, file.columns)
    return found


def estimate_factors(
    X: sp.csc_matrix, probability: np.ndarray, model: Model, before: np.ndarray, missing: Sequence[int] | np.ndarray
) -> Factors | None:
    """Estimate factors with which the mean of every feature is what the classes of the samples lead one to expect.

    Parameters
    ----------
    X
        (n, p) logarithms.
    probability
        (n, C) probabilities of the classes.
    model
        With the means of the classes.
    before
        (p,) logarithms of the factors so far; samples keep their totals, which depends on all features.
    missing
        Positions of features that the samples lack.

    Returns
    -------
    Factors
        Shrunk to their median by their error; None if there are too few features to tell.
    """
    n, mean = X.shape[0], np.nan_to_num(model.class_mean.astype(np.float64))
    plain, column = np.expm1(X.data), np.repeat(np.arange(X.shape[1]), np.diff(X.indptr))
    after = np.bincount(X.indices, plain * np.exp(-before[column]), minlength=n)
    plain *= (np.bincount(X.indices, plain, minlength=n) / after)[X.indices]
    share = probability.mean(0)
    logs = _solve(plain, column, share @ mean, n)
    scaled = plain * np.exp(-logs[column])
    slope = np.bincount(column, scaled / (1 + scaled), minlength=X.shape[1]) / n
    Y = sp.csc_matrix((np.log1p(scaled), X.indices, X.indptr), shape=X.shape)
    # mean square of the differences between values and what is expected of them, in pieces without an (n, p) array
    squares = np.asarray(Y.multiply(Y).sum(0)).ravel() - 2 * np.einsum("cp,cp->p", mean, (Y.T @ probability).T)
    squares += np.einsum("cp,cd,dp->p", mean, probability.T @ probability, mean, optimize=True)
    sizes = np.array([max(1, model.sizes[name]) for name in model.classes])
    variance = squares.clip(0) / n * (1 / n + (share**2 / sizes).sum()) / slope.clip(1e-9) ** 2
    usable = (variance < _UNSURE**2) & (np.abs(logs) < 0.99 * _LARGEST) & (slope > 0)
    usable[np.asarray(missing, dtype=np.int64)] = False
    if usable.sum() < _FEWEST_FEATURES:
        return None
    centre, spread = _spread(logs[usable], variance[usable].clip(1e-12))
    kept = np.where(usable, spread**2 / (spread**2 + variance.clip(1e-12)), 0)
    return Factors(centre + kept * (logs - centre), spread)


def _solve(plain: np.ndarray, column: np.ndarray, goal: np.ndarray, n: int) -> np.ndarray:
    """Logarithms of the factors that make the mean of log(1 + value / factor) the goal, by bisection."""
    low, high = np.full(len(goal), -_LARGEST), np.full(len(goal), _LARGEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        reached = np.bincount(column, np.log1p(plain * np.exp(-middle[column])), minlength=len(goal)) / n
        larger = reached > goal
        low, high = np.where(larger, middle, low), np.where(larger, high, middle)
    return (low + high) / 2


def _spread(logs: np.ndarray, variance: np.ndarray) -> tuple[float, float]:
    """Median and standard deviation of true values, from medians: a new class changes few features by much."""
    low, high, order = 0.0, float(np.var(logs)) * 4 + 1e-12, np.argsort(logs, kind="stable")
    centre = 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        weight = np.cumsum(1 / (variance + middle)[order])
        centre = float(logs[order][np.searchsorted(weight, weight[-1] / 2)])
        if np.median((logs - centre) ** 2 / (variance + middle)) > _MEDIAN_OF_CHI2:
            low = middle
        else:
            high = middle
    return centre, float(np.sqrt((low + high) / 2))
