"""One screen a run: what it reads, hands on, proves and says, and what it does where it cannot run."""

import mmap
from dataclasses import replace

import anndata
import numpy as np
import pandas as pd
import pytest

from deepmapper.chords import groups, pixels, proof, screen
from deepmapper.chords import prove as chords_prove
from deepmapper.chords.files import read_chords, write_chords
from deepmapper.chords.pixels import append_chords
from deepmapper.chords.prove import prove, prove_run, score_table
from deepmapper.chords.run import screen_features
from deepmapper.core.stage_schemas import CHORDS
from deepmapper.core.tables import read_table, write_table
from deepmapper.features.confounders import confounder_columns
from deepmapper.features.design import make_design
from deepmapper.features.levels import draw_samples
from deepmapper.features.splits import split_off_test
from deepmapper.features.store import DEVELOPMENT, TEST, Features
from deepmapper.findings import annotate, ensemble, feature_table
from deepmapper.findings.chord_ranking import rank_chords
from deepmapper.passes.train import train_pass
from deepmapper.simulate.counts import plant

OPTIONS = {
    **{"enabled": True, "permutations": 19, "level": 0.05, "rate": "family", "min_detected": 0.05},
    **{"triplets": False, "max_triplet_features": 30, "keep": 100, "memory_mb": 64, "device": "cpu"},
    "max_samples": 20_000,
}


def made(label, seed=0, **changed) -> Features:
    planted = plant("small", seed)
    y, classes = planted.codes(label)
    split = np.full(len(y), DEVELOPMENT, dtype=np.uint8)
    split[split_off_test(y, 0.25, seed)[1]] = TEST
    X, names = planted.log_normalised(), tuple(planted.names)
    return Features(X, y, classes, names, tuple(planted.obs.index), split, **changed)


@pytest.fixture(scope="module")
def features():
    """600 cells × 300 genes; the label is the parity of two on/off genes."""
    return made("pair")


@pytest.fixture(scope="module")
def screened(features):
    return screen_features(features, OPTIONS)


def test_labels_of_the_test_split_are_not_read(features, screened):
    y = features.y.copy()
    y[features.test] = 1 - y[features.test]
    again = screen_features(replace(features, y=y), OPTIONS)
    assert again.chords == screened.chords and again.about == screened.about
    for name, table in screened.tables.items():
        pd.testing.assert_frame_equal(again.tables[name], table)


def test_what_is_found_is_said(features, screened):
    assert len(screened.chords) == 1 and screened.about["ran"]
    n = screened.about["n_features"]
    assert screened.about["statement"] == (
        f"1 chord: 1 significant pair among {n} features of 450 samples, at a rate of 0.05 of any false product among "
        f"all."
    )
    assert screened.tables["pairs"]["significant"].sum() == 1 and screened.tables["triplets"].empty
    assert screened.tables["features"]["feature"].tolist() == list(features.names)
    assert len(screened.about["pairs"]["null_largest"]) == 19


def test_triplets_are_screened_where_asked():
    found = screen_features(made("triplet"), {**OPTIONS, "triplets": True})
    assert found.about["n_triplets"] == 1 and found.chords[0].order == 3
    assert list(found.tables["triplets"].columns)[:4] == ["rank", "feature_a", "feature_b", "feature_c"]
    assert "no significant pairs and 1 significant triplet" in found.about["statement"]


def test_where_main_effects_tell_everything_it_is_said(features):
    y = (features.X[:, 0].toarray().ravel() > 0).astype(np.int64)
    X = features.X.tolil()
    X[:, 1] = 5.0 * y[:, None]
    found = screen_features(replace(features, X=X.tocsr(), y=y), OPTIONS)
    assert found.about["left_open"] == {"0": 0.0, "1": 0.0} and found.chords == ()
    assert found.about["statement"].startswith("No chords: no significant pairs among")
    assert "Features tell 0, 1 so well one by one that next to nothing is left" in found.about["statement"]


def test_chords_are_handed_on_to_the_last_digit(screened, features, tmp_path):
    write_chords(screened.chords, tmp_path / "chords.json")
    read = read_chords(tmp_path / "chords.json")
    assert read == tuple(screened.chords)
    a, b = (proof.chord_features(features.X, found) for found in (read, screened.chords))
    np.testing.assert_array_equal(a, b)
    write_chords((), tmp_path / "none.json")
    assert read_chords(tmp_path / "none.json") == ()


