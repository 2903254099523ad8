"""The rank-sum test between cells agrees with scipy's."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy import stats

from deepmapper.differential.contrasts import REST
from deepmapper.differential.rank_sum import rank_sum_tests


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    counts = rng.poisson(1.0, (300, 8)).astype(np.float32)
    counts[:, 0] += (y == 1) * rng.poisson(2.0, 300)
    counts[:, 7] = 0
    return np.log1p(counts).astype(np.float32), y


@pytest.mark.parametrize("make", [np.asarray, sp.csr_matrix])
@pytest.mark.parametrize("versus", [REST, "a"])
def test_p_is_scipys_and_a_constant_feature_is_not_tested(cells, make, versus):
    X, y = cells
    results = rank_sum_tests(make(X), y, ("a", "b", "c"), [("b", versus), ("c", versus)])
    for code, result in zip((1, 2), results, strict=True):
        others = X[y == 0] if versus == "a" else X[y != code]
        expected = stats.mannwhitneyu(X[y == code], others, method="asymptotic", use_continuity=False).pvalue
        assert result["p"][:7].to_numpy() == pytest.approx(expected[:7], rel=1e-3)
        assert np.isnan(result["p"][7])
    assert results[0]["log2_fold_change"][0] > 1
    assert results[0]["statistic"][0] == max(results[0]["statistic"][:7])
