"""Values of new samples are read some at a time."""

import numpy as np
import pytest
import scipy.sparse as sp

from deepmapper.transfer import values
from deepmapper.transfer.values import parts_of


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix])
def test_rows_are_read_some_at_a_time_and_no_others(kind, monkeypatch):
    monkeypatch.setattr(values, "_AT_ONCE", 4)
    X = np.arange(60.0).reshape(20, 3)
    parts = [sp.csr_matrix(part).toarray() for part in parts_of(kind(X), slice(3, 14))]
    assert [len(part) for part in parts] == [4, 4, 3]
    np.testing.assert_array_equal(np.vstack(parts), X[3:14])
    assert list(parts_of(kind(X), slice(5, 5))) == []
