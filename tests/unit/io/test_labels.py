"""Labels of any kind become integer codes."""

import numpy as np
import pandas as pd
import pytest

from deepmapper.core.missing import MISSING_WORDS
from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.io.labels import encode_labels


@pytest.mark.parametrize(
    ("labels", "codes", "classes"),
    [
        (["b", "a", "b"], [1, 0, 1], ["a", "b"]),
        ([10, 2, 10, -1], [2, 1, 2, 0], ["-1", "2", "10"]),
        (np.array([1.0, 3.0, 2.0]), [0, 2, 1], ["1", "2", "3"]),
        (np.array([0.5, 1.0], dtype=np.float32), [0, 1], ["0.5", "1"]),
        ([True, False, True], [1, 0, 1], ["False", "True"]),
        (["c10", "c2", "c1"], [2, 1, 0], ["c1", "c2", "c10"]),
        (["2", "10", "1.5"], [1, 2, 0], ["1.5", "2", "10"]),
        (pd.Categorical(["x", "y", "x"], categories=["z", "y", "x"]), [0, 1, 0], ["x", "y"]),
        (pd.Series(["x", "y"], index=[7, 7]), [0, 1], ["x", "y"]),
        (np.array([b"x", b"y"]), [0, 1], ["x", "y"]),
        (["a", 1, None], None, None),
        (pd.array([1, 2, 1], dtype="Int64"), [0, 1, 0], ["1", "2"]),
    ],
)
def test_encode_labels(labels, codes, classes):
    if codes is None:
        codes, classes = [1, 0, -1], ["1", "a"]
    found, names = encode_labels(labels, missing="drop")
    assert found.dtype == np.int64
    assert (found.tolist(), names) == (codes, classes)


@pytest.mark.parametrize("nothing", [None, np.nan, "", "  ", pd.NA])
def test_missing_labels(nothing):
    labels = ["a", nothing, "b", nothing]
    with pytest.raises(InputError, match=r"2 of 4 samples have no label \('row 1', 'row 3'\)\. Label them, or leave"):
        encode_labels(labels)
    with pytest.raises(InputError, match=r"2 of 4 samples have no label \('y', 'v'\)"):
        encode_labels(labels, names=["x", "y", "z", "v"])
    assert encode_labels(labels, missing="drop")[0].tolist() == [0, -1, 1, -1]


@pytest.mark.parametrize("word", MISSING_WORDS)
def test_a_word_for_a_missing_value_is_no_class_and_is_named(word):
    labels = pd.Categorical(["a", word, "b", f" {word}"])
    with pytest.raises(InputError, match=r"2 of 4 samples have no label .*labels: \{missing: drop\}"):
        encode_labels(labels)
    with pytest.raises(InputError, match=rf"'{word}' 2 times as missing.*`labels: \{{na_values: \[\]\}}`"):
        encode_labels(labels)
    with pytest.warns(DeepMapperWarning, match=rf"took '{word}' 2 times as missing"):
        codes, classes = encode_labels(labels, missing="drop")
    assert (codes.tolist(), classes) == ([0, -1, 1, -1], ["a", "b"])


def test_words_are_classes_if_no_word_is_missing():
    with pytest.warns(DeepMapperWarning, match="'NA' .1 sample.*exclude: .NA"):
        codes, classes = encode_labels(["a", "NA", "b", ""], missing="drop", na_values=[])
    assert (codes.tolist(), classes) == ([1, 0, 2, -1], ["NA", "a", "b"])
    with pytest.warns(DeepMapperWarning, match="took '-' once as missing"):
        assert encode_labels(["a", "-", "b"], missing="drop", na_values=["-"])[1] == ["a", "b"]
    assert encode_labels(["a", "NA", "b"], exclude=["NA"])[0].tolist() == [0, -1, 1]


@pytest.mark.parametrize(
    "name", ["Unknown", "unassigned", "Doublets", "low_quality", "Low quality", "none", "?", "n.d."]
)
def test_classes_that_may_not_be_states_are_warned_about_by_name(name):
    with pytest.warns(DeepMapperWarning, match="may not be states") as said:
        assert name in encode_labels(["a", name, "b", name])[1]
    assert f"{name!r} (2 samples)" in str(said[0].message) and "labels: {exclude: [" in str(said[0].message)


def test_names_that_look_like_numbers_are_text():
    assert encode_labels(["1.1", "1.10", "007", "7", "1E2", "100"])[1] == ["1.1", "1.10", "007", "7", "100", "1E2"]
    with pytest.warns(DeepMapperWarning, match="'2', '2.0' differ only in the way a number is written"):
        assert encode_labels(pd.Series([1.0, 1, "1", 2.0, "2.0"], dtype=object))[1] == ["1", "2", "2.0"]
    with pytest.raises(InputError, match=r"exclude names '7'.*Did you mean '007'\? Put it in quotes"):
        encode_labels(["007", "a"], exclude=[7])


def test_labels_that_look_the_same_are_warned_about():
    with pytest.warns(DeepMapperWarning, match=r"'A', '\\u0410' differ only in characters that look the same"):
        assert encode_labels(["A", "\u0410", "B"])[1] == ["A", "B", "\u0410"]


def test_excluded_labels():
    codes, classes = encode_labels([1, 2, 3, 1], exclude=[2])
    assert (codes.tolist(), classes) == ([0, -1, 1, 0], ["1", "3"])
    assert encode_labels(["T cells", "B cells", "debris"], exclude="debris")[1] == ["B cells", "T cells"]
    with pytest.raises(InputError, match=r"exclude names 'b cell'.* Did you mean 'B cells'\? .*'B cells', 'T"):
        encode_labels(["T cells", "B cells"], exclude=["b cell"])
    with pytest.raises(InputError, match=r"1 class \('T'\), expected at least two"):
        encode_labels(["T", "B"], exclude=["B"])


def test_labels_refused():
    with pytest.raises(InputError, match=r"0 classes \(none\)"):
        encode_labels([None, None], missing="drop")
    with pytest.raises(InputError, match=r"The labels have the shape \(2, 2\)"):
        encode_labels(np.eye(2))
    with pytest.raises(InputError, match="Found 2 labels for 3 samples"):
        encode_labels(["a", "b"], names=["x", "y", "z"])
    with pytest.raises(InputError, match="missing is 'ignore'"):
        encode_labels(["a", "b"], missing="ignore")


def test_labels_that_differ_only_in_case_or_blanks_warn():
    with pytest.warns(DeepMapperWarning, match="The labels 'B cell', 'b cell ' differ only in case or spaces"):
        assert len(encode_labels(["B cell", "b cell ", "T"])[1]) == 3
