"""`scripts/setup.sh`: which Python makes the environment, and when an environment is kept."""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def _sha256(*parts):
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def test_an_environment_that_is_active_is_kept(tmp_path):
    """Its own Python comes first on the path: taken for another one, it would have to rebuild itself, and could not."""
    folder = tmp_path / "env"
    venv.create(folder, symlinks=True)
    python = folder / "bin" / f"python3.{sys.version_info.minor}"
    base = subprocess.check_output([python, "-c", "import sys; print(sys._base_executable)"], text=True).strip()
    version = sys.version.split()[0]
    requirements = (ROOT / "envs/requirements.txt").read_text()
    (folder / ".deepmapper-lock").touch()
    (folder / ".stamp-pins").write_text(_sha256(f"{folder}\n{base}\n{version}\n", requirements) + "\n")
    (folder / ".stamp-package").write_text(_sha256(f"{ROOT}\n", (ROOT / "pyproject.toml").read_text()) + "\n")
    environment = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "DEEPMAPPER_VENV": str(folder),
        "DEEPMAPPER_PYTHON": python.name,
        "DEEPMAPPER_SKIP_TOOLS": "1",
    }

    done = subprocess.run(
        ["bash", ROOT / "scripts/setup.sh"], env=environment, capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "creating" not in done.stdout
    assert python.exists()


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
