"""Genomic control: labels whose z are all too large are scaled, and a few pairs that act together are not."""

import numpy as np
import pytest

from deepmapper.chords.columns import make_columns
from deepmapper.chords.contrasts import Contrast, permuted_residuals
from deepmapper.chords.inflation import equalise, ordinary_size
from deepmapper.chords.scan import score_products

N, P = 400, 80


def make(y, X, permutations=39):
    """Contrast of a label in a single stratum, and its columns."""
    strata = np.zeros(len(y), dtype=np.int64)
    residual = (y - y.mean()).astype(np.float32)
    residuals = permuted_residuals(residual, strata, permutations, np.random.default_rng(1), None)
    weight = np.full(len(y), y.mean() * (1 - y.mean()), dtype=np.float32)
    contrast = Contrast(1, np.arange(len(y)), strata, None, residuals, weight)
    return contrast, contrast.columns(X, 10.0)


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=(N, P)).astype(np.float32)


def test_labels_that_depend_on_the_spread_of_a_sample_are_scaled_down(values):
    """Products of noisy samples are larger, so where the class is noisier, every product differs between classes."""
    spread = np.random.default_rng(2).normal(size=N)
    common = np.random.default_rng(3).normal(size=N) * np.exp(spread)  # noise that all features of a sample share
    X = (values + common[:, None]).astype(np.float32)
    contrast, columns = make((spread > 0).astype(np.float64), X)
    before = ordinary_size(contrast, columns, seed=0)
    assert before[0] > 3 * before[1:].mean()
    after = ordinary_size(equalise(contrast, columns, seed=0), columns, seed=0)
    np.testing.assert_allclose(after, before.mean(), rtol=1e-4)


def test_a_pair_that_acts_together_keeps_its_z(values):
    y = (values[:, 3] * values[:, 7] > 0).astype(np.float64)
    contrast, columns = make(y, values)
    scaled = equalise(contrast, columns, seed=0)
    before, after = (
        score_products(values[:, [3]], values[:, [7]], c.residuals, c.weight).ravel() for c in (contrast, scaled)
    )
    assert before[0] > 9 and after[0] > 0.9 * before[0]
    assert after[0] > 2 * np.abs(after[1:]).max()


def test_few_pairs_are_left_as_they_are(values):
    few = values[:, :45]  # 990 pairs
    contrast, columns = make((values[:, 0] > 0).astype(np.float64), few)
    assert ordinary_size(contrast, columns, seed=0) is None
    assert equalise(contrast, columns, seed=0) is contrast
    constant = np.ones_like(values)  # nothing to score
    contrast, columns = make((values[:, 0] > 0).astype(np.float64), constant)
    assert equalise(contrast, columns, seed=0) is contrast


def test_blocks_and_a_cache_change_nothing(values):
    contrast, columns = make((values[:, 0] > 0).astype(np.float64), values)
    cached = make_columns(values, contrast.rows, contrast.strata, None, 10.0).cache(16, 100.0)
    np.testing.assert_allclose(ordinary_size(contrast, columns, 0), ordinary_size(contrast, cached, 0), rtol=1e-5)
