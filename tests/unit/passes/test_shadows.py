"""Shadow features: whose values they hold, and passes that read them."""

import numpy as np
import pytest
import scipy.sparse as sp

from deepmapper.config import SHADOWS_SHARED
from deepmapper.features.samples import Samples
from deepmapper.passes.result import PassResult
from deepmapper.passes.shadows import Shadowed, train_shadow_pass
from deepmapper.passes.train import train_pass


@pytest.mark.parametrize("sparse", [False, True])
def test_shadows_stand_between_features_and_chords_and_hold_the_values_of_other_rows(sparse):
    X = np.arange(12, dtype=np.float32).reshape(4, 3)
    source = np.array([1, 0, 3, 2])
    shadowed = Shadowed(sp.csr_matrix(X) if sparse else X, source, 2)
    assert shadowed.shape == (4, 5)
    rows = np.array([3, 0])
    found = shadowed[rows]
    found = found.toarray() if sparse else found
    np.testing.assert_array_equal(found, np.hstack([X[rows, :2], X[source[rows], :2], X[rows, 2:]]))


def test_shadows_weigh_less_than_features_that_differ_between_classes(planted, quick, tmp_path):
    rows = np.arange(100)
    result = train_shadow_pass(Samples(planted.sparse, planted.y, planted.classes, rows=rows), quick(), 3)
    assert result.importance.shape == (30,)
    assert result.shadows.class_gradient.shape == result.class_gradient.shape == (3, 30)
    assert result.shadows.draw == 3 // SHADOWS_SHARED
    assert not result.permuted
    assert result.weights == {}
    signal = sorted(planted.signal)
    assert np.abs(result.class_gradient[:, signal]).mean() > 2 * np.abs(result.shadows.class_gradient).mean()
    result.save(tmp_path / "3.npz")
    again = PassResult.load(tmp_path / "3.npz")
    np.testing.assert_array_equal(again.shadows.class_gradient, result.shadows.class_gradient)
    assert again.shadows.draw == result.shadows.draw


def test_passes_of_one_draw_read_the_same_shadows_others_do_not(planted, quick):
    read = []

    def spied(samples, *args, **kwargs):
        read.append(samples.X.source)
        return train_pass(samples, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deepmapper.passes.shadows.train_pass", spied)
        for seed in (0, SHADOWS_SHARED - 1, SHADOWS_SHARED):
            train_shadow_pass(planted.samples, quick(epochs=1), seed)
    np.testing.assert_array_equal(read[0], read[1])
    assert (read[0] != read[2]).any()


def test_an_image_too_small_for_shadows_grows_and_a_larger_one_stays(planted, quick):
    small = train_shadow_pass(planted.samples, quick(img_size=6, epochs=1), 0)
    large = train_shadow_pass(planted.samples, quick(img_size=12, epochs=1), 0)
    assert small.settings["backbone"]["img_size"] == 8
    assert large.settings["backbone"]["img_size"] == 12
