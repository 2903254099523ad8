"""Intervals, scores per class and calibration of predictions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from deepmapper.accumulate import wilson_interval
from deepmapper.findings.evaluation import evaluate_ensemble
from deepmapper.findings.intervals import (
    bootstrap_intervals,
    calibration_table,
    effective_share,
    per_class_intervals,
    per_class_scores,
    wilson_intervals,
)


@st.composite
def judged_samples(draw):
    n_classes, n = draw(st.integers(2, 5)), draw(st.integers(10, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    truth = rng.integers(0, n_classes, n)
    truth[:n_classes] = np.arange(n_classes)  # none is missing
    return truth, rng.dirichlet(np.ones(n_classes) * draw(st.sampled_from([0.3, 1.0])), n)


def confusion_of(truth, probability):
    counts = np.zeros((probability.shape[1],) * 2, dtype=int)
    np.add.at(counts, (truth, probability.argmax(1)), 1)
    return counts


@given(judged_samples())
def test_scores_of_a_class_are_scikit_learns(drawn):
    truth, probability = drawn
    scores = per_class_scores(confusion_of(truth, probability))
    labels = np.arange(probability.shape[1])
    expected = precision_recall_fscore_support(truth, probability.argmax(1), labels=labels, zero_division=0)
    for name, values in zip(("precision", "recall", "f1"), expected, strict=False):
        np.testing.assert_allclose(scores[name], values, atol=1e-12)


def test_scores_of_a_class_that_is_neither_there_nor_named_are_zero():
    scores = per_class_scores(np.array([[3, 0, 0], [0, 2, 0], [0, 0, 0]]))
    assert scores["f1"].tolist() == [1.0, 1.0, 0.0]


@given(judged_samples())
def test_bootstrap_intervals_hold_what_they_are_intervals_of(drawn):
    truth, probability = drawn
    intervals = bootstrap_intervals(truth, probability, n_resamples=400)
    predicted = probability.argmax(1)
    scores = per_class_scores(confusion_of(truth, probability))
    estimates = {
        "accuracy": (predicted == truth).mean(),
        "balanced_accuracy": scores["recall"].mean(),
        "macro_f1": scores["f1"].mean(),
    }
    assert intervals.keys() == estimates.keys()
    for name, estimate in estimates.items():
        low, high = intervals[name]
        assert (low <= np.asarray(estimate) + 0.03).all(), name  # F1 and precision are not linear: a little bias
        assert (high >= np.asarray(estimate) - 0.03).all(), name
        assert (np.asarray(low) >= 0).all()
        assert (np.asarray(high) <= 1).all()


def test_the_interval_of_an_accuracy_is_as_wide_as_the_binomial_says():
    """200 samples at 0.8: 1.96 × sqrt(0.8 × 0.2 / 200) either side."""
    truth = np.repeat([0, 1], 100)
    probability = np.eye(2)[np.where(np.arange(200) % 5 == 0, 1 - truth, truth)]
    low, high = bootstrap_intervals(truth, probability, n_resamples=4000)["accuracy"]
    half = 1.96 * np.sqrt(0.8 * 0.2 / 200)
    np.testing.assert_allclose([low, high], [0.8 - half, 0.8 + half], atol=0.01)


@given(judged_samples())
def test_intervals_of_a_class_hold_its_scores_and_keep_a_width(drawn):
    truth, probability = drawn
    counts = confusion_of(truth, probability)
    for name, (low, high) in per_class_intervals(counts).items():
        scores = per_class_scores(counts)[name]
        assert (low - 1e-9 <= scores).all(), name
        assert (scores <= high + 1e-9).all(), name
        assert (high - low > 0).all(), name


def test_intervals_of_a_class_by_hand():
    """Recall 4 of 4: Wilson's lower end is 4 / (4 + 1.96²)."""
    low, high = per_class_intervals(np.array([[4, 0], [0, 9]]))["recall"]
    assert low[0] == pytest.approx(4 / (4 + 1.96**2), abs=1e-3)
    assert high[0] == 1


