"""The two tests of a gene set."""

import numpy as np
import pytest
from scipy.stats import fisher_exact, mannwhitneyu, rankdata

from deepmapper.enrichment.correlation import LEAST, mean_correlation, residuals_of
from deepmapper.enrichment.set_tests import list_test, rank_test


def test_a_list_is_tested_by_fisher():
    result = list_test(6, 20, 50, 1000)
    assert result.p == pytest.approx(fisher_exact([[6, 14], [44, 936]], alternative="greater").pvalue)
    assert result.expected == 1.0
    assert result.odds_ratio == pytest.approx(6.5 * 936.5 / (14.5 * 44.5))
    assert list_test(0, 20, 50, 1000).p == 1.0
    assert np.isfinite(list_test(20, 20, 50, 1000).odds_ratio)


def test_without_correlation_it_is_the_usual_rank_sum():
    rng = np.random.default_rng(0)
    scores = rng.standard_normal(200) + 0.6 * (np.arange(200) < 15)
    ranks = rankdata(scores)[:15]
    usual = {"method": "asymptotic", "use_continuity": True}
    expected = mannwhitneyu(scores[:15], scores[15:], alternative="greater", **usual).pvalue
    assert rank_test(ranks, 200, 0.0, np.inf, False).p == pytest.approx(expected)
    both = mannwhitneyu(scores[:15], scores[15:], **usual).pvalue
    assert rank_test(ranks, 200, 0.0, np.inf, True).p == pytest.approx(both)
    assert rank_test(201 - ranks, 200, 0.0, np.inf, True).z < 0


def test_correlated_genes_and_few_samples_make_it_less_sure():
    ranks = np.arange(180.0, 200.0)
    p = [
        rank_test(ranks, 200, r, n_free, True).p for r, n_free in ((0, np.inf), (0.1, np.inf), (0.3, np.inf), (0.3, 4))
    ]
    assert p == sorted(p)
    assert rank_test(ranks[:1], 200, 0.9, np.inf, True).p == rank_test(ranks[:1], 200, 0.0, np.inf, True).p


def test_correlation_is_that_within_classes(study):
    features = study(p=200, per_class=200, correlation=0.3)
    shifted = np.asarray(features.X) + 5.0 * features.y[:, None]
    for X in (np.asarray(features.X), shifted):
        residuals = residuals_of(study_with(features, X), np.arange(200), np.arange(100))
        assert mean_correlation(residuals, range(10), True)[0] == pytest.approx(0.3, abs=0.05)
        assert mean_correlation(residuals, range(10), False)[0] == pytest.approx(0.09, abs=0.03)
        assert mean_correlation(residuals, range(20, 60), True) == (LEAST, 398)


def test_of_groups_the_means_count(study):
    features = study(p=40, per_class=60, groups=np.tile(np.repeat(np.arange(6), 10), 2))
    donor = np.random.default_rng(1).standard_normal((2, 6))  # a shift of every gene of the set, by donor and class
    X = np.asarray(features.X).copy()
    X[:, :10] += donor[features.y, features.groups][:, None]
    residuals = residuals_of(study_with(features, X), np.arange(40), np.arange(40))
    assert residuals.n_free == 10
    assert mean_correlation(residuals, range(10), True)[0] > 0.7


def test_confounders_are_removed_and_genes_average_their_features(study):
    features = study(p=30, per_class=50, correlation=0.8)
    common = np.asarray(features.X)[:, :10].mean(axis=1, keepdims=True).astype(np.float64)
    adjusted = study_with(features, np.asarray(features.X), design=common, design_names=("c",))
    residuals = residuals_of(adjusted, np.arange(30), np.arange(30))
    assert mean_correlation(residuals, range(10), True)[0] == LEAST
    halves = residuals_of(features, np.repeat(np.arange(15), 2), np.arange(5))
    assert halves.values.shape == (100, 5)


def test_too_few_samples_to_estimate(study):
    residuals = residuals_of(study(per_class=1), np.arange(60), np.arange(60))
    assert mean_correlation(residuals, range(10), True) == (LEAST, np.inf)
    constant = study(p=20)
    flat = residuals_of(study_with(constant, np.ones((24, 20))), np.arange(20), np.arange(20))
    assert mean_correlation(flat, range(10), False)[0] == LEAST


@pytest.mark.parametrize("correlation", [0.0, 0.3])
def test_without_any_effect_sets_are_rarely_called(study, correlation):
    """The usual rank sum calls half of the correlated sets."""
    p = {True: [], False: []}
    for seed in range(60):
        features = study(p=300, per_class=10, correlation=correlation, size=30, seed=seed)
        X, y = np.asarray(features.X, dtype=float), features.y
        ranks = rankdata(X[y == 1].mean(0) - X[y == 0].mean(0))[:30]
        residuals = residuals_of(features, np.arange(300), np.arange(30))
        own = mean_correlation(residuals, range(30), True)
        p[True].append(rank_test(ranks, 300, *own, True).p)
        p[False].append(rank_test(ranks, 300, 0.0, np.inf, True).p)
    assert np.mean(np.array(p[True]) <= 0.05) <= 0.1
    if correlation:
        assert np.mean(np.array(p[False]) <= 0.05) >= 0.3


def study_with(features, X, **more):
    from dataclasses import replace

    return replace(features, X=np.asarray(X, dtype=np.float32), **more)
