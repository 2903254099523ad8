"""Every set against the list to report and every ranking."""

import numpy as np
import pandas as pd
import pytest

from deepmapper.core.stage_schemas import ENRICHMENT
from deepmapper.core.tables import read_table, write_table
from deepmapper.enrichment.answers import rankings, reported_lists
from deepmapper.enrichment.gene_sets import GeneSet, SetFile
from deepmapper.enrichment.matching import match_gene_sets
from deepmapper.enrichment.run import COLUMNS, run_enrichment

NAMES = [f"g{i}" for i in range(60)]


def sets(**ranges):
    return SetFile("sets.gmt", tuple(GeneSet(k, "", tuple(f"g{i}" for i in v)) for k, v in ranges.items()))


def run(features, file, recommended, differential, models=None, aliases=None, min_size=3, max_size=50):
    matched = match_gene_sets(file, features.names, aliases or {})
    return run_enrichment(
        features, [matched], recommended, differential, models or {}, min_size=min_size, max_size=max_size, level=0.1
    )


def test_sets_are_found_in_lists_and_rankings(study, tables, model):
    features = study()
    file = sets(first=range(8), last=range(52, 60), mixed=range(0, 60, 6))
    aliases = {name: name.upper() for name in NAMES}
    found = run(features, file, *tables(NAMES, 8), {"mlp": model(NAMES, 10)}, aliases)
    assert list(found.table.columns) == list(COLUMNS) == ENRICHMENT.names()
    best = found.table.groupby(["test", "of"]).first()
    assert best["set"].tolist() == ["first"] * len(best)
    row = best.loc[("list", "recommended")]
    assert (row["n_universe"], row["n_set"], row["n_list"], row["n_found"]) == (60, 8, 8, 8)
    assert row["members"].split(",")[:2] == ["G0", "G1"]
    ranked = found.table[found.table["of"] == "differential"].set_index("set")
    assert ranked.loc["last", "z"] < 0 < ranked.loc["first", "z"]
    assert ranked.loc["last", "members"].startswith("G59")
    assert ranked.loc["mixed", "q"] > 0.3
    assert found.summary["statement"].startswith("2 of 3 gene sets are enriched in the list or a ranking at q ≤ 0.1")


def test_only_tested_features_count(study, tables):
    file = sets(a=range(20, 40))
    row = run(study(), file, *tables(NAMES, 5, tested=30)).table.iloc[0]
    assert (row["n_universe"], row["n_set"]) == (30, 10)


def test_sets_that_are_too_small_or_too_large_are_left_out_and_said(study, tables):
    file = sets(tiny=range(2), huge=range(58), fits=range(5))
    found = run(study(), file, *tables(NAMES, 5))
    assert set(found.table["set"]) == {"fits"}
    assert "2 sets were left out: not 3 to 50 of their genes" in found.summary["notes"][1]
    none = run(study(), sets(tiny=range(2)), *tables(NAMES, 5))
    assert none.summary["statement"] == "No gene set was tested: none has 3 to 50 genes among those tested."
    assert none.table.empty and list(none.table.columns) == list(COLUMNS)


def test_without_a_list_only_rankings_are_tested_and_it_is_said(study, tables, model):
    found = run(study(), sets(first=range(8)), *tables(NAMES, 0), {"mlp": model(NAMES, 0)})
    assert set(found.table["test"]) == {"ranking"}
    assert "there is no list to test" in found.summary["notes"][-1]


def test_the_list_is_tested_as_a_whole_and_by_the_class_that_is_higher():
    recommended = pd.DataFrame({
        "feature": NAMES[:7], "reported": [True] * 5 + [False] * 2, "q": [0.01] * 6 + [np.nan],
        "higher_in": ["b", "a", "b", None, "a", "a", "b"],
    })  # fmt: skip
    lists = reported_lists(recommended)
    assert [(own.class_, own.features) for own in lists] == [
        ("", ("g0", "g1", "g2", "g3", "g4")),
        ("a", ("g1", "g4")),
        ("b", ("g0", "g2")),
    ]
    assert all(own.tested == tuple(NAMES[:6]) for own in lists)
    assert reported_lists(recommended.assign(reported=False)) == []


def test_every_class_has_its_part_of_the_list_and_its_ranking(study, tables):
    classes = tuple(f"c{i}" for i in range(6))
    found = run(study(classes=classes, per_class=4), sets(a=range(6), b=range(10, 16)), *tables(NAMES, 4, classes))
    assert len(found.table[found.table["test"] == "list"]) == 2 * (1 + 6)
    assert found.table[found.table["test"] == "ranking"]["class"].nunique() == 6
    first = found.table.groupby(["test", "class"], sort=False).first()
    assert first.loc[("list", "c0"), "set"] == "a" and first.loc[("list", "c1"), "set"] == "b"


def test_models_without_error_rates_are_ranked_by_importance(model):
    plain = model(NAMES, 0).drop(columns=["z", "p", "significant"])
    (ranking,) = rankings(
        pd.DataFrame(columns=["feature", "within", "class", "versus", "p", "statistic"]), {"m": plain}
    )
    assert len(ranking.scores) == 60 and not ranking.signed


def test_a_gene_of_several_features_counts_once_and_it_is_said(study, tables):
    aliases = {f"g{i}": f"S{i // 2}" for i in range(60)}
    file = SetFile("sets.gmt", (GeneSet("a", "", tuple(f"S{i}" for i in range(5))),))
    found = run(study(), file, *tables(NAMES, 4), aliases=aliases)
    row = found.table.iloc[0]
    assert (row["n_universe"], row["n_set"], row["n_list"], row["n_found"]) == (30, 5, 2, 2)
    assert row["members"] == "S0,S1"
    assert any("30 genes have several features" in note for note in found.summary["notes"])


def test_sets_with_the_same_members_are_named_once(study, tables):
    file = sets(whole=range(10), most=range(9), other=range(52, 60))
    table = run(study(), file, *tables(NAMES, 10)).table
    listed = table[(table["test"] == "list") & (table["class"] == "")].set_index("set")
    assert listed.loc["most", "similar_to"] == "whole"
    assert listed.loc["whole", "similar_to"] == "" == listed.loc["other", "similar_to"]


def test_the_table_comes_back_from_its_file(study, tables, tmp_path):
    found = run(study(), sets(a=range(6), b=range(30, 36)), *tables(NAMES, 5))
    write_table(found.table, tmp_path / "enrichment.tsv")
    read = read_table(tmp_path / "enrichment.tsv")
    assert len(read) == len(found.table)
    assert np.allclose(read["q"], found.table["q"].astype(float), rtol=1e-4)
    assert read["n_found"].isna().sum() == (found.table["test"] == "ranking").sum()


@pytest.mark.parametrize("empty", [0])
def test_without_any_test_nothing_breaks(study, model, empty):
    nothing = pd.DataFrame(columns=["feature", "within", "class", "versus", "p", "statistic"])
    unreported = pd.DataFrame({"feature": NAMES, "reported": False, "higher_in": "", "q": np.nan})
    found = run(study(), sets(a=range(6)), unreported, nothing, {"mlp": model(NAMES, 0).head(empty)})
    assert found.table.empty and found.summary["n_enriched"] == 0
