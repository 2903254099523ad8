"""Several processes: those of Slurm find each other, and training in two gives the weights of one."""

import inspect
import os
import socket
import subprocess
import sys
from unittest import mock

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

from deepmapper.errors import InputError
from deepmapper.models import CellariumGPT, CellariumModel, ContrastiveMLP, Geneformer, fit
from deepmapper.models.cells import open_cells
from deepmapper.models.distributed import tasks_of_slurm
from deepmapper.models.gpt_tokens import TrainTokens
from deepmapper.models.rank_tokens import MASK, PAD
from deepmapper.models.shuffled import ShuffledCells
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


def test_processes_leave_each_other_before_they_end():
    """One that ended with the threads of the others still running would abort now and then."""
    program = (
        "import atexit\n"
        "import torch.distributed as dist\n"
        "from deepmapper.models.distributed import join\n"
        "atexit.register(lambda: print(was, dist.is_initialized()))\n"  # called last
        "join()\n"
        "was = dist.is_initialized()\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, **place, "RANK": rank},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    assert [process.communicate(timeout=100)[0] for process in both] == ["True False\n"] * 2
    assert [process.returncode for process in both] == [0, 0]


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


@pytest.mark.parametrize(("n", "size"), [(701, 2), (203, 4), (40, 3)])
def test_no_cell_is_read_twice_in_an_epoch(n, size):
    cells = open_cells(anndata.AnnData(np.arange(n, dtype=np.float32)[:, None]))
    seen = []
    for rank in range(size):
        order = ShuffledCells(cells, lambda x_ng: None, (), 20, 0, 3, rank, size)
        seen.append([batch["x_ng"].ravel().tolist() for batch in order])
    assert len({tuple(map(len, batches)) for batches in seen}) == 1  # all have batches of the same sizes
    read = [cell for batches in seen for batch in batches for cell in batch]
    assert len(read) == len(set(read))
    assert n - len(read) <= (n // 20 + 1) * (size - 1)  # what a batch cannot be divided by


class Determined(Geneformer):
    """A Geneformer in which a cell decides what is hidden of it, as draws differ between processes."""

    def forward(self, x_ng, var_names_g):
        with mock.patch("deepmapper.models.geneformer.hide", hide_multiples):
            return super().forward(x_ng, var_names_g)


def hide_multiples(tokens, probability, n_features):
    # the more tokens a cell has, the larger the share that is hidden: processes hide different numbers
    chosen = (tokens != PAD) & (tokens % torch.where((tokens != PAD).sum(1) > 8, 2, 6)[:, None] == 0)
    return torch.where(chosen, MASK, tokens), chosen


class DeterminedTokens(torch.nn.Module):
    """`TrainTokens` whose draws a cell decides."""

    def __init__(self, sizes):
        super().__init__()
        self.draw = TrainTokens(sizes, 10, metadata=["cell_type"])

    def forward(self, x_ng, **batch):
        rows = []
        for i, row in enumerate(x_ng.to_dense()):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(int(row @ torch.arange(1.0, len(row) + 1)))
                rows.append(self.draw(row[None], cell_type_n=batch["cell_type_n"][[i]]))
        found = {"prompt_mask_nc": torch.cat([row["prompt_mask_nc"] for row in rows])}
        for key in (key for key in rows[0] if key.endswith("_dict")):
            found[key] = {name: torch.cat([row[key][name] for row in rows]) for name in rows[0][key]}
        found["label_weight_nc_dict"] = {k: value / len(rows) for k, value in found["label_weight_nc_dict"].items()}
        return found


SIZES = {"gene_id": 40, "gene_value": 5, "cell_type": 3, "assay": 2}  # of which the assay is not told


class Transformers(CellariumModel):
    """Both models that are transformers, in one training: processes take long to start."""

    uses_all_weights = False

    def __init__(self):
        super().__init__()
        names = np.arange(40).astype(str)
        self.geneformer = Determined(
            names, 16, 2, 4, 32, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, max_position_embeddings=20
        )
        scales = {"gene_value": 1.0, "cell_type": 1.0}
        self.gpt = CellariumGPT(SIZES, 16, 32, 4, 2, 0.0, True, "torch", True, scales, initializer_range=0.2)

    def reset_parameters(self):
        self.geneformer.reset_parameters()
        self.gpt.reset_parameters()

    def parameter_groups(self, learning_rate):
        return [*self.geneformer.parameter_groups(learning_rate), *self.gpt.parameter_groups(learning_rate)]

    def forward(self, x_ng, var_names_g, **tokens):
        tokens = {key: tokens[key] for key in inspect.signature(CellariumGPT.forward).parameters if key in tokens}
        return {"loss": self.geneformer(x_ng, var_names_g)["loss"] + self.gpt(**tokens)["loss"]}


def test_transformers_of_two_processes_are_those_of_one():
    """In float64: where a gradient is 0 but for rounding errors, as that of the keys' bias, AdamW makes these large."""
    pytest.importorskip("lightning")
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.gamma(0.3, 1, (101, 1)) * np.ones(40)).astype(np.float32)
    types = pd.DataFrame({"type": rng.choice([*"abc"], 101)})
    types.index = types.index.astype(str)
    cells = anndata.AnnData(sp.csr_matrix(counts), obs=types, var=pd.DataFrame(index=np.arange(40).astype(str)))
    found = []
    for devices in (1, 2):
        torch.manual_seed(0)
        options = {"transforms": [DeterminedTokens(SIZES)], "obs": {"cell_type_n": "type"}, "batch_size": 20}
        trainer = {"max_steps": 12, "accelerator": "cpu", "precision": "64-true"}
        model = fit(Transformers(), cells, devices=devices, trainer=trainer, **options)
        found.append(model.double().state_dict())
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=1e-7)
