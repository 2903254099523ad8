"""Which confounders are numbers and which are categories."""

import numpy as np
import pandas as pd
import pytest

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.features.confounder_types import describe_types
from deepmapper.features.confounders import confounder_columns
from deepmapper.features.design import make_design


@pytest.fixture
def obs():
    """120 samples with columns of every type."""
    i = np.arange(120)
    return pd.DataFrame(
        {
            "chip": np.array(["1.1", "1.10", "2"], dtype=object)[i % 3],
            "plate": i % 4,
            "whole": (i % 4).astype(np.float32),
            "score": i / 7,
            "male": i % 2 == 0,
            "cat": pd.Categorical(np.array(["x", "y"])[i % 2]),
            "age": [f"{20 + n / 2:g}" for n in i],
            "well": [str(n) for n in i % 12],
            "n_counts": i * 10,
        },
        index=[f"s{n}" for n in i],
    )


def test_text_and_whole_numbers_are_categories_and_fractions_are_numbers(obs):
    columns = confounder_columns(obs, ["chip", "plate", "whole", "score", "male", "cat"])
    assert describe_types(columns) == (
        "chip: 3 categories; plate: 4 categories; whole: 4 categories; score: numbers; male: 2 categories; "
        "cat: 2 categories"
    )
    names = make_design(columns).names
    assert names[:5] == ("chip=1.10", "chip=2", "plate=1", "plate=2", "plate=3")
    assert names[5:] == ("whole=1", "whole=2", "whole=3", "score", "male=True", "cat=y")


def test_named_numbers_are_numbers(obs):
    columns = confounder_columns(obs, ["plate"], numeric=["age", "n_counts", "score"])
    assert describe_types(columns) == "plate: 4 categories; age: numbers; n_counts: numbers; score: numbers"
    np.testing.assert_array_equal(columns["age"], 20 + np.arange(120) / 2)


@pytest.mark.parametrize("name", ["age", "n_counts"])
def test_more_than_fifty_numbers_as_categories_are_refused_with_the_line_to_write(obs, name):
    n = obs[name].nunique()
    with pytest.raises(InputError, match=rf"'{name}' has {n} .* write `confounders: {{numeric: \[{name}\]}}`"):
        confounder_columns(obs, [name])


def test_more_than_ten_numbers_as_categories_are_warned_about(obs):
    with pytest.warns(DeepMapperWarning, match=r"'well' has 12 .* as categories. .*`confounders: {numeric: \[well\]}`"):
        assert describe_types(confounder_columns(obs, ["well"])) == "well: 12 categories"


def test_a_cell_that_is_not_a_number_is_named(obs):
    obs.loc["s7", "age"] = "about 30"
    with pytest.raises(InputError, match=r"sample 's7', column 'age': found 'about 30', expected a number\."):
        confounder_columns(obs, [], numeric=["age"])
    obs.loc[["s3", "s9"], "age"] = "1,234"
    with pytest.raises(InputError, match=r"sample 's3', .*found '1,234', .*2 more samples.*without thousands"):
        confounder_columns(obs, [], numeric=["age"])


def test_decimal_commas_are_read_where_no_value_has_a_point(obs):
    obs["age"] = [f"{20 + n / 2:g}".replace(".", ",") for n in range(120)]
    with pytest.warns(DeepMapperWarning, match="read commas as decimal points, as in '20,5'"):
        columns = confounder_columns(obs, [], numeric=["age"])
    np.testing.assert_array_equal(columns["age"], 20 + np.arange(120) / 2)
    obs.loc["s0", "age"] = "20.5"
    with pytest.raises(InputError, match=r"'s1', column 'age': found '20,5', expected a number.*decimal point"):
        confounder_columns(obs, [], numeric=["age"])


@pytest.mark.parametrize("numeric", [[], ["age"]])
def test_words_for_missing_values_are_missing_in_confounders(obs, numeric):
    obs.loc["s5", "age"] = obs.loc["s5", "chip"] = "N/A"
    requested = [] if numeric else ["chip"]
    with (
        pytest.warns(DeepMapperWarning, match="took 'N/A' once as missing"),
        pytest.raises(InputError, match=r"missing for some samples .number of samples.: (age|chip) \(1\)"),
    ):
        confounder_columns(obs, requested, numeric=numeric)
    if not numeric:
        assert describe_types(confounder_columns(obs, requested, na_values=[])) == "chip: 4 categories"
