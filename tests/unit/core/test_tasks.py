"""A job in several processes: who starts them, and what it says if one of them refuses its input."""

import sys

import pytest

from deepmapper.core.tasks import launcher, run_in_tasks
from deepmapper.errors import InputError
from deepmapper.findings.embedding import make_embedding


def test_tasks_of_slurm_are_started_by_srun_and_others_on_this_machine():
    assert launcher(4, {"SLURM_NTASKS": "4"})[:2] == ["srun", "--ntasks=4"]
    here = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=4"]
    for elsewhere in ({}, {"SLURM_NTASKS": "1"}):
        assert launcher(4, elsewhere)[:5] == here


def test_the_message_of_a_process_is_that_of_the_job(tmp_path):
    arguments = {"store": str(tmp_path / "missing"), "folder": "", "gpus": 0, "expression": "", "kind": "pca"}
    with pytest.raises(InputError, match="missing is not a feature store"):
        run_in_tasks(make_embedding, arguments, 2, tmp_path)
    assert list(tmp_path.iterdir()) == []
