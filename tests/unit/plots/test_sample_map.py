"""The map of the samples."""

import numpy as np

from deepmapper import plots
from deepmapper.plots import sample_map


def test_map_counts_what_it_shows(words, tmp_path):
    where = np.array([[0.0, 0.0], [1, 1], [2, 2], [np.nan, 0]])
    plots.embedding(
        where, ["a", "b", None, "a"], tmp_path / "a.svg", test=[1, 0, 0, 0], predicted=["b", "b", "a", None]
    )
    found = " ".join(words(tmp_path / "a.svg"))
    assert "3 samples; 1 in the test split; 1 of 2 predictions wrong; 1 without coordinates left out" in found
    assert "no label (1)" in found


def test_many_samples_are_drawn_as_one_bitmap(drawings, tmp_path):
    drawings["embedding-many"](tmp_path / "many.svg")
    assert (tmp_path / "many.svg").read_text().count("<image") == 1
    assert (tmp_path / "many.svg").stat().st_size < 1_000_000
    drawings["embedding-typical"](tmp_path / "few.svg")
    assert "<image" not in (tmp_path / "few.svg").read_text()


def test_numbers_on_the_map_do_not_overlap():
    placed = sample_map._spread_apart(np.zeros((40, 2)), 0.24)
    distance = np.linalg.norm(placed[:, None] - placed[None], axis=2) + np.eye(40)
    assert distance.min() >= 0.239
