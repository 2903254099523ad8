"""Folds of consecutive passes are a partition, with every class left to train on."""

import numpy as np
import pytest

from deepmapper.features.folds import shared_fold


@pytest.mark.parametrize("groups", [None, np.arange(120) // 3 % 20])
def test_five_passes_share_a_partition(groups):
    y = np.repeat([0, 1, 2], [80, 37, 3])
    if groups is not None:
        y = np.arange(120) % 3
    for start in (0, 5):
        parts = [shared_fold(y, 0.2, start + k, groups) for k in range(5)]
        held = np.concatenate([out for _, out in parts])
        assert sorted(held) == list(range(120))
        for kept, out in parts:
            assert set(y[kept]) == {0, 1, 2} and not set(kept) & set(out)
            if groups is not None:
                assert not set(groups[kept]) & set(groups[out])
    assert not np.array_equal(shared_fold(y, 0.2, 0, groups)[1], shared_fold(y, 0.2, 5, groups)[1])


def test_folds_are_of_the_share_and_stratified():
    y = np.repeat([0, 1], [100, 20])
    for k in range(4):
        _, out = shared_fold(y, 0.25, k)
        assert np.bincount(y[out]).tolist() == [25, 5]


def test_small_studies_and_groups_that_cannot_be_divided_have_none():
    assert shared_fold(np.arange(20) % 2, 0.2, 0) is None
    y = np.arange(120) % 2
    assert shared_fold(y, 0.2, 0, y) is None  # each class is a group of its own
