"""Logistic regression on all features of a run, judged as the passes are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from .. import linear_baseline
from ..features.store import Features
from . import evaluation
from .metrics import Metrics, metrics


@dataclass(frozen=True)
class BaselineFindings:
    """What logistic regression makes of a run.

    Attributes
    ----------
    ranking
        One row per feature, best first: rank, feature, importance (`linear_baseline.fit`).
    metrics
        Numbers and tables; the numbers also say how it was fitted (`solver`).
    lines
        What a reader of the log should know, a line each.
    """

    ranking: pd.DataFrame
    metrics: Metrics
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
    """Fit logistic regression on the development part of a run and judge it.

    It is judged on the test split or, where none was set aside, on what the draws of the first passes leave out of bag.

    Parameters
    ----------
    features
        Of the run.
    C, max_iter
        As in `linear_baseline.fit`.
    out_of_bag, draws
        Out-of-bag share of a pass, and the seeds of the passes whose draws are taken.
    bins
        Of the calibration table.
    n_resamples, seed
        Of the bootstrap over test samples.
    progress
        Receives progress.
    """
    X, y, development, test = features.X, features.y, features.development, features.test
    samples = features.development_samples
    why = features.about["why"]
    fitted = linear_baseline.fit_rows(X, y, development, features.names, C, max_iter, progress=progress)
    if features.about["scheme"] == "repeated":
        average = linear_baseline.out_of_bag(samples, out_of_bag, draws, C, max_iter)
        judged = evaluation.evaluate_average(average, samples.labels, features.classes, samples.group_codes, why)
    else:
        judged = evaluation.evaluate_ensemble([fitted.predict(X, test)], y[test], y[development], features.classes, why)
    made = metrics(judged, bins, n_resamples, seed, features.names_of(development))
    made.numbers["solver"] = fitted.solver
    ranking = pd.DataFrame(fitted.ranking, columns=["feature", "importance"])
    ranking.insert(0, "rank", range(1, len(ranking) + 1))
    accuracy = f"accuracy {made.numbers['accuracy']:.3f}, {made.numbers['n_test']} samples judged"
    return BaselineFindings(ranking, made, (why, fitted.solver, accuracy))
