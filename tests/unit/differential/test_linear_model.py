"""The linear model with moderated t statistics."""

import numpy as np
import pytest
from scipy import stats

from deepmapper.differential.contrasts import plain_design
from deepmapper.differential.linear_model import fit_values, prior_of_variances

Y = np.repeat([0, 1], 3)
DESIGN = plain_design("condition", Y, ("a", "b"))


def test_null_p_values_are_uniform():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6, 4000)) * np.sqrt(stats.invgamma.rvs(3, scale=2, size=4000, random_state=0))
    (result,), _ = fit_values(values, DESIGN)
    assert stats.kstest(result["p"], "uniform").pvalue > 0.01


def test_moderation_finds_more_at_three_against_three():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(6, 2000))
    values[3:, :100] += 3
    (result,), _ = fit_values(values, DESIGN)
    plain = stats.ttest_ind(values[3:], values[:3])
    found = (result["q"] <= 0.1).to_numpy()
    assert found[:100].mean() > (stats.false_discovery_control(plain.pvalue) <= 0.1)[:100].mean() + 0.2
    assert found[100:].sum() <= 0.2 * found.sum()
    assert result["log2_fold_change"][:100].mean() == pytest.approx(3, abs=0.3)


def test_the_prior_of_known_variances_is_found():
    variances = stats.f.rvs(4, 10, size=50_000, random_state=2) * 0.3  # scaled F: prior of 10 degrees, variance 0.3
    df, variance = prior_of_variances(variances, 4)
    assert df == pytest.approx(10, rel=0.1)
    assert variance == pytest.approx(0.3, rel=0.05)


def test_equal_variances_have_an_infinite_prior():
    df, variance = prior_of_variances(np.full(100, 0.5), 4)
    assert np.isinf(df)
    assert variance > 0


def test_constant_features_and_too_many_coefficients_are_said():
    values = np.random.default_rng(3).normal(size=(6, 10))
    values[:, 4] = 1
    (result,), note = fit_values(values, DESIGN)
    assert np.isnan(result["p"][4])
    assert note == "not tested: 1 that do not vary"
    saturated = plain_design("condition", np.array([0, 1]), ("a", "b"))
    (nothing,), note = fit_values(values[:2], saturated)
    assert nothing["p"].isna().all()
    assert "leave nothing to estimate the variance from" in note
