"""Error rates of the features of one model: `calibration` on the passes of a run, with intervals over the passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from ..accumulate import accepted_passes
from ..features import levels
from ..features.label_permutations import count_permutations
from ..features.store import Features
from ..passes.result import PassFile, PassResult
from . import calibration, pass_intervals


@dataclass(frozen=True)
class ModelCalibration:
    """Error rates of the features of one model.

    Attributes
    ----------
    table
        One row per feature, in their order: z, p and q where there are shadow passes, and the intervals of importance
        and rank where passes were accepted.
    null
        Quantiles of z, of shadows and of features (`calibration.null_table`).
    summary
        What significance.json holds.
    """

    table: pd.DataFrame
    null: pd.DataFrame
    summary: dict


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
    """Give the features of a model their error rates and intervals, as far as its passes allow.

    Parameters
    ----------
    features
        What the passes read; their test split is not.
    passes, shadow_passes
        All passes, and those with a shadow beside every feature.
    min_accuracy
        Passes below are left out; passes with shadows all count.
    level
        False discovery rate at which a feature is significant.
    min_detected
        Share of the samples in which a feature must be seen to be tested, as `calibration.least_detected` takes it.
    n_resamples, seed
        Of the bootstrap over passes.
    """
    accepted = accepted_passes(passes, min_accuracy)
    found = _calibrated(features, accepted, shadow_passes, level, min_detected) if accepted and shadow_passes else None
    if found is None:
        table = pd.DataFrame({"feature": features.names})
    else:
        table = calibration.significance_table(found, features.names, features.classes)
    if accepted:
        # the scores are as large as the importances: one of them is held at a time
        scores = (
            pass_intervals.importances(accepted) if found is None else calibration.votes(accepted, shadow_passes, found)
        )
        ranks = pass_intervals.rank_intervals(scores, n_resamples, seed)
        del scores
        sizes = pass_intervals.importance_intervals(pass_intervals.importances(accepted), n_resamples, seed)
        table["importance_low"], table["importance_high"] = sizes
        table["rank_low"], table["rank_high"] = ranks
    return ModelCalibration(table, calibration.null_table(found), calibration.summarise(found))


def _calibrated(
    features: Features,
    accepted: Sequence[PassResult | PassFile],
    shadow_passes: Sequence[PassResult | PassFile],
    level: float,
    min_detected: float,
) -> calibration.Calibration:
    """Calibrate on the development part: its means, and its ways to permute the labels."""
    samples = features.development_samples
    mean_value, detected = levels.feature_levels(samples.X, samples.rows, samples.n_features)
    return calibration.calibrate(
        accepted,
        shadow_passes,
        mean_value,
        detected >= levels.min_detected_samples(min_detected, samples.labels),
        level,
        count_permutations(samples.labels, samples.group_codes, samples.strata_codes),
    )
