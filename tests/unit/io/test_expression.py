"""Matrices read and written in row blocks equal those read into memory; damage is refused."""

import shutil
import warnings

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from deepmapper.core import blocks
from deepmapper.errors import InputError
from deepmapper.features.prepare import prepare_features
from deepmapper.features.store import open_features, write_features
from deepmapper.io import read as io_read
from deepmapper.io.expression import Expression, import_matrix, open_expression, write_expression


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of a few rows, so that small matrices have many."""
    monkeypatch.setattr(blocks, "VALUES_AT_ONCE", 64)


@pytest.fixture
def adata():
    """70 samples × 40 features of counts, four in five of them zero."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(5, (70, 40)) * (rng.random((70, 40)) < 0.2)
    counts[:, 0] += 1
    counts[33] *= 9
    obs = pd.DataFrame({"type": np.array(["a", "b", "c"])[np.arange(70) % 3]}, index=[f"cell{i}" for i in range(70)])
    made = anndata.AnnData(
        sp.csr_matrix(counts, dtype=np.float32), obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(40)])
    )
    made.layers["tpm"] = sp.csr_matrix(counts * 2.5, dtype=np.float32)
    return made


def dense(adata):
    adata.X = adata.X.toarray().astype(np.float64)
    return adata


def by_columns(adata):
    adata.X = adata.X.tocsc()
    return adata


def with_stored_zeros(adata):
    X = adata.X.copy()
    X.data[::7] = 0
    adata.X = X
    return adata


@pytest.mark.parametrize("kind", [lambda adata: adata, dense, by_columns, with_stored_zeros])
def test_an_h5ad_is_imported_as_when_read_into_memory(tmp_path, adata, kind):
    kind(adata).write_h5ad(tmp_path / "in.h5ad")
    lines = []
    import_matrix(tmp_path / "out.h5ad", tmp_path / "in.h5ad", progress=lines.append)
    whole, made = io_read.read_matrix(tmp_path / "in.h5ad"), anndata.read_h5ad(tmp_path / "out.h5ad")
    assert isinstance(made.X, sp.csr_matrix) and made.X.dtype == np.float32
    for ours, expected in ((made.X, whole.X), (made.layers["tpm"], whole.layers["tpm"])):
        for part in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(ours, part), getattr(expected, part))
    pd.testing.assert_frame_equal(made.obs, whole.obs)
    pd.testing.assert_frame_equal(made.var, whole.var)
    assert lines[-1] == f"70 samples × 40 features, {whole.X.nnz} nonzero values"
    assert sum("samples read" in line for line in lines) >= 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.h5ad", "out.h5ad"]


def test_layers_labels_and_duplicate_names(tmp_path, adata):
    adata.layers["raw_counts"] = adata.X * 2
    adata.var_names = ["g0", *adata.var_names[1:-1], "g0"]
    adata.write_h5ad(tmp_path / "in.h5ad")
    table = pd.DataFrame({"name": adata.obs_names[::-1], "dose": np.arange(70)})
    table.to_csv(tmp_path / "labels.csv", index=False)
    options = {"layer": "raw_counts", "labels_table": tmp_path / "labels.csv", "duplicate_names": "make_unique"}
    with pytest.warns(UserWarning, match="made unique"):
        import_matrix(tmp_path / "out.h5ad", tmp_path / "in.h5ad", **options)
    made = anndata.read_h5ad(tmp_path / "out.h5ad")
    assert made.obs["dose"].tolist() == [str(i) for i in range(69, -1, -1)]
    assert (adata.layers["raw_counts"] != made.X).nnz == 0 and made.var_names[-1] == "g0-1"
    with pytest.raises(InputError, match="has no matrix 'raw_count'"):
        import_matrix(tmp_path / "x.h5ad", tmp_path / "in.h5ad", layer="raw_count")


def test_nonfinite_values_are_refused_and_leave_no_file(tmp_path, adata):
    adata.X[40, 0], adata.X[60, 0] = np.nan, np.inf
    adata.write_h5ad(tmp_path / "in.h5ad")
    with pytest.raises(InputError, match=r"2 NaN or infinite values, the first \(nan\) in sample 'cell40', feature"):
        import_matrix(tmp_path / "out.h5ad", tmp_path / "in.h5ad")
    assert [path.name for path in tmp_path.iterdir()] == ["in.h5ad"]


