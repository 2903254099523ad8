"""Networks that read principal components: fitted in the pass, attributed to the features through the loadings."""

import numpy as np
import pytest
import torch

from deepmapper.errors import InputError
from deepmapper.features.samples import Samples
from deepmapper.passes.restore import arrangement, image_maker, restore_model
from deepmapper.passes.shadows import train_shadow_pass
from deepmapper.passes.train import train_pass


def settings(quick, kind="linear", components=8, **options):
    return quick(kind, extra={"input_components": components}, attribution="saliency", **options)


@pytest.mark.parametrize("kind", ["linear", "mlp", "cnn_small"])
def test_a_network_on_components_learns_and_finds_the_planted_features(planted, quick, kind):
    result = train_pass(planted.samples, settings(quick, kind), 0)
    assert result.accuracy > result.majority_accuracy + 0.2
    assert result.importance.shape == (30,)
    best = np.argsort(-np.nanmean(np.abs(result.class_gradient), axis=0))[:10]
    assert len(planted.signal & set(best.tolist())) >= 5


def test_components_are_those_of_the_training_samples_alone(planted, quick):
    config = settings(quick)
    result = train_pass(planted.samples, config, 0)
    spoiled = np.array(planted.X)
    spoiled[result.out_of_bag_rows] = 9
    other = train_pass(Samples(spoiled, planted.y, planted.classes), config, 0)
    np.testing.assert_array_equal(result.weights["axes"], other.weights["axes"])
    images = image_maker(planted.X, config, 0, torch.device("cpu"))
    scores = restore_model(result, 30, "cpu").scores(images(result.train_rows)).numpy()
    np.testing.assert_allclose(scores.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(scores.std(0), 1, rtol=1e-3)
    np.testing.assert_allclose(np.cov(scores.T, ddof=0), np.eye(8), atol=2e-3)


def test_the_gradient_of_a_linear_model_is_that_of_its_components_times_the_loadings(planted, quick):
    result = train_pass(planted.samples, settings(quick), 0)
    on_scores = result.weights["inner.head.weight"][:, :8]  # classes x components
    by_pixel = on_scores @ result.weights["axes"].T
    pixels = arrangement(result.config, result.seed, 30)
    expected = np.empty((3, 30))
    expected[:, pixels] = by_pixel[:, :30]
    np.testing.assert_allclose(result.class_gradient, expected, atol=1e-5)


def test_shadows_take_part_in_components_of_their_own(planted, quick):
    result = train_shadow_pass(planted.samples, settings(quick), 0)
    assert result.shadows.class_gradient.shape == (3, 30)
    size = [
        np.abs(part).mean()
        for part in (result.class_gradient[:, sorted(planted.signal)], result.shadows.class_gradient)
    ]
    assert size[0] > size[1] > 0


def test_too_many_components_are_refused(planted, quick):
    with pytest.raises(InputError, match="embeddings.pca.n_components is 31.*expected at most 30"):
        train_pass(planted.samples, settings(quick, components=31), 0)