def test_the_proof_is_of_the_test_split(features, screened):
    table, about = prove(features, screened.chords, draws=100)
    assert about["proved"] and about["statement"].startswith(
        "1 of 1 chord tells more than the members one by one on 150"
    )
    assert table["n_test"][0] == 150 and table["synergy_low"][0] > 0.15
    assert list(table.columns) == CHORDS.names(("0", "1"))


def test_without_a_test_split_nothing_is_proved(features, screened):
    table, about = prove(replace(features, split=np.zeros_like(features.split)), screened.chords)
    assert not about["proved"] and "No test split was set aside" in about["statement"]
    assert len(table) == 1 and table[list(chords_prove.PROOF)].isna().all(axis=None)
    table, about = prove(features, ())
    assert table.empty and about == {"proved": False, "statement": "There is no chord to prove."}


def test_scores_are_standardised_in_the_development_part(features, screened):
    table = score_table(features, screened.chords)
    assert list(table.columns) == ["cell", "split", "label", "chord", "score"] and len(table) == 600
    inside = table[table["split"] == "development"]["score"]
    assert inside.mean() == pytest.approx(0, abs=1e-4) and inside.std(ddof=0) == pytest.approx(1, abs=1e-4)
    assert score_table(features, ()).empty


FEW = np.r_[0:20, 300:320]
CANNOT = {
    "switched off": ({}, {"enabled": False}, "the configuration asks for none"),
    "few samples": ({"rows": FEW}, {}, r"40 samples in 2 classes are too few, expected at least 50 in all"),
    "few groups": ({"groups": True}, {}, r"4 groups, each of a single class"),
    "one feature": ({"columns": [0]}, {"min_detected": 0.0}, r"1 of 1 features are detected"),
}


@pytest.mark.parametrize(("data", "options", "why"), CANNOT.values(), ids=CANNOT.keys())
def test_where_no_screen_can_run_it_says_why_and_the_run_goes_on(features, data, options, why):
    if "groups" in data:
        features = replace(features, groups=features.y + 2 * (np.arange(600) % 2))
    if "rows" in data:
        rows = data["rows"]
        features = replace(features, X=features.X[rows], y=features.y[rows], split=np.zeros(len(rows), dtype=np.uint8))
    if "columns" in data:
        features = replace(features, X=features.X[:, data["columns"]], names=features.names[:1])
    found = screen_features(features, {**OPTIONS, **options})
    assert not found.about["ran"] and found.chords == ()
    assert found.about["statement"].startswith("No screen for chords: ")
    assert pd.Series([found.about["statement"]]).str.contains(why)[0]
    assert all(found.tables[name].empty for name in ("pairs", "triplets", "chords"))
    assert found.tables["features"]["feature"].tolist() == list(features.names)
    assert not found.tables["features"]["screened"].any()


def test_confounders_reach_the_screen_and_the_proof():
    """Depth tells the label by its distance from the middle, so that any two genes' product does, until it is held."""
    planted = plant("small", 5)
    rng = np.random.default_rng(5)
    far = np.abs(np.log(planted.obs["depth"]).to_numpy())
    y = (far + rng.normal(0, 0.1, len(far)) > np.median(far)).astype(np.int64)
    columns = confounder_columns(planted.obs.drop(columns="depth"), ["depth"], counts=planted.counts)
    X, split = planted.counts.log1p(), np.zeros(600, dtype=np.uint8)
    plain = Features(X, y, ("near", "far"), tuple(planted.names), tuple(planted.obs.index), split)
    design = make_design(columns)
    held = replace(plain, design=design.values, design_names=design.names)
    loose, tight = ([screen_features(one, OPTIONS, seed=seed).about for seed in range(3)] for one in (plain, held))
    assert sum(about["n_pairs"] for about in loose) > 20 > 2 >= sum(about["n_pairs"] for about in tight)
    assert tight[0]["statement"].endswith(", adjusted for depth.")


def test_the_proof_of_a_run_holds_the_values_of_the_chords_in_every_sample(features, screened):
    made = prove_run(features, screened.chords, draws=20)
    table, summary = prove(features, screened.chords, draws=20)
    pd.testing.assert_frame_equal(made.table, table)
    assert made.summary == summary
    pd.testing.assert_frame_equal(made.scores, score_table(features, screened.chords))
    assert len(made.scores) == len(screened.chords) * len(features.y)


