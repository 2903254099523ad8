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
    return _averaged(probability, _neighbours(X, len(probability), averaging.k, seed), averaging.own)


def _neighbours(X: Any, n: int, k: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Parts of the samples, and for each sample of a part the places in it of itself and its nearest neighbours."""
    from sklearn.neighbors import NearestNeighbors

    found = []
    for part in np.array_split(stream(seed, Draw.NEIGHBOUR_PARTS).permutation(n), max(1, -(-n // _AMONG))):
        rows = np.sort(part)
        if near := min(k, len(rows) // _PER_NEIGHBOUR):
            places = place_by_own(X[rows])
            search = NearestNeighbors(n_neighbors=near + 1).fit(places)
            found.append((rows, search.kneighbors(places, return_distance=False)))
    return found


def _averaged(probability: np.ndarray, parts: list[tuple[np.ndarray, np.ndarray]], own: float) -> np.ndarray:
    smoothed = probability.copy()
    for rows, near in parts:
        smoothed[rows] = own * probability[rows] + (1 - own) * probability[rows][near].mean(1)
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
    values, own, right = X[rows], probability[rows], labels[rows]
    parts: dict[int, list] = {}  # by the number of neighbours
    for averaging in CHOICES:
        k = averaging.k
        if k not in parts:
            parts[k] = _neighbours(values, len(rows), k, seed)
        together = _averaged(own, parts[k], averaging.own)
        if (together.argmax(1) == right).mean() >= (own.argmax(1) == right).mean() - _COST:
            return averaging
    return ALONE
