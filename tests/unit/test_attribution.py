"""Attributions against what they must be: closed forms on the linear model, completeness elsewhere."""

import math

import numpy as np
import pytest
import torch

from deepmapper.attribution import AttributionUnavailable, attribute, feature_importances
from deepmapper.backbones.registry import build
from deepmapper.config import BackboneSpec
from deepmapper.transform import permutation, to_images

SIDE, FEATURES, CLASSES = 6, 30, 3
METHODS = ["integrated_gradients", "saliency", "input_x_gradient", "occlusion"]


def network(kind="linear", in_chans=1, seed=3, **extra):
    torch.manual_seed(seed)
    model = build(BackboneSpec(kind, SIDE, in_chans, extra=extra), CLASSES).eval()
    if kind == "linear":
        torch.nn.init.normal_(model.head.weight)
        torch.nn.init.normal_(model.head.bias)
    return model


@pytest.fixture(scope="module")
def images(planted):
    return torch.from_numpy(to_images(planted.X[:20])).permute(0, 3, 1, 2)


@pytest.fixture(scope="module")
def targets(planted):
    return planted.y[:20].copy()


def coefficients(model, targets):
    return model.head.weight.detach().numpy()[targets]


@pytest.mark.parametrize("reference", [None, 0.7])
def test_integrated_gradients_of_the_linear_model_are_coefficient_times_distance(images, targets, reference):
    model = network()
    baseline = None if reference is None else torch.full((1, SIDE, SIDE), reference)
    found = attribute(model, images, targets, "integrated_gradients", baseline)
    distance = images.flatten(1).numpy() - (reference or 0.0)
    np.testing.assert_allclose(found.contribution, coefficients(model, targets) * distance, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.slope, coefficients(model, targets), rtol=1e-5, atol=1e-6)
    assert found.completeness_error < 1e-5