def test_intervals_follow_their_seed_and_their_confidence():
    rng = np.random.default_rng(0)
    truth, probability = rng.integers(0, 3, 80), rng.dirichlet(np.ones(3), 80)
    one, same, other = (bootstrap_intervals(truth, probability, 200, seed)["accuracy"] for seed in (1, 1, 2))
    assert one == same != other
    wide, narrow = (bootstrap_intervals(truth, probability, 200, 1, c)["accuracy"] for c in (0.99, 0.5))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_calibration_by_hand():
    """Two bins: three samples at confidence 0.6 (two right), one at 0.9 (right)."""
    probability = np.array([[0.6, 0.4], [0.6, 0.4], [0.4, 0.6], [0.1, 0.9]])
    rows, error = calibration_table(np.array([0, 1, 1, 1]), probability, bins=4)
    assert [row["n"] for row in rows] == [0, 0, 3, 1]
    assert [row["bin"] for row in rows] == [1, 2, 3, 4]
    assert (rows[2]["confidence_low"], rows[2]["confidence_high"]) == (0.5, 0.75)
    assert rows[2]["mean_confidence"] == pytest.approx(0.6)
    assert rows[2]["accuracy"] == pytest.approx(2 / 3)
    assert np.isnan(rows[0]["accuracy"])
    assert error == pytest.approx(3 / 4 * abs(0.6 - 2 / 3) + 1 / 4 * abs(0.9 - 1.0))


def test_complete_confidence_falls_into_the_last_bin():
    rows, error = calibration_table(np.array([0, 1]), np.eye(2), bins=10)
    assert rows[-1]["n"] == 2
    assert error == 0


@given(judged_samples(), st.integers(1, 20))
def test_every_sample_is_in_one_bin_that_holds_its_confidence(drawn, bins):
    truth, probability = drawn
    rows, error = calibration_table(truth, probability, bins)
    assert sum(row["n"] for row in rows) == len(truth)
    assert 0 <= error <= 1
    for row in rows:
        if row["n"]:
            assert row["confidence_low"] - 1e-9 <= row["mean_confidence"] <= row["confidence_high"] + 1e-9


@pytest.mark.parametrize(("n", "low"), [(8, 0.676), (6, 0.610), (4, 0.510)])
def test_all_right_of_few_is_still_uncertain(n, low):
    truth = np.arange(n) % 2
    found = wilson_intervals(truth, np.eye(2)[truth])
    assert found["accuracy"] == pytest.approx((low, 1), abs=1e-3)
    for name in ("balanced_accuracy", "macro_f1"):
        assert found[name][0] < 0.7
        assert found[name][1] == 1
    assert bootstrap_intervals(truth, np.eye(2)[truth], 50)["accuracy"] == (1, 1)


@given(judged_samples())
def test_wilson_intervals_hold_their_scores(drawn):
    truth, probability = drawn
    found, predicted = wilson_intervals(truth, probability), probability.argmax(1)
    judged = evaluate_ensemble([probability], truth, truth, [str(i) for i in range(probability.shape[1])])
    for name, (low, high) in found.items():
        assert 0 <= low <= getattr(judged, name) + 1e-12
        assert getattr(judged, name) <= high + 1e-12 <= 1 + 1e-9
    assert found["accuracy"] == wilson_interval(float((predicted == truth).mean()), len(truth))


def test_balanced_accuracy_of_equal_classes_is_about_as_sure_as_accuracy():
    rng = np.random.default_rng(0)
    truth = np.arange(200) % 2
    probability = np.eye(2)[np.where(rng.random(200) < 0.8, truth, 1 - truth)]
    found = wilson_intervals(truth, probability)
    np.testing.assert_allclose(found["balanced_accuracy"], found["accuracy"], atol=0.01)


def test_groups_that_are_right_together_count_as_one():
    groups = np.repeat(np.arange(10), 20)
    together, apart = np.repeat(np.arange(10) % 5 > 0, 20), np.arange(200) % 5 > 0
    assert effective_share(together, None) == 1
    assert effective_share(together, groups) * 200 == pytest.approx(10, rel=0.2)
    assert effective_share(apart, groups) == 1
    assert effective_share(np.ones(200, dtype=bool), groups) * 200 == pytest.approx(10)
    assert effective_share(np.ones(5, dtype=bool), np.zeros(5)) == pytest.approx(1 / 5)
