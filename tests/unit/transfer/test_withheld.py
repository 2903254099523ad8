"""Classes whose labels were withheld are found again, as far as they can be."""

from dataclasses import replace

import numpy as np

from deepmapper.features.samples import Samples
from deepmapper.transfer.withheld import divide_classes, withhold_classes


def test_distinct_classes_are_found(study, quick):
    said = []
    config = quick("linear", test_size=0.2)
    table = withhold_classes(study.features.development_samples, config, 0, 0.05, said.append, "cpu")
    assert table["class"].tolist() == ["B", "NK", "T"] and table["n_cells"].tolist() == [50, 50, 50]
    assert (table["auc"] > 0.9).all() and (table["power"] > 0.5).all()
    assert set(table["taken_for"]) <= {"B", "NK", "T"} and said[0].startswith("without B: ")


def test_two_classes_leave_none_to_compare(planted, quick):
    kept = np.flatnonzero(planted.y < 2)
    samples = Samples(planted.X, planted.y, planted.classes[:2], kept)
    table = withhold_classes(samples, quick("linear"), 0, 0.05)
    assert table["power"].isna().all() and table["note"].str.contains("only one class would be left").all()


def test_samples_that_may_be_of_the_withheld_class_are_left_out(study, quick):
    """B or NK is not said of those with the upper label; with an upper label its kinds are withheld."""
    samples = study.features.development_samples
    y = samples.labels.copy()
    y[(y < 2) & (np.arange(len(y)) % 2 == 0)] = 3
    y[y == 2] = np.where(np.arange((y == 2).sum()) % 2, 2, 4)
    kinds = np.array([[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 1]], dtype=bool)
    samples = replace(samples, classes=("B", "NK", "T", "B or NK", "T2"), kinds=kinds).relabel(y)
    sizes = np.bincount(y)
    np.testing.assert_array_equal(divide_classes(samples, 0), [[0, 1, 1, 0, 1], [1, 0, 0, 0, 0]])
    np.testing.assert_array_equal(divide_classes(samples, 3), [[0, 0, 1, 0, 1], [1, 1, 0, 1, 0]])
    table = withhold_classes(samples, quick("linear", test_size=0.2), 0, 0.05).set_index("class")
    assert table["n_cells"].tolist() == [*sizes[:3], sizes[[0, 1, 3]].sum(), sizes[4]]
    assert (table["auc"][["B", "NK", "B or NK"]] > 0.9).all()  # beside T cells of the same two labels
    assert table["taken_for"]["B or NK"] in ("T", "T2") and table["taken_for"]["T"] in ("T2",)
