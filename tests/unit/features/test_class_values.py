"""Values of single features by class."""

import numpy as np
import pytest
import scipy.sparse as sp

from deepmapper.features.class_values import label_of_sample, spread_rows, values_by_class, values_of
from deepmapper.features.store import DEVELOPMENT, UNLABELLED, Features

X = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9], [0, 0, 1]], dtype=np.float32)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix])
def test_samples_without_a_label_are_left_out(kind):
    split = np.array([DEVELOPMENT] * 3 + [UNLABELLED], dtype=np.uint8)
    features = Features(
        kind(X), np.array([1, 0, 1, -1]), ("a", "b"), ("f", "g", "h"), ("s1", "s2", "s3", "s4"), split=split
    )
    found = values_by_class(features, ["h", "f"])
    assert {name: {label: v.tolist() for label, v in own.items()} for name, own in found.items()} == {
        "h": {"a": [6], "b": [3, 9]},
        "f": {"a": [4], "b": [1, 7]},
    }
    assert label_of_sample(features) == {"s1": "b", "s2": "a", "s3": "b"}
    assert values_by_class(features, []) == {}


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix])
def test_values_of_a_few_features_in_some_samples(kind):
    split = np.array([DEVELOPMENT] * 4, dtype=np.uint8)
    features = Features(kind(X), np.array([1, 0, 1, 0]), ("a", "b"), ("f", "g", "h"), (), split=split)
    assert values_of(features, ["h", "f"]).tolist() == [[3, 1], [6, 4], [9, 7], [1, 0]]
    assert values_of(features, ["g"], np.array([0, 3])).tolist() == [[2], [0]]
    assert values_of(features, []).shape == (4, 0)


def test_rows_are_spread_over_their_order():
    assert spread_rows(np.arange(10, 110), 4).tolist() == [10, 43, 76, 109]
    assert spread_rows(np.arange(3), 4).tolist() == [0, 1, 2]
