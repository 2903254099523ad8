"""Images of one pass."""

from dataclasses import replace

import numpy as np

from deepmapper.features.store import DEVELOPMENT, Features
from deepmapper.passes.pictures import pictures_of
from deepmapper.transform import permutation, to_images


def features_of(planted):
    n, p = planted.X.shape
    names = tuple(f"f{i}" for i in range(p))
    split = np.full(n, DEVELOPMENT, dtype=np.uint8)
    return Features(planted.X, planted.y, planted.samples.classes, names, (), split)


def test_pixels_lie_where_the_network_read_them_and_the_first_ones_are_named(trained, planted):
    features = features_of(planted)
    pictures = pictures_of(trained, features, {"f0": "CD3D"})
    assert [picture["class"] for picture in pictures] == list(features.classes)
    for code, picture in enumerate(pictures):
        own = planted.X[planted.y == code]
        expected = np.abs(to_images(own.mean(axis=0, keepdims=True), perm=permutation(1, 30))[0, :, :, 0])
        np.testing.assert_allclose(picture["mean"], expected, rtol=1e-5, atol=1e-6)
        importance = trained.class_importance[code]
        row, column, name = picture["marked"][0]
        first = features.names[int(importance.argmax())]
        assert name == {"f0": "CD3D"}.get(first, first)
        np.testing.assert_allclose(picture["attribution"][row, column], importance.max(), rtol=1e-6)
        assert picture["attribution"].sum() > 0 and picture["sample"].shape == picture["mean"].shape


def test_a_class_without_attribution_has_no_picture(trained, planted):
    importance = trained.class_importance.copy()
    importance[0] = np.nan
    pictures = pictures_of(replace(trained, class_importance=importance), features_of(planted))
    assert [picture["class"] for picture in pictures] == list(trained.classes[1:])
