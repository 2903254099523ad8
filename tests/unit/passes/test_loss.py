"""Training the network of a pass: what it learns, what it keeps, what its settings do."""

import math

import numpy as np
import pytest
import torch

from deepmapper.backbones.registry import build
from deepmapper.config import AugmentConfig, BackboneSpec
from deepmapper.errors import InputError
from deepmapper.passes.loss import balanced_weights, train_network
from deepmapper.passes.restore import image_maker
from deepmapper.training.inference import predict
from deepmapper.training.runtime import seeded

TRAIN, HELD = np.arange(0, 80), np.arange(80, 120)


@pytest.fixture
def trained(planted, quick):
    """Give a function that trains on 80 samples, with 40 to validate, and returns the model, the images, the story."""

    def fit(kind="mlp", validation=HELD, seed=0, **overrides):
        config = quick(kind, **overrides)
        images = image_maker(planted.X, config, seed, torch.device("cpu"))
        with seeded(seed):
            model = build(BackboneSpec(kind), 3, 30)
            story = train_network(model, images, planted.y, 3, TRAIN, validation, config)
        return model, images, story

    return fit


def loss_of(model, images, y, rows):
    scores = torch.from_numpy(predict(model, images, rows))
    return float(torch.nn.functional.cross_entropy(scores, torch.from_numpy(y[rows])))


def test_training_learns(trained, planted):
    model, images, story = trained()
    assert story.history.shape == (20, 3)
    assert story.history[-1, 0] < 0.1 * story.history[0, 0]
    assert (predict(model, images, HELD).argmax(1) == planted.y[HELD]).mean() > 0.9
    assert not model.training


def test_the_history_holds_what_validation_saw(trained, planted):
    model, images, story = trained(epochs=3)
    assert loss_of(model, images, planted.y, HELD) == pytest.approx(story.history[-1, 1], rel=1e-5)
    assert story.history[-1, 2] == (predict(model, images, HELD).argmax(1) == planted.y[HELD]).mean()
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
    np.testing.assert_array_equal(predict(model, images, HELD), predict(model, images, HELD))


def test_one_line_is_told_an_epoch(planted, quick):
    config, lines = quick("linear", epochs=2), []
    images = image_maker(planted.X, config, 0, torch.device("cpu"))
    train_network(build(BackboneSpec("linear"), 3, 30), images, planted.y, 3, TRAIN, HELD, config, lines.append)
    assert [line.split()[1] for line in lines] == ["1/2", "2/2"]
    assert "validation loss" in lines[0]


def test_a_loss_that_is_no_number_ends_it_with_a_way_out(planted, quick):
    config = quick("mlp", lr=1e30)
    images = image_maker(planted.X * np.float32(1e15), config, 0, torch.device("cpu"))
    with pytest.raises(InputError, match=r"training diverged: the loss of epoch \d+ is (nan|inf)\. Lower lr"):
        train_network(build(BackboneSpec("mlp"), 3, 30), images, planted.y, 3, TRAIN, HELD, config)


def test_a_network_that_normalises_batches_refuses_batches_of_one(trained):
    with pytest.raises(InputError, match="batch_size=1: this network has batch normalisation, expected 2 or more"):
        trained("cnn", batch_size=1)
    assert len(trained("linear", batch_size=1, epochs=1)[2].history) == 1


def test_the_loss_is_the_mean_over_samples_not_over_batches(planted, quick):
    """17 samples in batches of 16 and a joined last one, or all at once: the untrained linear model scores ln 3."""
    for size in (16, 5, 100):
        config = quick("linear", epochs=1, lr=1e-12, batch_size=size)
        images = image_maker(planted.X, config, 0, torch.device("cpu"))
        story = train_network(build(BackboneSpec("linear"), 3, 30), images, planted.y, 3, TRAIN[:17], HELD, config)
        assert story.history[0, 0] == pytest.approx(math.log(3), rel=1e-5)


def test_balanced_classes_count_the_same():
    weight = balanced_weights(np.array([0, 0, 0, 0, 0, 0, 2, 2]), 4)
    torch.testing.assert_close(weight, torch.tensor([8 / 6 / 2, 0.0, 8 / 2 / 2, 0.0]))


def test_class_weights_reach_the_loss(planted, quick):
    """A rare class is named more often when it counts as much as the others."""
    rows = np.concatenate([np.flatnonzero(planted.y[:90] != 2), np.flatnonzero(planted.y[:90] == 2)[:3]])
    named = []
    for class_weights in ("none", "balanced"):
        config = quick("linear", class_weights=class_weights, epochs=10)
        images = image_maker(planted.X, config, 0, torch.device("cpu"))
        with seeded(0):
            model = build(BackboneSpec("linear"), 3, 30)
            train_network(model, images, planted.y, 3, rows, rows[:0], config)
        named.append((predict(model, images, np.arange(90, 120)).argmax(1) == 2).sum())
    assert named[1] > named[0]


def copied(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_the_average_of_the_weights_is_what_is_kept(planted, quick):
    """By hand: the weights after every epoch, each average keeping half of the one before, less in the first epochs."""
    config, after = quick("cnn", epochs=4, weight_average=0.5), []
    images = image_maker(planted.X, config, 0, torch.device("cpu"))
    with seeded(0):
        model = build(BackboneSpec("cnn"), 3, 30)
        train_network(model, images, planted.y, 3, TRAIN, HELD, config, lambda _: after.append(copied(model)))
    expected = after[0]
    for epoch in (1, 2, 3):
        keep = min(0.5, (1 + epoch) / (4 + epoch))
        for name, value in after[epoch].items():
            counted = value.is_floating_point()
            expected[name] = keep * expected[name] + (1 - keep) * value if counted else value
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, expected[name], msg=name)


def test_what_is_validated_is_the_average(trained, planted):
    model, images, story = trained(epochs=3, weight_average=0.9)
    assert loss_of(model, images, planted.y, HELD) == pytest.approx(story.history[-1, 1], rel=1e-5)


@pytest.mark.parametrize("kind", ["mlp", "cnn_small", "cnn"])
def test_bfloat16_is_coarser_and_nearly_the_same(trained, kind):
    whole, half = (trained(kind, epochs=1, precision=precision)[0] for precision in ("float32", "bfloat16"))
    assert all(weight.dtype == torch.float32 for weight in half.parameters())
    assert not torch.equal(whole.head.weight, half.head.weight)
    torch.testing.assert_close(half.head.weight, whole.head.weight, atol=0.05, rtol=0.1)


def few(planted):
    """Most of the planted values taken away: what the sparse way is for."""
    X = planted.X.copy()
    X[np.random.default_rng(1).random(X.shape) < 0.8] = 0
    return X


@pytest.mark.parametrize("kind", ["linear", "mlp", "cnn_small"])
def test_few_values_train_as_whole_images_do(planted, quick, kind):
    config, states = quick(kind, epochs=3), []
    images = image_maker(few(planted), config, 4, torch.device("cpu"))
    assert images.mostly_zero
    for sparse in (True, False):
        images.__dict__["mostly_zero"] = sparse
        with seeded(0):
            model = build(BackboneSpec(kind), 3, 30)
            train_network(model, images, planted.y, 3, TRAIN, HELD, config)
        states.append(predict(model, images, HELD))
    np.testing.assert_allclose(*states, rtol=1e-3, atol=1e-4)
