"""What a script does around its work: its threads, its log, and one clear message when its input is at fault."""

import os
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.jobs import job

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


@pytest.mark.parametrize("error", [ZeroDivisionError("by nothing"), MemoryError("full")])
def test_any_other_failure_shows_where_it_happened(rule, capsys, error):
    with pytest.raises(SystemExit) as left, job(rule):
        raise error
    assert left.value.code == 1
    for text in (log_of(rule), capsys.readouterr().err):
        assert text.startswith("Traceback")
        assert text.rstrip().endswith(f"{type(error).__name__}: {error}")
