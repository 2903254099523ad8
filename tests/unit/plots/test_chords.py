"""Members and scores of chords."""

import pandas as pd
import pytest

from deepmapper import plots
from deepmapper.core.tables import read_table, write_table
from deepmapper.plots import style


def test_chords_show_members_links_and_their_proof(examples, words, tmp_path, monkeypatch):
    chords, pairs, _ = examples.chord_table(((3, 2),))
    plots.chord_networks(chords, pairs, tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    members = [*chords.loc[0, "side_1"].split(","), *chords.loc[0, "side_2"].split(",")]
    assert [name for name in members if name not in found] == []
    assert "chord_1 predicts CD19+ B (z = 30.0)" in found
    assert "test split: AUC 0.87 (0.80 to 0.93), synergy 0.31 (0.22 to 0.39)" in found
    assert "member without a significant product of its own" in found
    figures = []
    monkeypatch.setattr(style, "save", lambda figure, path, about: figures.append(figure))
    plots.chord_networks(chords, pairs.assign(significant=[True, *[False] * 5]), tmp_path / "b.svg")
    lines = [line for line in figures[0].axes[0].lines if len(line.get_xdata()) == 2]
    assert len(lines) == 1  # only significant products are drawn


def test_members_go_by_their_symbols(examples, words, tmp_path):
    chords, pairs, _ = examples.chord_table(((2, 2),))
    first, second = chords.loc[0, "side_1"].split(",")
    other = chords.loc[0, "side_2"].split(",")[0]
    plots.chord_networks(chords, pairs, tmp_path / "a.svg", aliases={first: "CD3E", second: "CD3E", other: "$x<&"})
    found = words(tmp_path / "a.svg")
    assert f"CD3E ({first})" in found and f"CD3E ({second})" in found and "$x<&" in found


def test_long_sides_are_cut_with_a_count(examples, words, tmp_path):
    plots.chord_networks(*examples.chord_table(((40, 1),))[:2], tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert "and 26 more" in found
    assert len([w for w in found if w.startswith("GENE1A")]) == 14


def test_tables_read_back_from_disk_give_the_same_chords(examples, tmp_path):
    """Empty cells come back as missing values."""
    chords, pairs, triplets = examples.chord_table(((1, 1), (2, 2, 2)))
    for name, table in (("chords", chords), ("pairs", pairs), ("triplets", triplets)):
        write_table(table, tmp_path / f"{name}.tsv")
    read = [read_table(tmp_path / f"{name}.tsv") for name in ("chords", "pairs", "triplets")]
    plots.chord_networks(chords, pairs, tmp_path / "a.svg", triplets)
    plots.chord_networks(read[0], read[1], tmp_path / "b.svg", read[2])
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_chord_scores_are_those_of_the_test_split_and_the_figure_says_which(examples, words, tmp_path):
    chords = examples.chord_table(((1, 1),))[0]
    both = pd.concat([examples.score_table(chords, n=40), examples.score_table(chords, n=90, split="development")])
    plots.chord_scores(both, chords, tmp_path / "a.svg")
    assert "40 samples of the test split" in " ".join(words(tmp_path / "a.svg"))
    plots.chord_scores(both[both["split"] != "test"], chords, tmp_path / "b.svg")
    found = " ".join(words(tmp_path / "b.svg"))
    assert "90 samples of the development part" in found
    assert "no test split was set aside" in found


@pytest.mark.parametrize("name", ["chord_networks-none", "chord_scores-none"])
def test_without_a_chord_the_figure_says_so(drawings, words, name, tmp_path):
    drawings[name](tmp_path / "a.svg")
    assert "No chord was found" in words(tmp_path / "a.svg")
