import numpy as np
import pytest
import scipy.sparse as sp
import torch

from deepmapper.errors import InputError
from deepmapper.scnym import dataprep as dp

COUNTS = torch.tensor([[4.0, 0.0, 6.0], [0.0, 0.0, 0.0], [1.0, 2.0, 7.0]])


def sample(x=COUNTS):
    return {"input": x, "output": torch.eye(len(x)), "domain": torch.full((len(x),), -1.0)}


def test_a_data_set_gives_one_cell_or_a_batch_from_dense_and_sparse():
    X, y = np.arange(6.0).reshape(3, 2), np.array([0, 2, 0])
    for values in (X, sp.csr_matrix(X)):
        cells = dp.SingleCellDS(values, y, num_classes=3, domain=np.array([0, 1, 1]))
        assert len(cells) == 3
        assert cells.y_labels.tolist() == [0, 2, 0]
        one = cells[1]
        assert one["input"].tolist() == [2.0, 3.0]
        assert one["output"].tolist() == [0.0, 0.0, 1.0]
        assert one["domain"].tolist() == [0.0, 1.0]
        assert cells[[0, 2]]["input"].tolist() == [[0.0, 1.0], [4.0, 5.0]]
    assert dp.SingleCellDS(X, np.array([0, 1, 0])).num_classes == 2
    assert dp.SingleCellDS(X, np.array([0, 1, 0]))[0]["domain"] == -1


def test_the_transform_is_applied_on_reading():
    cells = dp.SingleCellDS(np.ones((2, 4)), np.array([0, 1]), transform=dp.LibrarySizeNormalize(8, log1p=False))
    assert cells[0]["input"].tolist() == [2.0] * 4


@pytest.mark.parametrize(
    ("y", "classes", "message"),
    [([0, 1], -1, "2"), ([0.5, 1, 0], -1, "whole"), ([0, 3, 1], 3, "0 to 2"), ([0, -1, 1], 3, "-1")],
)
def test_wrong_labels_are_refused(y, classes, message):
    with pytest.raises(InputError, match=message):
        dp.SingleCellDS(np.ones((3, 2)), np.array(y), num_classes=classes)


def test_classes_are_balanced_and_the_seed_decides():
    y = np.array([0] * 50 + [1] * 3 + [2] * 20)
    torch.manual_seed(1)
    drawn = dp.balance_classes(y, class_min=10)
    assert np.bincount(y[drawn]).tolist() == [10, 10, 10]
    assert len(set(drawn[y[drawn] == 0])) == 10  # enough cells: without replacement
    torch.manual_seed(1)
    assert (dp.balance_classes(y, class_min=10) == drawn).all()
    assert np.bincount(y[dp.balance_classes(y, class_min=2)]).tolist() == [3, 3, 3]  # the smallest class


def test_normalisation_reaches_its_sum_and_leaves_empty_cells():
    x = dp.LibrarySizeNormalize(counts_per_cell_after=100, log1p=False)(sample())["input"]
    assert x.sum(1).tolist() == [100.0, 0.0, 100.0]
    logs = dp.LibrarySizeNormalize()(sample())["input"]
    assert torch.allclose(dp.ExpMinusOne()({"input": logs})["input"][0].sum(), torch.tensor(1e6), rtol=1e-5)


def test_multinomial_draws_keep_to_the_depth():
    drawn = dp.MultinomialSample(depth=(50, 60))(sample())["input"]
    assert 50 <= drawn[0].sum() <= 60
    assert drawn[0, 1] == 0
    assert drawn[1].sum() == 0
    half = dp.MultinomialSample(depth_ratio=(0.5, 0.5))(sample(COUNTS * 100))["input"]
    assert half.sum(1).tolist() == [500.0, 0.0, 500.0]
    with pytest.raises(InputError, match="depth"):
        dp.MultinomialSample(depth=(5, 1))


def test_masking_chooses_cells_one_by_one_and_lowers_what_is_detected():
    torch.manual_seed(0)
    x = torch.ones(400, 50)
    masked = dp.GeneMasking(p_drop=0.5, p_apply=0.5)(sample(x))["input"]
    changed = (masked == 0).any(1).float().mean()
    assert 0.4 < changed < 0.6  # not all or none of a batch
    assert 0.4 < (masked[(masked == 0).any(1)] == 0).float().mean() < 0.6
    varied = dp.GeneMasking(p_drop=1.0, p_apply=1.0, sample_p_drop=True)(sample(x))["input"]
    assert (varied == 0).float().mean(1).std() > 0.2


def test_dropout_rescales_and_poisson_keeps_the_mean():
    torch.manual_seed(0)
    dropped = dp.InputDropout(p_drop=0.25)(sample(torch.ones(10, 1000)))["input"]
    assert dropped.unique().tolist() == pytest.approx([0, 4 / 3])
    drawn = dp.PoissonSample()(sample(torch.full((10, 1000), 5.0)))["input"]
    assert abs(drawn.mean() - 5) < 0.1
    assert (dp.PoissonSample(depth=(0.1, 0.1))(sample(torch.full((5, 500), 5.0)))["input"]).mean() < 1


def test_mixup_is_a_weighted_mean():
    a, b = torch.eye(2), torch.zeros(2, 2)
    assert dp.mixup(a, b, torch.tensor([0.5, 1.0])).tolist() == [[0.5, 0.0], [0.0, 1.0]]


def test_the_dominant_half_is_kept_and_all_tensors_are_mixed_alike():
    torch.manual_seed(0)
    x = torch.rand(64, 3)
    mixed = dp.SampleMixUp(alpha=0.3, keep_dominant_obs=True)({"input": x, "output": torch.eye(64)})
    order = mixed["random_idx"]
    own = mixed["output"][torch.arange(64), torch.arange(64)]
    assert (own >= 0.5 - 1e-6).all()
    assert torch.allclose(mixed["input"], dp.mixup(x, x[order], own), atol=1e-6)
    assert torch.equal(dp.SampleMixUp(alpha=0)(sample())["input"], COUNTS)


@pytest.mark.parametrize("name", dp.AUGMENTATIONS)
def test_augmentations_change_no_tensor_in_place(name):
    x = torch.log1p(COUNTS * 1e5)
    before = x.clone()
    out = dp.AUGMENTATIONS[name](sample(x))["input"]
    assert torch.equal(x, before)
    assert torch.isfinite(out).all()
    assert dp.identity(x) is x
