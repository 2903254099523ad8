"""Training: batches, the plateau rule, the best weights, and who may be disturbed by it (nobody)."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deepmapper import training
from deepmapper.backbones import build
from deepmapper.config import AugmentConfig, BackboneSpec
from deepmapper.errors import InputError
from deepmapper.passes import image_maker

TRAIN, HELD = np.arange(0, 80), np.arange(80, 120)


@pytest.fixture
def trained(planted, quick):
    """Give a function that trains on 80 samples, with 40 to validate, and returns the model, the images, the story."""

    def fit(kind="mlp", validation=HELD, seed=0, **overrides):
        config = quick(kind, **overrides)
        images = image_maker(planted.X, config, seed, torch.device("cpu"))
        with training.seeded(seed):
            model = build(BackboneSpec(kind), 3, 30)
            story = training.fit(model, images, planted.y, TRAIN, validation, config)
        return model, images, story

    return fit


def loss_of(model, images, y, rows):
    scores = torch.from_numpy(training.predict(model, images, rows))
    return float(torch.nn.functional.cross_entropy(scores, torch.from_numpy(y[rows])))


@given(st.integers(1, 60), st.integers(1, 20))
def test_every_row_is_in_one_batch_and_none_is_alone(n, size):
    rows = np.arange(n) + 7
    parts = list(training.batches(rows, size))
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), rows)
    assert all(1 <= len(part) <= size + 1 for part in parts)
    if n > 1 and size > 1:
        assert min(len(part) for part in parts) > 1


def test_batches_come_in_a_fresh_order_that_follows_the_seed():
    def epochs(seed):
        with training.seeded(seed):
            return [np.concatenate(list(training.batches(np.arange(50), 8))).tolist() for _ in range(2)]

    assert epochs(1) == epochs(1)
    assert epochs(1) != epochs(2)
    assert epochs(1)[0] != epochs(1)[1]


def test_training_learns(trained, planted):
    model, images, story = trained()
    assert story.history.shape == (20, 3)
    assert story.history[-1, 0] < 0.1 * story.history[0, 0]
    assert (training.predict(model, images, HELD).argmax(1) == planted.y[HELD]).mean() > 0.9
    assert not model.training


def test_the_history_holds_what_validation_saw(trained, planted):
    model, images, story = trained(epochs=3)
    assert loss_of(model, images, planted.y, HELD) == pytest.approx(story.history[-1, 1], rel=1e-5)
    assert story.history[-1, 2] == (training.predict(model, images, HELD).argmax(1) == planted.y[HELD]).mean()
    assert story.history[:, 2].min() >= 0
    assert story.history[:, 2].max() <= 1


def test_the_best_weights_are_kept_not_the_last(trained, planted):
    """A learning rate this large overfits and bounces; the weights kept are those of the lowest validation loss."""
    model, images, story = trained(early_stop=True, epochs=40, min_epochs=5, patience=40, min_delta=0.0, lr=0.1)
    assert len(story.history) == 40
    counted = story.history[4:, 1]
    assert story.stop_epoch == 5 + int(counted.argmin())
    assert story.stop_epoch < 40
    assert loss_of(model, images, planted.y, HELD) == pytest.approx(counted.min(), rel=1e-5)


def test_a_plateau_ends_training_after_the_floor(trained):
    _, _, story = trained(early_stop=True, epochs=200, min_epochs=6, patience=3, min_delta=10.0)
    # nothing improves by 10: epoch 6 is the first that counts and stays the best, three more are waited for
    assert (story.stop_epoch, len(story.history)) == (6, 9)


def test_below_the_floor_nothing_is_kept_and_the_last_weights_stay(trained, planted):
    model, images, story = trained(early_stop=True, epochs=4, min_epochs=40)
    assert (story.stop_epoch, len(story.history)) == (4, 4)
    assert loss_of(model, images, planted.y, HELD) == pytest.approx(story.history[-1, 1], rel=1e-5)


def test_without_validation_all_epochs_are_trained(trained):
    _, _, story = trained(validation=HELD[:0], epochs=3)
    assert (story.stop_epoch, len(story.history)) == (3, 3)
    assert np.isnan(story.history[:, 1:]).all()


def test_validation_does_not_disturb_training(trained):
    """The same seed gives the same weights whether or not someone looks on."""
    watched, blind = (trained(epochs=3, validation=rows)[0].state_dict() for rows in (HELD, HELD[:0]))
    assert all(torch.equal(watched[name], blind[name]) for name in watched)


def test_weight_decay_shrinks_the_weights(trained):
    norms = [float(trained("linear", weight_decay=decay)[0].head.weight.detach().norm()) for decay in (0.0, 1.0)]
    assert norms[1] < 0.9 * norms[0]


def test_noise_is_for_training_only(trained):
    plain, noisy = (trained(epochs=2, augment=augment) for augment in (AugmentConfig(), AugmentConfig(True, 0.5)))
    assert not torch.equal(plain[0].head.weight, noisy[0].head.weight)
    model, images, _ = noisy
    np.testing.assert_array_equal(training.predict(model, images, HELD), training.predict(model, images, HELD))


def test_the_noise_has_the_deviation_asked_for():
    from deepmapper.augment import make_train_transform

    torch.manual_seed(0)
    added = make_train_transform(AugmentConfig(True, 0.3))(torch.ones(100, 1, 30, 30)) - 1
    assert float(added.mean()) == pytest.approx(0, abs=0.01)
    assert float(added.std()) == pytest.approx(0.3, rel=0.02)


def test_predictions_do_not_depend_on_the_batch(trained):
    model, images, _ = trained("cnn_small", epochs=2)
    whole = training.predict(model, images, HELD)
    np.testing.assert_allclose(training.predict(model, images, HELD, batch_size=7), whole, rtol=1e-4, atol=1e-5)
    assert training.embed(model, images, HELD).shape == (40, model.head.in_features)


def test_one_line_is_told_an_epoch(planted, quick):
    config, lines = quick("linear", epochs=2), []
    images = image_maker(planted.X, config, 0, torch.device("cpu"))
    training.fit(build(BackboneSpec("linear"), 3, 30), images, planted.y, TRAIN, HELD, config, lines.append)
    assert [line.split()[1] for line in lines] == ["1/2", "2/2"]
    assert "validation loss" in lines[0]


def test_a_loss_that_is_no_number_ends_it_with_a_way_out(planted, quick):
    config = quick("mlp", lr=1e30)
    images = image_maker(planted.X * np.float32(1e15), config, 0, torch.device("cpu"))
    with pytest.raises(InputError, match=r"training diverged: the loss of epoch \d+ is (nan|inf)\. Lower lr"):
        training.fit(build(BackboneSpec("mlp"), 3, 30), images, planted.y, TRAIN, HELD, config)


def test_a_network_that_normalises_batches_refuses_batches_of_one(trained):
    with pytest.raises(InputError, match="batch_size=1: this network normalises over its batch, expected 2 or more"):
        trained("cnn", batch_size=1)
    assert len(trained("linear", batch_size=1, epochs=1)[2].history) == 1


def test_seeded_leaves_the_callers_torch_as_it_was():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    with training.seeded(1):
        first = torch.rand(3)
        assert torch.are_deterministic_algorithms_enabled()
    with training.seeded(1):
        assert torch.equal(torch.rand(3), first)
    assert torch.equal(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("only_warn", [True, False])
def test_seeded_gives_back_how_strict_the_caller_was(only_warn):
    torch.use_deterministic_algorithms(True, warn_only=only_warn)
    try:
        with pytest.raises(RuntimeError, match="in the middle"), training.seeded(1):
            raise RuntimeError("in the middle")
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled() is only_warn
    finally:
        torch.use_deterministic_algorithms(False)


def test_the_loss_is_the_mean_over_samples_not_over_batches(planted, quick):
    """17 samples in batches of 16 and a joined last one, or all at once: the untrained linear model scores ln 3."""
    for size in (16, 5, 100):
        config = quick("linear", epochs=1, lr=1e-12, batch_size=size)
        images = image_maker(planted.X, config, 0, torch.device("cpu"))
        story = training.fit(build(BackboneSpec("linear"), 3, 30), images, planted.y, TRAIN[:17], HELD, config)
        assert story.history[0, 0] == pytest.approx(math.log(3), rel=1e-5)
