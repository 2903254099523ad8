"""Accuracies of passes, and convergence."""

from deepmapper import plots


def test_accuracies_distinguish_accepted_rejected_and_control_passes(examples, words, tmp_path):
    plots.accuracy_references(examples.passes_table(), tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert {"accepted pass", "rejected pass", "control pass (trained on permuted labels)"} <= {*found}
    assert "28 of 30 passes accepted, 5 control passes" in found


def test_convergence_shows_the_level_the_passes_and_the_statement(drawings, words, tmp_path):
    drawings["convergence-typical"](tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert {"accepted passes (20)", "stable (dotted): 0.8", "passes needed (line: 95 % interval)"} <= {*found}
    assert "stable at 0.8 from about 40 passes" in " ".join(found)
