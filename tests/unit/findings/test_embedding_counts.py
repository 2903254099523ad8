"""Counts for an embedding: of the features that vary most where it learns, in little memory."""

import tracemalloc

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp

from deepmapper.core import blocks
from deepmapper.errors import InputError
from deepmapper.features.store import Features
from deepmapper.findings.embedding_counts import counts_of
from deepmapper.io.expression import Expression


def study(n, p, normalization="log"):
    """Counts with genes of very different variances, of which about a tenth is detected."""
    rng = np.random.default_rng(0)
    rate = rng.gamma(0.3, 0.4, (1, p)) * np.exp(rng.normal(0, 1, (n, 1)) * (np.arange(p) % 7 == 0))
    counts = sp.csr_matrix(rng.poisson(rate).astype(np.float32))
    names, samples = tuple(f"g{i}" for i in range(p)), tuple(f"c{i}" for i in range(n))
    split = np.zeros(n, np.uint8)
    features = Features(counts, np.zeros(n), ("a",), names, samples, split, metadata={"normalization": normalization})
    return features, Expression(counts, pd.DataFrame(index=list(samples)), pd.DataFrame(index=list(names)))


def test_features_are_those_that_scanpy_finds_among_the_rows():
    features, expression = study(300, 200)
    rows = np.arange(0, 300, 2)
    found = counts_of(features, rows, expression, 40)
    expected = sc.pp.highly_variable_genes(
        anndata.AnnData(expression.X[rows]), flavor="seurat_v3", n_top_genes=40, inplace=False
    )["highly_variable"].to_numpy()
    assert found.var_names.tolist() == [f"g{i}" for i in np.flatnonzero(expected)]
    np.testing.assert_array_equal(found.X.toarray(), expression.X[rows][:, expected].toarray())
    assert counts_of(features, rows, expression, 0).X.shape == (150, 200)
    assert counts_of(features, rows, expression, 500).X.shape == (150, 200)


def test_memory_does_not_grow_with_the_features(monkeypatch):
    monkeypatch.setattr(blocks, "VALUES_AT_ONCE", 2**15)
    features, expression = study(3000, 5000)
    size = expression.X.data.nbytes + expression.X.indices.nbytes
    tracemalloc.start()
    found = counts_of(features, np.arange(2000), expression, 50)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.X.shape == (2000, 50)
    assert size > 8 * 2**20 and peak < size / 3


@pytest.mark.parametrize(
    ("normalization", "change", "is_refused"),
    [("none", 0.5, True), ("log", 0.5, False), ("none", 1, False), ("log", -1, True)],
)
def test_values_that_are_no_counts_are_refused(normalization, change, is_refused):
    features, expression = study(60, 30, normalization)
    given = Expression(expression.X * np.float32(change), expression.obs, expression.var)
    if is_refused:
        with pytest.raises(InputError, match="embeddings.scvi reads counts, and the matrix has others"):
            counts_of(features, np.arange(60), given, 10)
    else:
        assert counts_of(features, np.arange(60), given, 0).X.shape == (60, 30)
