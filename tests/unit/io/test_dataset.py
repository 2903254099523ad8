"""The documented functions on data sets: load, combine, subset and export."""

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.io.dataset import (
    Dataset,
    exclusive_genes,
    export_for_seurat,
    highly_variable_subset,
    intersect_genes,
    load_10x_populations,
    load_h5ad,
)
from deepmapper.io.normalize import normalize_matrix
from deepmapper.io.read import read_matrix


def make_dataset(toy, genes, X=None, **kwargs):
    X = sparse.csr_matrix(toy.counts[:, : len(genes)]) if X is None else X
    return Dataset(X, np.array([0, 1, 0, 1, 0, 1]), list(genes), ["a", "b"], **kwargs)


def test_load_10x_populations(tmp_path, toy):
    a = toy.write_10x(tmp_path / "a" / "filtered_gene_bc_matrices" / "hg19", old=True, gz=False).parents[1]
    b = toy.write_10x(tmp_path / "b", toy.counts[:4])
    ds = load_10x_populations([(a, "naive"), (b, "memory")], normalize=False)
    assert isinstance(ds.X, sparse.csr_matrix) and ds.X.dtype == np.float32
    np.testing.assert_array_equal(ds.X.toarray(), np.vstack([toy.counts, toy.counts[:4]]))
    assert ds.label_names == ["memory", "naive"]
    np.testing.assert_array_equal(ds.y, [1] * 6 + [0] * 4)
    assert (ds.n_cells, ds.n_genes, ds.obs_label_key) == (10, 5, "population")

    normalized = load_10x_populations([(a, "naive"), (b, "memory")])
    np.testing.assert_allclose(np.expm1(normalized.X.toarray()).sum(axis=1), 1e4, rtol=1e-5)


def test_load_10x_populations_draws_by_seed_and_population(tmp_path, toy):
    rng = np.random.default_rng(0)
    folders = {}
    for label, n in [("a", 40), ("b", 30), ("c", 5)]:
        counts = rng.poisson(3, (n, 5)) + 1
        folders[label] = toy.write_10x(tmp_path / label, counts, cells=[f"{label}{i}" for i in range(n)])
    specs = [(folder, label) for label, folder in folders.items()]

    def draw(specs, seed):
        ds = load_10x_populations(specs, normalize=False, n_per_class=10, seed=seed)
        return {label: ds.X.toarray()[ds.y == i] for i, label in enumerate(ds.label_names)}

    first = draw(specs, 0)
    assert {label: len(X) for label, X in first.items()} == {"a": 10, "b": 10, "c": 5}
    for label, X in draw(specs, 0).items():
        np.testing.assert_array_equal(X, first[label])
    for label, X in draw(specs[:2][::-1], 0).items():
        np.testing.assert_array_equal(X, first[label])
    assert not np.array_equal(draw(specs, 1)["a"], first["a"])
    with pytest.raises(InputError, match="n_per_class is 0"):
        load_10x_populations(specs, n_per_class=0)


def test_load_10x_populations_refused(tmp_path, toy):
    a = toy.write_10x(tmp_path / "a")
    with pytest.raises(InputError, match="populations: found none"):
        load_10x_populations([])
    with pytest.raises(InputError, match=r"1 class \('T'\)"):
        load_10x_populations([(a, "T")])


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_load_h5ad(tmp_path, kind, toy):
    path = toy.write_h5ad(tmp_path / "a.h5ad", kind(toy.counts))
    ds = load_h5ad(str(path), "cell_type", normalize=False)
    assert sparse.issparse(ds.X) == (kind is not np.asarray)
    assert isinstance(ds.X, np.ndarray | sparse.csr_matrix) and ds.X.dtype == np.float32
    np.testing.assert_array_equal(sparse.csr_matrix(ds.X).toarray(), toy.counts)
    np.testing.assert_array_equal(ds.y, [1, 0, 1, 0, 1, 0])
    assert (ds.label_names, ds.var_names, ds.obs_label_key) == (["B", "T"], toy.genes, "cell_type")
    normalized = load_h5ad(path, "cell_type", target_sum=100)
    assert type(normalized.X) is type(ds.X)
    np.testing.assert_allclose(np.expm1(sparse.csr_matrix(normalized.X).toarray()).sum(axis=1), 100, rtol=1e-5)


