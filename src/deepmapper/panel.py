"""A panel: how far the significant features alone tell the classes, by a model small enough to write down."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
import scipy.sparse as sp

from . import evaluate
from .draws import Draw, integer_seed

MOST = 200  # features of a panel; beyond, the first of the ranking
_FOLDS, _PENALTIES = 5, 10


def fit_panel(
    X,
    y: np.ndarray,
    classes: Sequence[str],
    names: Sequence[str],
    chosen: np.ndarray,
    development: np.ndarray,
    test: np.ndarray,
    *,
    products: np.ndarray | None = None,
    product_names: Sequence[str] = (),
    groups: np.ndarray | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
) -> tuple[dict, pd.DataFrame]:
    """Fit logistic regression on chosen features and judge it on the test split.

    The penalty (L2) is chosen by cross-validation within the development part; values are standardised there.

    Parameters
    ----------
    X
        (n, p) dense or CSR.
    y
        (n,) class codes.
    classes, names
        Of the classes and features.
    chosen
        Positions of the significant features, best first.
    development, test
        Rows to fit on and to judge on; they share none.
    products, product_names
        (n, m) further columns, such as values of gene chords, and their names.
    groups
        (n,) group codes: folds keep groups whole.
    n_resamples, seed
        Of the intervals, and of the folds.

    Returns
    -------
    tuple
        What panel.json holds, and a table with a row for every member: feature, what ("feature" or "chord"), and its
        coefficient, in standard deviations, for every class (that of the second class, where there are two).
    """
    products = np.empty((len(y), 0), dtype=np.float32) if products is None else products
    left_out = max(0, len(chosen) - MOST)
    chosen = np.asarray(chosen[:MOST], dtype=np.int64)
    named = [classes[1]] if len(classes) == 2 else list(classes)
    empty = pd.DataFrame(columns=["feature", "what", *(f"coefficient[{name}]" for name in named)])
    about: dict = {
        "n_features": len(chosen),
        "n_left_out": left_out,
        "n_chords": products.shape[1],
        "n_test": len(test),
        "accuracy": None,
        "accuracy_low": None,
        "accuracy_high": None,
        "balanced_accuracy": None,
        "majority_accuracy": None,
    }
    if not len(chosen) + products.shape[1]:
        return {"statement": "No panel: no feature is significant.", **about}, empty
    if not len(test):
        return {"statement": "No panel: there is no test split that could judge it.", **about}, empty
    model, mean, scale, values = _fit(X, y, chosen, products, development, groups, seed)
    probability = np.zeros((len(test), len(classes)))
    probability[:, model.classes_] = model.predict_proba((values[test] - mean) / scale)
    judged = evaluate.judge_ensemble([probability], y[test], y[development], classes)
    low, high = evaluate.bootstrap_intervals(y[test], probability, n_resamples, seed)["accuracy"]
    chords = f" and {products.shape[1]} chords" if products.shape[1] else ""
    verdict = "better than" if low > judged.majority_accuracy else "not clearly better than"
    statement = (
        f"Logistic regression on {len(chosen)} features{chords} names {judged.accuracy:.3f} of {len(test)} test "
        f"samples right ({low:.3f} to {high:.3f} with 95 % confidence), {verdict} always naming the largest class "
        f"({judged.majority_accuracy:.3f})."
    )
    if left_out:
        statement += f" Of the significant features the first {MOST} were taken, {left_out} were left out."
    table = pd.DataFrame(
        {
            "feature": [*(names[i] for i in chosen), *product_names],
            "what": ["feature"] * len(chosen) + ["chord"] * products.shape[1],
        }
    )
    for row, name in enumerate(named):
        table[f"coefficient[{name}]"] = model.coef_[row]
    about |= {
        "accuracy": judged.accuracy,
        "accuracy_low": float(low),
        "accuracy_high": float(high),
        "balanced_accuracy": judged.balanced_accuracy,
        "majority_accuracy": judged.majority_accuracy,
        "penalty": float(np.ravel(model.C_)[0]),
    }
    return {"statement": statement, **about}, table


def draw_folds(y: np.ndarray, groups: np.ndarray | None, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Draw up to five folds, stratified, groups kept whole: rows to learn from, which hold every class, and the others.

    None where the classes or groups are too few for that.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    sizes = np.bincount(y)
    least, state = int(sizes[sizes > 0].min()), integer_seed(seed, Draw.PANEL_FOLDS)
    if groups is None:
        folds = StratifiedKFold(max(2, min(_FOLDS, least)), shuffle=True, random_state=state).split(y, y)
    else:
        n_folds = max(2, min(_FOLDS, least, len(np.unique(groups))))
        folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=state).split(y, y, groups)
    return [(train, held) for train, held in folds if len(np.unique(y[train])) == (sizes > 0).sum()]


def _fit(X, y, chosen, products, development, groups, seed):
    """The classifier, the mean and scale of its columns on the development part, and their values in all samples."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegressionCV

    members = X[:, chosen]
    values = np.hstack([members.toarray() if sp.issparse(members) else members, products]).astype(np.float64)
    mean, scale = values[development].mean(0), values[development].std(0)
    scale[scale == 0] = 1
    inside = (values[development] - mean) / scale
    labels = y[development]
    whole = draw_folds(labels, None if groups is None else groups[development], seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of penalties that are not chosen
        warnings.simplefilter("ignore", FutureWarning)
        model = LogisticRegressionCV(
            Cs=np.logspace(-4, 1, _PENALTIES), cv=whole or None, scoring="neg_log_loss", max_iter=2000
        ).fit(inside, labels)
    return model, mean, scale, values
