"""Additive main effects: out-of-fold class probabilities of a model without interactions.

Within a stratum of samples to which the additive model gives similar probabilities, labels are exchangeable if there
are only main effects. If products of features predict labels within strata, there are interactions as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from ..core.arrays import dense
from ..core.blocks import column_blocks
from ..core.draws import Draw, integer_seed
from ..core.logistic import column_scale, fit_ridge_logistic
from ..features.splits import assign_folds

# Numbers of features and inverse strengths (C) of the ridge penalty that are tried: a coarse grid, chosen by hand.
_SIZES, _PENALTIES = (30, 100, 300), (0.003, 0.03, 0.3)

# Penalties (C) of the fits of the confounders, and of the linear predictors and their squares. Chosen by hand.
_PENALTY_CONFOUNDERS, _PENALTY_CURVES = 0.3, 1.0

_MAX_CROSSED = 4  # classes up to which products of their linear predictors are added: more would be too many columns


@dataclass(frozen=True)
class MainEffects:
    """Out-of-fold class probabilities of an additive model.

    Attributes
    ----------
    probability
        (n, classes).
    features
        How many features it uses; 0 if none improved on the confounders and the class frequencies.
    log_loss, base_log_loss
        Mean over samples, of the model and of the class frequencies.
    """

    probability: np.ndarray
    features: int
    log_loss: float
    base_log_loss: float


def fit_main_effects(
    X,
    y: np.ndarray,
    design: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    seed: int = 0,
    features: np.ndarray | None = None,
) -> MainEffects:
    """Fit multinomial ridge regressions on the best single features, and predict out of fold.

    The features are chosen within each training fold by their F statistic; their number and the penalty are those with
    the best out-of-fold log loss. Where it improves the loss, the squares of the linear predictors are added, so that a
    nonlinear main effect is not mistaken for an interaction of the features that share it.

    Parameters
    ----------
    X
        (n, p) float32, CSC or dense.
    y
        (n,) class codes, 0 .. K - 1.
    design
        (n, q) standardised confounders, which enter every fit with their squares; None for none.
    groups
        (n,) codes; samples of a group stay in one fold, unless classes have too few groups.
    seed
        Seed of the folds.
    features
        Columns to choose from; None for all.
    """
    n, K = len(y), int(y.max()) + 1
    features = np.arange(X.shape[1]) if features is None else features
    folds = assign_folds(y, groups, integer_seed(seed, Draw.MAIN_EFFECT_FOLDS))
    shares = np.bincount(y, minlength=K) / n
    best_probability = np.tile(shares, (n, 1))
    base_loss = best_loss = _log_loss(best_probability, y)
    best_size = 0
    fixed = np.zeros((n, 0)) if design is None else np.hstack([design, design**2])
    if fixed.shape[1]:
        adjusted = _out_of_fold(fixed, y, folds, _PENALTY_CONFOUNDERS)
        loss = _log_loss(adjusted, y)
        if loss < best_loss:
            best_probability, best_loss = adjusted, loss
    sizes = [size for size in _SIZES if size <= len(features)] or [len(features)]
    tried = {(size, penalty): np.zeros((n, K)) for size in sizes for penalty in _PENALTIES}
    for fold in np.unique(folds):  # the outer loop, so that the dense features of one fold are in memory at a time
        train = folds != fold
        dense = _standardised(X, features[_by_f_statistic(X, y, train, max(_SIZES), features)], train)
        for (size, penalty), probability in tried.items():
            _predict(np.hstack([dense[:, :size], fixed]), y, train, penalty, probability)
    for (size, _), probability in tried.items():
        loss = _log_loss(probability, y)
        if loss < best_loss:
            best_probability, best_loss, best_size = probability, loss, size
    if best_loss < base_loss:
        curved = _out_of_fold(_curves(best_probability), y, folds, _PENALTY_CURVES)
        loss = _log_loss(curved, y)
        if loss < best_loss:
            best_probability, best_loss = curved, loss
    return MainEffects(best_probability, best_size, best_loss, base_loss)


def _by_f_statistic(X, y: np.ndarray, rows: np.ndarray, count: int, features: np.ndarray) -> np.ndarray:
    """Positions of the `count` features that differ most between classes among `rows`, by decreasing F statistic."""
    indicator = (y[:, None] == np.arange(int(y.max()) + 1)) & rows[:, None]
    sizes = indicator.sum(0)
    sums, total = np.zeros((len(features), len(sizes))), np.zeros(len(features))
    for part, values in column_blocks(X, features):
        squared = values.power(2) if sp.issparse(X) else np.square(values)
        sums[part] = values.T @ indicator.astype(np.float32)
        total[part] = squared.T @ rows.astype(np.float32)
    mean = sums.sum(1) / sizes.sum()
    between = (sums**2 / np.maximum(sizes, 1)).sum(1) - sizes.sum() * mean**2
    within = total - (sums**2 / np.maximum(sizes, 1)).sum(1)
    ratio = np.where(within > 1e-6 * np.maximum(total, 1e-30), between / np.maximum(within, 1e-30), 0)
    return np.argsort(-ratio, kind="stable")[:count]


def _standardised(X, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Dense columns, standardised by the mean and standard deviation of `rows`."""
    values = dense(X[:, columns])
    mean, scale = column_scale(values[rows])
    return (values - mean) / scale


def _out_of_fold(values: np.ndarray, y: np.ndarray, folds: np.ndarray, C: float) -> np.ndarray:
    probability = np.zeros((len(y), int(y.max()) + 1))
    for fold in np.unique(folds):
        _predict(values, y, folds != fold, C, probability)
    return probability


def _predict(values: np.ndarray, y: np.ndarray, train: np.ndarray, C: float, probability: np.ndarray) -> None:
    """Fit on the training rows, and write the probabilities of the other rows into `probability`."""
    penalty = C / np.sqrt(max(train.sum(), 1)) * 30  # C is for 900 samples, and shrinks with the root of their number
    model = fit_ridge_logistic(
        values[train],
        y[train],
        penalties=(penalty,),
        n_classes=probability.shape[1],
        standardise=False,
        max_iter=200,
        tol=1e-3,
    )
    probability[~train] = model.probabilities(values[~train])


def _curves(probability: np.ndarray) -> np.ndarray:
    """Linear predictors, standardised, their squares and, for few classes, their products."""
    eta = np.log(np.clip(probability, 1e-4, None))
    eta = eta - eta.mean(1, keepdims=True)
    eta = eta[:, 1:] if eta.shape[1] == 2 else eta
    eta = (eta - eta.mean(0)) / np.maximum(eta.std(0), 1e-9)
    curves = [eta, eta**2]
    if 2 < eta.shape[1] <= _MAX_CROSSED:
        curves += [eta[:, [i]] * eta[:, i + 1 :] for i in range(eta.shape[1])]
    return np.hstack(curves)


def _log_loss(probability: np.ndarray, y: np.ndarray) -> float:
    return float(-np.log(np.clip(probability[np.arange(len(y)), y], 1e-9, None)).mean())
