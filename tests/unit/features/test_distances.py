"""Distances between samples, groups and classes."""

import numpy as np
import pytest
import scipy.sparse as sp

from deepmapper.features.distances import distances
from deepmapper.features.store import DEVELOPMENT, UNLABELLED, Features


def features_of(X, y, groups=None):
    split = np.where(y < 0, UNLABELLED, DEVELOPMENT).astype(np.uint8)
    names = tuple(f"s{i}" for i in range(len(y)))
    return Features(X, y, ("a", "b"), tuple(f"f{i}" for i in range(X.shape[1])), names, split, groups)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix])
def test_few_samples_are_compared_one_by_one(kind):
    X = np.array([[0, 0], [3, 4], [3, 0], [9, 9]], dtype=np.float32)
    found = distances(features_of(kind(X), np.array([0, 1, 1, -1])))
    np.testing.assert_allclose(found.distance, [[0, 5, 3], [5, 0, 4], [3, 4, 0]], atol=1e-9)
    assert (found.names, found.labels, found.of) == (("s0", "s1", "s2"), ("a", "b", "b"), "samples")


def test_many_samples_are_compared_by_their_means():
    y = np.arange(100) % 2
    X = (y[:, None] * np.array([[3.0, 4.0]]) + np.array([1.0, 2.0])).astype(np.float32)
    found = distances(features_of(X, y))
    assert (found.names, found.of) == (("a", "b"), "classes")
    np.testing.assert_allclose(found.distance, [[0, 5], [5, 0]], atol=1e-6)
    by_group = distances(features_of(X, y, groups=np.arange(100) // 2 % 3))
    assert by_group.of == "groups" and len(by_group.names) == 6 and by_group.labels.count("a") == 3
    assert by_group.distance[0].tolist() == pytest.approx([0, 0, 0, 5, 5, 5], abs=1e-6)
