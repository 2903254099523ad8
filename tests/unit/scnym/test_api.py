import shutil
import zipfile

import numpy as np
import pytest
import torch

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.scnym.api import atlas2target, get_pretrained_weights, scnym_api, scnym_predict, scnym_train
from deepmapper.scnym.trainer import load_weights


def test_train_and_predict(study, quick, tmp_path):
    learns = {**quick, "n_epochs": 40, "model_kwargs": {"n_hidden": 64, "n_hidden_init": 64}}
    scnym_api(study, groupby="label", out_path=str(tmp_path), config=learns)
    results = study.uns["scNym_train_results"]
    assert results["final_acc"] > 0.8
    assert (results["n_genes"], results["n_cell_types"]) == (30, 3)
    assert list(results["class_names"]) == ["A", "B", "C"]
    parts = [set(results[name].tolist()) for name in ("train_idx", "val_idx", "test_idx")]
    assert set.union(*parts) == set(range(60))
    assert sum(map(len, parts)) == 60
    scnym_api(study, task="predict", trained_model=str(tmp_path))
    new = (study.obs["label"] == "Unlabeled").to_numpy()
    assert (study.obs["scNym"] == study.obs["truth"])[new].mean() > 0.7
    assert study.obs["scNym_confidence"].between(1 / 3, 1).all()
    assert study.obsm["X_scnym"].shape == (90, 64)
    assert np.allclose(study.uns["scNym_probabilities"].sum(1), 1)
    study.write_h5ad(tmp_path / "study.h5ad")


def test_the_seed_fixes_everything(study, quick, tmp_path):
    for name in ("a", "b"):
        torch.rand(7)  # the state of torch's generator before does not matter
        scnym_api(study, groupby="label", out_path=str(tmp_path / name), config=quick)
    scnym_api(study, groupby="label", out_path=str(tmp_path / "c"), config={**quick, "seed": 1})
    weights = [(tmp_path / name / "00_best_model_weights.pkl").read_bytes() for name in "abc"]
    assert weights[0] == weights[1] != weights[2]


@pytest.mark.parametrize("n_target", [1, 5, 25])
def test_few_target_cells_do_not_hang(study, quick, tmp_path, n_target):
    few = study[np.r_[:60, 60 : 60 + n_target]].copy()
    scnym_api(few, groupby="label", out_path=str(tmp_path), config={**quick, "n_epochs": 2, "batch_size": 256})
    assert (tmp_path / "02_best_dan_weights.pkl").exists()


@pytest.mark.parametrize("config", ["no_new_identity", "no_dan", "no_ssl"])
def test_the_other_configurations_train(study, quick, tmp_path, config):
    changes = {**quick, "config": config, "n_epochs": 2}
    scnym_api(study, groupby="label", out_path=str(tmp_path), config=changes)
    assert (tmp_path / "02_best_dan_weights.pkl").exists() == (config == "no_new_identity")


def test_without_target_cells_the_supervised_part_is_trained_and_said(cells, quick, tmp_path):
    with pytest.warns(DeepMapperWarning, match="labelled cells alone"):
        scnym_api(cells(), groupby="label", out_path=str(tmp_path), config=quick)
    assert not (tmp_path / "02_best_dan_weights.pkl").exists()


def test_classes_of_a_few_cells_stay_in_training(cells, quick, tmp_path):
    adata = cells()
    adata.obs["label"] = adata.obs["label"].astype(str)
    adata.obs.iloc[0, 0] = "single"
    adata.obs.iloc[60:, 0] = "Unlabeled"
    changes = {**quick, "n_epochs": 2, "balanced_classes": True, "weighted_classes": True}
    scnym_api(adata, groupby="label", out_path=str(tmp_path), config=changes)
    assert 0 in adata.uns["scNym_train_results"]["train_idx"]


def test_a_copy_leaves_the_original(study, quick, tmp_path):
    changed = scnym_api(study, groupby="label", out_path=str(tmp_path), config={**quick, "n_epochs": 1}, copy=True)
    assert "scNym_train_results" in changed.uns
    assert not study.uns
    assert scnym_api(study, task="predict", trained_model=str(tmp_path)) is None


