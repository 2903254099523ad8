"""`read_matrix`: paths and formats, populations that are joined, and the matrix of the demo."""

import hashlib
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.io.labels import encode_labels
from deepmapper.io.normalize import normalize_matrix
from deepmapper.io.read import read_matrix

ROOT = Path(__file__).parents[3]


def test_demo_matrix_is_what_its_readme_says(tmp_path, monkeypatch):
    folder = ROOT / "resources" / "demo" / "matrix"
    readme, content = (folder / "README.md").read_text(), (folder / "pbmc68k_reduced.h5ad").read_bytes()
    assert hashlib.sha256(content).hexdigest() in readme
    assert f"Size {len(content):,} bytes".replace(",", " ") in readme
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(readme.split("```python\n")[1].split("```")[0])
    made, kept = (read_matrix(path / "pbmc68k_reduced.h5ad") for path in (tmp_path, folder))
    assert (made.X != kept.X).nnz == 0
    pd.testing.assert_frame_equal(made.obs, kept.obs)


def test_demo_matrix():
    adata = read_matrix(ROOT / "resources" / "demo" / "matrix" / "pbmc68k_reduced.h5ad")
    assert adata.shape == (700, 765)
    assert len(encode_labels(adata.obs["bulk_labels"])[1]) == 10
    with pytest.raises(InputError, match="Set normalization to none"):
        normalize_matrix(adata.X, "log1p_cp10k")


def test_populations_are_joined_on_shared_features(tmp_path, toy):
    toy.write_10x(tmp_path / "t" / "filtered_gene_bc_matrices" / "hg19", old=True, gz=False)
    toy.write_10x(
        tmp_path / "b", toy.counts[:4, [4, 0, 1]], [toy.genes[i] for i in (4, 0, 1)], ["x", "y", "z"], toy.cells[:4]
    )
    toy.write_h5ad(tmp_path / "c.h5ad", toy.counts[:2])
    with pytest.warns(DeepMapperWarning, match="2 of 5 features are left out"):
        adata = read_matrix(populations=[(tmp_path / "t", "T"), (str(tmp_path / "b"), "B"), (tmp_path / "c.h5ad", "C")])
    shared = [0, 1, 4]
    toy.check(
        adata,
        np.vstack([toy.counts, toy.counts[:4], toy.counts[:2]])[:, shared],
        [toy.genes[i] for i in shared],
        [f"{c}-T" for c in toy.cells] + [f"{c}-B" for c in toy.cells[:4]] + [f"{c}-C" for c in toy.cells[:2]],
    )
    assert list(adata.obs["population"]) == ["T"] * 6 + ["B"] * 4 + ["C"] * 2
    assert list(adata.var["gene_ids"]) == [toy.ids[i] for i in shared]
    adata.write_h5ad(tmp_path / "expression.h5ad")


def test_populations_whose_features_are_written_differently(tmp_path, toy):
    ids = [f"ENSG0000000000{i}" for i in range(1, 6)]
    toy.write_h5ad(tmp_path / "a.h5ad", genes=ids)
    toy.write_h5ad(tmp_path / "b.h5ad", genes=[f"{name}.{i}" for i, name in enumerate(ids)][::-1])
    with pytest.warns(
        DeepMapperWarning, match=r"b\.h5ad: 5 features matched although .* version of the id .* 0 features"
    ):
        adata = read_matrix(populations=[(tmp_path / "a.h5ad", "A"), (tmp_path / "b.h5ad", "B")])
    assert list(adata.var_names) == ids
    np.testing.assert_array_equal(adata.X.toarray(), np.vstack([toy.counts, toy.counts[:, ::-1]]))


def test_populations_with_symbols_and_with_gene_ids(tmp_path, toy):
    ids = [f"ENSG0000000000{i}" for i in range(1, 6)]
    toy.write_10x(tmp_path / "a", ids=ids)
    toy.write_h5ad(tmp_path / "b.h5ad", genes=[f"{name}.3" for name in ids[::-1]])
    with pytest.warns(
        DeepMapperWarning, match=r"b\.h5ad: 5 features matched by gene ids or symbols .* only 0 have the same"
    ):
        adata = read_matrix(populations=[(tmp_path / "a", "A"), (tmp_path / "b.h5ad", "B")])
    assert list(adata.var_names) == toy.genes
    np.testing.assert_array_equal(adata.X.toarray(), np.vstack([toy.counts, toy.counts[:, ::-1]]))


