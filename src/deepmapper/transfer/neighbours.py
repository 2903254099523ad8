"""Probabilities averaged over the samples that are most alike, where neighbours seldom have different labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.draws import Draw, stream
from .spaces import place_by_own

# Numbers of neighbours to choose from, and the accuracy that they may cost; the number of samples among which they are
# looked for (more are divided at random), and of samples per neighbour. Chosen by hand.
CHOICES, _COST = (15, 5), 0.01
_AMONG, _PER_NEIGHBOUR = 10_000, 20


def smooth(probability: np.ndarray, X: Any, k: int, seed: int) -> np.ndarray:
    """Average the probabilities of every sample with those of its k nearest neighbours.

    Parameters
    ----------
    probability
        (n, C).
    X
        (n, p) normalised values, dense or CSR; neighbours are near in principal components of these.
    k
        Number of neighbours; fewer with less than 20 samples for each, and none with less than 20 samples in all.
    seed
        Of the parts into which many samples are divided.

    Returns
    -------
    numpy.ndarray
        (n, C).
    """
    from sklearn.neighbors import NearestNeighbors

    n = len(probability)
    parts = np.array_split(stream(seed, Draw.NEIGHBOUR_PARTS).permutation(n), max(1, -(-n // _AMONG)))
    smoothed = probability.copy()
    for part in parts:
        rows = np.sort(part)
        near = min(k, len(rows) // _PER_NEIGHBOUR)
        if not near:
            continue
        places = place_by_own(X[rows])
        found = NearestNeighbors(n_neighbors=near + 1).fit(places).kneighbors(places, return_distance=False)
        smoothed[rows] = probability[rows][found].mean(1)
    return smoothed


def choose_neighbours(probability: np.ndarray, labels: np.ndarray, X: Any, seed: int) -> int:
    """Choose the largest number of neighbours that costs labelled samples no accuracy to speak of.

    Parameters
    ----------
    probability
        (n, C) averaged probabilities of labelled samples by passes that did not train on them; NaN without such.
    labels
        (n,) their class codes.
    X
        Their values: rows can be taken by their positions.
    seed
        Of the samples that are drawn if there are many.

    Returns
    -------
    int
        One of `CHOICES`, or 0.
    """
    rows = np.flatnonzero(~np.isnan(probability[:, 0]))
    if len(rows) > _AMONG:
        rows = np.sort(stream(seed, Draw.NEIGHBOUR_PARTS).permutation(rows)[:_AMONG])
    if not len(rows):
        return 0
    values, alone = X[rows], (probability[rows].argmax(1) == labels[rows]).mean()
    for k in CHOICES:
        together = (smooth(probability[rows], values, k, seed).argmax(1) == labels[rows]).mean()
        if together >= alone - _COST:
            return k
    return 0
