"""Probabilities averaged over the samples that are most alike, where neighbours seldom have different labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.draws import Draw, stream
from .spaces import place_by_own

# The number of samples among which neighbours are looked for (more are divided at random), and of samples per
# neighbour. Chosen by hand.
_AMONG, _PER_NEIGHBOUR = 10_000, 20


@dataclass(frozen=True)
class Averaging:
    """How probabilities are averaged over neighbours.

    Attributes
    ----------
    k
        Number of neighbours; 0 for none.
    own
        Weight of the sample itself; the mean over it and its neighbours has the rest.
    """

    k: int
    own: float


ALONE = Averaging(0, 1.0)

# Averages to choose from, the strongest first, and the accuracy that they may cost labelled samples. Chosen by what
# they did to eight transfers between studies and to simulated batches (benchmarks/README.md, "New cells").
CHOICES, _COST = (Averaging(15, 0.3), Averaging(15, 0.5), Averaging(5, 0.5)), 0.005


def smooth(probability: np.ndarray, X: Any, averaging: Averaging, seed: int) -> np.ndarray:
    """Average the probabilities of every sample with those of its nearest neighbours.

    Parameters
    ----------
    probability
        (n, C).
    X
        (n, p) normalised values, dense or CSR; neighbours are near in principal components of these.
    averaging
        Number and weight of neighbours; fewer with less than 20 samples for each, and none with less than 20 in all.
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
        near = min(averaging.k, len(rows) // _PER_NEIGHBOUR)
        if not near:
            continue
        places = place_by_own(X[rows])
        found = NearestNeighbors(n_neighbors=near + 1).fit(places).kneighbors(places, return_distance=False)
        together = probability[rows][found].mean(1)
        smoothed[rows] = averaging.own * probability[rows] + (1 - averaging.own) * together
    return smoothed


def choose_averaging(probability: np.ndarray, labels: np.ndarray, X: Any, seed: int) -> Averaging:
    """Choose the strongest averaging that costs labelled samples no accuracy to speak of.

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
    Averaging
        One of `CHOICES`, or `ALONE`.
    """
    rows = np.flatnonzero(~np.isnan(probability[:, 0]))
    if len(rows) > _AMONG:
        rows = np.sort(stream(seed, Draw.NEIGHBOUR_PARTS).permutation(rows)[:_AMONG])
    if not len(rows):
        return ALONE
    values, alone = X[rows], (probability[rows].argmax(1) == labels[rows]).mean()
    for averaging in CHOICES:
        together = (smooth(probability[rows], values, averaging, seed).argmax(1) == labels[rows]).mean()
        if together >= alone - _COST:
            return averaging
    return ALONE
