"""AnnData files: what is read of them, in every layout, and the damage that is refused."""

import gzip
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy import sparse

from deepmapper.errors import InputError
from deepmapper.io.read import read_matrix

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix, lambda X: X.astype(np.float64)])
def test_h5ad_becomes_csr_float32_and_keeps_only_what_is_needed(tmp_path, kind, toy):
    adata = toy.make_adata(kind(toy.counts))
    adata.obsm["X_pca"] = np.zeros((6, 2))
    adata.uns["settings"] = {"a": 1}
    adata.layers["other"] = toy.counts
    adata.write_h5ad(tmp_path / "a.h5ad")
    read = read_matrix(tmp_path / "a.h5ad")
    toy.check(read)
    assert list(read.obs["cell_type"]) == toy.types
    assert not read.obsm and not read.uns and not read.layers


def test_h5ad_layer_raw_and_tpm(tmp_path, toy):
    adata = toy.make_adata(np.log1p(toy.counts))
    adata.layers["counts"] = sparse.csr_matrix(toy.counts)
    adata.layers["tpm"] = toy.counts * 2
    adata.raw = toy.make_adata(toy.counts + 1, genes=[g.lower() for g in toy.genes])
    adata = adata[:, :3].copy()
    adata.write_h5ad(tmp_path / "a.h5ad")
    counts = read_matrix(tmp_path / "a.h5ad", layer="counts")
    toy.check(counts, toy.counts[:, :3], toy.genes[:3])
    np.testing.assert_array_equal(counts.layers["tpm"].toarray(), toy.counts[:, :3] * 2)
    raw = read_matrix(tmp_path / "a.h5ad", layer="raw")
    toy.check(raw, toy.counts + 1, [g.lower() for g in toy.genes])
    assert "tpm" not in raw.layers
    with pytest.raises(InputError, match=r"no matrix 'count'\. Did you mean 'counts'\? .*'X', 'raw', 'counts'"):
        read_matrix(tmp_path / "a.h5ad", layer="count")


def test_h5ad_of_before_anndata_0_7(tmp_path):
    path = Path(__import__("scanpy").__file__).parent / "datasets" / "10x_pbmc68k_reduced.h5ad"
    demo = read_matrix(ROOT / "resources" / "demo" / "matrix" / "pbmc68k_reduced.h5ad")
    old = read_matrix(path, layer="raw")
    assert (old.X != demo.X).nnz == 0
    assert list(old.var_names) == list(demo.var_names)
    assert list(old.obs["bulk_labels"]) == list(demo.obs["bulk_labels"])
    assert read_matrix(path).X.min() < 0  # scaled values in X


def test_h5ad_with_number_and_reserved_names(tmp_path, toy):
    toy.write_h5ad(tmp_path / "a.h5ad")
    with h5py.File(tmp_path / "a.h5ad", "r+") as file:
        file["var"]["entrez"] = np.arange(5)
        file["var"].attrs["_index"] = "entrez"
        file["obs"]["_index2"] = file["obs"]["_index"]
        file["obs"].attrs["_index"] = "_index2"
        file["obs"].attrs["column-order"] = np.array(["cell_type", "_index"], dtype=object)
    adata = read_matrix(tmp_path / "a.h5ad")
    toy.check(adata, genes=list("01234"))
    adata.write_h5ad(tmp_path / "b.h5ad")
    toy.check(read_matrix(tmp_path / "b.h5ad"), genes=list("01234"))


def test_h5ad_refused(tmp_path, toy):
    path = toy.write_h5ad(tmp_path / "a.h5ad")
    content = path.read_bytes()
    toy.write_text(tmp_path / "page.h5ad", "<html>404")
    with pytest.raises(InputError, match=r"page\.h5ad is not an HDF5 file: it starts with b'<html>404'"):
        read_matrix(tmp_path / "page.h5ad")
    (tmp_path / "b.h5ad.gz").write_bytes(gzip.compress(content))
    toy.check(read_matrix(tmp_path / "b.h5ad.gz"))
    (tmp_path / "cut.h5ad").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"cut\.h5ad cannot be read: .*truncated.* not copied completely"):
        read_matrix(tmp_path / "cut.h5ad")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="is a folder, expected an HDF5 file"):
        read_matrix(tmp_path / "folder", format="h5ad")
    with pytest.raises(InputError, match=r"is not an AnnData file: it holds 'matrix'.* set format to 10x_h5"):
        read_matrix(toy.write_10x_h5(tmp_path / "t.h5"), format="h5ad")
    with pytest.raises(InputError, match=r"is not a 10x matrix: .* set format to h5ad"):
        read_matrix(path, format="10x_h5")
    with h5py.File(path, "r+") as file:
        file["X/indices"][0] = 99
    with pytest.raises(InputError, match="the sparse matrix is damaged"):
        read_matrix(path)
    with h5py.File(path, "r+") as file:
        del file["X"]
    with pytest.raises(InputError, match="has no matrix 'X'"):
        read_matrix(path)
