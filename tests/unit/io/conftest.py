"""A small matrix of counts, and what writes it in every format that is read."""

import gzip
import warnings
from types import SimpleNamespace

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
from scipy import sparse

from deepmapper.errors import DeepMapperWarning

CELLS = [f"cell{i}-1" for i in range(6)]
GENES = ["TP53", "MYC", "GATA1", "CD3E", "MS4A1"]
IDS = [f"ENSG{i:05d}" for i in range(5)]
COUNTS = np.array(
    [
        [3, 0, 1, 0, 40],
        [0, 2, 0, 0, 7],
        [5, 0, 0, 1, 0],
        [0, 0, 9, 0, 1],
        [1, 1, 1, 1, 1],
        [0, 0, 0, 2, 0],
    ],
    dtype=np.float32,
)
TYPES = ["T", "B", "T", "B", "T", "B"]


def make_adata(X=None, genes=GENES, cells=CELLS, **columns):
    X = sparse.csr_matrix(COUNTS) if X is None else X
    obs = pd.DataFrame({"cell_type": TYPES[: X.shape[0]], **columns}, index=list(cells)[: X.shape[0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return anndata.AnnData(X, obs=obs, var=pd.DataFrame(index=list(genes)))


def write_h5ad(path, X=None, genes=GENES, cells=CELLS, **columns):
    make_adata(X, genes, cells, **columns).write_h5ad(path)
    return path


def write_text(path, text):
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


def write_10x(folder, counts=COUNTS, genes=GENES, ids=IDS, cells=CELLS, gz=True, old=False, kinds=None, prefix=""):
    """A Cell Ranger folder: version 2 (``old``: genes.tsv, two columns) or 3 (features.tsv, three)."""
    folder.mkdir(parents=True, exist_ok=True)
    end = ".gz" if gz else ""
    cells = cells[: len(counts)]
    kinds = kinds or ["Gene Expression"] * len(genes)
    lines = [f"{i}\t{g}" if old else f"{i}\t{g}\t{k}" for i, g, k in zip(ids, genes, kinds, strict=True)]
    write_text(folder / f"{prefix}{'genes' if old else 'features'}.tsv{end}", "\n".join(lines) + "\n")
    write_text(folder / f"{prefix}barcodes.tsv{end}", "".join(f"{cell}\n" for cell in cells))
    plain = folder / f"{prefix}matrix.mtx"
    scipy.io.mmwrite(plain, sparse.coo_matrix(np.asarray(counts).T.astype(int)))
    if gz:
        write_text(plain.with_name(plain.name + ".gz"), plain.read_text())
        plain.unlink()
    return folder


def write_10x_h5(path, old=False, genomes=("GRCh38",)):
    X = sparse.csr_matrix(COUNTS.astype(np.int32))
    with h5py.File(path, "w") as file:
        for genome in genomes if old else ["matrix"]:
            group = file.create_group(genome)
            group["barcodes"] = np.array(CELLS, dtype="S")
            group["data"], group["indices"], group["indptr"] = X.data, X.indices, X.indptr
            group["shape"] = np.array(X.shape[::-1])
            features = group if old else group.create_group("features")
            features["genes" if old else "id"] = np.array(IDS, dtype="S")
            features["gene_names" if old else "name"] = np.array(GENES, dtype="S")
            if not old:
                features["feature_type"] = np.array(["Gene Expression"] * 5, dtype="S")
    return path


def write_table(path, separator=",", X=COUNTS, rows=CELLS, columns=GENES, corner="cell"):
    lines = [separator.join([corner, *columns])]
    lines += [separator.join([name, *(f"{v:g}" for v in values)]) for name, values in zip(rows, X, strict=True)]
    return write_text(path, "\n".join(lines) + "\n")


def check(adata, counts=COUNTS, genes=GENES, cells=CELLS):
    assert isinstance(adata.X, sparse.csr_matrix)
    assert adata.X.dtype == np.float32
    np.testing.assert_array_equal(adata.X.toarray(), counts)
    assert list(adata.var_names) == list(genes)
    assert list(adata.obs_names) == list(cells)


@pytest.fixture
def toy():
    """The matrix, its names and its labels, and the functions above."""
    return SimpleNamespace(
        counts=COUNTS,
        genes=GENES,
        cells=CELLS,
        ids=IDS,
        types=TYPES,
        make_adata=make_adata,
        write_h5ad=write_h5ad,
        write_text=write_text,
        write_10x=write_10x,
        write_10x_h5=write_10x_h5,
        write_table=write_table,
        check=check,
    )


@pytest.fixture(autouse=True)
def _warnings_are_errors():
    """A warning that no test expects is a failure."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeepMapperWarning)
        yield
