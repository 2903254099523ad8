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


def test_of_a_small_class_rare_features_give_no_list_by_chance_and_their_markers_are_found():
    """The normal approximation lists rare features in most of such studies."""
    y = np.zeros(2000, dtype=np.int64)
    y[:20] = 1
    n_null_lists, found = 0, []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X = rng.poisson(rng.lognormal(-3, 1, 400), (2000, 400)).astype(np.float32)
        n_null_lists += bool((rank_sum_tests(sp.csr_matrix(X), y, ("a", "b"), [("b", REST)])[0]["q"] <= 0.1).any())
        X[:20, :10] += rng.poisson(1.0, (20, 10))
        found.append((rank_sum_tests(X, y, ("a", "b"), [("b", "a")])[0]["q"][:10] <= 0.1).mean())
    assert n_null_lists <= 1
    assert np.mean(found) > 0.9


def test_exact_p_is_fishers_and_only_of_rare_features():
    y = np.repeat([0, 1], (300, 12))
    X = np.zeros((312, 3), dtype=np.float32)
    X[[0, 1, 301, 302, 303, 304], 0] = 1
    X[:, 1] = np.random.default_rng(0).normal(size=312)  # all cells have it: no zeros, hardly any ties
    X[:130, 2] = X[300:308, 2] = 1
    (result,) = rank_sum_tests(X, y, ("a", "b"), [("b", "a")])
    tail = stats.fisher_exact([[4, 8], [2, 298]], alternative="greater").pvalue
    assert result["p"][0] == pytest.approx(2 * tail)
    for column in (1, 2):
        usual = stats.mannwhitneyu(X[y == 1, column], X[y == 0, column], method="asymptotic", use_continuity=False)
        assert result["p"][column] == pytest.approx(usual.pvalue, rel=1e-3)
