"""The value of a chord in any sample, and chord values as additional columns that networks read as pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.arrays import dense
from ..core.blocks import keep_columns
from ..features.store import Features, with_chords
from .types import Chord

# Standard deviation of a chord's pixel. Features have about 1 or less, and a single pixel of that size would be lost
# among thousands of them.
PIXEL_DEVIATION = 10.0


def chord_features(X, chords: Sequence[Chord]) -> np.ndarray:
    """Value of every chord for every row of `X`: the product of its sides' scores, standardised.

    Parameters
    ----------
    X
        (n, p) CSR or dense, with the columns that were screened; any rows.
    chords
        What `group_chords` returned.

    Returns
    -------
    numpy.ndarray
        (n, chords) float32, with mean 0 and deviation 1 on the rows that were screened.
    """
    values = np.empty((X.shape[0], len(chords)), dtype=np.float32)
    for i, chord in enumerate(chords):
        values[:, i] = (side_scores(X, chord).prod(1) - chord.product_mean) / chord.product_scale
    return values


def side_scores(X, chord: Chord) -> np.ndarray:
    """Squashed scores of the sides of a chord for all rows of `X`: (n, sides) float64."""
    columns = []
    for side, weight, mean, scale, side_scale in zip(
        chord.sides, chord.weights, chord.mean, chord.scale, chord.side_scale, strict=True
    ):
        values = (dense(X[:, list(side)]) - np.array(mean)) / np.array(scale)
        columns.append(squash(values @ np.array(weight) / side_scale))
    return np.column_stack(columns)


def squash(score: np.ndarray) -> np.ndarray:
    """Squash a standardised score into (-1, 1), so that a few outlying cells do not determine a product."""
    return score / np.sqrt(1 + np.square(score))


def append_chords(features: Features, chords: Sequence[Chord]) -> Features:
    """Append the values of chords to the features, scaled so that a network finds them among thousands of others.

    The matrix is a source as in `core.blocks`, written without being in memory in full.
    """
    values = chord_features(keep_members(features.X, chords), chords) * np.float32(PIXEL_DEVIATION)
    return with_chords(features, values, [chord.name for chord in chords])


def keep_members(X, chords: Sequence[Chord], rows: np.ndarray | None = None):
    """Select rows of a matrix, possibly memory-mapped and larger than memory, with only the values of chord members."""
    if isinstance(X, np.ndarray) and (rows is None or len(rows) == len(X)):
        return X  # its columns are read when they are needed
    members = sorted({position for chord in chords for position in chord.positions})
    return keep_columns(X, np.array(members, dtype=np.int64), rows)