def test_the_model_decides_the_sizes_and_genes_are_brought_into_its_order(study, quick, tmp_path):
    scnym_api(study, groupby="label", out_path=str(tmp_path / "m"), config={**quick, "n_epochs": 3})
    shutil.move(tmp_path / "m", tmp_path / "moved")
    predict = {"task": "predict", "trained_model": str(tmp_path / "moved"), "config": "no_new_identity"}
    scnym_api(study, **predict)
    turned = study[:, ::-1].copy()
    scnym_api(turned, **predict)
    assert (turned.uns["scNym_probabilities"] == study.uns["scNym_probabilities"]).all(axis=None)
    dense = study.copy()
    dense.X = dense.X.toarray()
    with pytest.warns(DeepMapperWarning, match="6 genes of the model's 30 are absent"):
        scnym_api(dense[:, :24].copy(), **predict)
    study.var_names = [f"other{i}" for i in range(30)]
    with pytest.raises(InputError, match="none of the model's 30 genes"):
        scnym_api(study, **predict)


def test_a_given_split_and_given_domains_are_used(cells, quick, tmp_path):
    adata = cells(n=180)
    adata.obs["scNym_split"] = (["train"] * 8 + ["val", "test"]) * 18
    adata.obs["batch"] = np.array(["x", "y", "z"])[np.arange(180) // 60]
    adata.obs.loc[adata.obs_names[150:], "label"] = "Unlabeled"
    options = {"groupby": "label", "out_path": str(tmp_path), "domain_groupby": "batch"}
    scnym_api(adata, config={**quick, "n_epochs": 2}, **options)
    assert adata.uns["scNym_train_results"]["val_idx"].tolist() == list(range(8, 150, 10))
    adata.obs["scNym_split"] = ["train"] * 175 + ["val"] * 5
    with pytest.raises(InputError, match="0 labelled cells of 'test', expected 10"):
        scnym_api(adata, config=quick, **options)


@pytest.mark.parametrize("n_domains", [2, 20])
def test_the_adversary_has_one_output_for_every_domain(study, quick, tmp_path, n_domains):
    study.obs["donor"] = np.arange(90) % n_domains  # numbers are domains, too
    study.obs.loc[study.obs_names[85:], "donor"] = 99  # one of unlabelled cells alone
    options = {"groupby": "label", "out_path": str(tmp_path), "domain_groupby": "donor"}
    scnym_api(study, config={**quick, "n_epochs": 2}, **options)
    head = load_weights(tmp_path / "02_best_dan_weights.pkl")
    assert [len(value) for name, value in head.items() if name.endswith("bias")][-1] == n_domains + 1


def test_domains_that_cannot_be_told_apart_are_refused(study, quick, tmp_path):
    study.obs["donor"] = "d1"
    options = {"groupby": "label", "out_path": str(tmp_path), "domain_groupby": "donor"}
    with pytest.raises(InputError, match="all cells are of one domain"):
        scnym_api(study, config=quick, **options)
    scnym_api(study, config={**quick, "config": "no_dan", "n_epochs": 1}, **options)
    study.obs.loc[study.obs_names[:3], "donor"] = None
    with pytest.raises(
        InputError, match=r"obs\['donor'\] \(domain_groupby\) has no value for 3 cells: expected a domain"
    ):
        scnym_api(study, config=quick, **options)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda a: a.var_names.values.__setitem__(1, "g0"), "more than once"),
        (lambda a: a.X.data.__setitem__(0, -1), "negative"),
        (lambda a: a.X.data.__setitem__(0, 15), "1,000,000"),
        (lambda a: a.X.data.__setitem__(0, np.nan), "missing or infinite"),
        (lambda a: a.X.data.__setitem__(slice(None), 3), "whole numbers"),
        (lambda a: a.obs.__setitem__("label", "A"), "1 class"),
        (lambda a: a.obs["label"].__setitem__(a.obs_names[0], None), "no value for 1 cell: expected a label, or"),
    ],
)
def test_values_and_labels_that_cannot_be_used_are_refused(study, tmp_path, fault, message):
    if "more than" in message:
        study.var_names = ["g0", "g0", *study.var_names[2:]]
    elif "no value" in message:
        study.obs["label"] = [None, *study.obs["label"][1:]]
    else:
        fault(study)
    with pytest.raises(InputError, match=message):
        scnym_api(study, groupby="label", out_path=str(tmp_path))


def test_wrong_arguments_are_refused(study, tmp_path):
    with pytest.raises(InputError, match="task='interpret'"):
        scnym_api(study, task="interpret")
    with pytest.raises(InputError, match="trained_model is missing"):
        scnym_api(study, task="predict")
    with pytest.raises(InputError, match="groupby='type' is no column"):
        scnym_api(study, groupby="type")
    with pytest.raises(InputError, match="does not exist"):
        scnym_api(study, task="predict", trained_model=str(tmp_path))


