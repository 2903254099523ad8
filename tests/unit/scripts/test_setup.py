"""scripts/setup.sh: the environment, before anything is downloaded."""

import os
import subprocess
import venv
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_an_active_environment_is_rebuilt_with_the_python_that_it_was_made_with(tmp_path):
    """After an update of the pins, whoever has the environment activated gets a new one, not a deleted one."""
    root, environment = tmp_path / "clone", tmp_path / "clone/.venv"
    (root / "scripts").mkdir(parents=True)
    (root / "envs").mkdir()
    (root / "scripts/setup.sh").write_text((ROOT / "scripts/setup.sh").read_text())
    (root / "envs/requirements.txt").write_text("pip==0.0.1\ntorch==0.0.1\n")
    venv.create(environment, with_pip=False, symlinks=True)
    (environment / ".deepmapper-lock").touch()
    (environment / "old").touch()

    settings = {
        "PATH": f"{environment / 'bin'}:{os.environ['PATH']}",
        "DEEPMAPPER_SKIP_TOOLS": "1",
        "PIP_NO_INDEX": "1",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DEEPMAPPER_", "VIRTUAL_ENV"))}
    run = subprocess.run(
        ["bash", root / "scripts/setup.sh"], env=kept | settings, capture_output=True, text=True, timeout=120
    )

    assert f"creating {environment} with" in run.stdout
    assert f"with {environment}" not in run.stdout
    assert "could not create" not in run.stderr
    assert "pip failed" in run.stderr  # there is no such version, and no index
    assert not (environment / "old").exists()
    assert (environment / "bin/python").exists()
