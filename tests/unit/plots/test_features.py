"""The ranking and the heatmap."""

import pytest

from deepmapper import plots
from deepmapper.errors import InputError
from deepmapper.plots import style


@pytest.mark.parametrize("draw", [plots.ranking, plots.importance_heatmap])
def test_the_top_features_are_named_in_the_order_of_their_ranks(examples, words, draw, tmp_path):
    table = examples.feature_table(50, examples.BLOOD[:3]).sample(
        frac=1, random_state=0
    )  # the order of the rows does not matter, the rank does
    draw(table, tmp_path / "figure.svg", top=12)
    assert [w for w in words(tmp_path / "figure.svg") if w.startswith("GENE")] == [f"GENE{i}" for i in range(12)]


def test_ranking_says_how_many_passes_and_when_there_is_no_signal(drawings, words, tmp_path):
    drawings["ranking-no-signal"](tmp_path / "a.svg")
    text = " ".join(words(tmp_path / "a.svg"))
    assert "28 accepted passes" in text
    assert "chance (20 of 765)" in text
    assert "No signal: not above what needs none." in text


@pytest.mark.parametrize("name", ["ranking-none", "importance_heatmap-none"])
def test_without_an_accepted_pass_the_figure_says_so(drawings, words, name, tmp_path):
    drawings[name](tmp_path / "a.svg")
    text = " ".join(words(tmp_path / "a.svg"))
    assert "No pass was accepted: nothing to rank" in text
    assert "30 passes were trained" in text


def test_ranking_marks_what_is_significant_and_shows_intervals_of_rank_and_importance(examples, tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(style, "save", lambda figure, path, about: figures.append(figure))
    plots.ranking(examples.features_with_q(50, 4), tmp_path / "a.svg", top=6)
    axes = figures[0].axes
    assert len(axes) == 3
    filled, hollow = axes[0].lines[:2]
    assert filled.get_ydata().tolist() == [0, 1, 2, 3] and hollow.get_ydata().tolist() == [4, 5]
    assert hollow.get_markerfacecolor() == "white"
    assert "rank" in axes[2].get_xlabel() and "95 % bootstrap interval of the median" in axes[1].get_xlabel()
    assert "4 significant (filled)" in " ".join(text.get_text() for text in figures[0].texts)
    plots.ranking(examples.feature_table(50), tmp_path / "a.svg", top=6)  # nothing tested: nothing marked, no rank
    assert len(figures[1].axes) == 2
    assert len(figures[1].axes[0].lines[0].get_ydata()) == 6


def test_heatmap_takes_the_classes_in_the_order_given_or_puts_similar_ones_side_by_side(examples, words, tmp_path):
    table = examples.feature_table(20, classes=list("abcd"))
    for c, twin in (("a", "c"), ("b", "d")):
        table[f"importance[{twin}]"] = table[f"importance[{c}]"] * 3
    plots.importance_heatmap(table, tmp_path / "given.svg", classes=list("dcba"))
    assert "".join(w for w in words(tmp_path / "given.svg") if w in list("abcd")) == "dcba"
    plots.importance_heatmap(table, tmp_path / "alike.svg")
    order = "".join(w for w in words(tmp_path / "alike.svg") if w in list("abcd"))
    assert {order[:2], order[2:]} <= {"ac", "ca", "bd", "db"}
    with pytest.raises(InputError, match="'e' has no column in features.tsv, which has a, b, c, d"):
        plots.importance_heatmap(table, tmp_path / "x.svg", classes=["e"])


def test_heatmap_marks_the_direction(examples, monkeypatch, tmp_path):
    table, figures = examples.feature_table(3, classes=["a", "b"]), []
    table["direction[a]"], table["direction[b]"] = ["up", "down", "unclear"], "unclear"
    monkeypatch.setattr(style, "save", lambda figure, path, about: figures.append(figure))
    plots.importance_heatmap(table, tmp_path / "a.svg")
    marks = [tuple(xy) for c in figures[0].axes[0].collections[1:] for xy in c.get_offsets().tolist()]
    assert marks == [(0.0, 0.0), (0.0, 1.0)]  # up in row 0, down in row 1, both in column "a"
