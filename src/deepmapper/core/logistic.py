"""Logistic regression with a ridge (L2) penalty whose strength is chosen by cross-validation."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Folds = Sequence[tuple[np.ndarray, np.ndarray]]

# Lower bound of the probability of the true class in a log loss, so that one confident error cannot decide the penalty;
# chosen by hand.
_MIN_PROBABILITY = 1e-9


@dataclass(frozen=True, eq=False)
class RidgeLogistic:
    """A fitted logistic regression.

    Attributes
    ----------
    model
        scikit-learn's classifier, fitted to the standardised columns.
    penalty
        Inverse strength C of the penalty.
    n_classes
        Number of classes; some may be absent from the training rows.
    mean, scale
        (p,) mean that is subtracted from every column and scale by which it is divided; None without standardisation.
    """

    model: Any
    penalty: float
    n_classes: int
    mean: np.ndarray | None
    scale: np.ndarray | None

    @property
    def coefficients(self) -> np.ndarray:
        """(k, p) coefficients of the standardised columns, one row per class; for two classes only the second."""
        return self.model.coef_

    @property
    def intercept(self) -> np.ndarray:
        """(k,) intercepts, in the order of `coefficients`."""
        return self.model.intercept_

    @property
    def classes(self) -> np.ndarray:
        """Codes of the classes in the training rows, ascending."""
        return self.model.classes_

    def probabilities(self, X: np.ndarray) -> np.ndarray:
        """(n, n_classes) float64 class probabilities of new rows; 0 for a class absent from the training rows."""
        probabilities = np.zeros((len(X), self.n_classes))
        probabilities[:, self.classes] = self.model.predict_proba(_standardised(X, self.mean, self.scale))
        return probabilities

    def predict(self, X: np.ndarray) -> np.ndarray:
        """(n,) code of the most probable class for new rows."""
        return self.model.predict(_standardised(X, self.mean, self.scale))


def fit_ridge_logistic(
    X: np.ndarray,
    y: np.ndarray,
    *,
    penalties: Sequence[float] = (1.0,),
    folds: Folds | None = None,
    warm_start: bool = False,
    n_classes: int | None = None,
    standardise: bool = True,
    max_iter: int = 1000,
    tol: float = 1e-4,
) -> RidgeLogistic:
    """Fit multinomial logistic regression by L-BFGS, with the penalty that has the lowest cross-validated log loss.

    Parameters
    ----------
    X
        (n, p) dense.
    y
        (n,) class codes, at least two different ones.
    penalties
        Inverse strengths C of the penalty to choose from; a single one is used without a search.
    folds
        Training and validation rows of each fold of the search; they may keep groups together. Without folds, a search
        with `warm_start` uses five stratified folds.
    warm_start
        If True, each fit in a fold starts from the solution at the previous penalty, which is faster for many
        penalties, and the log loss is averaged over folds (scikit-learn's ``LogisticRegressionCV``). If False, every
        fit starts from zero, and the log loss is summed over samples.
    n_classes
        Number of classes; None takes the highest code in `y` plus one.
    standardise
        Whether to scale columns to mean 0 and standard deviation 1; a constant column is only centred.
    max_iter, tol
        Maximum number of iterations and tolerance of the solver.

    Raises
    ------
    ValueError
        If there are several penalties, but neither folds nor a warm start.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If a fit stops at `max_iter`; not during a search with `warm_start`.
    """
    n_classes = int(y.max()) + 1 if n_classes is None else n_classes
    mean, scale = column_scale(X) if standardise else (None, None)
    X = _standardised(X, mean, scale)
    if len(penalties) > 1 and warm_start:
        model = _search_from_warm_start(X, y, penalties, folds, max_iter, tol)
        return RidgeLogistic(model, float(np.ravel(model.C_)[0]), n_classes, mean, scale)
    if len(penalties) > 1:
        if not folds:
            raise ValueError(f"{len(penalties)} penalties to choose from: expected folds or warm_start=True")
        losses = [_log_loss(X, y, folds, penalty, n_classes, max_iter, tol) for penalty in penalties]
        penalty = float(penalties[int(np.argmin(losses))])
    else:
        penalty = float(penalties[0])
    return RidgeLogistic(_fit(X, y, penalty, max_iter, tol), penalty, n_classes, mean, scale)


def column_scale(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(p,) mean and (p,) standard deviation of every column; the latter is 1 for a constant column."""
    mean, scale = X.mean(0), X.std(0)
    return mean, np.where(scale > 0, scale, 1)


def _standardised(X: np.ndarray, mean: np.ndarray | None, scale: np.ndarray | None) -> np.ndarray:
    return X if mean is None else (X - mean) / scale


def _fit(X: np.ndarray, y: np.ndarray, penalty: float, max_iter: int, tol: float):
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=penalty, max_iter=max_iter, tol=tol).fit(X, y)


def _log_loss(
    X: np.ndarray, y: np.ndarray, folds: Folds, penalty: float, n_classes: int, max_iter: int, tol: float
) -> float:
    """Log loss of the validation samples, summed over all folds."""
    loss = 0.0
    for train, validation in folds:
        fitted = RidgeLogistic(_fit(X[train], y[train], penalty, max_iter, tol), penalty, n_classes, None, None)
        probability = fitted.probabilities(X[validation])[np.arange(len(validation)), y[validation]]
        loss -= np.log(np.clip(probability, _MIN_PROBABILITY, None)).sum()
    return loss


def _search_from_warm_start(
    X: np.ndarray, y: np.ndarray, penalties: Sequence[float], folds: Folds | None, max_iter: int, tol: float
):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegressionCV

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # most are about penalties that are not chosen
        warnings.simplefilter("ignore", FutureWarning)
        return LogisticRegressionCV(
            Cs=np.asarray(penalties), cv=folds or None, scoring="neg_log_loss", max_iter=max_iter, tol=tol
        ).fit(X, y)
