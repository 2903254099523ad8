"""What a script does around its work: its threads, its log, and one clear message when its input is at fault."""

import errno
import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from deepmapper.errors import DeepMapperWarning, InputError, ToolFailed
from deepmapper.workflow.rule_script import job

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


@pytest.fixture
def rule(tmp_path, monkeypatch):
    """Give the snakemake object of a rule; the environment and the warnings are put back afterwards."""
    for variable in (*THREADS, "OMP_WAIT_POLICY"):
        monkeypatch.setenv(variable, "unset")
    with warnings.catch_warnings():
        yield SimpleNamespace(threads=3, log=[str(tmp_path / "train_pass.log")], rule="train_pass")


def log_of(rule):
    return Path(rule.log[0]).read_text()


def test_what_is_printed_and_warned_goes_to_the_log(rule, capsys):
    with job(rule):
        print("epoch 1")
        print("aside", file=sys.stderr)
        warnings.warn("early stopping never acts", DeepMapperWarning, stacklevel=1)
    assert log_of(rule) == "epoch 1\naside\nDeepMapperWarning: early stopping never acts\n"
    assert capsys.readouterr() == ("", "")


def test_a_job_takes_its_threads_and_no_more(rule):
    with job(rule):
        assert [os.environ[variable] for variable in THREADS] == ["3"] * 4


def test_bad_input_is_one_message_in_the_log_and_on_the_screen(rule, capsys):
    with pytest.raises(SystemExit) as left, job(rule):
        raise InputError("y holds 1 negative label")
    assert left.value.code == 1
    assert log_of(rule) == capsys.readouterr().err == "Error in train_pass: y holds 1 negative label\n"


def test_any_other_failure_shows_where_it_happened_in_the_log_alone(rule, capsys):
    with pytest.raises(SystemExit) as left, job(rule):
        raise ZeroDivisionError("by nothing")
    assert left.value.code == 1
    log, screen = log_of(rule), capsys.readouterr().err
    assert screen.startswith("Error in train_pass: unexpected ZeroDivisionError: by nothing\n")
    assert screen.endswith(f"the log has the details: {rule.log[0]}\n")
    assert log.startswith("Traceback")
    assert log.endswith(f"ZeroDivisionError: by nothing\n{screen}")


def test_a_lack_of_memory_is_one_message(rule, capsys):
    with pytest.raises(SystemExit), job(rule):
        np.empty(10**15)
    assert log_of(rule) == capsys.readouterr().err
    assert re.fullmatch(
        r"Error in train_pass: there was not enough memory: Unable to allocate 7\.11 PiB .* This machine has [\d.]+ GB"
        r", of which [\d.]+ [GM]B are free now\. .*\n",
        log_of(rule),
    )


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.EACCES, "results/a.tsv: permission denied. Check the owner"),
        (errno.EROFS, "results/a.tsv: read-only file system. Run the workflow in a folder"),
        (errno.EMFILE, "results/a.tsv: too many open files. Allow more open files in this shell (ulimit -n 4096)"),
    ],
)
def test_an_error_of_the_system_is_one_message(rule, capsys, number, message):
    with pytest.raises(SystemExit), job(rule):
        try:
            raise OSError(number, os.strerror(number), "results/a.tsv")
        except OSError as error:
            raise RuntimeError("the writer failed") from error
    assert capsys.readouterr().err.startswith(f"Error in train_pass: {message}")
    assert "Traceback" not in log_of(rule)


def test_a_log_that_cannot_be_written_is_said(rule, tmp_path):
    rule.log = [str(tmp_path / ("x" * 300))]
    with pytest.raises(SystemExit, match=r"Error in train_pass: .*: file name too long"), job(rule):
        pass


# A pass in a process of its own, as a script of the workflow makes it; prints what the process really has.
PASS = '''
import json, os, sys
from types import SimpleNamespace
from deepmapper.workflow.rule_script import job

def seconds(task):
    """Time on the processor of one thread of this process."""
    fields = open(f"/proc/self/task/{task}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

threads = int(sys.argv[1])
with job(SimpleNamespace(threads=threads, log=[sys.argv[2]], rule="train_pass")):
    import torch
    torch.set_num_threads(threads)
    import numba, numpy as np
    from deepmapper.config import DeepMapperConfig
    from deepmapper.features.samples import Samples
    from deepmapper.passes.train import train_pass
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    X = (rng.gamma(1.0, 1.0, (300, 900)) + (np.arange(900) < 30 * y[:, None])).astype(np.float32)
    config = DeepMapperConfig(epochs=3, early_stop=False, attribution_samples=8, ig_steps=8)
    train_pass(Samples(X, y, ("a", "b", "c")), config, 0)
    torch.rand(1500, 1500) @ torch.rand(1500, 1500)
    np.random.rand(1500, 1500) @ np.random.rand(1500, 1500)
    import threadpoolctl
    pools = {pool["user_api"] + " " + pool["prefix"]: pool["num_threads"] for pool in threadpoolctl.threadpool_info()}
    found = {
        "torch": torch.get_num_threads(), "numba": numba.get_num_threads(), "pools": pools,
        "seconds": sorted(map(seconds, os.listdir("/proc/self/task"))), "policy": os.environ["OMP_WAIT_POLICY"],
    }
print(json.dumps(found))
'''


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads the threads of a process as Linux shows them")
@pytest.mark.parametrize("threads", [1, 2])
def test_the_real_process_of_a_pass_has_its_threads_and_no_more(tmp_path, threads):
    """However many its environment allows. Threads that torch keeps asleep do not count: they take no core."""
    environment = {name: value for name, value in os.environ.items() if name not in (*THREADS, "OMP_WAIT_POLICY")}
    environment["OMP_NUM_THREADS"] = "4"
    done = subprocess.run(
        [sys.executable, "-c", PASS, str(threads), str(tmp_path / "log")],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["torch"] == found["numba"] == threads
    assert found["pools"] and set(found["pools"].values()) == {threads}
    assert found["policy"] == "PASSIVE"
    working = [spent for spent in found["seconds"] if spent > 0.05 * sum(found["seconds"])]
    assert 1 <= len(working) <= 1 + (threads - 1) * len(found["pools"])


def test_full_disk_is_one_message_though_the_log_has_no_room_either(rule, capsys):
    rule.log = ["/dev/full"]
    with pytest.raises(SystemExit) as left, job(rule):
        print("epoch 1")
    assert left.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("Error in train_pass: the disk is full: no space left while running train_pass, ")
    assert "Traceback" not in said


def test_program_that_found_no_room_is_said_to_have_found_none(rule, capsys):
    with pytest.raises(SystemExit), job(rule):
        raise ToolFailed(
            "Trinity failed (exit status 1).\n  Its last lines:\n    cat: write error: No space left on device"
        )
    said = capsys.readouterr().err
    assert said.startswith("Error in train_pass: the disk is full: no space left while running train_pass, ")
    assert "\nTrinity failed (exit status 1).\n" in said
