"""Permutations of the labels: how many there are, which are drawn, and what they keep."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepmapper.features import label_permutations
from deepmapper.features.label_permutations import (
    count_permutations,
    distinct_permutations,
    draw_permutations,
    draw_shadow_rows,
    shuffle_labels,
)

FOUR_AND_FOUR = np.arange(8) % 2


def key(labels):
    """Return the samples of every class, whatever the class is called."""
    return frozenset(frozenset(np.flatnonzero(labels == code).tolist()) for code in set(labels))


@pytest.mark.parametrize(
    ("y", "groups", "ways"),
    [
        (FOUR_AND_FOUR, None, 35),
        (np.arange(6) % 2, None, 10),
        (np.arange(4) % 2, None, 3),
        (np.repeat([0, 1], [12, 4]), None, 1820),  # classes of different size cannot change places
        (np.arange(12) % 3, None, 5775),
        (np.repeat([0, 1], 12), np.repeat(np.arange(8), 3), 35),  # eight donors of one class each
        (FOUR_AND_FOUR, np.arange(8) // 2, 8),  # four pairs
        (np.repeat([0, 1], 2), np.array([0, 0, 0, 0]), 3),
    ],
)
def test_permutations_are_counted_by_hand(y, groups, ways):
    assert count_permutations(y, groups) == ways


@settings(max_examples=30)
@given(st.lists(st.integers(0, 2), min_size=3, max_size=6).filter(lambda y: len(set(y)) > 1), st.integers(0, 3))
def test_counted_permutations_are_those_that_shuffling_finds(labels, seed):
    y = np.unique(labels, return_inverse=True)[1]
    groups = np.random.default_rng(seed).integers(0, 2, len(y)) if seed else None
    rng = np.random.default_rng(0)
    found = {key(shuffle_labels(y, groups, rng)) for _ in range(2000)}
    assert len(found) == count_permutations(y, groups)
    if groups is None:
        assert len({key(np.array(order)) for order in permutations(y)}) == len(found)


def test_controls_of_consecutive_seeds_take_all_permutations_but_the_true_labels():
    drawn = [draw_permutations(FOUR_AND_FOUR, None, seed) for seed in range(5)]
    assert [part.shape for part in drawn] == [(8, 8)] * 5
    assert len({key(labels) for part in drawn[:4] for labels in part}) == 32
    every = {key(labels) for part in drawn for labels in part}
    assert len(every) == 34
    assert key(FOUR_AND_FOUR) not in every
    np.testing.assert_array_equal(drawn[3], draw_permutations(FOUR_AND_FOUR, None, 3))


def test_every_control_draws_its_own_if_there_are_many_permutations():
    y = np.arange(24) % 2
    drawn = np.concatenate([draw_permutations(y, None, seed) for seed in (0, 1, 10**6)])
    assert len({key(labels) for labels in drawn}) == 24
    assert (drawn.sum(1) == 12).all()


def test_two_pairs_have_one_other_permutation():
    assert draw_permutations(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]), 7).tolist() in (
        [[0, 1, 1, 0]],
        [[1, 0, 0, 1]],
    )


def test_permutations_that_only_exchange_class_names_are_one():
    permuted = np.array([[0, 0, 1, 1], [0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 1, 0]])
    assert distinct_permutations(permuted).tolist() == [0, 1, 4]
    assert distinct_permutations(np.empty((0, 4))).tolist() == []


@pytest.mark.parametrize("groups", [None, np.repeat(np.arange(10), 6), np.repeat(np.arange(10), 6) + 100])
def test_permuted_labels_are_the_same_labels(groups):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3 if groups is None or groups[0] < 100 else groups % 2
    shuffled = label_permutations.shuffle_labels(y, groups, rng)
    np.testing.assert_array_equal(np.bincount(shuffled), np.bincount(y))
    assert (shuffled != y).any()
    for code in [] if groups is None else np.unique(groups):
        members = groups == code
        if (
            groups[0] < 100
        ):  # several classes in a group: shuffled within, so a group's composition carries no information
            np.testing.assert_array_equal(np.bincount(shuffled[members]), np.bincount(y[members]))
        else:  # one class a group: whole groups change their label
            assert len(np.unique(shuffled[members])) == 1


def test_shadows_are_a_permutation_of_rows_and_follow_their_draw():
    y = np.arange(60) % 3
    source = draw_shadow_rows(y, None, None, 4)
    assert sorted(source) == list(range(60))
    assert abs(np.mean(y[source] == y) - 1 / 3) < 0.2
    np.testing.assert_array_equal(source, draw_shadow_rows(y, None, None, 4))
    assert (source != draw_shadow_rows(y, None, None, 5)).any()


def test_shadows_stay_within_strata_and_within_groups_of_several_classes():
    y, codes = np.arange(60) % 2, np.arange(60) // 15
    for groups, strata in ((None, codes), (codes, None), (codes // 2, codes)):
        np.testing.assert_array_equal(codes[draw_shadow_rows(y, groups, strata, 0)], codes)


def test_groups_of_one_class_take_the_shadows_of_whole_groups():
    y, groups = np.repeat([0, 0, 1, 1], [5, 8, 6, 7]), np.repeat([0, 1, 2, 3], [5, 8, 6, 7])
    partners = {tuple(np.unique(groups[draw_shadow_rows(y, groups, None, 0)[groups == g]])) for g in range(4)}
    assert partners == {(0,), (1,), (2,), (3,)}


def test_a_draw_of_few_samples_is_never_the_true_labelling():
    y = np.array([0, 0, 1, 1])
    for draw in range(20):
        shadow = y[draw_shadow_rows(y, None, None, draw)]
        assert (shadow != y).any()
        assert (shadow == y).any()  # nor the same with the names of the classes exchanged
