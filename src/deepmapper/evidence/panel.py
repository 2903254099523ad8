"""A panel of the first features by evidence, tested on the test split.

How many it takes is settled within the development part: in every fold the features are ranked anew on the other
folds, so that the samples that judge have not chosen. The test split is read once, by the panel that was settled.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from ..core.blocks import MappedRows
from ..core.logistic import column_scale
from ..features.store import Features
from ..findings.panel import draw_folds, fit_panel
from .rank import SampledCounts, rank_part, sample_cells
from .values import pearson_residuals

SIZES = (10, 20, 40, 80, 160)  # features of the panels that are tried

MAX_FOLDED = 5000  # samples on which they are

_PENALTIES = (0.001, 0.01, 0.1, 1.0)  # inverse strengths (C) of the L2 penalty of a panel that is tried


def fit_evidence_panel(
    features: Features,
    expression,
    weighed: pd.DataFrame,
    about: Mapping,
    options: Mapping,
    *,
    min_detected: float = 0.05,
    n_resamples: int = 1000,
    seed: int = 0,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[dict, pd.DataFrame]:
    """Fit logistic regression on the first features by evidence, as many as serve best, and judge it on the test split.

    Parameters
    ----------
    features, expression, options, min_detected, seed, progress
        As in `evidence.weigh_run`; the seed is that of the folds as well.
    weighed, about
        What that returned.
    n_resamples
        Of the interval of the accuracy.

    Returns
    -------
    tuple
        As `panel.fit_panel`: what panel.json holds, here with `curve` (for every number of features tried the mean
        accuracy of the folds and its deviation), and a table of the members.
    """
    ranked = _ranked(weighed)
    y, rows = features.y, features.development
    if not len(ranked):
        return _none(features, "no feature has evidence")
    if not len(features.test):
        return _none(features, "there is no test split that could judge it")
    sizes = sorted({min(size, len(ranked)) for size in SIZES})
    curve = _try_sizes(features, expression, sizes, options, min_detected, seed, progress)
    if curve.empty:
        return _none(features, "a class has too few samples for folds")
    size = int(curve.loc[curve["accuracy"].idxmax(), "n_features"])
    chosen = ranked[:size]
    values = _values(features, expression, chosen, about.get("dispersion"))
    told, members = fit_panel(
        values,
        y,
        features.classes,
        [features.names[i] for i in chosen],
        np.arange(len(chosen)),
        rows,
        features.test,
        groups=features.groups,
        n_resamples=n_resamples,
        seed=seed,
    )
    best = curve["accuracy"].max()
    told["statement"] = (
        f"The first {len(chosen)} features by evidence ({best:.3f} in cross-validation, the best of "
        f"{', '.join(map(str, curve['n_features']))}). {told['statement']}"
    )
    return told | {"curve": curve.to_dict("records")}, members


def _none(features: Features, why: str) -> tuple[dict, pd.DataFrame]:
    empty = np.empty(0, dtype=np.int64)
    told, members = fit_panel(
        features.X, features.y, features.classes, features.names, empty, features.development, features.test
    )
    return told | {"statement": f"No panel by evidence: {why}.", "curve": []}, members


def _try_sizes(features, expression, sizes, options, min_detected, seed, progress) -> pd.DataFrame:
    """Mean accuracy, over folds, of panels of every size; each at the penalty that suits it best."""
    read = sample_cells(features, expression, min(options["max_samples"], MAX_FOLDED), seed)
    if len(read.rows) < len(features.development):
        progress(f"numbers of features are tried on {len(read.rows)} of {len(features.development)} samples, drawn")
    samples = features.select(read.rows)
    y = samples.labels
    folds, right = draw_folds(y, samples.group_codes, seed), []
    for number, (known, held) in enumerate(folds, start=1):
        table, about = rank_part(features, read, known, options["draws"], min_detected)
        order = _ranked(table)
        if not len(order):
            progress(f"fold {number} of {len(folds)}: {about['statement']}")
            continue
        inside, outside = _of_fold(read, known, held, order[: sizes[-1]], about.get("dispersion"))
        right.append([_accuracies(inside[:, :size], y[known], outside[:, :size], y[held]) for size in sizes])
        said = ", ".join(f"{size}: {max(accuracies):.3f}" for size, accuracies in zip(sizes, right[-1], strict=True))
        progress(f"fold {number} of {len(folds)}, accuracy by number of features: {said}")
    if not right:
        return pd.DataFrame({"n_features": [], "accuracy": [], "deviation": []})
    every = np.array(right)  # folds, sizes, penalties
    best = every[:, np.arange(len(sizes)), every.mean(0).argmax(1)]
    return pd.DataFrame({"n_features": sizes, "accuracy": best.mean(0), "deviation": best.std(0)})


def _accuracies(inside: np.ndarray, y: np.ndarray, outside: np.ndarray, judged: np.ndarray) -> list[float]:
    """Accuracy at every penalty, each model begun where the one before ended.

    The penalty is chosen by the mean over folds, together with the number of features, and by accuracy: no search of
    `fit_ridge_logistic`.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    mean, scale = column_scale(inside)
    inside, outside = (inside - mean) / scale, (outside - mean) / scale
    model = LogisticRegression(max_iter=500, warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of penalties that are not chosen
        return [float(model.set_params(C=C).fit(inside, y).score(outside, judged)) for C in _PENALTIES]


def _of_fold(read: SampledCounts, known, held, columns, dispersion) -> tuple[np.ndarray, np.ndarray]:
    """Values of some features in both parts of a fold, by what the first tells of depth and dispersion."""
    values = _dense(read.X[:, columns])
    if read.depth is not None:
        values = _residuals(values, read.depth, known, dispersion)
    return values[known], values[held]


def _values(features: Features, expression, columns: np.ndarray, dispersion: float | None) -> np.ndarray:
    """Values of some features in all samples; what they are held against is of the development part."""
    if dispersion is None:
        return _dense(MappedRows(features.X, None, lambda block, _: block[:, columns]).to_memory())
    there = expression.rows_of(features.samples)
    depth = np.empty(len(there))

    def taken(block, place: slice):
        depth[place] = np.asarray(block.sum(1, dtype=np.float64)).ravel()
        return block[:, columns]

    counts = _dense(MappedRows(expression.X, there, taken).to_memory())
    return _residuals(counts, depth, features.development, dispersion)


def _residuals(counts: np.ndarray, depth: np.ndarray, known: np.ndarray, dispersion: float) -> np.ndarray:
    """Pearson residuals of all samples, by the features' shares of the counts of those that are known."""
    share = counts[known].sum(0, dtype=np.float64) / depth[known].sum()
    return pearson_residuals(counts, depth, share, dispersion)


def _ranked(weighed: pd.DataFrame) -> np.ndarray:
    """Positions of the features that have evidence, the first first."""
    return weighed["evidence_rank"].dropna().sort_values(kind="stable").index.to_numpy()


def _dense(values) -> np.ndarray:
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values, dtype=np.float32)
