"""Arrays of matrices that may be sparse, and rows of arrays that may be absent."""

import numpy as np
import pytest
import scipy.sparse as sp

from deepmapper.core.arrays import dense, take_rows

VALUES = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix, sp.csc_array])
def test_any_matrix_becomes_an_array_of_its_own_type_or_another(kind):
    for dtype in (None, np.float64):
        found = dense(kind(VALUES), dtype)
        assert type(found) is np.ndarray and found.dtype == (dtype or np.float32)
        np.testing.assert_array_equal(found, VALUES)


def test_an_array_is_not_copied():
    assert dense(VALUES) is VALUES


def test_rows_of_what_is_absent_are_absent():
    assert take_rows(None, np.array([1])) is None
    assert take_rows([4, 5, 6], np.array([2, 0])).tolist() == [6, 4]
