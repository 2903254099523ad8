"""What cannot be analysed is refused before anything is trained, with one message: what, where, and what to do.

Nothing here may come back with a result: each of these once gave an answer that looked like one.
"""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from deepmapper import evaluate as evaluate_module
from deepmapper import runner
from deepmapper.config import AugmentConfig, BackboneSpec, DeepMapperConfig
from deepmapper.errors import BackboneUnavailable, InputError
from deepmapper.evaluate import evaluate
from deepmapper.linear_baseline import fit
from deepmapper.runner import run
from deepmapper.unsupervised import embed_unsupervised

pytestmark = pytest.mark.filterwarnings("error")
BASE = DeepMapperConfig(n_passes=1, epochs=1, early_stop=False, top_k=3, backbone=BackboneSpec("linear"))


def config(**changed):
    return DeepMapperConfig(**{**vars(BASE), **changed})


def with_value(X, value, row=7, column=4):
    X = X.copy()
    X[row, column] = value
    return X


def recoded(y, codes, value):
    """Labels as given in `codes`, the first sample's replaced by `value`."""
    labels = [codes[code] for code in y]
    labels[0] = value
    return labels


def with_rare(y, n):
    y = y.copy()
    y[:n] = 9
    return y


# What is wrong -> (the matrix, from good data), the message. Every door refuses these.
BAD_MATRICES = {
    "NaN": (
        lambda X: with_value(X, np.nan),
        r"1 value\(s\) that are NaN or infinite, the first \(nan\) in sample 7, feat",
    ),
    "infinite": (
        lambda X: with_value(X, np.inf),
        r"the first \(inf\) in sample 7, feature .*: expected finite numbers",
    ),
    "minus infinite": (lambda X: with_value(X, -np.inf), r"the first \(-inf\).*Fill or remove them"),
    "NaN in sparse": (lambda X: sp.csr_matrix(with_value(X, np.nan)), r"the first \(nan\) in sample 7, feature"),
    "infinite in columns": (lambda X: sp.csc_matrix(with_value(X, np.inf)), r"the first \(inf\) in sample 7, feature"),
    "NaN in a frame": (lambda X: pd.DataFrame(with_value(X, np.nan)), r"in sample 7, feature .*expected finite"),
    "all NaN": (
        lambda X: X * np.nan,
        r"contains 3600 value\(s\) that are NaN.*the first \(nan\) in sample 0",
    ),
    "one dimension": (lambda X: X[:, 0], r"X has shape \(120,\): expected at least one sample and one feature"),
    "three dimensions": (lambda X: X[None], r"X has shape \(1, 120, 30\): expected at least one sample"),
    "no features": (lambda X: X[:, :0], r"X has shape \(120, 0\): expected at least one sample and one feature"),
    "no samples": (lambda X: X[:0], r"X has shape \(0, 30\): expected at least one sample and one feature"),
    "no features in sparse": (lambda X: sp.csr_matrix((120, 0)), r"X has shape \(120, 0\)"),
    "a single number": (lambda X: 3.0, r"X has shape \(1,\)"),
    "nothing": (lambda X: None, r"X has shape \(1,\)"),
    "text": (
        lambda X: X.astype(str).astype(object) + "x",
        "X cannot be read as a matrix of numbers .*could not convert",
    ),
    "a column of text": (
        lambda X: pd.DataFrame(X).assign(name="gene"),
        "X cannot be read as a matrix of numbers .*expected samples × features",
    ),
    "rows of different length": (lambda X: [[1, 2], [3]], "X cannot be read as a matrix of numbers"),
    "a dictionary": (lambda X: {"X": X}, "X cannot be read as a matrix of numbers"),
}

DOORS = {
    "run": lambda X, y: run(X, y, BASE),
    "evaluate": lambda X, y: evaluate(X, y, BASE),
    "linear_baseline": lambda X, y: fit(X, y),
}

