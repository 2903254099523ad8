"""How a run was made is written beside its results; what no finding needs can go, and nothing runs again for it."""

import fcntl
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow

ROOT = Path(__file__).resolve().parents[2]
CLEAN = ROOT / "scripts/clean.sh"


def clean(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(["bash", CLEAN, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_record_of_a_run(finished):
    record = json.loads((finished.results / "run.json").read_text())
    assert record["seeds"] == {
        "passes": {"cnn_small": [0, 1], "mlp": [0, 1], "linear": [0, 1]},
        "permuted": [0],
        "shadow": [],
        "half": [],
    }
    assert record["settings"]["training"]["weight_decay"] == 0.01  # a default, filled in
    assert record["settings"]["labels"]["column"] == "state"
    assert record["files"]["matrix.path"]["bytes"] == (finished.folder / "matrix.h5ad").stat().st_size
    assert record["snakemake"] and record["libraries"]["torch"]
    assert record["deepmapper"]["git"] is None  # a copy, no checkout


def test_what_the_crate_lists_is_there(finished):
    graph = json.loads((finished.results / "ro-crate-metadata.json").read_text())["@graph"]
    (run,) = (entity for entity in graph if entity["@type"] == "CreateAction")
    listed = {entity["@id"] for entity in run["result"]}
    assert {"run.json", "index.html", "findings/summary.html", "findings/linear/features.tsv"} <= listed
    assert all((finished.results / path).exists() for path in listed)


def test_the_smallest_run_of_the_catalogue_is_planned(pipeline, tmp_path):
    shutil.copytree(ROOT / ".test/config", tmp_path / ".test/config")
    (tmp_path / "resources").symlink_to(ROOT / "resources")
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(pipeline / "Snakefile"),
        "--dry-run",
        "--cores",
        "1",
    ]
    done = subprocess.run(command, cwd=tmp_path / ".test", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "write_summary" in done.stdout


def test_intermediate_files_go_and_nothing_runs_again(finished, tmp_path):
    directory = finished.branch(tmp_path / "work")
    half = directory.results / "passes/linear/.7.elsewhere-1.part.npz"
    half.touch()
    listed = clean(directory.folder, "--dry-run")
    assert listed.returncode == 0
    assert "results/features" in listed.stdout and half.name in listed.stdout
    assert half.exists()
    assert clean(directory.folder).returncode == 0
    assert not half.exists()
    assert not (directory.results / "features").exists()
    assert (directory.results / "passes/linear/0.npz").exists()
    assert directory.would_run() == {}
    # what is needed again is made again
    directory.configure(passes={**directory.settings["passes"], "n_permuted": 2})
    jobs = directory.would_run("results/passes/linear/permuted/1.npz")
    assert jobs == {"prepare_features": 1, "train_permuted_pass": 1}


def test_passes_go_when_asked(finished, tmp_path):
    directory = finished.branch(tmp_path / "work")
    assert clean(directory.folder, "--passes").returncode == 0
    assert not (directory.results / "passes").exists()
    assert (directory.results / "findings/linear/features.tsv").exists()
    assert directory.would_run() == {}


def test_a_living_run_and_other_folders_are_left_alone(tmp_path):
    refused = clean(tmp_path)
    assert refused.returncode == 2
    assert "is not a results folder" in refused.stderr
    for name in ("results/logs", "results/benchmarks", "results/features", ".snakemake"):
        (tmp_path / name).mkdir(parents=True)
    with (tmp_path / ".snakemake/running").open("a") as running:
        fcntl.flock(running, fcntl.LOCK_SH)
        refused = clean(tmp_path)
    assert refused.returncode == 2
    assert "a run is in progress" in refused.stderr
    assert (tmp_path / "results/features").exists()
    assert clean(tmp_path).returncode == 0
    assert not (tmp_path / "results/features").exists()
    assert "nothing to delete" in clean(tmp_path).stdout
