"""The ranking of a model joined with all other findings on its features."""

import json

import numpy as np
import pandas as pd
import pytest

from deepmapper.core.table_schemas import FEATURES
from deepmapper.core.tables import read_table, write_json, write_table
from deepmapper.findings.feature_join import (
    JOINED,
    join_by_feature,
    join_findings,
    rank_by_significance,
    stability_of_list,
)
from deepmapper.findings.model_ranking import accumulate_model

NAMES = ("g0", "g1", "g2", "g3")


@pytest.fixture
def others():
    """Results of other rules on the features, in the order of the matrix."""
    feature = {"feature": list(NAMES)}
    return {
        "significance": pd.DataFrame({**feature, "z": [1.0, 5.0, 7.0, 0.5], "significant": [False, True, True, False]}),
        "stability": pd.DataFrame({**feature, "stability": [0.9, 0.5, 0.1, 0.0]}),
        "differential": pd.DataFrame({**feature, "differential_q": [0.01, 0.2, 0.3, np.nan]}),
        "evidence": pd.DataFrame({**feature, "evidence": [4.0, 3.0, 2.0, np.nan]}),
        "audit": pd.DataFrame({**feature, "pca_50": [1.0, 0.5, 0.2, 0.1]}),
        "chord_features": pd.DataFrame({**feature, "chord": ["chord_1", "", "", ""], "z_chord": [6.0, 0, 0, 0]}),
        "chords": pd.DataFrame({"chord": ["chord_1"], "synergy": [0.2]}),
        "recommended": pd.DataFrame(
            {"rank": [1, 2, 3, 4], "feature": ["g1", "g2", "g0", "g3"], "reported": [True, True, False, False]}
        ),
        "summaries": {name: {"statement": f"Said of {name}."} for name in JOINED},
    }


def test_everything_is_joined_by_name_in_the_order_of_the_list_to_report(ranked, others):
    joined = join_findings(ranked.ranking, ranked.summary, **others)
    table = joined.features
    assert table["feature"].tolist() == ["g1", "g2", "g0", "g3"]
    assert table["rank"].tolist() == [1, 2, 3, 4]
    assert table["model_rank"].tolist() == [2, 1, 3, 4], "significant features first, then by z"
    assert table["reported"].tolist() == [True, True, False, False]
    own = table.set_index("feature")
    assert own["stability"].to_dict() == {"g0": 0.9, "g1": 0.5, "g2": 0.1, "g3": 0.0}
    assert (own.loc["g0", "chord"], own.loc["g0", "synergy"]) == ("chord_1", 0.2)
    own_ranking = list(ranked.ranking)
    columns = [
        *own_ranking[:2],
        "reported",
        "model_rank",
        *own_ranking[2:],
        "chord",
        "z_chord",
        "synergy",
        "z",
        "significant",
        "stability",
        "differential_q",
        "evidence",
        "pca_50",
    ]
    assert table.columns.tolist() == columns


def test_the_summary_ends_with_the_statements_of_what_was_joined(ranked, others):
    joined = join_findings(ranked.ranking, ranked.summary, **others)
    assert joined.summary == {**ranked.summary, **{name: f"Said of {name}." for name in JOINED}}
    assert list(joined.summary)[-len(JOINED) :] == list(JOINED)
    assert joined.lines == [ranked.summary["statement"], *(f"Said of {name}." for name in JOINED)]


def test_features_that_were_not_tested_keep_the_order_of_the_ranking(ranked, others):
    untested = others | {"significance": pd.DataFrame({"feature": NAMES, "rank_low": 1.0})}
    table = join_findings(ranked.ranking, ranked.summary, **untested).features
    assert table.sort_values("model_rank")["feature"].tolist() == list(NAMES)


def test_without_an_accepted_pass_there_are_columns_and_no_rows(study, study_passes, others):
    none = accumulate_model("cnn", study, study_passes, [], top_k=2, min_accuracy=0.99)
    joined = join_findings(none.ranking, none.summary, **others)
    assert len(joined.features) == 0
    assert {"rank", "feature", "z", "stability", "chord"} <= set(joined.features)
    assert joined.lines[0] == none.summary["statement"]


def test_a_ranking_read_back_from_its_file_gives_the_same_bytes(ranked, others, tmp_path):
    """Six significant digits, written, read and written again, stay what they were."""
    rng = np.random.default_rng(0)
    ranking = ranked.ranking.assign(median_importance=rng.gamma(1, size=4) * 1e-7, mean_rank=rng.gamma(2, size=4) * 1e6)
    write_table(ranking, tmp_path / "ranking.tsv")
    write_json(ranked.summary, tmp_path / "ranking.json")
    read = read_table(tmp_path / "ranking.tsv"), json.loads((tmp_path / "ranking.json").read_text())
    for name, given in (("memory", (ranking, ranked.summary)), ("file", read)):
        joined = join_findings(*given, **others)
        write_table(joined.features, tmp_path / f"{name}.tsv", FEATURES)
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


@pytest.mark.parametrize(
    ("reported", "said"),
    [
        ([True, True, False], " Of the 2 features to report, 1 is among them."),
        ([False] * 3, " Of the first 3 features"),
    ],
)
def test_stability_speaks_of_the_list_to_report(reported, said):
    table = pd.DataFrame({"feature": ["a", "b", "c"], "reported": reported, "stability": [0.5, 0.75, 0.9]})
    assert stability_of_list(table, {"q": 20, "threshold": 0.75}).startswith(said)
    assert stability_of_list(table, {"n_pairs": 0}) == ""