def test_the_two_functions_take_a_partial_configuration(study, quick, tmp_path):
    scnym_train(study, {**quick, "n_epochs": 2, "groupby": "label", "out_path": str(tmp_path)})
    scnym_predict(study, {"trained_model": str(tmp_path), "key_added": "named"})
    assert set(study.obs["named"]) <= {"A", "B", "C"}


def test_pretrained_weights_come_from_a_folder_or_an_archive(study, quick, tmp_path):
    model = tmp_path / "pretrained_mouse"
    scnym_train(study, {**quick, "n_epochs": 2, "groupby": "label", "out_path": str(model)})
    assert get_pretrained_weights(str(model), str(tmp_path / "from_folder")) == "mouse"
    archive = tmp_path / "weights.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("00_best_model_weights.pkl", "scnym_train_results.pkl"):
            file.write(model / name, name)
    scnym_predict(study, {"trained_model": str(archive), "out_path": str(tmp_path / "from_archive")})
    assert "scNym" in study.obs
    with pytest.raises(InputError, match="no public address"):
        get_pretrained_weights("pretrained_human", str(tmp_path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no 00_best_model_weights.pkl in it"):
        get_pretrained_weights(str(tmp_path / "empty"), str(tmp_path / "out"))


def test_an_atlas_is_put_before_the_cells(cells, study, tmp_path):
    atlas = cells(n=12, n_genes=25, seed=4)
    atlas.write_h5ad(tmp_path / "atlas.h5ad")
    before = list(study.obs.columns)
    with pytest.warns(DeepMapperWarning, match="only 25 genes"):
        joined = atlas2target(study, str(tmp_path / "atlas.h5ad"), "annotations", atlas_column="label")
    assert joined.shape == (102, 25)
    assert joined.obs["annotations"].tolist() == [*atlas.obs["label"], *["Unlabeled"] * 90]
    assert list(study.obs.columns) == before
    with pytest.raises(InputError, match="no column annotations or cell_ontology_class"):
        atlas2target(study, str(tmp_path / "atlas.h5ad"))
    with pytest.raises(InputError, match="no public address"):
        atlas2target(study, "human")
    study.var_names = [f"other{i}" for i in range(30)]
    with pytest.raises(InputError, match="share no gene"):
        atlas2target(study, str(tmp_path / "atlas.h5ad"), atlas_column="label")


def test_an_atlas_of_no_use_is_refused(cells, study, tmp_path):
    path = tmp_path / "atlas.h5ad"
    for wrong in (path, tmp_path):
        path.write_text("no h5ad")
        with pytest.raises(InputError, match="cannot be read as an .h5ad"):
            atlas2target(study, str(wrong))
    atlas = cells(n=12, seed=4)
    atlas.obs["label"] = atlas.obs["label"].where(np.arange(12) > 1)
    atlas.write_h5ad(path)
    with pytest.raises(InputError, match=r"no value in obs\['label'\] for 2 cells"):
        atlas2target(study, str(path), atlas_column="label")
    counts = cells(n=12, seed=4)
    counts.X = np.round(counts.X)
    counts.write_h5ad(path)
    with pytest.raises(InputError, match="the atlas.X holds whole numbers only"):
        atlas2target(study, str(path), atlas_column="label")


def test_places_of_no_use_are_refused(study, quick, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="out_path='.*file' cannot be made a folder"):
        scnym_api(study, groupby="label", out_path=str(tmp_path / "file"), config=quick)
    with pytest.raises(InputError, match="trained_model=None: expected a path"):
        get_pretrained_weights(None, str(tmp_path))
    with pytest.raises(InputError, match=r"groupby=\['label'\] is no column"):
        scnym_api(study, groupby=["label"], out_path=str(tmp_path), config=quick)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match="use_gpu=True, but torch .* finds no GPU"):
        scnym_api(study, groupby="label", out_path=str(tmp_path), config={**quick, "use_gpu": True})
    study.X = None
    with pytest.raises(InputError, match="adata.X is empty"):
        scnym_api(study, groupby="label", out_path=str(tmp_path), config=quick)


@pytest.mark.parametrize("content", [[1], {"n_genes": 5}])
def test_files_of_another_kind_are_no_model(study, tmp_path, content):
    torch.save(content, tmp_path / "scnym_train_results.pkl")
    with pytest.raises(InputError, match="is no dict|lacks n_cell_types, model_kwargs"):
        scnym_predict(study, {"trained_model": str(tmp_path)})
