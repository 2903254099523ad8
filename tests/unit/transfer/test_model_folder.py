"""A model that was saved, moved and loaded gives the same bytes; damage is refused."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import deepmapper
from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.transfer import model_folder
from deepmapper.transfer.predict import predict_file


@pytest.fixture
def folder(model, tmp_path):
    model_folder.save(model, tmp_path / "results/model/linear")
    moved = tmp_path / "elsewhere"
    shutil.move(tmp_path / "results/model/linear", moved)
    return moved


def test_the_same_answer_after_a_move(model, newcomers, folder):
    before, after = deepmapper.predict(model, newcomers), deepmapper.predict(folder, newcomers)
    pd.testing.assert_frame_equal(before, after, check_exact=True)
    assert before.attrs == after.attrs


def test_the_state_of_the_process_is_left_alone(folder, newcomers, leaves_no_trace):
    with leaves_no_trace():
        deepmapper.predict(folder, newcomers)
        deepmapper.perturb(folder, newcomers, ["gene0"])


def test_there_are_no_pickles(folder):
    for file in folder.rglob("*.npz"):
        with np.load(file, allow_pickle=False) as content:
            assert all(content[name].dtype != object for name in content.files)
    content = json.loads((folder / "model.json").read_text())
    assert content["format"] == 3 and content["classes"] == ["B", "NK", "T"] and content["versions"]["deepmapper"]
    assert "raw counts in X" in (folder / "README.md").read_text()


def test_files_give_what_an_adata_gives(newcomers, folder, tmp_path):
    newcomers.write_h5ad(tmp_path / "new.h5ad")
    found = predict_file(folder, tmp_path / "new.h5ad", tmp_path / "out", label_column="type")
    usual = deepmapper.predict(folder, newcomers, label_column="type")
    same = [name for name in usual.columns if name not in ("source", "domain")]
    pd.testing.assert_frame_equal(found.table.set_index("cell", drop=False)[same], usual[same], check_names=False)
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        *("new_identities.tsv", "target.h5ad", "target.json", "target.tsv", "target_genes.tsv"),
    ]


def test_units_are_recorded_and_folders_without_them_still_work(model, newcomers, folder, tmp_path):
    file = folder / "model.json"
    content = json.loads(file.read_text())
    assert content["normalization"]["units"] == {"base": "e", "total": model.scale.median}
    assert content["normalization"]["negative"] is False
    logs = newcomers.copy()
    dense = newcomers.X.toarray()
    logs.X = np.log2(1 + dense / dense.sum(1, keepdims=True) * 1e6).astype(np.float32)
    usual = deepmapper.predict(folder, newcomers)
    with pytest.warns(DeepMapperWarning, match="the values were logarithms to the base 2 of counts per million; they"):
        found = deepmapper.predict(folder, logs)
    assert found["label"].equals(usual["label"]) and np.allclose(found["p"], usual["p"], atol=1e-3)
    (source,) = found.attrs["summary"]["sources"]
    assert f"matrix: {source['units']}" in found.attrs["summary"]["cautions"]
    assert "units" not in usual.attrs["summary"]["sources"][0]
    del content["normalization"]["units"], content["normalization"]["negative"]
    file.write_text(json.dumps(content))
    old = model_folder.load(folder)
    pd.testing.assert_frame_equal(deepmapper.predict(old, newcomers), usual, check_exact=True)
    with pytest.raises(InputError, match="give the counts of these samples, too"):
        deepmapper.predict(old, logs)
    model_folder.save(old, tmp_path / "again")
    assert json.loads((tmp_path / "again/model.json").read_text()) == content


def test_what_is_no_model_is_refused(folder, tmp_path, newcomers):
    with pytest.raises(InputError, match="is not a model"):
        model_folder.load(tmp_path / "nothing")
    (folder / "passes/3.npz").unlink()
    with pytest.raises(InputError, match=r"not a complete model: .*3.npz is missing"):
        model_folder.load(folder)
    (folder / "passes/3.npz").write_bytes(b"no zip")
    with pytest.raises(InputError, match="is not a complete pass of a model"):
        model_folder.load(folder)
    content = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**content, "format": 0}))
    with pytest.raises(InputError, match="has format 0, expected 3"):
        model_folder.load(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"classes": ["a", "b"]}, "there are 2 classes and 60 features, but means of"),
        ({"sizes": {}}, "the sizes are not those of the classes"),
        ({"ids": ["a"]}, "there are 1 ids for 60 features"),
        ({"seeds": []}, "the passes are not those of the seeds"),
        ({"temperature": "x"}, "the temperature is 'x'"),
        ({"temperature": 0}, "the temperature is 0"),
        ({"over": "donors"}, "it was calibrated over 'donors'"),
    ],
)
def test_a_folder_whose_files_do_not_fit_is_refused(folder, change, words):
    content = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(content | change))
    with pytest.raises(InputError, match=f"{words}.*Copy the folder again"):
        model_folder.load(folder)


def test_a_pass_in_the_place_of_another_is_refused(folder):
    (folder / "passes/1.npz").write_bytes((folder / "passes/0.npz").read_bytes())
    with pytest.raises(InputError, match="the passes are not those of the seeds"):
        model_folder.load(folder)
