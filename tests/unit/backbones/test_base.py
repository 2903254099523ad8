"""What every network must do, whatever its kind."""

import numpy as np
import pytest
import torch

from deepmapper.backbones.registry import build
from deepmapper.config import BackboneSpec, DeepMapperConfig
from deepmapper.features.samples import Samples
from deepmapper.passes.train import train_pass
from deepmapper.training.inference import predict

# every option of every kind, at sizes small enough for a test
SMALL = {
    "linear": {},
    "mlp": {"hidden": 16, "dropout": 0.1, "num_layers": 1},
    "cnn_small": {"width": 8, "hidden": 16, "dropout": 0.1},
    "cnn": {"width": 8, "hidden": 16, "dropout": 0.1},
    "resnet18": {"width": 8, "dropout": 0.1},
    "resnet18_s": {"width": 8, "dropout": 0.1, "pool": 4},
    "resnet34_s": {"width": 4, "dropout": 0.1, "pool": 2},
    "resnet50_s": {"width": 4, "dropout": 0.1, "pool": 4},
    "vit_cct": {"embedding_dim": 16, "num_layers": 2, "num_heads": 4, "mlp_ratio": 2.0, "dropout": 0.1},
    "conv_vae": {"latent_dim": 4, "width": 8, "reconstruction": 0.5, "beta": 0.5},
    "scnym": {
        "hidden": 16,
        "num_layers": 1,
        "dropout": 0.1,
        "config": "no_new_identity",
        "adapt": "both",
        "unsup_weight": 1.0,
        "adversary_weight": 0.1,
        "ramp_epochs": 5,
        "mixup": 0.3,
        "input_dropout": 0.1,
        "n_domains": 2,
    },
}
# options that act only on unlabelled samples (test_scnym)
UNLABELLED = ("config", "adapt", "unsup_weight", "adversary_weight", "ramp_epochs", "n_domains")
KINDS = list(SMALL)
LARGE = KINDS[4:]  # the others are trained in the tests of passes


def small_network(kind, side=6, classes=3, seed=0, in_chans=1, **extra):
    torch.manual_seed(seed)
    return build(BackboneSpec(kind, side, in_chans, extra={**SMALL[kind], **extra}), classes).eval()