def test_a_damaged_matrix_is_refused(tmp_path, adata):
    adata.write_h5ad(tmp_path / "in.h5ad")
    with h5py.File(tmp_path / "in.h5ad", "r+") as file:
        file["X/indices"][5] = 99
    with pytest.raises(InputError, match="the sparse matrix is damaged"):
        import_matrix(tmp_path / "out.h5ad", tmp_path / "in.h5ad")
    with h5py.File(tmp_path / "in.h5ad", "r+") as file:
        file["X/indptr"][5] = 9999
    with pytest.raises(InputError, match="the sparse matrix is damaged"):
        import_matrix(tmp_path / "out.h5ad", tmp_path / "in.h5ad")


@pytest.mark.parametrize("kind", [lambda adata: adata, dense])
@pytest.mark.parametrize("normalization", ["none", "log1p_cp10k", "log1p_tpm"])
def test_a_store_from_the_file_equals_one_from_memory(tmp_path, adata, kind, normalization):
    warnings.filterwarnings("ignore", "The values are whole numbers")  # which are not usual with "none"
    kind(adata)
    if kind is dense:
        adata.X += 1  # most values are not zero: the store is dense, too
    adata.write_h5ad(tmp_path / "in.h5ad")
    import_matrix(tmp_path / "expression.h5ad", tmp_path / "in.h5ad")
    asked = {"depth": True, "detected": kind is not dense, "cell_cycle": True}  # dense: the same in every sample
    genes = {"s_genes": ["g1", "g2", "g3"], "g2m_genes": ["g4", "g5"]}
    options = {"label_column": "type", "exclude": ["b"], "normalization": normalization, "confounders": asked | genes}
    whole = prepare_features(anndata.read_h5ad(tmp_path / "expression.h5ad"), **options)
    part = prepare_features(open_expression(tmp_path / "expression.h5ad"), **options)
    assert not isinstance(part.X, np.ndarray | sp.spmatrix)
    for name, features in (("whole", whole), ("part", part)):
        write_features(tmp_path / name, features)
    files = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "part").iterdir())
    for name in files:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "part" / name).read_bytes(), name
    # and as numpy itself would have written it
    X = open_features(tmp_path / "part").X
    arrays = {"dense": X} if isinstance(X, np.ndarray) else {"data": X.data, "indices": X.indices, "indptr": X.indptr}
    for name, array in arrays.items():
        np.save(tmp_path / "one.npy", array)
        assert (tmp_path / "one.npy").read_bytes() == (tmp_path / "part" / f"matrix.{name}.npy").read_bytes()


def test_negative_counts_are_refused_when_read_from_the_file(tmp_path, adata):
    adata.X[50, 0] = -2
    adata.write_h5ad(tmp_path / "in.h5ad")
    import_matrix(tmp_path / "expression.h5ad", tmp_path / "in.h5ad")
    for source in (anndata.read_h5ad(tmp_path / "expression.h5ad"), open_expression(tmp_path / "expression.h5ad")):
        with pytest.raises(InputError, match="1 negative value, .* the first is -2 in sample 'cell50', column 0"):
            prepare_features(source, label_column="type")


def test_some_samples_are_written_with_other_results(tmp_path, adata):
    adata.uns["quantification"] = {"salmon": "1.10"}
    adata.write_h5ad(tmp_path / "expression.h5ad")
    expression, rows = open_expression(tmp_path / "expression.h5ad"), np.arange(5, 60, 3)
    tables = anndata.AnnData(obs=expression.obs, var=expression.var, uns=dict(expression.uns))[rows].copy()
    tables.obsm["X_deepmapper"] = np.ones((len(rows), 2))
    sources = {"X": expression.X, "layers/tpm": expression.layers["tpm"]}
    chosen = {name: blocks.MappedRows(source, rows, lambda block, _: block) for name, source in sources.items()}
    n_values = write_expression(tmp_path / "out.h5ad", tables, chosen)
    made = anndata.read_h5ad(tmp_path / "out.h5ad")
    assert n_values == made.X.nnz == adata.X[rows].nnz
    for ours, theirs in ((made.X, adata.X[rows]), (made.layers["tpm"], adata.layers["tpm"][rows])):
        assert (ours != theirs).nnz == 0
    assert made.obs_names.tolist() == adata.obs_names[rows].tolist() and made.uns["quantification"]["salmon"] == "1.10"
    assert made.obsm["X_deepmapper"].shape == (len(rows), 2)


def zarr_of_version(version):
    def write(adata, path):
        with anndata.settings.override(zarr_write_format=version):
            adata.write_zarr(path)

    return write


