import math

import numpy as np
import pytest
import torch
from torch import nn

from deepmapper.errors import InputError
from deepmapper.scnym.losses import ICLWeight, cross_entropy, get_class_weight, sharpen_labels, teaching


def test_class_weights_are_inverse_shares():
    weight = get_class_weight(np.array(["b"] * 2 + ["a"] * 8))
    assert weight.tolist() == [1.0, 4.0]


def test_cross_entropy_against_distributions():
    scores = torch.randn(5, 3)
    codes = torch.tensor([0, 1, 2, 1, 0])
    hard = nn.functional.one_hot(codes, 3).float()
    assert torch.allclose(cross_entropy(scores, hard), nn.functional.cross_entropy(scores, codes))
    soft = torch.softmax(torch.randn(5, 3), dim=1)
    assert torch.allclose(cross_entropy(scores, soft), nn.functional.cross_entropy(scores, soft))
    each = cross_entropy(scores, hard, reduction="none")
    assert torch.allclose(cross_entropy(scores, hard, reduction="sum"), each.sum())
    weighted = cross_entropy(scores, hard, class_weight=torch.tensor([1.0, 2.0, 3.0]), reduction="none")
    assert torch.allclose(weighted, each * torch.tensor([1.0, 2.0, 3.0, 2.0, 1.0]))
    some = cross_entropy(scores, hard, sample_weight=torch.tensor([[1.0], [0], [0], [0], [0]]), reduction="sum")
    assert torch.allclose(some, each[0])
    with pytest.raises(InputError, match="reduction"):
        cross_entropy(scores, hard, reduction="median")
    with pytest.raises(InputError, match="shape"):
        cross_entropy(scores, codes[:, None])


def test_sharpening_lowers_the_entropy():
    q = torch.tensor([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0]])
    sharp = sharpen_labels(q, 0.5)
    assert torch.allclose(sharp[0], q[0] ** 2 / (q[0] ** 2).sum())
    assert sharp[1].tolist() == [1.0, 0.0, 0.0]
    assert torch.allclose(sharpen_labels(q, 1.0), q)
    assert sharpen_labels(q, 0).tolist() == [[1.0, 0.0, 0.0]] * 2
    with pytest.raises(InputError, match="T=-1"):
        sharpen_labels(q, -1)


def test_the_weight_ramps_after_the_burn_in():
    weight = ICLWeight(ramp_epochs=10, burn_in_epochs=5, max_unsup_weight=2.0)
    assert [weight(epoch) for epoch in (0, 4, 5, 10, 15, 99)] == [0, 0, 0, 1.0, 2.0, 2.0]
    ramp = ICLWeight(ramp_epochs=20, max_unsup_weight=0.1, sigmoid=True)
    assert ramp(0) == pytest.approx(0.1 * math.exp(-5))
    assert ramp(20) == ramp(50) == pytest.approx(0.1)
    assert ICLWeight(0)(0) == 10.0
    assert ICLWeight(5)(np.int64(5)) == 10.0
    with pytest.raises(TypeError, match="whole number"):
        weight(1.5)


def test_teaching_leaves_no_trace():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)).train()
    model[2].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with teaching(model, evaluate=False, running_stats=False):
        model(torch.rand(8, 3))
    assert model.training
    assert not model[2].training
    assert model[1].momentum == 0.1
    for name in ("1.running_mean", "1.running_var"):
        assert torch.equal(model.state_dict()[name], before[name])
