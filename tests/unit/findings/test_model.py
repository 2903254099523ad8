"""The findings of one model: what its passes say, and what is joined to it."""

import json
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from deepmapper.config import DeepMapperConfig
from deepmapper.core.tables import read_table, write_json, write_table
from deepmapper.features.store import Features
from deepmapper.findings.feature_table import join_by_feature, rank_by_significance
from deepmapper.findings.model import JOINED, accumulate_model, join_findings

NAMES = ("g0", "g1", "g2", "g3")


@pytest.fixture
def features():
    """Sixty samples of two classes, a fifth of them in the test split."""
    n = 60
    return Features(
        np.eye(n, 4, dtype=np.float32),
        np.arange(n) % 2,
        ("a", "b"),
        NAMES,
        tuple(f"cell{i}" for i in range(n)),
        (np.arange(n) % 5 == 0).astype(np.uint8),
        about={"scheme": "fixed", "why": "A test split was set aside."},
    )


@pytest.fixture
def passes(hand_made):
    settings = asdict(DeepMapperConfig())
    return [
        hand_made(0, 0.9, [3, 2, 1, 0], settings=settings),
        hand_made(1, 0.8, [2, 3, 1, 0], settings=settings),
        hand_made(2, 0.4, [0, 0, 0, 9], settings=settings),
    ]


@pytest.fixture
def found(features, passes, hand_made):
    controls = [hand_made(9, 0.5, permuted=True)]
    return accumulate_model("cnn", features, passes, controls, top_k=2, min_accuracy=0.5)


@pytest.fixture
def others():
    """What other rules say of the features, in the order of the matrix."""
    feature = {"feature": list(NAMES)}
    return {
        "significance": pd.DataFrame({**feature, "z": [1.0, 5.0, 7.0, 0.5], "significant": [False, True, True, False]}),
        "stability": pd.DataFrame({**feature, "stability": [0.9, 0.5, 0.1, 0.0]}),
        "evidence": pd.DataFrame({**feature, "evidence": [4.0, 3.0, 2.0, np.nan]}),
        "audit": pd.DataFrame({**feature, "pca_50": [1.0, 0.5, 0.2, 0.1]}),
        "chord_features": pd.DataFrame({**feature, "chord": ["chord_1", "", "", ""], "z_chord": [6.0, 0, 0, 0]}),
        "chords": pd.DataFrame({"chord": ["chord_1"], "synergy": [0.2]}),
        "summaries": {name: {"statement": f"Said of {name}."} for name in JOINED},
    }


def test_the_ranking_is_of_accepted_passes_and_the_tables_of_all(found):
    assert found.ranking["feature"].tolist() == ["g0", "g1", "g2", "g3"]
    assert found.passes["seed"].tolist() == [0, 1, 2, 9]
    assert found.passes["accepted"].tolist() == [True, True, False, False]
    assert len(found.history) == 12
    assert list(zip(found.agreement["seed_a"], found.agreement["seed_b"], strict=True)) == [(0, 1)]
    assert (found.summary["model"], found.summary["n_accepted"], found.summary["n_controls"]) == ("cnn", 2, 1)


def test_the_summary_says_how_samples_were_judged_and_the_log_repeats_it(found):
    assert (found.summary["scheme"], found.summary["why"]) == ("fixed", "A test split was set aside.")
    assert found.lines[0] == "A test split was set aside."
    assert found.lines[-1] == found.summary["statement"]
    assert any("1 of 3 passes were rejected" in line for line in found.lines)


def test_few_samples_are_judged_by_other_labelings(features, passes, hand_made):
    few = Features(
        features.X[:8],
        np.arange(8) % 2,
        features.classes,
        NAMES,
        features.samples[:8],
        np.zeros(8, dtype=np.uint8),
        about={"scheme": "repeated", "why": "8 samples are too few."},
    )
    rows = {"out_of_bag_rows": np.arange(8), "out_of_bag_probability": np.tile([0.5, 0.5], (8, 1))}
    made = [hand_made(0, 0.9, settings=passes[0].settings, **rows)]
    found = accumulate_model("cnn", few, made, [], top_k=2, min_accuracy=0.5)
    assert found.summary["n_possible_labelings"] == 35
    assert found.summary["n_labelings"] == 0


