"""The screen of a run: what it reads and says, and what it does when it cannot run."""

import mmap
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from deepmapper.chords.groups import group_chords
from deepmapper.chords.proof import prove
from deepmapper.chords.run import screen_features, without_room
from deepmapper.chords.screen import screen_pairs
from deepmapper.chords.types import ScreenOptions
from deepmapper.core import blocks
from deepmapper.features.confounders import confounder_columns
from deepmapper.features.design import make_design
from deepmapper.features.levels import draw_development_samples
from deepmapper.features.store import Features
from deepmapper.simulate.counts import plant

QUICK = ScreenOptions(permutations=19)
FEW = np.r_[0:10, 300:310]
CANNOT = {
    "switched off": ({}, {"enabled": False}, r"chords\.enabled"),
    "few samples": ({"rows": FEW}, {}, r"20 samples in 2 classes are too few, expected at least 30 in all"),
    "few groups": ({"groups": True}, {}, r"4 groups, each of a single class"),
    "one feature": ({"columns": [0]}, {"min_detected": 0.0}, r"1 of 1 features are detected"),
}


def test_labels_of_the_test_split_are_not_read(features, screened, run_options):
    y = features.y.copy()
    y[features.test] = 1 - y[features.test]
    again = screen_features(replace(features, y=y), run_options)
    assert again.chords == screened.chords and again.summary == screened.summary
    for name, table in screened.tables.items():
        pd.testing.assert_frame_equal(again.tables[name], table)


def test_the_statement_names_what_was_found(features, screened):
    assert len(screened.chords) == 1 and screened.summary["ran"]
    n = screened.summary["n_features"]
    assert screened.summary["statement"] == (
        f"1 chord: 1 significant pair among {n} features of 450 samples, at a family-wise error rate of 0.05."
    )
    assert screened.tables["pairs"]["significant"].sum() == 1 and screened.tables["triplets"].empty
    assert screened.tables["features"]["feature"].tolist() == list(features.names)
    assert len(screened.summary["pairs"]["null_largest"]) == 19


def test_triplets_are_screened_where_asked(make_features, run_options):
    found = screen_features(make_features("triplet"), {**run_options, "triplets": True})
    assert found.summary["n_triplets"] == 1 and found.chords[0].order == 3
    assert list(found.tables["triplets"].columns)[:4] == ["rank", "feature_a", "feature_b", "feature_c"]
    assert "no significant pairs and 1 significant triplet" in found.summary["statement"]


def test_classes_that_single_features_predict_are_named(features, run_options):
    y = (features.X[:, 0].toarray().ravel() > 0).astype(np.int64)
    X = features.X.tolil()
    X[:, 1] = 5.0 * y[:, None]
    found = screen_features(replace(features, X=X.tocsr(), y=y), run_options)
    assert found.summary["left_open"] == {"0": 0.0, "1": 0.0} and found.chords == ()
    assert found.summary["statement"].startswith("No chords: no significant pairs among")
    assert "Single features predict 0, 1 so well" in found.summary["statement"]


@pytest.mark.parametrize(("data", "options", "reason"), CANNOT.values(), ids=CANNOT.keys())
def test_a_run_that_cannot_be_screened_says_why_and_goes_on(features, run_options, data, options, reason):
    if "groups" in data:
        features = replace(features, groups=features.y + 2 * (np.arange(600) % 2))
    if "rows" in data:
        rows = data["rows"]
        features = replace(features, X=features.X[rows], y=features.y[rows], split=np.zeros(len(rows), dtype=np.uint8))
    if "columns" in data:
        features = replace(features, X=features.X[:, data["columns"]], names=features.names[:1])
    found = screen_features(features, {**run_options, **options})
    assert not found.summary["ran"] and found.chords == ()
    assert found.summary["statement"].startswith("No screen for chords: ")
    assert pd.Series([found.summary["statement"]]).str.contains(reason)[0]
    assert all(found.tables[name].empty for name in ("pairs", "triplets", "chords"))
    assert found.tables["features"]["feature"].tolist() == list(features.names)
    assert not found.tables["features"]["screened"].any()


def test_confounders_reach_the_screen_and_the_proof(run_options):
    """The label depends on how far depth is from its median, so that any two genes' product predicts it."""
    planted = plant("small", 5)
    rng = np.random.default_rng(5)
    far = np.abs(np.log(planted.obs["depth"]).to_numpy())
    y = (far + rng.normal(0, 0.1, len(far)) > np.median(far)).astype(np.int64)
    columns = confounder_columns(planted.obs.drop(columns="depth"), ["depth"], counts=planted.counts)
    X, split = planted.counts.log1p(), np.zeros(600, dtype=np.uint8)
    plain = Features(X, y, ("near", "far"), tuple(planted.names), tuple(planted.obs.index), split)
    design = make_design(columns)
    adjusted = replace(plain, design=design.values, design_names=design.names)
    plain_screens, adjusted_screens = (
        [screen_features(one, run_options, seed=seed).summary for seed in range(3)] for one in (plain, adjusted)
    )
    n_plain, n_adjusted = (sum(one["n_pairs"] for one in screens) for screens in (plain_screens, adjusted_screens))
    assert n_adjusted <= 2 < n_plain
    assert adjusted_screens[0]["statement"].endswith(", adjusted for depth.")


def test_a_device_of_torch_screens_the_same(features, screened, run_options):
    assert screen_features(features, run_options, device="cpu").summary == screened.summary


def test_a_screen_of_drawn_samples_reads_no_others_and_says_so(features, run_options):
    options = {**run_options, "max_samples": 300}
    found = screen_features(features, options)
    rows = draw_development_samples(features, 300, 0)
    assert len(rows) == found.summary["n_samples"] == 300 and found.summary["n_development"] == 450
    assert "300 samples, drawn from the 450 of the development part" in found.summary["statement"]
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
def test_values_on_disk_give_the_same_screen(features, tmp_path, monkeypatch, kind, run_options):
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
    one, other = (screen_pairs(X, y, QUICK, names=features.names) for X in (on_disk, held))
    assert one.candidates == other.candidates and one.threshold == other.threshold and one.found
    np.testing.assert_array_equal(one.best, other.best)
    assert group_chords(on_disk, one) == group_chords(held, other)
    # and with little memory in blocks of 32 features, which changes no more than rounding does
    lines = []
    small = screen_features(features, {**run_options, "memory_mb": 0.01}, folder=tmp_path, progress=lines.append)
    whole = screen_features(features, run_options)
    assert [chord.features for chord in small.chords] == [chord.features for chord in whole.chords]
    np.testing.assert_allclose(small.tables["pairs"]["z"], whole.tables["pairs"]["z"], rtol=2e-3)
    assert lines[0] == "screening 450 of 450 samples of the development part"
    assert lines[-1] == "450 samples × 206 features in blocks of 32, class 1: 28 of 28 blocks of pairs"


def test_a_class_of_few_samples_is_not_said_to_be_predicted_well():
    assert without_room([("common", 0.0), ("rare", 0.0)], np.array([2246, 4])) == ([], ["rare"])
    assert without_room([("a", 0.01), ("b", 0.5), ("c", 0.0)], np.array([50, 50, 5])) == (["a"], ["c"])
    assert without_room([("a", 0.5), ("b", 0.5)], np.array([50, 4])) == ([], [])
