"""Inputs made to do harm, and odd ones, end in one message each: no traceback, no waiting."""

import os
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import yaml

from deepmapper.check.study import check_study

SCHEMA = Path(__file__).parents[3] / "workflow/schemas/config.schema.yaml"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    obs = pd.DataFrame({"state": ["a", "b"] * 15}, index=[f"c{i}" for i in range(30)])
    X = np.random.default_rng(0).poisson(3, (30, 12)).astype(np.float32)
    ad.AnnData(X, obs, pd.DataFrame(index=[f"g{i}" for i in range(12)])).write_h5ad("good.h5ad")
    return tmp_path


def faults_of(**settings):
    Path("config.yaml").write_text(yaml.safe_dump({"labels": {"column": "state"}, **settings}))
    outcome, _ = check_study("config.yaml", SCHEMA)
    assert not [fault for fault in outcome.faults if "unexpected" in fault]
    return outcome.faults


def link_out(path):
    with h5py.File(path, "r+") as file:
        del file["obs/state"]
        file["obs/state"] = h5py.ExternalLink("/etc/passwd", "/x")


def declare_far_too_much(path):
    with h5py.File(path, "r+") as file:
        attributes = dict(file["X"].attrs)
        del file["X"]
        file.create_dataset("X", (10**11, 12), "f4", chunks=(1000, 12)).attrs.update(attributes)


def cut(path):
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (link_out, "is a link to another file"),
        (declare_far_too_much, "should have 100000000000"),
        (cut, "cannot be read"),
    ],
)
def test_hdf5_that_lies(here, harm, message):
    harm("good.h5ad")
    (fault,) = faults_of(matrix={"path": "good.h5ad"})
    assert message in fault


@pytest.mark.parametrize("name", ["matrix.mtx", "barcodes.tsv", "features.tsv"])
def test_pipes_within_a_folder(here, name):
    Path("folder").mkdir()
    for other in {"matrix.mtx", "barcodes.tsv", "features.tsv"} - {name}:
        Path("folder", other).write_text("%%MatrixMarket matrix coordinate integer general\n1 1 1\n1 1 1\n")
    os.mkfifo(f"folder/{name}")
    Path("labels.csv").write_text("cell,state\nx,a\n")
    (fault,) = faults_of(matrix={"path": "folder"}, labels={"column": "state", "table": "labels.csv"})
    assert "named pipe" in fault or "found matrix.mtx, but none of" in fault


@pytest.mark.parametrize("path", ["/dev/zero", "/proc/self/mem", "loop", "empty.csv"])
def test_paths_that_are_no_matrix(here, path):
    Path("loop").symlink_to("loop")
    Path("empty.csv").touch()
    assert len(faults_of(matrix={"path": path})) == 1


def test_a_matrix_size_that_the_lists_contradict(here):
    Path("folder").mkdir()
    banner = "%%MatrixMarket matrix coordinate integer general\n"
    Path("folder/matrix.mtx").write_text(f"{banner}100000000000 100000000000 100000000000\n1 1 1\n")
    Path("folder/barcodes.tsv").write_text("c\n")
    Path("folder/features.tsv").write_text("g\tg\n")
    Path("labels.csv").write_text("cell,state\nc,a\n")
    (fault,) = faults_of(matrix={"path": "folder"}, labels={"column": "state", "table": "labels.csv"})
    assert "The files are incomplete or from different runs" in fault


def test_populations_are_read_together(here):
    for name in ("one.h5ad", "two.h5ad"):
        adata = ad.read_h5ad("good.h5ad")
        adata.obs = adata.obs[[]]
        adata.write_h5ad(name)
    populations = [{"path": "one.h5ad", "label": "x"}, {"path": "two.h5ad", "label": "y"}]
    Path("config.yaml").write_text(yaml.safe_dump({"matrix": {"populations": populations}}))
    outcome, _ = check_study("config.yaml", SCHEMA)
    assert outcome.faults == []
    lines = dict(outcome.lines)
    assert lines["Matrix"] == "2 populations: 60 samples × 12 features"
    assert lines["Classes"] == "2: x 30, y 30"
    assert any("exactly the values of another" in caution for caution in outcome.cautions)
