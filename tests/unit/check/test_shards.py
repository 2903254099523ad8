"""Shards after the first are looked at before any job."""

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import yaml

from deepmapper.check.study import check_study

SCHEMA = Path(__file__).parents[3] / "workflow/schemas/config.schema.yaml"


def shard(name, n_features=12, column="state"):
    rng = np.random.default_rng(len(name))
    obs = pd.DataFrame({column: ["x", "y"] * 15}, index=[f"{name}{i}" for i in range(30)])
    X = sp.csr_matrix(rng.poisson(2, (30, n_features)), dtype=np.float32)
    ad.AnnData(X, obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(n_features)])).write_h5ad(f"{name}.h5ad")


@pytest.fixture
def check(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("s1", "s2", "s3"):
        shard(name)
    settings = {"matrix": {"path": "s*.h5ad"}, "labels": {"column": "state"}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    return lambda: check_study("config.yaml", SCHEMA)[0]


def test_shards_of_one_study_have_no_fault(check):
    found = check()
    assert found.faults == [] and not any("further shard" in text for text in found.unread)


def test_a_damaged_shard_is_found(check, tmp_path):
    (tmp_path / "s3.h5ad").write_bytes((tmp_path / "s3.h5ad").read_bytes()[:3000])
    (fault,) = check().faults
    assert "s3.h5ad" in fault


def test_a_shard_without_the_labels_is_found(check):
    shard("s2", column="stat")
    (fault,) = check().faults
    assert fault.startswith("matrix.shards: 's2' has no column 'state', which the other shards have")


def test_features_that_a_shard_lacks_are_a_caution_and_too_few_a_fault(check):
    shard("s2", n_features=10)
    found = check()
    assert found.faults == [] and any(text.startswith("2 of 12 features are left out") for text in found.cautions)
    shard("s2", n_features=3)
    (fault,) = check().faults
    assert fault.startswith("matrix.shards: s2 has 3 of the 12 features of s1")
