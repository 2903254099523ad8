"""Training the network of a pass: what it learns, what it keeps, what its settings do."""

import math

import numpy as np
import pytest
import torch

from deepmapper.backbones.class_loss import class_loss
from deepmapper.backbones.registry import build
from deepmapper.config import AugmentConfig, BackboneSpec
from deepmapper.errors import InputError
from deepmapper.passes import loss
from deepmapper.passes.loss import balanced_weights, train_network
from deepmapper.passes.restore import image_maker
from deepmapper.training.inference import predict
from deepmapper.training.runtime import seeded

TRAIN, VALIDATION = np.arange(0, 80), np.arange(80, 120)


@pytest.fixture
def trained(planted, quick):
    """Return a function that trains on 80 samples with 40 for validation, and returns model, images and training."""

    def fit(kind="mlp", validation=VALIDATION, seed=0, **overrides):
        config = quick(kind, **overrides)
        images = image_maker(planted.X, config, seed, torch.device("cpu"))
        with seeded(seed):
            model = build(BackboneSpec(kind), 3, 30)
            training = train_network(model, images, planted.y, 3, TRAIN, validation, config)
        return model, images, training

    return fit


def loss_of(model, images, y, rows):
    scores = torch.from_numpy(predict(model, images, rows))
    return float(torch.nn.functional.cross_entropy(scores, torch.from_numpy(y[rows])))


def test_training_learns(trained, planted):
    model, images, training = trained()
    assert training.history.shape == (20, 3)
    assert training.history[-1, 0] < 0.1 * training.history[0, 0]
    assert (predict(model, images, VALIDATION).argmax(1) == planted.y[VALIDATION]).mean() > 0.9
    assert not model.training


def test_the_history_holds_what_validation_saw(trained, planted):
    model, images, training = trained(epochs=3)
    assert loss_of(model, images, planted.y, VALIDATION) == pytest.approx(training.history[-1, 1], rel=1e-5)
    assert training.history[-1, 2] == (predict(model, images, VALIDATION).argmax(1) == planted.y[VALIDATION]).mean()
    assert training.history[:, 2].min() >= 0
    assert training.history[:, 2].max() <= 1


def test_the_best_weights_are_kept_not_the_last(trained, planted):
    """A learning rate this large overfits and bounces; the weights kept are those of the lowest validation loss."""
    model, images, training = trained(early_stop=True, epochs=40, min_epochs=5, patience=40, min_delta=0.0, lr=0.1)
    assert len(training.history) == 40
    counted = training.history[4:, 1]
    assert training.stop_epoch == 5 + int(counted.argmin())
    assert training.stop_epoch < 40
    assert loss_of(model, images, planted.y, VALIDATION) == pytest.approx(counted.min(), rel=1e-5)


def test_a_plateau_ends_training_after_the_floor(trained):
    _, _, training = trained(early_stop=True, epochs=200, min_epochs=6, patience=3, min_delta=10.0)
    # nothing improves by 10: epoch 6 is the first that counts and stays the best, three more are waited for
    assert (training.stop_epoch, len(training.history)) == (6, 9)


def test_below_the_floor_nothing_is_kept_and_the_last_weights_stay(trained, planted):
    model, images, training = trained(early_stop=True, epochs=4, min_epochs=40)
    assert (training.stop_epoch, len(training.history)) == (4, 4)
    assert loss_of(model, images, planted.y, VALIDATION) == pytest.approx(training.history[-1, 1], rel=1e-5)


def test_without_validation_all_epochs_are_trained(trained):
    _, _, training = trained(validation=VALIDATION[:0], epochs=3)
    assert (training.stop_epoch, len(training.history)) == (3, 3)
    assert np.isnan(training.history[:, 1:]).all()


def test_validation_does_not_disturb_training(trained):
    """The same seed gives the same weights with and without validation."""
    validated, unvalidated = (
        trained(epochs=3, validation=rows)[0].state_dict() for rows in (VALIDATION, VALIDATION[:0])
    )
    assert all(torch.equal(validated[name], unvalidated[name]) for name in validated)


def test_weight_decay_shrinks_the_weights(trained):
    norms = [float(trained("linear", weight_decay=decay)[0].head.weight.detach().norm()) for decay in (0.0, 1.0)]
    assert norms[1] < 0.9 * norms[0]


def test_noise_is_for_training_only(trained):
    plain, noisy = (trained(epochs=2, augment=augment) for augment in (AugmentConfig(), AugmentConfig(True, 0.5)))
    assert not torch.equal(plain[0].head.weight, noisy[0].head.weight)
    model, images, _ = noisy
    np.testing.assert_array_equal(predict(model, images, VALIDATION), predict(model, images, VALIDATION))


