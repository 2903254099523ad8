"""Confounders that determine the class are refused; where only some comparisons are lost, the others are made."""

import numpy as np
import pandas as pd
import pytest

from deepmapper.errors import InputError
from deepmapper.features.confounded import check_confounders, cross_tabulate
from deepmapper.features.design import make_design

N = 120
ROW = np.arange(N)
Y = ROW % 3
CLASSES = ("A", "B", "C")
NOISE = np.random.default_rng(0).random(N)


def checked(y=Y, computed=(), group_column="", **columns):
    table = pd.DataFrame(columns)
    classes = CLASSES[: y.max() + 1]
    return check_confounders(table, make_design(table), y, classes, computed, group_column)


def named(codes, prefix="b"):
    return [f"{prefix}{code}" for code in codes]


DETERMINING = {
    "the label itself": {"batch": named(Y)},
    "codes of it": {"batch": Y},
    "truth values": {"y": ROW % 2, "batch": ROW % 2 == 1},
    "categories": {"batch": pd.Categorical(named(Y))},
    "several values to a class": {"batch": named(ROW % 6)},
    "one value, others elsewhere": {"batch": named(np.where(Y == 0, ROW % 6, Y + 10))},
    "a value of its own in every sample": {"y": Y[:30], "sample": named(range(30))},
    "two together": {"batch": named(Y == 0), "sex": np.where(Y == 1, "f", "m")},
    "two whose combinations do": {
        **{"y": ROW % 2, "batch": named(ROW // 2 % 2)},
        "sex": np.where(ROW // 2 % 2 == ROW % 2, "f", "m"),
    },
    "a number without overlap": {"age": Y * 20 + 5 * NOISE},
    "a sum of numbers": {"y": ROW % 2, "one": NOISE, "other": 5 * NOISE + ROW % 2},
}


@pytest.mark.parametrize("case", DETERMINING)
def test_what_determines_the_class_is_refused(case):
    with pytest.raises(InputError, match=r"cannot be told .*Remove '\w+' from confounders\.columns"):
        checked(**DETERMINING[case])


def test_the_message_shows_which_value_has_which_class():
    with pytest.raises(InputError, match=r"'batch' .*\(b0: A 40; b1: B 40; b2: C 40\)"):
        checked(batch=named(Y))
    with pytest.raises(InputError, match=r"and 15 more\)\..*`labels: \{group: '2nd donor'\}`"):
        checked(**{"2nd donor": named(Y + 3 * (ROW // 18))})
    with pytest.raises(InputError, match=r"'age' .* do not overlap \(A: 0\.\d+ to 4\.\d+; B: 2\d\.\d+ to 24\.\d+; C: "):
        checked(age=Y * 20 + 5 * NOISE)
    with pytest.raises(InputError, match=r"'batch', 'sex' together .* 3 combinations .*b0 \+ f: "):
        checked(batch=named((Y == 0) * 1), sex=np.where(Y == 1, "f", "m"))


def test_what_is_computed_is_switched_off_by_its_option():
    with pytest.raises(InputError, match=r"Set `confounders: \{cell_cycle: false\}`"):
        checked(computed=["s_score"], s_score=Y * 20 + NOISE)
    assert checked(computed=["detected"], detected=ROW // 3) == []


USUAL = {
    "balanced": {"batch": named(ROW // 3 % 4)},
    "unbalanced": {"batch": named(np.where(NOISE < 0.9, Y, (Y + 1) % 3))},
    "numbers that overlap": {"age": Y * 20 + 21 * NOISE},
    "a number for every sample": {"count": ROW},
    "constant": {"batch": ["b"] * N, "age": np.ones(N)},
    "several": {"batch": named(ROW // 3 % 4), "sex": named(NOISE < 0.5), "age": NOISE},
    "none": {},
}


@pytest.mark.filterwarnings("ignore:confounder .* has the same value")
@pytest.mark.parametrize("case", USUAL)
def test_usual_designs_pass(case):
    columns = pd.DataFrame(USUAL[case], index=ROW)
    assert check_confounders(columns, make_design(columns), Y, CLASSES) == []


def test_a_class_alone_in_its_batch_is_named():
    cautions = checked(batch=named(np.where(Y == 2, 2, ROW // 3 % 2)))
    assert len(cautions) == 1 and "'batch': A, B | C. Differences between them cannot be told" in cautions[0]
    chain = named(np.where(ROW % 2, Y, (Y + 1) % 3))  # A shares a batch with B, B with C
    assert checked(batch=chain) == []


def test_samples_without_a_value_are_left_out_of_the_table():
    table = cross_tabulate(["x", None, "y", np.nan, "x"], np.array([0, 0, 1, 1, 0]), 2)
    assert table.levels == ("x", "y") and table.counts.tolist() == [[2, 0], [0, 1]] and table.determines
