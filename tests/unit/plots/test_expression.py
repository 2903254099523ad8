"""Expression of chosen features."""

import numpy as np

from deepmapper import plots


def test_dots_show_symbols_classes_and_what_each_feature_marks(examples, words, tmp_path):
    table = examples.statistics_table(["ctrl", "stim"], 4)
    plots.expression_dots(
        table, ["GENE2", "GENE0", "ABSENT"], tmp_path / "a.svg", headings=["ctrl", "stim", "stim"],
        aliases={"GENE2": "IL7R"},
    )  # fmt: skip
    found = words(tmp_path / "a.svg")
    assert "IL7R" in found and "GENE0" in found and "GENE2" not in found and "ABSENT" not in found
    assert found.count("ctrl") == 2  # below its column, and beside its marker


def test_samples_come_by_class(examples, words, tmp_path):
    values = np.arange(8.0).reshape(4, 2)
    plots.expression_heatmap(values, ["A", "B"], ["s1", "s2", "s3", "s4"], ["b", "a", "b", "a"], tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert [word for word in found if word.startswith("s")][:4] == ["s2", "s4", "s1", "s3"]
