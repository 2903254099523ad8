"""Passes on complementary halves of the samples."""

import numpy as np
import pytest

from deepmapper.errors import InputError
from deepmapper.features.samples import Samples
from deepmapper.passes.halves import draw_half, train_half_pass
from deepmapper.passes.result import HalfPass


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


def test_groups_that_cannot_be_halved_are_refused_with_a_reason(planted, quick):
    groups = np.where(planted.y == 0, 0, 1 + np.arange(120) % 7)
    made = train_half_pass(Samples(planted.X, planted.y, planted.classes, groups=groups), quick(), 0)
    assert "cannot be halved" in made.refused
