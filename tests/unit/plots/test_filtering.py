"""The filtering audit."""

from deepmapper import plots


def test_the_audit_counts_and_names_losses_and_says_what_is_not_available(examples, drawings, words, tmp_path):
    plots.audit(examples.audit_table(), tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert "7 of 40: GENE0, GENE1, GENE2, GENE3, \u2026 3 more" in found
    assert "0 of 14" in found
    assert found.count("not available: the method failed on these data") == 2
    drawings["audit-none"](tmp_path / "b.svg")
    assert "There are no findings to lose" in words(tmp_path / "b.svg")


def test_losses_go_by_their_symbols(examples, words, tmp_path):
    table = examples.audit_table()
    plots.audit(table.assign(lost_alias=table["lost"].str.replace("GENE", "SYMBOL")), tmp_path / "a.svg")
    assert any(text.startswith("7 of 40: SYMBOL0, SYMBOL1") for text in words(tmp_path / "a.svg"))
