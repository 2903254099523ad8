"""Additive main effects: out-of-fold class probabilities of a model without interactions.

Within a stratum the additive model gives all samples much the same probability, so that the labels in it are
exchangeable as far as main effects go; what products of features say of them there is more than additive.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from ..core.blocks import column_blocks
from ..core.draws import Draw, integer_seed
from ..core.logistic import column_scale, fit_ridge_logistic
from ..features.strata import assign_folds

_SIZES, _PENALTIES = (30, 100, 300), (0.003, 0.03, 0.3)

_CURVED_UP_TO = 4  # classes up to which products of their linear predictors are tried as well as squares


@dataclass(frozen=True)
class MainEffects:
    """Probabilities that an additive model gives to samples which it was not fitted on.

    Attributes
    ----------
    probability
        (n, classes).
    features
        How many features it uses; 0 where none improved on the confounders and the shares of the classes.
    log_loss, base_log_loss
        Per sample, of the model and of the shares of the classes.
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

    The features are chosen within each training part by their F statistic; their number and the penalty are those with
    the best out-of-fold log loss. Where it improves, the linear predictors are bent by their squares, so that what is a
    curve in one latent effect is not taken for an interaction of the features that carry it.

    Parameters
    ----------
    X
        (n, p) float32, CSC or dense.
    y
        (n,) class codes, 0 .. K - 1.
    design
        (n, q) confounders, standardised; they and their squares are in every fit, or None.
    groups
        (n,) codes; samples of a group stay in one fold. Where classes have too few groups, samples are dealt singly.
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
    base = best = _log_loss(best_probability, y)
    best_size = 0
    fixed = np.zeros((n, 0)) if design is None else np.hstack([design, design**2])
    if fixed.shape[1]:
        found = _out_of_fold(fixed, y, folds, 0.3)
        loss = _log_loss(found, y)
        if loss < best:
            best_probability, best = found, loss
    sizes = [size for size in _SIZES if size <= len(features)] or [len(features)]
    probability = {(size, penalty): np.zeros((n, K)) for size in sizes for penalty in _PENALTIES}
    for fold in np.unique(folds):  # one at a time: its features are dense
        train = folds != fold
        dense = _standardised(X, features[_by_f_statistic(X, y, train, max(_SIZES), features)], train)
        for (size, penalty), found in probability.items():
            _predict(np.hstack([dense[:, :size], fixed]), y, train, penalty, found)
    for (size, _), found in probability.items():
        loss = _log_loss(found, y)
        if loss < best:
            best_probability, best, best_size = found, loss, size
    if best < base:
        bent = _out_of_fold(_curves(best_probability), y, folds, 1.0)
        loss = _log_loss(bent, y)
        if loss < best:
            best_probability, best = bent, loss
    return MainEffects(best_probability, best_size, best, base)


def _by_f_statistic(X, y: np.ndarray, rows: np.ndarray, count: int, features: np.ndarray) -> np.ndarray:
    """Return the positions of the features that differ most between classes among `rows`, by falling F."""
    indicator = (y[:, None] == np.arange(int(y.max()) + 1)) & rows[:, None]
    sizes = indicator.sum(0)
    sums, total = np.zeros((len(features), len(sizes))), np.zeros(len(features))
    for some, values in column_blocks(X, features):
        squared = values.power(2) if sp.issparse(X) else np.square(values)
        sums[some] = values.T @ indicator.astype(np.float32)
        total[some] = squared.T @ rows.astype(np.float32)
    mean = sums.sum(1) / sizes.sum()
    between = (sums**2 / np.maximum(sizes, 1)).sum(1) - sizes.sum() * mean**2
    within = total - (sums**2 / np.maximum(sizes, 1)).sum(1)
    ratio = np.where(within > 1e-6 * np.maximum(total, 1e-30), between / np.maximum(within, 1e-30), 0)
    return np.argsort(-ratio, kind="stable")[:count]


def _standardised(X, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    values = X[:, columns]
    values = values.toarray() if sp.issparse(values) else np.asarray(values)
    mean, scale = column_scale(values[rows])
    return (values - mean) / scale


def _out_of_fold(values: np.ndarray, y: np.ndarray, folds: np.ndarray, C: float) -> np.ndarray:
    probability = np.zeros((len(y), int(y.max()) + 1))
    for fold in np.unique(folds):
        _predict(values, y, folds != fold, C, probability)
    return probability


def _predict(values: np.ndarray, y: np.ndarray, train: np.ndarray, C: float, probability: np.ndarray) -> None:
    """Fit on the training part, and write the probabilities of all others into `probability`."""
    penalty = C / np.sqrt(max(train.sum(), 1)) * 30
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
    """Linear predictors, their squares and, of few classes, their products: standardised."""
    eta = np.log(np.clip(probability, 1e-4, None))
    eta = eta - eta.mean(1, keepdims=True)
    eta = eta[:, 1:] if eta.shape[1] == 2 else eta
    eta = (eta - eta.mean(0)) / np.maximum(eta.std(0), 1e-9)
    curves = [eta, eta**2]
    if 2 < eta.shape[1] <= _CURVED_UP_TO:
        curves += [eta[:, [i]] * eta[:, i + 1 :] for i in range(eta.shape[1])]
    return np.hstack(curves)


def _log_loss(probability: np.ndarray, y: np.ndarray) -> float:
    return float(-np.log(np.clip(probability[np.arange(len(y)), y], 1e-9, None)).mean())
