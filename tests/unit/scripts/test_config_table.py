"""The tables of options in config/README.md are those of the schema."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
README = ROOT / "config/README.md"


def run_table(*arguments):
    command = [sys.executable, ROOT / "scripts/config_table.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_tables_of_the_readme_are_up_to_date():
    done = run_table("--check")
    assert done.returncode == 0, done.stderr


def test_stale_tables_are_found_and_written(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(README.read_text().replace("| `training.lr` |", "| `training.speed` |"))
    done = run_table("--check", "--readme", readme)
    assert done.returncode == 1
    assert "the tables are out of date; run: python scripts/config_table.py" in done.stderr
    assert "training.speed" in readme.read_text()
    assert run_table("--readme", readme).returncode == 0
    assert readme.read_text() == README.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_missing_markers_are_named(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("no tables here\n")
    done = run_table("--readme", readme)
    assert done.returncode == 1
    assert "expected <!-- parameters --> followed by <!-- /parameters -->" in done.stderr
    assert readme.read_text() == "no tables here\n"
