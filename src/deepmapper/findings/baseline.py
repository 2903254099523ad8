"""Logistic regression on all features of a run, evaluated on the same samples as the passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .. import linear_baseline
from ..features.store import Features
from . import evaluation
from .metrics import Metrics, compute_metrics


@dataclass(frozen=True)
class BaselineFindings:
    """Results of logistic regression on a run.

    Attributes
    ----------
    ranking
        One row per feature, best first: rank, feature, importance (`linear_baseline.fit`).
    metrics
        Numbers and tables; the numbers also name the `solver`.
    predictions
        One row per evaluated sample, as in predictions.tsv of a model.
    lines
        Lines for the log.
    """

    ranking: pd.DataFrame
    metrics: Metrics
    predictions: pd.DataFrame
    lines: tuple[str, ...]


def fit_run_baseline(
    features: Features,
    *,
    C: float,
    max_iter: int,
    out_of_bag: float,
    draws: Sequence[int],
    bins: int,
    n_resamples: int,
    seed: int,
    progress: Callable[[str], None] = lambda line: None,
) -> BaselineFindings:
    """Fit logistic regression on the development part of a run and evaluate it.

    It is evaluated on the test split or, if none was set aside, on the out-of-bag samples of the first passes.

    Parameters
    ----------
    features
        Features of the run.
    C, max_iter
        Inverse strength of the L2 penalty, and maximum number of iterations; see `linear_baseline.fit`.
    out_of_bag, draws
        Share of the samples that a pass leaves out of bag, and the seeds of the passes whose splits are used.
    bins
        Number of bins of the calibration table.
    n_resamples, seed
        Resamples and seed of the bootstrap over test samples.
    progress
        Receives progress messages.
    """
    X, y, development, test = features.X, features.y, features.development, features.test
    samples = features.development_samples
    why = features.metadata["why"]
    fitted = linear_baseline.fit_rows(X, y, development, features.names, C, max_iter, progress=progress)
    if features.metadata["scheme"] == "repeated":
        average = linear_baseline.out_of_bag(samples, out_of_bag, draws, C, max_iter)
        result = evaluation.evaluate_average(
            average, samples.labels, features.classes, samples.group_codes, why, features.kinds
        )
    else:
        result = evaluation.evaluate_ensemble(
            [fitted.predict(X, test)], y[test], y[development], features.classes, why, features.kinds
        )
    computed = compute_metrics(result, bins, n_resamples, seed, features.names_of(development))
    computed.numbers["solver"] = fitted.solver
    ranking = pd.DataFrame(fitted.ranking, columns=["feature", "importance"])
    ranking.insert(0, "rank", range(1, len(ranking) + 1))
    accuracy = f"accuracy {computed.numbers['accuracy']:.3f} on {computed.numbers['n_test']} samples"
    repeated = features.metadata["scheme"] == "repeated"
    rows = development[np.array(result.rows, dtype=np.int64)] if repeated else features.with_lowest_label(test)
    classes = np.array(result.classes, dtype=object)
    predictions = pd.DataFrame(
        {
            "cell": features.names_of(rows),
            "split": "out_of_bag" if repeated else "test",
            "label": classes[result.y_true],
            "prediction": classes[result.y_pred],
            "confidence": np.array(result.y_proba).max(axis=1),
        }
    )
    lines = [why, fitted.solver, accuracy]
    lines += evaluation.left_out_lines(result)
    return BaselineFindings(ranking, computed, predictions, tuple(lines))
