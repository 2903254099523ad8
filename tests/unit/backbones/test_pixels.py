"""First layers on sparse images: the same results as on dense ones."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from deepmapper.backbones import pixels, registry
from deepmapper.backbones.pixels import PixelLayer, StoredPixels
from deepmapper.backbones.registry import build
from deepmapper.config import BackboneSpec

SPARSE = ["linear", "mlp", "cnn_small"]


def network(kind, side):
    torch.manual_seed(0)
    return build(BackboneSpec(kind, side), 3).eval()


@pytest.mark.parametrize("kind", SPARSE)
@pytest.mark.parametrize("side", [1, 5, 17, 50, 100])
def test_sparse_images_give_the_results_of_dense_ones(kind, side):
    """Loss, embeddings and the gradients of all weights."""
    model = network(kind, side)
    if kind == "linear":
        torch.nn.init.normal_(model.head.weight)
    if model.prime is not None:
        model.prime(*torch.rand(3, side, side))
    images = torch.rand(6, 1, side, side) * (torch.rand(6, 1, side, side) < 0.2)
    images[3] = 0
    gradients = []
    for given in (images, sp.csr_matrix(images.flatten(1).numpy())):
        model.zero_grad()
        model.loss(given, torch.tensor([0, 1, 2, 0, 1, 2])).backward()
        gradients.append([weight.grad.clone() for weight in model.parameters()])
        torch.testing.assert_close(model.embed(given), model.embed(images), rtol=1e-4, atol=1e-5)
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", SPARSE)
def test_stored_images_give_the_same_bits_as_sparse_ones(kind):
    """Scores and gradients of images taken out of order, one of them empty, with weights held as in training."""
    model, side = network(kind, 12), 12
    images = torch.rand(9, side * side) * (torch.rand(9, side * side) < 0.2)
    images[:, ::2] = 0
    images[4] = 0
    if model.prime is not None:
        spread = (images.abs().sum(0) > 0).float().reshape(side, side)
        model.prime(spread, 0.5 * spread, 0.5 * spread)
    matrix, wanted = sp.csr_matrix(images.numpy()), np.array([7, 4, 0, 7])
    with model.training_weights(sparse=True):
        stored = StoredPixels.join([model.store(matrix[:3]), model.store(matrix[3:])]).take(wanted)
        assert len(stored) == 4
        found = []
        for given in (matrix[wanted], stored):
            model.zero_grad()
            loss = model.loss(given, torch.tensor([0, 1, 2, 0]))
            loss.backward()
            found.append([loss.detach(), *(weight.grad.clone() for weight in model.parameters())])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    assert all(weight.is_contiguous() for weight in model.parameters())


@pytest.mark.parametrize("hidden", [8, 40])
def test_two_batches_give_the_same_bits_as_one_after_another(hidden, monkeypatch):
    """Products and gradients, whatever the number of pixels whose gradients are added at a time."""
    monkeypatch.setattr(pixels, "_PIXELS_AT_ONCE", 7)
    torch.manual_seed(0)
    layer = PixelLayer(30, hidden)
    parts = [sp.random(n, 30, 0.3, "csr", np.float32, random_state=n) for n in (4, 6)]
    found = []
    for products in (layer.forward_parts(parts), [layer(part) for part in parts]):
        layer.zero_grad()
        torch.cat(products).pow(2).sum().backward()
        found.append([*products, *(weight.grad.clone() for weight in layer.parameters())])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_networks_that_take_sparse_images_say_so():
    assert [kind for kind in registry.available() if network(kind, 6).takes_sparse] == sorted([*SPARSE, "scnym"])


@pytest.mark.parametrize("kind", SPARSE)
def test_the_first_layer_is_linear_and_the_later_layers_are_the_rest(kind):
    model = network(kind, 20)
    one, other = torch.rand(2, 3, 1, 20, 20)
    with torch.no_grad():
        torch.testing.assert_close(model.later_layers(model.first_layer(one)), model(one))
        between = model.first_layer(0.3 * one + 0.7 * other)
        torch.testing.assert_close(
            between, 0.3 * model.first_layer(one) + 0.7 * model.first_layer(other), rtol=1e-4, atol=1e-5
        )
