"""Several processes: those of Slurm find each other, and training in two gives the weights of one."""

import anndata
import numpy as np
import pytest
import scipy.sparse as sp
import torch

from deepmapper.errors import InputError
from deepmapper.models import ContrastiveMLP, fit
from deepmapper.models.distributed import tasks_of_slurm
from deepmapper.models.transforms import Duplicate, Log1p

TASK = {
    "SLURM_JOB_ID": "4711",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "6",
    "SLURM_STEP_TASKS_PER_NODE": "2(x3)",
    "SLURM_STEP_NODELIST": "node[07-09]",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
}


def test_tasks_of_slurm_are_described_as_processes_of_torchrun():
    found = tasks_of_slurm(TASK)
    assert {name: found[name] for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK")} == {
        "RANK": "3",
        "WORLD_SIZE": "6",
        "LOCAL_RANK": "1",
        "LOCAL_WORLD_SIZE": "2",
        "GROUP_RANK": "1",
    }
    assert found["MASTER_ADDR"] == "node07"
    assert found["MASTER_PORT"] == "24711"
    given = tasks_of_slurm(TASK | {"MASTER_ADDR": "10.0.0.7", "SLURM_STEP_ID": "1"})
    assert (given["MASTER_ADDR"], given["MASTER_PORT"]) == ("10.0.0.7", "24712")


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("one", "one"),
        ("a,b-2", "a"),
        ("a-[3,5-9],b", "a-3"),
        ("gpu[12]", "gpu12"),
        ("r[1-2]n[04-08]-ib,x", "r1n04-ib"),
    ],
)
def test_task_0_runs_on_the_first_node(nodes, first):
    assert tasks_of_slurm(TASK | {"SLURM_STEP_NODELIST": nodes})["MASTER_ADDR"] == first


@pytest.mark.parametrize(
    "changes",
    [
        {"SLURM_STEP_NUM_TASKS": "1"},  # a job of one task
        {"SLURM_STEP_NUM_TASKS": None, "SLURM_NTASKS": "6"},  # a batch script
        {"WORLD_SIZE": "12"},  # torchrun within srun
    ],
)
def test_a_process_that_is_no_task_of_several_is_left_alone(changes):
    environment = {name: value for name, value in (TASK | changes).items() if value is not None}
    assert tasks_of_slurm(environment) == {}


def test_uneven_tasks_on_nodes_are_refused():
    with pytest.raises(InputError, match=r"SLURM_STEP_TASKS_PER_NODE is 4,2: .* --ntasks-per-node"):
        tasks_of_slurm(TASK | {"SLURM_STEP_TASKS_PER_NODE": "4,2"})


def test_training_in_two_processes_gives_the_weights_of_one():
    """50 steps with the same batches, through batch normalisation, whose statistics the processes share."""
    pytest.importorskip("lightning")
    counts = np.random.default_rng(0).poisson(1.5, (701, 40)).astype(np.float32)
    cells = anndata.AnnData(sp.csr_matrix(counts))
    found = []
    for devices in (1, 2):
        torch.manual_seed(0)
        model = ContrastiveMLP(40, [16], 4)
        # Duplicate alone: what is drawn differs between processes
        trainer = {"max_steps": 50, "accelerator": "cpu"}
        fit(model, cells, transforms=[Log1p(), Duplicate()], batch_size=100, devices=devices, trainer=trainer)
        found.append(model.state_dict())
    assert int(found[0]["layers.1.num_batches_tracked"]) == 50
    for state in found:
        # normalisation takes off the bias before it: its gradient is rounding error, which AdamW makes as large as any
        del state["layers.0.bias"], state["layers.1.running_mean"]
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=1e-5)
