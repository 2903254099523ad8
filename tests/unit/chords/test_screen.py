"""The screen of pairs and triplets: planted products are found, and nothing else."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from deepmapper.chords.groups import group_chords
from deepmapper.chords.screen import screen_pairs, screen_triplets
from deepmapper.chords.tables import pair_table
from deepmapper.chords.types import ScreenOptions, Triplet
from deepmapper.errors import CannotScreen, DeepMapperWarning, InputError

QUICK = ScreenOptions(permutations=19)


def same(a, b, tolerance=2e-3):
    assert [pair.features for pair in a.found] == [pair.features for pair in b.found]
    np.testing.assert_allclose([p.z for p in a.found], [p.z for p in b.found], rtol=tolerance)
    np.testing.assert_allclose(a.best, b.best, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(a.null_largest, b.null_largest, rtol=tolerance)


def test_sparse_dense_and_block_size_give_the_same(small, screen_label):
    _, X = small
    first = screen_label("programs")
    assert first.found
    same(first, screen_label("programs", X=X.toarray()))
    same(first, screen_label("programs", block=37))
    same(first, screen_label("programs", block=64, memory_mb=0))


def test_rows_in_another_order_are_the_same_rows(small):
    planted, X = small
    y, _ = planted.codes("pair")
    backwards = np.arange(len(y))[::-1]
    found, again = (
        screen_pairs(X[rows], y[rows], QUICK, rows=order)
        for rows, order in ((backwards, None), (np.arange(len(y)), backwards))
    )
    assert found.found == again.found and found.found


def test_the_number_of_threads_changes_nothing(small, screen_label):
    _, X = small
    first, again = (screen_label("programs", block=64, threads=threads) for threads in (1, 3))
    assert first.found == again.found and first.candidates == again.candidates and first.tests == again.tests
    np.testing.assert_array_equal(first.best, again.best)
    np.testing.assert_array_equal(first.null_largest, again.null_largest)
    first, again = (screen_triplets(X, screen, max_triplet_features=20) for screen in (first, again))
    assert first.candidates == again.candidates


def test_torch_multiplies_as_numpy_does(small):
    planted, X = small
    few = np.r_[planted.genes("program_1", "program_2"), 0:50]
    X, names = X[:, few], [planted.names[i] for i in few]
    y, classes = planted.codes("programs")
    first, again = (
        screen_pairs(X, y, replace(QUICK, block=32, device=device), names=names, classes=classes)
        for device in ("numpy", "cpu")
    )
    assert first.found and first.tests == again.tests
    same(first, again)
    again = replace(first, options=again.options)
    first, again = (screen_triplets(X, screen, max_triplet_features=20) for screen in (first, again))
    same(first, again)


def test_the_same_seed_gives_the_same_bytes_and_another_other_draws(screen_label):
    first, again = screen_label("pair"), screen_label("pair")
    assert first.found == again.found and first.candidates == again.candidates
    np.testing.assert_array_equal(first.best, again.best)
    np.testing.assert_array_equal(first.null_largest, again.null_largest)
    assert not np.array_equal(first.null_largest, screen_label("pair", seed=1).null_largest)


def test_the_order_of_features_only_orders_the_result(small, screen_label):
    planted, X = small
    order = np.random.default_rng(0).permutation(X.shape[1])
    y, classes = planted.codes("programs")
    first = screen_label("programs")
    names = [planted.names[i] for i in order]
    moved = screen_pairs(X[:, order], y, QUICK, names=names, classes=classes)
    assert {frozenset(pair.features) for pair in first.found} == {frozenset(pair.features) for pair in moved.found}
    # the inflation of z is measured on other features
    np.testing.assert_allclose(moved.best, first.best[order], rtol=2e-2, atol=2e-3)
    np.testing.assert_allclose(moved.null_largest, first.null_largest, rtol=2e-2)


def test_rows_that_are_left_out_change_nothing(small, screen_label):
    _, X = small
    rows = np.arange(0, 600, 2)
    first = screen_label("pair", rows=rows)
    other = X.tolil()
    other[1::2] = 9
    assert first.candidates == screen_label("pair", X=other.tocsr(), rows=rows).candidates


def test_the_planted_triplet_comes_first(small, screen_label):
    planted, X = small
    screen = screen_label("triplet")
    triplets = screen_triplets(X, screen, max_triplet_features=60)
    assert not screen.found
    assert set(triplets.candidates[0].positions) == set(planted.genes("triplet"))
    assert isinstance(triplets.found[0], Triplet) and len(triplets.found) == 1
    (chord,) = group_chords(X, screen, triplets)
    assert chord.order == 3 and set(chord.positions) == set(planted.genes("triplet"))


@pytest.mark.parametrize("label", ["module", "main"])
def test_main_effects_alone_make_no_pair(small, label, screen_label):
    _, X = small
    screen = screen_label(label)
    assert screen.main_effects.features and screen.main_effects.log_loss < 0.9 * screen.main_effects.base_log_loss
    assert not screen.found and group_chords(X, screen) == ()
    assert all(0 < share < 0.9 for _, share in screen.left_open)


def test_a_class_that_one_feature_predicts_is_not_screened():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 50)
    X = rng.normal(size=(100, 8)).astype(np.float32)
    X[:, 0] = 5 * y + rng.normal(0, 0.1, 100)
    screen = screen_pairs(X, y, ScreenOptions(permutations=19, seed=1), classes=["a", "b"])
    assert screen.left_open == (("a", 0.0), ("b", 0.0)) and not screen.contrasts
    assert not screen.found and screen.threshold == np.inf and pair_table(screen).empty
    assert screen_triplets(X, screen).candidates == ()
    free = screen_pairs(X[:, 1:], y, QUICK, classes=["a", "b"])
    assert dict(free.left_open)["a"] > 0.9


def few_samples(seed, sizes, n_features=60):
    """Ten features whose mean differs by three standard deviations between the first class and all others."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(sizes)), sizes)
    X = rng.normal(size=(len(y), n_features))
    X[:, :10] += 3 * (y > 0)[:, None] * rng.choice([-1, 1], 10)
    return X.astype(np.float32), y, rng


