"""The negative binomial model finds what was planted, and says what it did not test."""

import numpy as np
import pytest

from deepmapper.differential.contrasts import plain_design
from deepmapper.differential.count_model import fit_counts

Y = np.repeat([0, 1], 4)


def counts(rng, n_true=10, p=100, fold=6.0, dispersion=0.05):
    mean = np.tile(rng.uniform(50, 400, p), (len(Y), 1))
    mean[Y == 1, :n_true] *= fold
    return rng.negative_binomial(1 / dispersion, 1 / (1 + dispersion * mean)).astype(float)


def test_planted_genes_are_found_with_their_fold_change_and_few_others():
    values = counts(np.random.default_rng(0))
    (result,), note = fit_counts(values, plain_design("condition", Y, ("a", "b")), level=0.1)
    found = np.flatnonzero(result["q"] <= 0.1)
    assert set(range(10)) <= set(found)
    assert len(found) <= 14
    assert result["log2_fold_change"][:10].mean() == pytest.approx(np.log2(6), abs=0.5)
    assert (result["log2_fold_change_shrunken"].abs() <= result["log2_fold_change"].abs() + 1e-3)[:10].all()
    assert note == ""


def test_shuffled_labels_give_next_to_nothing():
    rng = np.random.default_rng(1)
    design = plain_design("condition", Y, ("a", "b"))
    n = [int((fit_counts(counts(rng, 0), design, level=0.1, shrink=False)[0][0]["q"] <= 0.1).sum()) for _ in range(5)]
    assert sum(count > 0 for count in n) <= 2
    assert sum(n) <= 5


def test_expected_counts_are_rounded_and_rare_features_not_tested():
    values = counts(np.random.default_rng(2), p=30) + 0.4
    values[:, 29] = 1
    (result,), note = fit_counts(values, plain_design("condition", Y, ("a", "b")), level=0.1, shrink=False)
    assert note == "not tested: 1 with fewer than 10 counts"
    assert np.isnan(result["p"][29])
    assert result["p"][:10].notna().all()


def test_nothing_with_counts_is_said():
    results, note = fit_counts(np.zeros((8, 3)), plain_design("condition", Y, ("a", "b")), level=0.1)
    assert results[0]["p"].isna().all()
    assert "no feature has 10 counts" in note


def test_two_samples_a_class_are_enough():
    y = np.repeat([0, 1], 2)
    values = counts(np.random.default_rng(3))[[0, 1, 4, 5]]
    (result,), _ = fit_counts(values, plain_design("condition", y, ("a", "b")), level=0.1, shrink=False)
    assert (result["q"][:10] <= 0.1).sum() >= 8


def test_counts_of_cells_without_a_gene_that_all_have_are_scaled_by_positive_counts():
    rng = np.random.default_rng(4)
    y = np.repeat([0, 1], 30)
    mean = np.full((60, 40), 2.0)
    mean[y == 1, :2] *= 5
    mean[y == 0, 2:4] *= 5
    values = rng.negative_binomial(3, 3 / (3 + mean)).astype(float)
    for gene in range(40):
        values[gene, gene] = 0
    said = []
    (result,), _ = fit_counts(
        values, plain_design("state", y, ("a", "b")), level=0.1, shrink=False, progress=said.append
    )
    assert (result["q"][:4] <= 0.1).all()
    assert (result["q"][4:] <= 0.1).sum() <= 2
    assert not [line for line in said if "iterative" in line.lower()]


def test_of_sums_by_donor_q_holds_where_donors_differ_by_more_than_counting():
    """Effects of donors are log-normal, which the normal approximation takes for true effects too often."""
    y, n_true, p = np.repeat([0, 1], 6), 30, 500
    listed = {True: [], False: []}
    for seed in range(5):
        rng = np.random.default_rng(seed)
        mean = rng.uniform(20, 400, p) * np.exp(rng.normal(0, 0.35, (len(y), p)))
        mean[y == 1, :n_true] *= 3
        values = rng.negative_binomial(80, 80 / (80 + mean)).astype(float)
        design = plain_design("condition", y, ("a", "b"))
        for of_sums, lists in listed.items():
            (result,), _ = fit_counts(values, design, level=0.1, shrink=False, of_sums=of_sums)
            lists.append((result["q"] <= 0.1).to_numpy())
    false = {of_sums: np.mean([one[n_true:].sum() / one.sum() for one in lists]) for of_sums, lists in listed.items()}
    assert false[True] <= 0.12 and false[False] >= 0.15
    assert np.mean([one[:n_true].mean() for one in listed[True]]) >= 0.9


def test_sums_with_an_outlier_count_are_not_tested_there():
    values = counts(np.random.default_rng(5), p=60)
    values[0, 40] *= 400
    design = plain_design("condition", Y, ("a", "b"))
    (result,), note = fit_counts(values, design, level=0.1, shrink=False, of_sums=True)
    (normal,), _ = fit_counts(values, design, level=0.1, shrink=False)
    assert "outlier count" in note
    assert result["p"].isna().equals(normal["p"].isna()) and result["q"].isna().equals(normal["p"].isna())
    tested = result["p"].notna()
    assert (result["p"][tested] >= normal["p"][tested]).all()
