"""The summary of a model: what it counts and averages, and what it states."""

import json

import pytest

from deepmapper.findings import signal_test
from deepmapper.findings.pass_table import agreement_table
from deepmapper.findings.ranking import accumulate_passes
from deepmapper.findings.summary import summarise_model

NAMES = ["g0", "g1", "g2", "g3"]


def summary_of(passes, controls=(), min_accuracy=0.5):
    found = accumulate_passes(passes, 2, min_accuracy, NAMES)
    kept = [p for p, good in zip(passes, found.accepted, strict=True) if good]
    test = signal_test.compare_with_controls(found, controls)
    return summarise_model("cnn_small", found, test, len(controls), agreement_table(kept, 2), 2)


def test_the_summary_counts_and_averages_the_accepted(passes, hand_made):
    controls = [hand_made(1000 + i, accuracy, permuted=True) for i, accuracy in enumerate([0.4, 0.5, 0.5, 0.6])]
    summary = summary_of(passes, controls)
    assert summary["rejected_seeds"] == [3]
    assert (summary["n_passes_run"], summary["n_accepted"], summary["n_controls"]) == (4, 3, 4)
    assert summary["accuracy_mean"] == pytest.approx(0.8)
    assert summary["accuracy_sd"] == pytest.approx(0.1)
    assert summary["control_accuracy_mean"] == pytest.approx(0.5)
    assert summary["control_accuracy_max"] == 0.6
    assert summary["mean_top_k_overlap"] == pytest.approx(2 / 3)
    assert summary["signal"] is True
    assert summary["statement"].startswith("Signal: the median out-of-bag accuracy of 4 passes, 0.750")
    json.dumps(summary, allow_nan=False)


@pytest.mark.parametrize(
    ("accuracy", "controls", "signal"),
    [(0.51, [], True), (0.5, [], False), (0.6, [0.6], False), (0.61, [0.6], True), (0.3, [], False)],
)
def test_there_is_signal_only_above_every_reference(hand_made, accuracy, controls, signal):
    """Of the largest class 0.5, shuffled labels 0.5, and each of the controls."""
    made = [hand_made(1000 + i, value, permuted=True) for i, value in enumerate(controls)]
    summary = summary_of([hand_made(i, accuracy) for i in range(3)], made, min_accuracy=0.0)
    assert summary["signal"] is signal
    assert ("No signal" in summary["statement"]) is not signal


def test_a_summary_of_no_accepted_pass_says_so(passes):
    summary = summary_of(passes, min_accuracy=0.99)
    assert summary["statement"].startswith("No pass of 4 was accepted")
    assert summary["signal"] is False
    assert summary["accuracy_mean"] is summary["accuracy_sd"] is summary["mean_top_k_overlap"] is None
    json.dumps(summary, allow_nan=False)
