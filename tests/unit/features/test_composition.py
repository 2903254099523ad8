"""Composition of the samples: shares and signatures as confounders, and what they explain."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from deepmapper.errors import InputError
from deepmapper.features.composition import composition_columns, explained_by_composition, log_ratios
from deepmapper.features.design import make_design


def table(**columns):
    return pd.DataFrame(columns, index=[f"s{i}" for i in range(len(next(iter(columns.values()))))])


def test_log_ratios_do_not_depend_on_units_and_leave_the_last_part_out():
    shares = table(T=[0.5, 0.2, 0.3], B=[0.3, 0.3, 0.3], mono=[0.2, 0.5, 0.4])
    found = log_ratios(shares)
    assert list(found) == ["T", "B"]
    np.testing.assert_allclose(log_ratios(100 * shares), found)
    logs = np.log(shares.to_numpy())
    np.testing.assert_allclose(found, (logs - logs.mean(1, keepdims=True))[:, :2])


def test_a_share_of_zero_is_half_of_the_smallest():
    zero = log_ratios(table(T=[0.0, 0.2, 0.5], B=[1.0, 0.8, 0.5]))
    half = log_ratios(table(T=[0.1, 0.2, 0.5], B=[1.0, 0.8, 0.5]).div([1.0, 1.0, 1.0], axis=0))
    assert np.isfinite(zero.to_numpy()).all()
    np.testing.assert_allclose(zero["T"].iloc[0], half["T"].iloc[0])


def test_a_single_share_is_set_against_the_rest():
    found = log_ratios(table(purity=[0.9, 0.5]))
    assert list(found) == ["purity"]
    np.testing.assert_allclose(found["purity"], [np.log(9) / 2, 0], atol=1e-12)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"T": [0.5, -0.1], "B": [0.5, 1.1]}, "sample 's1', column 'T': found -0.1, expected 0 or more"),
        ({"T": [0.5, np.nan], "B": [0.5, 1.0]}, "sample 's1', column 'T': found nothing"),
        ({"purity": [40.0, 60.0]}, "found 40, expected a share between 0 and 1"),
        ({"T": [0.0, 0.0], "B": [1.0, 1.0]}, "column 'T' is 0 in every sample"),
        ({"T": [0.0, 0.5], "B": [0.0, 0.5]}, "every share of sample 's0' is 0"),
    ],
)
def test_what_are_no_shares_is_refused(columns, message):
    with pytest.raises(InputError, match=message):
        log_ratios(table(**columns))


def test_columns_are_named_by_their_cell_type():
    found = composition_columns(table(T=[0.5, 0.2], B=["30%", "x"], C=[0.2, 0.5]), ["T", "C"])
    assert list(found) == ["composition[T]"]
    with pytest.raises(InputError, match="composition.shares: there is no column 'mono'"):
        composition_columns(table(T=[0.5, 0.2]), ["T", "mono"])


def test_scores_of_signatures_follow_the_share_of_their_type():
    rng = np.random.default_rng(0)
    share = rng.uniform(0.1, 0.9, 60)
    X = rng.normal(1, 0.1, (60, 120))
    X[:, :10] += share[:, None]
    names = [f"g{i}" for i in range(120)]
    obs = pd.DataFrame(index=[f"s{i}" for i in range(60)])
    found = composition_columns(obs, signatures={"T": names[:10]}, X=X, names=names)
    assert np.corrcoef(found["composition[T]"], share)[0, 1] > 0.95
    with pytest.raises(InputError, match="composition.signatures, set 'B': 0 of 2 genes"):
        composition_columns(obs, signatures={"B": ["CD19", "MS4A1"]}, X=X, names=names)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix])
def test_the_explained_share_is_that_of_a_regression(kind):
    rng = np.random.default_rng(0)
    shares = table(T=rng.uniform(0.1, 0.9, 80), age=rng.normal(size=80))
    columns = pd.DataFrame({"composition[T]": log_ratios(shares[["T"]])["T"], "age": shares["age"]})
    design = make_design(columns)
    ratio = columns["composition[T]"].to_numpy()
    X = np.column_stack(
        [ratio, ratio + rng.normal(0, ratio.std(), 80), rng.normal(size=80), np.ones(80), shares["age"]]
    )
    found = explained_by_composition(kind(X), design.values, design.names)
    assert found[0] == pytest.approx(1) and found[1] == pytest.approx(0.5, abs=0.15)
    assert found[2] < 0.05 and np.isnan(found[3]) and found[4] < 0.1
    r = np.corrcoef(ratio, X[:, 1])[0, 1]
    assert found[1] == pytest.approx(1 - (1 - r**2) * 79 / 78)
    assert explained_by_composition(kind(X), design.values[:, 1:], design.names[1:]) is None
    assert explained_by_composition(kind(X), None, ()) is None
