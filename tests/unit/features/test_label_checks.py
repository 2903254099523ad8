"""Labels that are no classes, and groups that cannot be held out."""

import numpy as np
import pandas as pd
import pytest

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.features.label_checks import (
    check_groups,
    check_labels,
    check_passes_can_split,
    unequal_class_cautions,
)
from deepmapper.io.labels import encode_labels

N = 90
ROW = np.arange(N)
rng = np.random.default_rng(0)


def checked(values):
    column = pd.Series(values)
    codes, classes = encode_labels(column)
    check_labels(column, codes, classes, "age")


@pytest.mark.parametrize(
    "values",
    [rng.random(N), rng.integers(20, 60, N), rng.integers(20, 60, N).astype(str), rng.random(N).round(1) * 3, -ROW / 7],
)
def test_a_measurement_is_refused(values):
    with pytest.raises(
        InputError, match=r"'age' holds \d+ different numbers in 90 samples .*regression is not offered"
    ):
        checked(values)


@pytest.mark.parametrize("values", [[f"s{i}" for i in ROW], [f"s{min(i, 60)}" for i in ROW]])
def test_names_of_samples_are_refused(values):
    with pytest.raises(InputError, match=r"\d+ different labels in 90 samples, \d+ of them once .*names of samples"):
        checked(values)


@pytest.mark.parametrize(
    "values",
    [
        ROW % 2,
        ROW % 9,
        ROW // 9,  # ten clusters, few cells in each
        [f"{i % 12}" for i in range(900)],
        [f"1.{i % 12}" for i in range(900)],
        [0.5, 1.5] * 45,
        ["a", "b", "b", "c", "c"],
        [f"type {i % 30}" for i in ROW],
    ],
)
def test_classes_pass(values):
    checked(values)


def test_classes_of_which_accuracy_says_little_are_named():
    def said(*sizes):
        return unequal_class_cautions(
            np.repeat(np.arange(len(sizes)), sizes), ("normal", "rare", "other")[: len(sizes)]
        )

    mostly, few = said(2995, 5)
    assert mostly.startswith("99.8 % of the samples are 'normal', so accuracy says little: calling every sample")
    assert "of the 3,000 samples are of the class 'rare' (5): networks hardly learn" in few
    assert "exclude" not in few  # a single class would be left
    (few,) = said(500, 5, 500)
    assert "leave it out (`labels: {exclude: [rare]}`)" in few
    assert said(3, 3) == said(30, 9) == said(94, 10) == said(500, 10, 500) == []
    assert len(said(96, 0, 4)) == 2


def groups_of(values, y, classes=("A", "B", "C")):
    column = pd.Series(values)
    return check_groups(column, pd.factorize(column)[0], np.asarray(y), classes, "donor")


def test_one_donor_to_a_class_is_refused():
    with pytest.raises(
        InputError, match=r"'A', 'B', 'C' lies in a single group of column 'donor' \(A: d0, B: d1, C: d2\)"
    ):
        groups_of([f"d{i % 3}" for i in ROW], ROW % 3)
    with pytest.raises(InputError, match=r"class 'C' lies .*\(C: d9\).*cannot be told .*at least 2 groups"):
        groups_of(np.where(ROW % 3 == 2, "d9", np.array([f"d{i // 3 % 4}" for i in ROW])), ROW % 3)


def test_a_single_group_is_refused_and_a_group_for_every_sample_is_none():
    with pytest.raises(InputError, match=r"'donor' has the same value in all 90 samples \(d\)"):
        groups_of(["d"] * N, ROW % 3)
    with pytest.warns(DeepMapperWarning, match="each of the 90 samples has a value of its own in column 'donor'"):
        assert groups_of([f"d{i}" for i in ROW], ROW % 3) is None


def test_donors_with_several_classes_pass():
    codes = groups_of([f"d{i // 3 % 4}" for i in ROW], ROW % 3)
    assert len(np.unique(codes)) == 4


@pytest.mark.parametrize("donors", [ROW // 3 % 2, ROW % 3 + 3 * (ROW // 3 % 2)])
def test_too_few_groups_for_a_pass_are_refused(donors):
    with pytest.raises(
        InputError, match=r"after the test split .*'donor' are left \(A 2, B 2, C 2 by class\).*repeated"
    ):
        check_passes_can_split(ROW % 3, donors, ("A", "B", "C"), 0, "donor", True)
    with pytest.raises(
        InputError, match=r"labels\.group: \d groups .*expected at least 3 groups .* To go on, add donors"
    ):
        check_passes_can_split(ROW % 3, donors, ("A", "B", "C"), 0, "donor", False)
    check_passes_can_split(ROW % 3, ROW % 3 + 3 * (ROW // 3 % 3), ("A", "B", "C"), 0, "donor", True)
