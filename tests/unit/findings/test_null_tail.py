"""The fitted tail of a null distribution: p-values beyond its largest value, and none that are too small."""

import numpy as np
import pytest

from deepmapper.findings.null_tail import MAX_EXTRAPOLATION, MIN_NULL, fit_tail, tail_p


def null_of(draw, n=8000, seed=0):
    return np.sort(draw(np.random.default_rng(seed), n))


def test_p_values_count_the_value_itself_and_ties_without_a_tail():
    null = np.array([0.0, 1.0, 2.0, 3.0])
    np.testing.assert_allclose(tail_p(np.array([0.5, 2.0, 3.5]), null, None), [0.8, 0.6, 0.2])
    np.testing.assert_allclose(tail_p(np.array([3.5]), null, None, floor=0.3), [0.3])


def test_a_value_far_beyond_all_null_values_has_room():
    null = null_of(lambda rng, n: np.abs(rng.normal(size=n)))
    tail = fit_tail(null)
    p = tail_p(np.array([40.0]), null, tail)
    np.testing.assert_allclose(p, 1 / (1 + len(null)) / MAX_EXTRAPOLATION)
    assert p * 2000 <= 0.01  # the one true feature of 2,000


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, n: np.abs(rng.normal(size=n)),
        lambda rng, n: rng.exponential(size=n),
        lambda rng, n: np.abs(rng.standard_t(4, size=n)),
        lambda rng, n: np.sqrt(rng.chisquare(3, size=n) / 3),
    ],
    ids=["normal", "exponential", "t4", "chi"],
)
def test_p_values_of_further_null_values_are_not_too_small(draw):
    small = []
    for seed in range(40):
        rng = np.random.default_rng([seed, 1])
        null = np.sort(draw(rng, 4000))
        small.append((tail_p(draw(rng, 20_000), null, fit_tail(null)) <= 2.5e-5).sum())
    # expected of exact p-values: 20,000 × 2.5e-5 = 0.5 in each of the 40
    assert np.mean(small) <= 0.75


def test_p_never_rises_with_the_value():
    null = null_of(lambda rng, n: np.abs(rng.standard_t(5, size=n)))
    values = np.linspace(0, 30, 3001)
    assert (np.diff(tail_p(values, null, fit_tail(null))) <= 0).all()


@pytest.mark.parametrize(
    "null",
    [
        np.sort(np.random.default_rng(0).normal(size=MIN_NULL - 1)),
        np.zeros(5000),
        np.sort(np.r_[np.random.default_rng(0).random(7500), np.repeat(5.0, 500)]),
    ],
    ids=["few", "constant", "ties"],
)
def test_no_tail_is_fitted_where_none_can_be(null):
    tail = fit_tail(null)
    assert tail is None
    assert tail_p(np.array([99.0]), null, tail)[0] == 1 / (1 + len(null))
