"""Chords on disk."""

import numpy as np

from deepmapper.chords.files import read_chords, write_chords
from deepmapper.chords.values import chord_features


def test_chords_are_handed_on_to_the_last_digit(screened, features, tmp_path):
    write_chords(screened.chords, tmp_path / "chords.json")
    read = read_chords(tmp_path / "chords.json")
    assert read == tuple(screened.chords)
    a, b = (chord_features(features.X, found) for found in (read, screened.chords))
    np.testing.assert_array_equal(a, b)
    write_chords((), tmp_path / "none.json")
    assert read_chords(tmp_path / "none.json") == ()
