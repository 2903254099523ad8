"""The order of imports is a contract: it holds, and an import that goes up or sideways breaks it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def check(folder: Path) -> subprocess.CompletedProcess:
    """Run import-linter as scripts/test.sh does, on the package in `folder`."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("module", "statement", "broken"),
    [
        ("chords/types.py", "from ..passes import result", "Imports point down"),
        ("core/words.py", "from ..io import formats", "Imports point down"),
        ("features/store.py", "def late():\n    from ..findings import ranking", "Imports point down"),
        ("evidence/rank.py", "from ..chords import types", "Evidence knows neither chords nor passes"),
        ("accumulate.py", "import numpy", "Pure modules need the standard library alone"),
    ],
    ids=["sideways", "core upwards", "upwards within a function", "evidence to chords", "a pure module that is not"],
)
def test_a_planted_import_breaks_the_contract(tmp_path, module, statement, broken):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    package = tmp_path / "src/deepmapper"
    shutil.copytree(ROOT / "src/deepmapper", package, ignore=shutil.ignore_patterns("__pycache__"))
    path = package / module
    path.write_text(f"{path.read_text()}\n\n{statement}\n")
    done = check(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{broken} BROKEN" in done.stdout
