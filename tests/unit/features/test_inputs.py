"""What a caller passes as matrix, labels and groups."""

import numpy as np
import scipy.sparse as sp

from deepmapper.features.inputs import as_labels, as_matrix


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
