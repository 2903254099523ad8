"""Samples that are drawn from the development part of a large study."""

import numpy as np

from deepmapper.features.levels import draw_development_samples
from deepmapper.features.store import Features


def of_classes(*sizes):
    y = np.repeat(np.arange(len(sizes)), sizes)
    split = np.zeros(len(y), dtype=np.uint8)
    return Features(np.zeros((len(y), 1)), y, tuple("abc"[: len(sizes)]), ("f",), (), split)


def test_of_many_samples_so_many_are_drawn_and_a_rare_class_keeps_its_own():
    features = of_classes(9000, 900, 100)
    assert np.array_equal(draw_development_samples(features, 10_000, 0), features.development)
    rows = draw_development_samples(features, 1200, 0)
    sizes = np.bincount(features.y[rows])
    # 200 places each, 100 of them not used by the rarest; the other 700 in the shares of those left, 8800 and 700
    assert sizes.tolist() == [200 + 649, 200 + 51, 100]
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(draw_development_samples(features, 1200, 0), rows)
    assert not np.array_equal(draw_development_samples(features, 1200, 1), rows)