def count(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", [1, 2, 3, 5, 8, 16, 17, 33, 64, 100])
def test_images_of_any_side_give_one_score_a_class(kind, side):
    with torch.no_grad():
        scores = small_network(kind, side, classes=4)(torch.rand(2, 1, side, side))
    assert scores.shape == (2, 4)
    assert torch.isfinite(scores).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_side_of_one_can_be_trained(kind):
    model = small_network(kind, 1).train()
    model.loss(torch.rand(4, 1, 1, 1), torch.tensor([0, 1, 2, 0])).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("kind", KINDS)
def test_channels_are_taken_whatever_their_order_in_memory(kind):
    model, images = small_network(kind, 9, in_chans=3), torch.rand(4, 3, 9, 9)
    strange = images.to(memory_format=torch.channels_last)
    assert strange.stride() != images.stride()
    expanded = images[:, :1].expand(-1, 3, -1, -1)
    with torch.no_grad():
        torch.testing.assert_close(model(strange), model(images))
        torch.testing.assert_close(model(expanded), model(expanded.contiguous()))
    model.train()
    assert torch.isfinite(model.loss(strange, torch.tensor([0, 1, 2, 0])))


@pytest.mark.parametrize("kind", KINDS[1:])  # the embedding of the linear network is its scores
def test_the_last_layer_reads_the_embedding(kind):
    model, images = small_network(kind), torch.rand(5, 1, 6, 6)
    with torch.no_grad():
        embedded = model.embed(images)
        assert embedded.ndim == 2
        torch.testing.assert_close(model.head(embedded), model(images))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", [9, 20])
def test_every_pixel_counts_and_its_place_matters(kind, side):
    """One lit pixel at each place: no two images have the same scores, as they would if positions were averaged."""
    model, places = small_network(kind, side), side * side
    if kind == "linear":
        torch.nn.init.normal_(model.head.weight)
    images = torch.eye(places).reshape(places, 1, side, side)
    with torch.no_grad():
        scores, dark = model(images), model(torch.zeros(1, 1, side, side))
    assert ((scores - dark).abs().max(1).values > 1e-8).all()
    assert len(np.unique(scores.double().numpy(), axis=0)) == places


@pytest.mark.parametrize("kind", KINDS[1:])  # the linear network starts at zero
def test_weights_follow_the_seed_and_are_all_that_is_drawn(kind):
    one, same, other = (small_network(kind, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])
    model, before = small_network(kind), torch.random.get_rng_state()
    with torch.no_grad():
        assert torch.equal(model(torch.ones(2, 1, 6, 6)), model(torch.ones(2, 1, 6, 6)))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(int(value) == 0 for name, value in one.items() if name.endswith("num_batches_tracked"))


@pytest.mark.parametrize(
    ("kind", "option"), [(kind, option) for kind in KINDS for option in SMALL[kind] if option not in UNLABELLED]
)
def test_every_option_acts(kind, option):
    """Every option changes the number of weights or the training loss."""
    side = 40  # residual networks reduce it to 5 × 5 cells before pooling
    other = {"num_heads": 2, "dropout": 0.6, "reconstruction": 2.0, "beta": 2.0, "num_layers": 3}.get(
        option, 2 * SMALL[kind][option]
    )
    models = [small_network(kind, side, **extra).train() for extra in ({}, {option: 1 if option == "pool" else other})]
    images, losses = torch.rand(4, 1, side, side), []
    for model in models:
        torch.manual_seed(0)
        losses.append(model.loss(images, torch.tensor([0, 1, 2, 0])).item())
    assert count(models[0]) != count(models[1]) or losses[0] != losses[1]


@pytest.mark.parametrize("kind", LARGE)
def test_a_pass_trains_and_attributes_the_same_twice(kind, planted):
    def once():
        config = DeepMapperConfig(
            epochs=2, batch_size=16, early_stop=False, ig_steps=4, backbone=BackboneSpec(kind, extra=SMALL[kind])
        )
        return train_pass(planted.samples, config, 1)

    one, two = once(), once()
    assert np.isfinite(one.importance).all()
    assert one.importance.any()
    assert np.isfinite(one.class_gradient).all()
    assert np.isfinite(one.history[:, 0]).all()
    assert one.history[1, 0] < one.history[0, 0]
    for name, value in vars(one).items():
        if isinstance(value, np.ndarray):
            assert value.tobytes() == getattr(two, name).tobytes(), name
    assert all(value.tobytes() == two.weights[name].tobytes() for name, value in one.weights.items())


@pytest.mark.parametrize("kind", ["vit_cct", "resnet18_s"])
def test_a_class_that_is_a_place_is_learnt(kind):
    """Every sample has the same values, in other places; the classes differ only in the places."""
    lit = np.arange(216) % 36
    X = 2 * np.eye(36, dtype=np.float32)[lit]
    y = np.random.default_rng(0).permutation(36)[lit] % 2
    extra = {"vit_cct": {"embedding_dim": 32}, "resnet18_s": {"width": 8}}[kind]
    config = DeepMapperConfig(
        epochs=25,
        lr=3e-3,
        batch_size=16,
        early_stop=False,
        attribution="saliency",
        backbone=BackboneSpec(kind, extra=extra),
    )
    assert train_pass(Samples(X, y, ("even", "odd")), config, 0).accuracy > 0.8


def test_the_loss_of_most_networks_is_the_weighted_cross_entropy():
    images, targets, weight = torch.rand(6, 1, 6, 6), torch.tensor([0, 1, 2, 0, 1, 0]), torch.tensor([1.0, 2.0, 5.0])
    for kind in ("linear", "mlp", "resnet18", "vit_cct"):
        model = small_network(kind)
        losses = -torch.log_softmax(model(images), 1)[torch.arange(6), targets]
        torch.testing.assert_close(model.loss(images, targets), losses.mean())
        by_class = weight[targets]
        torch.testing.assert_close(model.loss(images, targets, weight), (losses * by_class).sum() / by_class.sum())


def test_scores_of_many_images_are_those_of_each(planted):
    """In evaluation mode, no image of a batch affects the scores of another."""
    images = torch.rand(7, 1, 6, 6)
    for kind in KINDS:
        model = small_network(kind)
        together = predict(model, lambda rows: images[rows], np.arange(7))
        alone = predict(model, lambda rows: images[rows], np.arange(7), batch_size=1)
        np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["cnn_small", "cnn"])
def test_no_network_averages_over_positions(kind):
    """Far from the edges and in phase with the strides, only the position of the lit pixel differs."""
    model, places = small_network(kind, 64), [(row, column) for row in (24, 32, 40) for column in (24, 32, 40)]
    images = torch.zeros(len(places), 1, 64, 64)
    for image, (row, column) in zip(images, places, strict=True):
        image[0, row, column] = 50
    with torch.no_grad():
        scores = model(images)
    apart = torch.pdist(scores)
    assert apart.min() > 1e-4
