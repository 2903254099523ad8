"""Attention rollout and the relevance of Chefer et al., against a transformer computed here in numpy."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from deepmapper.attribution import AttributionUnavailable, attribute, feature_importances
from deepmapper.backbones import transformer
from deepmapper.backbones.registry import build
from deepmapper.config import ATTENTION_METHODS, GENERAL_METHODS, BackboneSpec, DeepMapperConfig
from deepmapper.errors import InputError
from deepmapper.passes.train import train_pass
from deepmapper.transform import permutation, to_images

SIDE, TOKENS, LAYERS, HEADS, DIM, CLASSES = 3, 9, 2, 2, 4, 3


EXTRA = {"embedding_dim": DIM, "num_layers": LAYERS, "num_heads": HEADS}


def network(side=SIDE, seed=0, **extra):
    """Return a transformer whose attention is far from even, as after training."""
    torch.manual_seed(seed)
    model = build(BackboneSpec("vit_cct", side, extra={**EXTRA, **extra}), CLASSES).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(("query_key_value.weight", "pool.1.weight", "project.weight")):
                weight.normal_(0, 0.8)
    return model


@pytest.fixture(scope="module")
def model():
    return network()


@pytest.fixture(scope="module")
def images():
    return torch.rand(5, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) * 2


TARGETS = np.array([0, 1, 2, 2, 0])


def softmax(values):
    e = np.exp(values - values.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def normalised(x, weights, name):
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def by_hand(model, image, more_attention=None, more_pooling=None):
    """Scores, (layers, heads, tokens, tokens) attention and (tokens,) pooling of one image; both can be shifted."""
    w = {name: value.double().numpy() for name, value in model.state_dict().items()}
    pixels = image.double().numpy().reshape(TOKENS, 1)
    x = np.maximum(pixels * w["tokenizer.1.weight"].reshape(DIM), 0) * w["scale"] + w["position"]
    attentions = []
    for i in range(LAYERS):
        of = f"layers.{i}"
        parts = normalised(x, w, f"{of}.before_attention") @ w[f"{of}.query_key_value.weight"].T
        query, key, value = parts.reshape(TOKENS, 3, HEADS, DIM // HEADS).transpose(1, 2, 0, 3)
        attention = softmax(query @ key.transpose(0, 2, 1) / math.sqrt(DIM / HEADS))
        if more_attention is not None:
            attention = attention + more_attention[i]
        attentions.append(attention)
        mixed = (attention @ value).transpose(1, 0, 2).reshape(TOKENS, DIM)
        x = x + mixed @ w[f"{of}.project.weight"].T + w[f"{of}.project.bias"]
        inner = normalised(x, w, f"{of}.before_perceptron") @ w[f"{of}.perceptron.0.weight"].T
        inner = inner + w[f"{of}.perceptron.0.bias"]
        inner = inner * (1 + np.vectorize(math.erf)(inner / math.sqrt(2))) / 2
        x = x + inner @ w[f"{of}.perceptron.3.weight"].T + w[f"{of}.perceptron.3.bias"]
    pooling = softmax((normalised(x, w, "pool.0") @ w["pool.1.weight"].T + w["pool.1.bias"])[:, 0])
    if more_pooling is not None:
        pooling = pooling + more_pooling
    scores = normalised(pooling @ x, w, "norm") @ w["head.weight"].T + w["head.bias"]
    return scores, np.stack(attentions), pooling


def slopes_by_hand(model, image, target, step=1e-5):
    """Return the gradient of the target's score by attention and pooling, by central differences."""

    def slope(name, shape):
        found = np.zeros(shape)
        for place in np.ndindex(*shape):
            nudge = np.zeros(shape)
            nudge[place] = step
            up, down = (by_hand(model, image, **{name: sign * nudge})[0][target] for sign in (1, -1))
            found[place] = (up - down) / (2 * step)
        return found

    return slope("more_attention", (LAYERS, HEADS, TOKENS, TOKENS)), slope("more_pooling", (TOKENS,))


def test_the_network_is_the_one_computed_by_hand(model, images):
    with torch.no_grad():
        scores, attentions, pooling = model.attend(images)
        torch.testing.assert_close(model(images), scores)
    assert [tuple(a.shape) for a in attentions] == [(5, HEADS, TOKENS, TOKENS)] * LAYERS
    for row, image in enumerate(images):
        expected = by_hand(model, image)
        np.testing.assert_allclose(scores[row], expected[0], atol=1e-5)
        np.testing.assert_allclose([a[row].numpy() for a in attentions], expected[1], atol=1e-5)
        np.testing.assert_allclose(pooling[row], expected[2], atol=1e-5)
    assert np.ptp(expected[1], axis=-1).max() > 0.3  # no even attention, of which any formula makes the same


