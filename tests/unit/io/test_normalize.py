"""Normalisation: scanpy's arithmetic, and the values that are refused."""

import warnings

import anndata
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.io.normalize import normalize_matrix


@pytest.mark.parametrize(("method", "target"), [("log1p_median", None), ("log1p_cp10k", 1e4), ("log1p_cpm", 1e6)])
def test_normalization_is_that_of_scanpy(method, target):
    import scanpy

    counts = sparse.random(200, 300, density=0.1, format="csr", random_state=0, dtype=np.float32)
    counts.data = np.ceil(counts.data * 50)
    before = counts.copy()
    X = normalize_matrix(counts, method)
    assert isinstance(X, sparse.csr_matrix) and X.dtype == np.float32 and X.nnz == counts.nnz
    assert (counts != before).nnz == 0
    adata = anndata.AnnData(counts.copy())
    scanpy.pp.normalize_total(adata, target_sum=target)
    scanpy.pp.log1p(adata)
    np.testing.assert_allclose(X.toarray(), adata.X.toarray(), rtol=1e-5, atol=0)


def test_the_median_ignores_samples_without_counts():
    counts = sparse.csr_matrix(np.array([[0, 0], [0, 0], [0, 0], [1, 3], [8, 0]], dtype=np.float32))
    with pytest.warns(DeepMapperWarning, match="3 of 5 samples have no counts"):
        X = normalize_matrix(counts, "log1p_median")
    np.testing.assert_allclose(X.toarray()[3:], np.log1p([[1.5, 4.5], [6, 0]]), rtol=1e-6)
    assert not X[:3].nnz
    X = normalize_matrix(counts[3:], "log1p_median", reference=np.array([0]))
    np.testing.assert_allclose(X.toarray(), np.log1p([[1, 3], [4, 0]]), rtol=1e-6)


def test_normalization_sums_duplicate_entries():
    twice = sparse.csr_matrix((np.ones(4, np.float32), [0, 0, 1, 0], [0, 3, 4]), shape=(2, 2))
    X = normalize_matrix(twice, "log1p_cp10k", target_sum=3)
    np.testing.assert_allclose(X.toarray(), np.log1p([[2, 1], [3, 0]]), rtol=1e-6)
    assert twice.nnz == 4


def test_normalization_none_and_tpm(toy):
    X = sparse.csr_matrix(toy.counts)
    assert (normalize_matrix(X - 1.5 * X, "none") != X * -0.5).nnz == 0
    tpm = normalize_matrix(X, "log1p_tpm", layer_tpm=toy.counts * 3)
    assert isinstance(tpm, sparse.csr_matrix)
    np.testing.assert_allclose(tpm.toarray(), np.log1p(toy.counts * 3), rtol=1e-6)
    with pytest.raises(InputError, match="log1p_tpm needs transcripts per million, but the matrix has no layer 'tpm'"):
        normalize_matrix(X, "log1p_tpm")
    with pytest.raises(InputError, match=r"The layer 'tpm' has the shape \(5, 5\), expected \(6, 5\)"):
        normalize_matrix(X, "log1p_tpm", layer_tpm=X[:5])
    with pytest.raises(InputError, match="The layer 'tpm': .* negative"):
        normalize_matrix(X, "log1p_tpm", layer_tpm=-X)


@settings(max_examples=60, deadline=None)
@given(
    data=st.lists(st.lists(st.integers(0, 10**6), min_size=4, max_size=4), min_size=1, max_size=8),
    target=st.floats(1.0, 1e6),
)
def test_rows_sum_to_the_target_before_log1p(data, target):
    counts = np.array(data, dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeepMapperWarning)
        X = normalize_matrix(sparse.csr_matrix(counts), "log1p_cp10k", target_sum=target)
    sums = np.expm1(X.toarray().astype(np.float64)).sum(axis=1)
    np.testing.assert_allclose(sums, np.where(counts.sum(axis=1) > 0, target, 0), rtol=2e-5)
    assert np.array_equal(X.toarray() > 0, counts > 0)


def test_counts_that_are_not_integers_warn_unless_they_look_like_logs(toy):
    estimates = toy.counts * 1.37
    with pytest.warns(DeepMapperWarning, match=r"non-integer values .*the first is 4\.11 in sample 'row 0', column 0"):
        normalize_matrix(estimates, "log1p_cpm")
    few = toy.counts[1:].copy()
    few[0, 1] = 2.5
    with pytest.warns(DeepMapperWarning, match="1 non-integer value "):
        normalize_matrix(few, "log1p_cpm")
    with pytest.raises(
        InputError, match=r"in sample 'cell0-1', column 0 .*largest is 3\.71.* Set normalization to none"
    ):
        normalize_matrix(np.log1p(toy.counts), "log1p_cp10k", names=toy.cells)


def test_samples_without_counts_stay_zero_with_a_warning(toy):
    X = toy.counts.copy()
    X[[1, 4]] = 0
    with pytest.warns(DeepMapperWarning, match=r"2 of 6 samples have no counts \('cell1-1', 'cell4-1'\)"):
        normalized = normalize_matrix(X, "log1p_cp10k", names=toy.cells)
    assert normalized[[1, 4]].nnz == 0 and np.isfinite(normalized.data).all()


def test_normalization_refused(toy):
    with pytest.raises(InputError, match=r"'log1p_cp10' is unknown\. Did you mean 'log1p_cp10k'\?"):
        normalize_matrix(toy.counts, "log1p_cp10")
    with pytest.raises(InputError, match=r"2 negative values, .* the first is -1 in sample 'row 0', column 1 .*none"):
        normalize_matrix(toy.counts - np.eye(6, 5, 1) * (toy.counts == 0), "log1p_cpm")
    with pytest.raises(InputError, match="target_sum is 0"):
        normalize_matrix(toy.counts, "log1p_cp10k", target_sum=0)
    with pytest.raises(InputError, match="Found 2 names for 6 rows"):
        normalize_matrix(toy.counts, "none", names=["a", "b"])
