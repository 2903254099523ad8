"""Enriched gene sets."""

from deepmapper import plots


def test_only_the_first_sets_have_rows_and_similar_ones_none(examples, words, tmp_path):
    table, summary = examples.enrichment_table(n_sets=6)
    table["q"] = [0.01 if name in ("SET_0_OF_GENES", "SET_1_OF_GENES") else 0.9 for name in table["set"]]
    table["similar_to"] = ["SET_0_OF_GENES" if name == "SET_1_OF_GENES" else None for name in table["set"]]
    plots.enriched_sets(table, tmp_path / "a.svg", summary=summary)
    found = words(tmp_path / "a.svg")
    assert [word for word in found if word.startswith("SET_")] == ["SET_0_OF_GENES"]
    assert {"in the list", "in the ranking", "all classes", "CD19+ B", "cnn_small"} <= set(found)


def test_without_an_enriched_set_the_figure_says_so(drawings, words, tmp_path):
    drawings["enriched_sets-none"](tmp_path / "a.svg")
    assert "No gene set is enriched" in words(tmp_path / "a.svg")
