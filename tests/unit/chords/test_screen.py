"""The screen for products, and what is made of them: against loops written out, planted chords, and nothing at all."""

import itertools
import json

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from deepmapper.chords import contrasts, groups, scan, tables, types
from deepmapper.chords import proof as chords_proof
from deepmapper.chords import screen as chords_screen
from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.features.splits import split_off_test
from deepmapper.simulate.counts import plant


def contrast_of(seed, n=60, permutations=2):
    rng = np.random.default_rng(seed)
    y, probability = rng.integers(0, 2, n), rng.uniform(0.2, 0.8, n)
    made = contrasts.make_contrasts(
        y, np.column_stack([1 - probability, probability]), permutations=permutations, seed=seed
    )
    return made[0]


def score_by_hand(product, residual, weight):
    """Z of one product in double precision: the smaller of the two z that the module describes."""
    product, residual, weight = (np.asarray(array, dtype=np.float64) for array in (product, residual, weight))
    model = (weight * product**2).sum() - (weight * product).sum() ** 2 / weight.sum()
    square = residual**2
    own = (square * product**2).sum() - (square * product).sum() ** 2 / square.sum()
    return residual @ product / np.sqrt(max(model, own))


def everything(tally):
    """All kept products as {places: z}."""
    return {tuple(map(int, place)): float(z) for place, z in zip(tally.places, tally.z, strict=True)}


@given(st.integers(0, 200), st.integers(2, 9), st.integers(1, 10))
@settings(max_examples=25)
def test_pair_scores_equal_a_double_loop_whatever_the_block(seed, p, block):
    contrast = contrast_of(seed)
    X = np.random.default_rng(seed + 1).gamma(0.5, 2.0, (60, p)).astype(np.float32)
    columns = contrast.columns(X, 3.0)
    tally = scan.scan_pairs(columns, contrast.residuals, contrast.weight, block, 1000)
    Z = columns.block(0, p)
    for i, residual in enumerate(contrast.residuals):
        by_hand = {
            (j, k): score_by_hand(Z[:, j] * Z[:, k], residual, contrast.weight)
            for j, k in itertools.combinations(range(p), 2)
        }
        assert tally.largest[i] == pytest.approx(max(map(abs, by_hand.values())), rel=1e-3)
        if i == 0:
            found = everything(tally)
            assert found.keys() == by_hand.keys() and tally.tests == len(by_hand)
            np.testing.assert_allclose([found[key] for key in by_hand], list(by_hand.values()), rtol=2e-3, atol=2e-3)
            best = [max(abs(z) for pair, z in by_hand.items() if j in pair) for j in range(p)]
            np.testing.assert_allclose(tally.best, best, rtol=2e-3, atol=2e-3)
            for j in range(p):
                z = by_hand[tuple(sorted((j, int(tally.partner[j]))))]
                assert abs(z) == pytest.approx(tally.best[j], rel=2e-3, abs=2e-3)


@given(st.integers(0, 200), st.integers(3, 7))
@settings(max_examples=15)
def test_triplet_scores_equal_a_triple_loop(seed, p):
    contrast = contrast_of(seed)
    columns = contrast.columns(np.random.default_rng(seed).normal(size=(60, p)).astype(np.float32), 3.0)
    tally = scan.scan_triplets(columns, contrast.residuals, contrast.weight, 1000)
    Z = columns.block(0, p)
    by_hand = {
        key: score_by_hand(Z[:, list(key)].prod(1), contrast.residuals[0], contrast.weight)
        for key in itertools.combinations(range(p), 3)
    }
    found = everything(tally)
    assert found.keys() == by_hand.keys()
    np.testing.assert_allclose([found[key] for key in by_hand], list(by_hand.values()), rtol=2e-3, atol=2e-3)
    best = [max(abs(z) for key, z in by_hand.items() if j in key) for j in range(p)]
    np.testing.assert_allclose(tally.best, best, rtol=2e-3, atol=2e-3)


