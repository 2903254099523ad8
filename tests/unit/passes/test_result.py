"""The record of a pass and its file."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from deepmapper.config import AugmentConfig, BackboneSpec, DeepMapperConfig
from deepmapper.errors import InputError
from deepmapper.passes.restore import restore_model
from deepmapper.passes.result import (
    ChordPart,
    ControlPart,
    PassFile,
    PassResult,
    ShadowPart,
    config_from_dict,
    mean_probability,
)
from deepmapper.passes.train import train_pass


@pytest.mark.parametrize("kind", ["linear", "cnn"])
def test_a_pass_comes_back_from_its_file(planted, quick, tmp_path, kind, differing):
    result = train_pass(planted.samples, quick(kind, epochs=2, attribution="saliency"), 1)
    result.save(tmp_path / "deep" / "1.npz")
    loaded = PassResult.load(tmp_path / "deep" / "1.npz")
    assert differing(result, loaded) == []
    assert np.isnan(loaded.completeness_error)
    np.testing.assert_array_equal(restore_model(loaded, 30).state_dict()["head.weight"], result.weights["head.weight"])
    assert PassResult.load(tmp_path / "deep" / "1.npz", weights=False).weights == {}
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["1.npz"]


def test_the_file_holds_no_pickles_and_opens_without_the_package(trained, tmp_path):
    trained.save(tmp_path / "1.npz")
    with np.load(tmp_path / "1.npz", allow_pickle=False) as file:
        assert json.loads(str(file["about"]))["seed"] == 1
        assert all(file[name].dtype.kind != "O" for name in file.files)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(trained, tmp_path, share):
    path = tmp_path / "7.npz"
    trained.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"7\.npz is not a complete pass .*delete it and run its target again"):
        PassResult.load(path)


def test_another_file_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", X=np.arange(3))
    (tmp_path / "text.npz").write_text("not an archive")
    for name in ("other", "text"):
        with pytest.raises(InputError, match=f"{name}.npz is not a complete pass"):
            PassResult.load(tmp_path / f"{name}.npz")
    with pytest.raises(FileNotFoundError):
        PassResult.load(tmp_path / "missing.npz")


def test_an_interrupted_save_leaves_the_file_that_was_there(trained, tmp_path, monkeypatch):
    path = tmp_path / "1.npz"
    trained.save(path)
    before = path.read_bytes()

    def interrupted(file, **arrays):
        Path(file).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trained.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["1.npz"]


def test_the_settings_of_a_pass_make_its_configuration_again(trained):
    config = DeepMapperConfig(
        lr=0.5, backbone=BackboneSpec("mlp", extra={"hidden": 9}), augment=AugmentConfig(True, 0.2)
    )
    assert config_from_dict(json.loads(json.dumps(asdict(config)))) == config
    assert trained.config.backbone.kind == "mlp"
    assert trained.config.min_epochs == 5


def test_a_pass_left_in_its_file_is_the_pass(tmp_path, trained):
    result, path = trained, tmp_path / "pass.npz"
    result.save(path)
    left = PassFile(path)
    for name, value in vars(result).items():
        if name == "weights":
            assert list(left.weights) == list(value)
            for key in value:
                np.testing.assert_array_equal(left.weights[key], value[key])
        elif isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(left, name), value)
            assert getattr(left, name).dtype == value.dtype
        else:
            np.testing.assert_equal(getattr(left, name), value)
    assert left.config == result.config
    with pytest.raises(AttributeError, match="has no shape"):
        _ = left.shape
    complete = path.read_bytes()
    for broken in (complete[: len(complete) // 2], b"no archive"):
        path.write_bytes(broken)
        with pytest.raises(InputError, match="is not a complete pass"):
            PassFile(path)


def test_what_only_some_passes_have_comes_back_and_is_none_for_the_others(tmp_path, hand_made):
    parts = {
        "chords": ChordPart(np.array([0.5, 0.25]), np.ones((2, 2)), np.full((2, 2), -1.0)),
        "shadows": ShadowPart(np.full((2, 4), 0.1), 3),
        "control": ControlPart(np.array([[0, 1, 1, 0]]), np.array([0.5]), np.array([0.4])),
    }
    hand_made(1, **parts).save(tmp_path / "1.npz")
    hand_made(2).save(tmp_path / "2.npz")
    for read in (PassResult.load, PassFile):
        found = read(tmp_path / "1.npz")
        for name, part in parts.items():
            for key, value in vars(part).items():
                np.testing.assert_array_equal(getattr(getattr(found, name), key), value)
        plain = read(tmp_path / "2.npz")
        assert plain.chords is None and plain.shadows is None and plain.control is None
    with np.load(tmp_path / "1.npz") as file:  # names are flat, for readers without the package
        assert {"chord_importance", "chord_class_gradient", "shadow_class_gradient", "control_labels"} < set(file.files)
        assert json.loads(str(file["about"]))["shadow_draw"] == 3
    with np.load(tmp_path / "2.npz") as file:
        assert not [name for name in file.files if name.startswith(("chord", "shadow", "control"))]


def test_probability_of_the_right_class_by_hand(hand_made):
    result = hand_made(
        out_of_bag_rows=np.array([1, 3]), out_of_bag_probability=np.array([[0.9, 0.1], [0.4, 0.6]]), permuted=True
    )
    assert mean_probability(result, np.array([1, 0, 1, 1])) == pytest.approx(0.75)