def test_symbols_of_another_species_are_not_joined(tmp_path, toy):
    toy.write_h5ad(tmp_path / "a.h5ad")
    toy.write_h5ad(tmp_path / "b.h5ad", genes=[name.capitalize() for name in toy.genes])
    with pytest.raises(InputError, match="share no feature"):
        read_matrix(populations=[(tmp_path / "a.h5ad", "A"), (tmp_path / "b.h5ad", "B")])


def test_populations_refused(tmp_path, toy):
    toy.write_10x(tmp_path / "a")
    toy.write_10x(tmp_path / "other", genes=["v", "w", "x", "y", "z"])
    toy.write_10x(tmp_path / "none", np.zeros((0, 5)), cells=[])
    toy.write_h5ad(tmp_path / "p.h5ad", population=["x"] * 6)
    a = (tmp_path / "a", "A")
    for populations, message in [
        ([a, (tmp_path / "other", "B")], r"The 2 populations share no feature .*'TP53', 'MYC', 'GATA1', \.\.\.;.*'v'"),
        ([a, (tmp_path / "none", "B")], r"none: the matrix is empty \(0 samples x 5 features\)"),
        ([a, (tmp_path / "absent", "B")], "absent does not exist"),
        ([a, (tmp_path / "p.h5ad", "B")], "obs already has a column 'population'"),
        ([str(tmp_path / "a")], r"populations: found .*, expected pairs \(path, label\)"),
        ([a, (tmp_path / "a", "")], r"populations: found .*, expected pairs \(path, label\)"),
        ([a, (tmp_path / "a", "A")], "6 duplicate sample names"),
    ]:
        with pytest.raises(InputError, match=message):
            read_matrix(populations=populations)
    with pytest.raises(InputError, match="not both"):
        read_matrix(tmp_path / "a", populations=[a])
    with pytest.raises(InputError, match="Expected either the path"):
        read_matrix()
    with pytest.raises(InputError, match="format is '10x_mtx' .*expected format 'auto'"):
        read_matrix(populations=[a], format="10x_mtx")


def test_path_and_format_refused(tmp_path, toy):
    with pytest.raises(InputError, match=r"none\.h5ad does not exist \(working directory: "):
        read_matrix(tmp_path / "none.h5ad")
    (tmp_path / "zero.h5ad").touch()
    with pytest.raises(InputError, match="is an empty file"):
        read_matrix(tmp_path / "zero.h5ad")
    toy.write_text(tmp_path / "a.xyz", "x")
    with pytest.raises(InputError, match="a\\.xyz: the format cannot be recognised"):
        read_matrix(tmp_path / "a.xyz")
    with pytest.raises(InputError, match=r"format 'h5da' is unknown\. Did you mean 'h5ad'\?"):
        read_matrix(tmp_path / "a.xyz", format="h5da")
    toy.write_10x(tmp_path / "x")
    with pytest.raises(InputError, match="layer is 'counts', but only h5ad and zarr have layers"):
        read_matrix(tmp_path / "x", layer="counts")
    with pytest.raises(InputError, match="transpose is only for csv and tsv"):
        read_matrix(tmp_path / "x", transpose=True)
    with pytest.raises(InputError, match="transpose is only for csv and tsv"):
        read_matrix(toy.write_h5ad(tmp_path / "a.h5ad"), transpose=True)


def test_reading_does_not_import_scanpy():

    demo = ROOT / "resources" / "demo" / "matrix" / "pbmc68k_reduced.h5ad"
    code = (
        "import sys, deepmapper.io as io\n"
        "heavy = {'scanpy', 'anndata', 'h5py', 'pandas', 'torch'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        f"io.encode_labels(io.read_matrix({str(demo)!r}).obs['bulk_labels'])\n"
        "assert not {'scanpy', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(ROOT / "src")})
