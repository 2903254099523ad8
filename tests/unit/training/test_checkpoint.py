"""A training run that was interrupted resumes from its checkpoint and gives the same bytes."""

from dataclasses import fields

import numpy as np
import pytest

from deepmapper.config import AugmentConfig
from deepmapper.features.samples import Samples
from deepmapper.passes import controls, halves, shadows
from deepmapper.passes import train as passes_train
from deepmapper.training.checkpoint import Checkpoint

HERE = {"torch": "2", "device": "cpu", "threads": 1}


class Killed(BaseException):
    """Stands for a process that is killed."""


class Ending(Checkpoint):
    """A checkpoint that is written after every batch and ends the training after a number of them."""

    def __init__(self, path, after):
        super().__init__(path, 0, HERE)
        self.left = after

    def save(self, about, arrays):
        super().save(about, arrays)
        self.left -= 1
        if not self.left:
            raise Killed


def same(one, other) -> None:
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if field.name == "weights":
            assert a.keys() == b.keys()
            assert all(a[name].tobytes() == b[name].tobytes() for name in a)
        elif isinstance(a, np.ndarray):
            assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()), field.name
        else:
            assert repr(a) == repr(b), field.name  # nan is nan


# 12 batches of 8 an epoch with early stopping, 12 without
CASES = {
    "in the first epoch": ("mlp", 3, {}),
    "at the end of an epoch": ("mlp", 22, {}),
    "with early stopping": ("linear", 25, {"early_stop": True, "patience": 2, "min_epochs": 2, "min_delta": 0.5}),
    "with all options": (
        "cnn_small",
        17,
        {
            "schedule": "cosine",
            "clip_norm": 1.0,
            "class_weights": "balanced",
            "weight_average": 0.8,
            "early_stop": True,
            "augment": AugmentConfig(True, 0.1),
        },
    ),
    "with batch statistics": ("cnn", 13, {"epochs": 2}),
}


@pytest.mark.parametrize("case", CASES)
def test_an_interrupted_pass_resumes_to_the_same_bytes(planted, quick, tmp_path, case):
    kind, after, options = CASES[case]
    config = quick(kind, **{"epochs": 8, "batch_size": 8, **options})
    given = (Samples(planted.sparse, planted.y, planted.classes), config, 5)
    undisturbed = passes_train.train_pass(*given)
    path = tmp_path / "scratch/checkpoint.npz"
    with pytest.raises(Killed):
        passes_train.train_pass(*given, checkpoint=Ending(path, after))
    with pytest.raises(Killed):  # a second time
        passes_train.train_pass(*given, checkpoint=Ending(path, 2))
    lines = []
    resumed = passes_train.train_pass(*given, checkpoint=Checkpoint(path, 1e9, HERE), progress=lines.append)
    assert "resuming from a checkpoint in epoch" in lines[0]
    assert not any(line.startswith("epoch 1/") for line in lines) or case == "in the first epoch"
    same(undisturbed, resumed)


@pytest.mark.parametrize("train", [controls.train_control, shadows.train_shadow_pass, halves.train_half_pass])
def test_every_kind_of_pass_resumes(planted, quick, tmp_path, train):
    given = (planted.samples, quick("linear", epochs=4, batch_size=8), 5)
    path = tmp_path / "checkpoint.npz"
    with pytest.raises(Killed):
        train(*given, checkpoint=Ending(path, 9))
    lines = []
    resumed = train(*given, checkpoint=Checkpoint(path, 1e9, HERE), progress=lines.append)
    assert "resuming from a checkpoint" in lines[0]
    same(train(*given), resumed)


def test_a_checkpoint_is_written_only_when_it_is_time(planted, quick, tmp_path):
    path = tmp_path / "checkpoint.npz"
    given = (planted.samples, quick("linear", epochs=2), 5)
    passes_train.train_pass(*given, checkpoint=Checkpoint(path, 1e9, HERE))
    assert not path.exists()


@pytest.mark.parametrize("broken", ["cut short", "empty", "made elsewhere"])
def test_an_unusable_checkpoint_is_ignored_with_a_message(tmp_path, broken):
    lines = []
    path = tmp_path / "checkpoint.npz"
    checkpoint = Checkpoint(path, 0, HERE, lines.append)
    assert checkpoint.load() is None
    assert lines == []
    checkpoint.save({"epoch": 1}, {"a": np.arange(1000)})
    about, arrays = checkpoint.load()
    assert about == {"epoch": 1}
    np.testing.assert_array_equal(arrays["a"], np.arange(1000))
    if broken == "made elsewhere":
        checkpoint.made_by = {**HERE, "threads": 2}
    else:
        path.write_bytes(path.read_bytes()[:700] if broken == "cut short" else b"")
    assert checkpoint.load() is None
    assert "the pass starts from the beginning" in lines[0]
    checkpoint.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_pass_goes_on_if_its_checkpoint_cannot_be_written(tmp_path):
    lines = []
    (tmp_path / "file").write_text("")
    Checkpoint(tmp_path / "file/checkpoint.npz", 0, HERE, lines.append).save({}, {})
    assert lines[0].startswith("no checkpoint written (")
