"""A look at a matrix: all of a small one, names and the first values of a large one, in every format."""

import gzip

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse as sp

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.io import peek as module
from deepmapper.io.heads import text_head
from deepmapper.io.peek import peek

N, P = 200, 40


@pytest.fixture
def counts():
    X = np.random.default_rng(0).poisson(2, (N, P)).astype(np.float32)
    obs = pd.DataFrame({"state": np.array(["a", "b"])[np.arange(N) % 2]}, index=[f"cell{i}" for i in range(N)])
    return ad.AnnData(sp.csr_matrix(X), obs, pd.DataFrame(index=[f"gene{i}" for i in range(P)]))


@pytest.fixture
def small_looks(monkeypatch):
    """Take every file for a large one, of which little is read."""
    monkeypatch.setattr(module, "_SMALL", 0)
    monkeypatch.setattr(module, "_FIRST_VALUES", 16 * 400)
    monkeypatch.setattr(module, "_FIRST_BYTES", 4000)


def write_10x(folder, adata, packed=False):
    folder.mkdir(parents=True)
    scipy.io.mmwrite(folder / "matrix.mtx", adata.X.T.tocsc().astype(int))
    (folder / "features.tsv").write_text("".join(f"e{i}\t{name}\n" for i, name in enumerate(adata.var_names)))
    (folder / "barcodes.tsv").write_text("".join(f"{name}\n" for name in adata.obs_names))
    for path in list(folder.iterdir()) if packed else []:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()


def write_10x_h5(path, adata):
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        group["data"], group["indices"] = adata.X.data.astype(int), adata.X.indices
        group["indptr"], group["shape"] = adata.X.indptr, np.array([P, N])
        group["barcodes"] = np.array(adata.obs_names, dtype="S")
        group["features/id"] = group["features/name"] = np.array(adata.var_names, dtype="S")


def test_a_small_matrix_is_read_as_a_whole(counts, tmp_path):
    counts.write_h5ad(tmp_path / "m.h5ad")
    found = peek(tmp_path / "m.h5ad")
    assert found.is_whole
    assert (found.data.X != counts.X).nnz == 0


def test_of_a_large_h5ad_all_labels_and_the_first_rows_are_read(counts, tmp_path, small_looks):
    counts.write_h5ad(tmp_path / "m.h5ad")
    found = peek(tmp_path / "m.h5ad")
    assert list(found.data.obs["state"]) == list(counts.obs["state"])
    assert found.rows.tolist() == list(range(16 * 400 // P))
    assert "the values of samples after the first 160" in found.left


def test_a_large_h5ad_of_few_samples_is_read_as_a_whole(counts, tmp_path, small_looks):
    counts[:150].copy().write_h5ad(tmp_path / "m.h5ad")
    assert peek(tmp_path / "m.h5ad").is_whole


def test_values_of_columns_are_not_read(counts, tmp_path, small_looks):
    counts.X = counts.X.tocsc()
    counts.write_h5ad(tmp_path / "m.h5ad")
    found = peek(tmp_path / "m.h5ad")
    assert not found.has_values
    assert len(found.data.obs) == N


@pytest.mark.parametrize("packed", [False, True])
def test_of_a_large_10x_folder_all_names_and_the_first_values(counts, tmp_path, small_looks, packed):
    write_10x(tmp_path / "run/outs", counts, packed)
    found = peek(tmp_path / "run")
    assert list(found.data.obs_names) == list(counts.obs_names)
    assert list(found.data.var_names) == list(counts.var_names)
    first = found.rows
    assert 0 < len(first) < N
    assert (found.data.X[first] != counts.X[first]).nnz == 0


def test_samples_of_a_folder_and_populations_keep_their_names(counts, tmp_path, small_looks):
    for name in ("s1", "s2"):
        write_10x(tmp_path / "all" / name, counts)
    with pytest.warns(DeepMapperWarning, match=r"all: read 2 samples \('s1', 's2'\)"):
        found = peek(tmp_path / "all")
    assert set(found.data.obs["sample"]) == {"s1", "s2"}
    found = peek(None, [(tmp_path / "all/s1", "x"), (tmp_path / "all/s2", "y")])
    assert found.data.obs["population"].value_counts().to_dict() == {"x": N, "y": N}


def test_of_a_large_10x_h5_all_names_and_the_first_cells(counts, tmp_path, small_looks):
    write_10x_h5(tmp_path / "m.h5", counts)
    found = peek(tmp_path / "m.h5")
    first = found.rows
    assert len(found.data.obs) == N
    assert 0 < len(first) < N
    assert (found.data.X[first] != counts.X[first]).nnz == 0


def test_of_a_large_table_the_first_lines(counts, tmp_path, small_looks):
    counts.to_df().astype(int).assign(state=list(counts.obs["state"])).to_csv(tmp_path / "m.csv")
    with pytest.warns(DeepMapperWarning, match=r"m\.csv: 1 column \('state'\)"):
        found = peek(tmp_path / "m.csv")
    assert not found.has_all_samples
    assert found.has_all_features
    assert 0 < len(found.data.obs) < N
    counts.to_df().T.astype(int).to_csv(tmp_path / "t.csv.gz")
    found = peek(tmp_path / "t.csv.gz", transpose=True)
    assert found.has_all_samples
    assert not found.has_all_features
    assert list(found.data.obs_names) == list(counts.obs_names)


def test_messages_name_the_file_not_its_copy(counts, tmp_path, small_looks):
    (tmp_path / "m.csv").write_text("cell,g1,g2\nc1,1,2\nc2,1,x\n")
    with pytest.raises(InputError, match=rf"^{tmp_path}/m\.csv: "):
        peek(tmp_path / "m.csv")


def test_what_can_only_be_read_whole_is_not_read(counts, tmp_path, small_looks):
    counts.write_h5ad(tmp_path / "m.h5ad")
    (tmp_path / "m.h5ad.gz").write_bytes(gzip.compress((tmp_path / "m.h5ad").read_bytes()))
    counts.to_df().to_csv(tmp_path / "wide.csv", encoding="utf-16")
    for name in ("m.h5ad.gz", "wide.csv"):
        found = peek(tmp_path / name)
        assert found.data is None
        assert "can only be read whole" in found.left


def test_a_head_ends_with_a_complete_line(tmp_path):
    (tmp_path / "a.txt").write_text("one\ntwo\nthree\n")
    assert not text_head(tmp_path / "a.txt", tmp_path / "b.txt", 5)
    assert (tmp_path / "b.txt").read_text() == "one\ntwo\n"
    assert text_head(tmp_path / "a.txt", tmp_path / "b.txt", 500)
    assert (tmp_path / "b.txt").read_text() == "one\ntwo\nthree\n"
