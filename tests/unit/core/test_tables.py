"""Tables as files: names are read back exactly as written, numbers as numbers."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deepmapper.core.columns import Table, boolean, integer, name_list, number, text
from deepmapper.core.tables import read_json, read_table, write_json, write_table
from deepmapper.errors import InputError

NASTY = ["NA", "nan", "None", "TRUE", "true", "007", "1.10", "1E2", "-", "inf", "#x", 'q"x', "a\tb", "a\nb", "a\rb",
         "\r\n", " a ", "'", "\\", ",", "é", "\u2028", "\ufeffx", "0x10", "1_000", "<NA>", "null"]  # fmt: skip
# An empty cell is no value; neither a zero byte nor half a surrogate pair can be in a name.
names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
numbers = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))


def missing(values):
    return [None if pd.isna(value) else value for value in values]


@given(st.lists(st.tuples(names, names, numbers, st.none() | st.booleans(), st.integers(-(2**31), 2**31)), min_size=1))
@example([(name, name, 0.5, True, 1) for name in NASTY])
def test_any_values_are_read_back(tmp_path_factory, rows):
    columns = list(zip(*rows, strict=True))
    makers = (text, name_list, number, boolean, integer)
    schema = Table("t.tsv", "", tuple(make(name, "") for make, name in zip(makers, "abcde", strict=True)))
    frame = pd.DataFrame(dict(zip("abcde", columns, strict=True)))
    path = tmp_path_factory.getbasetemp() / "t.tsv"
    write_table(frame, path, schema)
    read = read_table(path, schema)
    assert read["a"].tolist() == list(columns[0])
    assert read["b"].tolist() == list(columns[1])
    wanted = [np.nan if value is None else float(f"{value:.6g}") for value in columns[2]]
    np.testing.assert_allclose(read["c"], wanted, rtol=1e-14)  # pandas rounds numbers of extreme size in the last bit
    assert read["c"].dtype == float
    assert missing(read["d"]) == list(columns[3])
    assert read["e"].tolist() == list(columns[4]) and read["e"].dtype == "int64"


@given(st.lists(names, min_size=1, max_size=4, unique=True))
@example(NASTY)
def test_class_names_in_a_header_are_read_back(tmp_path_factory, classes):
    frame = pd.DataFrame([[name, *range(len(classes))] for name in classes], columns=["true_class", *classes])
    frame = frame.loc[:, ~frame.columns.duplicated()]
    path = tmp_path_factory.getbasetemp() / "confusion.tsv"
    write_table(frame, path)
    pd.testing.assert_frame_equal(read_table(path), frame)


@pytest.mark.parametrize("name", NASTY)
def test_a_feature_keeps_its_name(name, tmp_path):
    frame = pd.DataFrame({"feature": [name, name], "stability": [1.0, np.nan]})
    write_table(frame, tmp_path / "stability.tsv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "stability.tsv"), frame)


def test_a_missing_value_is_an_empty_field(tmp_path):
    table = pd.DataFrame({"cell": ["c1", "c2"], "prediction": ["NA", None], "confidence": [0.5, np.nan]})
    write_table(table, tmp_path / "predictions.tsv")
    assert (tmp_path / "predictions.tsv").read_text() == "cell\tprediction\tconfidence\nc1\tNA\t0.5\nc2\t\t\n"
    read = read_table(tmp_path / "predictions.tsv")
    assert read["prediction"][0] == "NA"
    assert read.isna().sum().tolist() == [0, 1, 1]


def test_types_do_not_depend_on_the_values(tmp_path):
    """Numbers that happen to be whole stay numbers, a column without any value keeps its type."""
    frame = pd.DataFrame({"rank": [1, 2], "feature": ["a", "b"], "z": [1.0, 2.0], "p": np.nan, "significant": True})
    write_table(frame, tmp_path / "features.tsv")
    read = read_table(tmp_path / "features.tsv")
    types = ["int64", str(pd.Series(["a"]).dtype), "float64", "float64", "bool"]  # text is object, or str with pandas 3
    assert [str(dtype) for dtype in read.dtypes] == types
    write_table(frame.head(0), tmp_path / "features.tsv")
    empty = read_table(tmp_path / "features.tsv")
    assert [str(dtype) for dtype in empty.dtypes] == types
    frame = pd.DataFrame({"feature": ["a", "b"], "hvg_seurat": pd.array([pd.NA, False], dtype="boolean")})
    write_table(frame, tmp_path / "audit_features.tsv")
    read = read_table(tmp_path / "audit_features.tsv")
    assert pd.isna(read["hvg_seurat"][0]) and not read["hvg_seurat"][1]
    frame = pd.DataFrame({"feature": ["a", "b"], "evidence_rank": pd.array([pd.NA, 3], dtype="Int64")})
    write_table(frame, tmp_path / "evidence.tsv")
    assert missing(read_table(tmp_path / "evidence.tsv")["evidence_rank"]) == [None, 3]


def test_a_column_missing_from_the_schema_is_refused_by_name(tmp_path):
    frame = pd.DataFrame({"feature": ["a"], "stability": [0.5], "surprise": [1]})
    with pytest.raises(ValueError, match=r"column 'surprise' is not in the schema of findings/\{model\}/stability.tsv"):
        write_table(frame, tmp_path / "stability.tsv")
    assert not any(tmp_path.iterdir())


def test_a_file_without_a_schema_is_refused(tmp_path):
    with pytest.raises(ValueError, match="stabilty.tsv: no table of the results has this file name; expected one of"):
        write_table(pd.DataFrame({"feature": ["a"]}), tmp_path / "stabilty.tsv")


def test_an_unknown_column_is_read_as_text(tmp_path):
    (tmp_path / "stability.tsv").write_text("feature\tstability\tnote\na\t1\t007\n")
    assert read_table(tmp_path / "stability.tsv").iloc[0].tolist() == ["a", 1.0, "007"]


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ("1\tx", r"row 2, column 'evidence': found 'x', expected a number"),
        ("2.5\t0.1", r"row 2, column 'evidence_rank': found '2.5', expected an integer"),
        ("True\t0.1", r"row 2, column 'evidence_rank': found 'True', expected an integer"),
    ],
)
def test_a_cell_of_the_wrong_type_is_named(cells, found, tmp_path):
    (tmp_path / "evidence.tsv").write_text(f"evidence_rank\tevidence\n1\t0.5\n{cells}\n")
    with pytest.raises(InputError, match=rf"evidence.tsv: {found}. Delete the file"):
        read_table(tmp_path / "evidence.tsv")


def test_a_cell_that_is_neither_true_nor_false_is_named(tmp_path):
    (tmp_path / "audit_features.tsv").write_text("feature\thvg_seurat\na\tTrue\nb\tmaybe\n")
    with pytest.raises(InputError, match=r"row 2, column 'hvg_seurat': found 'maybe', expected True or False"):
        read_table(tmp_path / "audit_features.tsv")


def test_json_has_no_nan_and_no_numpy(tmp_path):
    value = {1: np.float32(0.5), "a": [np.nan, np.inf, np.int64(3), (np.True_, None)], "ä": "ö"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_json(value, tmp_path / "deep" / "summary.json")
    text = (tmp_path / "deep" / "summary.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"1": 0.5, "a": [None, None, 3, [True, None]], "ä": "ö"}
    assert "ä" in text
    assert read_json(tmp_path / "deep" / "summary.json") == json.loads(text)


def test_a_broken_json_file_is_named(tmp_path):
    (tmp_path / "summary.json").write_text('{"a": ')
    with pytest.raises(InputError, match=r"summary.json is not valid JSON .*: line 1.*Delete the file"):
        read_json(tmp_path / "summary.json")