def test_feature_tables_get_their_chord():
    table = pd.DataFrame({"rank": [1, 2, 3, 4], "feature": ["d", "b", "a", "c"]})
    of_feature = pd.DataFrame(
        {
            "feature": list("abcd"),
            "chord": ["chord_1", "chord_2,chord_1", "", np.nan],
            "z_chord": [5.0, 7.0, np.nan, np.nan],
        }
    )
    proofs = pd.DataFrame({"chord": ["chord_1", "chord_2"], "synergy": [0.3, 0.1]})
    added = feature_table.add_chords(table, of_feature, proofs)
    assert added["chord"].tolist() == ["", "chord_2,chord_1", "chord_1", ""]
    np.testing.assert_array_equal(added["z_chord"], [np.nan, 7, 5, np.nan])
    np.testing.assert_array_equal(added["synergy"], [np.nan, 0.1, 0.3, np.nan])
    proofs = proofs[:0]
    none = feature_table.add_chords(table, of_feature.assign(chord="", z_chord=np.nan), proofs)
    assert none[["z_chord", "synergy"]].isna().all(axis=None) and (none["chord"] == "").all()


def test_the_annotated_matrix_holds_the_chords(features, screened, tmp_path):
    n = features.n_features
    table = pd.DataFrame({"rank": np.arange(1, n + 1), "feature": features.names[::-1]})
    table[["selection_frequency", "median_importance", "mean_rank", "importance[0]", "importance[1]"]] = 1.0
    table[["direction[0]", "direction[1]"]] = "up"
    table = feature_table.add_chords(table, screened.tables["features"], prove(features, ())[0])
    write_table(table, tmp_path / "features.tsv")
    rows = pd.DataFrame({"label": features.y.astype(str), "prediction": "0", "confidence": 1.0, "split": "test"})
    place = {"embedding": np.zeros((600, 1)), "map": np.zeros((600, 2)), "basis": np.array("PCA")}
    data = anndata.AnnData(features.X, obs=pd.DataFrame(index=features.samples), var=pd.DataFrame(index=features.names))
    made = annotate.annotate(data, features, read_table(tmp_path / "features.tsv"), rows, place, {})
    made.write_h5ad(tmp_path / "annotated.h5ad")
    var = anndata.read_h5ad(tmp_path / "annotated.h5ad").var
    inside = var["deepmapper_chord"] == "chord_1"
    assert set(var.index[inside]) == set(screened.chords[0].features)
    assert (var.loc[inside, "deepmapper_z_chord"] > 5).all() and var.loc[~inside, "deepmapper_z_chord"].isna().all()


# --- chords as pixels -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reading(features, screened, quick):
    """Three passes of the default network that reads the chord, and what they read."""
    both = append_chords(features, screened.chords)
    both = replace(both, X=both.X.to_memory())
    config = quick("cnn_small", epochs=12, lr=0.001, attribution_samples=16, ig_steps=8, buffer=30)
    passes = [train_pass(both.development_samples, config, seed) for seed in range(2)]
    return both, passes


def test_a_network_that_reads_the_chord_reaches_what_none_does_alone(reading, features, quick):
    both, passes = reading
    reached = [(ensemble.predict(one, both.X, both.test).argmax(1) == both.y[both.test]).mean() for one in passes]
    assert min(reached) > 0.75
    config = quick("cnn_small", epochs=12, lr=0.001, attribution="saliency", attribution_samples=2)
    alone = train_pass(features.development_samples, config, 0)
    assert (ensemble.predict(alone, features.X, features.test).argmax(1) == features.y[features.test]).mean() < 0.65


def test_the_importance_of_a_chord_goes_to_the_chord(reading, features):
    both, passes = reading
    for one in passes:
        assert one.importance.shape == (300,) and one.class_gradient.shape == (2, 300)
        assert one.chords.importance.shape == (1,)
        assert one.chords.class_importance.shape == one.chords.class_gradient.shape == (2, 1)
        assert one.chords.importance[0] > one.importance.max()
    table = rank_chords(passes, both.chords, top_k=5, min_accuracy=0.0)
    assert table["chord"].tolist() == ["chord_1"] and table["selection_frequency"][0] == 1
    assert table["mean_rank"][0] == 1 and table["importance_q25"][0] <= table["median_importance"][0]
    assert rank_chords(passes, both.chords, 5, min_accuracy=1.01).empty
    assert list(rank_chords(passes, (), 5, 0.0).columns) == list(table.columns)


def test_a_device_of_torch_screens_the_same(features, screened):
    assert screen_features(features, OPTIONS, device="cpu").about == screened.about


def of_classes(*sizes):
    y = np.repeat(np.arange(len(sizes)), sizes)
    split = np.zeros(len(y), dtype=np.uint8)
    return Features(np.zeros((len(y), 1)), y, tuple("abc"[: len(sizes)]), ("f",), (), split)


