"""Table of predictions, one row per sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..features.store import Features
from ..passes.result import PassFile, PassResult
from . import evaluation


def prediction_table(
    features: Features, passes: Sequence[PassResult | PassFile], test_probability: np.ndarray
) -> tuple[pd.DataFrame, np.ndarray]:
    """What was predicted for every sample by passes that had not trained on it.

    Test samples carry the ensemble's prediction; all others the average of the passes that had them out of bag; those
    that no pass had out of bag carry none ("none" in the column `split`, NaN probabilities). Samples without a label
    are left out: the table has a row for every other one, in their order.

    Returns
    -------
    tuple
        The table, and the (n, C) probabilities, NaN for those without a label.
    """
    n_classes = len(features.classes)
    probability = np.full((len(features.y), n_classes), np.nan)
    probability[features.development] = evaluation.out_of_bag_probability(passes, len(features.development), n_classes)
    split = np.where(np.isnan(probability[:, 0]), "none", "out_of_bag").astype(object)
    if len(test_probability):
        probability[features.test] = test_probability
    known = ~np.isnan(probability[:, 0])
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
