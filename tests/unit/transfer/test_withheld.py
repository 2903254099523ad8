"""Classes whose labels were withheld are found again, as far as they can be."""

import numpy as np

from deepmapper.features.samples import Samples
from deepmapper.transfer.withheld import withhold_classes


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