BAD_LABELS = {
    "negative": (
        lambda y: np.where(y == 0, -1, y),
        r"y contains 40 negative label\(s\), for example -1 in row 0.*unlabelled",
    ),
    "one negative": (lambda y: recoded(y, [0, 1, 2], -1), "y contains 1 negative label.*leave those rows out"),
    "negative float": (
        lambda y: recoded(y, [0.0, 1.0, 2.0], -1.0),
        r"1 negative label\(s\), for example -1\.0 in row 0",
    ),
    "negative objects": (lambda y: np.array(recoded(y, [0, 1, 2], -1), dtype=object), "y contains 1 negative label"),
    "nullable negative": (lambda y: pd.Series(y - 1, dtype="Int64"), r"y contains 40 negative label\(s\)"),
    "minus infinity": (lambda y: recoded(y, [0.0, 1.0, 2.0], -np.inf), "y contains 1 negative label"),
    "halves": (lambda y: y + 0.5, r"y contains 120 label\(s\) that are not whole numbers, for example 0\.5 in row 0"),
    "continuous": (lambda y: np.linspace(0, 1, len(y)), "not whole numbers.*Divide a continuous variable into classes"),
    "infinite": (lambda y: recoded(y, [0.0, 1.0, 2.0], np.inf), "1 label.*not whole numbers, for example inf"),
    "NaN": (lambda y: recoded(y, [0.0, 1.0, 2.0], np.nan), r"1 of 120 samples have no label \('row 0'\)"),
    "None among strings": (lambda y: recoded(y, "abc", None), r"1 of 120 samples have no label \('row 0'\)"),
    "an empty string": (lambda y: recoded(y, "abc", "  "), "1 of 120 samples have no label"),
    "'nan' as text": (lambda y: recoded(y, "abc", "nan"), "1 of 120 samples have no label"),
    "missing category": (
        lambda y: pd.Categorical.from_codes([-1, *y[1:]], list("abc")),
        "1 of 120 samples have no label",
    ),
    "one class": (lambda y: y * 0, r"found 1 class \('0'\), expected at least two"),
    "one class of strings": (lambda y: ["a"] * len(y), "found 1 class .*right label column"),
    "too few": (lambda y: y[:-1], r"y has shape \(119,\), X has 120 rows: expected one label per row"),
    "too many": (lambda y: [*y, 0], r"y has shape \(121,\), X has 120 rows"),
    "a column": (lambda y: y[:, None], r"y has shape \(120, 1\), X has 120 rows: expected one label per row"),
    "one-hot": (lambda y: np.eye(3)[y], r"y has shape \(120, 3\)"),
    "none": (lambda y: None, r"y has shape \(\)|there are no labels: give y"),
}