def test_load_h5ad_refused(tmp_path, toy):
    with pytest.raises(
        InputError, match=r"no column 'cell-type'\. Did you mean 'cell_type'\? Set label_key to one of 'cell_type'"
    ):
        load_h5ad(toy.write_h5ad(tmp_path / "a.h5ad"), "cell-type")
    path = toy.write_h5ad(tmp_path / "b.h5ad", other=["T", None, "B", "T", None, "B"])
    with pytest.raises(InputError, match=r"2 of 6 samples have no label \('cell1-1', 'cell4-1'\)"):
        load_h5ad(path, "other")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-1.0, r"1 negative value, .* the first is -1 in sample 'cell2-1', column 1"),
        (0.5, r"1 non-integer value .* the first is 0\.5 in sample 'cell2-1', column 1"),
    ],
)
def test_load_refuses_to_normalize_what_is_not_counts(tmp_path, value, message, toy):
    X = toy.counts.copy()
    X[2, 1] = value
    path = toy.write_h5ad(tmp_path / "a.h5ad", X)
    with pytest.raises(InputError, match=message + r".*Pass normalize=False"):
        load_h5ad(path, "cell_type")
    assert load_h5ad(path, "cell_type", normalize=False).X[2, 1] == np.float32(value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"X": np.zeros(3)}, r"X has the shape \(3,\)"),
        ({"y": [0, 1]}, r"y has the shape \(2,\), expected \(3,\)"),
        ({"y": [0, 1, -1]}, "y ranges from -1 to 1"),
        ({"y": [1, 2, 3]}, "y ranges from 1 to 3, expected indices of the 2 label_names"),
        ({"var_names": ["g"]}, "found 1 gene name, expected 2"),
        ({"var_names": ["g", "g"]}, "1 duplicate gene name"),
    ],
)
def test_dataset_refuses_parts_that_do_not_fit(changed, message):
    parts = {"X": np.zeros((3, 2)), "y": [0, 1, 0], "var_names": ["g", "h"], "label_names": ["a", "b"]}
    assert Dataset(**parts).obs_label_key == ""
    with pytest.raises(InputError, match=message):
        Dataset(**(parts | changed))


@pytest.mark.parametrize("kind", [sparse.csr_matrix, np.asarray])
def test_intersect_and_exclusive_genes(kind, toy):
    a, b = make_dataset(toy, "wxyz", kind(toy.counts[:, :4])), make_dataset(toy, "zqx", kind(toy.counts[:, :3]))
    shared_a, shared_b, shared = intersect_genes(a, b)
    assert shared == shared_a.var_names == shared_b.var_names == ["x", "z"]
    for ds, columns in ((shared_a, [1, 3]), (shared_b, [2, 0])):
        assert type(ds.X) is type(a.X)
        np.testing.assert_array_equal(sparse.csr_matrix(ds.X).toarray(), toy.counts[:, columns])
    assert exclusive_genes(a, b) == (["w", "y"], ["q"])
    with pytest.raises(InputError, match="share no gene: the first has 'w', 'x', 'y', ..., the second 'p', 'q'"):
        intersect_genes(a, make_dataset(toy, "pq"))


def test_genes_that_are_written_differently_are_shared(toy):
    versions = [f"ENSG0000000000{i}.{i}" for i in range(1, 4)]
    a = make_dataset(toy, [*versions, "HLA-A"], toy.counts[:, :4])
    b = make_dataset(toy, ["HLA.A", "ENSG00000000003", "ENSG00000000001.7"], toy.counts[:, :3])
    with pytest.warns(
        DeepMapperWarning, match=r"2 genes .* version of the id .*; 1 gene .* R writes .*0 genes matched"
    ):
        shared_a, shared_b, shared = intersect_genes(a, b)
    assert shared == shared_a.var_names == shared_b.var_names == [versions[0], versions[2], "HLA-A"]
    np.testing.assert_array_equal(shared_a.X, toy.counts[:, [0, 2, 3]])
    np.testing.assert_array_equal(shared_b.X, toy.counts[:, [2, 1, 0]])
    assert exclusive_genes(a, b) == ([versions[1]], [])


