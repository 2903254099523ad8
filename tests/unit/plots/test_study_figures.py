"""The figures of a study, and figures of which parts are computed."""

import pandas as pd

from deepmapper import plots
from deepmapper.core.nothing import shows_nothing
from deepmapper.plots.study_figures import first_markers


def test_each_marker_is_drawn_once_and_no_class_takes_all_the_rows():
    markers = pd.DataFrame({"class": ["a"] * 9 + ["b"] * 9, "feature": [f"g{i}" for i in range(9)] * 2})
    names, classes = first_markers(markers, ["b", "a", "c"])
    assert names == ["g0", "g1", "g2", "g3", "g4", "g5"]
    assert classes == ["b"] * 3 + ["a"] * 3
    many = pd.DataFrame({"class": [f"c{i}" for i in range(90)], "feature": [f"g{i}" for i in range(90)]})
    assert len(first_markers(many, list(many["class"]))[0]) == 60
    assert first_markers(markers.head(0), ["a"]) == ([], [])


def test_overlaps_are_exclusive_and_add_up(words, tmp_path):
    letters = "abcdefghijklmnop"
    plots.overlap({"test": letters, "mlp": letters[4:] + "xyz"}, tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert {"12", "4", "3"} <= set(found)  # by both, by the test alone, by mlp alone


def test_a_figure_that_only_explains_itself_can_be_recognised(drawings, tmp_path):
    for name in (
        "overlap-none",
        "overlap-one",
        "pseudo_image-none",
        "chord_members-none",
        "audit-none",
        "volcano-none",
    ):
        drawings[name](tmp_path / "none.svg")
        assert shows_nothing(tmp_path / "none.svg"), name
    for name in ("overlap-typical", "pseudo_image-typical", "audit-typical"):
        drawings[name](tmp_path / "some.svg")
        assert not shows_nothing(tmp_path / "some.svg"), name
