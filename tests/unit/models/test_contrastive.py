"""Contrastive learning: the loss against its definition, over two processes, and an embedding that keeps cell types."""

import sys

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

from deepmapper.errors import InputError
from deepmapper.models import ContrastiveMLP, fit, predict
from deepmapper.models.cells import open_cells
from deepmapper.models.contrastive import nt_xent
from deepmapper.models.count_halves import SplitCounts
from deepmapper.models.shuffled import ShuffledCells
from deepmapper.models.transforms import Dropout, Duplicate, Log1p


@pytest.fixture(scope="module")
def cells():
    """600 cells of four types, sorted by type."""
    rng = np.random.default_rng(0)
    types = np.repeat(np.arange(4), 150)
    rate = np.exp(rng.normal(0, 1, (4, 80)) * (rng.random((4, 80)) < 0.3))[types] * 1.5
    obs = pd.DataFrame({"type": types.astype(str)}, index=[f"c{i}" for i in range(600)])
    return anndata.AnnData(sp.csr_matrix(rng.poisson(rate).astype(np.float32)), obs=obs)


def test_the_loss_is_nt_xent():
    draw = torch.Generator().manual_seed(0)
    first, second = (torch.nn.functional.normalize(torch.randn(12, 5, generator=draw), dim=1) for _ in range(2))
    both = torch.cat([first, second]).double()
    similarity = torch.exp(both @ both.T / 0.5)
    similarity.fill_diagonal_(0)
    partner = torch.cat([torch.arange(12) + 12, torch.arange(12)])
    expected = -torch.log(similarity[torch.arange(24), partner] / similarity.sum(1)).mean()
    torch.testing.assert_close(nt_xent(first, second, 0.5).double(), expected, rtol=1e-6, atol=0)


def test_training_keeps_what_tells_cells_apart(cells):
    pytest.importorskip("lightning")
    from sklearn.model_selection import cross_val_score
    from sklearn.neighbors import KNeighborsClassifier

    torch.manual_seed(1)
    model = ContrastiveMLP(80, [64], 16, temperature=0.2)
    transforms = [Log1p(), Duplicate(), Dropout(0.2)]
    fit(model, cells, transforms=transforms, epochs=10, batch_size=100, learning_rate=3e-3)
    embedding = predict(model, cells, transforms=[Log1p()])["x_ng"]
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, rtol=1e-5)
    accuracy = cross_val_score(KNeighborsClassifier(15), embedding, cells.obs["type"], cv=4).mean()
    assert accuracy > 0.9


@pytest.mark.parametrize("two", [(Duplicate(), Dropout(0.2)), (SplitCounts(),)], ids=["dropout", "counts"])
def test_an_interrupted_training_goes_on_to_the_same_end(cells, tmp_path, two):
    pytest.importorskip("lightning")
    transforms = [Log1p(), *two]

    def start():
        torch.manual_seed(1)
        return ContrastiveMLP(80, [16], 4)

    whole = fit(start(), cells, transforms=transforms, epochs=4, batch_size=100)
    fit(start(), cells, transforms=transforms, epochs=2, batch_size=100, checkpoint=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]
    resumed = fit(start(), cells, transforms=transforms, epochs=4, batch_size=100, checkpoint=tmp_path)
    for name, weights in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], weights, rtol=0, atol=0, msg=name)


def test_batches_mix_all_cells_and_hold_each_once(cells):
    data = open_cells([cells[:70].copy(), cells[70:].copy()], {"cl_names_n": "type"})

    def seen(epoch, rank=0, size=1, batch_size=64):
        def take(x_ng, cl_names_n): ...

        batches = list(ShuffledCells(data, take, (), batch_size, 5, epoch, rank, size))
        return batches, np.concatenate([batch["x_ng"].numpy() for batch in batches])

    batches, values = seen(0)
    assert [len(batch["x_ng"]) for batch in batches] == [64] * 9 + [24]
    everything = cells.X.toarray()
    np.testing.assert_array_equal(np.sort(values.sum(1)), np.sort(everything.sum(1)))
    assert min(len(set(batch["cl_names_n"])) for batch in batches) == 4
    by_label = {label: everything[cells.obs["type"] == label].sum(0) for label in "0123"}
    for label, expected in by_label.items():
        of_label = np.concatenate([batch["x_ng"].numpy()[batch["cl_names_n"] == label] for batch in batches])
        np.testing.assert_array_equal(of_label.sum(0), expected)
    np.testing.assert_array_equal(seen(0)[1], values)
    assert not np.array_equal(seen(1)[1], values)
    halves = [seen(0, rank, 2)[0] for rank in range(2)]
    for whole, *parts in zip(batches, *halves, strict=True):
        np.testing.assert_array_equal(np.concatenate([part["x_ng"] for part in parts]), whole["x_ng"])


def test_impossible_arguments_are_refused():
    with pytest.raises(InputError, match="temperature=0: expected a positive number"):
        ContrastiveMLP(5, [4], 3, temperature=0)
    with pytest.raises(InputError, match="3 rows: expected two copies of every cell"):
        ContrastiveMLP(5, [4], 3)(torch.ones(3, 5))
    with pytest.raises(InputError, match="dropout_prob=1: expected 0 or more"):
        Dropout(1)


def test_without_lightning_an_error_says_what_to_install(cells, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning", None)
    with pytest.raises(ImportError, match=r"ContrastiveMLP is trained by gradients.*'deepmapper\[train\]'"):
        fit(ContrastiveMLP(80, [4], 3), cells)
