"""The wheel: it holds the workflow, so that a study can be checked and run where there is no clone."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Folder with what pip makes of a wheel; the folder of packages in it is returned."""
    built, prefix = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("prefix")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", built], cwd=ROOT, check=True, timeout=120
    )
    packages = prefix / "lib/python3/site-packages"
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        content.extractall(packages)
    (data,) = packages.glob("*.data/data")
    (data / "share").rename(prefix / "share")
    return packages


def deepmapper(installed, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "deepmapper", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_study_is_checked_and_planned_without_a_clone(installed, tmp_path):
    study = tmp_path / "blood"
    matrix = ROOT / "resources/demo/matrix/pbmc68k_reduced.h5ad"
    made = deepmapper(installed, "init", study, "--matrix", matrix, "--labels", "bulk_labels")
    assert made.returncode == 0, made.stderr

    checked = deepmapper(installed, "check", study)
    planned = deepmapper(installed, "run", study, "--no-check", "--", "--dry-run")

    assert "no fault found" in checked.stdout, checked.stdout + checked.stderr
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert "train_pass" in planned.stdout


def test_what_else_the_commands_read_is_there(installed):
    assert "pbmc3k" in deepmapper(installed, "fetch").stdout
