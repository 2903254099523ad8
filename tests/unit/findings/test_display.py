"""What `Findings` show of themselves in a session and a notebook."""

import pytest

from deepmapper.findings.ranking import Findings, accumulate_passes


@pytest.fixture
def few(hand_made):
    passes = [hand_made(0), hand_made(1, 0.8)]
    return accumulate_passes(passes, 2, 0.0, ["CD3D", "x" * 60, "<b>", "MS4A1"])


def test_a_few_lines_say_what_was_found(few):
    lines = repr(few).splitlines()
    assert len(lines) <= 11
    assert lines[0] == "Findings: 2 passes (2 accepted), 4 features, 2 classes"
    assert lines[1] == "  accuracy 0.850 ± 0.071 (largest class 0.500, permuted labels 0.500)"
    assert lines[3].split() == ["1.", "CD3D", "100%", "3.00", "up", "in", "a"]
    assert max(map(len, lines)) < 100


def test_findings_without_passes_or_names_can_be_shown(hand_made):
    rejected = accumulate_passes([hand_made(0)], 2, 1.0)
    assert "no pass was accepted" in repr(rejected)
    assert "note" in repr(rejected)
    assert "Findings: 0 passes" in repr(Findings(n_features=3, n_passes_run=0, n_accepted=0))
    assert "feature 0" in repr(accumulate_passes([hand_made(0)], 2, 0.0))


def test_html_has_a_table_in_which_names_do_not_act(few):
    html = few._repr_html_()
    assert html.count("<tr>") == 5
    assert "&lt;b&gt;" in html
    assert "<td><b>" not in html


def test_the_frame_has_every_feature_best_first(few):
    table = few.to_frame()
    assert list(table["rank"]) == [1, 2, 3, 4]
    assert table["feature"][0] == "CD3D"
    assert table["direction[a]"][0] == "up"


def test_figures_are_methods(few, tmp_path):
    assert few.plot.ranking(tmp_path / "ranking.svg", top=3).read_text().startswith("<?xml")
    assert "<svg" in few.plot.importance_heatmap()._repr_svg_()
    assert len(repr(few.plot.ranking())) < 100  # a terminal is not flooded
