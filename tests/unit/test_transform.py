"""Features to pixels and back: nothing is lost, nothing is moved that should not be."""

import random

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from deepmapper.transform import image_side, inverse_permutation, permutation, pixels_to_features, square_dim, to_images

seeds = st.integers(0, 2**40)
buffers = st.integers(0, 40)
matrices = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 40)),
    elements=st.floats(-1e6, 1e6, width=32) | st.just(0.0),
)


@given(st.integers(1, 10**9), st.integers(0, 10**6))
def test_the_square_is_the_smallest_that_holds_everything(n_features, buffer):
    side = square_dim(n_features, buffer)
    assert (side - 1) ** 2 < n_features + buffer <= side**2
    assert image_side(n_features) == square_dim(n_features, 0)


@pytest.mark.parametrize(("n", "side"), [(1, 1), (2, 2), (4, 2), (5, 3), (765, 28), (784, 28), (785, 29)])
def test_sides_worked_out_by_hand(n, side):
    assert square_dim(n) == side


@pytest.mark.parametrize("bad", [0, -1, 2.5, True, "9", None])
def test_a_number_of_features_that_is_none_is_refused(bad):
    with pytest.raises(ValueError, match="n_features=.*expected a whole number of 1 or more"):
        square_dim(bad)


@pytest.mark.parametrize("bad", [-1, 0.5, True])
def test_a_buffer_that_is_none_is_refused(bad):
    with pytest.raises(ValueError, match="buffer=.*expected a whole number of 0 or more"):
        square_dim(4, bad)


@given(seeds, st.integers(0, 300))
def test_the_arrangement_is_that_of_the_published_package(seed, n):
    order = list(range(n))
    random.Random(seed).shuffle(order)
    assert permutation(seed, n) == order
    assert sorted(order) == list(range(n))


def test_the_arrangement_leaves_the_callers_random_numbers_alone():
    random.seed(5)
    expected = random.random()
    random.seed(5)
    permutation(1, 100)
    assert random.random() == expected


@given(st.permutations(range(25)))
def test_the_inverse_undoes_the_arrangement_both_ways(perm):
    inverse = inverse_permutation(perm)
    assert [perm[i] for i in inverse] == list(range(25)) == [inverse[i] for i in perm]


@pytest.mark.parametrize("bad", [[0, 0, 1], [1, 2, 3], [0, -1, 1]])
def test_what_is_no_permutation_is_refused(bad):
    with pytest.raises(ValueError, match=r"perm\[\d\]=-?\d: expected each of 0 .. 2 exactly once"):
        inverse_permutation(bad)


@given(matrices, buffers, seeds | st.none())
def test_every_value_comes_back_from_the_image(X, buffer, seed):
    n, p = X.shape
    perm = None if seed is None else permutation(seed, p)
    images = to_images(X, buffer, perm)
    side = square_dim(p, buffer)
    assert images.shape == (n, side, side, 1)
    assert images.dtype == np.float32
    for row, image in zip(X, images, strict=True):
        np.testing.assert_array_equal(pixels_to_features(image, perm, p), row)


@given(matrices, buffers, seeds)
def test_pixel_j_holds_feature_perm_j_and_padding_is_zero(X, buffer, seed):
    p = X.shape[1]
    perm = permutation(seed, p)
    flat = to_images(X, buffer, perm).reshape(len(X), -1)
    np.testing.assert_array_equal(flat[:, :p], X[:, perm])
    assert not flat[:, p:].any()


@given(matrices, buffers, seeds, st.sampled_from([sp.csr_matrix, sp.csc_matrix, sp.coo_matrix, sp.csr_array]))
def test_sparse_and_dense_make_the_same_images(X, buffer, seed, kind):
    perm = permutation(seed, X.shape[1])
    np.testing.assert_array_equal(to_images(kind(X), buffer, perm), to_images(X, buffer, perm))


def test_entries_of_a_sparse_matrix_that_are_given_twice_are_added():
    X = sp.coo_matrix(([1.0, 2.0], ([0, 0], [3, 3])), shape=(1, 4))
    np.testing.assert_array_equal(to_images(X).reshape(-1), [0, 0, 0, 3])


def test_lists_are_read_as_matrices():
    np.testing.assert_array_equal(to_images([[1, 2, 3]])[0, :, :, 0], [[1, 2], [3, 0]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: to_images(np.zeros(5)), r"X has shape \(5,\): expected two dimensions"),
        (lambda: to_images(np.zeros((2, 5)), perm=[0, 1]), "perm has 2 entries: expected 5, one for each feature of X"),
        (lambda: to_images(np.zeros((2, 2)), perm=[0, 0]), r"perm\[1\]=0: expected each of 0 .. 1 exactly once"),
        (lambda: pixels_to_features(np.zeros((2, 2)), None, 5), "the image has 4 pixels: expected at least 5"),
        (lambda: pixels_to_features(np.zeros((2, 2)), [0, 1], 3), "perm has 2 entries: expected n_features=3"),
    ],
)
def test_what_does_not_fit_together_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_features_read_off_an_image_are_a_copy():
    image = np.arange(4, dtype=np.float32)
    pixels_to_features(image, None, 4)[0] = 9
    assert image[0] == 0
