"""The larger networks: residual, transformer, autoencoder. What all of them must do, and what each says of itself."""

import inspect
import math
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from deepmapper.backbones import autoencoder, registry, resnet, transformer
from deepmapper.backbones.registry import build
from deepmapper.config import ATTENTION_KINDS, BackboneSpec, DeepMapperConfig
from deepmapper.errors import InputError
from deepmapper.features.samples import Samples
from deepmapper.passes.train import train_pass
from deepmapper.training.inference import predict
from deepmapper.workflow import provenance

# small enough for a test, options as many as the kind has
SMALL = {
    "resnet18": {"width": 8, "dropout": 0.1},
    "resnet18_s": {"width": 8, "dropout": 0.1, "pool": 4},
    "resnet34_s": {"width": 4, "dropout": 0.1, "pool": 2},
    "resnet50_s": {"width": 4, "dropout": 0.1, "pool": 4},
    "vit_cct": {"embedding_dim": 16, "num_layers": 2, "num_heads": 4, "mlp_ratio": 2.0, "dropout": 0.1},
    "conv_vae": {"latent_dim": 4, "width": 8, "reconstruction": 0.5, "beta": 0.5},
}
KINDS = list(SMALL)
DOCS = Path(__file__).parents[3] / "docs/backbones.md"


def made(kind, side=6, classes=3, seed=0, in_chans=1, **extra):
    torch.manual_seed(seed)
    return build(BackboneSpec(kind, side, in_chans, extra={**SMALL.get(kind, {}), **extra}), classes).eval()


