"""Streaming statistics: equal to numpy on all rows at once, however the rows are cut, stored and merged."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from deepmapper.core.moments import PARTS, Moments


def rows_of(seed, n=60, p=5, mean=0.0):
    rng = np.random.default_rng(seed)
    values = rng.normal(mean, rng.uniform(0.5, 3, p), (n, p))
    values[rng.random((n, p)) < 0.4] = 0
    return values.astype(np.float32)


def cut(values, sizes):
    return np.split(values, np.unique(np.clip(np.cumsum(sizes), 0, len(values))))


def summed(parts, form=np.asarray, **options):
    moments = Moments(parts[0].shape[1], **options)
    for part in parts:
        moments.update(form(part))
    return moments


def assert_same(one, other):
    one, other = one.as_dict(), other.as_dict()
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].dtype == other[name].dtype
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


SIZES = st.lists(st.integers(0, 25), min_size=1, max_size=6)


@given(st.integers(0, 10**6), SIZES, st.sampled_from([0.0, 1000.0, -5.0]), st.sampled_from([np.asarray, sp.csr_matrix]))
def test_statistics_are_those_of_numpy_on_all_rows(seed, sizes, mean, form):
    values = rows_of(seed, mean=mean)
    if mean == 1000:
        values[values == 0] = 1000  # deviations of about 1, around a mean of 1000
    moments = summed(cut(values, sizes), form)
    wide = values.astype(np.float64)
    assert moments.n == len(values)
    scale = np.abs(wide).mean(0)  # a mean that is near 0 by cancellation is exact to the size of the values
    assert (np.abs(moments.mean - wide.mean(0)) <= 1e-12 * scale).all()
    np.testing.assert_allclose(moments.variance(), wide.var(0), rtol=1e-12)
    np.testing.assert_allclose(moments.variance(ddof=1), wide.var(0, ddof=1), rtol=1e-12)
    np.testing.assert_allclose(moments.square_sum, (wide**2).sum(0), rtol=1e-12)
    np.testing.assert_array_equal(moments.n_nonzero, np.count_nonzero(wide, axis=0))
    np.testing.assert_array_equal(moments.minimum, wide.min(0))
    np.testing.assert_array_equal(moments.maximum, wide.max(0))


@given(st.integers(0, 10**6), SIZES)
def test_sparse_and_dense_blocks_give_the_same_bits(seed, sizes):
    parts, keep = cut(rows_of(seed), sizes), ("squares", "nonzero", "extremes")
    assert_same(summed(parts, np.asarray, keep=keep), summed(parts, sp.csr_matrix, keep=keep))


@given(st.integers(0, 10**6), SIZES, st.integers(0, 6))
def test_merged_shards_are_the_whole(seed, sizes, shards):
    parts = cut(rows_of(seed, mean=1000), sizes)
    merged = summed(parts[:shards], sp.csr_matrix) if parts[:shards] else Moments(5)
    merged.merge(summed(parts[shards:], sp.csr_matrix) if parts[shards:] else Moments(5))
    whole = summed(parts, sp.csr_matrix)
    for name, array in merged.as_dict().items():
        np.testing.assert_allclose(array, whole.as_dict()[name], rtol=1e-12, err_msg=name)


@given(st.integers(0, 10**6), SIZES, st.sampled_from([np.asarray, sp.csr_matrix]))
def test_groups_are_summed_apart(seed, sizes, form):
    values = rows_of(seed)
    groups = np.random.default_rng(seed).integers(0, 3, len(values))
    moments = Moments(5, n_groups=4)
    for part, codes in zip(cut(values, sizes), cut(groups, sizes), strict=True):
        moments.update(form(part), codes)
    np.testing.assert_array_equal(moments.group_n, np.bincount(groups, minlength=4))
    for code in range(3):
        members = values[groups == code].astype(np.float64)
        np.testing.assert_allclose(moments.group_sum[code], members.sum(0), rtol=1e-12, atol=1e-12)
    assert np.isnan(moments.group_mean[3]).all()  # no row is of this group
    np.testing.assert_allclose(moments.variance(), values.astype(np.float64).var(0), rtol=1e-12)


def test_the_bits_are_those_of_sums_over_blocks():
    """Fits and networks read these sums: the order of additions is part of the contract."""
    parts, member = cut(rows_of(0, n=3000, p=40, mean=2), [1024, 1024]), np.random.default_rng(0).integers(0, 3, 3000)
    total, square, sums = np.zeros(40), np.zeros(40), np.zeros((3, 40))
    moments = Moments(40, keep=("squares",), n_groups=3)
    for part, codes in zip(parts, cut(member, [1024, 1024]), strict=True):
        wide, place = sp.csr_matrix(part).astype(np.float64), np.arange(len(codes))
        sums += (sp.csr_matrix((np.ones(len(codes)), (codes, place)), shape=(3, len(codes))) @ wide).toarray()
        total += np.bincount(wide.indices, wide.data, minlength=40)
        square += np.asarray(wide.multiply(wide).sum(axis=0)).ravel()
        moments.update(sp.csr_matrix(part), codes)
    np.testing.assert_array_equal(moments.group_sum, sums)
    np.testing.assert_array_equal(moments.square_sum, square)
    np.testing.assert_array_equal(moments.sum, sums.sum(axis=0))
    np.testing.assert_array_equal(summed(parts, sp.csr_matrix).sum, total)
    np.testing.assert_array_equal(summed(parts).sum, sum(part.astype(np.float64).sum(0) for part in parts))


def test_sums_of_sparse_float32_are_float64():
    values = np.full((2000, 1), 0.1, dtype=np.float32)
    for form in (np.asarray, sp.csr_matrix):
        assert summed([values], form).sum[0] == pytest.approx(2000 * float(np.float32(0.1)), rel=1e-13)


def test_stored_zeros_and_places_stored_twice_count_as_their_sum():
    odd = sp.csr_matrix((np.array([1.0, 2.0, 0.0]), np.array([1, 1, 0]), np.array([0, 2, 3])), shape=(2, 2))
    assert_same(summed([odd], sp.csr_matrix), summed([np.array([[0.0, 3.0], [0.0, 0.0]])]))
    assert odd.nnz == 3  # the caller's matrix is as it was


def test_whole_numbers_do_not_overflow():
    moments = summed([np.full((4, 1), 200, dtype=np.uint8)])
    assert moments.sum[0] == 800 and moments.square_sum[0] == 160000 and moments.variance()[0] == 0


def test_state_survives_as_arrays_and_as_pickle(tmp_path):
    moments = summed(cut(rows_of(3), [10, 20]), sp.csr_matrix, keep=("deviations", "nonzero"))
    np.savez(tmp_path / "moments.npz", **moments.as_dict())
    with np.load(tmp_path / "moments.npz", allow_pickle=False) as saved:
        restored = Moments.from_dict(saved)
    assert_same(restored, moments)
    assert_same(pickle.loads(pickle.dumps(moments)), moments)
    restored.update(rows_of(4))  # goes on, and shares nothing with what it was made of
    moments.update(rows_of(4))
    assert_same(restored, moments)


@pytest.mark.parametrize("n_rows", [0, 1])
def test_without_rows_or_with_one_there_is_no_variance(n_rows):
    moments = summed([rows_of(0)[:n_rows]])
    assert np.isnan(moments.variance(ddof=1)).all() and np.isnan(moments.mean).all() == (n_rows == 0)


def test_what_cannot_be_added_is_refused():
    moments = Moments(3, keep=("squares",))
    with pytest.raises(ValueError, match="2 columns: expected 3"):
        moments.update(np.zeros((1, 2)))
    with pytest.raises(ValueError, match="deviation_sum .*'deviations' in `keep`"):
        moments.variance()
    with pytest.raises(ValueError, match="expected some of"):
        Moments(3, keep=("skewness",))
    with pytest.raises(ValueError, match="kept statistics"):
        moments.merge(Moments(3))
    with pytest.raises(ValueError, match=r"shape \(groups, columns\) is \(1, 4\), expected \(1, 3\)"):
        moments.merge(Moments(4, keep=("squares",)))
    with pytest.raises(ValueError, match="expected the group of every row"):
        Moments(3, n_groups=2).update(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="codes below 2"):
        Moments(3, n_groups=2).update(np.zeros((1, 3)), np.array([2]))
    with pytest.raises(ValueError, match="expected \\['group_n', 'group_sum'\\]"):
        Moments.from_dict({"group_n": np.zeros(1)})
    assert moments.n == 0 and set(PARTS) == {"squares", "deviations", "nonzero", "extremes"}
