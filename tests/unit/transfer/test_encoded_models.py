"""Models whose networks read a trained embedding name new samples from their folder as the passes did."""

import shutil

import numpy as np
import pandas as pd
import pytest

import deepmapper
from deepmapper.passes.train import train_pass
from deepmapper.transfer import model_folder
from deepmapper.transfer.members import view
from deepmapper.transfer.model import fit_model

pytest.importorskip("lightning")

CONTRASTIVE = {
    "kind": "contrastive",
    "n_components": 4,
    "hidden_units": 16,
    "n_features": 40,
    "n_epochs": 20,
    "views": "auto",
    "dropout": 0.2,
    "temperature": 0.5,
}
SCVI = {"kind": "scvi", "n_components": 4, "hidden_units": 16, "n_features": 40, "n_epochs": 30, "batch": ""}


@pytest.fixture(scope="module", params=[CONTRASTIVE, SCVI], ids=["contrastive", "scvi"])
def encoded(study, quick, request, tmp_path_factory):
    """Passes that read an embedding, the last trained twice, and the folder of the model of the others, moved."""
    config = quick("linear", extra={"input_encoder": request.param}, test_size=0.2, attribution="saliency")
    *passes, again = [train_pass(study.features.development_samples, config, seed) for seed in (0, 1, 1)]
    made, moved = (tmp_path_factory.mktemp("model") / name for name in ("made", "moved"))
    model_folder.save(fit_model(study.features, passes, study.scale), made)
    shutil.move(made, moved)
    return passes, moved, again


def test_the_held_out_samples_are_named_as_in_the_passes(study, encoded):
    passes, folder, _ = encoded
    X, rows = study.features.X, study.features.development
    for result, member in zip(passes, model_folder.load(folder).members, strict=True):
        assert result.accuracy > result.majority_accuracy + 0.3
        seen = view(member, [X[rows[result.out_of_bag_rows]]], X.shape[1])
        np.testing.assert_array_equal(seen.probability, result.out_of_bag_probability)


def test_new_samples_are_named_alone_as_together(encoded, newcomers):
    known = newcomers[:60]
    table = deepmapper.predict(encoded[1], known, label_column="type", align=False)
    assert (table["label"] == table["given"]).mean() > 0.8
    pd.testing.assert_frame_equal(table, deepmapper.predict(encoded[1], known, label_column="type", align=False))
    alone = pd.concat([deepmapper.predict(encoded[1], known[[i]], align=False) for i in (0, 20, 40)])
    assert alone["label"].tolist() == table["label"].iloc[[0, 20, 40]].tolist()
    np.testing.assert_allclose(alone["probability"], table["probability"].iloc[[0, 20, 40]], atol=1e-6)


def test_missing_and_reordered_features(encoded, newcomers):
    known = newcomers[:60]
    whole = deepmapper.predict(encoded[1], known, label_column="type", align=False)
    reordered = deepmapper.predict(encoded[1], known[:, ::-1], label_column="type", align=False)
    pd.testing.assert_frame_equal(whole, reordered)
    with pytest.warns(deepmapper.DeepMapperWarning, match="6 features of 60"):
        fewer = deepmapper.predict(encoded[1], known[:, 3:57], label_column="type", align=False)
    assert (fewer["label"] == fewer["given"]).mean() > 0.7


def test_the_same_seed_gives_the_same_encoder(encoded):
    (_, once), _, again = encoded
    assert once.weights.keys() == again.weights.keys()
    for name in once.weights:
        np.testing.assert_array_equal(once.weights[name], again.weights[name])
    np.testing.assert_array_equal(once.out_of_bag_probability, again.out_of_bag_probability)
