"""Stability selection: halves, what is counted, and bounds that hold."""

import numpy as np
import pytest

from deepmapper.errors import InputError
from deepmapper.features.samples import Samples
from deepmapper.findings import selection_bounds
from deepmapper.findings.stability import select, stability_table
from deepmapper.passes.halves import draw_half, train_half_pass
from deepmapper.passes.result import HalfPass


def halves(importances):
    return [HalfPass(seed, "", 50, 0.8, np.asarray(row, dtype=np.float32)) for seed, row in enumerate(importances)]


def test_seeds_of_a_pair_read_complementary_halves_with_every_class_and_whole_groups():
    y, groups = np.arange(90) % 3, np.arange(90) // 3
    for by in (None, groups):
        first, second = draw_half(y, by, 6), draw_half(y, by, 7)
        assert sorted([*first, *second]) == list(range(90))
        assert abs(len(first) - len(second)) <= 3
        assert set(y[first]) == set(y[second]) == {0, 1, 2}
    assert not set(groups[first]) & set(groups[second])
    assert set(draw_half(y, None, 8)) != set(draw_half(y, None, 6))


def test_a_pass_reads_its_half_alone_and_comes_back_from_its_file(planted, quick, tmp_path):
    rows = np.arange(20, 120)
    half = rows[draw_half(planted.y[rows], None, 5)]
    elsewhere = planted.X.copy()
    elsewhere[np.setdiff1d(np.arange(120), half)] = 99
    made, again = (
        train_half_pass(Samples(X, planted.y, planted.classes, rows=rows), quick(), 5) for X in (planted.X, elsewhere)
    )
    np.testing.assert_array_equal(made.importance, again.importance)
    assert (made.n_samples, made.refused, made.seed) == (len(half), "", 5)
    made.save(tmp_path / "5.npz")
    np.testing.assert_array_equal(HalfPass.load(tmp_path / "5.npz").importance, made.importance)
    (tmp_path / "5.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match="not a complete pass"):
        HalfPass.load(tmp_path / "5.npz")


def test_few_samples_are_not_halved_and_it_is_said(planted, quick):
    rows = np.arange(12)
    made = [train_half_pass(Samples(planted.X, planted.y, planted.classes, rows=rows), quick(), s) for s in (0, 1)]
    assert made[0].refused == "12 samples are too few to halve"
    about, probability = select(made, 5, 0.75, planted.names)
    assert about["statement"] == "No stability selection: 12 samples are too few to halve."
    assert np.isnan(probability).all()


def test_groups_that_cannot_be_halved_are_told_apart_from_faults(planted, quick):
    groups = np.where(planted.y == 0, 0, 1 + np.arange(120) % 7)
    made = train_half_pass(Samples(planted.X, planted.y, planted.classes, groups=groups), quick(), 0)
    assert "cannot be halved" in made.refused


def test_probabilities_and_simultaneous_selection_by_hand():
    made = halves([[9, 8, 1, 0], [9, 1, 8, 0], [9, 8, 1, 0], [9, 8, 0, 1]])
    about, probability = select(made, 2, 0.75, ["a", "b", "c", "d"])
    np.testing.assert_allclose(probability, [1, 0.75, 0.25, 0])
    assert about["selected"] == [
        {"feature": "a", "selection_probability": 1.0, "simultaneous_selection": 1.0},
        {"feature": "b", "selection_probability": 0.75, "simultaneous_selection": 0.5},
    ]
    assert about["n_pairs"] == 2
    with pytest.raises(InputError, match="lacks its counterpart"):
        select(made[:3], 2, 0.75, ["a", "b", "c", "d"])


def test_no_passes_no_selection():
    about, probability = select([], 5, 0.75, ["a"])
    assert "n_pairs" in about["statement"]
    assert np.isnan(probability).all()


@pytest.mark.parametrize("threshold", [0.55, 0.6, 0.75, 0.9, 1.0])
@pytest.mark.parametrize("n_pairs", [5, 10, 50])
def test_bounds_are_ordered_and_fall_with_the_threshold(threshold, n_pairs):
    worst = selection_bounds.worst_case_bound(threshold, 20, 1000)
    unimodal = selection_bounds.unimodal_bound(threshold, 20, 1000, n_pairs)
    concave = selection_bounds.r_concave_bound(threshold, 20, 1000, n_pairs)
    assert worst == pytest.approx(0.4 / (2 * threshold - 1))
    assert 0 <= concave <= unimodal + 1e-9 <= worst + 2e-9
    assert selection_bounds.r_concave_bound(min(1.0, threshold + 0.05), 20, 1000, n_pairs) <= concave + 1e-9


def test_the_largest_tail_is_reached_by_no_r_concave_distribution_but_nearly_by_some():
    rng, n, mean, least, r = np.random.default_rng(0), 8, 0.12, 5, -0.5
    bound = selection_bounds.largest_tail(mean, least, n, r)
    best = 0.0
    places = np.arange(n + 1)
    for _ in range(5000):
        # f ** r convex: slopes that rise; mass up to some place, nothing behind it
        end = rng.integers(least, n + 1)
        slopes = np.sort(rng.exponential(size=end) * rng.choice([0.1, 1, 10]) * rng.choice([-1, 1], size=end))
        power = 0.01 + rng.exponential() + np.concatenate([[0], np.cumsum(slopes)])
        if power.min() <= 0:
            continue
        f = np.zeros(n + 1)
        f[: end + 1] = power ** (1 / r)
        f /= f.sum()
        if (places * f).sum() <= mean * n:
            best = max(best, f[least:].sum())
    assert 0.1 * bound < best <= bound + 1e-9
    assert bound < mean * n / least  # Markov


def test_noise_selects_no_more_than_the_bounds_expect():
    rng = np.random.default_rng(0)
    found = [
        len(select(halves(rng.random((20, 200))), 10, 0.6, list(map(str, range(200))))[0]["selected"])
        for _ in range(30)
    ]
    assert np.mean(found) <= selection_bounds.r_concave_bound(0.6, 10, 200, 10)


def test_every_feature_has_a_row_with_its_selection_probability():
    table = stability_table(np.array([0.5, np.nan]), ("a", "b"))
    assert table["feature"].tolist() == ["a", "b"]
    np.testing.assert_array_equal(table["stability"], [0.5, np.nan])
