"""The training loop without images and labels: an autoencoder, and a semi-supervised objective with a state."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.training.checkpoint import Checkpoint
from deepmapper.training.loop import Objective, batches, fit
from deepmapper.training.optimiser import AdamW
from deepmapper.training.runtime import halving, seeded
from deepmapper.training_options import TrainingOptions

OPTIONS = TrainingOptions(
    epochs=12, batch_size=16, lr=0.02, clip_norm=1.0, schedule="cosine", weight_average=0.5, min_epochs=2, patience=3
)


class Autoencoder(Objective):
    """Rebuild noisy values through two numbers; the score is the share of variance that is rebuilt."""

    score_name = "R2"

    def __init__(self, model, values, held_out):
        self.model, self.values, self.held_out = model, values, held_out

    def batch_loss(self, rows):
        values = self.values[rows]
        return nn.functional.mse_loss(self.model(values + 0.1 * torch.randn_like(values)).float(), values)

    def validate(self):
        error = nn.functional.mse_loss(self.model(self.held_out), self.held_out)
        return error.item(), 1 - (error / self.held_out.var()).item()


class SemiSupervised(Objective):
    """Cross-entropy of labelled rows, and consistency of unlabelled ones above a running threshold.

    One module holds two networks, an encoder and a classifier. The weight of the second term rises with the steps.
    """

    score_name = "accuracy"

    def __init__(self, model, values, y, held_out):
        self.model, self.values, self.y, self.held_out = model, values, y, held_out
        self.threshold, self.n_steps = torch.tensor(0.3), torch.tensor(0)

    def scores(self, values):
        return self.model["classifier"](self.model["encoder"](values)).float()

    def batch_loss(self, rows):
        supervised = nn.functional.cross_entropy(self.scores(self.values[rows]), self.y[rows])
        unlabelled = self.values[40 + torch.randperm(len(self.values) - 40)[:32]]
        with torch.no_grad():
            confidence, guess = self.scores(unlabelled).softmax(1).max(1)
        self.threshold = 0.9 * self.threshold + 0.1 * confidence.mean()
        self.n_steps = self.n_steps + 1
        noisy = self.scores(unlabelled + 0.2 * torch.randn_like(unlabelled))
        each = nn.functional.cross_entropy(noisy, guess, reduction="none")
        return supervised + (self.n_steps / 60).clamp_max(1) * (each * (confidence > self.threshold)).mean()

    def validate(self):
        values, y = self.held_out
        scores = self.scores(values)
        return nn.functional.cross_entropy(scores, y).item(), (scores.argmax(1) == y).float().mean().item()

    def state_dict(self):
        return {"threshold": self.threshold, "n_steps": self.n_steps}

    def load_state_dict(self, state):
        self.threshold, self.n_steps = state["threshold"], state["n_steps"]


def autoencoder():
    generator = torch.Generator().manual_seed(5)
    values = torch.randn(110, 2, generator=generator) @ torch.randn(2, 8, generator=generator)
    model = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Dropout(0.1), nn.Linear(6, 2), nn.Linear(2, 8))
    return model, Autoencoder(model, values[:80], values[80:]), np.arange(80)


def semi_supervised():
    generator = torch.Generator().manual_seed(6)
    y = torch.arange(200) % 2
    values = torch.randn(200, 8, generator=generator) + 1.2 * y[:, None]
    encoder = nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.2))
    model = nn.ModuleDict({"encoder": encoder, "classifier": nn.Linear(6, 2)})
    objective = SemiSupervised(model, values[:160], y[:160], (values[160:], y[160:]))
    return model, objective, np.arange(40)  # the first 40 are labelled


MAKERS = [autoencoder, semi_supervised]


class Interrupted(Exception):
    """Stands for the end of the process."""


class Killed(Checkpoint):
    """A checkpoint that ends the process after its nth write."""

    def __init__(self, path, after):
        super().__init__(path, 0, {})
        self.left = after

    def save(self, *stored):
        super().save(*stored)
        self.left -= 1
        if not self.left:
            raise Interrupted


def train(make, options=OPTIONS, checkpoint=None, lines=None):
    with seeded(3):
        model, objective, rows = make()
        progress = (lambda line: None) if lines is None else lines.append
        trained = fit(model, objective, rows, options, progress, checkpoint)
    return model, objective, trained


@pytest.mark.parametrize("make", MAKERS)
def test_any_objective_is_learned(make):
    lines = []
    model, objective, trained = train(make, lines=lines)
    assert trained.history[-1, 1] < 0.9 * trained.history[0, 1]
    assert trained.history[-1, 2] > trained.history[0, 2]
    assert objective.score_name in lines[0]
    assert not model.training


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("after", [1, 7, 18])
@pytest.mark.parametrize("make", MAKERS)
def test_a_resumed_training_ends_with_the_same_bits(make, after, precision, tmp_path):
    """Killed within the first epoch, at the end of one, and within a later one."""
    options = TrainingOptions(**{**vars(OPTIONS), "precision": precision})
    whole, objective, trained = train(make, options)
    with pytest.raises(Interrupted):
        train(make, options, Killed(tmp_path / "checkpoint.npz", after))
    lines = []
    resumed, its_objective, its_training = train(
        make, options, Checkpoint(tmp_path / "checkpoint.npz", 1000, {}), lines
    )
    assert lines[0].startswith("resuming from a checkpoint")
    assert all(torch.equal(value, resumed.state_dict()[name]) for name, value in whole.state_dict().items())
    np.testing.assert_array_equal(its_training.history, trained.history)
    assert its_training.stop_epoch == trained.stop_epoch
    for name, value in objective.state_dict().items():
        assert torch.equal(value, its_objective.state_dict()[name])


@pytest.mark.parametrize("make", MAKERS)
def test_early_stopping_can_follow_the_score(make):
    """The weights kept are those of the highest score, and it ends `patience` epochs later."""
    options = TrainingOptions(
        epochs=200, batch_size=16, lr=0.02, monitor="score", min_epochs=3, patience=4, min_delta=0
    )
    model, objective, trained = train(make, options)
    score = trained.history[:, 2]
    best = 2 + int(score[2:].argmax())
    assert trained.stop_epoch == best + 1
    assert len(score) == best + 1 + 4 < 200
    with torch.no_grad():
        assert objective.validate()[1] == pytest.approx(score[best], abs=1e-6)


def test_without_validation_all_epochs_are_trained(monkeypatch):
    monkeypatch.setattr(Autoencoder, "validate", Objective.validate)
    lines = []
    _, _, trained = train(autoencoder, TrainingOptions(epochs=3, patience=1, min_epochs=1), lines=lines)
    assert len(trained.history) == trained.stop_epoch == 3
    assert np.isnan(trained.history[:, 1:]).all()
    assert "validation" not in lines[0]


def test_batch_normalisation_of_vectors_needs_two_rows():
    with pytest.raises(InputError, match="batch_size=1: this network has batch normalisation"):
        train(semi_supervised, TrainingOptions(batch_size=1))


def test_a_gpu_too_small_halves_the_batch_of_any_objective(monkeypatch):
    small = train(autoencoder, TrainingOptions(epochs=2, batch_size=4))[0]
    batch_loss = Autoencoder.batch_loss

    def limited(self, rows):
        if len(rows) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return batch_loss(self, rows)

    monkeypatch.setattr(Autoencoder, "batch_loss", limited)
    with pytest.warns(DeepMapperWarning, match="training starts again in batches of"):
        model = halving(lambda size: train(autoencoder, TrainingOptions(epochs=2, batch_size=size))[0], 16, "training")
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), small.parameters(), strict=True))


@given(st.integers(1, 60), st.integers(1, 20))
def test_every_row_is_in_one_batch_and_no_batch_has_one_row(n, size):
    rows = np.arange(n) + 7
    parts = list(batches(rows, size))
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), rows)
    assert all(1 <= len(part) <= size + 1 for part in parts)
    if n > 1 and size > 1:
        assert min(len(part) for part in parts) > 1


def test_batches_come_in_a_new_order_that_follows_the_seed():
    def epochs(seed):
        with seeded(seed):
            return [np.concatenate(list(batches(np.arange(50), 8))).tolist() for _ in range(2)]

    assert epochs(1) == epochs(1)
    assert epochs(1) != epochs(2)
    assert epochs(1)[0] != epochs(1)[1]


def test_the_cosine_schedule_ends_at_zero(monkeypatch):
    factors, step = [], AdamW.step
    monkeypatch.setattr(AdamW, "step", lambda self, factor: (factors.append(factor), step(self, factor)))
    train(autoencoder, TrainingOptions(schedule="cosine", epochs=4, batch_size=16))
    n = 4 * 5  # 80 samples in batches of 16
    np.testing.assert_allclose(factors, (1 + np.cos(np.pi * np.arange(n) / n)) / 2)
    factors.clear()
    train(autoencoder, TrainingOptions(epochs=1, batch_size=16))
    assert factors == [1.0] * 5
