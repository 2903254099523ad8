"""First layers on sparse images: the same results as on dense ones."""

import pytest
import scipy.sparse as sp
import torch

from deepmapper.backbones import registry
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


def test_networks_that_take_sparse_images_say_so():
    assert [kind for kind in registry.available() if network(kind, 6).takes_sparse] == sorted(SPARSE)


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