def count(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", [1, 2, 3, 5, 8, 16, 17, 33, 64, 100])
def test_images_of_any_side_give_one_score_a_class(kind, side):
    with torch.no_grad():
        scores = made(kind, side, classes=4)(torch.rand(2, 1, side, side))
    assert scores.shape == (2, 4)
    assert torch.isfinite(scores).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_side_of_one_can_be_trained(kind):
    model = made(kind, 1).train()
    model.loss(torch.rand(4, 1, 1, 1), torch.tensor([0, 1, 2, 0])).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("kind", KINDS)
def test_channels_are_taken_whatever_their_order_in_memory(kind):
    model, images = made(kind, 9, in_chans=3), torch.rand(4, 3, 9, 9)
    strange = images.to(memory_format=torch.channels_last)
    assert strange.stride() != images.stride()
    expanded = images[:, :1].expand(-1, 3, -1, -1)
    with torch.no_grad():
        torch.testing.assert_close(model(strange), model(images))
        torch.testing.assert_close(model(expanded), model(expanded.contiguous()))
    model.train()
    assert torch.isfinite(model.loss(strange, torch.tensor([0, 1, 2, 0])))


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_layer_reads_the_embedding(kind):
    model, images = made(kind), torch.rand(5, 1, 6, 6)
    with torch.no_grad():
        embedded = model.embed(images)
        assert embedded.ndim == 2
        torch.testing.assert_close(model.head(embedded), model(images))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", [9, 20])
def test_every_pixel_counts_and_its_place_matters(kind, side):
    """One lit pixel at each place: no two images score alike."""
    model, places = made(kind, side), side * side
    images = torch.eye(places).reshape(places, 1, side, side)
    with torch.no_grad():
        scores, dark = model(images), model(torch.zeros(1, 1, side, side))
    assert ((scores - dark).abs().max(1).values > 1e-8).all()
    assert len(np.unique(scores.double().numpy(), axis=0)) == places


@pytest.mark.parametrize("kind", KINDS)
def test_weights_follow_the_seed_and_are_all_that_is_drawn(kind):
    one, same, other = (made(kind, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])
    model, before = made(kind), torch.random.get_rng_state()
    with torch.no_grad():
        assert torch.equal(model(torch.ones(2, 1, 6, 6)), model(torch.ones(2, 1, 6, 6)))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(int(value) == 0 for name, value in one.items() if name.endswith("num_batches_tracked"))


@pytest.mark.parametrize(("kind", "option"), [(kind, option) for kind in KINDS for option in SMALL[kind]])
def test_every_option_acts(kind, option):
    """It changes the number of weights, or how the network trains."""
    side = 40  # of which 5 × 5 places are left where residual networks pool
    other = {"num_heads": 2, "dropout": 0.6, "reconstruction": 2.0, "beta": 2.0}.get(option, 2 * SMALL[kind][option])
    models = [made(kind, side, **extra).train() for extra in ({}, {option: 1 if option == "pool" else other})]
    images, losses = torch.rand(4, 1, side, side), []
    for model in models:
        torch.manual_seed(0)
        losses.append(model.loss(images, torch.tensor([0, 1, 2, 0])).item())
    assert count(models[0]) != count(models[1]) or losses[0] != losses[1]


@pytest.mark.parametrize("kind", KINDS)
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


def test_resnets_have_the_published_number_of_weights():
    """As torchvision counts them for three channels and 1000 classes; the small stem has 9408 - 1728 weights fewer."""
    assert count(resnet.resnet18(224, 3, 1000)) == 11_689_512
    assert count(resnet.resnet18_s(32, 3, 1000, pool=1)) == 11_689_512 - 7680
    assert count(resnet.resnet34_s(32, 3, 1000, pool=1)) == 21_797_672 - 7680
    assert count(resnet.resnet50_s(32, 3, 1000, pool=1)) == 25_557_032 - 7680


def test_the_published_resnet_averages_over_positions_and_the_small_stem_need_not():
    """Two places far from the edges and in step with the strides, 256 pixels apart, of an image of 704."""
    images = torch.zeros(2, 1, 704, 704)
    images[0, 0, 224, 224] = images[1, 0, 480, 480] = 50
    with torch.no_grad():
        blind = made("resnet18", 704, width=2)(images)
    torch.testing.assert_close(blind[0], blind[1], rtol=1e-4, atol=1e-5)
    images = images[:, :, ::4, ::4].contiguous()  # now 56 and 120, in an image of 176
    for pool, apart in ((1, False), (4, True)):
        with torch.no_grad():
            embedded = made("resnet18_s", 176, width=2, pool=pool).embed(images)
        assert (float((embedded[0] - embedded[1]).abs().max()) > 0.01 * float(embedded.abs().max())) is apart


@pytest.mark.parametrize("kind", ["vit_cct", "resnet18_s"])
def test_a_class_that_is_a_place_is_learnt(kind):
    """Every sample has the same values, in other places; only an eye for places can tell the classes apart."""
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


def test_there_are_never_more_than_256_tokens():
    for side in (1, 5, 16, 17, 28, 64, 181, 500):
        model = transformer.Cct(side, 1, 2, embedding_dim=2, num_heads=1)
        assert model.cell == math.ceil(side / 16)
        assert len(model.position) == model.grid**2 <= 256
        assert (model.grid - 1) * model.cell < side <= model.grid * model.cell


def test_a_token_is_made_of_its_cell_alone():
    model, lit = made("vit_cct", 20), (7, 13)  # cells of 2 × 2, 10 a side
    dark = torch.zeros(1, 1, 20, 20)
    image = dark.clone()
    image[0, 0, *lit] = 3
    with torch.no_grad():
        changed = (model._tokens(image) != model._tokens(dark)).any(-1)[0]
    assert torch.nonzero(changed).flatten().tolist() == [3 * 10 + 6]


def test_the_loss_of_most_networks_is_the_weighted_cross_entropy():
    images, targets, weight = torch.rand(6, 1, 6, 6), torch.tensor([0, 1, 2, 0, 1, 0]), torch.tensor([1.0, 2.0, 5.0])
    for kind in ("linear", "mlp", "resnet18", "vit_cct"):
        model = made(kind)
        said = -torch.log_softmax(model(images), 1)[torch.arange(6), targets]
        torch.testing.assert_close(model.loss(images, targets), said.mean())
        by_class = weight[targets]
        torch.testing.assert_close(model.loss(images, targets, weight), (said * by_class).sum() / by_class.sum())


def test_the_loss_of_the_autoencoder_by_hand():
    model, images, targets = made("conv_vae"), torch.rand(6, 1, 6, 6), torch.tensor([0, 1, 2, 0, 1, 0])
    torch.manual_seed(5)
    loss = model.loss(images, targets)
    torch.manual_seed(5)
    seen = model.body.encoder(images)
    mean, log_variance = model.body.mean(seen), model.body.log_variance(seen)
    made_again = model.body.decoder(mean + torch.randn_like(mean) * (log_variance / 2).exp())[..., :6, :6]
    error = (made_again - images).square().flatten(1).sum(1).mean()
    divergence = (mean.square() + log_variance.exp() - log_variance - 1).sum(1).mean() / 2
    named = torch.nn.functional.cross_entropy(model(images), targets)
    torch.testing.assert_close(loss, named + 0.5 * (error + 0.5 * divergence) / 36)
    torch.testing.assert_close(model.embed(images), mean)


def test_the_autoencoder_without_reconstruction_is_a_plain_classifier():
    images, targets = torch.rand(6, 1, 6, 6), torch.tensor([0, 1, 2, 0, 1, 0])
    model = made("conv_vae", reconstruction=0.0)
    torch.testing.assert_close(model.loss(images, targets), torch.nn.functional.cross_entropy(model(images), targets))


def test_training_teaches_the_autoencoder_to_rebuild(planted):
    """Its classifier alone would leave the decoder as it was drawn."""

    def error(result):
        model = build(BackboneSpec("conv_vae", extra=extra), 3, 30).eval()
        model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in result.weights.items()})
        images = torch.zeros(120, 36)
        images[:, :30] = torch.from_numpy(planted.X.copy())
        with torch.no_grad():
            images = images.reshape(-1, 1, 6, 6)
            return float((model.body.decoder(model.embed(images))[..., :6, :6] - images).square().mean())

    extra = {**SMALL["conv_vae"], "beta": 0.0}
    config = DeepMapperConfig(
        epochs=25, lr=5e-3, batch_size=16, early_stop=False, index_features=True, attribution="saliency",
        backbone=BackboneSpec("conv_vae", extra=extra),
    )  # fmt: skip
    trained = train_pass(planted.samples, config, 0)
    config.epochs, config.lr = 1, 1e-12
    fresh = train_pass(planted.samples, config, 0)
    assert error(trained) < 0.8 * error(fresh)
    assert trained.accuracy > 0.8