def test_of_many_samples_so_many_are_drawn_and_a_rare_class_keeps_its_own():
    features = of_classes(9000, 900, 100)
    assert np.array_equal(draw_samples(features, 10_000, 0), features.development)
    rows = draw_samples(features, 1200, 0)
    sizes = np.bincount(features.y[rows])
    # 200 places each, 100 of them not used by the rarest; the other 700 in the shares of those left, 8800 and 700
    assert sizes.tolist() == [200 + 649, 200 + 51, 100]
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(draw_samples(features, 1200, 0), rows)
    assert not np.array_equal(draw_samples(features, 1200, 1), rows)


def test_a_screen_of_drawn_samples_reads_no_others_and_says_so(features):
    options = {**OPTIONS, "max_samples": 300}
    found = screen_features(features, options)
    rows = draw_samples(features, 300, 0)
    assert len(rows) == found.about["n_samples"] == 300 and found.about["n_development"] == 450
    assert "of 300 samples, drawn from the 450 of the development part, at a rate" in found.about["statement"]
    others = np.setdiff1d(features.development, rows)
    X, y = features.X.tolil(), features.y.copy()
    X[others], y[others] = 1, 0
    changed = replace(features, X=X.tocsr(), y=y, split=features.split.copy())
    changed.split[others] = 9  # in neither part
    again = screen_features(changed, options)
    assert again.chords == found.chords and found.chords
    table, _ = prove(features, found.chords, max_samples=300, draws=20)
    other = prove(changed, found.chords, draws=20)[0]
    pd.testing.assert_frame_equal(table, other)


@pytest.mark.parametrize("kind", ["sparse", "dense"])
def test_values_on_disk_give_the_same_screen(features, tmp_path, monkeypatch, kind):
    from deepmapper.core import blocks

    monkeypatch.setattr(blocks, "VALUES_AT_ONCE", 2**12)
    features = replace(features, X=features.X if kind == "sparse" else features.X.toarray())
    rows, y = features.development, features.y[features.development]
    on_disk = blocks.to_csc(features.X, rows, 0, tmp_path)
    base = on_disk.indices
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base, mmap.mmap) and on_disk.format == "csc"
    assert list(tmp_path.iterdir()) == []
    held = blocks.to_csc(features.X, rows, 100, tmp_path)
    assert np.array_equal(on_disk.toarray(), held if kind == "dense" else held.toarray())
    one, other = (screen.screen_pairs(X, y, permutations=19, names=features.names) for X in (on_disk, held))
    assert one.candidates == other.candidates and one.threshold == other.threshold and one.found
    np.testing.assert_array_equal(one.best, other.best)
    assert groups.group_chords(on_disk, one) == groups.group_chords(held, other)
    # and with little memory in blocks of 32 features, which changes no more than rounding does
    said = []
    small = screen_features(features, {**OPTIONS, "memory_mb": 0.01}, folder=tmp_path, progress=said.append)
    whole = screen_features(features, OPTIONS)
    assert [chord.features for chord in small.chords] == [chord.features for chord in whole.chords]
    np.testing.assert_allclose(small.tables["pairs"]["z"], whole.tables["pairs"]["z"], rtol=2e-3)
    assert said[0] == "450 of 450 samples of the development part are screened"
    assert said[-1] == "450 samples × 206 features in blocks of 32, class 1: 28 of 28 blocks of pairs"


def test_members_alone_are_read_for_values(features, screened):
    X = pixels.of_members(features.X, screened.chords)
    members = list(screened.chords[0].positions)
    assert X.shape == features.X.shape and X.nnz == features.X[:, members].nnz
    assert (X[:, members] != features.X[:, members]).nnz == 0
    some = pixels.of_members(features.X.toarray(), screened.chords, features.test)
    assert (some != X[features.test]).nnz == 0
    assert score_table(features, ()).empty and append_chords(features, ()).X.to_memory().shape == features.X.shape


def test_every_network_finds_the_chord_among_the_features(reading, quick):
    both, _ = reading
    for kind in ("linear", "mlp"):
        config = quick(kind, epochs=15, lr=0.001, attribution_samples=8, ig_steps=4)
        one = train_pass(both.development_samples, config, 0)
        assert (ensemble.predict(one, both.X, both.test).argmax(1) == both.y[both.test]).mean() > 0.72


def test_chords_take_the_pixels_that_the_buffer_reserves(reading):
    assert [one.settings["buffer"] for one in reading[1]] == [29, 29]
