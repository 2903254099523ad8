"""Matrices in unnamed temporary files: the same values, none of them in memory, and nothing left behind."""

import mmap

import numpy as np
import pytest
import scipy.sparse as sp

from deepmapper.core.mapped_copy import mapped_csr


def file_behind(array):
    while isinstance(array, np.ndarray):
        array = array.base
    return array


@pytest.mark.parametrize("density", [0.2, 0.001])
def test_rows_in_parts_become_one_mapped_matrix(tmp_path, density):
    X = sp.random(50, 30, density, "csr", np.float32, np.random.default_rng(0))
    parts = (X[start : start + 7] for start in range(0, 50, 7))
    found = mapped_csr(parts, X.nnz, 30, tmp_path)
    assert found.shape == X.shape and (found != X).nnz == 0
    assert isinstance(file_behind(found.data), mmap.mmap) and isinstance(file_behind(found.indices), mmap.mmap)
    assert found.indptr.dtype == found.indices.dtype == np.int32  # of one type, or scipy copies
    assert list(tmp_path.iterdir()) == []


def test_rows_without_values(tmp_path):
    found = mapped_csr(iter([sp.csr_matrix((3, 5), dtype=np.float32), sp.csr_matrix((2, 5))]), 0, 5, tmp_path)
    assert found.shape == (5, 5) and found.nnz == 0 and found.dtype == np.float32