def test_progress_has_one_line_per_epoch(planted, quick):
    config, lines = quick("linear", epochs=2), []
    images = image_maker(planted.X, config, 0, torch.device("cpu"))
    train_network(build(BackboneSpec("linear"), 3, 30), images, planted.y, 3, TRAIN, VALIDATION, config, lines.append)
    assert [line.split()[1] for line in lines] == ["1/2", "2/2"]
    assert "validation loss" in lines[0]


def test_a_loss_that_is_not_a_number_is_refused_with_advice(planted, quick):
    config = quick("mlp", lr=1e30)
    images = image_maker(planted.X * np.float32(1e15), config, 0, torch.device("cpu"))
    with pytest.raises(InputError, match=r"training diverged: the loss of epoch \d+ is (nan|inf)\. Lower lr"):
        train_network(build(BackboneSpec("mlp"), 3, 30), images, planted.y, 3, TRAIN, VALIDATION, config)


def test_a_network_that_normalises_batches_refuses_batches_of_one(trained):
    with pytest.raises(InputError, match="batch_size=1: this network has batch normalisation, expected 2 or more"):
        trained("cnn", batch_size=1)
    assert len(trained("linear", batch_size=1, epochs=1)[2].history) == 1


def test_the_loss_is_the_mean_over_samples_not_over_batches(planted, quick):
    """Whatever the batches of 17 samples, the loss of the untrained linear model is ln 3."""
    for size in (16, 5, 100):
        config = quick("linear", epochs=1, lr=1e-12, batch_size=size)
        images = image_maker(planted.X, config, 0, torch.device("cpu"))
        training = train_network(
            build(BackboneSpec("linear"), 3, 30), images, planted.y, 3, TRAIN[:17], VALIDATION, config
        )
        assert training.history[0, 0] == pytest.approx(math.log(3), rel=1e-5)


def test_balanced_classes_count_the_same():
    weight = balanced_weights(np.array([0, 0, 0, 0, 0, 0, 2, 2]), 4)
    torch.testing.assert_close(weight, torch.tensor([8 / 6 / 2, 0.0, 8 / 2 / 2, 0.0]))


def test_class_weights_reach_the_loss(planted, quick):
    """A rare class is predicted more often if it counts as much as the others."""
    rows = np.concatenate([np.flatnonzero(planted.y[:90] != 2), np.flatnonzero(planted.y[:90] == 2)[:3]])
    n_predicted = []
    for class_weights in ("none", "balanced"):
        config = quick("linear", class_weights=class_weights, epochs=10)
        images = image_maker(planted.X, config, 0, torch.device("cpu"))
        with seeded(0):
            model = build(BackboneSpec("linear"), 3, 30)
            train_network(model, images, planted.y, 3, rows, rows[:0], config)
        n_predicted.append((predict(model, images, np.arange(90, 120)).argmax(1) == 2).sum())
    assert n_predicted[1] > n_predicted[0]


def copied(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_the_average_of_the_weights_is_what_is_kept(planted, quick):
    """By hand: the weights after every epoch, each average keeping half of the one before, less in the first epochs."""
    config, after = quick("cnn", epochs=4, weight_average=0.5), []
    images = image_maker(planted.X, config, 0, torch.device("cpu"))
    with seeded(0):
        model = build(BackboneSpec("cnn"), 3, 30)
        train_network(model, images, planted.y, 3, TRAIN, VALIDATION, config, lambda _: after.append(copied(model)))
    expected = after[0]
    for epoch in (1, 2, 3):
        keep = min(0.5, (1 + epoch) / (4 + epoch))
        for name, value in after[epoch].items():
            counted = value.is_floating_point()
            expected[name] = keep * expected[name] + (1 - keep) * value if counted else value
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, expected[name], msg=name)


def test_validation_uses_the_average(trained, planted):
    model, images, training = trained(epochs=3, weight_average=0.9)
    assert loss_of(model, images, planted.y, VALIDATION) == pytest.approx(training.history[-1, 1], rel=1e-5)


@pytest.mark.parametrize("kind", ["mlp", "cnn_small", "cnn"])
def test_bfloat16_is_coarser_and_nearly_the_same(trained, kind):
    full, half = (trained(kind, epochs=1, precision=precision)[0] for precision in ("float32", "bfloat16"))
    assert all(weight.dtype == torch.float32 for weight in half.parameters())
    assert not torch.equal(full.head.weight, half.head.weight)
    torch.testing.assert_close(half.head.weight, full.head.weight, atol=0.05, rtol=0.1)


