"""Count splitting: the two halves of a cell add up to it, are independent, and only counts can be split."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from deepmapper.io.normalize import normalize_matrix
from deepmapper.models.count_halves import SplitCounts, are_counts
from deepmapper.models.tensors import to_tensor


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(0)
    counts = rng.poisson(np.exp(rng.normal(0, 1.5, (50, 200)))).astype(np.float32)
    counts[7] = 0
    return counts


def halves(values):
    torch.manual_seed(0)
    return SplitCounts()(values)["x_ng"]


@pytest.mark.parametrize("method", ["log1p_median", "log1p_cp10k"])
def test_the_halves_of_a_cell_add_up_to_its_counts(counts, method):
    values = normalize_matrix(sp.csr_matrix(counts), method)
    found = halves(to_tensor(values))
    assert found.layout == torch.sparse_csr and found.shape == (100, 200)
    first, second = torch.expm1(found.to_dense().double()).chunk(2)
    np.testing.assert_allclose((first + second).numpy() / 2, np.expm1(values.toarray().astype(float)), rtol=1e-5)
    unit = np.expm1(np.where(values.toarray() > 0, values.toarray(), np.inf).min(1).astype(float))[:, None]
    whole = first.numpy() / 2 / unit
    np.testing.assert_allclose(whole, np.round(whole), atol=1e-3)
    dense = halves(torch.from_numpy(values.toarray()))
    torch.testing.assert_close(dense, found.to_dense(), rtol=0, atol=0)


def test_the_halves_share_no_noise():
    rng = np.random.default_rng(1)
    values = normalize_matrix(sp.csr_matrix(rng.poisson(4.0, (400, 300)).astype(np.float32)), "log1p_cp10k")
    first, second = halves(to_tensor(values)).to_dense().chunk(2)
    centred = [half - half.mean(0) for half in (first, second)]
    shared = float((centred[0] * centred[1]).mean() / (centred[0].std() * centred[1].std()))
    assert abs(shared) < 0.03


def test_counts_are_told_from_other_values(counts):
    values = normalize_matrix(sp.csr_matrix(counts), "log1p_median")
    assert are_counts(values) and are_counts(values.toarray())
    large = np.random.default_rng(0).negative_binomial(0.3, 1e-4, (5, 3000)).astype(np.float32)
    large[:, 0] = 1
    assert are_counts(normalize_matrix(sp.csr_matrix(large), "log1p_cpm"))
    assert not are_counts(values.toarray() - values.mean())
    fractions = sp.csr_matrix(np.random.default_rng(0).random((5, 30)).astype(np.float32))
    assert not are_counts(fractions)
    spoiled = values.toarray()
    spoiled[3, :5] = 0.123
    assert not are_counts(spoiled) and are_counts(spoiled, np.arange(4, 50))


def test_parts_of_a_cell_may_be_scaled_differently(counts):
    one, other = (normalize_matrix(sp.csr_matrix(counts), method) for method in ("log1p_cp10k", "log1p_cpm"))
    values, part = sp.hstack([one, other[::-1]], format="csr"), np.repeat([0, 1], 200)
    assert are_counts(values, part_g=part) and not are_counts(values)
    torch.manual_seed(0)
    first, second = torch.expm1(SplitCounts(part)(to_tensor(values))["x_ng"].to_dense().double()).chunk(2)
    np.testing.assert_allclose((first + second).numpy() / 2, np.expm1(values.toarray().astype(float)), rtol=1e-5)


def test_cells_without_counts_stay_empty():
    empty = torch.zeros(3, 5)
    assert halves(empty).shape == (6, 5) and (halves(empty) == 0).all() and are_counts(empty.numpy())
