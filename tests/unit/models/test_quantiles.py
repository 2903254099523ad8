"""Medians of non-zero values by t-digests."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from deepmapper.models import TDigest
from deepmapper.models.tensors import to_tensor

NAMES = np.array([f"g{i}" for i in range(20)])


@pytest.fixture(scope="module")
def cells():
    rng = np.random.default_rng(0)
    X = rng.gamma(2.0, 3.0, (3000, 20)) * (rng.random((3000, 20)) < 0.4)
    X[:, 7] = 0
    return X.astype(np.float32)


def trained(X):
    pytest.importorskip("crick")
    model = TDigest(NAMES)
    model.on_train_epoch_start(SimpleNamespace(current_epoch=0))
    for start in range(0, len(X), 500):
        model(to_tensor(sp.csr_matrix(X[start : start + 500])), NAMES)
    return model


def test_medians_are_those_of_the_nonzero_values(cells):
    medians = trained(cells).median_g
    expected = np.array([np.median(column[column > 0]) if column.any() else np.nan for column in cells.T])
    np.testing.assert_allclose(medians, expected, rtol=0.01)
    assert torch.isnan(medians[7])


def test_a_checkpoint_holds_the_digests_without_pickles(cells, tmp_path):
    model = trained(cells)
    torch.save(model.state_dict(), tmp_path / "state.pt")
    again = TDigest(NAMES)
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    torch.testing.assert_close(again.median_g, model.median_g, rtol=0, atol=0, equal_nan=True)
    again(to_tensor(cells), NAMES)
    assert again.tdigests_g[0].size() == 2 * model.tdigests_g[0].size()


def test_without_crick_an_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "crick", None)
    with pytest.raises(ImportError, match=r"pip install 'deepmapper\[stream\]'.*findings/statistics.tsv"):
        TDigest(NAMES)
