"""Controls: what passes reach on permuted labels."""

import numpy as np
import pytest

from deepmapper.features.label_permutations import draw_permutations
from deepmapper.features.samples import Samples
from deepmapper.passes import controls
from deepmapper.passes.controls import train_control
from deepmapper.passes.result import PassResult, mean_probability
from deepmapper.passes.train import train_pass


@pytest.fixture
def few(planted):
    """Ten samples of two classes among the planted ones."""
    return np.sort(np.concatenate([np.flatnonzero(planted.y == code)[:5] for code in (0, 1)]))


def test_a_control_with_few_samples_takes_many_permutations(planted, quick, few, tmp_path, monkeypatch):
    monkeypatch.setattr(controls, "PASSES_PER_PERMUTATION", 2)
    config = quick("linear", epochs=5)
    given_classes = planted.classes[:2]
    control = train_control(Samples(planted.X, planted.y, given_classes, rows=few), config, 3)
    single = train_pass(Samples(planted.X, planted.y, given_classes, rows=few), config, 3, permute_labels=True)
    assert control.permuted
    assert control.accuracy == single.accuracy
    np.testing.assert_array_equal(control.importance, single.importance)
    np.testing.assert_array_equal(control.control.labels, draw_permutations(planted.y[few], None, 3))
    # each is what passes on these labels reach
    relabelled = planted.y.copy()
    relabelled[few] = control.control.labels[2]
    passes = [train_pass(Samples(planted.X, relabelled, given_classes, rows=few), config, seed) for seed in (3, 4)]
    assert control.control.accuracy[2] == pytest.approx(np.mean([p.accuracy for p in passes]))
    probabilities = [mean_probability(p, control.control.labels[2]) for p in passes]
    assert control.control.probability[2] == pytest.approx(np.mean(probabilities))
    control.save(tmp_path / "control.npz")
    read = PassResult.load(tmp_path / "control.npz")
    np.testing.assert_array_equal(read.control.labels, control.control.labels)
    np.testing.assert_array_equal(read.control.probability, control.control.probability)


def test_a_control_with_many_samples_is_one_pass(planted, quick):
    control = train_control(planted.samples, quick("linear", epochs=2), 3)
    assert control.permuted
    assert control.control is None
