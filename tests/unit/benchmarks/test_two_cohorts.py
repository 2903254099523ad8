"""The comparison of two models on a cohort that took no part."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))
import two_cohorts  # noqa: E402


def named(score, y):
    """target.tsv of a model with these probabilities of the class high."""
    return pd.DataFrame(
        {
            "cell": [f"s{i}" for i in range(len(y))],
            "given": np.where(y, "high", "low"),
            "nearest": np.where(score > 0.5, "high", "low"),
            "probability": np.maximum(score, 1 - score),
        }
    )


def test_a_better_model_is_said_to_be_better_whatever_the_order_of_the_samples():
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2 == 1
    weak = 1 / (1 + np.exp(-(0.5 * (2 * y - 1) + rng.normal(0, 1, 80))))
    strong = 1 / (1 + np.exp(-(3 * (2 * y - 1) + rng.normal(0, 1, 80))))
    found = two_cohorts.compare(named(weak, y), named(strong, y).sample(frac=1, random_state=0))
    assert found["auc_known"] < 0.8 < 0.99 < found["auc_with_novel"]
    assert found["gain"] == pytest.approx(found["auc_with_novel"] - found["auc_known"])
    assert 0 < found["gain_low"] < found["gain"] < found["gain_high"]
    assert found["accuracy_with_novel"] > found["accuracy_known"] and found["p_accuracy"] < 0.01


def test_a_model_gains_nothing_over_itself():
    y = np.arange(40) % 2 == 1
    same = named(np.random.default_rng(1).random(40), y)
    found = two_cohorts.compare(same, same)
    assert found["gain"] == found["gain_low"] == found["gain_high"] == 0 and found["p_accuracy"] == 1


def test_a_model_without_signal_names_nobody_and_guesses():
    y = np.arange(40) % 2 == 1
    nobody = named(np.full(40, 0.4), y).assign(nearest=None, probability=np.nan)
    found = two_cohorts.compare(nobody, named(0.2 + 0.6 * y, y))
    assert found["auc_known"] == 0.5 and found["accuracy_known"] == 0 and found["auc_with_novel"] == 1
