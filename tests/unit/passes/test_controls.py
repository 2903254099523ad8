"""Labels dealt out anew: how many ways there are, which are taken, and what passes reach on them."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepmapper.features.label_permutations import count_permutations, distinct_rows, draw_permutations, shuffle_labels
from deepmapper.features.samples import Samples
from deepmapper.passes import controls
from deepmapper.passes.controls import train_control
from deepmapper.passes.result import PassResult, mean_probability
from deepmapper.passes.train import train_pass

FOUR_AND_FOUR = np.arange(8) % 2


def key(labels):
    """Samples of one class together, whatever the class is called."""
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
def test_ways_to_deal_labels_by_hand(y, groups, ways):
    assert count_permutations(y, groups) == ways


@settings(max_examples=30)
@given(st.lists(st.integers(0, 2), min_size=3, max_size=6).filter(lambda y: len(set(y)) > 1), st.integers(0, 3))
def test_ways_are_those_that_shuffling_finds(labels, seed):
    y = np.unique(labels, return_inverse=True)[1]
    groups = np.random.default_rng(seed).integers(0, 2, len(y)) if seed else None
    rng = np.random.default_rng(0)
    found = {key(shuffle_labels(y, groups, rng)) for _ in range(2000)}
    assert len(found) == count_permutations(y, groups)
    if groups is None:
        assert len({key(np.array(order)) for order in permutations(y)}) == len(found)


def test_controls_of_consecutive_seeds_share_out_all_labelings_but_the_true_one():
    drawn = [draw_permutations(FOUR_AND_FOUR, None, seed) for seed in range(5)]
    assert [part.shape for part in drawn] == [(8, 8)] * 5
    assert len({key(labels) for part in drawn[:4] for labels in part}) == 32
    every = {key(labels) for part in drawn for labels in part}
    assert len(every) == 34
    assert key(FOUR_AND_FOUR) not in every
    np.testing.assert_array_equal(drawn[3], draw_permutations(FOUR_AND_FOUR, None, 3))


def test_of_many_labelings_each_control_draws_its_own():
    y = np.arange(24) % 2
    drawn = np.concatenate([draw_permutations(y, None, seed) for seed in (0, 1, 10**6)])
    assert len({key(labels) for labels in drawn}) == 24
    assert (drawn.sum(1) == 12).all()


def test_two_pairs_have_one_other_labeling():
    assert draw_permutations(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]), 7).tolist() in (
        [[0, 1, 1, 0]],
        [[1, 0, 0, 1]],
    )


def test_labelings_that_exchange_names_are_one():
    labelings = np.array([[0, 0, 1, 1], [0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 1, 0]])
    assert distinct_rows(labelings).tolist() == [0, 1, 4]
    assert distinct_rows(np.empty((0, 4))).tolist() == []


def test_probability_of_the_right_class_by_hand(hand_made):
    result = hand_made(
        out_of_bag_rows=np.array([1, 3]), out_of_bag_probability=np.array([[0.9, 0.1], [0.4, 0.6]]), permuted=True
    )
    assert mean_probability(result, np.array([1, 0, 1, 1])) == pytest.approx(0.75)


@pytest.fixture
def few(planted):
    """Ten samples of two classes among the planted ones."""
    return np.sort(np.concatenate([np.flatnonzero(planted.y == code)[:5] for code in (0, 1)]))


def test_a_control_on_few_samples_takes_many_labelings(planted, quick, few, tmp_path, monkeypatch):
    monkeypatch.setattr(controls, "PASSES", 2)
    config = quick("linear", epochs=5)
    given_classes = planted.classes[:2]
    control = train_control(Samples(planted.X, planted.y, given_classes, rows=few), config, 3)
    alone = train_pass(Samples(planted.X, planted.y, given_classes, rows=few), config, 3, permute_labels=True)
    assert control.permuted
    assert control.accuracy == alone.accuracy
    np.testing.assert_array_equal(control.importance, alone.importance)
    np.testing.assert_array_equal(control.control.labels, draw_permutations(planted.y[few], None, 3))
    # each is what passes on these labels reach
    relabelled = planted.y.copy()
    relabelled[few] = control.control.labels[2]
    passes = [train_pass(Samples(planted.X, relabelled, given_classes, rows=few), config, seed) for seed in (3, 4)]
    assert control.control.accuracy[2] == pytest.approx(np.mean([p.accuracy for p in passes]))
    told = [mean_probability(p, control.control.labels[2]) for p in passes]
    assert control.control.probability[2] == pytest.approx(np.mean(told))
    control.save(tmp_path / "control.npz")
    read = PassResult.load(tmp_path / "control.npz")
    np.testing.assert_array_equal(read.control.labels, control.control.labels)
    np.testing.assert_array_equal(read.control.probability, control.control.probability)


def test_a_control_on_many_samples_is_one_pass(planted, quick):
    control = train_control(planted.samples, quick("linear", epochs=2), 3)
    assert control.permuted
    assert control.control is None
