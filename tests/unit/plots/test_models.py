"""The models side by side."""

from deepmapper import plots


def test_models_show_value_interval_and_missing_signal(examples, words, tmp_path):
    plots.model_comparison(examples.models_table(), tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert "linear_baseline (logistic regression)" in found
    assert "0.460  (0.390 to 0.530)   no signal" in found
    assert [w for w in found if w.endswith("no signal")] == ["0.460  (0.390 to 0.530)   no signal"]


def test_models_whose_signal_is_undecided_say_so(examples, words, tmp_path):
    table = examples.models_table()
    table["signal"] = [None, True, True, None]  # the last is the baseline, which has no verdict
    plots.model_comparison(table, tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert [w for w in found if w.endswith("signal undecided")] == ["0.460  (0.390 to 0.530)   signal undecided"]
    summary = {"n_accepted": 28, "signal": None, "statement": "Undecided."}
    plots.ranking(examples.feature_table(), tmp_path / "b.svg", summary=summary)
    assert "Undecided." in " ".join(words(tmp_path / "b.svg"))