@given(st.integers(0, 500))
@settings(max_examples=20)
def test_columns_are_free_of_strata_and_confounders_and_clipped(seed):
    rng = np.random.default_rng(seed)
    strata, design = rng.integers(0, 4, 80), rng.normal(size=(80, 2))
    X = sp.random(80, 6, 0.4, format="csr", dtype=np.float32, random_state=seed)
    free = scan.make_columns(X, np.arange(80), strata, design, np.inf).block(0, 6)
    for code in np.unique(strata):
        np.testing.assert_allclose(free[strata == code].mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(design.T @ free, 0, atol=1e-3)
    clipped = scan.make_columns(X, np.arange(80), strata, design, 1.5)
    assert np.abs(clipped.block(0, 6)).max() <= 1.5
    np.testing.assert_allclose(clipped.hold(2, 10).block(1, 5), clipped.block(1, 5), atol=1e-5)
    assert clipped.hold(2, 0.0).cached is None


@given(st.integers(0, 500))
@settings(max_examples=20)
def test_null_draws_keep_every_stratum(seed):
    rng = np.random.default_rng(seed)
    strata = np.unique(rng.integers(0, 5, 50), return_inverse=True)[1]
    residual, weight = contrasts.centred_labels(rng.random(50) < 0.4, strata)
    draws = contrasts.permuted_residuals(residual, strata, 3, rng)
    np.testing.assert_array_equal(draws[0], residual)
    for code in np.unique(strata):
        inside = strata == code
        assert residual[inside].sum() == pytest.approx(0, abs=1e-5)
        for draw in draws:
            np.testing.assert_array_equal(np.sort(draw[inside]), np.sort(residual[inside]))
        if inside.sum() > 1:
            assert weight[inside].sum() == pytest.approx(
                (residual[inside] ** 2).sum() * inside.sum() / (inside.sum() - 1), rel=1e-4, abs=1e-6
            )


@pytest.fixture(scope="module")
def small():
    planted = plant("small", seed=0)
    return planted, planted.log_normalised()


def screened(planted, X, label, rows=None, **options):
    y, classes = planted.codes(label)
    return chords_screen.screen_pairs(
        X, y, rows=rows, names=planted.names, classes=classes, **{"permutations": 19, **options}
    )


def same(a, b, tolerance=2e-3):
    assert [pair.features for pair in a.found] == [pair.features for pair in b.found]
    np.testing.assert_allclose([p.z for p in a.found], [p.z for p in b.found], rtol=tolerance)
    np.testing.assert_allclose(a.best, b.best, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(a.null_largest, b.null_largest, rtol=tolerance)


def test_sparse_dense_and_block_size_give_the_same(small):
    planted, X = small
    first = screened(planted, X, "programs")
    assert first.found
    same(first, screened(planted, X.toarray(), "programs"))
    same(first, screened(planted, X, "programs", block=37))
    same(first, screened(planted, X, "programs", block=64, memory_mb=0))


def test_rows_in_another_order_are_the_same_rows(small):
    planted, X = small
    y, _ = planted.codes("pair")
    backwards = np.arange(len(y))[::-1]
    found, again = (
        chords_screen.screen_pairs(X[rows], y[rows], rows=order, permutations=19)
        for rows, order in ((backwards, None), (np.arange(len(y)), backwards))
    )
    assert found.found == again.found and found.found


def test_the_number_of_threads_changes_nothing(small):
    planted, X = small
    first, again = (screened(planted, X, "programs", block=64, threads=threads) for threads in (1, 3))
    assert first.found == again.found and first.candidates == again.candidates and first.tests == again.tests
    np.testing.assert_array_equal(first.best, again.best)
    np.testing.assert_array_equal(first.null_largest, again.null_largest)
    first, again = (
        chords_screen.screen_triplets(X, first, max_triplet_features=20, threads=threads) for threads in (1, 3)
    )
    assert first.candidates == again.candidates


def test_torch_multiplies_as_numpy_does(small):
    planted, X = small
    few = np.r_[planted.genes("program_1", "program_2"), 0:50]
    X, names = X[:, few], [planted.names[i] for i in few]
    y, classes = planted.codes("programs")
    options = {"names": names, "classes": classes, "permutations": 19, "block": 32}
    first, again = (chords_screen.screen_pairs(X, y, device=device, **options) for device in ("numpy", "cpu"))
    assert first.found and first.tests == again.tests
    same(first, again)
    options = {"max_triplet_features": 20}
    first, again = (chords_screen.screen_triplets(X, first, **options, device=device) for device in ("numpy", "cpu"))
    same(first, again)


def test_the_same_seed_gives_the_same_bytes_and_another_other_draws(small):
    planted, X = small
    first, again = screened(planted, X, "pair"), screened(planted, X, "pair")
    assert first.found == again.found and first.candidates == again.candidates
    np.testing.assert_array_equal(first.best, again.best)
    np.testing.assert_array_equal(first.null_largest, again.null_largest)
    assert not np.array_equal(first.null_largest, screened(planted, X, "pair", seed=1).null_largest)


def test_the_order_of_features_only_orders_the_result(small):
    planted, X = small
    order = np.random.default_rng(0).permutation(X.shape[1])
    y, classes = planted.codes("programs")
    first = screened(planted, X, "programs")
    names = [planted.names[i] for i in order]
    moved = chords_screen.screen_pairs(X[:, order], y, names=names, classes=classes, permutations=19)
    assert {frozenset(pair.features) for pair in first.found} == {frozenset(pair.features) for pair in moved.found}
    np.testing.assert_allclose(moved.best, first.best[order], rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(moved.null_largest, first.null_largest, rtol=2e-3)


def test_rows_that_are_left_out_change_nothing(small):
    planted, X = small
    rows = np.arange(0, 600, 2)
    first = screened(planted, X, "pair", rows=rows)
    other = X.tolil()
    other[1::2] = 9
    assert first.candidates == screened(planted, other.tocsr(), "pair", rows=rows).candidates


def test_the_planted_pair_is_found_alone_and_proved(small):
    planted, X = small
    y, classes = planted.codes("pair")
    development, test = split_off_test(y, 0.25, 0)
    screen = screened(planted, X, "pair", development)
    assert [set(pair.positions) for pair in screen.found] == [set(planted.genes("pair"))]
    assert screen.found[0].p_family == pytest.approx(1 / 20)
    (chord,) = groups.group_chords(X, screen)
    assert set(chord.positions) == set(planted.genes("pair")) and not chord.joined
    (proof,) = chords_proof.prove_chords(X, y, [chord], development=development, test=test, classes=classes, draws=200)
    assert proof.accuracy > 0.75 and proof.auc > 0.85
    assert 0.1 < proof.synergy_low < proof.synergy < proof.synergy_high
    assert abs(proof.auc_additive - 0.5) < 0.15 and proof.single in chord.features


def test_the_planted_programs_make_one_chord_of_two_sides(small):
    planted, X = small
    screen = screened(planted, X, "programs", permutations=39)
    truth = set(planted.genes("program_1", "program_2"))
    assert all(set(pair.positions) <= truth for pair in screen.found)
    (chord,) = groups.group_chords(X, screen)
    assert {frozenset(side) for side in chord.sides} == {
        frozenset(planted.genes("program_1").tolist()),
        frozenset(planted.genes("program_2").tolist()),
    }
    assert chord.order == 2 and chord.n_products == len(screen.found)
    assert all(np.sign(side[0]) == np.sign(w) for side in chord.weights for w in side)


def test_the_planted_triplet_comes_first(small):
    planted, X = small
    screen = screened(planted, X, "triplet")
    triplets = chords_screen.screen_triplets(X, screen, max_triplet_features=60)
    assert not screen.found
    assert set(triplets.candidates[0].positions) == set(planted.genes("triplet"))
    assert isinstance(triplets.found[0], types.Triplet) and len(triplets.found) == 1
    (chord,) = groups.group_chords(X, screen, triplets)
    assert chord.order == 3 and set(chord.positions) == set(planted.genes("triplet"))


@pytest.mark.parametrize("label", ["module", "main"])
def test_main_effects_alone_make_no_pair(small, label):
    planted, X = small
    screen = screened(planted, X, label)
    assert screen.main_effects.features and screen.main_effects.log_loss < 0.9 * screen.main_effects.base_log_loss
    assert not screen.found and groups.group_chords(X, screen) == ()
    assert all(0 < share < 0.9 for _, share in screen.left_open)


def test_a_class_that_one_feature_tells_is_not_screened():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 50)
    X = rng.normal(size=(100, 8)).astype(np.float32)
    X[:, 0] = 5 * y + rng.normal(0, 0.1, 100)
    screen = chords_screen.screen_pairs(
        X, y, classes=["a", "b"], permutations=19, seed=1
    )  # of others a little is left open
    assert screen.left_open == (("a", 0.0), ("b", 0.0)) and not screen.contrasts
    assert not screen.found and screen.threshold == np.inf and tables.pair_table(screen).empty
    assert chords_screen.screen_triplets(X, screen).candidates == ()
    free = chords_screen.screen_pairs(X[:, 1:], y, classes=["a", "b"], permutations=19)
    assert dict(free.left_open)["a"] > 0.9


def test_shuffled_labels_keep_the_family_wise_rate():
    """Twenty draws at level 0.2: more than eight would be found once in a hundred such tests."""
    rng = np.random.default_rng(0)
    X = np.log1p(rng.negative_binomial(1, 0.5, (150, 30))).astype(np.float32)
    found = [
        bool(chords_screen.screen_pairs(X, rng.integers(0, 3, 150), permutations=9, level=0.2, seed=seed).found)
        for seed in range(20)
    ]
    assert np.mean(found) <= 0.4


def test_discovery_rate_names_more_than_the_family_wise_rate(small):
    planted, X = small
    family = screened(planted, X, "programs")
    discovery = screened(planted, X, "programs", rate="discovery", level=0.1)
    assert {pair.features for pair in family.found} <= {pair.features for pair in discovery.found}
    sizes, q = [abs(p.z) for p in discovery.candidates], [p.q for p in discovery.candidates]
    assert sizes == sorted(sizes, reverse=True) and all(a <= b + 1e-12 for a, b in itertools.pairwise(q))


def test_labels_are_exchanged_within_batches_and_whole_donors():
    rng = np.random.default_rng(0)
    batch = np.repeat([0, 1, 2, 3], 50)
    X = rng.normal(size=(200, 12)).astype(np.float32)
    X[batch < 2, :6] *= np.sign(X[batch < 2, [6]])[:, None]  # products that differ between batches, not labels
    y = (rng.random(200) < np.where(batch < 2, 0.85, 0.15)).astype(np.int64)
    within = chords_screen.screen_pairs(X, y, groups=batch, permutations=19)
    contrast = within.contrasts[0]
    for code in np.unique(batch[contrast.rows]):
        inside = batch[contrast.rows] == code
        np.testing.assert_allclose(contrast.residuals[:, inside].sum(1), 0, atol=1e-4)
    nested = np.repeat(np.arange(20), 10)
    donors = chords_screen.screen_pairs(X, nested % 2, groups=nested, permutations=19).contrasts[0]
    first = np.abs(donors.residuals[0])
    np.testing.assert_array_equal(np.abs(donors.residuals), np.tile(first, (20, 1)))
    signs = np.sign(donors.residuals * donors.residuals[0])
    for code in np.unique(nested):
        assert (np.ptp(signs[:, nested[donors.rows] == code], axis=1) == 0).all()


def test_a_confounder_that_makes_every_product_differ_is_taken_out():
    rng = np.random.default_rng(0)
    depth = rng.normal(size=400)
    X = (rng.normal(size=(400, 15)) + depth[:, None]).astype(np.float32)
    y = (np.abs(depth) > 0.7).astype(np.int64)
    assert len(chords_screen.screen_pairs(X, y, permutations=19).found) > 50
    design = np.column_stack([depth])
    assert not chords_screen.screen_pairs(X, y + 0, confounders=design, permutations=19).found


def test_chord_features_are_standard_on_the_screened_rows(small):
    planted, X = small
    y, _ = planted.codes("programs")
    development, _ = split_off_test(y, 0.25, 0)
    found = groups.group_chords(X, screened(planted, X, "programs", development))
    values = chords_proof.chord_features(X, found)
    assert values.shape == (600, len(found)) and values.dtype == np.float32
    np.testing.assert_allclose(values[development].mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(values[development].std(0), 1, atol=1e-4)
    np.testing.assert_allclose(chords_proof.chord_features(X.toarray()[:9], found), values[:9], atol=1e-5)
    assert chords_proof.chord_features(X, ()).shape == (600, 0)
    assert abs(np.corrcoef(values[:, 0], y)[0, 1]) > 0.4


def test_tables_hold_what_was_found(small):
    planted, X = small
    y, classes = planted.codes("pair")
    development, test = split_off_test(y, 0.25, 0)
    screen = screened(planted, X, "pair", development)
    found = groups.group_chords(X, screen)
    proofs = chords_proof.prove_chords(X, y, found, development=development, test=test, classes=classes, draws=50)
    pairs, table, features = tables.pair_table(screen), tables.chord_table(found, proofs), tables.feature_table(screen)
    assert pairs["significant"].sum() == 1 and pairs["rank"].tolist() == list(range(1, len(pairs) + 1))
    assert {pairs["feature_a"][0], pairs["feature_b"][0]} == set(found[0].features)
    np.testing.assert_allclose(pairs["z"], pairs[f"z[{classes[1]}]"])
    assert table["chord"].tolist() == ["chord_1"] and table["synergy"][0] == proofs[0].synergy
    assert {f"auc[{name}]" for name in classes} <= set(table.columns)
    assert len(features) == X.shape[1] and (features["z_pair"].notna() == features["screened"]).all()
    assert tables.chord_table(()).empty and "side_1" in tables.chord_table(())
    json.dumps([chord.__dict__ for chord in found])


def test_a_hub_and_a_large_graph_are_divided_into_sides():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 30)).astype(np.float32)
    hub = np.sign(X[:, 0] * X[:, 1:4].sum(1))
    screen = chords_screen.screen_pairs(X, (hub > 0).astype(np.int64), permutations=19)
    assert {frozenset(pair.positions) for pair in screen.found} == {frozenset((0, k)) for k in (1, 2, 3)}
    (chord,) = groups.group_chords(X, screen)
    assert sorted(map(set, chord.sides), key=len) == [{0}, {1, 2, 3}]
    divided = groups.group_chords(X, screen, max_members=2)
    assert 1 <= len(divided) <= 3 and all(len(one.sides) == 2 for one in divided)


def test_a_full_list_is_said():
    rng = np.random.default_rng(0)
    state = rng.choice([-1, 1], (300, 2))
    X = (np.repeat(state, 8, axis=1) * 2 + rng.normal(size=(300, 16))).astype(np.float32)
    with pytest.warns(DeepMapperWarning, match="larger `keep`"):
        chords_screen.screen_pairs(X, (state.prod(1) > 0).astype(np.int64), permutations=19, keep=10)


def test_what_cannot_be_screened_or_proved_is_refused(small):
    planted, X = small
    y, _ = planted.codes("pair")
    with pytest.raises(InputError, match="Take at least 19"):
        chords_screen.screen_pairs(X, y, permutations=9)
    with pytest.raises(InputError, match="expected one of family, discovery"):
        chords_screen.screen_pairs(X, y, rate="any")
    with pytest.raises(InputError, match="names holds 2 values, expected 300"):
        chords_screen.screen_pairs(X, y, names=["a", "b"])
    with pytest.raises(InputError, match="Lower min_detected"):
        chords_screen.screen_pairs(X, y, min_detected=1.1)
    with pytest.raises(InputError, match="fewer than 2 samples"):
        chords_screen.screen_pairs(X, np.r_[1, np.zeros(599, dtype=np.int64)])
    with pytest.raises(InputError, match="4 groups, each of a single class"):
        chords_screen.screen_pairs(X, np.repeat([0, 1, 0, 1], 150), groups=np.repeat([0, 1, 2, 3], 150))
    with pytest.raises(InputError, match="development and test"):
        chords_proof.prove_chords(X, y, (), development=np.arange(400), test=np.arange(300, 600))
    with pytest.raises(InputError, match="set a test split aside"):
        chords_proof.prove_chords(X, y, (), development=np.arange(600), test=np.arange(0))
