"""Values of single features by class."""

import numpy as np
import pytest
import scipy.sparse as sp

from deepmapper.features.class_values import label_of_sample, values_by_class
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
