"""Residuals of a class and their permutations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepmapper.chords.contrasts import centred_labels, permuted_residuals
from deepmapper.chords.screen import screen_pairs
from deepmapper.chords.types import ScreenOptions

QUICK = ScreenOptions(permutations=19)


@given(st.integers(0, 500))
@settings(max_examples=20)
def test_null_draws_keep_every_stratum(seed):
    rng = np.random.default_rng(seed)
    strata = np.unique(rng.integers(0, 5, 50), return_inverse=True)[1]
    residual, weight = centred_labels(rng.random(50) < 0.4, strata)
    draws = permuted_residuals(residual, strata, 3, rng)
    np.testing.assert_array_equal(draws[0], residual)
    for code in np.unique(strata):
        inside = strata == code
        assert residual[inside].sum() == pytest.approx(0, abs=1e-5)
        for draw in draws:
            np.testing.assert_array_equal(np.sort(draw[inside]), np.sort(residual[inside]))
        if inside.sum() > 1:
            assert weight[inside].sum() == pytest.approx(
                (residual[inside] ** 2).sum() * inside.sum() / (inside.sum() - 1), rel=1e-4, abs=1e-6
            )


def test_labels_are_exchanged_within_batches_and_whole_donors():
    rng = np.random.default_rng(0)
    batch = np.repeat([0, 1, 2, 3], 50)
    X = rng.normal(size=(200, 12)).astype(np.float32)
    X[batch < 2, :6] *= np.sign(X[batch < 2, [6]])[:, None]  # products that differ between batches, not labels
    y = (rng.random(200) < np.where(batch < 2, 0.85, 0.15)).astype(np.int64)
    within = screen_pairs(X, y, QUICK, groups=batch)
    contrast = within.contrasts[0]
    for code in np.unique(batch[contrast.rows]):
        inside = batch[contrast.rows] == code
        np.testing.assert_allclose(contrast.residuals[:, inside].sum(1), 0, atol=1e-4)
    nested = np.repeat(np.arange(20), 10)
    donors = screen_pairs(X, nested % 2, QUICK, groups=nested).contrasts[0]
    first = np.abs(donors.residuals[0])
    np.testing.assert_array_equal(np.abs(donors.residuals), np.tile(first, (20, 1)))
    signs = np.sign(donors.residuals * donors.residuals[0])
    for code in np.unique(nested):
        assert (np.ptp(signs[:, nested[donors.rows] == code], axis=1) == 0).all()
