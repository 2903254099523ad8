"""Several seeds in one job: the same bytes, seed by seed, whatever is missing, changed or killed."""

import ast
import os
import shutil
import signal
import subprocess
import time

import pytest

pytestmark = pytest.mark.workflow

TARGET = "results/findings/linear/features.tsv"
JUDGING = ("judge_convergence", "calibrate_features", "accumulate_passes")
TELL = dict.fromkeys((*JUDGING, "recommend_features", "join_features"), 1)


def several(directory, n: int | str, **more):
    """Let each job of a work directory train so many seeds."""
    directory.configure(resources={"seeds_per_job": n, **more})
    return directory


def states(directory, seeds) -> list[tuple]:
    files = [directory.results / f"passes/linear/{seed}.npz" for seed in seeds]
    return [(file.stat().st_ino, file.read_bytes()) for file in files]


def log_of(directory, name: str) -> str:
    return (directory.results / f"logs/passes/linear/{name}.log").read_text()


@pytest.fixture(scope="module")
def together(ranked, work_directory):
    """Run what `ranked` ran, its three seeds in one job. Not to be changed: `branch` it."""
    directory = several(work_directory(passes=ranked.settings["passes"]), 10)
    assert directory.run(TARGET).jobs["train_passes_0_2"] == 1
    return directory


def test_findings_and_passes_are_the_same_bytes_as_of_one_seed_a_job(ranked, together):
    assert together.outputs() == ranked.outputs()
    log = log_of(together, "0_2")
    assert [line for line in log.splitlines() if line.startswith("==")] == [f"== seed {seed} ==" for seed in range(3)]
    assert "device cpu, torch " in log
    assert not (together.results / "scratch").exists()


@pytest.mark.parametrize(("first", "then"), [("one", (10, 2, "auto")), ("several", (1, 3))])
def test_another_number_runs_nothing_again(ranked, together, tmp_path, first, then):
    directory = (ranked if first == "one" else together).branch(tmp_path / "work")
    for n in then:
        assert several(directory, n).would_run(TARGET) == {}


def test_every_kind_of_pass_is_the_same_alone(ranked, tmp_path):
    directory = several(ranked.branch(tmp_path / "work"), 2)
    directory.configure(passes={**ranked.settings["passes"], "n_permuted": 2, "n_shadow": 2}, stability={"n_pairs": 1})
    kinds = ("permuted", "shadow", "half")
    assert directory.run("passes").jobs == {f"train_{kind}_passes_0_1": 1 for kind in kinds} | {"passes": 1}
    before = directory.outputs()
    targets = [f"results/passes/linear/{kind}/1.npz" for kind in kinds]
    for target in targets:
        (directory.folder / target).unlink()
    assert directory.run(*targets).jobs == {f"train_{kind}_pass": 1 for kind in kinds}
    assert directory.outputs() == before


def test_what_is_set_for_single_passes_holds_for_jobs_of_several(together, tmp_path):
    directory = together.branch(tmp_path / "work")
    (directory.results / "passes/linear/1.npz").unlink()
    asked = ("train_pass:mem_mb=1234", "train_pass:runtime=7")
    said = directory.run("passes", "--set-resources", asked[0], "train_pass:runtime=7*attempt", fails=True).said
    assert "train_pass:runtime=7*attempt: expected the minutes of one pass" in said
    directory.run("passes", "--set-resources", *asked, "--set-threads", "train_pass=2")
    head, row = (directory.results / "benchmarks/passes/linear/0_2.tsv").read_text().splitlines()
    job = dict(zip(head.split("\t"), row.split("\t"), strict=True))
    resources = ast.literal_eval(job["resources"])
    assert (resources["mem_mb"], resources["runtime"], job["threads"]) == (1234, 21, "2")


def test_what_is_missing_is_trained_and_what_is_there_is_kept(together, tmp_path):
    directory = together.branch(tmp_path / "work")
    kept = states(directory, (0, 2))
    (directory.results / "passes/linear/1.npz").unlink()
    assert directory.run("passes").jobs == {"train_passes_0_2": 1, "passes": 1}
    assert states(directory, (0, 2)) == kept
    log = log_of(directory, "0_2")
    assert [f"seed {seed} is finished already" in log for seed in range(3)] == [True, False, True]
    assert directory.outputs() == together.outputs()
    assert directory.would_run("passes") == {}


def test_more_passes_join_the_last_job_and_train_no_other_again(together, tmp_path):
    directory = several(together.branch(tmp_path / "work"), 4)
    kept = states(directory, range(3))
    directory.configure(passes={**directory.settings["passes"], "n_passes": 5})
    assert directory.run("passes").jobs == {"train_passes_0_3": 1, "train_pass": 1, "passes": 1}
    assert states(directory, range(3)) == kept
    assert log_of(directory, "0_3").count("is finished already") == 3


@pytest.mark.parametrize(
    ("arguments", "jobs"),
    [
        (["--force", "results/passes/linear/1.npz"], {"train_pass": 1}),
        (["results/passes/linear/9.npz"], {"train_pass": 1}),
        (["--forcerun", "train_pass", "--", TARGET], {"train_pass": 3, **TELL}),
        (["--forceall", "--until", "prepare_features", "--", TARGET], {"import_matrix": 1, "prepare_features": 1}),
    ],
    ids=["-f", "a seed beyond", "-R", "-F"],
)
def test_passes_that_are_named_or_forced_are_trained_alone(together, arguments, jobs):
    assert together.would_run(*arguments) == jobs


def test_all_forced_are_trained_alone(together):
    forced = together.would_run("--forceall", "passes")
    assert forced == {"import_matrix": 1, "prepare_features": 1, "train_pass": 3, "passes": 1}


@pytest.mark.parametrize("killed", ["worker", "all"])
def test_finished_passes_of_a_killed_job_are_kept(together, work_directory, killed):
    directory = several(work_directory(passes=together.settings["passes"]), 10)
    directory.run("results/features")
    running = directory.start("passes")
    log = directory.results / "logs/passes/linear/0_2.log"
    until = time.monotonic() + 60
    # the second seed has begun, so the first is written
    while not (log.exists() and "== seed 1 ==" in log.read_text()):
        assert running.poll() is None and time.monotonic() < until, (directory.folder / "said.txt").read_text()
        time.sleep(0.01)
    if killed == "all":
        os.killpg(running.pid, signal.SIGKILL)
    else:
        workers = subprocess.run(["pgrep", "-g", str(running.pid)], capture_output=True, text=True, check=True)
        for worker in set(map(int, workers.stdout.split())) - {running.pid}:
            os.kill(worker, signal.SIGKILL)
    assert running.wait(timeout=60) != 0

    assert directory.run("passes").jobs == {"train_passes_0_2": 1, "passes": 1}
    assert "seed 0 is finished already" in log_of(directory, "0_2")
    assert directory.outputs().items() <= together.outputs().items()
    assert not (directory.results / "scratch").exists()


@pytest.mark.skipif(shutil.which("sinfo") is None, reason="needs the commands of Slurm")
def test_arrays_that_would_never_be_submitted_are_refused(work_directory):
    pytest.importorskip("snakemake_executor_plugin_slurm")
    cluster = ("--executor", "slurm", "--slurm-array-jobs", "train_pass, train_half_pass", "--jobs", "1")
    said = work_directory().run("passes", *cluster, fails=True).said  # two passes
    assert "--jobs 1 is less than the 2 jobs of train_pass" in said and "Give --jobs 2 or more" in said
    assert "Traceback" not in said
