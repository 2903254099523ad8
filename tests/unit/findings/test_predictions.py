"""The table of predictions: every sample by passes that had not trained on it."""

import numpy as np
import pytest

from deepmapper.core.table_schemas import PREDICTIONS
from deepmapper.findings.predictions import prediction_table


def test_predictions_are_of_passes_that_had_not_trained_on_the_sample(evaluated):
    features, passes, test_probability = evaluated
    table, probability = prediction_table(features, passes, test_probability)
    assert table.columns.tolist() == PREDICTIONS.names()
    assert table["cell"].tolist() == list(features.samples)
    expected = ["out_of_bag", "none", "test", "out_of_bag", "test", "none", "none", "test", "out_of_bag", "test"]
    assert table["split"].tolist() == expected
    np.testing.assert_allclose(probability[[0, 3, 8]], [[0.8, 0.2], [0.3, 0.7], [0.45, 0.55]])
    np.testing.assert_array_equal(probability[features.test], test_probability)
    assert np.isnan(probability[[1, 5, 6]]).all()
    assert table["prediction"].fillna("-").tolist() == ["a", "-", "a", "b", "a", "-", "-", "b", "b", "a"]
    assert table["confidence"][3] == pytest.approx(0.7)
    assert table["label"].tolist() == ["a", "b"] * 5


def test_without_passes_nothing_is_predicted(evaluated):
    features, _, _ = evaluated
    table, probability = prediction_table(features, [], np.zeros((0, 2)))
    assert table["prediction"].isna().all()
    assert np.isnan(probability).all()
    assert set(table["split"]) == {"test", "none"}
