"""Penalised logistic regression on all features: deterministic, one fit, converged to the solver's tolerance.

For a linear model the arrangement does not matter, the optimum is unique, and integrated gradients equal coefficient ×
(x − baseline): passes would only repeat it. It is the honest reference for every network here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from .splits import draw_out_of_bag


def fit(X, y, feature_names: Sequence[str] | None = None, C: float = 1.0, max_iter: int = 5000):
    """Fit multinomial logistic regression on standardised features.

    Parameters
    ----------
    X
        (n_samples, n_features), dense or sparse. Sparse input is scaled, not centred, and stays sparse: the intercept,
        which is not penalised, takes up the difference, so that the coefficients are the same.
    y
        (n_samples,) labels.
    feature_names
        Names of the features; None gives their positions.
    C
        Inverse strength of the L2 penalty.
    max_iter
        Most iterations of lbfgs.

    Returns
    -------
    tuple
        The classifier (which predicts the labels as given), the scaler, and the ranking: (name, importance) by falling
        importance, the largest size of the feature's standardised coefficient over the classes.

    Raises
    ------
    InputError
        If the data cannot be used.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `max_iter` ends the fit.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    from .runner import as_labels, as_matrix

    matrix, names = as_matrix(X, feature_names)
    as_labels(y, matrix.shape[0])  # refuses what cannot be a label; the classifier keeps the labels as they are given
    scaler = StandardScaler(with_mean=not sp.issparse(matrix)).fit(matrix)
    clf = LogisticRegression(C=C, max_iter=max_iter).fit(scaler.transform(matrix), np.asarray(y))
    importance = np.abs(clf.coef_).max(0)
    order = np.argsort(-importance, kind="stable")
    return clf, scaler, [(names[i] if names is not None else int(i), float(importance[i])) for i in order]


def out_of_bag(
    X,
    y: np.ndarray,
    share: float,
    seeds: Sequence[int],
    groups: np.ndarray | None = None,
    C: float = 1.0,
    max_iter: int = 5000,
) -> np.ndarray:
    """Predict every sample by fits that have not seen it, on the draws of the passes with these seeds.

    Parameters
    ----------
    X
        (n_samples, n_features), dense or sparse.
    y
        (n_samples,) class codes, 0 .. C - 1.
    share, groups
        Out-of-bag share of a pass, and group codes, as the passes have them.
    seeds
        Seeds of the passes.
    C, max_iter
        As in `fit`.

    Returns
    -------
    numpy.ndarray
        (n_samples, classes) probabilities, averaged; NaN for a sample that was out of bag in no draw.
    """
    total, times = np.zeros((len(y), int(y.max()) + 1)), np.zeros(len(y))
    for seed in seeds:
        kept, left_out = draw_out_of_bag(y, share, seed, groups)
        clf, scaler, _ = fit(X[kept], y[kept], C=C, max_iter=max_iter)
        total[left_out] += clf.predict_proba(scaler.transform(X[left_out]))
        times[left_out] += 1
    return np.divide(total, times[:, None], out=np.full_like(total, np.nan), where=times[:, None] > 0)


def top_genes(ranking: Sequence[tuple], k: int) -> list:
    """Names of the first `k` features of a ranking that `fit` returned."""
    return [name for name, _ in ranking[:k]]