def sparsened(planted):
    """Return the planted matrix with four fifths of its values set to zero."""
    X = planted.X.copy()
    X[np.random.default_rng(1).random(X.shape) < 0.8] = 0
    return X


@pytest.mark.parametrize("kind", ["linear", "mlp", "cnn_small"])
def test_training_on_sparse_images_is_training_on_dense_ones(planted, quick, kind):
    config, states = quick(kind, epochs=3), []
    images = image_maker(sparsened(planted), config, 4, torch.device("cpu"))
    assert images.mostly_zero
    for sparse in (True, False):
        images.__dict__["mostly_zero"] = sparse
        with seeded(0):
            model = build(BackboneSpec(kind), 3, 30)
            train_network(model, images, planted.y, 3, TRAIN, VALIDATION, config)
        states.append(predict(model, images, VALIDATION))
    np.testing.assert_allclose(*states, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["linear", "mlp", "cnn_small", "scnym"])
def test_images_that_are_kept_and_images_that_are_read_batch_by_batch_train_the_same_network(
    planted, quick, kind, monkeypatch
):
    X = sparsened(planted)
    X[:, :9] = 0  # the default network drops their weights
    config, states = quick(kind, epochs=3), []
    images = image_maker(X, config, 4, torch.device("cpu"))
    for n_stored in (2**23, 0):
        monkeypatch.setattr(loss, "_MAX_STORED", n_stored)
        with seeded(0):
            model = build(BackboneSpec(kind), 3, 30)
            train_network(model, images, planted.y, 3, TRAIN, VALIDATION, config)
        states.append(model.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


# --- labels above others ------------------------------------------------------------------------------------------

KINDS = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 1, 0, 0]], dtype=bool)  # the last is 0 or 1


def test_a_label_above_others_says_that_a_sample_is_one_of_them():
    scores = torch.log(torch.tensor([[0.2, 0.1, 0.3, 0.4], [0.2, 0.1, 0.3, 0.4]])).requires_grad_()
    found = class_loss(scores, torch.tensor([3, 2]), None, torch.from_numpy(KINDS))
    assert found.item() == pytest.approx(-math.log(0.3))
    weighted = class_loss(scores[:, :], torch.tensor([3, 2]), torch.tensor([1.0, 1, 0, 5]), torch.from_numpy(KINDS))
    assert weighted.item() == pytest.approx(-math.log(0.3))
    found.backward()
    # towards the kinds in proportion to their probabilities, away from all else
    np.testing.assert_allclose(2 * scores.grad[0], [0.2 - 2 / 3, 0.1 - 1 / 3, 0.3, 0.4], atol=1e-6)


def test_samples_with_a_label_above_others_teach_their_kinds(planted, quick):
    """The classes 0 and 1 are labelled as such in 4 samples of each, else by what is above them."""
    y = planted.y.copy()
    for code in (0, 1):
        y[np.flatnonzero(planted.y == code)[4:]] = 3
    right = {}
    for name, kinds in (("flat", None), ("kinds", KINDS)):
        config = quick("linear", epochs=30)
        images = image_maker(planted.X, config, 0, torch.device("cpu"))
        with seeded(0):
            model = build(BackboneSpec("linear"), 4, 30)
            training = train_network(model, images, y, 4, TRAIN, VALIDATION, config, kinds=kinds)
        scores = predict(model, images, VALIDATION)
        right[name] = (scores[:, :3].argmax(1) == planted.y[VALIDATION]).mean()
    assert right["kinds"] > right["flat"]
    assert (scores.argmax(1) < 3).all()
    # what validation sees counts a kind of the label as right
    assert training.history[-1, 2] == KINDS[y[VALIDATION], scores.argmax(1)].mean() > 0.8


@pytest.mark.parametrize("kind", ["conv_vae", "scnym"])
def test_networks_with_a_loss_of_their_own_take_such_labels(kind, planted, quick):
    y = np.where(planted.y == 0, 3, planted.y)
    config = quick("linear", epochs=2)
    images = image_maker(planted.X, config, 0, torch.device("cpu"))
    with seeded(0):
        model = build(BackboneSpec(kind, img_size=images.side), 4, 30)
        training = train_network(model, images, y, 4, TRAIN, VALIDATION, config, kinds=KINDS)
    assert np.isfinite(training.history).all()
