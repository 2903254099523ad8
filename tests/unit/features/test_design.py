"""Design matrices: indicators of categories, standardised numbers."""

import numpy as np
import pandas as pd
import pytest

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.features.design import make_design


@pytest.fixture
def obs():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"batch": ["a", "b", "c", "a", "b", "c"] * 10, "age": rng.normal(50, 9, 60), "male": [True, False] * 30}
    )


def test_categories_become_indicators_and_numbers_stay(obs):
    design = make_design(obs)
    assert design.names == ("batch=b", "batch=c", "age", "male=True")
    np.testing.assert_allclose(design.values.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(design.values.std(0), 1)
    assert np.corrcoef(design.values[:, 2], obs["age"])[0, 1] == pytest.approx(1)


def test_a_constant_column_is_left_out_and_said(obs):
    with pytest.warns(DeepMapperWarning, match="'site' has the same value"):
        design = make_design(obs[["age"]].assign(site="x"))
    assert design.names == ("age",)


def test_no_column_makes_an_empty_design(obs):
    design = make_design(obs[[]])
    assert design.values.shape == (60, 0)


def test_infinite_values_and_too_many_categories_are_refused(obs):
    obs.loc[3, "age"] = np.inf
    with pytest.raises(InputError, match="'age' has 1 value"):
        make_design(obs[["age"]])
    with pytest.raises(InputError, match="Does it hold names of samples"):
        make_design(pd.DataFrame({"cell": [f"c{i}" for i in range(60)]}))
