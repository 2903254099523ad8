"""Statistics of the features: equal to numpy and scanpy, in blocks, on the development part."""

from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from packaging.version import Version

from deepmapper.core import blocks
from deepmapper.core.tables import read_table, write_table
from deepmapper.features.store import Features
from deepmapper.findings import statistics
from deepmapper.findings.statistics import feature_statistics, value_statistics, variable_features
from deepmapper.io.expression import Expression

NAMES = [f"g{i}" for i in range(3000)]


@pytest.fixture(scope="module")
def study():
    """400 samples of three donors × 3000 genes; 300 are the development part."""
    rng = np.random.default_rng(2)
    donors = rng.integers(0, 3, 400)
    rate = rng.gamma(0.4, 2.0, 3000) * rng.gamma(2.0, 0.5, (400, 1)) * np.exp(rng.normal(0, 0.4, (3, 3000)))[donors]
    counts = rng.poisson(rate * rng.gamma(1.0, 1.0, (400, 3000))).astype(np.float32)
    counts[:, 7], counts[:, 8] = 0, 2
    return sp.csr_matrix(counts), donors, np.sort(rng.choice(400, 300, replace=False))


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix])
@pytest.mark.parametrize("megabytes", [0, 100])
def test_values_are_summarised_as_by_numpy(study, form, megabytes, monkeypatch, tmp_path):
    counts, _, rows = study
    monkeypatch.setattr(blocks, "VALUES_AT_ONCE", 50_000)
    monkeypatch.setattr(statistics, "_COPY_MEGABYTES", megabytes)
    X = counts.toarray()
    X[:, 20:40] -= 1  # negative values, as after centring
    found = value_statistics(form(X), rows, tmp_path)
    wide = X[rows].astype(np.float64)
    np.testing.assert_allclose(found["mean"], wide.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found["variance"], wide.var(0, ddof=1), rtol=1e-12)
    np.testing.assert_array_equal(found["detected"], (wide != 0).mean(0))
    np.testing.assert_array_equal(found["median"], np.median(wide, axis=0))
    nonzero = [np.median(column[column != 0]) if column.any() else np.nan for column in wide.T]
    np.testing.assert_array_equal(found["median_detected"], nonzero)


def scanpy_order(counts, donors, flavor):
    """What scanpy chooses among the features that have counts."""
    import anndata
    import scanpy

    detected = counts.sum(0).A1 > 0
    obs = pd.DataFrame({"donor": pd.Categorical(donors.astype(str))}, index=[str(i) for i in range(len(donors))])
    adata = anndata.AnnData(counts[:, detected], obs=obs, var=pd.DataFrame(index=np.array(NAMES)[detected]))
    batch = "donor" if donors.any() else None
    chosen = scanpy.pp.highly_variable_genes(adata, flavor=flavor, n_top_genes=2000, batch_key=batch, inplace=False)
    return chosen.reindex(NAMES).fillna({"highly_variable": False, "variances_norm": 0.0})


def test_ranks_are_those_of_scanpy_with_and_without_batches(study, monkeypatch):
    counts, donors, rows = study
    monkeypatch.setattr(blocks, "VALUES_AT_ONCE", 50_000)
    found = variable_features(counts[rows], NAMES, donors[rows])
    assert not found.why_no_counts and not found.why_no_ranks
    one = scanpy_order(counts[rows], np.zeros(300, dtype=int), "seurat_v3")
    np.testing.assert_array_equal((found.table["hvg_rank"] <= 2000).fillna(False), one["highly_variable"])
    np.testing.assert_allclose(found.table["standardised_variance"], one["variances_norm"], rtol=1e-9)
    top = one["highly_variable"].to_numpy(dtype=bool)
    ranks = found.table["hvg_rank"].to_numpy(dtype=float, na_value=np.nan)
    np.testing.assert_array_equal(ranks[top], one["highly_variable_rank"][top] + 1)
    for flavor in ("seurat_v3", "seurat_v3_paper"):
        chosen = scanpy_order(counts[rows], donors[rows], flavor)["highly_variable"]
        ranks = found.table[f"hvg_rank_{flavor}"]
        # from 1.12 on scanpy sums batches in another order, and rounding decides between equal variances
        least = 0.95 if Version(version("scanpy")) >= Version("1.12") else 1.0
        assert ((ranks <= 2000).fillna(False).to_numpy(dtype=bool) == chosen.to_numpy(dtype=bool)).mean() >= least
    assert found.table["hvg_rank"][[7, 8]].isna().all()  # constant


def test_a_run_is_summarised_on_its_development_part_and_the_counts_behind_it(study, tmp_path):
    """Whatever the order of the samples in the matrix."""
    counts, donors, rows = study
    logs = sp.csr_matrix(np.log1p(counts.toarray()))
    samples = [f"s{i}" for i in range(400)]
    split = np.ones(400, dtype=np.uint8)
    split[rows] = 0
    features = Features(logs, donors % 2, ("a", "b"), tuple(NAMES), tuple(samples), split, groups=donors * 10)
    expression = Expression(counts[::-1], pd.DataFrame(index=samples[::-1]), pd.DataFrame(index=NAMES))
    made = feature_statistics(features, expression, estimated=False, folder=tmp_path)
    write_table(made.table, tmp_path / "statistics.tsv")
    read = read_table(tmp_path / "statistics.tsv")
    assert list(read) == list(made.table)
    expected = variable_features(counts[rows], NAMES, donors[rows]).table
    pd.testing.assert_frame_equal(made.table[expected.columns], expected)
    np.testing.assert_allclose(made.table["mean"], logs[rows].mean(0).A1, rtol=1e-5)


def test_without_groups_both_flavours_are_the_same(study):
    counts, _, rows = study
    table = variable_features(counts[rows], NAMES).table
    varying = np.ptp(counts[rows].toarray(), axis=0) > 0
    np.testing.assert_array_equal(table["hvg_rank"].notna(), varying)
    for flavor in ("seurat_v3", "seurat_v3_paper"):
        pd.testing.assert_series_equal(table["hvg_rank"], table[f"hvg_rank_{flavor}"], check_names=False)


def test_what_cannot_be_ranked_is_empty_and_says_why(study):
    counts, donors, rows = study
    halves = counts[rows] * 0.5
    made = variable_features(halves, NAMES)
    assert ".5, which is not a whole number" in made.why_no_counts and made.table["hvg_rank"].isna().all()
    assert variable_features(halves, NAMES, estimated=True).table["hvg_rank"].notna().any()
    assert "go down to -" in variable_features(-counts[rows], NAMES).why_no_counts
    constant = variable_features(sp.csr_matrix(np.ones((20, 30), dtype=np.float32)), NAMES[:30])
    assert "all samples: 0 of 30 features vary" in constant.why_no_ranks
    assert constant.table["hvg_rank"].isna().all()
    alone = donors[rows].copy()
    alone[0] = 3  # a donor of one sample
    made = variable_features(counts[rows], NAMES, alone)
    assert "group 3: 0 of 3000 features vary among 1 samples" in made.why_no_ranks
    assert made.table["hvg_rank"].notna().any() and made.table["hvg_rank_seurat_v3"].isna().all()
