"""A label that is the parity of two genes: their chord is found, proved, ranked, and read by a network that asks."""

import json

import numpy as np
import pandas as pd
import pytest

from deepmapper.chords.files import read_chords
from deepmapper.core.stage_schemas import CHORD_SCORES
from deepmapper.features.store import open_features
from deepmapper.simulate.counts import plant

pytestmark = pytest.mark.workflow


def read(path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", keep_default_na=False, na_values={"z_chord": "", "synergy": ""})


@pytest.fixture(scope="module")
def parity():
    """600 cells × 300 genes; the parity of two on/off genes tells the label, and neither gene alone does."""
    return plant("small", seed=3)


@pytest.fixture(scope="module")
def screened(work_directory, parity):
    """A model that does not read the chords and one that does; depth and batch adjusted for."""
    directory = work_directory(
        labels={"column": "pair"},
        passes={"n_passes": 2, "n_permuted": 0, "n_shadow": 0, "top_k": 5},
        confounders={"columns": ["batch"], "depth": True},
        chords={"permutations": 19, "triplets": False},
        training={"epochs": 15, "min_epochs": 15, "lr": 0.01, "attribution_samples": 16, "ig_steps": 8},
        models={"plain": {"kind": "linear"}, "reading": {"kind": "cnn_small", "lr": 0.001, "chord_pixels": True}},
    )
    data = parity.to_anndata()
    data.obs["pair"] = np.array(["even", "odd"])[data.obs["pair"]]
    data.obs["batch"] = np.array(["x", "y"])[np.random.default_rng(0).integers(0, 2, data.n_obs)]
    data.obs = data.obs.drop(columns="depth")
    data.write_h5ad(directory.folder / "matrix.h5ad")
    wanted = [f"findings/{model}/{name}" for model in ("plain", "reading") for name in ("features.tsv", "metrics.json")]
    directory.run(*(f"results/{name}" for name in [*wanted, "findings/reading/chords.tsv"]))
    return directory


@pytest.fixture(scope="module")
def pair(parity) -> set[str]:
    return {parity.names[i] for i in parity.genes("pair")}


def test_the_chord_is_found_and_proved(screened, pair):
    table = read(screened.results / "findings/chords.tsv")
    assert len(table) == 1 and {table["side_1"][0], table["side_2"][0]} == pair
    assert table["synergy_low"][0] > 0.15 and table["auc_chord"][0] > 0.8 > table["auc_additive"][0]
    assert table["n_test"][0] == 150
    pairs = read(screened.results / "chords/pairs.tsv")
    assert {pairs["feature_a"][0], pairs["feature_b"][0]} == pair and pairs["significant"].tolist().count(True) == 1
    screen = json.loads((screened.results / "chords/screen.json").read_text())
    assert screen["n_samples"] == 450 and screen["confounders"] == ["batch=y", "depth"]
    assert "1 chord: 1 significant pair among" in screen["statement"]
    proof = json.loads((screened.results / "findings/chords.json").read_text())
    assert proof["proved"] and proof["statement"].startswith("The chord predicts")


def test_the_screen_does_not_read_the_test_split(screened):
    features = open_features(screened.results / "features")
    chord = read_chords(screened.results / "chords/chords.json")[0]
    values = features.X[features.development][:, list(chord.positions)].toarray()
    np.testing.assert_allclose(np.concatenate(chord.mean), values.mean(0), rtol=1e-5)


@pytest.mark.parametrize("model", ["plain", "reading"])
def test_features_name_their_chord(screened, pair, model):
    table = read(screened.results / f"findings/{model}/features.tsv")
    assert len(table) == 300
    assert set(table.loc[table["chord"] == "chord_1", "feature"]) == pair
    inside = table["chord"] != ""
    assert (table.loc[inside, "z_chord"] > 5).all() and table.loc[~inside, ["z_chord", "synergy"]].isna().all(axis=None)
    proof = read(screened.results / "findings/chords.tsv")
    np.testing.assert_allclose(table.loc[inside, "synergy"], proof["synergy"][0])


def test_a_network_that_reads_the_chord_knows_the_label(screened):
    reached = {
        model: json.loads((screened.results / f"findings/{model}/metrics.json").read_text())
        for model in ("plain", "reading")
    }
    assert reached["plain"]["accuracy"] < 0.65 and reached["reading"]["accuracy"] > 0.75
    assert reached["plain"]["confounders"] == ["batch=y", "depth"]
    assert reached["plain"]["confounders_accuracy"] < 0.62
    table = read(screened.results / "findings/reading/chords.tsv")
    assert table["chord"].tolist() == ["chord_1"] and table["selection_frequency"][0] == 1
    assert table["mean_rank"][0] == 1
    assert not (screened.results / "findings/plain/chords.tsv").exists()


def test_scores_of_every_cell_are_there_to_be_drawn(screened):
    scores = read(screened.results / "chords/scores.tsv")
    assert list(scores.columns) == CHORD_SCORES.names()
    assert screened.table_faults() == []
    assert scores["split"].value_counts().to_dict() == {"development": 450, "test": 150}
    means = scores[scores["split"] == "test"].groupby("label")["score"].mean()
    assert abs(means["odd"] - means["even"]) > 0.8


def test_null_passes_permute_within_strata(screened):
    features = open_features(screened.results / "features")
    assert set(features.strata[features.test]) == {-1} and len(np.unique(features.strata)) > 3
    told = json.loads((screened.results / "features/confounders.json").read_text())
    assert told["adjusted"] == ["batch", "depth"] and "Control passes permute labels within" in told["null"]
    table = pd.read_csv(screened.results / "features/confounders.tsv", sep="\t")
    assert list(table.columns) == ["sample", "batch", "depth"] and len(table) == 600


def test_an_option_of_the_screen_leaves_the_passes_that_do_not_read_it(screened, tmp_path):
    directory = screened.branch(tmp_path / "work")
    directory.configure(chords={"permutations": 39, "triplets": False})
    jobs = directory.would_run("results/passes/plain/0.npz", "results/findings/chords.tsv")
    assert jobs == {"screen_chords": 1, "prove_chords": 1}
