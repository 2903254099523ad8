"""The arithmetic of highly variable features; that its choices are scanpy's is tested where they are made."""

import numpy as np
import pytest
import scipy.sparse as sp

from deepmapper.core.moments import Moments
from deepmapper.core.variable_features import clip, fit_trend, rank_features, sample_variance
from deepmapper.errors import InputError

NAMES = list("abcdef")


def summed(X):
    moments = Moments(X.shape[1], keep=("squares",))
    moments.update(X)
    return moments


def test_variances_of_counts_do_not_depend_on_the_order_of_the_samples():
    counts = np.random.default_rng(0).poisson(3, (100, 50)).astype(np.float32)
    one, other = summed(counts), summed(sp.csr_matrix(counts[::-1]))
    np.testing.assert_array_equal(sample_variance(one), sample_variance(other))
    np.testing.assert_allclose(sample_variance(one), counts.var(0, ddof=1), rtol=1e-5)
    assert (sample_variance(summed(np.full((7, 3), 0.1))) == 0).all()


def test_values_above_the_limit_of_their_column_are_set_to_it():
    block = np.array([[5, 0, 2], [1, 9, 0]], dtype=np.float32)
    expected = [[3, 0, 2], [1, 4, 0]]
    np.testing.assert_array_equal(clip(block, np.array([3.0, 4, 4])), expected)
    np.testing.assert_array_equal(clip(sp.csr_matrix(block), np.array([3.0, 4, 4])).toarray(), expected)


def test_flavours_prefer_rank_or_number_of_batches():
    variances = np.array([[9, 8, 1, 7, 2, 3], [1, 8, 9, 2, 3, 4], [9.0, 1, 2, 8, 3, 4]])
    by_rank = rank_features(variances, NAMES, 2, "seurat_v3")
    by_batches = rank_features(variances, NAMES, 2, "seurat_v3_paper")
    assert by_rank["highly_variable_nbatches"].tolist() == [2, 2, 1, 1, 0, 0]
    assert by_rank["highly_variable_rank"].fillna(-1).tolist() == [0, 1, 0, 1, -1, -1]
    assert by_rank.index[by_rank["highly_variable"]].tolist() == ["a", "c"]
    assert by_batches.index[by_batches["highly_variable"]].tolist() == ["a", "b"]
    both = rank_features(variances, NAMES, 4, "seurat_v3", min_batches=3)
    assert (both["highly_variable_nbatches"][both["highly_variable"]] == 3).all()
    with pytest.raises(InputError, match="flavor='seurat': expected one of seurat_v3, seurat_v3_paper"):
        rank_features(variances, NAMES, 2, "seurat")


def test_too_few_points_for_the_loess_are_refused():
    """Without any point in a local fit, it would crash the process."""
    counts = np.random.default_rng(0).poisson(3, (30, 9)).astype(np.float32)
    with pytest.raises(InputError, match="batch 2: 9 of 9 features vary among 30 samples, expected at least 10"):
        fit_trend(summed(counts), 0.3, "batch 2")
