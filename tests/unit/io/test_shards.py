"""AnnData as a source of row blocks, of which some rows can be read alone."""

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from deepmapper.core import blocks
from deepmapper.core.blocks import blocks_between
from deepmapper.errors import InputError
from deepmapper.io.shards import check_same_features, open_shard


@pytest.fixture(scope="module")
def adata():
    rng = np.random.default_rng(0)
    X = sp.csr_matrix(rng.poisson(0.5, (90, 20)).astype(np.float32))
    adata = anndata.AnnData(X, obs=pd.DataFrame({"a": range(90)}, index=[f"c{i}" for i in range(90)]))
    adata.layers["double"] = X * 2
    adata.raw = adata[:, :15].copy()
    return adata


@pytest.fixture
def source(adata, tmp_path, request):
    """The same matrix as it is stored in the form asked for."""
    form = request.param
    if form == "memory":
        return adata
    changed = adata.copy()
    changed.X = {"csr": sp.csr_matrix, "csc": sp.csc_matrix, "dense": lambda X: X.toarray()}[form](adata.X)
    changed.write_h5ad(tmp_path / "cells.h5ad")
    return tmp_path / "cells.h5ad"


@pytest.mark.parametrize("source", ["memory", "csr", "csc", "dense"], indirect=True)
@pytest.mark.parametrize(("start", "stop"), [(0, 90), (13, 14), (20, 71), (90, 90)])
def test_rows_are_read_in_blocks_with_their_places(adata, source, start, stop, monkeypatch):
    monkeypatch.setattr(blocks, "VALUES_AT_ONCE", 100)
    shard = open_shard(source)
    assert shard.n == 90 and shard.var_names.tolist() == [str(i) for i in range(20)]
    found, expected = np.full((90, 20), np.nan), np.full((90, 20), np.nan)
    for place, block in blocks_between(shard.X, start, stop):
        found[place] = block.toarray() if sp.issparse(block) else block
    expected[start:stop] = adata.X.toarray()[start:stop]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("source", ["memory", "csr"], indirect=True)
def test_layers_and_raw_are_read_by_name(adata, source):
    double = open_shard(source, "double")
    (_, block), *_ = blocks_between(double.X, 0, 90)
    np.testing.assert_array_equal(block.toarray(), 2 * adata.X.toarray())
    assert len(open_shard(source, "raw").var_names) == 15
    with pytest.raises(InputError, match="no matrix 'other'"):
        open_shard(source, "other")


def test_shards_of_other_features_are_refused(adata):
    check_same_features([open_shard(adata), open_shard(adata[:10].copy())])
    with pytest.raises(InputError, match="found 1 feature missing"):
        check_same_features([open_shard(adata), open_shard(adata[:, :19].copy())])