@pytest.mark.parametrize("side", [1, 2, 5, 63, 64, 65, 129, 200])
def test_the_autoencoder_gives_images_back_whole(side):
    model = autoencoder.ConvAutoencoder(side, 2, latent_dim=3, width=2)
    mean, loss = model.rebuild(torch.rand(2, 2, side, side), 1.0)
    assert mean.shape == (2, 3)
    assert torch.isfinite(loss)
    assert model.decoder(mean)[..., :side, :side].shape == (2, 2, side, side)


WHOLE = "expected a whole number of 1 or more"


@pytest.mark.parametrize(
    ("kind", "extra", "message"),
    [
        ("resnet18", {"width": 0}, f"extra width=0: {WHOLE}"),
        ("resnet18", {"pool": 2}, "resnet18 does not know pool; expected width, dropout"),
        ("resnet18_s", {"pool": 0}, f"extra pool=0: {WHOLE}"),
        ("resnet34_s", {"dropout": 1}, "extra dropout=1: expected a share from 0 to less than 1"),
        ("resnet50_s", {"hidden": 3}, "resnet50_s does not know hidden; expected width, dropout, pool"),
        ("vit_cct", {"embedding_dim": 0}, f"extra embedding_dim=0: {WHOLE}"),
        ("vit_cct", {"num_layers": True}, f"extra num_layers=True: {WHOLE}"),
        ("vit_cct", {"num_heads": 2.0}, f"extra num_heads=2.0: {WHOLE}"),
        ("vit_cct", {"embedding_dim": 10, "num_heads": 4}, "expected an embedding_dim that num_heads divides"),
        ("vit_cct", {"mlp_ratio": 0}, "extra mlp_ratio=0: expected a number above 0"),
        ("vit_cct", {"dropout": -0.1}, "extra dropout=-0.1: expected a share"),
        ("vit_cct", {"depth": 3}, "vit_cct does not know depth; expected embedding_dim, num_layers, num_heads"),
        ("conv_vae", {"latent_dim": "8"}, f"extra latent_dim='8': {WHOLE}"),
        ("conv_vae", {"beta": -1.0}, "extra beta=-1.0: expected a number of 0 or more"),
        ("conv_vae", {"reconstruction": math.nan}, "extra reconstruction=nan: expected a number of 0 or more"),
        ("conv_vae", {"reconstruction": True}, "extra reconstruction=True: expected a number of 0 or more"),
    ],
)
def test_what_cannot_be_built_is_refused(kind, extra, message):
    with pytest.raises(InputError, match=re.escape(message)):
        build(BackboneSpec(kind, extra=extra), 3, 30)


