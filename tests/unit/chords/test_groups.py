"""From significant products to chords: sides and members."""

import numpy as np

from deepmapper.chords.groups import group_chords
from deepmapper.chords.screen import screen_pairs
from deepmapper.chords.types import ScreenOptions

QUICK = ScreenOptions(permutations=19)


def test_the_planted_programs_make_one_chord_of_two_sides(small, screen_label):
    planted, X = small
    screen = screen_label("programs", permutations=39)
    truth = set(planted.genes("program_1", "program_2"))
    assert all(set(pair.positions) <= truth for pair in screen.found)
    (chord,) = group_chords(X, screen)
    assert {frozenset(side) for side in chord.sides} == {
        frozenset(planted.genes("program_1").tolist()),
        frozenset(planted.genes("program_2").tolist()),
    }
    assert chord.order == 2 and chord.n_products == len(screen.found)
    assert all(np.sign(side[0]) == np.sign(w) for side in chord.weights for w in side)


def test_a_hub_and_a_large_graph_are_divided_into_sides():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 30)).astype(np.float32)
    hub = np.sign(X[:, 0] * X[:, 1:4].sum(1))
    screen = screen_pairs(X, (hub > 0).astype(np.int64), QUICK)
    assert {frozenset(pair.positions) for pair in screen.found} == {frozenset((0, k)) for k in (1, 2, 3)}
    (chord,) = group_chords(X, screen)
    assert sorted(map(set, chord.sides), key=len) == [{0}, {1, 2, 3}]
    divided = group_chords(X, screen, max_members=2)
    assert 1 <= len(divided) <= 3 and all(len(one.sides) == 2 for one in divided)