@pytest.mark.parametrize("kind", [lambda adata: adata, dense, by_columns, with_stored_zeros])
@pytest.mark.parametrize("version", [2, 3])
def test_a_zarr_is_imported_like_the_same_h5ad(tmp_path, adata, kind, version):
    kind(adata).write_h5ad(tmp_path / "in.h5ad")
    zarr_of_version(version)(adata, tmp_path / "in.zarr")
    for ending in ("h5ad", "zarr"):
        import_matrix(tmp_path / f"from_{ending}.h5ad", tmp_path / f"in.{ending}")
    ours, theirs = (anndata.read_h5ad(tmp_path / f"from_{ending}.h5ad") for ending in ("zarr", "h5ad"))
    for one, other in ((ours.X, theirs.X), (ours.layers["tpm"], theirs.layers["tpm"])):
        for part in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(one, part), getattr(other, part))
    pd.testing.assert_frame_equal(ours.obs, theirs.obs)
    pd.testing.assert_frame_equal(ours.var, theirs.var)
    np.testing.assert_array_equal(io_read.read_matrix(tmp_path / "in.zarr").X.toarray(), theirs.X.toarray())


def test_layers_of_a_zarr_without_a_suffix(tmp_path, adata):
    adata.layers["raw_counts"] = adata.X * 2
    adata.write_zarr(tmp_path / "study")
    for format in ("auto", "zarr"):
        import_matrix(tmp_path / "out.h5ad", tmp_path / "study", format=format, layer="raw_counts")
        assert (anndata.read_h5ad(tmp_path / "out.h5ad").X != adata.X * 2).nnz == 0
    with pytest.raises(InputError, match="has no matrix 'raw_count'. Did you mean 'raw_counts'"):
        import_matrix(tmp_path / "out.h5ad", tmp_path / "study", layer="raw_count")
    with pytest.raises(InputError, match="is a folder, expected an HDF5 file"):
        import_matrix(tmp_path / "out.h5ad", tmp_path / "study", format="h5ad")


def without_X(path):
    shutil.rmtree(path / "X")


def without_the_tables(path):
    for name in ("obs", "var"):
        shutil.rmtree(path / name)


def without_marks(path):
    for name in (".zgroup", "zarr.json"):
        (path / name).unlink(missing_ok=True)


def without_a_chunk(path):
    next(file for file in (path / "X/indices").rglob("[0-9]*") if file.is_file()).unlink()


def with_half_a_chunk(path):
    file = next(file for file in (path / "X/indices").rglob("[0-9]*") if file.is_file())
    file.write_bytes(file.read_bytes()[:20])


def as_a_file(path):
    shutil.rmtree(path)
    path.write_bytes(b"PK")


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_X, "has no matrix 'X'.* 'tpm'"),
        (without_the_tables, "is not an AnnData file: it holds .*, but no obs and var.* tables or mod"),
        (without_marks, "is not a zarr folder: it holds .*, but neither zarr.json nor .zgroup"),
        (without_a_chunk, "1 of 1 chunks of array 'indices' are missing. The folder was not copied completely"),
        (with_half_a_chunk, "in.zarr cannot be read: .*damaged, was not copied completely"),
        (as_a_file, "in.zarr is a file, expected a zarr folder. If it is an archive, unpack it"),
    ],
)
def test_an_incomplete_zarr_is_refused(tmp_path, adata, version, spoil, message):
    zarr_of_version(version)(adata, tmp_path / "in.zarr")
    spoil(tmp_path / "in.zarr")
    with pytest.raises(InputError, match=message):
        import_matrix(tmp_path / "out.h5ad", tmp_path / "in.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["in.zarr"]


def test_missing_chunks_of_a_dense_zarr_give_a_warning(tmp_path, adata):
    dense(adata).write_zarr(tmp_path / "in.zarr", chunks=(10, 40))
    chunks = [file for file in (tmp_path / "in.zarr/X").rglob("[0-9]*") if file.is_file()]
    chunks[0].unlink()
    with pytest.warns(UserWarning, match=r"1 of 7 chunks of the matrix are missing and are read as zeros"):
        import_matrix(tmp_path / "out.h5ad", tmp_path / "in.zarr")
    for chunk in chunks[1:]:
        chunk.unlink()
    with pytest.raises(InputError, match="7 of 7 chunks"):
        import_matrix(tmp_path / "out.h5ad", tmp_path / "in.zarr")


def test_samples_are_found_by_name_and_a_missing_one_is_refused():
    """The position -1 of a missing sample must not be used as the last row."""
    expression = Expression(None, pd.DataFrame(index=["b", "a", "c"]), pd.DataFrame())
    assert expression.rows_of(("a", "c", "b")).tolist() == [1, 2, 0]
    with pytest.raises(InputError, match="1 of 2 samples .*the first is 'd'.*prepare_features again"):
        expression.rows_of(["a", "d"])
