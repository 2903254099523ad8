"""Logistic regression with a ridge (L2) penalty, its strength chosen by cross-validation."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Folds = Sequence[tuple[np.ndarray, np.ndarray]]

# Least probability of the true class in a log loss, so that one confident mistake does not decide on the penalty.
_LEAST = 1e-9


@dataclass(frozen=True, eq=False)
class RidgeLogistic:
    """A fitted model.

    Attributes
    ----------
    model
        scikit-learn's classifier, of the standardised columns.
    penalty
        Inverse strength C of its penalty.
    n_classes
        Number of classes, some of which may have been absent from the rows of the fit.
    mean, scale
        (p,) what columns are centred to and divided by; None where they were taken as they are.
    """

    model: Any
    penalty: float
    n_classes: int
    mean: np.ndarray | None
    scale: np.ndarray | None

    @property
    def coefficients(self) -> np.ndarray:
        """(k, p) of the standardised columns, one row a class; of two classes one row, that of the second."""
        return self.model.coef_

    @property
    def intercept(self) -> np.ndarray:
        """(k,) as `coefficients`."""
        return self.model.intercept_

    @property
    def classes(self) -> np.ndarray:
        """Codes of the classes among the rows of the fit, rising."""
        return self.model.classes_

    def probabilities(self, X: np.ndarray) -> np.ndarray:
        """(n, n_classes) float64 probabilities of new rows; 0 for a class that was absent from the fit."""
        made = np.zeros((len(X), self.n_classes))
        made[:, self.classes] = self.model.predict_proba(_standardised(X, self.mean, self.scale))
        return made

    def predict(self, X: np.ndarray) -> np.ndarray:
        """(n,) code of the most probable class of new rows."""
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
    """Fit multinomial logistic regression by L-BFGS, at the penalty with the least log loss out of fold.

    Parameters
    ----------
    X
        (n, p) dense.
    y
        (n,) class codes, at least two of them.
    penalties
        Inverse strengths C of the penalty to choose from; a single one is taken without a search.
    folds
        Rows to fit on and rows to judge, for the search; they may depend on groups (`panel.draw_folds`). Without any,
        a search from a warm start uses five stratified folds.
    warm_start
        Whether every fit of a fold starts from the one at the penalty before, which is faster for many penalties, and
        the log loss is averaged over folds (scikit-learn's ``LogisticRegressionCV``). Else every fit starts from zero,
        and the log loss is summed over samples.
    n_classes
        Number of classes; None takes the highest code of `y` and one.
    standardise
        Whether columns are brought to mean 0 and deviation 1 on these rows; a constant one is centred only.
    max_iter, tol
        Most iterations and tolerance of the solver.

    Raises
    ------
    ValueError
        If there are several penalties and no folds, and no warm start.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `max_iter` ends a fit; not in a search from a warm start.
    """
    n_classes = int(y.max()) + 1 if n_classes is None else n_classes
    mean, scale = column_scale(X) if standardise else (None, None)
    X = _standardised(X, mean, scale)
    if len(penalties) > 1 and warm_start:
        model = _search_from_warm_start(X, y, penalties, folds, max_iter, tol)
        return RidgeLogistic(model, float(np.ravel(model.C_)[0]), n_classes, mean, scale)
    if len(penalties) > 1:
        if not folds:
            raise ValueError(f"{len(penalties)} penalties to choose from: expected folds, or a warm start")
        losses = [_log_loss(X, y, folds, penalty, n_classes, max_iter, tol) for penalty in penalties]
        penalty = float(penalties[int(np.argmin(losses))])
    else:
        penalty = float(penalties[0])
    return RidgeLogistic(_fit(X, y, penalty, max_iter, tol), penalty, n_classes, mean, scale)


def column_scale(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(p,) mean and (p,) standard deviation of every column, 1 for a constant one."""
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
    """Log loss of every held sample, summed."""
    loss = 0.0
    for train, held in folds:
        fitted = RidgeLogistic(_fit(X[train], y[train], penalty, max_iter, tol), penalty, n_classes, None, None)
        of_truth = fitted.probabilities(X[held])[np.arange(len(held)), y[held]]
        loss -= np.log(np.clip(of_truth, _LEAST, None)).sum()
    return loss


def _search_from_warm_start(
    X: np.ndarray, y: np.ndarray, penalties: Sequence[float], folds: Folds | None, max_iter: int, tol: float
):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegressionCV

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of penalties that are not chosen
        warnings.simplefilter("ignore", FutureWarning)
        return LogisticRegressionCV(
            Cs=np.asarray(penalties), cv=folds or None, scoring="neg_log_loss", max_iter=max_iter, tol=tol
        ).fit(X, y)
