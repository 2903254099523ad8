"""Volcano plots of the test of single features."""

import numpy as np

from deepmapper import plots
from deepmapper.plots.volcanoes import bounded_fold_changes, comparisons


def test_each_comparison_has_a_panel_that_names_the_features_of_the_smallest_p(examples, words, tmp_path):
    table = examples.differential_table(["a", "b"], 50).assign(feature=lambda t: t["feature"] + t["class"])
    plots.volcano(table, tmp_path / "a.svg", aliases={"GENE0a": "CD3D"}, note="rank sums")
    found = " ".join(words(tmp_path / "a.svg"))
    assert "a against all others" in found and "b against all others" in found and "rank sums" in found
    first = table[table["class"] == "b"].nsmallest(6, "p")["feature"]
    assert all(name in found.split() for name in first)


def test_a_change_from_nothing_does_not_squeeze_the_others(examples):
    (_, rows), *_ = comparisons(examples.differential_table(["a"], 50))
    rows = rows.assign(log2_fold_change=np.r_[-30.0, np.linspace(-2, 3, 49)])  # the first is absent on one side
    x, reach = bounded_fold_changes(rows)
    assert (reach, x.min(), x.max()) == (3.0, -3.0, 3.0)


def test_many_features_are_drawn_as_bitmaps(examples, tmp_path):
    plots.volcano(examples.differential_table(n=3000), tmp_path / "a.svg")
    assert (tmp_path / "a.svg").stat().st_size < 700_000
