"""What a caller passes as matrix, labels and groups."""

import numpy as np
import pytest
import scipy.sparse as sp

from deepmapper.errors import InputError
from deepmapper.features.inputs import as_labels, as_matrix, check_finite


def test_the_callers_matrix_is_left_as_it_was():
    """Rows out of order and an entry given twice: read as what they add up to, and not rewritten."""
    X = sp.csr_matrix((np.array([1, 2, 3], dtype=np.float32), np.array([2, 2, 0]), np.array([0, 3, 3])), shape=(2, 4))
    for array in (X.data, X.indices, X.indptr):
        array.setflags(write=False)
    matrix, _ = as_matrix(X)
    np.testing.assert_array_equal(matrix.toarray(), [[3, 0, 3, 0], [0, 0, 0, 0]])
    assert X.data.tolist() == [1, 2, 3]
    assert X.indices.tolist() == [2, 2, 0]


def test_a_sparse_matrix_stays_sparse(planted):
    matrix, _ = as_matrix(planted.sparse)
    assert sp.issparse(matrix)
    assert np.shares_memory(matrix.data, planted.sparse.data)  # nor is it copied without need


def test_labels_are_coded_in_natural_order():
    codes, classes = as_labels(["b", "a10", "a2", "b"], 4)
    assert classes == ("a2", "a10", "b")
    assert codes.tolist() == [2, 1, 0, 2]


@pytest.mark.parametrize("kind", [np.array, sp.csr_matrix, sp.csc_matrix])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_first_value_that_is_no_number_is_named(kind, value):
    X = np.eye(4)
    X[2, 1] = X[3, 0] = value
    with pytest.raises(
        InputError, match=rf"2 value\(s\).*the first \({value}\) in sample 2, feature 1: expected finite"
    ):
        check_finite(kind(X))
    with pytest.raises(InputError, match="in sample 2, feature g1: expected finite numbers"):
        check_finite(kind(X), names=["g0", "g1", "g2", "g3"])


def test_finite_numbers_pass():
    check_finite(np.array([[1e30, -1e30]]))
    check_finite(sp.csr_matrix((3, 3)))
