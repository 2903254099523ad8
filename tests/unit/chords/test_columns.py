"""Standardised columns, free of strata and confounders."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from deepmapper.chords.columns import make_columns


@given(st.integers(0, 500))
@settings(max_examples=20)
def test_columns_are_free_of_strata_and_confounders_and_clipped(seed):
    rng = np.random.default_rng(seed)
    strata, design = rng.integers(0, 4, 80), rng.normal(size=(80, 2))
    X = sp.random(80, 6, 0.4, format="csr", dtype=np.float32, random_state=seed)
    free = make_columns(X, np.arange(80), strata, design, np.inf).block(0, 6)
    for code in np.unique(strata):
        np.testing.assert_allclose(free[strata == code].mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(design.T @ free, 0, atol=1e-3)
    clipped = make_columns(X, np.arange(80), strata, design, 1.5)
    assert np.abs(clipped.block(0, 6)).max() <= 1.5
    np.testing.assert_allclose(clipped.cache(2, 10).block(1, 5), clipped.block(1, 5), atol=1e-5)
    assert clipped.cache(2, 0.0).cached is None