@pytest.mark.parametrize("sizes", [(16, 32), (8, 20, 20), (60, 140)])
def test_strong_main_effects_of_few_samples_make_no_pair(sizes):
    """Twelve draws at the level 0.05; with strata of 40 samples nearly all of them name pairs."""
    named = [
        bool(screen_pairs(*few_samples(seed, sizes)[:2], ScreenOptions(permutations=19, seed=seed)).found)
        for seed in range(12)
    ]
    assert sum(named) <= 3


def test_a_pair_is_found_among_few_samples_beside_strong_main_effects():
    """Both features high or both low in the second class, one of them high in the third."""
    for seed in range(5):
        X, y, rng = few_samples(seed, (8, 20, 20))
        high = rng.integers(0, 2, len(y))
        other = np.where(y == 0, rng.integers(0, 2, len(y)), high ^ (y == 2))
        X[:, 20], X[:, 21] = (4 * state + rng.normal(0, 0.5, len(y)) for state in (high, other))
        found = screen_pairs(X, y, ScreenOptions(permutations=19, seed=seed)).found
        assert found and set(found[0].positions) == {20, 21}


def test_shuffled_labels_keep_the_family_wise_rate():
    """Twenty draws at level 0.2: more than eight would be found once in a hundred such tests."""
    rng = np.random.default_rng(0)
    X = np.log1p(rng.negative_binomial(1, 0.5, (150, 30))).astype(np.float32)
    found = [
        bool(screen_pairs(X, rng.integers(0, 3, 150), ScreenOptions(permutations=9, level=0.2, seed=seed)).found)
        for seed in range(20)
    ]
    assert np.mean(found) <= 0.4


def test_discovery_rate_names_more_than_the_family_wise_rate(screen_label):
    family = screen_label("programs")
    discovery = screen_label("programs", rate="discovery", level=0.1)
    assert {pair.features for pair in family.found} <= {pair.features for pair in discovery.found}
    sizes, q = [abs(p.z) for p in discovery.candidates], [p.q for p in discovery.candidates]
    assert sizes == sorted(sizes, reverse=True) and all(a <= b + 1e-12 for a, b in itertools.pairwise(q))


def test_a_confounder_that_makes_every_product_differ_is_taken_out():
    rng = np.random.default_rng(0)
    depth = rng.normal(size=400)
    X = (rng.normal(size=(400, 15)) + depth[:, None]).astype(np.float32)
    y = (np.abs(depth) > 0.7).astype(np.int64)
    assert len(screen_pairs(X, y, QUICK).found) > 50
    design = np.column_stack([depth])
    assert not screen_pairs(X, y + 0, QUICK, confounders=design).found


def test_it_warns_if_all_products_that_were_kept_are_significant():
    rng = np.random.default_rng(0)
    state = rng.choice([-1, 1], (300, 2))
    X = (np.repeat(state, 8, axis=1) * 2 + rng.normal(size=(300, 16))).astype(np.float32)
    with pytest.warns(DeepMapperWarning, match="`keep`"):
        screen_pairs(X, (state.prod(1) > 0).astype(np.int64), replace(QUICK, keep=10))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"permutations": 9}, "permutations=9.* at least 19"),
        ({"rate": "any"}, "rate='any'.*family, discovery"),
        ({"level": 1.0}, "level=1.0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        ScreenOptions(**options)


def test_what_cannot_be_screened_is_refused(small):
    planted, X = small
    y, _ = planted.codes("pair")
    with pytest.raises(InputError, match="names has 2 values, expected 300"):
        screen_pairs(X, y, names=["a", "b"])
    with pytest.raises(InputError, match="Lower min_detected"):
        screen_pairs(X, y, ScreenOptions(min_detected=1.1))
    with pytest.raises(InputError, match="class 1: fewer than 2 samples"):
        screen_pairs(X, np.r_[1, np.zeros(599, dtype=np.int64)])
    with pytest.raises(CannotScreen, match="4 groups, each of a single class"):
        screen_pairs(X, np.repeat([0, 1, 0, 1], 150), groups=np.repeat([0, 1, 2, 3], 150))
