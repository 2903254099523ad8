import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch import nn

from deepmapper.backbones.registry import build
from deepmapper.config import BackboneSpec
from deepmapper.errors import InputError

DOMAIN = torch.tensor([0, 1]).repeat_interleave(12)  # of 12 labelled and 12 target samples


def network(seed=0, **extra):
    torch.manual_seed(seed)
    small = {"hidden": 16, "num_layers": 1, "config": "no_new_identity", "adapt": "both"}
    return build(BackboneSpec("scnym", 4, extra={**small, **extra}), 3)


def batch(n=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 1, 4, 4, generator=generator), torch.arange(n) % 3


def test_without_an_arm_nothing_is_learned_from_unlabelled_samples():
    assert not network(adapt="none").learns_from_unlabelled
    assert not network(adapt="auto").learns_from_unlabelled
    assert network(adapt="mixmatch").learns_from_unlabelled
    assert network(adapt="mixmatch").domain is None
    assert network(adapt="adversary").domain is not None


def test_mixing_the_first_layer_is_mixing_samples():
    model = network()
    a, b = batch(seed=1)[0], batch(seed=2)[0]
    mixed = model.first_layer(0.3 * a + 0.7 * b)
    assert torch.allclose(0.3 * model.first_layer(a) + 0.7 * model.first_layer(b), mixed, atol=1e-6)


def test_one_update_of_batch_normalisation_a_step():
    model = network().train()
    images, targets = batch()
    model.adapted_loss(images, targets, batch(seed=3)[0], DOMAIN, 1.0).backward()
    assert all(norm.num_batches_tracked == 1 for norm in model.modules() if isinstance(norm, nn.BatchNorm1d))
    assert model.training


def test_unlabelled_samples_have_no_weight_before_the_ramp_but_teach_after_it():
    images, targets = batch()
    unlabelled = batch(seed=3)[0]

    def loss(epoch, **extra):
        model = network(adapt="mixmatch", **extra).train()
        torch.manual_seed(1)
        return model.adapted_loss(images, targets, unlabelled, DOMAIN, epoch).item()

    assert loss(0.0) < loss(10.0) < loss(20.0) == loss(40.0)
    assert loss(40.0, unsup_weight=0.0) == pytest.approx(loss(0.0))


def test_below_the_bar_no_unlabelled_sample_teaches():
    images, targets = batch()
    unlabelled = batch(seed=3)[0]
    losses = []
    for epoch in (0.0, 20.0):
        # an untrained network is not 90 % sure
        model = network(adapt="mixmatch", config="new_identity_discovery").train()
        torch.manual_seed(1)
        losses.append(model.adapted_loss(images, targets, unlabelled, DOMAIN, epoch).item())
    assert losses[0] == losses[1]


def test_the_adversary_pushes_against_the_trunk_with_its_weight():
    gradients = {}
    for weight in (0.0, 1.0):
        model = network(adapt="adversary", adversary_weight=weight, dropout=0.0, input_dropout=0.0).train()
        torch.manual_seed(1)
        loss = model.adapted_loss(*batch(), batch(seed=3)[0], DOMAIN, 20.0)
        loss.backward()
        assert model.domain[0].weight.grad.any()
        gradients[weight] = model.body[3].weight.grad
    assert not torch.allclose(gradients[0.0], gradients[1.0])


def domain_gradient(domain, n_domains):
    model = network(adapt="adversary", n_domains=n_domains, dropout=0.0, input_dropout=0.0).train()
    torch.manual_seed(1)
    model.adapted_loss(*batch(), batch(seed=3)[0], domain, 20.0).backward()
    return model.domain[-1].bias.grad


@pytest.mark.parametrize("n_domains", [2, 3, 20])
def test_the_adversary_tells_as_many_domains_apart_as_there_are(n_domains):
    gradient = domain_gradient(torch.arange(24) % n_domains, n_domains)
    assert gradient.shape == (n_domains,) and gradient.all()


def test_the_adversary_learns_nothing_from_a_sample_without_a_domain():
    assert not domain_gradient(torch.full((24,), -1), 3).any()
    some = torch.where(torch.arange(24) < 20, torch.arange(24) % 3, -1)
    assert domain_gradient(some, 3).any()


def test_sparse_images_give_the_same_scores():
    model = network().eval()
    images = torch.where(batch()[0] > 0.7, batch()[0], torch.zeros(()))
    sparse = sp.csr_matrix(images.flatten(1).numpy().astype(np.float32))
    assert torch.allclose(model(sparse), model(images), atol=1e-6)
    model.train()
    model.adapted_loss(sparse, batch()[1], sparse, torch.zeros(24, dtype=torch.long), 3.0).backward()
    assert model.pixels.weight.grad.any()


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"adapt": "dann"}, "extra adapt='dann': expected one of auto, none, mixmatch, adversary, both"),
        ({"config": "x"}, "new_identity_discovery, no_new_identity"),
        ({"unsup_weight": -1}, "unsup_weight=-1"),
        ({"mixup": "a"}, "mixup='a'"),
        ({"ramp_epochs": 0}, "ramp_epochs=0"),
        ({"n_domains": 0}, "n_domains=0"),
        ({"n_domains": 1}, "n_domains=1: expected 2 or more"),
        ({"input_dropout": 1}, "expected a share"),
    ],
)
def test_options_out_of_range_are_refused(extra, message):
    with pytest.raises(InputError, match=message):
        network(**extra)
