"""Scores of pairs and triplets, against loops written out."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepmapper.chords.contrasts import make_contrasts
from deepmapper.chords.scan import scan_pairs, scan_triplets


def contrast_of(seed, n=60, permutations=2):
    rng = np.random.default_rng(seed)
    y, probability = rng.integers(0, 2, n), rng.uniform(0.2, 0.8, n)
    made = make_contrasts(y, np.column_stack([1 - probability, probability]), permutations=permutations, seed=seed)
    return made[0]


def score_by_hand(product, residual, weight):
    """Z of one product in double precision: the smaller of the two z that the module describes."""
    product, residual, weight = (np.asarray(array, dtype=np.float64) for array in (product, residual, weight))
    model = (weight * product**2).sum() - (weight * product).sum() ** 2 / weight.sum()
    square = residual**2
    own = (square * product**2).sum() - (square * product).sum() ** 2 / square.sum()
    return residual @ product / np.sqrt(max(model, own))


def everything(tally):
    """All kept products as {features: z}."""
    return {tuple(map(int, product)): float(z) for product, z in zip(tally.products, tally.z, strict=True)}


@given(st.integers(0, 200), st.integers(2, 9), st.integers(1, 10))
@settings(max_examples=25)
def test_pair_scores_equal_a_double_loop_whatever_the_block(seed, p, block):
    contrast = contrast_of(seed)
    X = np.random.default_rng(seed + 1).gamma(0.5, 2.0, (60, p)).astype(np.float32)
    columns = contrast.columns(X, 3.0)
    tally = scan_pairs(columns, contrast.residuals, contrast.weight, block, 1000)
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
    tally = scan_triplets(columns, contrast.residuals, contrast.weight, 1000)
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
