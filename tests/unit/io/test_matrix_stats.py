"""Values that no matrix may hold."""

import numpy as np
import pytest
from scipy import sparse

from deepmapper.errors import InputError
from deepmapper.io.dataset import load_h5ad
from deepmapper.io.normalize import normalize_matrix
from deepmapper.io.read import read_matrix


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_values_that_are_not_finite_are_refused(tmp_path, value, kind, toy):
    X = toy.counts.copy()
    X[3, 2] = X[4, 0] = value
    path = toy.write_h5ad(tmp_path / "a.h5ad", kind(X))
    message = rf"a\.h5ad .*2 NaN or infinite values, the first \({value}\) in sample 'cell3-1', feature 'GATA1'"
    with pytest.raises(InputError, match=message):
        read_matrix(path)
    with pytest.raises(InputError, match=message):
        load_h5ad(path, "cell_type")
    with pytest.raises(InputError, match=r"in sample 'row 3', column 2 \(from 0\)"):
        normalize_matrix(kind(X), "none")


def test_values_beyond_float32_are_refused(tmp_path, toy):
    with pytest.raises(InputError, match=r"1 NaN or infinite value, the first \(inf\) in sample 'a', feature 'g'"):
        read_matrix(toy.write_text(tmp_path / "a.csv", "s,g\na,1e39\n"))