def test_attention_rollout_is_its_definition(model, images):
    found = attribute(model, images, TARGETS, "attention_rollout").contribution
    for row, image in enumerate(images):
        _, attentions, pooling = by_hand(model, image)
        rolled = np.eye(TOKENS)
        for attention in attentions:
            rolled = (0.5 * attention.mean(0) + 0.5 * np.eye(TOKENS)) @ rolled
        np.testing.assert_allclose(found[row], pooling @ rolled, atol=1e-6)


def test_the_relevance_of_chefer_is_its_definition(model, images):
    found = attribute(model, images, TARGETS, "chefer").contribution
    for row, (image, target) in enumerate(zip(images, TARGETS, strict=True)):
        _, attentions, pooling = by_hand(model, image)
        attention_slope, pooling_slope = slopes_by_hand(model, image, target)
        relevance = np.eye(TOKENS)
        for attention, slope in zip(attentions, attention_slope, strict=True):
            relevance = relevance + np.maximum(slope * attention, 0).mean(0) @ relevance
        expected = np.maximum(pooling_slope * pooling, 0) @ relevance
        np.testing.assert_allclose(found[row], expected, rtol=2e-4, atol=1e-6)
    assert (found > 0).any(1).all()


def test_a_layer_more_is_a_factor_more(images):
    """Three layers are three factors; a model of a single one is checked against the closed form."""
    one = network(num_layers=1)
    with torch.no_grad():
        _, (attention,), pooling = one.attend(images)
    expected = torch.einsum("nq,nqt->nt", pooling, (attention.mean(1) + torch.eye(TOKENS)) / 2)
    np.testing.assert_allclose(attribute(one, images, TARGETS, "attention_rollout").contribution, expected, atol=1e-6)
    three = attribute(network(num_layers=3), images, TARGETS, "attention_rollout").contribution
    np.testing.assert_allclose(three.sum(1), 1, atol=1e-5)


def test_rollout_looks_at_no_class_and_chefer_does(model, images):
    for method, differs in (("attention_rollout", False), ("chefer", True)):
        one, other = (attribute(model, images, np.full(5, c), method).contribution for c in (0, 1))
        assert (not np.allclose(one, other)) is differs


@pytest.mark.parametrize("method", ATTENTION_METHODS)
def test_relevance_has_no_sign_and_the_slope_is_the_gradient(model, images, method):
    found = attribute(model, images, TARGETS, method)
    assert (found.contribution >= 0).all()
    np.testing.assert_array_equal(found.slope, attribute(model, images, TARGETS, "saliency").slope)
    assert np.isnan(found.completeness_error)


@pytest.mark.parametrize("method", ATTENTION_METHODS)
def test_the_size_of_a_chunk_and_the_callers_gradients_change_nothing(model, images, method):
    whole = attribute(model, images, TARGETS, method).contribution
    for size in (1, 2, 5):
        part = attribute(model, images, TARGETS, method, ig_internal_batch=size).contribution
        np.testing.assert_allclose(part, whole, rtol=1e-4, atol=1e-7)
    with torch.no_grad():
        np.testing.assert_array_equal(attribute(model, images, TARGETS, method).contribution, whole)
    frozen = network().requires_grad_(False)
    np.testing.assert_array_equal(attribute(frozen, images, TARGETS, method).contribution, whole)
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("side", [1, 3, 16, 17, 20, 33, 35, 64])
def test_a_tokens_relevance_stays_in_its_cell_whole(side):
    model = build(BackboneSpec("vit_cct", side, extra=EXTRA), CLASSES)
    relevance = torch.rand(2, model.grid**2, dtype=torch.float64)
    pixels = model.spread(relevance)
    assert pixels.shape == (2, 1, side, side)
    for token in range(model.grid**2):
        top, left = (model.cell * place for place in divmod(token, model.grid))
        cell = pixels[:, 0, top : top + model.cell, left : left + model.cell].flatten(1)
        torch.testing.assert_close(cell.sum(1), relevance[:, token])
        torch.testing.assert_close(cell, cell[:, :1].expand_as(cell))


def test_channels_are_one_place(images):
    torch.manual_seed(0)
    model = build(BackboneSpec("vit_cct", SIDE, 3, extra=EXTRA), CLASSES).eval()
    found = attribute(model, images.expand(-1, 3, -1, -1), TARGETS, "attention_rollout").contribution
    assert found.shape == (5, TOKENS)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)