def test_everything_is_joined_by_name_and_significant_features_come_first(found, others):
    joined = join_findings(found.ranking, found.summary, **others)
    table = joined.features
    assert table["feature"].tolist() == ["g2", "g1", "g0", "g3"]
    assert table["rank"].tolist() == [1, 2, 3, 4]
    own = table.set_index("feature")
    assert own["stability"].to_dict() == {"g0": 0.9, "g1": 0.5, "g2": 0.1, "g3": 0.0}
    assert (own.loc["g0", "chord"], own.loc["g0", "synergy"]) == ("chord_1", 0.2)
    columns = [*found.ranking, "chord", "z_chord", "synergy", "z", "significant", "stability", "evidence", "pca_50"]
    assert table.columns.tolist() == columns


def test_the_summary_ends_with_the_statements_of_what_was_joined(found, others):
    joined = join_findings(found.ranking, found.summary, **others)
    assert joined.summary == {**found.summary, **{name: f"Said of {name}." for name in JOINED}}
    assert list(joined.summary)[-4:] == list(JOINED)
    assert joined.lines == [found.summary["statement"], *(f"Said of {name}." for name in JOINED)]


def test_features_that_were_not_tested_keep_the_order_of_the_ranking(found, others):
    untested = others | {"significance": pd.DataFrame({"feature": NAMES, "rank_low": 1.0})}
    assert join_findings(found.ranking, found.summary, **untested).features["feature"].tolist() == list(NAMES)


def test_without_an_accepted_pass_there_are_columns_and_no_rows(features, passes, others):
    none = accumulate_model("cnn", features, passes, [], top_k=2, min_accuracy=0.99)
    joined = join_findings(none.ranking, none.summary, **others)
    assert len(joined.features) == 0
    assert {"rank", "feature", "z", "stability", "chord"} <= set(joined.features)
    assert joined.lines[0] == "No pass of 3 was accepted; there is no ranking."


def test_a_ranking_read_back_from_its_file_gives_the_same_bytes(found, others, tmp_path):
    """Six significant digits, written, read and written again, stay what they were."""
    rng = np.random.default_rng(0)
    ranking = found.ranking.assign(median_importance=rng.gamma(1, size=4) * 1e-7, mean_rank=rng.gamma(2, size=4) * 1e6)
    write_table(ranking, tmp_path / "ranking.tsv")
    write_json(found.summary, tmp_path / "ranking.json")
    read = read_table(tmp_path / "ranking.tsv"), json.loads((tmp_path / "ranking.json").read_text())
    for name, given in (("memory", (ranking, found.summary)), ("file", read)):
        joined = join_findings(*given, **others)
        write_table(joined.features, tmp_path / f"{name}.tsv")
        write_json(joined.summary, tmp_path / f"{name}.json")
    for suffix in ("tsv", "json"):
        assert (tmp_path / f"file.{suffix}").read_bytes() == (tmp_path / f"memory.{suffix}").read_bytes()


def test_a_feature_that_is_not_known_elsewhere_gets_no_value():
    table = pd.DataFrame({"feature": ["x", "g1"], "rank": [1, 2]}, index=[7, 3])
    joined = join_by_feature(table, pd.DataFrame({"feature": ["g1", "g2"], "stability": [0.5, 0.1]}))
    assert joined["feature"].tolist() == ["x", "g1"]
    assert np.isnan(joined["stability"].iloc[0]) and joined["stability"].iloc[1] == 0.5


def test_ties_in_z_keep_their_order():
    table = pd.DataFrame({"rank": [1, 2, 3], "feature": ["a", "b", "c"], "z": [1.0, 1.0, 2.0], "significant": False})
    assert rank_by_significance(table)["feature"].tolist() == ["c", "a", "b"]
