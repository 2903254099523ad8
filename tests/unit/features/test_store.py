"""The feature store: what is written is read back, memory-mapped; writing is atomic."""

import json
import stat
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from deepmapper.errors import InputError
from deepmapper.features import store
from deepmapper.features.store import Features, open_features, with_chords, write_features


@pytest.fixture(params=["sparse", "dense"])
def features(request, planted):
    split = np.zeros(120, dtype=np.uint8)
    split[::4] = 1
    return Features(
        X=planted.sparse if request.param == "sparse" else planted.X,
        y=planted.y,
        classes=planted.classes,
        names=tuple(planted.names),
        samples=tuple(f"cell{i}" for i in range(120)),
        split=split,
        groups=np.arange(120) // 10,
        design=np.linspace(-1, 1, 240).reshape(120, 2),
        design_names=("depth", "batch=b"),
        strata=np.arange(120) % 7,
        metadata={"normalization": "none", "ä": [1, None]},
    )


def dense(X):
    return X.toarray() if sp.issparse(X) else np.asarray(X)


def leftovers(folder):
    return [path.name for path in folder.iterdir() if ".part" in path.name]


def test_what_is_written_is_read(features, tmp_path):
    write_features(tmp_path / "features", features)
    read = open_features(tmp_path / "features")
    assert sp.issparse(read.X) == sp.issparse(features.X)
    np.testing.assert_array_equal(dense(read.X), dense(features.X))
    for name in ("y", "split", "groups", "design", "strata"):
        np.testing.assert_array_equal(getattr(read, name), getattr(features, name))
    for name in ("classes", "names", "samples", "metadata", "n_features", "design_names", "chords"):
        assert getattr(read, name) == getattr(features, name)
    np.testing.assert_array_equal(read.test, np.arange(0, 120, 4))
    np.testing.assert_array_equal(np.union1d(read.test, read.development), np.arange(120))
    assert leftovers(tmp_path) == []


def is_mapped(array) -> bool:
    while array is not None:
        if isinstance(array, np.memmap):
            return True
        array = array.base
    return False


def test_the_matrix_is_mapped_not_read(features, tmp_path):
    write_features(tmp_path / "features", features)
    X = open_features(tmp_path / "features").X
    parts = (X.data, X.indices, X.indptr) if sp.issparse(X) else (X,)
    assert [is_mapped(part) for part in parts] == [True] * len(parts)
    # the widest of a batch of rows is read, and no more: they are a matrix of their own
    np.testing.assert_array_equal(dense(X[[5, 2, 9]]), dense(features.X)[[5, 2, 9]])


def test_chords_stand_behind_the_features(features, tmp_path):
    values = np.random.default_rng(0).normal(size=(120, 2)).astype(np.float32)
    write_features(tmp_path / "features", with_chords(features, values, ["chord_1", "chord_2"]))
    read = open_features(tmp_path / "features")
    assert read.n_features == features.n_features and read.names == features.names
    assert read.chords == ("chord_1", "chord_2")
    np.testing.assert_array_equal(dense(read.X), np.hstack([dense(features.X), values]))
    np.testing.assert_array_equal(dense(with_chords(features, values[:, :0], []).X.to_memory()), dense(features.X))


def test_confounders_are_written_for_people(features, tmp_path):
    columns = pd.DataFrame({"batch": ["a", "b"] * 60, "depth": np.arange(120) / 7}, index=features.samples)
    metadata = {**features.metadata, "confounders": {"statement": "Adjusted."}}
    write_features(tmp_path / "features", replace(features, confounders=columns, metadata=metadata))
    read = pd.read_csv(tmp_path / "features/confounders.tsv", sep="\t", index_col="sample")
    pd.testing.assert_frame_equal(read, columns.rename_axis("sample"), rtol=1e-5)
    assert json.loads((tmp_path / "features/confounders.json").read_text()) == {"statement": "Adjusted."}


def test_without_groups_there_are_none(features, tmp_path):
    write_features(tmp_path / "features", replace(features, groups=None))
    assert open_features(tmp_path / "features").groups is None


def test_two_stores_of_the_same_are_the_same_bytes(features, tmp_path):
    for name in ("one", "other"):
        write_features(tmp_path / name, features)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "other").iterdir())
    assert all((tmp_path / "one" / f).read_bytes() == (tmp_path / "other" / f).read_bytes() for f in files)


def test_others_may_read_a_store(features, tmp_path):
    write_features(tmp_path / "features", features)
    assert stat.S_IMODE((tmp_path / "features").stat().st_mode) == 0o755


def test_a_store_replaces_the_one_before_it(features, planted, tmp_path):
    write_features(tmp_path / "features", replace(features, X=planted.X))
    write_features(tmp_path / "features", replace(features, X=planted.sparse, groups=None))
    assert sp.issparse(open_features(tmp_path / "features").X)
    assert not (tmp_path / "features" / "matrix.dense.npy").exists()


@pytest.mark.parametrize("array", ["labels", "split", "groups"])
def test_a_failure_in_the_middle_leaves_the_old_store_whole(features, tmp_path, monkeypatch, array):
    write_features(tmp_path / "features", features)
    save = np.save

    def full_disk(path, values):
        if path.name == f"{array}.npy":
            raise OSError("No space left on device")
        save(path, values)

    monkeypatch.setattr(store.np, "save", full_disk)
    with pytest.raises(OSError, match="the disk is full"):
        write_features(tmp_path / "features", replace(features, y=features.y * 0))
    monkeypatch.undo()
    np.testing.assert_array_equal(open_features(tmp_path / "features").y, features.y)
    assert leftovers(tmp_path) == []


def test_what_is_no_store_is_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere is not a feature store .*run the rule prepare_features first"):
        open_features(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["{", "", "{}", "[]", json.dumps({"format": 99})])
def test_a_store_of_another_version_is_refused(features, tmp_path, text):
    write_features(tmp_path / "features", features)
    (tmp_path / "features" / "features.json").write_text(text)
    with pytest.raises(InputError, match="features (is not a feature store|has format (None|99), expected 3)"):
        open_features(tmp_path / "features")


@pytest.mark.parametrize("damage", ["gone", "short"])
def test_a_store_that_is_not_whole_is_refused_by_file(features, tmp_path, damage):
    write_features(tmp_path / "features", features)
    name = "matrix.data.npy" if sp.issparse(features.X) else "matrix.dense.npy"
    if damage == "gone":
        (tmp_path / "features" / "labels.npy").unlink()
        name = "labels.npy"
    else:
        with (tmp_path / "features" / name).open("r+b") as file:
            file.truncate(300)
    with pytest.raises(InputError, match=f"{name} is damaged or missing .*run the rule prepare_features again"):
        open_features(tmp_path / "features")
