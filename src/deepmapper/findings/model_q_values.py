"""Error rates of the features of one model, with bootstrap intervals over its passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..accumulate import accepted_passes
from ..features import levels
from ..features.label_permutations import count_permutations
from ..features.store import Features
from ..passes.result import PassFile, PassResult
from . import pass_intervals, q_values
from .pass_scores import pass_scores


@dataclass(frozen=True)
class ModelCalibration:
    """Error rates of the features of one model.

    Attributes
    ----------
    table
        One row per feature, in input order: z, p and q if there are shadow passes, and the intervals of importance and
        rank if passes were accepted.
    null
        Quantiles of z of shadows and of features (`q_values.null_table`).
    summary
        Contents of significance.json.
    scores
        (passes, p) of every pass that counts, whose mean over any of them orders the features by its absolute value
        (`pass_scores`; importances without shadow passes).
    """

    table: pd.DataFrame
    null: pd.DataFrame
    summary: dict
    scores: np.ndarray


def calibrate_model(
    features: Features,
    passes: Sequence[PassResult | PassFile],
    shadow_passes: Sequence[PassResult | PassFile],
    *,
    min_accuracy: float,
    level: float,
    min_detected: float,
    n_resamples: int,
    seed: int,
) -> ModelCalibration:
    """Compute error rates and intervals for the features of a model, as far as its passes allow.

    Parameters
    ----------
    features
        Features that the passes read; their test split is not used.
    passes, shadow_passes
        All passes, and the passes with a shadow of every feature.
    min_accuracy
        Passes with a lower accuracy are left out; passes with shadows all count.
    level
        False discovery rate up to which a feature is significant.
    min_detected
        Share of the samples in which a feature must be detected to be tested (`levels.min_detected_share`).
    n_resamples, seed
        Resamples and seed of the bootstrap over passes.
    """
    accepted = accepted_passes(passes, min_accuracy)
    calibrated = None
    table, scores = pd.DataFrame({"feature": features.names}), np.zeros((0, features.n_features), dtype=np.float32)
    if accepted and shadow_passes:
        calibrated, scores = _calibrate(features, accepted, shadow_passes, level, min_detected)
        table = q_values.significance_table(calibrated, features.names, features.classes)
    if accepted:
        if calibrated is None:
            scores = pass_intervals.importances(accepted)
        ranks = pass_intervals.rank_intervals(scores, n_resamples, seed)
        sizes = pass_intervals.importance_intervals(pass_intervals.importances(accepted), n_resamples, seed)
        table["importance_low"], table["importance_high"] = sizes
        table["rank_low"], table["rank_high"] = ranks
    summary = q_values.summarise_calibration(calibrated)
    return ModelCalibration(table, q_values.null_table(calibrated), summary, scores)


def _calibrate(
    features: Features,
    accepted: Sequence[PassResult | PassFile],
    shadow_passes: Sequence[PassResult | PassFile],
    level: float,
    min_detected: float,
) -> tuple[q_values.Calibration, np.ndarray]:
    """Calibrate with the mean values and the possible label permutations of the development part; scores of passes."""
    samples = features.development_samples
    mean_value, detected = levels.feature_levels(samples.X, samples.rows, samples.n_features)
    tested = detected >= levels.min_detected_share(min_detected, samples.labels)
    n_permutations = count_permutations(samples.labels, samples.group_codes, samples.strata_codes)
    calibrated = q_values.calibrate(accepted, shadow_passes, mean_value, tested, level, n_permutations)
    return calibrated, pass_scores(accepted, shadow_passes, mean_value, tested)
