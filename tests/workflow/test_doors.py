"""Every way in leads to the same matrix, and from there to a ranking."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from scipy import io as matrix_market
from scipy import sparse

from deepmapper.features.store import open_features
from deepmapper.findings.embedded_samples import embed_samples
from deepmapper.models import open_embedding

pytestmark = pytest.mark.workflow


def write_10x(folder, adata) -> None:
    """Write a folder as Cell Ranger does: gzipped, features × cells."""
    folder.mkdir()
    with gzip.open(folder / "matrix.mtx.gz", "wb") as file:
        matrix_market.mmwrite(file, sparse.coo_matrix(adata.X.T.astype(int)))
    genes = [f"ENSG{i:05d}\t{name}\tGene Expression\n" for i, name in enumerate(adata.var_names)]
    with gzip.open(folder / "features.tsv.gz", "wt") as file:
        file.writelines(genes)
    with gzip.open(folder / "barcodes.tsv.gz", "wt") as file:
        file.writelines(f"{name}\n" for name in adata.obs_names)


def csv_with_label_table(directory, adata):
    table = pd.DataFrame(adata.X.toarray().astype(int), index=adata.obs_names, columns=adata.var_names)
    table.to_csv(directory.folder / "matrix.csv")
    adata.obs.sample(frac=1, random_state=0).to_csv(directory.folder / "labels.tsv", sep="\t")
    directory.configure(matrix={"path": "matrix.csv"}, labels={"column": "state", "table": "labels.tsv"})


def folder_of_10x(directory, adata):
    write_10x(directory.folder / "filtered", adata)
    adata.obs.to_csv(directory.folder / "labels.csv")
    directory.configure(matrix={"path": "filtered"}, labels={"column": "state", "table": "labels.csv"})


def populations_of_10x(directory, adata):
    for name in ("alpha", "beta", "gamma"):
        write_10x(directory.folder / name, adata[adata.obs["state"] == name])
    populations = [{"path": name, "label": name} for name in ("alpha", "beta", "gamma")]
    directory.configure(matrix={"populations": populations}, labels={})


def zarr_folder_by_columns(directory, adata):
    adata.X = adata.X.tocsc()
    adata.write_zarr(directory.folder / "study.zarr")
    directory.configure(matrix={"path": "study.zarr"})


def shards_by_a_pattern(directory, adata):
    for i, rows in enumerate((slice(0, 40), slice(40, 41), slice(41, 90))):
        adata[rows].write_h5ad(directory.folder / f"part_{i}.h5ad")
    directory.configure(matrix={"path": "part_*.h5ad"}, embeddings={"pca": {"n_components": 3}})


def groups_of_cells(directory, adata):
    adata.obs["donor"] = [f"donor{i % 10}" for i in range(90)]
    adata.write_h5ad(directory.folder / "matrix.h5ad")
    directory.configure(labels={"column": "state", "group": "donor"})


DOORS = {
    door.__name__: door
    for door in (
        csv_with_label_table,
        folder_of_10x,
        populations_of_10x,
        zarr_folder_by_columns,
        shards_by_a_pattern,
        groups_of_cells,
    )
}


@pytest.fixture(scope="module")
def runs(work_directory, matrix, side_by_side):
    """A run of one pass through each door, with the matrix that went in."""

    def enter(case: str):
        directory = work_directory(passes={"n_passes": 1, "n_permuted": 0, "n_shadow": 0, "top_k": 6})
        (directory.folder / "matrix.h5ad").unlink()
        DOORS[case](directory, matrix())
        embeddings = [f"results/embeddings/{name}.json" for name in directory.settings.get("embeddings", {})]
        directory.run("results/findings/linear/features.tsv", *embeddings)
        return directory

    return side_by_side(enter, DOORS)


@pytest.mark.parametrize("case", [name for name in DOORS if name != "groups_of_cells"])
def test_door_leads_to_the_same_features_and_ranking(runs, ranked, planted, case):
    directory = runs[case].result()
    ours, theirs = directory.outputs(), ranked.outputs()
    for name in ("labels", "split", "matrix.data", "matrix.indices", "matrix.indptr"):
        assert ours[f"features/{name}.npy"] == theirs[f"features/{name}.npy"], name
    about, reference = json.loads(ours["features/features.json"]), json.loads(theirs["features/features.json"])
    assert about["names"] == reference["names"]
    assert about["classes"] == reference["classes"]
    assert [name.partition("-")[0] for name in about["samples"]] == reference["samples"]
    assert ours["passes/linear/0.npz"] == theirs["passes/linear/0.npz"]
    table = pd.read_csv(directory.results / "findings/linear/features.tsv", sep="\t")
    assert set(table["feature"].head(6)) == set(planted)


@pytest.mark.parametrize("case", ["shards_by_a_pattern"])
def test_a_further_shard_is_imported_alone_and_joined(runs, matrix, case, tmp_path):
    directory = runs[case].result().branch(tmp_path / "work")
    targets = "results/expression.h5ad", "results/embeddings/pca.json"
    assert directory.would_run(*targets) == {}
    further = matrix()[:9].copy()
    further.obs_names = [f"further{i}" for i in range(9)]
    further.write_h5ad(directory.folder / "part_3.h5ad")
    once = ("import_shard", "merge_shards", "prepare_features", "fit_embedding", "evaluate_embedding")
    assert directory.would_run(*targets) == {**dict.fromkeys(once, 1), "embed_cells": 4}


@pytest.mark.parametrize("case", ["shards_by_a_pattern"])
def test_shards_are_embedded_one_by_one_with_what_was_fitted_once(runs, ranked, case, tmp_path):
    directory = runs[case].result()
    embeddings = directory.results / "embeddings"
    assert {path.name for path in embeddings.iterdir()} == {"pca", "pca.npz", "pca.json"}
    assert len(list((directory.results / "logs/embed_cells/pca").iterdir())) == 3
    found = np.load(embeddings / "pca.npz")
    at_once = embed_samples(open_embedding(embeddings / "pca"), open_features(ranked.results / "features"))
    np.testing.assert_array_equal(found["scores"], at_once)
    assert len(found["samples"]) == 90
    again = directory.branch(tmp_path / "work")
    again.configure(findings={"bootstrap": 200})
    assert again.would_run("results/embeddings/pca.json") == {"embed_cells": 3, "evaluate_embedding": 1}


@pytest.mark.parametrize("case", ["groups_of_cells"])
def test_groups_stay_on_one_side_of_every_split(runs, case):
    results = runs[case].result().results
    split, groups = (np.load(results / f"features/{name}.npy") for name in ("split", "groups"))
    development = groups[split == 0]
    with np.load(results / "passes/linear/0.npz") as file:
        parts = [development[file[f"{part}_rows"]] for part in ("train", "validation", "out_of_bag")]
    sides = [set(part.tolist()) for part in (*parts, groups[split == 1])]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 10
    assert all(sides)
