"""What embeddings ask of samples and values is found before any job."""

import importlib.util
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import yaml

from deepmapper.check.study import check_study

SCHEMA = Path(__file__).parents[3] / "workflow/schemas/config.schema.yaml"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """60 samples of 12 features, and the same as logarithms and as centred values."""
    monkeypatch.chdir(tmp_path)
    obs = pd.DataFrame({"state": ["a", "b"] * 30, "donor": [*"xyz"] * 20}, index=[f"c{i}" for i in range(60)])
    obs["run"] = obs["donor"].mask(obs.index == "c7")
    counts = np.random.default_rng(0).poisson(3, (60, 12)).astype(np.float32)
    values = {"counts": counts, "logs": np.log1p(counts), "centred": np.log1p(counts) - 1}
    for name, X in values.items():
        ad.AnnData(X, obs, pd.DataFrame(index=[f"g{i}" for i in range(12)])).write_h5ad(f"{name}.h5ad")
    return tmp_path


def faults_of(matrix="counts", normalization="log1p_median", own_programs=True, more=(), **embeddings):
    settings = {
        "matrix": {"path": f"{matrix}.h5ad"},
        **dict(more),
        "labels": {"column": "state"},
        "features": {"normalization": normalization},
        "embeddings": embeddings,
    }
    Path("config.yaml").write_text(yaml.safe_dump(settings))
    outcome, _ = check_study("config.yaml", SCHEMA, own_programs=own_programs)
    return outcome.faults


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"pca": 13}, "embeddings.pca.n_components is 13, but 44 samples of 12 features have at most 12 components"),
        ({"ppca": 12}, "embeddings.ppca.n_components is 12, but 44 samples of 12 features have at most 11 components"),
        ({"scvi": "doner"}, "embeddings.scvi.batch: there is no column 'doner'"),
        ({"scvi": "run"}, "embeddings.scvi.batch: column 'run' is empty for 1 sample, the first is 'c7': expected"),
    ],
)
def test_what_does_not_suit_the_samples_is_found(here, given, fault):
    (name, value), *_ = given.items()
    options = {"n_components": 4, "batch": value} if name == "scvi" else {"n_components": value}
    (found,) = faults_of(**{name: options})
    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("matrix", "normalization", "kind", "fault"),
    [
        ("logs", "none", "scvi", "embeddings.scvi reads counts, and the matrix has others"),
        ("centred", "none", "scvi", "embeddings.scvi reads counts, and the matrix has others"),
        ("centred", "none", "geneformer", "embeddings.geneformer: the matrix has negative values"),
        ("logs", "none", "geneformer", None),
        ("counts", "log1p_median", "scvi", None),
        ("counts", "none", "scvi", None),
        ("centred", "none", "pca", None),
    ],
)
def test_values_that_an_embedding_cannot_read_are_found(here, matrix, normalization, kind, fault):
    found = faults_of(matrix, normalization, **{kind: {"n_components": 4}})
    assert [line[: len(fault)] for line in found] == [fault] if fault else found == []


def test_embeddings_that_are_not_asked_for_are_not_checked(here):
    assert faults_of("centred", "none", scvi={"n_components": 0, "batch": "none such"}) == []


def test_a_missing_lightning_is_found(here, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "lightning" else real(name))
    (fault,) = faults_of(scvi={"n_components": 4}, contrastive={"n_components": 4}, pca={"n_components": 4})
    assert fault.startswith("embeddings.contrastive and embeddings.scvi cannot be trained, since Lightning is not")
    assert faults_of(scvi={"n_components": 4}, own_programs=False) == []  # environments have it
    assert faults_of(pca={"n_components": 4}) == []


@pytest.mark.parametrize(
    ("perturb", "fault"),
    [
        ({"features": ["g1", "g11"]}, None),
        ({"features": ["g1", "g111"]}, "perturb.features: 'g111' is no feature of the matrix (it has 12 features"),
        (
            {"features": "findngs"},
            '`perturb.features`: found "findngs"; expected findings, all, or a list; did you mean',
        ),
        ({"features": "g1"}, '`perturb.features`: found "g1"; expected findings, all, or a list; give names as a list'),
        ({"features": [], "chords": False}, "`perturb.features` is empty and `perturb.chords` is false"),
        ({"features": []}, None),
        ({"how": [], "features": "all"}, "`perturb.how` is empty, so nothing would be perturbed"),
    ],
)
def test_features_that_cannot_be_perturbed_are_found(here, perturb, fault):
    found = faults_of(more={"perturb": {"how": ["deletion"], **perturb}})
    assert [line[: len(fault)] for line in found] == [fault] if fault else found == []


def test_too_many_components_of_shards_are_found(here):
    for name in ("a", "b"):
        cells = ad.read_h5ad("counts.h5ad")
        cells.obs_names = [f"{name}{i}" for i in range(60)]
        cells.write_h5ad(f"shard_{name}.h5ad")
    shards = {"matrix": {"path": "shard_*.h5ad"}}
    (fault,) = faults_of(more=shards, pca={"n_components": 13})
    assert fault.startswith("embeddings.pca.n_components is 13, but 60 samples of 12 features have at most 12")
    assert faults_of(more=shards, pca={"n_components": 12}) == []
