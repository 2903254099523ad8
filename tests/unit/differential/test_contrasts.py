"""Designs of the differential test, and what they say about the difference between classes."""

import numpy as np
import pandas as pd
import pytest

from deepmapper.differential.contrasts import REST, compared, formula_design, plain_design
from deepmapper.errors import InputError

Y = np.array([0, 0, 0, 1, 1, 1])
CLASSES = ("ctrl", "stim")
COLUMNS = pd.DataFrame({"batch": ["a", "b", "a", "b", "a", "b"], "age": [1.0, 2.0, 4.0, 3.0, 6.0, 5.0]})


def differences(design, values):
    """Fit by least squares and return the estimate of every contrast."""
    coefficients = np.linalg.lstsq(design.matrix.to_numpy(), values, rcond=None)[0]
    return {(c.name, c.versus): float(c.vector @ coefficients) for c in design.contrasts}


def test_pairs_of_classes():
    assert compared(("a", "b")) == [("b", "a")]
    assert compared(("a", "b", "c")) == [("a", REST), ("b", REST), ("c", REST)]
    assert compared(("a", "b", "c"), "b") == [("a", "b"), ("c", "b")]
    with pytest.raises(InputError, match="differential.reference is 'd', which is not a class"):
        compared(("a", "b"), "d")


def test_two_classes_differ_by_the_difference_of_their_means():
    values = np.array([1.0, 2, 3, 7, 8, 9])
    assert differences(plain_design("condition", Y, CLASSES), values) == pytest.approx({("stim", "ctrl"): 6})


def test_each_of_several_classes_is_compared_with_the_mean_of_the_others():
    y = np.array([0, 0, 1, 1, 2, 2])
    found = differences(plain_design("type", y, ("a", "b", "c")), np.array([1.0, 1, 4, 4, 7, 7]))
    assert found == pytest.approx({("a", REST): -4.5, ("b", REST): 0, ("c", REST): 4.5})


def test_a_formula_gives_the_same_as_its_plain_design():
    values = np.random.default_rng(0).normal(size=6)
    formula = formula_design("~ batch + age + condition", "condition", Y, CLASSES, COLUMNS)
    codes = (COLUMNS["batch"] == "b").to_numpy().astype(int)
    plain = plain_design("condition", Y, CLASSES, {"batch": codes}, COLUMNS[["age"]])
    assert differences(formula, values) == pytest.approx(differences(plain, values))


def test_with_an_interaction_the_difference_is_averaged_over_the_samples():
    y, batch = np.tile([0, 1], 4), np.repeat(["a", "b"], 4)
    values = np.where(batch == "a", 2.0, 6.0) * y
    design = formula_design("~ batch * condition", "condition", y, CLASSES, pd.DataFrame({"batch": batch}))
    assert differences(design, values) == pytest.approx({("stim", "ctrl"): 4})


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("~ sex + condition", "differential.design is '~ sex . condition'.*sex.*'batch', 'age'"),
        ("~ batch +", "cannot be used"),
        ("~ batch", "does not use the label. Add . condition"),
        ("~ __import__('os').getpid() + condition", "cannot be used"),
    ],
)
def test_a_wrong_formula_is_refused_with_the_option(formula, message):
    with pytest.raises(InputError, match=f"(?s){message}"):
        formula_design(formula, "condition", Y, CLASSES, COLUMNS)


def test_a_batch_that_holds_one_class_cannot_be_adjusted_for():
    columns = pd.DataFrame({"batch": ["a"] * 3 + ["b"] * 3})
    with pytest.raises(InputError, match="cannot be estimated from these 6 samples"):
        formula_design("~ batch + condition", "condition", Y, CLASSES, columns)


def test_a_label_with_blanks_is_named_in_backticks():
    columns = pd.DataFrame({"cell batch": COLUMNS["batch"]})
    design = formula_design("~ `cell batch` + `my label`", "my label", Y, CLASSES, columns)
    assert design.matrix.shape == (6, 3)


def test_classes_that_overlap_are_not_compared():
    """A T cell may be a CD4 T cell: neither is part of the rest of the other."""
    overlaps = {"T": frozenset({"CD4", "CD8"}), "CD4": frozenset({"T"}), "CD8": frozenset({"T"})}
    classes = ("B", "CD4", "CD8", "T")
    assert compared(classes, "", overlaps) == [(name, REST) for name in classes]
    assert compared(classes, "T", overlaps) == [("B", "T")]
    assert compared(classes[1:], "", overlaps) == [("CD4", REST), ("CD8", REST)]  # nothing is left for T
    assert compared(("CD4", "T"), "", overlaps) == []
    y, values = np.repeat(np.arange(4), 2), np.repeat([0.0, 6, 9, 3], 2)
    expected = {("B", REST): -6, ("CD4", REST): 1.5, ("CD8", REST): 6, ("T", REST): 3}
    plain = plain_design("type", y, classes, overlaps=overlaps)
    assert differences(plain, values) == pytest.approx(expected)
    formula = formula_design("~ type", "type", y, classes, pd.DataFrame(index=range(8)), overlaps=overlaps)
    assert differences(formula, values) == pytest.approx(expected)
