"""A panel: a small linear model that predicts the classes from the significant features alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.arrays import take_rows
from ..core.draws import Draw, integer_seed
from ..core.logistic import fit_ridge_logistic
from ..core.words import features_and_chords
from ..features.kinds import has_lowest_label
from ..features.store import Features
from . import evaluation, intervals

MAX_FEATURES = 200  # features of a panel at most, the first of the ranking; chosen by hand

_FOLDS = 5

_PENALTIES = tuple(np.logspace(-4, 1, 10).tolist())  # inverse strengths (C) of the L2 penalty to choose from


@dataclass(frozen=True)
class Panel:
    """A fitted panel, or the reason why there is none.

    Attributes
    ----------
    summary
        Contents of panel.json.
    members
        One row per member: feature, what ("feature" or "chord"), and its coefficient per standard deviation for every
        class (with two classes, for the second).
    """

    summary: dict
    members: pd.DataFrame


def fit_panel(
    X,
    y: np.ndarray,
    classes: Sequence[str],
    names: Sequence[str],
    selected: np.ndarray,
    development: np.ndarray,
    test: np.ndarray,
    *,
    products: np.ndarray | None = None,
    product_names: Sequence[str] = (),
    groups: np.ndarray | None = None,
    kinds: np.ndarray | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Panel:
    """Fit logistic regression on selected features and evaluate it on the test split.

    The L2 penalty is chosen by cross-validation within the development part, which also gives the means and standard
    deviations by which all values are standardised.

    Parameters
    ----------
    X
        (n, p) values, dense or CSR.
    y
        (n,) class codes.
    classes, names
        Names of the classes and of the features.
    selected
        Indices of the significant features, best first.
    development, test
        Row indices to fit on and to evaluate on; they must not overlap.
    products, product_names
        (n, m) additional columns, such as values of gene chords, and their names.
    groups
        (n,) group codes; folds keep groups whole.
    kinds
        (C, C) which classes are kinds of others (`features.samples.Samples.kinds`): test samples with such an upper
        label are left out.
    n_resamples, seed
        Resamples of the bootstrap; seed of the bootstrap and of the folds.
    """
    products = np.empty((len(y), 0), dtype=np.float32) if products is None else products
    n_left_out = max(0, len(selected) - MAX_FEATURES)
    selected = np.asarray(selected[:MAX_FEATURES], dtype=np.int64)
    summary: dict = {
        "statement": "",
        "n_features": len(selected),
        "n_left_out": n_left_out,
        "n_chords": products.shape[1],
        "n_test": int(has_lowest_label(y[test], kinds).sum()),
        **dict.fromkeys(("accuracy", "accuracy_low", "accuracy_high", "balanced_accuracy", "majority_accuracy")),
    }
    if not len(selected) + products.shape[1]:
        summary["statement"] = "No panel: no feature is significant."
        return Panel(summary, _member_table([], 0, classes))
    if not len(test):
        summary["statement"] = "No panel: there is no test split to evaluate it on."
        return Panel(summary, _member_table([], 0, classes))
    values = _values(X, selected, products)
    folds = draw_folds(y[development], take_rows(groups, development), seed)
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
    result = evaluation.evaluate_ensemble([probability], y[test], y[development], classes, kinds=kinds)
    low, high = intervals.bootstrap_intervals(np.array(result.y_true), np.array(result.y_proba), n_resamples, seed)[
        "accuracy"
    ]
    summary |= {
        "accuracy": result.accuracy,
        "accuracy_low": float(low),
        "accuracy_high": float(high),
        "balanced_accuracy": result.balanced_accuracy,
        "majority_accuracy": result.majority_accuracy,
        "penalty": model.penalty,
    }
    summary["statement"] = _statement(summary)
    members = [*(names[i] for i in selected), *product_names]
    return Panel(summary, _member_table(members, len(selected), classes, model.coefficients))


def fit_run_panel(features: Features, table: pd.DataFrame, *, n_resamples: int = 1000, seed: int = 0) -> Panel:
    """Fit a panel on the significant features of a run, and on the values of its chords (`fit_panel`).

    Parameters
    ----------
    features
        Features of the run, with chords if the model reads them.
    table
        Contents of features.tsv of the model; without a column `significant` no feature is.
    n_resamples, seed
        Resamples of the bootstrap; seed of the bootstrap and of the folds.
    """
    index = {name: i for i, name in enumerate(features.names)}
    # by the rank of the model: the shared rank uses tests of all samples, the test split included
    significant = []
    if "significant" in table:
        significant = table[table["significant"].astype(bool)].sort_values("model_rank", kind="stable")["feature"]
    products = None
    if features.chords:
        products = features.X[:, features.n_features :]
        products = products.toarray() if sp.issparse(products) else products
    return fit_panel(
        features.X,
        features.y,
        features.classes,
        features.names,
        np.array([index[name] for name in significant], dtype=np.int64),
        features.development,
        features.test,
        products=products,
        product_names=features.chords,
        groups=features.groups,
        kinds=features.kinds,
        n_resamples=n_resamples,
        seed=seed,
    )


def _statement(summary: dict) -> str:
    """State the result of a panel that was evaluated."""
    read = features_and_chords(summary["n_features"], summary["n_chords"])
    clearly_better = summary["accuracy_low"] > summary["majority_accuracy"]
    comparison = "better than" if clearly_better else "not clearly better than"
    statement = (
        f"Logistic regression on {read} has an accuracy of {summary['accuracy']:.3f} on {summary['n_test']} test "
        f"samples (95 % interval {summary['accuracy_low']:.3f} to {summary['accuracy_high']:.3f}), {comparison} always "
        f"predicting the largest class ({summary['majority_accuracy']:.3f})."
    )
    if summary["n_left_out"]:
        statement += (
            f" Only the first {MAX_FEATURES} significant features were used; {summary['n_left_out']} were left out."
        )
    return statement


def _member_table(
    members: Sequence[str], n_features: int, classes: Sequence[str], coefficients: np.ndarray | None = None
) -> pd.DataFrame:
    """Table of the members, features first, with their (classes, members) coefficients; without these it is empty."""
    shown = [classes[1]] if len(classes) == 2 else list(classes)
    if coefficients is None:
        return pd.DataFrame(columns=["feature", "what", *(f"coefficient[{name}]" for name in shown)])
    kinds = ["feature"] * n_features + ["chord"] * (len(members) - n_features)
    table = pd.DataFrame({"feature": list(members), "what": kinds})
    for row, name in enumerate(shown):
        table[f"coefficient[{name}]"] = coefficients[row]
    return table


def _values(X, selected: np.ndarray, products: np.ndarray) -> np.ndarray:
    """Selected columns and products of all samples, (n, members) float64."""
    columns = X[:, selected]
    return np.hstack([columns.toarray() if sp.issparse(columns) else columns, products]).astype(np.float64)


def draw_folds(y: np.ndarray, groups: np.ndarray | None, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Draw up to five stratified folds that keep groups whole: (rows to fit on, rows held out) of every fold.

    Folds whose rows to fit on lack a class are left out, so the list may be empty.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    sizes = np.bincount(y)
    smallest, state = int(sizes[sizes > 0].min()), integer_seed(seed, Draw.PANEL_FOLDS)
    if groups is None:
        folds = StratifiedKFold(max(2, min(_FOLDS, smallest)), shuffle=True, random_state=state).split(y, y)
    else:
        n_folds = max(2, min(_FOLDS, smallest, len(np.unique(groups))))
        folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=state).split(y, y, groups)
    return [(train, held) for train, held in folds if len(np.unique(y[train])) == (sizes > 0).sum()]
