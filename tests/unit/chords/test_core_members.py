"""The members of a chord that are read first."""

import numpy as np
import pandas as pd

from deepmapper.chords.contrasts import make_contrasts
from deepmapper.chords.core_members import find_core
from deepmapper.chords.groups import group_chords
from deepmapper.chords.tables import chord_table


def parity(n=600, seed=0):
    """Two hidden states, whose parity is the class, and its contrast."""
    states = np.random.default_rng(seed).choice([-1.0, 1.0], (n, 2))
    y = (states.prod(1) > 0).astype(np.int64)
    return states, make_contrasts(y, np.full((n, 2), 0.5), permutations=0)[0]


def test_members_that_add_nothing_are_left_out_of_the_core():
    states, contrast = parity()
    rng = np.random.default_rng(1)
    first = np.column_stack([states[:, 0] + rng.normal(0, 0.1, 600), rng.normal(size=(600, 100))]).astype(np.float32)
    second = (states[:, [1]] + rng.normal(0, 0.1, (600, 3))).astype(np.float32)
    core, share = find_core([first, second], [np.r_[1.0, np.full(100, 0.02)], np.ones(3)], contrast)
    assert core == [[0], [0]] and share >= 0.9


def test_a_weak_programme_has_a_core_of_at_most_ten_a_side():
    states, contrast = parity()
    sides = [
        (0.15 * states[:, [k]] + np.random.default_rng(k).normal(size=(600, 113))).astype(np.float32) for k in (0, 1)
    ]
    core, share = find_core(sides, [np.ones(113)] * 2, contrast)
    assert max(map(len, core)) == 10 and share > 0.2
    assert all(len(set(side)) == len(side) for side in core)


def test_three_sides_have_a_core_each():
    rng = np.random.default_rng(0)
    states = rng.choice([-1.0, 1.0], (600, 3))
    contrast = make_contrasts((states.prod(1) > 0).astype(np.int64), np.full((600, 2), 0.5), permutations=0)[0]
    sides = [(states[:, [k]] + rng.normal(0, 0.2, (600, 4))).astype(np.float32) for k in range(3)]
    core, share = find_core(sides, [np.ones(4)] * 3, contrast)
    assert [len(side) for side in core] == [1, 1, 1] and share >= 0.9


def test_the_table_names_the_core_and_the_whole_list(small, screen_label):
    planted, X = small
    (chord,) = group_chords(X, screen_label("programs", permutations=39))
    row = chord_table([chord]).iloc[0]
    assert chord.core_share >= 0.9 and row["core_share"] == chord.core_share
    for k in (1, 2):
        assert 1 <= len(row[f"core_{k}"].split(",")) <= 5
        assert set(row[f"core_{k}"].split(",")) <= set(row[f"side_{k}"].split(","))
    assert row["core_3"] == "" and isinstance(row, pd.Series)
