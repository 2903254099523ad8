"""A panel of the top features by evidence, tested on the test split.

Its size is chosen within the development part: in every fold the features are ranked again on the training folds, so
that the validation samples have no part in choosing them. The test split is read once, for the final panel.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from ..core.arrays import dense
from ..core.blocks import MappedRows
from ..core.logistic import column_scale
from ..features.kinds import has_lowest_label
from ..features.store import Features
from ..findings.panel import draw_folds, fit_panel
from .rank import SampledCounts, rank_part, sample_cells
from .values import pearson_residuals

SIZES = (10, 20, 40, 80, 160)  # numbers of features that are tried: doubled each time

MAX_FOLDED = 5000  # samples on which they are tried, with five rankings of the features: bounds the time

# Inverse strengths (C) of the L2 penalty that are tried: with up to 160 features a weak penalty overfits.
_PENALTIES = (0.001, 0.01, 0.1, 1.0)


def fit_evidence_panel(
    features: Features,
    expression,
    evidence_table: pd.DataFrame,
    evidence_summary: Mapping,
    options: Mapping,
    *,
    min_detected: float = 0.05,
    n_resamples: int = 1000,
    seed: int = 0,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[dict, pd.DataFrame]:
    """Fit logistic regression on the best number of top features by evidence, and test it on the test split.

    Parameters
    ----------
    features, expression, options, min_detected, seed, progress
        As in `rank_run`; the seed is that of the folds as well.
    evidence_table, evidence_summary
        What `rank_run` returned.
    n_resamples
        Resamples for the interval of the accuracy.

    Returns
    -------
    tuple
        As `findings.panel.fit_panel`: the summary, here with `curve` (for every number of features tried the mean
        accuracy of the folds and its deviation), and a table of the members.
    """
    ranked = _ranked(evidence_table)
    if not len(ranked):
        return _no_panel(features, "no feature has evidence")
    if not len(features.test):
        return _no_panel(features, "there is no test split to test it on")
    sizes = sorted({min(size, len(ranked)) for size in SIZES})
    curve = _try_sizes(features, expression, sizes, options, min_detected, seed, progress)
    if curve.empty:
        return _no_panel(features, "a class has too few samples for folds")
    size = int(curve.loc[curve["accuracy"].idxmax(), "n_features"])
    chosen = ranked[:size]
    values = _panel_values(features, expression, chosen, evidence_summary.get("dispersion"))
    panel = fit_panel(
        values,
        features.y,
        features.classes,
        [features.names[i] for i in chosen],
        np.arange(len(chosen)),
        features.development,
        features.test,
        groups=features.groups,
        kinds=features.kinds,
        n_resamples=n_resamples,
        seed=seed,
    )
    panel.summary["statement"] = (
        f"The first {len(chosen)} features by evidence (accuracy {curve['accuracy'].max():.3f} in cross-validation, "
        f"the best of {', '.join(map(str, curve['n_features']))} features). {panel.summary['statement']}"
    )
    return panel.summary | {"curve": curve.to_dict("records")}, panel.members


def _no_panel(features: Features, reason: str) -> tuple[dict, pd.DataFrame]:
    empty = np.empty(0, dtype=np.int64)
    panel = fit_panel(
        features.X, features.y, features.classes, features.names, empty, features.development, features.test
    )
    return panel.summary | {"statement": f"No panel by evidence: {reason}.", "curve": []}, panel.members


def _ranked(evidence_table: pd.DataFrame) -> np.ndarray:
    """Positions of the features that have evidence, the best first."""
    return evidence_table["evidence_rank"].dropna().sort_values(kind="stable").index.to_numpy()


def _try_sizes(features, expression, sizes, options, min_detected, seed, progress) -> pd.DataFrame:
    """Mean accuracy over folds of panels of every size, each at the penalty that is best for it."""
    sampled = sample_cells(features, expression, min(options["max_samples"], MAX_FOLDED), seed)
    if len(sampled.rows) < len(features.development):
        progress(f"choosing the number of features on {len(sampled.rows)} of {len(features.development)} samples")
    samples = features.select(sampled.rows)
    y = samples.labels
    folds = draw_folds(y, samples.group_codes, seed)
    by_fold = []
    for number, (train, validation) in enumerate(folds, start=1):
        table, summary = rank_part(features, sampled, train, options["draws"], min_detected)
        ranked = _ranked(table)
        if not len(ranked):
            progress(f"fold {number} of {len(folds)}: {summary['statement']}")
            continue
        values = _fold_values(sampled, train, ranked[: sizes[-1]], summary.get("dispersion"))
        train, validation = (rows[has_lowest_label(y[rows], features.kinds)] for rows in (train, validation))
        inside, outside = values[train], values[validation]
        accuracies = [_accuracies(inside[:, :size], y[train], outside[:, :size], y[validation]) for size in sizes]
        by_fold.append(accuracies)
        best = ", ".join(f"{size}: {max(by_penalty):.3f}" for size, by_penalty in zip(sizes, accuracies, strict=True))
        progress(f"fold {number} of {len(folds)}, accuracy by number of features: {best}")
    if not by_fold:
        return pd.DataFrame({"n_features": [], "accuracy": [], "deviation": []})
    accuracy = np.array(by_fold)  # folds, sizes, penalties
    at_best = accuracy[:, np.arange(len(sizes)), accuracy.mean(0).argmax(1)]
    return pd.DataFrame({"n_features": sizes, "accuracy": at_best.mean(0), "deviation": at_best.std(0)})


def _accuracies(train: np.ndarray, y: np.ndarray, validation: np.ndarray, y_validation: np.ndarray) -> list[float]:
    """Validation accuracy at every penalty, each model started from the one before.

    `fit_ridge_logistic` does not fit here: it chooses the penalty by log loss, while this one is chosen by mean
    accuracy over the folds, together with the number of features.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    mean, scale = column_scale(train)
    train, validation = (train - mean) / scale, (validation - mean) / scale
    model = LogisticRegression(max_iter=500, warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a penalty that does not converge is rarely the best
        return [float(model.set_params(C=C).fit(train, y).score(validation, y_validation)) for C in _PENALTIES]


def _fold_values(sampled: SampledCounts, train: np.ndarray, columns: np.ndarray, dispersion) -> np.ndarray:
    """Values of some features in all samples of the folds; residuals by the shares of the training part."""
    values = dense(sampled.X[:, columns], np.float32)
    return values if sampled.depth is None else _residuals(values, sampled.depth, train, dispersion)


def _panel_values(features: Features, expression, columns: np.ndarray, dispersion: float | None) -> np.ndarray:
    """Values of some features in all samples; residuals by the shares of the development part."""
    if dispersion is None:
        return dense(MappedRows(features.X, None, lambda block, _: block[:, columns]).to_memory(), np.float32)
    rows = expression.rows_of(features.samples)
    depth = np.empty(len(rows))

    def sum_and_select(block, part: slice):
        depth[part] = np.asarray(block.sum(1, dtype=np.float64)).ravel()
        return block[:, columns]

    counts = dense(MappedRows(expression.X, rows, sum_and_select).to_memory(), np.float32)
    return _residuals(counts, depth, features.development, dispersion)


def _residuals(counts: np.ndarray, depth: np.ndarray, train: np.ndarray, dispersion: float) -> np.ndarray:
    """Pearson residuals of all samples, with the features' shares of all counts estimated on the training rows."""
    share = counts[train].sum(0, dtype=np.float64) / depth[train].sum()
    return pearson_residuals(counts, depth, share, dispersion)
