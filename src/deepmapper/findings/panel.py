"""A panel: how well the significant features alone predict the classes, with a small linear model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.draws import Draw, integer_seed
from ..core.logistic import fit_ridge_logistic
from ..features.store import Features
from . import evaluation, intervals

MAX_FEATURES = 200  # features of a panel; beyond, the first of the ranking

_FOLDS = 5

_PENALTIES = tuple(np.logspace(-4, 1, 10).tolist())  # inverse strengths (C) of the L2 penalty, to choose from


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
    left_out = max(0, len(chosen) - MAX_FEATURES)
    chosen = np.asarray(chosen[:MAX_FEATURES], dtype=np.int64)
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
    members = [*(names[i] for i in chosen), *product_names]
    if not len(chosen) + products.shape[1]:
        return {"statement": "No panel: no feature is significant.", **about}, _member_table([], 0, classes)
    if not len(test):
        nothing = "No panel: there is no test split that could judge it."
        return {"statement": nothing, **about}, _member_table([], 0, classes)
    values = _values(X, chosen, products)
    folds = draw_folds(y[development], None if groups is None else groups[development], seed)
    model = fit_ridge_logistic(
        values[development],
        y[development],
        penalties=_PENALTIES,
        folds=folds,
        warm_start=True,
        n_classes=len(classes),
        max_iter=2000,
    )
    probability = model.probabilities(values[test])
    judged = evaluation.evaluate_ensemble([probability], y[test], y[development], classes)
    low, high = intervals.bootstrap_intervals(y[test], probability, n_resamples, seed)["accuracy"]
    about |= {
        "accuracy": judged.accuracy,
        "accuracy_low": float(low),
        "accuracy_high": float(high),
        "balanced_accuracy": judged.balanced_accuracy,
        "majority_accuracy": judged.majority_accuracy,
        "penalty": model.penalty,
    }
    return {"statement": _statement(about), **about}, _member_table(members, len(chosen), classes, model.coefficients)


def fit_run_panel(
    features: Features, table: pd.DataFrame, *, n_resamples: int = 1000, seed: int = 0
) -> tuple[dict, pd.DataFrame]:
    """Fit a panel on the significant features of a run, and on the chords that lie beside them (`fit_panel`).

    Parameters
    ----------
    features
        Of the run, with chords where its model reads them.
    table
        features.tsv of the model, best first; without a column `significant` no feature is.
    n_resamples, seed
        As in `fit_panel`.

    Returns
    -------
    tuple
        As of `fit_panel`.
    """
    position = {name: i for i, name in enumerate(features.names)}
    significant = table.loc[table["significant"].astype(bool), "feature"] if "significant" in table else []
    products = None
    if features.chords:
        products = features.X[:, features.n_features :]
        products = products.toarray() if sp.issparse(products) else products
    return fit_panel(
        features.X,
        features.y,
        features.classes,
        features.names,
        np.array([position[name] for name in significant], dtype=np.int64),
        features.development,
        features.test,
        products=products,
        product_names=features.chords,
        groups=features.groups,
        n_resamples=n_resamples,
        seed=seed,
    )


def _statement(about: dict) -> str:
    """State what the fields of panel.json say of a panel that was judged."""
    chords = f" and {about['n_chords']} chords" if about["n_chords"] else ""
    better = about["accuracy_low"] > about["majority_accuracy"]
    verdict = "better than" if better else "not clearly better than"
    statement = (
        f"Logistic regression on {about['n_features']} features{chords} names {about['accuracy']:.3f} of "
        f"{about['n_test']} test samples right ({about['accuracy_low']:.3f} to {about['accuracy_high']:.3f} with 95 % "
        f"confidence), {verdict} always naming the largest class ({about['majority_accuracy']:.3f})."
    )
    if about["n_left_out"]:
        statement += (
            f" Of the significant features the first {MAX_FEATURES} were taken, {about['n_left_out']} were left out."
        )
    return statement


def _member_table(
    members: Sequence[str], n_features: int, classes: Sequence[str], coefficients: np.ndarray | None = None
) -> pd.DataFrame:
    """Table of the members, features first, and their (classes, members) coefficients; without any, only columns."""
    named = [classes[1]] if len(classes) == 2 else list(classes)
    if coefficients is None:
        return pd.DataFrame(columns=["feature", "what", *(f"coefficient[{name}]" for name in named)])
    kinds = ["feature"] * n_features + ["chord"] * (len(members) - n_features)
    table = pd.DataFrame({"feature": list(members), "what": kinds})
    for row, name in enumerate(named):
        table[f"coefficient[{name}]"] = coefficients[row]
    return table


def _values(X, chosen: np.ndarray, products: np.ndarray) -> np.ndarray:
    """Chosen columns and products of all samples, (n, members) float64."""
    columns = X[:, chosen]
    return np.hstack([columns.toarray() if sp.issparse(columns) else columns, products]).astype(np.float64)


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
