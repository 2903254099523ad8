"""The gates of the default network, and the weights that it drops in training."""

import copy

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.optimize import brentq

from deepmapper.backbones.default_cnn_small import effective_number
from deepmapper.backbones.registry import build
from deepmapper.config import BackboneSpec


def network(n_features):
    torch.manual_seed(0)
    return build(BackboneSpec("cnn_small"), 3, n_features).eval()


def gates_of(spread, ratio, shrinkage):
    """Return the gates, and a function that computes them by hand at an exponent t: e r^t / s^(1 - t), scaled."""
    model = network(spread.numel())
    model.prime(spread, ratio, shrinkage)
    s, r, e = (values.double().numpy() for values in (spread, ratio, shrinkage))

    def by_hand(t):
        gates = np.divide(e.clip(0.05) * r.clip(0.03) ** t, s ** (1 - t), out=np.zeros_like(s), where=s > 0)
        return gates * 10 / np.linalg.norm(gates * s)

    return model.gates.double().numpy(), by_hand


def test_few_pixels_are_standardised_and_weighted_by_their_shrinkage():
    """A pixel that differs between classes, one of the same spread that does not, a narrow one, and a constant one."""
    spread, shrinkage = torch.tensor([[4.0, 4.0], [1.0, 0.0]]), torch.tensor([[0.9, 0.0], [0.5, 0.0]])
    gates, by_hand = gates_of(spread, torch.tensor([[0.8, 0.0], [0.3, 0.0]]), shrinkage)
    np.testing.assert_allclose(gates, by_hand(0), rtol=1e-5)
    assert gates[0, 0] == pytest.approx(18 * gates[0, 1])
    assert (gates > 0).tolist() == [[True, True], [True, False]]


def test_many_informative_pixels_are_reduced_to_five_hundred_effective_ones():
    torch.manual_seed(0)
    spread, ratio = 0.1 + torch.rand(50, 50), torch.rand(50, 50) ** 3
    gates, by_hand = gates_of(spread, ratio, torch.ones(50, 50))
    assert effective_number(torch.from_numpy(gates * spread.numpy()) ** 2) == pytest.approx(500, rel=0.01)
    t = brentq(lambda t: effective_number(torch.from_numpy(by_hand(t) * spread.numpy()) ** 2) - 500, 0, 1)
    np.testing.assert_allclose(gates, by_hand(t), rtol=1e-3)


def test_pixels_keep_their_values_if_even_then_more_than_five_hundred_are_effective():
    gates, by_hand = gates_of(1 + torch.rand(40, 40), torch.ones(40, 40), torch.ones(40, 40))
    np.testing.assert_allclose(gates, by_hand(1), rtol=1e-4)


def test_an_effective_number_of_equal_ones_is_their_number():
    assert effective_number(torch.full((7,), 3.0)) == pytest.approx(7)
    assert effective_number(torch.tensor([1.0, 1.0, 0.0, 0.0])) == pytest.approx(2)


def test_the_scale_of_the_values_does_not_matter():
    model, spread = network(900), 0.1 + torch.rand(30, 30)
    ratio, shrinkage = torch.rand(30, 30), torch.rand(30, 30)
    images, scores = torch.rand(4, 1, 30, 30), []
    for scale in (1, 1000):
        model.prime(scale * spread, ratio, shrinkage)
        with torch.no_grad():
            scores.append(model(scale * images))
    torch.testing.assert_close(scores[0], scores[1], rtol=1e-3, atol=1e-4)


def test_constant_pixels_have_no_gate():
    model = network(9)
    model.prime(torch.zeros(3, 3), torch.ones(3, 3), torch.ones(3, 3))
    assert not model.gates.any()


@pytest.mark.parametrize("sparse", [True, False])
def test_dropped_weights_change_nothing_in_training_and_come_back(sparse):
    """Three of nine pixels vary: scores, gradients and, after a step, the weights are those of the whole layer."""
    torch.manual_seed(0)
    spread = torch.zeros(3, 3)
    spread.flatten()[torch.tensor([1, 4, 8])] = torch.tensor([1.0, 2.0, 0.5])
    full = network(9)
    full.prime(spread, spread.clamp_max(1), spread.clamp_max(1))
    trimmed = copy.deepcopy(full)
    dense = torch.rand(5, 1, 3, 3)
    images = sp.csr_matrix(dense.flatten(1).numpy()) if sparse else dense
    before = trimmed.whole.weight.detach().clone()
    with trimmed.training_weights():
        assert trimmed.whole.weight.shape == (3, 64)
        torch.testing.assert_close(trimmed(images), full(images))
        for model in (full, trimmed):
            model.loss(images, torch.tensor([0, 1, 2, 0, 1])).backward()
            with torch.no_grad():
                model.whole.weight -= model.whole.weight.grad
    assert not torch.equal(trimmed.whole.weight, before)
    torch.testing.assert_close(trimmed.whole.weight, full.whole.weight)
    torch.testing.assert_close(trimmed(images), full(images))


def test_weights_come_back_when_training_ends_in_an_error():
    model = network(9)
    model.prime(torch.eye(3), torch.eye(3), torch.eye(3))
    with pytest.raises(RuntimeError), model.training_weights():
        raise RuntimeError
    assert model.whole.weight.shape == (9, 64)


def test_no_weights_are_dropped_if_nearly_every_pixel_varies():
    model = network(9)
    model.prime(torch.ones(3, 3), torch.ones(3, 3), torch.ones(3, 3))
    with model.training_weights():
        assert model.whole.weight.shape == (9, 64)
