"""Chord values as further columns of the features, so that networks can read them as pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.blocks import keep_columns
from ..features.store import Features, with_chords
from . import proof
from .types import Chord

# Of a chord's pixel; features have about 1 or less, and thousands of them drown a single one of their size.
PIXEL_DEVIATION = 10.0


def append_chords(features: Features, found: Sequence[Chord]) -> Features:
    """Put the values of chords behind the features, as pixels that a network can find among thousands of others.

    The matrix is a source of `blocks`, which need not be in memory to be written.
    """
    values = proof.chord_features(of_members(features.X, found), found) * np.float32(PIXEL_DEVIATION)
    return with_chords(features, values, [chord.name for chord in found])


def of_members(X, found: Sequence[Chord], rows: np.ndarray | None = None):
    """Give rows of a matrix, which may be mapped and larger than memory, without all but the members of chords."""
    if isinstance(X, np.ndarray) and (rows is None or len(rows) == len(X)):
        return X  # of which columns are read as they are asked for
    members = sorted({position for chord in found for position in chord.positions})
    return keep_columns(X, np.array(members, dtype=np.int64), rows)
