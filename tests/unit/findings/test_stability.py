"""Stability selection: halves, what is counted, and bounds that hold."""

import numpy as np
import pytest

from deepmapper.errors import InputError
from deepmapper.features.samples import Samples
from deepmapper.findings import selection_bounds
from deepmapper.findings.stability import select_stable
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
    selection = select_stable(made, 5, 0.75, planted.names)
    assert selection.summary["statement"] == "No stability selection: 12 samples are too few to halve."
    assert selection.table["stability"].isna().all()


def test_groups_that_cannot_be_halved_are_told_apart_from_faults(planted, quick):
    groups = np.where(planted.y == 0, 0, 1 + np.arange(120) % 7)
    made = train_half_pass(Samples(planted.X, planted.y, planted.classes, groups=groups), quick(), 0)
    assert "cannot be halved" in made.refused


def test_probabilities_and_simultaneous_selection_by_hand():
    made = halves([[9, 8, 1, 0], [9, 1, 8, 0], [9, 8, 1, 0], [9, 8, 0, 1]])
    selection = select_stable(made, 2, 0.75, ["a", "b", "c", "d"])
    assert selection.table["feature"].tolist() == ["a", "b", "c", "d"]
    np.testing.assert_allclose(selection.table["stability"], [1, 0.75, 0.25, 0])
    assert selection.summary["selected"] == [
        {"feature": "a", "selection_probability": 1.0, "simultaneous_selection": 1.0},
        {"feature": "b", "selection_probability": 0.75, "simultaneous_selection": 0.5},
    ]
    assert selection.summary["n_pairs"] == 2
    with pytest.raises(InputError, match="seed 2 .* no counterpart: .* seed 3"):
        select_stable(made[:3], 2, 0.75, ["a", "b", "c", "d"])


def test_no_passes_no_selection():
    selection = select_stable([], 5, 0.75, ["a"])
    assert "n_pairs" in selection.summary["statement"]
    assert selection.table["stability"].isna().all()


def test_noise_selects_no_more_than_the_bounds_expect():
    rng = np.random.default_rng(0)
    found = [
        len(select_stable(halves(rng.random((20, 200))), 10, 0.6, list(map(str, range(200)))).summary["selected"])
        for _ in range(30)
    ]
    assert np.mean(found) <= selection_bounds.r_concave_bound(0.6, 10, 200, 10)
