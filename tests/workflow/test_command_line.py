"""The command `deepmapper` on a finished study: nothing is repeated, the page is written, the screen stays short."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.workflow


def test_a_finished_study_is_checked_found_complete_and_reported(finished, tmp_path):
    study = finished.branch(tmp_path / "study")
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment["PYTHONPATH"] = str(finished.pipeline / "src")

    def deepmapper(*arguments):
        code = "from deepmapper.cli.main import main; main()"
        command = [sys.executable, "-c", code, *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    before = study.outputs()
    said = deepmapper("run", study.folder, "--cores", 1)
    assert len(said.splitlines()) < 40
    assert "no fault found" in said
    assert "Nothing to do: all results are up to date." in said
    assert "cnn_small: " in said
    assert deepmapper("open", study.folder).strip() == str(study.results / "index.html")
    assert deepmapper("report", study.folder).strip() == str(study.results / "report.html")
    assert {name: text for name, text in study.outputs().items() if name != "report.html"} == before
