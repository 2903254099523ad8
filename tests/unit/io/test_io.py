"""Every format that is read, every input that is refused, and the arithmetic of normalisation."""

import gzip
import hashlib
import warnings
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.io import dataset, normalize
from deepmapper.io import labels as io_labels
from deepmapper.io import read as io_read
from deepmapper.io import text as io_text

ROOT = Path(__file__).parents[3]

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


@pytest.fixture(autouse=True)
def _warnings_are_errors():
    """A warning that no test expects is a failure."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeepMapperWarning)
        yield


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


# --- formats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix, lambda X: X.astype(np.float64)])
def test_h5ad_becomes_csr_float32_and_keeps_only_what_is_needed(tmp_path, kind):
    adata = make_adata(kind(COUNTS))
    adata.obsm["X_pca"] = np.zeros((6, 2))
    adata.uns["settings"] = {"a": 1}
    adata.layers["other"] = COUNTS
    adata.write_h5ad(tmp_path / "a.h5ad")
    read = io_read.read_matrix(tmp_path / "a.h5ad")
    check(read)
    assert list(read.obs["cell_type"]) == TYPES
    assert not read.obsm and not read.uns and not read.layers


def test_h5ad_layer_raw_and_tpm(tmp_path):
    adata = make_adata(np.log1p(COUNTS))
    adata.layers["counts"] = sparse.csr_matrix(COUNTS)
    adata.layers["tpm"] = COUNTS * 2
    adata.raw = make_adata(COUNTS + 1, genes=[g.lower() for g in GENES])
    adata = adata[:, :3].copy()
    adata.write_h5ad(tmp_path / "a.h5ad")
    counts = io_read.read_matrix(tmp_path / "a.h5ad", layer="counts")
    check(counts, COUNTS[:, :3], GENES[:3])
    np.testing.assert_array_equal(counts.layers["tpm"].toarray(), COUNTS[:, :3] * 2)
    raw = io_read.read_matrix(tmp_path / "a.h5ad", layer="raw")
    check(raw, COUNTS + 1, [g.lower() for g in GENES])
    assert "tpm" not in raw.layers
    with pytest.raises(InputError, match=r"no matrix 'count'\. Did you mean 'counts'\? It has: 'X', 'raw', 'counts'"):
        io_read.read_matrix(tmp_path / "a.h5ad", layer="count")


def test_h5ad_of_before_anndata_0_7(tmp_path):
    path = Path(__import__("scanpy").__file__).parent / "datasets" / "10x_pbmc68k_reduced.h5ad"
    demo = io_read.read_matrix(ROOT / "resources" / "demo" / "matrix" / "pbmc68k_reduced.h5ad")
    old = io_read.read_matrix(path, layer="raw")
    assert (old.X != demo.X).nnz == 0
    assert list(old.var_names) == list(demo.var_names)
    assert list(old.obs["bulk_labels"]) == list(demo.obs["bulk_labels"])
    assert io_read.read_matrix(path).X.min() < 0  # scaled values in X


def test_h5ad_with_number_and_reserved_names(tmp_path):
    write_h5ad(tmp_path / "a.h5ad")
    with h5py.File(tmp_path / "a.h5ad", "r+") as file:
        file["var"]["entrez"] = np.arange(5)
        file["var"].attrs["_index"] = "entrez"
        file["obs"]["_index2"] = file["obs"]["_index"]
        file["obs"].attrs["_index"] = "_index2"
        file["obs"].attrs["column-order"] = np.array(["cell_type", "_index"], dtype=object)
    adata = io_read.read_matrix(tmp_path / "a.h5ad")
    check(adata, genes=list("01234"))
    adata.write_h5ad(tmp_path / "b.h5ad")
    check(io_read.read_matrix(tmp_path / "b.h5ad"), genes=list("01234"))


@pytest.mark.parametrize("gz", [True, False])
@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("below", ["", "filtered_gene_bc_matrices/hg19"])
def test_10x_folder(tmp_path, gz, old, below):
    write_10x(tmp_path / "run" / below, gz=gz, old=old)
    adata = io_read.read_matrix(tmp_path / "run")
    check(adata)
    assert list(adata.var["gene_ids"]) == IDS


def test_10x_folder_with_a_prefix_to_its_files(tmp_path):
    check(io_read.read_matrix(write_10x(tmp_path, prefix="GSM1_")))


def test_10x_antibodies_are_left_out_with_a_warning(tmp_path):
    write_10x(tmp_path, kinds=["Gene Expression"] * 3 + ["Antibody Capture"] * 2)
    with pytest.warns(DeepMapperWarning, match="only the 3 features .* left out: 2 Antibody Capture"):
        adata = io_read.read_matrix(tmp_path)
    check(adata, COUNTS[:, :3], GENES[:3])


@pytest.mark.parametrize("old", [True, False])
def test_10x_h5(tmp_path, old):
    adata = io_read.read_matrix(write_10x_h5(tmp_path / "a.h5", old=old))
    check(adata)
    assert list(adata.var["gene_ids"]) == IDS


@pytest.mark.parametrize(("name", "separator"), [("a.csv", ","), ("a.tsv", "\t"), ("a.txt", "\t"), ("a.csv.gz", ",")])
def test_table(tmp_path, name, separator):
    check(io_read.read_matrix(write_table(tmp_path / name, separator)))
    write_table(tmp_path / name, separator, COUNTS.T, rows=GENES, columns=CELLS)
    check(io_read.read_matrix(tmp_path / name, transpose=True))


def test_table_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(io_text, "TABLE_CELLS_AT_ONCE", 12)
    check(io_read.read_matrix(write_table(tmp_path / "a.csv")))


def test_table_from_r_and_from_a_spreadsheet(tmp_path):
    path = write_table(tmp_path / "a.tsv", "\t")
    path.write_text(path.read_text().replace("cell\t", "", 1))  # write.table leaves out the corner
    check(io_read.read_matrix(path))
    path = write_table(tmp_path / "b.csv")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    check(io_read.read_matrix(path))
    path = write_text(tmp_path / "c.csv", '"","a,b","NA"\n"NA",1.5,2\n"007",0,1e3\n')
    check(io_read.read_matrix(path), [[1.5, 2], [0, 1000]], ["a,b", "NA"], ["NA", "007"])


def test_demo_matrix_is_what_its_readme_says(tmp_path, monkeypatch):
    folder = ROOT / "resources" / "demo" / "matrix"
    readme, content = (folder / "README.md").read_text(), (folder / "pbmc68k_reduced.h5ad").read_bytes()
    assert hashlib.sha256(content).hexdigest() in readme
    assert f"Size {len(content):,} bytes".replace(",", " ") in readme
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(readme.split("```python\n")[1].split("```")[0])
    made, kept = (io_read.read_matrix(path / "pbmc68k_reduced.h5ad") for path in (tmp_path, folder))
    assert (made.X != kept.X).nnz == 0
    pd.testing.assert_frame_equal(made.obs, kept.obs)


def test_demo_matrix():
    adata = io_read.read_matrix(ROOT / "resources" / "demo" / "matrix" / "pbmc68k_reduced.h5ad")
    assert adata.shape == (700, 765)
    assert len(io_labels.encode_labels(adata.obs["bulk_labels"])[1]) == 10
    with pytest.raises(InputError, match="Set normalization to none"):
        normalize.normalize_matrix(adata.X, "log1p_cp10k")


# --- several populations ---------------------------------------------------------------------------------------------


def test_populations_are_joined_on_shared_features(tmp_path):
    write_10x(tmp_path / "t" / "filtered_gene_bc_matrices" / "hg19", old=True, gz=False)
    write_10x(tmp_path / "b", COUNTS[:4, [4, 0, 1]], [GENES[i] for i in (4, 0, 1)], ["x", "y", "z"], CELLS[:4])
    write_h5ad(tmp_path / "c.h5ad", COUNTS[:2])
    with pytest.warns(DeepMapperWarning, match="2 of 5 features are left out"):
        adata = io_read.read_matrix(
            populations=[(tmp_path / "t", "T"), (str(tmp_path / "b"), "B"), (tmp_path / "c.h5ad", "C")]
        )
    shared = [0, 1, 4]
    check(
        adata,
        np.vstack([COUNTS, COUNTS[:4], COUNTS[:2]])[:, shared],
        [GENES[i] for i in shared],
        [f"{c}-T" for c in CELLS] + [f"{c}-B" for c in CELLS[:4]] + [f"{c}-C" for c in CELLS[:2]],
    )
    assert list(adata.obs["population"]) == ["T"] * 6 + ["B"] * 4 + ["C"] * 2
    assert list(adata.var["gene_ids"]) == [IDS[i] for i in shared]
    adata.write_h5ad(tmp_path / "expression.h5ad")


def test_populations_refused(tmp_path):
    write_10x(tmp_path / "a")
    write_10x(tmp_path / "other", genes=["v", "w", "x", "y", "z"])
    write_10x(tmp_path / "none", np.zeros((0, 5)), cells=[])
    write_h5ad(tmp_path / "p.h5ad", population=["x"] * 6)
    a = (tmp_path / "a", "A")
    for populations, message in [
        ([a, (tmp_path / "other", "B")], r"The 2 populations share no feature .*'TP53', 'MYC', 'GATA1', \.\.\.;.*'v'"),
        ([a, (tmp_path / "none", "B")], r"none: the matrix is empty \(0 samples x 5 features\)"),
        ([a, (tmp_path / "absent", "B")], "absent does not exist"),
        ([a, (tmp_path / "p.h5ad", "B")], "obs has a column 'population' already"),
        ([str(tmp_path / "a")], r"Each population is a pair \(path, label\)"),
        ([a, (tmp_path / "a", "")], r"Each population is a pair \(path, label\)"),
        ([a, (tmp_path / "a", "A")], "6 sample names occur more than once"),
    ]:
        with pytest.raises(InputError, match=message):
            io_read.read_matrix(populations=populations)
    with pytest.raises(InputError, match="and not both"):
        io_read.read_matrix(tmp_path / "a", populations=[a])
    with pytest.raises(InputError, match="Give either the path"):
        io_read.read_matrix()
    with pytest.raises(InputError, match="format must be 'auto'"):
        io_read.read_matrix(populations=[a], format="10x_mtx")


def test_load_10x_populations(tmp_path):
    a = write_10x(tmp_path / "a" / "filtered_gene_bc_matrices" / "hg19", old=True, gz=False).parents[1]
    b = write_10x(tmp_path / "b", COUNTS[:4])
    ds = dataset.load_10x_populations([(a, "naive"), (b, "memory")], normalize=False)
    assert isinstance(ds.X, sparse.csr_matrix) and ds.X.dtype == np.float32
    np.testing.assert_array_equal(ds.X.toarray(), np.vstack([COUNTS, COUNTS[:4]]))
    assert ds.label_names == ["memory", "naive"]
    np.testing.assert_array_equal(ds.y, [1] * 6 + [0] * 4)
    assert (ds.n_cells, ds.n_genes, ds.obs_label_key) == (10, 5, "population")

    normalized = dataset.load_10x_populations([(a, "naive"), (b, "memory")])
    np.testing.assert_allclose(np.expm1(normalized.X.toarray()).sum(axis=1), 1e4, rtol=1e-5)


def test_load_10x_populations_draws_by_seed_and_population(tmp_path):
    rng = np.random.default_rng(0)
    folders = {}
    for label, n in [("a", 40), ("b", 30), ("c", 5)]:
        counts = rng.poisson(3, (n, 5)) + 1
        folders[label] = write_10x(tmp_path / label, counts, cells=[f"{label}{i}" for i in range(n)])
    specs = [(folder, label) for label, folder in folders.items()]

    def draw(specs, seed):
        ds = dataset.load_10x_populations(specs, normalize=False, n_per_class=10, seed=seed)
        return {label: ds.X.toarray()[ds.y == i] for i, label in enumerate(ds.label_names)}

    first = draw(specs, 0)
    assert {label: len(X) for label, X in first.items()} == {"a": 10, "b": 10, "c": 5}
    for label, X in draw(specs, 0).items():
        np.testing.assert_array_equal(X, first[label])
    for label, X in draw(specs[:2][::-1], 0).items():
        np.testing.assert_array_equal(X, first[label])
    assert not np.array_equal(draw(specs, 1)["a"], first["a"])
    with pytest.raises(InputError, match="n_per_class is 0"):
        dataset.load_10x_populations(specs, n_per_class=0)


def test_load_10x_populations_refused(tmp_path):
    a = write_10x(tmp_path / "a")
    with pytest.raises(InputError, match="No population is given"):
        dataset.load_10x_populations([])
    with pytest.raises(InputError, match=r"1 class is left \('T'\)"):
        dataset.load_10x_populations([(a, "T")])


# --- names -----------------------------------------------------------------------------------------------------------


def test_doubled_symbols_of_10x(tmp_path):
    symbols = ["TP53", "MYC", "TP53", "CD3E", "MYC"]
    a, b = write_10x(tmp_path / "a", genes=symbols), write_10x(tmp_path / "b", genes=symbols)
    with pytest.raises(InputError, match=r"2 feature names occur more than once \('TP53' 2 times, 'MYC' 2 times\)"):
        io_read.read_matrix(a)
    unique = ["TP53_ENSG00000", "MYC_ENSG00001", "TP53_ENSG00002", "CD3E", "MYC_ENSG00004"]
    with pytest.warns(DeepMapperWarning, match="made unique: 'TP53' is called 'TP53_ENSG00000'"):
        check(io_read.read_matrix(a, duplicate_names="make_unique"), genes=unique)
    with pytest.warns(DeepMapperWarning, match="made unique") as caught:
        assert dataset.load_10x_populations([(a, "x"), (b, "y")]).var_names == unique
    assert len(caught) == 1  # not once per population
    with pytest.raises(InputError, match="2 feature names occur more than once"):
        dataset.load_10x_populations([(a, "x"), (b, "y")], duplicate_names="refuse")


def test_doubled_names_of_h5ad(tmp_path):
    path = write_h5ad(tmp_path / "a.h5ad", genes=["A", "B", "A", "A", "C"])
    with pytest.raises(InputError, match=r"1 feature names occur more than once \('A' 3 times\)\. Rename them"):
        io_read.read_matrix(path)
    with pytest.raises(InputError, match=r"1 gene names occur more than once \('A' 3 times\)"):
        dataset.load_h5ad(path, "cell_type")
    with pytest.warns(DeepMapperWarning, match="'A' is called 'A-1'"):
        check(io_read.read_matrix(path, duplicate_names="make_unique"), genes=["A", "B", "A-1", "A-2", "C"])
    with pytest.warns(DeepMapperWarning, match="made unique"):
        dataset.load_h5ad(path, "cell_type", duplicate_names="make_unique")
    with pytest.raises(InputError, match="duplicate_names is 'drop'"):
        io_read.read_matrix(path, duplicate_names="drop")

    path = write_h5ad(tmp_path / "b.h5ad", cells=["x", "y", "x", "z", "u", "v"])
    with pytest.raises(InputError, match=r"1 sample names occur more than once \('x' 2 times\)"):
        io_read.read_matrix(path)
    with pytest.warns(DeepMapperWarning, match="sample names .* made unique"):
        assert list(io_read.read_matrix(path, duplicate_names="make_unique").obs_names)[:3] == ["x", "y", "x-1"]
    assert dataset.load_h5ad(path, "cell_type").n_cells == 6  # a Dataset has no cell names


def test_doubled_and_empty_names_of_a_table(tmp_path):
    path = write_table(tmp_path / "a.csv", columns=["A", "B", "A", "C", "D"])
    with pytest.raises(InputError, match=r"'A' 2 times"):
        io_read.read_matrix(path)
    path = write_table(tmp_path / "b.csv", columns=["A", "B", " ", "C", "D"])
    with pytest.raises(InputError, match=r"1 feature names are empty \(first at position 3\)"):
        io_read.read_matrix(path)


# --- the labels table ------------------------------------------------------------------------------------------------


def labelled(tmp_path, table, name="labels.csv"):
    return io_read.read_matrix(write_table(tmp_path / "m.csv"), labels_table=write_text(tmp_path / name, table))


def test_labels_table_joins_by_name(tmp_path):
    lines = [f"{cell}\t{TYPES[i]}\t{i}\t0{i}\t{'NA' if i == 2 else i / 2}" for i, cell in enumerate(CELLS)]
    adata = labelled(tmp_path, "name\tstate\tn\tdonor\tage\n" + "\n".join(lines[::-1]), "labels.tsv")
    check(adata)
    assert list(adata.obs["state"]) == TYPES
    assert adata.obs["n"].tolist() == [0, 1, 2, 3, 4, 5] and adata.obs["n"].dtype.kind == "i"
    assert adata.obs["donor"].tolist() == ["00", "01", "02", "03", "04", "05"]
    assert np.isnan(adata.obs["age"].iloc[2]) and adata.obs["age"].iloc[3] == 1.5
    adata.write_h5ad(tmp_path / "expression.h5ad")


def test_labels_table_with_more_rows_warns(tmp_path):
    table = "cell,state\nextra,T\n" + "".join(f"{c},{t}\n" for c, t in zip(CELLS, TYPES, strict=True))
    with pytest.warns(DeepMapperWarning, match=r"1 rows are for samples that .* does not have \('extra'\); ignored"):
        assert list(labelled(tmp_path, table).obs["state"]) == TYPES


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("cell,state\ncell0-1,T\ncell1-1,B\n", r"4 of the 6 samples of .*m\.csv have no row \('cell2-1', 'cell3-1'"),
        ("cell,state\ncell0,T\ncell1,B\n", r"6 of the 6 samples .* it holds 'cell0', 'cell1'"),
        ("gene,state\nTP53,T\nMYC,B\n", "seems to have features in rows, then set transpose"),
        ("cell,state\ncell0-1,T\ncell0-1,B\n", r"1 names have more than one row \('cell0-1'\)"),
        ("cell,a,a\ncell0-1,T,T\n", "every column needs a name of its own"),
        ("cell,\ncell0-1,T\n", "every column needs a name of its own"),
        ("cell,cell\ncell0-1,T\n", "every column needs a name of its own"),
        ("cell;state\ncell0-1;T\n", "separated by semicolons; save it with commas"),
        ("cell,state\n", "has a header, but no line below it"),
        ("cell,state\na,b,c,d\n", "the header names 2 columns, the lines below it have 4"),
    ],
)
def test_labels_table_refused(tmp_path, table, message):
    with pytest.raises(InputError, match=message):
        labelled(tmp_path, table)


def test_labels_table_refused_for_other_reasons(tmp_path):
    path = write_h5ad(tmp_path / "a.h5ad")
    with pytest.raises(InputError, match=r"labels\.csv does not exist"):
        io_read.read_matrix(path, labels_table=tmp_path / "labels.csv")
    with pytest.raises(InputError, match=r"a labels table is a \.csv or \.tsv, this is h5ad"):
        io_read.read_matrix(path, labels_table=path)
    table = write_text(tmp_path / "labels.csv", "cell,cell_type\ncell0-1,T\n")
    with pytest.raises(InputError, match="'cell_type' in its obs already; rename"):
        io_read.read_matrix(path, labels_table=table)


# --- files that cannot be read ---------------------------------------------------------------------------------------


def test_path_and_format_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.h5ad does not exist \(looked for from "):
        io_read.read_matrix(tmp_path / "none.h5ad")
    (tmp_path / "zero.h5ad").touch()
    with pytest.raises(InputError, match="is an empty file"):
        io_read.read_matrix(tmp_path / "zero.h5ad")
    write_text(tmp_path / "a.rds", "x")
    with pytest.raises(InputError, match="the format cannot be told from the name"):
        io_read.read_matrix(tmp_path / "a.rds")
    with pytest.raises(InputError, match=r"The format 'h5da' is unknown\. Did you mean 'h5ad'\?"):
        io_read.read_matrix(tmp_path / "a.rds", format="h5da")
    write_10x(tmp_path / "x")
    with pytest.raises(InputError, match="give the folder which holds this file"):
        io_read.read_matrix(tmp_path / "x" / "matrix.mtx.gz")
    with pytest.raises(InputError, match="only h5ad and zarr have layers"):
        io_read.read_matrix(tmp_path / "x", layer="counts")
    with pytest.raises(InputError, match="transpose is for csv and tsv"):
        io_read.read_matrix(tmp_path / "x", transpose=True)
    with pytest.raises(InputError, match="transpose is for csv and tsv"):
        io_read.read_matrix(write_h5ad(tmp_path / "a.h5ad"), transpose=True)


def test_h5ad_refused(tmp_path):
    path = write_h5ad(tmp_path / "a.h5ad")
    content = path.read_bytes()
    write_text(tmp_path / "page.h5ad", "<html>404")
    with pytest.raises(InputError, match=r"page\.h5ad is no HDF5 file: it begins with b'<html>404'"):
        io_read.read_matrix(tmp_path / "page.h5ad")
    (tmp_path / "b.h5ad.gz").write_bytes(gzip.compress(content))
    with pytest.raises(InputError, match="compressed with gzip: unpack it first"):
        io_read.read_matrix(tmp_path / "b.h5ad.gz")
    (tmp_path / "cut.h5ad").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"cut\.h5ad cannot be read: .*truncated.* not copied completely"):
        io_read.read_matrix(tmp_path / "cut.h5ad")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="is a folder; an HDF5 file is expected"):
        io_read.read_matrix(tmp_path / "folder", format="h5ad")
    with pytest.raises(InputError, match=r"is no AnnData file: it holds 'matrix'.* set format to 10x_h5"):
        io_read.read_matrix(write_10x_h5(tmp_path / "t.h5"), format="h5ad")
    with pytest.raises(InputError, match=r"is no 10x matrix: .* set format to h5ad"):
        io_read.read_matrix(path, format="10x_h5")
    with h5py.File(path, "r+") as file:
        file["X/indices"][0] = 99
    with pytest.raises(InputError, match="the sparse matrix is damaged"):
        io_read.read_matrix(path)
    with h5py.File(path, "r+") as file:
        del file["X"]
    with pytest.raises(InputError, match="has no matrix 'X'"):
        io_read.read_matrix(path)


@pytest.mark.parametrize(
    ("X", "genes", "message"),
    [
        (np.zeros((0, 5), np.float32), GENES, r"the matrix is empty \(0 samples x 5 features\)"),
        (np.zeros((6, 0), np.float32), [], r"the matrix is empty \(6 samples x 0 features\)"),
        (np.full((6, 5), "a", dtype=object), GENES, "a matrix of numbers is expected"),
    ],
)
def test_matrix_refused(tmp_path, X, genes, message):
    with pytest.raises(InputError, match=message):
        io_read.read_matrix(write_h5ad(tmp_path / "a.h5ad", X, genes))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_values_that_are_not_finite_are_refused(tmp_path, value, kind):
    X = COUNTS.copy()
    X[3, 2] = X[4, 0] = value
    path = write_h5ad(tmp_path / "a.h5ad", kind(X))
    message = rf"2 values are NaN or infinite; the first is {value} in sample 'cell3-1', feature 'GATA1'"
    with pytest.raises(InputError, match=message):
        io_read.read_matrix(path)
    with pytest.raises(InputError, match=message):
        dataset.load_h5ad(path, "cell_type")
    with pytest.raises(InputError, match=r"in sample 'row 3', feature 2 \(from 0\)"):
        normalize.normalize_matrix(kind(X), "none")


def test_values_beyond_float32_are_refused(tmp_path):
    with pytest.raises(InputError, match="1 values are NaN or infinite; the first is inf in sample 'a', feature 'g'"):
        io_read.read_matrix(write_text(tmp_path / "a.csv", "s,g\na,1e39\n"))


def test_10x_folder_refused(tmp_path):
    with pytest.raises(InputError, match="neither this folder nor one below it holds a matrix.mtx"):
        io_read.read_matrix(tmp_path)
    write_10x(tmp_path / "two" / "raw")
    write_10x(tmp_path / "two" / "filtered")
    with pytest.raises(InputError, match=r"2 matrices lie here \('filtered/matrix.mtx.gz', 'raw/matrix.mtx.gz'\)"):
        io_read.read_matrix(tmp_path / "two")
    a = write_10x(tmp_path / "a", gz=False)
    with pytest.raises(InputError, match="a 10x folder is expected, this is a file"):
        io_read.read_matrix(a / "features.tsv", format="10x_mtx")
    text = (a / "matrix.mtx").read_text()
    write_text(a / "matrix.mtx", text[: len(text) - 12])
    with pytest.raises(InputError, match=r"matrix\.mtx: the matrix is damaged or incomplete"):
        io_read.read_matrix(a)
    b = write_10x(tmp_path / "b", gz=False)
    write_text(b / "barcodes.tsv", "x\n")
    with pytest.raises(
        InputError, match="for 5 features and 6 cells, but features.tsv has 5 lines and barcodes.tsv has 1"
    ):
        io_read.read_matrix(b)
    (b / "barcodes.tsv").unlink()
    with pytest.raises(InputError, match=r"one of 'barcodes.tsv', 'barcodes.tsv.gz' is expected"):
        io_read.read_matrix(b)
    c = write_10x(tmp_path / "c")
    (c / "features.tsv.gz").write_bytes((c / "features.tsv.gz").read_bytes()[:20])
    with pytest.raises(InputError, match=r"features\.tsv\.gz: the file is damaged or incomplete"):
        io_read.read_matrix(c)


def test_10x_h5_of_several_genomes_refused(tmp_path):
    path = write_10x_h5(tmp_path / "a.h5", old=True, genomes=("hg19", "mm10"))
    with pytest.raises(InputError, match=r"holds the genomes 'hg19', 'mm10'"):
        io_read.read_matrix(path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.tsv", "s,g1,g2\na,1,2\n", r"has one column only .* separated by commas; name it \.csv \(or set format to"),
        ("a.csv", "s\tg1\na\t1\n", r"separated by tabs; name it \.tsv"),
        ("a.csv", "s;g1\na;1\n", "separated by semicolons; save it with commas"),
        ("a.csv", "s\na\n", "a column of names and at least one more are expected"),
        ("a.csv", "\ns,g\n", "the first line is empty"),
        ("a.csv", "s,g1,g2\na,1,2\nb,3,x9\n", "row 'b', column 'g2' holds 'x9', which is not a number"),
        ("a.csv", "s,g1,g2\na,1,\nb,x,1\n", "row 'a', column 'g2' holds '', which is not a number"),
        ("a.csv", "s,g1,g2\na,NA,1\n", "row 'a', column 'g1' holds 'NA'"),
        ("a.csv", "s,g1,g2\na,True,1\n", "row 'a', column 'g1' holds 'True'"),
        ("a.csv", "s,g1,g2\na,1,2\nb,3\n", "row 'b', column 'g2' holds ''"),
        ("a.csv", "s,g1,g2\na,1,2\nb,3,4,5\n", r"cannot be read as csv: .*Expected 3 fields in line 3, saw 4"),
        ("a.csv", "s,g1,g2\na,1,inf\n", "the first is inf in sample 'a', feature 'g2'"),
        ("a.csv", "s,g1,g2\n", "has a header, but no line below it"),
        ("a.csv", "s,g1,g2\n,1,2\n", r"1 sample names are empty \(first at position 1\)"),
    ],
)
def test_table_refused(tmp_path, name, text, message):
    with pytest.raises(InputError, match=message):
        io_read.read_matrix(write_text(tmp_path / name, text))


def test_table_that_is_not_text_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes("s,g\na,1\n".encode("utf-16"))
    with pytest.raises(InputError, match="cannot be read as text .* Save the table as plain csv text"):
        io_read.read_matrix(tmp_path / "a.csv")
    packed = gzip.compress(b"s,g\n" + bytes(np.random.default_rng(0).integers(65, 90, 100_000, dtype=np.uint8)))
    (tmp_path / "b.csv.gz").write_bytes(packed[:40_000])
    with pytest.raises(InputError, match=r"b\.csv\.gz cannot be read as csv"):
        io_read.read_matrix(tmp_path / "b.csv.gz")


# --- load_h5ad and Dataset -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_load_h5ad(tmp_path, kind):
    path = write_h5ad(tmp_path / "a.h5ad", kind(COUNTS))
    ds = dataset.load_h5ad(str(path), "cell_type", normalize=False)
    assert sparse.issparse(ds.X) == (kind is not np.asarray)
    assert isinstance(ds.X, np.ndarray | sparse.csr_matrix) and ds.X.dtype == np.float32
    np.testing.assert_array_equal(sparse.csr_matrix(ds.X).toarray(), COUNTS)
    np.testing.assert_array_equal(ds.y, [1, 0, 1, 0, 1, 0])
    assert (ds.label_names, ds.var_names, ds.obs_label_key) == (["B", "T"], GENES, "cell_type")
    normalized = dataset.load_h5ad(path, "cell_type", target_sum=100)
    assert type(normalized.X) is type(ds.X)
    np.testing.assert_allclose(np.expm1(sparse.csr_matrix(normalized.X).toarray()).sum(axis=1), 100, rtol=1e-5)


def test_load_h5ad_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"no column 'cell-type'\. Did you mean 'cell_type'\? Its columns: 'cell_type'"
    ):
        dataset.load_h5ad(write_h5ad(tmp_path / "a.h5ad"), "cell-type")
    path = write_h5ad(tmp_path / "b.h5ad", other=["T", None, "B", "T", None, "B"])
    with pytest.raises(InputError, match=r"2 of 6 samples have no label \('cell1-1', 'cell4-1'\)"):
        dataset.load_h5ad(path, "other")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-1.0, r"1 values are negative; the first is -1 in sample 'cell2-1', column 1"),
        (0.5, r"1 values \(.*\) are not integers; the first is 0\.5 in sample 'cell2-1', column 1"),
    ],
)
def test_load_refuses_to_normalize_what_is_not_counts(tmp_path, value, message):
    X = COUNTS.copy()
    X[2, 1] = value
    path = write_h5ad(tmp_path / "a.h5ad", X)
    with pytest.raises(InputError, match=message + r".*Pass normalize=False"):
        dataset.load_h5ad(path, "cell_type")
    assert dataset.load_h5ad(path, "cell_type", normalize=False).X[2, 1] == np.float32(value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"X": np.zeros(3)}, r"X has the shape \(3,\)"),
        ({"y": [0, 1]}, r"X has 3 rows, but y has the shape \(2,\)"),
        ({"y": [0, 1, -1]}, "y runs from -1 to 1"),
        ({"y": [1, 2, 3]}, "y runs from 1 to 3, but 2 classes are named"),
        ({"var_names": ["g"]}, "X has 2 columns, but there are 1 gene names"),
        ({"var_names": ["g", "g"]}, "1 gene names occur more than once"),
    ],
)
def test_dataset_refuses_parts_that_do_not_fit(changed, message):
    parts = {"X": np.zeros((3, 2)), "y": [0, 1, 0], "var_names": ["g", "h"], "label_names": ["a", "b"]}
    assert dataset.Dataset(**parts).obs_label_key == ""
    with pytest.raises(InputError, match=message):
        dataset.Dataset(**(parts | changed))


def make_dataset(genes, X=None, **kwargs):
    X = sparse.csr_matrix(COUNTS[:, : len(genes)]) if X is None else X
    return dataset.Dataset(X, np.array([0, 1, 0, 1, 0, 1]), list(genes), ["a", "b"], **kwargs)


@pytest.mark.parametrize("kind", [sparse.csr_matrix, np.asarray])
def test_intersect_and_exclusive_genes(kind):
    a, b = make_dataset("wxyz", kind(COUNTS[:, :4])), make_dataset("zqx", kind(COUNTS[:, :3]))
    shared_a, shared_b, shared = dataset.intersect_genes(a, b)
    assert shared == shared_a.var_names == shared_b.var_names == ["x", "z"]
    for ds, columns in ((shared_a, [1, 3]), (shared_b, [2, 0])):
        assert type(ds.X) is type(a.X)
        np.testing.assert_array_equal(sparse.csr_matrix(ds.X).toarray(), COUNTS[:, columns])
    assert dataset.exclusive_genes(a, b) == (["w", "y"], ["q"])
    with pytest.raises(InputError, match="share no gene: the first names 'w', 'x', 'y', ..., the second 'p', 'q'"):
        dataset.intersect_genes(a, make_dataset("pq"))


def test_export_for_seurat(tmp_path):
    ds = make_dataset(["g1", "g,2", 'g"3'])
    assert dataset.export_for_seurat(ds, str(tmp_path / "deep" / "out")) == str(tmp_path / "deep" / "out")
    folder = tmp_path / "deep" / "out"
    assert sorted(file.name for file in folder.iterdir()) == ["counts.csv", "labels.csv"]
    counts = pd.read_csv(folder / "counts.csv", index_col=0)
    np.testing.assert_array_equal(counts.to_numpy(), COUNTS[:, :3])
    assert list(counts.columns) == ds.var_names and list(counts.index) == [f"cell{i}" for i in range(6)]
    assert (folder / "labels.csv").read_text().splitlines()[:3] == ["cell,label", "cell0,a", "cell1,b"]
    check(
        io_read.read_matrix(folder / "counts.csv", labels_table=folder / "labels.csv"),
        COUNTS[:, :3],
        ds.var_names,
        counts.index,
    )


def test_export_for_seurat_wants_counts(tmp_path):
    with pytest.raises(InputError, match=r"export_for_seurat: .* 1 values are negative.* Load the data with normalize"):
        dataset.export_for_seurat(make_dataset("ab", COUNTS[:, :2] - np.eye(6, 2)[::-1]), tmp_path)
    with pytest.warns(DeepMapperWarning, match="are not integers"):
        dataset.export_for_seurat(make_dataset("ab", np.log1p(COUNTS[:, :2])), tmp_path)
    values = pd.read_csv(tmp_path / "counts.csv", index_col=0).to_numpy().astype(np.float32)
    np.testing.assert_array_equal(values, np.log1p(COUNTS[:, :2]))


@pytest.mark.parametrize("kind", [sparse.csr_matrix, np.asarray])
def test_highly_variable_subset_is_that_of_scanpy(kind):
    import scanpy

    counts = np.random.default_rng(1).negative_binomial(1, 0.3, (80, 300)).astype(np.float32)
    counts[:, :40] *= np.random.default_rng(2).integers(0, 5, (80, 40))
    X = normalize.normalize_matrix(sparse.csr_matrix(counts), "log1p_cp10k")
    ds = dataset.Dataset(kind(X.toarray()), np.arange(80) % 2, [f"g{i}" for i in range(300)], ["a", "b"])
    subset, indices = dataset.highly_variable_subset(ds, n_top_genes=50)

    adata = anndata.AnnData(X.copy())
    scanpy.pp.highly_variable_genes(adata, n_top_genes=50)
    np.testing.assert_array_equal(indices, np.flatnonzero(adata.var["highly_variable"]))
    assert type(subset.X) is type(ds.X) and subset.n_genes == 50
    np.testing.assert_array_equal(sparse.csr_matrix(subset.X).toarray(), X.toarray()[:, indices])
    assert subset.var_names == [f"g{i}" for i in indices] and subset.label_names == ds.label_names


def test_highly_variable_subset_refused():
    ds = make_dataset("abc", np.log1p(COUNTS[:, :3]))
    with pytest.raises(InputError, match="n_top_genes is 2000, but the Dataset has 3 genes; give 1 to 3"):
        dataset.highly_variable_subset(ds)
    with pytest.raises(InputError, match="n_top_genes is 0"):
        dataset.highly_variable_subset(ds, 0)
    with pytest.raises(InputError, match="needs log-normalised values, but X runs from 0 to 40"):
        dataset.highly_variable_subset(make_dataset(GENES), 2)
    with pytest.raises(InputError, match="X runs from -1 to 39"):
        dataset.highly_variable_subset(make_dataset(GENES, COUNTS - 1), 2)


# --- normalisation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "target"), [("log1p_median", None), ("log1p_cp10k", 1e4), ("log1p_cpm", 1e6)])
def test_normalization_is_that_of_scanpy(method, target):
    import scanpy

    counts = sparse.random(200, 300, density=0.1, format="csr", random_state=0, dtype=np.float32)
    counts.data = np.ceil(counts.data * 50)
    before = counts.copy()
    X = normalize.normalize_matrix(counts, method)
    assert isinstance(X, sparse.csr_matrix) and X.dtype == np.float32 and X.nnz == counts.nnz
    assert (counts != before).nnz == 0
    adata = anndata.AnnData(counts.copy())
    scanpy.pp.normalize_total(adata, target_sum=target)
    scanpy.pp.log1p(adata)
    np.testing.assert_allclose(X.toarray(), adata.X.toarray(), rtol=1e-5, atol=0)


def test_the_median_is_that_of_samples_with_counts():
    counts = sparse.csr_matrix(np.array([[0, 0], [0, 0], [0, 0], [1, 3], [8, 0]], dtype=np.float32))
    with pytest.warns(DeepMapperWarning, match="3 of 5 samples have no counts"):
        X = normalize.normalize_matrix(counts, "log1p_median")
    np.testing.assert_allclose(X.toarray()[3:], np.log1p([[1.5, 4.5], [6, 0]]), rtol=1e-6)
    assert not X[:3].nnz
    X = normalize.normalize_matrix(counts[3:], "log1p_median", typical=np.array([0]))
    np.testing.assert_allclose(X.toarray(), np.log1p([[1, 3], [4, 0]]), rtol=1e-6)


def test_normalization_adds_up_entries_that_occur_twice():
    twice = sparse.csr_matrix((np.ones(4, np.float32), [0, 0, 1, 0], [0, 3, 4]), shape=(2, 2))
    X = normalize.normalize_matrix(twice, "log1p_cp10k", target_sum=3)
    np.testing.assert_allclose(X.toarray(), np.log1p([[2, 1], [3, 0]]), rtol=1e-6)
    assert twice.nnz == 4


def test_normalization_none_and_tpm():
    X = sparse.csr_matrix(COUNTS)
    assert (normalize.normalize_matrix(X - 1.5 * X, "none") != X * -0.5).nnz == 0
    tpm = normalize.normalize_matrix(X, "log1p_tpm", layer_tpm=COUNTS * 3)
    assert isinstance(tpm, sparse.csr_matrix)
    np.testing.assert_allclose(tpm.toarray(), np.log1p(COUNTS * 3), rtol=1e-6)
    with pytest.raises(InputError, match="log1p_tpm needs transcripts per million, but the matrix has no layer 'tpm'"):
        normalize.normalize_matrix(X, "log1p_tpm")
    with pytest.raises(InputError, match=r"The layer 'tpm' has the shape \(5, 5\), the matrix has \(6, 5\)"):
        normalize.normalize_matrix(X, "log1p_tpm", layer_tpm=X[:5])
    with pytest.raises(InputError, match="The layer 'tpm': .* negative"):
        normalize.normalize_matrix(X, "log1p_tpm", layer_tpm=-X)


@settings(max_examples=60, deadline=None)
@given(
    data=st.lists(st.lists(st.integers(0, 10**6), min_size=4, max_size=4), min_size=1, max_size=8),
    target=st.floats(1.0, 1e6),
)
def test_rows_sum_to_the_target_before_the_logarithm(data, target):
    counts = np.array(data, dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeepMapperWarning)
        X = normalize.normalize_matrix(sparse.csr_matrix(counts), "log1p_cp10k", target_sum=target)
    sums = np.expm1(X.toarray().astype(np.float64)).sum(axis=1)
    np.testing.assert_allclose(sums, np.where(counts.sum(axis=1) > 0, target, 0), rtol=2e-5)
    assert np.array_equal(X.toarray() > 0, counts > 0)


def test_counts_that_are_not_integers_warn_unless_they_look_like_logs():
    estimates = COUNTS * 1.37
    with pytest.warns(DeepMapperWarning, match=r"are not integers; the first is 4\.11 in sample 'row 0', column 0"):
        normalize.normalize_matrix(estimates, "log1p_cpm")
    few = COUNTS[1:].copy()
    few[0, 1] = 2.5
    with pytest.warns(DeepMapperWarning, match="1 values .* are not integers"):
        normalize.normalize_matrix(few, "log1p_cpm")
    with pytest.raises(
        InputError, match=r"in sample 'cell0-1', column 0 .*largest is 3\.71.* Set normalization to none"
    ):
        normalize.normalize_matrix(np.log1p(COUNTS), "log1p_cp10k", names=CELLS)


def test_samples_without_counts_stay_zero_with_a_warning():
    X = COUNTS.copy()
    X[[1, 4]] = 0
    with pytest.warns(DeepMapperWarning, match=r"2 of 6 samples have no counts \('cell1-1', 'cell4-1'\)"):
        normalized = normalize.normalize_matrix(X, "log1p_cp10k", names=CELLS)
    assert normalized[[1, 4]].nnz == 0 and np.isfinite(normalized.data).all()


def test_normalization_refused():
    with pytest.raises(InputError, match=r"'log1p_cp10' is unknown\. Did you mean 'log1p_cp10k'\?"):
        normalize.normalize_matrix(COUNTS, "log1p_cp10")
    with pytest.raises(InputError, match=r"2 values are negative; the first is -1 in sample 'row 0', column 1 .*none"):
        normalize.normalize_matrix(COUNTS - np.eye(6, 5, 1) * (COUNTS == 0), "log1p_cpm")
    with pytest.raises(InputError, match="target_sum is 0"):
        normalize.normalize_matrix(COUNTS, "log1p_cp10k", target_sum=0)
    with pytest.raises(InputError, match="has 6 rows, but 2 names are given"):
        normalize.normalize_matrix(COUNTS, "none", names=["a", "b"])


# --- labels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "codes", "classes"),
    [
        (["b", "a", "b"], [1, 0, 1], ["a", "b"]),
        ([10, 2, 10, -1], [2, 1, 2, 0], ["-1", "2", "10"]),
        (np.array([1.0, 3.0, 2.0]), [0, 2, 1], ["1", "2", "3"]),
        (np.array([0.5, 1.0], dtype=np.float32), [0, 1], ["0.5", "1"]),
        ([True, False, True], [1, 0, 1], ["False", "True"]),
        (["c10", "c2", "c1"], [2, 1, 0], ["c1", "c2", "c10"]),
        (["2", "10", "1.5"], [1, 2, 0], ["1.5", "2", "10"]),
        (pd.Categorical(["x", "y", "x"], categories=["z", "y", "x"]), [0, 1, 0], ["x", "y"]),
        (pd.Series(["x", "y"], index=[7, 7]), [0, 1], ["x", "y"]),
        (np.array([b"x", b"y"]), [0, 1], ["x", "y"]),
        (["a", 1, None], None, None),
        (pd.array([1, 2, 1], dtype="Int64"), [0, 1, 0], ["1", "2"]),
    ],
)
def test_encode_labels(labels, codes, classes):
    if codes is None:
        codes, classes = [1, 0, -1], ["1", "a"]
    found, names = io_labels.encode_labels(labels, missing="drop")
    assert found.dtype == np.int64
    assert (found.tolist(), names) == (codes, classes)


@pytest.mark.parametrize("nothing", [None, np.nan, "", "  ", "nan", pd.NA])
def test_missing_labels(nothing):
    labels = ["a", nothing, "b", nothing]
    with pytest.raises(InputError, match=r"2 of 4 samples have no label \('row 1', 'row 3'\)\. Label them, or drop"):
        io_labels.encode_labels(labels)
    with pytest.raises(InputError, match=r"2 of 4 samples have no label \('y', 'v'\)"):
        io_labels.encode_labels(labels, names=["x", "y", "z", "v"])
    assert io_labels.encode_labels(labels, missing="drop")[0].tolist() == [0, -1, 1, -1]


def test_excluded_labels():
    codes, classes = io_labels.encode_labels([1, 2, 3, 1], exclude=[2])
    assert (codes.tolist(), classes) == ([0, -1, 1, 0], ["1", "3"])
    assert io_labels.encode_labels(["T cells", "B cells", "debris"], exclude="debris")[1] == ["B cells", "T cells"]
    with pytest.raises(
        InputError, match=r"exclude names 'b cell'.* Did you mean 'B cells'\? The labels: 'B cells', 'T"
    ):
        io_labels.encode_labels(["T cells", "B cells"], exclude=["b cell"])
    with pytest.raises(InputError, match=r"1 class is left \('T'\); at least two"):
        io_labels.encode_labels(["T", "B"], exclude=["B"])


def test_labels_refused():
    with pytest.raises(InputError, match=r"0 classes are left \(none\)"):
        io_labels.encode_labels([None, None], missing="drop")
    with pytest.raises(InputError, match=r"The labels have the shape \(2, 2\)"):
        io_labels.encode_labels(np.eye(2))
    with pytest.raises(InputError, match="There are 2 labels for 3 samples"):
        io_labels.encode_labels(["a", "b"], names=["x", "y", "z"])
    with pytest.raises(InputError, match="missing is 'ignore'"):
        io_labels.encode_labels(["a", "b"], missing="ignore")


def test_labels_that_differ_only_in_case_or_blanks_warn():
    with pytest.warns(DeepMapperWarning, match="The labels 'B cell', 'b cell ' differ only in letter case or blanks"):
        assert len(io_labels.encode_labels(["B cell", "b cell ", "T"])[1]) == 3


# --- dependencies ----------------------------------------------------------------------------------------------------


def test_a_missing_dependency_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scanpy", None)
    with pytest.raises(ImportError, match=r"needs scanpy here .* pip install 'deepmapper\[io\]'"):
        dataset.highly_variable_subset(make_dataset("ab", np.log1p(COUNTS[:, :2])), 1)


def test_reading_does_not_import_scanpy():
    import subprocess
    import sys

    demo = ROOT / "resources" / "demo" / "matrix" / "pbmc68k_reduced.h5ad"
    code = (
        "import sys, deepmapper.io as io\n"
        "heavy = {'scanpy', 'anndata', 'h5py', 'pandas', 'torch'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        f"io.encode_labels(io.read_matrix({str(demo)!r}).obs['bulk_labels'])\n"
        "assert not {'scanpy', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(ROOT / "src")})