def test_export_for_seurat(tmp_path, toy):
    ds = make_dataset(toy, ["g1", "g,2", 'g"3'])
    assert export_for_seurat(ds, str(tmp_path / "deep" / "out")) == str(tmp_path / "deep" / "out")
    folder = tmp_path / "deep" / "out"
    assert sorted(file.name for file in folder.iterdir()) == ["counts.csv", "labels.csv"]
    counts = pd.read_csv(folder / "counts.csv", index_col=0)
    np.testing.assert_array_equal(counts.to_numpy(), toy.counts[:, :3])
    assert list(counts.columns) == ds.var_names and list(counts.index) == [f"cell{i}" for i in range(6)]
    assert (folder / "labels.csv").read_text().splitlines()[:3] == ["cell,label", "cell0,a", "cell1,b"]
    toy.check(
        read_matrix(folder / "counts.csv", labels_table=folder / "labels.csv"),
        toy.counts[:, :3],
        ds.var_names,
        counts.index,
    )


def test_export_for_seurat_wants_counts(tmp_path, toy):
    with pytest.raises(InputError, match=r"export_for_seurat: .* 1 negative value.* Load the data with normalize"):
        export_for_seurat(make_dataset(toy, "ab", toy.counts[:, :2] - np.eye(6, 2)[::-1]), tmp_path)
    with pytest.warns(DeepMapperWarning, match="non-integer values"):
        export_for_seurat(make_dataset(toy, "ab", np.log1p(toy.counts[:, :2])), tmp_path)
    values = pd.read_csv(tmp_path / "counts.csv", index_col=0).to_numpy().astype(np.float32)
    np.testing.assert_array_equal(values, np.log1p(toy.counts[:, :2]))


@pytest.mark.parametrize("kind", [sparse.csr_matrix, np.asarray])
def test_highly_variable_subset_is_that_of_scanpy(kind):
    import scanpy

    counts = np.random.default_rng(1).negative_binomial(1, 0.3, (80, 300)).astype(np.float32)
    counts[:, :40] *= np.random.default_rng(2).integers(0, 5, (80, 40))
    X = normalize_matrix(sparse.csr_matrix(counts), "log1p_cp10k")
    ds = Dataset(kind(X.toarray()), np.arange(80) % 2, [f"g{i}" for i in range(300)], ["a", "b"])
    subset, indices = highly_variable_subset(ds, n_top_genes=50)

    adata = anndata.AnnData(X.copy())
    scanpy.pp.highly_variable_genes(adata, n_top_genes=50)
    np.testing.assert_array_equal(indices, np.flatnonzero(adata.var["highly_variable"]))
    assert type(subset.X) is type(ds.X) and subset.n_genes == 50
    np.testing.assert_array_equal(sparse.csr_matrix(subset.X).toarray(), X.toarray()[:, indices])
    assert subset.var_names == [f"g{i}" for i in indices] and subset.label_names == ds.label_names


def test_highly_variable_subset_refused(toy):
    ds = make_dataset(toy, "abc", np.log1p(toy.counts[:, :3]))
    with pytest.raises(InputError, match="n_top_genes is 2000, expected 1 to 3"):
        highly_variable_subset(ds)
    with pytest.raises(InputError, match="n_top_genes is 0"):
        highly_variable_subset(ds, 0)
    with pytest.raises(InputError, match="X ranges from 0 to 40, expected log-normalised values"):
        highly_variable_subset(make_dataset(toy, toy.genes), 2)
    with pytest.raises(InputError, match="X ranges from -1 to 39"):
        highly_variable_subset(make_dataset(toy, toy.genes, toy.counts - 1), 2)


def test_a_missing_dependency_is_named(monkeypatch, toy):
    monkeypatch.setitem(__import__("sys").modules, "scanpy", None)
    with pytest.raises(ImportError, match=r"needs scanpy here .* pip install 'deepmapper\[io\]'"):
        highly_variable_subset(make_dataset(toy, "ab", np.log1p(toy.counts[:, :2])), 1)
