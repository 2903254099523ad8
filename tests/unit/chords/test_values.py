"""Values of chords in any sample, and chords as pixels that networks read."""

from dataclasses import replace

import numpy as np
import pytest

from deepmapper.chords.groups import group_chords
from deepmapper.chords.proof import score_table
from deepmapper.chords.values import append_chords, chord_features, keep_members
from deepmapper.features.splits import split_off_test
from deepmapper.findings import ensemble
from deepmapper.findings.chord_ranking import rank_chords
from deepmapper.passes.train import train_pass


def test_chord_features_are_standard_on_the_screened_rows(small, screen_label):
    planted, X = small
    y, _ = planted.codes("programs")
    development, _ = split_off_test(y, 0.25, 0)
    found = group_chords(X, screen_label("programs", rows=development))
    values = chord_features(X, found)
    assert values.shape == (600, len(found)) and values.dtype == np.float32
    np.testing.assert_allclose(values[development].mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(values[development].std(0), 1, atol=1e-4)
    np.testing.assert_allclose(chord_features(X.toarray()[:9], found), values[:9], atol=1e-5)
    assert chord_features(X, ()).shape == (600, 0)
    assert abs(np.corrcoef(values[:, 0], y)[0, 1]) > 0.4


def test_members_alone_are_read_for_values(features, screened):
    X = keep_members(features.X, screened.chords)
    members = list(screened.chords[0].positions)
    assert X.shape == features.X.shape and X.nnz == features.X[:, members].nnz
    assert (X[:, members] != features.X[:, members]).nnz == 0
    some = keep_members(features.X.toarray(), screened.chords, features.test)
    assert (some != X[features.test]).nnz == 0
    assert score_table(features, ()).empty and append_chords(features, ()).X.to_memory().shape == features.X.shape


@pytest.fixture(scope="module")
def reading(features, screened, quick):
    """Three passes of the default network that reads the chord, and what they read."""
    both = append_chords(features, screened.chords)
    both = replace(both, X=both.X.to_memory())
    config = quick("cnn_small", epochs=12, lr=0.001, attribution_samples=16, ig_steps=8, buffer=30)
    passes = [train_pass(both.development_samples, config, seed) for seed in range(2)]
    return both, passes


def test_a_network_that_reads_the_chord_reaches_what_none_does_alone(reading, features, quick):
    both, passes = reading
    reached = [(ensemble.predict(one, both.X, both.test).argmax(1) == both.y[both.test]).mean() for one in passes]
    assert min(reached) > 0.75
    config = quick("cnn_small", epochs=12, lr=0.001, attribution="saliency", attribution_samples=2)
    alone = train_pass(features.development_samples, config, 0)
    assert (ensemble.predict(alone, features.X, features.test).argmax(1) == features.y[features.test]).mean() < 0.65


def test_the_importance_of_a_chord_goes_to_the_chord(reading, features):
    both, passes = reading
    for one in passes:
        assert one.importance.shape == (300,) and one.class_gradient.shape == (2, 300)
        assert one.chords.importance.shape == (1,)
        assert one.chords.class_importance.shape == one.chords.class_gradient.shape == (2, 1)
        assert one.chords.importance[0] > one.importance.max()
    table = rank_chords(passes, both.chords, top_k=5, min_accuracy=0.0)
    assert table["chord"].tolist() == ["chord_1"] and table["selection_frequency"][0] == 1
    assert table["mean_rank"][0] == 1 and table["importance_q25"][0] <= table["median_importance"][0]
    assert rank_chords(passes, both.chords, 5, min_accuracy=1.01).empty
    assert list(rank_chords(passes, (), 5, 0.0).columns) == list(table.columns)


def test_every_network_finds_the_chord_among_the_features(reading, quick):
    both, _ = reading
    for kind in ("linear", "mlp"):
        config = quick(kind, epochs=15, lr=0.001, attribution_samples=8, ig_steps=4)
        one = train_pass(both.development_samples, config, 0)
        assert (ensemble.predict(one, both.X, both.test).argmax(1) == both.y[both.test]).mean() > 0.72


def test_chords_take_the_pixels_that_the_buffer_reserves(reading):
    assert [one.settings["buffer"] for one in reading[1]] == [29, 29]
