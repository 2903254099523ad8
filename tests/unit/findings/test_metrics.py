"""Metrics, their intervals, and the tables behind them."""

import numpy as np
import pytest

from deepmapper.findings.evaluation import evaluate_ensemble, evaluate_out_of_bag
from deepmapper.findings.intervals import bootstrap_intervals, per_class_intervals, wilson_intervals
from deepmapper.findings.metrics import compute_metrics


def test_metrics_by_hand(evaluated):
    features, _, test_probability = evaluated
    truth = features.y[features.test]  # a, a, b, b; the last is taken for a
    result = evaluate_ensemble([test_probability], truth, features.y[features.development], features.classes)
    made = compute_metrics(result, bins=5, n_resamples=200, seed=0)
    numbers = made.numbers
    assert (numbers["n_test"], numbers["n_passes"], numbers["accuracy"]) == (4, 1, 0.75)
    assert numbers["balanced_accuracy"] == 0.75
    assert numbers["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert numbers["log_loss"] == pytest.approx(-np.log([0.9, 0.7, 0.6, 0.2]).mean())
    assert numbers["brier"] == pytest.approx((2 * np.array([0.1, 0.3, 0.4, 0.8]) ** 2).mean())
    assert numbers["majority_accuracy"] == 0.5
    assert numbers["classes"] == ["a", "b"]
    assert made.confusion.values.tolist() == [["a", 2, 0], ["b", 1, 1]]
    assert made.confusion.columns.tolist() == ["true_class", "a", "b"]
    assert made.per_class["precision"].tolist() == pytest.approx([2 / 3, 1])
    assert made.per_class["recall"].tolist() == [1, 0.5]
    assert made.per_class["support"].tolist() == [2, 2]
    calibration = ["bin", "confidence_low", "confidence_high", "n", "mean_confidence", "accuracy"]
    assert made.calibration.columns.tolist() == calibration
    assert made.calibration["n"].sum() == 4
    # every score carries its interval
    intervals = bootstrap_intervals(truth, test_probability, 200, 0)
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        assert numbers[f"{name}_low"] <= numbers[name] <= numbers[f"{name}_high"]
        assert (numbers[f"{name}_low"], numbers[f"{name}_high"]) == intervals[name]
    for name in ("precision", "recall", "f1"):
        assert {name, f"{name}_low", f"{name}_high"} <= set(made.per_class)
        assert (made.per_class[f"{name}_low"] <= made.per_class[name]).all()
        assert (made.per_class[f"{name}_high"] >= made.per_class[name]).all()


def test_metrics_out_of_bag_count_the_evaluated_samples(evaluated):
    features, passes, _ = evaluated
    y = features.y[features.development]  # a, b, b, b, a, a
    result = evaluate_out_of_bag(passes, y, features.classes, np.arange(6) // 2, "because")
    made = compute_metrics(result, 5, 50, 0, samples=[f"s{i}" for i in range(6)])
    numbers = made.numbers
    assert (numbers["scheme"], numbers["why"], numbers["n_test"], numbers["n_passes"]) == ("repeated", "because", 3, 2)
    assert numbers["not_judged"] == ["s1", "s3", "s4"]
    assert made.per_class["support"].tolist() == [2, 1]
    # two of three right, in two groups: one of them right, one half right
    expected = wilson_intervals(np.array(result.y_true), np.array(result.y_proba), np.array(result.groups))
    for name, limits in expected.items():
        assert (numbers[f"{name}_low"], numbers[f"{name}_high"]) == limits
    assert numbers["accuracy_low"] < 0.25
    of_samples = per_class_intervals(made.confusion[["a", "b"]].to_numpy())
    assert (made.per_class["recall_low"] <= of_samples["recall"][0]).all()


def test_metrics_of_no_pass_are_there_and_empty(evaluated):
    features, _, test_probability = evaluated
    truth, rest = features.y[features.test], features.y[features.development]
    full = compute_metrics(evaluate_ensemble([test_probability], truth, rest, features.classes), 5, 50, 0)
    empty = compute_metrics(evaluate_ensemble([], truth, rest, features.classes), 5, 50, 0)
    assert empty.numbers.keys() == full.numbers.keys()
    assert (empty.numbers["n_test"], empty.numbers["n_passes"], empty.numbers["accuracy"]) == (4, 0, None)
    for name in ("per_class", "confusion", "calibration"):
        assert set(getattr(empty, name).columns) == set(getattr(full, name).columns)
        assert len(getattr(empty, name)) == 0


def test_of_nearly_one_class_it_is_said_what_is_recognised_of_the_others():
    truth = np.repeat([0, 1], [96, 4])

    def said(right, y=truth):
        probability = np.eye(2)[np.where(np.arange(len(y)) < len(y) - 4 + right, y, 0)]
        result = evaluate_ensemble([probability], y, y, ("normal", "rare"))
        return compute_metrics(result, bins=5, n_resamples=50, seed=0).numbers["unequal"]

    assert "always predicting the largest class reaches 0.960" in said(0)
    assert "(balanced accuracy) is 0.500, and 0.500 without signal; recognised are 0 % of 4 rare, 100 % of 96" in said(
        0
    )
    assert "is 0.875, and 0.500 without signal; recognised are 75 % of 4 rare" in said(3)
    assert said(0, np.repeat([0, 1], [90, 10])) == ""
