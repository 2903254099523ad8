"""Shares of the classes among new samples."""

import numpy as np
import pytest

from deepmapper.transfer.shares import estimate_shares, halfway, with_shares

BEFORE = np.array([0.5, 0.3, 0.2])


def calibrated(shares, n, rng):
    """Probabilities as a calibrated model of one normal value gives them, learned where the shares are `BEFORE`."""
    labels = rng.choice(3, n, p=shares)
    density = np.exp(-((rng.normal(labels * 2.0)[:, None] - 2.0 * np.arange(3)) ** 2) / 2)
    return labels, with_shares(density / density.sum(1, keepdims=True), np.ones(3) / 3, BEFORE)


def test_the_same_shares_are_found_again():
    _, probability = calibrated(BEFORE, 2000, np.random.default_rng(0))
    assert estimate_shares(probability, BEFORE) == pytest.approx(BEFORE, abs=0.02)


def test_other_shares_are_followed_half_the_way_or_more():
    after = np.array([0.1, 0.2, 0.7])
    labels, probability = calibrated(after, 2000, np.random.default_rng(1))

    found = estimate_shares(probability, BEFORE)

    assert np.all(np.abs(found - after) < 0.5 * np.abs(BEFORE - after) + 0.02)
    right = [(given.argmax(1) == labels).mean() for given in (probability, with_shares(probability, BEFORE, found))]
    assert right[1] > right[0] + 0.02


def test_one_sample_changes_little():
    found = estimate_shares(np.array([[0.0, 0.0, 1.0]]), BEFORE)
    assert found == pytest.approx(BEFORE, abs=0.01)
    assert found.sum() == pytest.approx(1)


def test_a_class_without_labelled_samples_stays_without():
    before = np.array([0.6, 0.4, 0.0])
    found = estimate_shares(np.random.default_rng(2).dirichlet(np.ones(3), 500), before)
    assert found[2] == 0


def test_halfway_is_the_geometric_mean_and_keeps_missing_classes_missing():
    found = halfway(np.array([0.5, 0.5, 0.0]), np.array([0.9, 0.1, 0.0]))
    assert found[0] / found[1] == pytest.approx(3) and found[2] == 0
    assert found.sum() == pytest.approx(1)
    assert halfway(BEFORE, BEFORE) == pytest.approx(BEFORE)
