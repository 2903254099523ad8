"""Pseudo-images: pixels, channels, sparse images, and statistics of the pixels."""

import numpy as np
import pytest
import torch

from deepmapper.backbones.images import shrinkage
from deepmapper.passes.restore import image_maker
from deepmapper.transform import permutation, to_images


def test_several_channels_are_several_copies(planted, quick):
    images = image_maker(planted.X, quick("mlp", in_chans=3), 1, torch.device("cpu"))(np.arange(4))
    assert images.shape == (4, 3, 6, 6)
    assert torch.equal(images[:, 0], images[:, 2])


@pytest.mark.parametrize("index_features", [True, False])
@pytest.mark.parametrize("data", ["X", "sparse"])
def test_images_are_those_of_the_transform(planted, quick, index_features, data):
    config = quick("linear", index_features=index_features, buffer=10)
    images = image_maker(getattr(planted, data), config, 3, torch.device("cpu"), np.arange(50, 100))(
        np.array([4, 0, 7])
    )
    perm = None if index_features else permutation(3, 30)
    expected = to_images(planted.X[[54, 50, 57]], 10, perm)[..., 0]
    np.testing.assert_array_equal(images[:, 0].numpy(), expected)


def sparsened(planted):
    """Return the planted matrix with four fifths of its values set to zero."""
    X = planted.X.copy()
    X[np.random.default_rng(1).random(X.shape) < 0.8] = 0
    return X


def test_images_are_read_dense_if_values_are_not_few(planted, quick):
    def mostly_zero(X, **overrides):
        return image_maker(X, quick("linear", **overrides), 0, torch.device("cpu")).mostly_zero

    assert not mostly_zero(planted.X)
    assert not mostly_zero(planted.sparse)
    assert not mostly_zero(sparsened(planted), in_chans=2)


@pytest.mark.parametrize("sparse", [True, False])
def test_the_statistics_of_the_pixels_by_hand(planted, quick, sparse):
    from scipy.stats import false_discovery_control
    from sklearn.feature_selection import f_classif

    X = planted.sparse if sparse else planted.X
    images = image_maker(X, quick("linear"), 4, torch.device("cpu"), np.arange(10, 100))
    rows = np.arange(5, 75)
    values, y = planted.X[15:85].astype(np.float64), planted.y[10:100]
    spread, ratio, trust = (image.flatten().numpy() for image in images.statistics(y, rows, batch=16))
    np.testing.assert_allclose(spread[images.pixel], values.std(0), rtol=1e-5)
    within = sum(((values[y[rows] == code] - values[y[rows] == code].mean(0)) ** 2).sum(0) for code in range(3)) / (
        70 - 3
    )
    expected = np.sqrt((1 - within / values.var(0, ddof=1)).clip(0))
    np.testing.assert_allclose(ratio[images.pixel], expected, rtol=1e-4, atol=1e-6)
    f_ratio, p_value = f_classif(values, y[rows])
    q_value = false_discovery_control(p_value) * min(1, 2 * (p_value > 0.5).mean())
    np.testing.assert_allclose(trust[images.pixel], (1 - 1 / f_ratio.clip(1)) * (1 - q_value), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(images.mean(rows, batch=16).flatten().numpy()[images.pixel], values.mean(0), rtol=1e-5)
    assert not spread[np.setdiff1d(np.arange(36), images.pixel)].any()


def test_shrinkage_depends_on_how_many_others_differ_between_classes():
    """The same weak feature among 999 of noise, and among 999 that differ between the classes."""
    rng = np.random.default_rng(0)
    noise, signal = rng.chisquare(2, 999), 40 * rng.chisquare(2, 999)
    among_noise, among_signal = (
        shrinkage(np.append(others, 12.0), np.full(1000, 50.0), 2, 50)[-1] for others in (noise, signal)
    )
    assert among_noise < 0.5 < 0.8 < among_signal < 1


def test_with_no_more_samples_than_classes_no_pixel_is_shrunk(planted, quick):
    images = image_maker(planted.X, quick("linear"), 0, torch.device("cpu"))
    spread, ratio, trust = images.statistics(planted.y, np.arange(3))
    assert torch.equal(ratio, (spread > 1e-6).float())
    assert torch.equal(trust, ratio)
