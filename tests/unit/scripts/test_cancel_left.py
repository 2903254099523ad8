"""Jobs that a killed Snakemake left in the queue are cancelled, and no others. squeue and scancel are doubles."""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts/cancel_left.sh"
SQUEUE = 'cat "$QUEUE"'
# jobs take a moment to end
SCANCEL = 'echo "$@" > "$QUEUE.asked"; (sleep 1; grep -v " $PWD$" "$QUEUE" > "$QUEUE.new"; mv "$QUEUE.new" "$QUEUE") &'


@pytest.fixture
def here(tmp_path):
    """Make the folder of a run, and a queue in which two jobs are of it, one of them an array, and two are not."""
    folder = tmp_path / "my study"
    (folder / ".snakemake").mkdir(parents=True)
    (folder / ".snakemake/running").touch()
    (tmp_path / "bin").mkdir()
    for name, script in (("squeue", SQUEUE), ("scancel", SCANCEL)):
        (tmp_path / "bin" / name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    jobs = [(11, folder), (12, folder), (12, folder), (13, f"{folder}/deeper"), (14, tmp_path)]
    (tmp_path / "queue").write_text("".join(f"{job} {place}\n" for job, place in jobs))
    return folder


def cancel(folder, *arguments):
    environment = {"PATH": f"{folder.parent}/bin:{os.environ['PATH']}", "QUEUE": f"{folder.parent}/queue"}
    return subprocess.run(
        ["bash", SCRIPT, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_jobs_of_this_folder_go_and_are_waited_for(here):
    done = cancel(here)
    assert (done.returncode, done.stdout) == (0, "Cancelled: 11 12\n")
    assert (here.parent / "queue.asked").read_text() == "11 12\n"
    left = (here.parent / "queue").read_text().splitlines()
    assert [line.split()[0] for line in left] == ["13", "14"]
    assert cancel(here).stdout == "No job of this folder is in the queue.\n"


def test_a_look_cancels_nothing(here):
    assert cancel(here, "--dry-run").stdout == "Would be cancelled: 11 12\n"
    assert not (here.parent / "queue.asked").exists()


def test_jobs_of_a_snakemake_that_runs_are_left_alone(here):
    with (here / ".snakemake/running").open("a") as running:
        fcntl.flock(running, fcntl.LOCK_SH)
        done = cancel(here)
    assert done.returncode == 1 and "A Snakemake is running in this folder" in done.stderr
    assert not (here.parent / "queue.asked").exists()