@pytest.mark.parametrize("method", ATTENTION_METHODS)
@pytest.mark.parametrize("side", [6, 20])
def test_padding_keeps_its_relevance_to_itself(planted, method, side):
    """What falls on padding is dropped; a feature gets what its own pixel got, wherever it lies."""
    model, perm = network(side), permutation(5, 30)
    flat = np.zeros((20, side * side), dtype=np.float32)
    flat[:, :30] = to_images(planted.X[:20], perm=perm).reshape(20, -1)[:, :30]
    images, targets = torch.from_numpy(flat.reshape(-1, 1, side, side)), planted.y[:20].copy()
    pixels = attribute(model, images, targets, method).contribution.mean(0)
    importance = feature_importances(model, images, targets, method, perm, 30)
    np.testing.assert_allclose(importance[perm], pixels[:30], rtol=1e-6)
    assert pixels[30:].any()


def test_a_pass_finds_with_attention_what_matters(planted):
    backbone = BackboneSpec("vit_cct", extra={"embedding_dim": 32})
    for method in ATTENTION_METHODS:
        config = DeepMapperConfig(
            epochs=30, lr=3e-3, batch_size=16, early_stop=False, attribution=method, backbone=backbone
        )
        found = train_pass(planted.samples, config, 0)
        of_signal = np.isin(np.argsort(-found.importance), list(planted.signal))
        assert of_signal[:7].sum() >= 4  # of 7; 1.6 by chance
        assert np.isfinite(found.class_gradient).all()


@pytest.mark.parametrize("method", ATTENTION_METHODS)
@pytest.mark.parametrize("kind", ["linear", "mlp", "cnn_small", "resnet18", "conv_vae"])
def test_a_network_without_attention_is_refused_with_what_fits(images, method, kind):
    listed = ", ".join(GENERAL_METHODS)
    model = build(BackboneSpec(kind, SIDE), CLASSES)
    with pytest.raises(AttributionUnavailable, match=f"{method}.*{type(model).__name__} has none.*one of {listed}"):
        attribute(model, images, TARGETS, method)
    config = DeepMapperConfig(attribution=method, backbone=BackboneSpec(kind))
    with pytest.raises(InputError, match=f"'{method}' does not fit backbone.kind='{kind}'.*one of {listed}"):
        config.check()
    DeepMapperConfig(attribution=method, backbone=BackboneSpec("vit_cct")).check()


def test_a_network_of_ones_own_that_shows_its_attention_is_taken(images):
    """Two methods are all it takes: here one head that looks at the first pixel alone, and an even pooling."""

    class Own(nn.Module):
        def attend(self, images):
            attention = torch.zeros(len(images), 1, 4, 4, requires_grad=True) + torch.tensor([1.0, 0, 0, 0])
            pooling = torch.full((len(images), 4), 0.25, requires_grad=True) * 1
            values = nn.functional.adaptive_avg_pool2d(images, 2).flatten(1)
            score = (pooling[:, None] @ attention[:, 0] @ values[..., None])[:, 0]
            return torch.cat([score, -score], 1), [attention], pooling

        def spread(self, relevance):
            return relevance.reshape(-1, 1, 2, 2)

        def forward(self, images):
            return self.attend(images)[0]

    found = attribute(Own(), images, np.zeros(5, int), "attention_rollout").contribution
    np.testing.assert_allclose(found, np.tile([0.5 + 0.125, 0.125, 0.125, 0.125], (5, 1)))
    found = attribute(Own(), images, np.ones(5, int), "chefer").contribution
    assert not found.any()  # nothing raises the score of the second class


def test_there_are_never_more_than_256_tokens():
    for side in (1, 5, 16, 17, 28, 64, 181, 500):
        model = transformer.Cct(side, 1, 2, embedding_dim=2, num_heads=1)
        assert model.cell == math.ceil(side / 16)
        assert len(model.position) == model.grid**2 <= 256
        assert (model.grid - 1) * model.cell < side <= model.grid * model.cell


def test_a_token_is_made_of_its_cell_alone():
    model, lit = network(20), (7, 13)  # cells of 2 × 2, 10 a side
    dark = torch.zeros(1, 1, 20, 20)
    image = dark.clone()
    image[0, 0, *lit] = 3
    with torch.no_grad():
        changed = (model._tokens(image) != model._tokens(dark)).any(-1)[0]
    assert torch.nonzero(changed).flatten().tolist() == [3 * 10 + 6]
