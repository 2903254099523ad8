"""Probabilities averaged over neighbours."""

import numpy as np
import pytest

from deepmapper.transfer.neighbours import ALONE, CHOICES, Averaging, choose_averaging, smooth


def two_groups(rng, n=200, n_features=40):
    """Values of two well separated groups, and the group of each sample."""
    labels = np.arange(n) % 2
    return (labels[:, None] * 3 + rng.normal(0, 0.3, (n, n_features))).astype(np.float32), labels


def unsure(labels, rng, wrong):
    """Probabilities of two classes, on the wrong side for a share of the samples."""
    right = np.where(rng.random(len(labels)) < wrong, 0.3, 0.8)
    return np.where(np.arange(2) == labels[:, None], right[:, None], 1 - right[:, None])


def test_neighbours_of_the_same_class_mend_what_is_wrong():
    rng = np.random.default_rng(0)
    X, labels = two_groups(rng)
    probability = unsure(labels, rng, wrong=0.2)

    averaged = smooth(probability, X, CHOICES[0], seed=0)

    assert (probability.argmax(1) == labels).mean() < 0.85
    assert (averaged.argmax(1) == labels).mean() > 0.97
    assert averaged.sum(1) == pytest.approx(1)


def test_the_weight_of_the_sample_itself_is_kept():
    rng = np.random.default_rng(1)
    X, labels = two_groups(rng)
    probability = unsure(labels, rng, wrong=0.2)

    wholly, half = (smooth(probability, X, Averaging(5, own), seed=0) for own in (0.0, 0.5))

    np.testing.assert_allclose(half, (probability + wholly) / 2)
    np.testing.assert_array_equal(smooth(probability, X, ALONE, seed=0), probability)


@pytest.mark.parametrize("n", [1, 2, 19])
def test_a_few_samples_keep_their_own(n):
    rng = np.random.default_rng(2)
    probability = rng.dirichlet(np.ones(3), n)

    np.testing.assert_array_equal(smooth(probability, rng.normal(size=(n, 30)), CHOICES[0], seed=0), probability)


def test_the_strongest_averaging_that_costs_nothing_is_chosen():
    rng = np.random.default_rng(3)
    X, labels = two_groups(rng, n=400)
    others = rng.permutation(labels)  # neighbours say nothing about these

    assert choose_averaging(unsure(labels, rng, 0.1), labels, X, seed=0) == CHOICES[0]
    assert choose_averaging(unsure(others, rng, 0.0), others, X, seed=0) != CHOICES[0]


def test_without_out_of_bag_samples_nothing_is_averaged():
    assert choose_averaging(np.full((5, 2), np.nan), np.zeros(5, dtype=int), np.ones((5, 3)), seed=0) == ALONE