# Bad for whatever trains by passes.
BAD_DIVISIONS = {
    "a class of one cell": (
        lambda y: {"y": with_rare(y, 1)},
        r"too few samples in class '9' \(1\): expected at least 2.*merge them with others, or add samples",
    ),
    "names of every sample": (
        lambda y: {"y": [f"cell{i}" for i in range(len(y))]},
        r"too few samples in class 'cell0' \(1\), 'cell1' \(1\)|120 different labels in 120 samples",
    ),
    "groups of wrong length": (
        lambda y: {"y": y, "groups": ["d"] * 7},
        "groups has 7 entries, X has 120 rows: expected one group per row",
    ),
    "a group missing": (
        lambda y: {"y": y, "groups": ["d1", "d2", None, *["d3"] * 117]},
        r"groups is missing for 1 sample\(s\), the first in row 2: expected a group for every row",
    ),
    "groups of NaN": (lambda y: {"y": y, "groups": np.full(len(y), np.nan)}, r"groups is missing for 120 sample\(s\)"),
    "one group": (
        lambda y: {"y": y, "groups": ["d"] * len(y)},
        "class '0', '1', '2' lies in a single group|same value in all",
    ),
    "a class in one group": (
        lambda y: {"y": y, "groups": np.where(y == 0, 99, np.arange(len(y)) // 10)},
        "class '0' lies in a single group .*Add donors, leave the class out, or run without a group column",
    ),
    "a group a class": (lambda y: {"y": y, "groups": y}, "class '0', '1', '2' lies in a single group of"),
}

BAD_NAMES = {
    "duplicate": (
        lambda names: ["gene1", *names[1:]],
        r"feature_names contains 1 name\(s\) more than once, for example gene1",
    ),
    "all alike": (
        lambda names: ["g"] * 30,
        r"more than once, for example g: expected unique names.*var_names_make_unique",
    ),
    "too few": (lambda names: names[:-1], "feature_names has 29 names, X has 30 columns: expected one name per column"),
    "too many": (lambda names: [*names, "more"], "feature_names has 31 names, X has 30 columns"),
    "none at all": (lambda names: [], "feature_names has 0 names, X has 30 columns"),
    "numbers alike as text": (lambda names: [1, "1", *names[2:]], "for example 1: expected unique names"),
}

BAD_SETTINGS = {
    "unknown kind": (
        config(backbone=BackboneSpec("resnet")),
        BackboneUnavailable,
        "kind='resnet' is not a known network",
    ),
    "empty kind": (
        config(backbone=BackboneSpec("")),
        BackboneUnavailable,
        "kind='' is not a known network: expected one",
    ),
    "pretrained": (
        config(backbone=BackboneSpec("cnn_small", pretrained=True)),
        BackboneUnavailable,
        "'cnn_small' has no pretrained weights",
    ),
    "unknown extra": (
        config(backbone=BackboneSpec("cnn", extra={"depth": 3})),
        InputError,
        "cnn has no option depth; expected width, hidden, dropout",
    ),
    "extra of wrong type": (
        config(backbone=BackboneSpec("mlp", extra={"hidden": "many"})),
        InputError,
        "extra hidden='many': expected a whole number of 1 or more",
    ),
    "image too small": (
        config(backbone=BackboneSpec("linear", img_size=5)),
        InputError,
        "img_size=5: 30 features and 0 extra pixels need a side of at least 6. *Set img_size to 0",
    ),
    "image too small for the buffer": (
        config(buffer=10, backbone=BackboneSpec("linear", img_size=6)),
        InputError,
        "img_size=6: 30 features and 10 extra pixels need a side of at least 7",
    ),
    "unknown attribution": (config(attribution="lime"), InputError, "attribution='lime': expected one of"),
    "no share out of bag": (config(test_size=0.0), InputError, r"test_size=0\.0: expected a share between 0 and 1"),
    "all out of bag": (config(test_size=1.0), InputError, r"test_size=1\.0: expected a share between 0 and 1"),
    "no epochs": (config(epochs=0), InputError, "epochs=0: expected 1 or more"),
    "text for a number": (config(lr="0.1"), InputError, "lr='0.1': expected a number"),
    "a name for a backbone": (config(backbone="mlp"), InputError, "backbone='mlp': expected BackboneSpec"),
    "negative noise": (
        config(augment=AugmentConfig(True, -1.0)),
        InputError,
        "gaussian_noise_std=-1.0: expected 0 or more",
    ),
    "batches of one": (
        config(batch_size=1, backbone=BackboneSpec("cnn")),
        InputError,
        "batch_size=1: this network has batch normalisation",
    ),
}


def cases(table):
    return pytest.mark.parametrize("case", list(table.values()), ids=list(table))


@pytest.fixture
def no_training(monkeypatch):
    """Refusal comes before the first pass, not after an hour."""

    def train_pass(*args, **kwargs):
        raise AssertionError("a pass was trained")

    monkeypatch.setattr(runner, "train_pass", train_pass)
    monkeypatch.setattr(evaluate_module, "train_pass", train_pass)


@pytest.mark.parametrize("door", [*DOORS, "embed_unsupervised"])
@cases(BAD_MATRICES)
def test_a_matrix_that_is_none_is_refused(planted, no_training, door, case):
    spoil, message = case
    X, y = spoil(planted.X), planted.y
    call = DOORS.get(door, lambda X, y: embed_unsupervised(X, BASE))
    with pytest.raises(InputError, match=message):
        call(X, y)


@pytest.mark.parametrize("door", DOORS)
@cases(BAD_LABELS)
def test_labels_that_are_no_classes_are_refused(planted, no_training, door, case):
    spoil, message = case
    with pytest.raises(InputError, match=message):
        DOORS[door](planted.X, spoil(planted.y))


@pytest.mark.parametrize("door", [run, evaluate])
@cases(BAD_DIVISIONS)
def test_samples_that_cannot_be_divided_are_refused(planted, door, case):
    spoil, message = case
    spoilt = spoil(planted.y)
    with pytest.raises(InputError, match=message):
        door(planted.X, spoilt["y"], BASE, groups=spoilt.get("groups"))


@pytest.mark.parametrize("door", [lambda X, y, names: run(X, y, BASE, names), fit], ids=["run", "linear_baseline"])
@cases(BAD_NAMES)
def test_names_that_name_nothing_are_refused(planted, no_training, door, case):
    spoil, message = case
    with pytest.raises(InputError, match=message):
        door(planted.X, planted.y, spoil(planted.names))


def test_a_frame_whose_columns_are_named_alike_is_refused(planted, no_training):
    frame = pd.DataFrame(planted.X, columns=["MYC", "MYC", *planted.names[2:]])
    with pytest.raises(InputError, match="for example MYC: expected unique names"):
        run(frame, planted.y, BASE)


@pytest.mark.parametrize("door", [run, evaluate])
@cases(BAD_SETTINGS)
def test_settings_that_cannot_work_are_refused(planted, door, case):
    settings, error, message = case
    with pytest.raises(error, match=message):
        door(planted.X, planted.y, settings)


@pytest.mark.parametrize(("early_stop", "n"), [(True, 2), (False, 1)])
def test_a_class_too_small_for_every_part_is_refused(planted, early_stop, n):
    settings = config(early_stop=early_stop, epochs=100)
    with pytest.raises(
        InputError,
        match=rf"too few samples in class '9' \({n}\): expected at least {n + 1}, one (each for|to train on)",
    ):
        run(planted.X, with_rare(planted.y, n), settings)


def test_a_class_that_the_test_split_leaves_too_small_is_refused(planted):
    with pytest.raises(InputError, match=r"too few samples in class '9' \(2\): expected at least 3"):
        evaluate(planted.X, with_rare(planted.y, 3), config(early_stop=True, epochs=100))


def test_the_smallest_that_can_be_divided_is(planted):
    findings = run(planted.X, with_rare(planted.y, 2), BASE)
    assert findings.classes == ["0", "1", "2", "9"]


def test_classes_that_differ_in_case_alone_are_pointed_out(planted):
    labels = np.array(["T cell", "t cell", "B"])[planted.y]
    with pytest.warns(UserWarning, match="'T cell', 't cell' differ only in case"):
        assert run(planted.X, labels, BASE).classes == ["B", "T cell", "t cell"]
