"""Confusion matrix, single classes, calibration."""

import numpy as np
import pandas as pd
import pytest

from deepmapper import plots


@pytest.mark.parametrize("names", ["BLOOD", "TWO"])
@pytest.mark.parametrize("figure", ["importance_heatmap", "confusion", "per_class", "embedding"])
def test_every_class_is_named(examples, words, names, figure, tmp_path):
    classes = getattr(examples, names)
    path, where = tmp_path / "figure.svg", examples.map_of_cells(classes=classes)
    {
        "importance_heatmap": lambda: plots.importance_heatmap(examples.feature_table(9, classes=classes), path),
        "confusion": lambda: plots.confusion(examples.confusion_table(classes), path),
        "per_class": lambda: plots.per_class(examples.per_class_table(classes), path),
        "embedding": lambda: plots.embedding(where[0], where[1], path),
    }[figure]()
    text = "\n".join(words(path))
    assert [c for c in classes if c not in text] == []


@pytest.mark.parametrize("name", ["confusion-none", "per_class-none", "calibration-none"])
def test_without_a_prediction_the_figure_says_so(drawings, words, name, tmp_path):
    drawings[name](tmp_path / "a.svg")
    assert "No pass was accepted: no prediction to evaluate" in words(tmp_path / "a.svg")


def test_confusion_writes_counts_accuracy_and_class_sizes(words, tmp_path):
    table = pd.DataFrame({"true_class": ["a", "b"], "a": [31, 2], "b": [0, 17]})
    plots.confusion(table, tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert {"31", "2", "17", "a (31)", "b (19)", "accuracy 0.960 (48 of 50 samples)"} <= {*found}
    assert "0" not in found
    plots.confusion(table.set_index("true_class"), tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_confusion_survives_a_class_without_samples(words, tmp_path):
    plots.confusion(pd.DataFrame({"true_class": ["a", "b"], "a": [3, 0], "b": [1, 0]}), tmp_path / "a.svg")
    assert "b (0)" in words(tmp_path / "a.svg")


def test_calibration_writes_the_error_and_the_counts(words, tmp_path):
    edges = np.array([0.0, 0.5, 1.0])
    table = pd.DataFrame({"bin": [0, 1], "confidence_low": edges[:-1], "confidence_high": edges[1:], "n": [30, 70],
                          "mean_confidence": [0.4, 0.9], "accuracy": [0.5, 0.8]})  # fmt: skip
    plots.calibration(table, tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert {"30", "70"} <= {*found}
    assert "expected calibration error (ECE) 0.100, 100 samples" in " ".join(found)


def test_labels_that_are_numbers(words, tmp_path):
    plots.confusion(pd.DataFrame({"true_class": [1, 2], "1": [3, 0], "2": [1, 5]}), tmp_path / "a.svg")
    plots.embedding(np.eye(2), [10, 9], tmp_path / "b.svg", predicted=[10.0, 9])
    assert [w for w in words(tmp_path / "b.svg") if "(1)" in w] == ["1  9 (1)", "2  10 (1)"]
