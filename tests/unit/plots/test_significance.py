"""All features as points."""

from deepmapper import plots


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
