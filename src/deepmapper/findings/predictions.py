"""The table of predictions, one row per sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..features.kinds import to_lowest
from ..features.store import Features
from ..passes.result import PassFile, PassResult
from . import evaluation


def prediction_table(
    features: Features, passes: Sequence[PassResult | PassFile], test_probability: np.ndarray
) -> tuple[pd.DataFrame, np.ndarray]:
    """Predict every sample with passes that were not trained on it.

    Test samples get the prediction of the ensemble, all others the average of the passes that had them out of bag.
    Samples that no pass had out of bag get no prediction ("none" in the column `split`, NaN probabilities). The table
    has one row per labelled sample, in their order. Where classes are kinds of others, only lowest labels are
    predicted.

    Parameters
    ----------
    features
        Features of the run.
    passes
        Passes whose out-of-bag predictions are averaged.
    test_probability
        (n test, C) probabilities of the ensemble; empty if there are none.

    Returns
    -------
    tuple
        The table, and the (n, C) probabilities of all samples, NaN where there is no prediction.
    """
    n_classes = len(features.classes)
    probability = np.full((len(features.y), n_classes), np.nan)
    probability[features.development] = evaluation.out_of_bag_probability(passes, len(features.development), n_classes)
    split = np.where(np.isnan(probability[:, 0]), "none", "out_of_bag").astype(object)
    if len(test_probability):
        probability[features.test] = test_probability
    known = ~np.isnan(probability[:, 0])
    probability[known] = to_lowest(probability[known], features.kinds)
    names = np.array(features.classes, dtype=object)
    predicted = np.full(len(features.y), None, dtype=object)
    predicted[known] = names[probability[known].argmax(1)]
    split[features.test] = "test"
    confidence = np.full(len(features.y), np.nan)
    confidence[known] = probability[known].max(1)
    table = pd.DataFrame(
        {
            "cell": features.samples,
            "split": split,
            "label": names[features.y],
            "prediction": predicted,
            "confidence": confidence,
        }
    )
    return table.iloc[features.labelled].reset_index(drop=True), probability