def options_of(kind):
    """Names and defaults that the builder of a kind takes besides the three that all take."""
    parameters = inspect.signature(registry.KINDS[kind].load()).parameters
    return {n: p.default for n, p in list(parameters.items())[3:]}


@pytest.mark.parametrize("kind", registry.available())
def test_the_registry_names_the_options_that_there_are(kind):
    assert registry.KINDS[kind].options == tuple(options_of(kind))


def test_the_kinds_that_show_their_attention_are_those_that_the_configuration_takes_for_it():
    showing = [kind for kind in registry.available() if hasattr(build(BackboneSpec(kind), 2, 9), "attend")]
    assert showing == sorted(ATTENTION_KINDS)


def test_the_page_about_networks_has_every_kind_with_its_options_and_defaults():
    page = DOCS.read_text(encoding="utf-8").partition("## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines()]
    table = {row[0].strip("`"): row for row in rows if len(row) == 4 and row[0].startswith("`")}
    assert set(table) == {*registry.available(), "timm:NAME"}
    for kind in registry.available():
        written = dict(re.findall(r"`(\w+)` ([\d.]+)", table[kind][2]))
        assert {name: float(value) for name, value in written.items()} == options_of(kind), kind
        assert ("chefer" in table[kind][3]) is (kind in ATTENTION_KINDS)


def test_scores_of_many_images_are_those_of_each(planted):
    """No kind lets one image of a batch look at another when it judges."""
    images = torch.rand(7, 1, 6, 6)
    for kind in KINDS:
        model = made(kind)
        together = predict(model, lambda rows: images[rows], np.arange(7))
        alone = predict(model, lambda rows: images[rows], np.arange(7), batch_size=1)
        np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


def test_a_pass_depends_on_the_code_of_every_network():
    """A pass is trained again when the code of its network changes, though the registry imports networks on demand."""
    covered = set(provenance.modules_of("train_pass").values())
    for kind in registry.available():
        assert Path(inspect.getfile(registry.KINDS[kind].load())) in covered, kind


SPARSE = ["linear", "mlp", "cnn_small"]


@pytest.mark.parametrize("kind", SPARSE)
@pytest.mark.parametrize("side", [1, 5, 17, 50, 100])
def test_the_values_that_are_not_zero_are_enough(kind, side):
    """Scores, embeddings and the gradients of all weights are those of the whole images."""
    model = made(kind, side)
    if kind == "linear":
        torch.nn.init.normal_(model.head.weight)
    if model.prime is not None:
        model.prime(*torch.rand(3, side, side))
    images = torch.rand(6, 1, side, side) * (torch.rand(6, 1, side, side) < 0.2)
    images[3] = 0
    slopes = []
    for seen in (images, sp.csr_matrix(images.flatten(1).numpy())):
        model.zero_grad()
        model.loss(seen, torch.tensor([0, 1, 2, 0, 1, 2])).backward()
        slopes.append([weight.grad.clone() for weight in model.parameters()])
        torch.testing.assert_close(model.embed(seen), model.embed(images), rtol=1e-4, atol=1e-5)
    for one, other in zip(*slopes, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)


def test_networks_that_take_sparse_images_say_so():
    assert [kind for kind in registry.available() if made(kind).takes_sparse] == sorted(SPARSE)


@pytest.mark.parametrize("kind", SPARSE)
def test_first_is_linear_and_rest_is_all_else(kind):
    model = made(kind, 20)
    one, other = torch.rand(2, 3, 1, 20, 20)
    with torch.no_grad():
        torch.testing.assert_close(model.rest(model.first(one)), model(one))
        between = model.first(0.3 * one + 0.7 * other)
        torch.testing.assert_close(between, 0.3 * model.first(one) + 0.7 * model.first(other), rtol=1e-4, atol=1e-5)