def test_one_step_is_enough_for_the_linear_model(images, targets):
    one, many = (attribute(network(), images, targets, "integrated_gradients", ig_steps=n) for n in (1, 64))
    np.testing.assert_allclose(one.contribution, many.contribution, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("reference", [None, 0.7])
def test_occlusion_of_the_linear_model_is_coefficient_times_distance_too(images, targets, reference):
    model = network()
    baseline = None if reference is None else torch.full((1, SIDE, SIDE), reference)
    found = attribute(model, images, targets, "occlusion", baseline)
    distance = images.flatten(1).numpy() - (reference or 0.0)
    expected = coefficients(model, targets) * distance
    np.testing.assert_allclose(found.contribution, expected, atol=2e-5)
    moved = np.abs(distance) > 0.05  # a small distance makes a noisy quotient
    np.testing.assert_allclose(found.slope[moved], coefficients(model, targets)[moved], atol=1e-3)
    assert not found.slope[distance == 0].any()
    assert np.isnan(found.completeness_error)


def test_saliency_of_the_linear_model_is_the_size_of_its_coefficients(images, targets):
    model = network()
    found = attribute(model, images, targets, "saliency")
    np.testing.assert_allclose(found.contribution, np.abs(coefficients(model, targets)), rtol=1e-6)
    np.testing.assert_allclose(found.slope, coefficients(model, targets), rtol=1e-6)


def test_input_times_gradient_of_the_linear_model_is_coefficient_times_value(images, targets):
    model = network()
    found = attribute(model, images, targets, "input_x_gradient")
    np.testing.assert_allclose(
        found.contribution, coefficients(model, targets) * images.flatten(1).numpy(), rtol=1e-5, atol=1e-7
    )


@pytest.mark.parametrize("kind", ["mlp", "cnn_small", "cnn"])
def test_contributions_add_up_to_the_change_of_score(images, targets, kind):
    """The completeness axiom of integrated gradients, and that the error reported is the error there is."""
    model = network(kind)
    baseline = torch.full((1, SIDE, SIDE), 0.3)
    found = attribute(model, images, targets, "integrated_gradients", baseline, ig_steps=128)
    with torch.no_grad():
        rows = np.arange(len(images))
        change = (model(images)[rows, targets] - model(baseline[None])[0, targets]).numpy()
    missed = np.abs(change - found.contribution.sum(1)).mean() / np.abs(change).mean()
    assert missed < 0.01
    assert found.completeness_error == pytest.approx(missed, abs=1e-4)


def test_more_steps_miss_less(images, targets):
    errors = [
        attribute(network("cnn_small"), images, targets, "integrated_gradients", ig_steps=n).completeness_error
        for n in (1, 8, 128)
    ]
    assert errors[0] > errors[1] > errors[2]


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
def test_the_size_of_a_chunk_changes_nothing(images, targets, kind, method):
    model = network(kind)
    whole = attribute(model, images, targets, method, ig_internal_batch=10_000)
    for size in (1, 7, 20):
        part = attribute(model, images, targets, method, ig_internal_batch=size)
        np.testing.assert_allclose(part.contribution, whole.contribution, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(part.slope, whole.slope, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["linear", "cnn_small"])
@pytest.mark.parametrize("method", ["integrated_gradients", "input_x_gradient", "occlusion"])
def test_a_pixel_at_the_baseline_contributes_nothing(images, targets, kind, method):
    found = attribute(network(kind), images, targets, method)
    assert not found.contribution[images.flatten(1).numpy() == 0].any()


@pytest.mark.parametrize("method", METHODS)
def test_padding_never_gets_into_the_features(planted, targets, method):
    """Weights on the padding alone: every feature must come out as zero, whatever the arrangement."""
    model, perm = network(), permutation(5, FEATURES)
    with torch.no_grad():
        model.head.weight[:, :FEATURES] = 0
        model.head.weight[:, FEATURES:] = 100
    images = torch.from_numpy(to_images(planted.X[:20], perm=perm)).permute(0, 3, 1, 2)
    importance = feature_importances(model, images, targets, method, perm, FEATURES)
    assert importance.shape == (FEATURES,)
    assert not importance.any()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", [None, 0, 9])
def test_importance_is_given_to_the_feature_not_to_its_pixel(planted, targets, method, seed):
    """The linear model with the same coefficient for every feature wherever it lies: the arrangement drops out."""
    coefficient = np.random.default_rng(1).normal(size=(CLASSES, FEATURES)).astype(np.float32)
    perm = None if seed is None else permutation(seed, FEATURES)
    model = network()
    with torch.no_grad():
        model.head.weight[:, :FEATURES] = torch.from_numpy(coefficient if perm is None else coefficient[:, perm])
    images = torch.from_numpy(to_images(planted.X[:20], perm=perm)).permute(0, 3, 1, 2)
    importance = feature_importances(model, images, targets, method, perm, FEATURES)
    size = np.abs(coefficient[targets])
    expected = (size if method == "saliency" else size * planted.X[:20]).mean(0)
    np.testing.assert_allclose(importance, expected, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
def test_channels_are_added_up(images, targets, method):
    model = network("mlp", in_chans=3)
    stacked = images.expand(-1, 3, -1, -1)
    found = attribute(model, stacked, targets, method, ig_steps=128)
    assert found.contribution.shape == (20, SIDE * SIDE)
    if method == "integrated_gradients":
        assert found.completeness_error < 0.01
    else:
        row, pixel = 0, int(stacked[0].flatten(1).sum(0).argmax())
        dark = stacked[:1].clone()
        dark.flatten(2)[:, :, pixel] = 0
        with torch.no_grad():
            drop = model(stacked[:1])[0, targets[0]] - model(dark)[0, targets[0]]
        assert found.contribution[row, pixel] == pytest.approx(float(drop), abs=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_the_image_and_the_model_are_left_as_they_were(images, targets, method, recwarn):
    model = network("mlp")
    before, copy = {k: v.clone() for k, v in model.state_dict().items()}, images.clone()
    attribute(model, images, targets, method)
    assert torch.equal(images, copy)
    assert not images.requires_grad
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert [str(w.message) for w in recwarn] == []


@pytest.mark.parametrize("method", ["rollout", "", "Saliency"])
def test_an_unknown_method_is_refused(images, targets, method):
    with pytest.raises(AttributionUnavailable, match=f"attribution='{method}' is unknown: expected one of integrated"):
        attribute(network(), images, targets, method)


def test_targets_may_be_a_tensor_or_a_list(images, targets):
    expected = attribute(network(), images, targets, "saliency").contribution
    for kind in (targets.tolist(), torch.from_numpy(targets.copy())):
        np.testing.assert_array_equal(attribute(network(), images, kind, "saliency").contribution, expected)


class Opaque(torch.nn.Module):
    """A network that does not say what of it is linear."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        return self.model(images)


@pytest.mark.parametrize("kind", ["linear", "mlp", "cnn_small"])
def test_the_path_may_be_followed_behind_the_linear_layer(images, targets, kind):
    baseline = torch.full((1, SIDE, SIDE), 0.3)
    through, behind = (
        attribute(model, images, targets, "integrated_gradients", baseline, ig_steps=9, ig_internal_batch=7)
        for model in (Opaque(network(kind)), network(kind))
    )
    np.testing.assert_allclose(behind.contribution, through.contribution, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(behind.slope, through.slope, rtol=1e-4, atol=1e-6)


def test_the_path_by_hand(images, targets):
    """Three nodes of Gauss and Legendre between baseline and image."""
    model, expected = network("cnn"), torch.zeros_like(images)
    for place, weight in ((-math.sqrt(3 / 5), 5 / 9), (0.0, 8 / 9), (math.sqrt(3 / 5), 5 / 9)):
        along = ((1 + place) / 2 * images).requires_grad_()
        score = model(along)[torch.arange(20), torch.from_numpy(targets)].sum()
        expected += weight / 2 * torch.autograd.grad(score, along)[0]
    found = attribute(model, images, targets, "integrated_gradients", ig_steps=3)
    np.testing.assert_allclose(found.slope, expected.flatten(1).numpy(), rtol=1e-4, atol=1e-6)
