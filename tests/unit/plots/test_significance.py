"""All features as points."""

from deepmapper import plots


def test_significant_features_are_named_and_counted(examples, words, tmp_path):
    plots.importance_significance(examples.features_with_q(300, 4), tmp_path / "a.svg", level=0.1)
    found = [word.strip() for word in words(tmp_path / "a.svg")]
    assert [w for w in found if w.startswith("GENE")] == ["GENE0", "GENE1", "GENE2", "GENE3"]
    assert "4 of 300 features are significant at q \u2264 0.1" in found
    assert "q = 0.1" in found
    plots.importance_significance(examples.features_with_q(300, 0), tmp_path / "b.svg", level=0.1)
    assert "none of 300 features are significant at q \u2264 0.1" in words(tmp_path / "b.svg")


def test_without_a_null_the_figure_says_that_nothing_was_tested(drawings, words, tmp_path):
    drawings["importance_significance-untested"](tmp_path / "a.svg")
    assert "Importance was not tested" in words(tmp_path / "a.svg")


def test_many_features_are_drawn_as_one_bitmap(examples, tmp_path):
    plots.importance_significance(examples.features_with_q(20000, 10), tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text().count("<image") == 1
    assert (tmp_path / "a.svg").stat().st_size < 500_000


def test_two_rankings_label_the_first_by_evidence_and_say_so_when_there_is_only_one(
    examples, drawings, words, tmp_path
):
    table = examples.feature_table(40)
    drawings["evidence-none"](tmp_path / "none.svg")
    assert "There is no evidence ranking" in " ".join(words(tmp_path / "none.svg"))
    plots.evidence(table, tmp_path / "a.svg", top=3)
    text = " ".join(words(tmp_path / "a.svg"))
    first = table.sort_values("evidence_rank")["feature"].to_list()
    assert all(name in text for name in first[:3]) and first[3] not in text.split()
    assert "40 of 40 features compared" in text and "not significant in the networks" not in text
    plots.evidence(table.assign(significant=table["feature"].isin(first[:2])), tmp_path / "b.svg", top=3)
    text = " ".join(words(tmp_path / "b.svg"))
    assert "not significant in the networks" in text
    assert all(name in text.split() for name in first[2:5]) and not {*first[:2], first[5]} & set(text.split())
