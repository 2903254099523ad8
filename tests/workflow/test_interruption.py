"""A run that was ended from outside goes on where it was, by the very same command."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from deepmapper.errors import InputError
from deepmapper.passes.result import PassResult
from deepmapper.workflow.locks import clear_stale_locks

pytestmark = pytest.mark.workflow

TARGET = "results/findings/linear/features.tsv"


def finished_passes(directory) -> list[str]:
    """Passes that the running Snakemake has reported as done."""
    said = (directory.folder / "said.txt").read_text()
    done = {line.split()[2] for line in said.splitlines() if line.endswith("(Rule: train_pass)")}
    return sorted(
        line.split()[3] for line in said.splitlines() if "Pass " in line and line.split()[1].strip(":") in done
    )


def begin(directory, n_passes: int) -> subprocess.Popen:
    """Start the run; return when so many passes are done and others are being trained."""
    running = directory.start(TARGET)
    until = time.monotonic() + 120
    while len(finished_passes(directory)) < n_passes:
        assert running.poll() is None and time.monotonic() < until, (directory.folder / "said.txt").read_text()
        time.sleep(0.1)
    return running


def states(directory, seeds: list[str]) -> dict[str, tuple]:
    """What would change if one of these passes were trained again, its log included."""
    files = [directory.results / f"passes/linear/{seed}.npz" for seed in seeds]
    files += [directory.results / f"logs/passes/linear/{seed}.log" for seed in seeds]
    return {str(file): (file.stat().st_mtime_ns, file.stat().st_ino, file.read_bytes()) for file in files}


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill -9"])
def test_same_command_goes_on(ranked, work_directory, sent):
    directory = work_directory(passes=ranked.settings["passes"])
    running = begin(directory, 1)  # of three, two at a time: the last has hardly begun
    os.killpg(running.pid, sent)  # Snakemake and all its children
    assert running.wait(timeout=60) != 0
    kept = finished_passes(directory)
    missing = ranked.settings["passes"]["n_passes"] - len(kept)
    assert kept and missing
    before = states(directory, kept)

    again = directory.run(TARGET)
    assert again.jobs["train_pass"] == missing and again.jobs["accumulate_passes"] == 1
    assert ("an earlier run was killed; its lock was removed" in again.said) == (sent == signal.SIGKILL)
    assert states(directory, kept) == before
    assert directory.outputs() == ranked.outputs()


def test_a_pass_that_was_killed_goes_on_from_its_checkpoint(work_directory):
    directory = work_directory(resources={"checkpoint_minutes": 0.01, "seeds_per_job": 1})
    directory.configure(training={**directory.settings["training"], "epochs": 2000, "early_stop": False})
    directory.run("results/features")
    target = "results/passes/linear/3.npz"
    running = directory.start(target)
    until = time.monotonic() + 60
    while not (kept := list(directory.results.glob("scratch/passes/*/checkpoint.npz"))):
        assert running.poll() is None and time.monotonic() < until, (directory.folder / "said.txt").read_text()
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert kept[0].exists()
    assert not (directory.folder / target).exists()

    directory.run(target)
    log = (directory.results / "logs/passes/linear/3.log").read_text()
    assert "resuming from a checkpoint in epoch" in log
    assert not (directory.results / "scratch").exists()
    gone_on = (directory.folder / target).read_bytes()
    directory.run("--force", target)
    assert "goes on" not in (directory.results / "logs/passes/linear/3.log").read_text()
    assert (directory.folder / target).read_bytes() == gone_on


def test_second_run_beside_a_living_one_is_refused(work_directory):
    directory = work_directory()
    running = begin(directory, 0)
    locks = directory.folder / ".snakemake/locks"
    while not list(locks.glob("*.lock")):
        assert running.poll() is None
        time.sleep(0.05)
    second = directory.start(TARGET, log=directory.folder / "second.txt")
    assert second.wait(timeout=60) != 0
    said = (directory.folder / "second.txt").read_text()
    assert "Directory cannot be locked" in said
    assert "its lock was removed" not in said
    assert running.poll() is None
    assert list(locks.glob("*.lock"))
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()


def test_locks_of_the_dead_are_removed_and_those_of_the_living_kept(tmp_path):
    locks = tmp_path / ".snakemake/locks"
    code = "import sys; from deepmapper.workflow.locks import clear_stale_locks"
    code += f"; print(clear_stale_locks({str(tmp_path / '.snakemake')!r}))"
    code += "; sys.stdout.flush(); sys.stdin.read()"

    def another() -> subprocess.Popen:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        process = subprocess.Popen([sys.executable, "-c", code], text=True, **pipes)
        process.told = process.stdout.readline().strip()
        return process

    first = another()
    assert first.told == "False"
    locks.mkdir()
    (locks / "0.output.lock").write_text("a\n")
    second = another()
    assert second.told == "False"
    assert list(locks.iterdir())
    for process in (first, second):
        process.kill()
        process.wait()
    third = another()
    assert third.told == "True"
    assert not locks.exists()
    third.communicate()
    assert clear_stale_locks(tmp_path / ".snakemake") is False


def test_half_a_pass_is_refused_by_its_name(ranked, tmp_path):
    directory = ranked.branch(tmp_path / "work")
    half = directory.results / "passes/linear/2.npz"
    half.write_bytes(half.read_bytes()[:4000])
    done = directory.run(TARGET, fails=True)
    # whichever of the rules that read the passes comes first
    assert re.search(r"Error in \w+: results/passes/linear/2\.npz is not a complete pass", done.said), done.said
    assert "delete it and run its target again" in done.said
    half.unlink()
    assert directory.run("results/passes/linear/2.npz").jobs == {"train_pass": 1}
    # the rules that met the half pass lost their outputs; the others find the trained pass to be the one they read
    again = directory.run(TARGET).jobs
    judging = {"judge_convergence", "calibrate_features", "accumulate_passes"}
    assert set(again) <= {*judging, "recommend_features", "join_features"}
    assert directory.outputs() == ranked.outputs()


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.99])
def test_no_part_of_a_pass_is_taken_for_whole(ranked, tmp_path, share):
    whole = (ranked.results / "passes/linear/2.npz").read_bytes()
    (tmp_path / "2.npz").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match="2.npz is not a complete pass"):
        PassResult.load(tmp_path / "2.npz")
