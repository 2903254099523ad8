"""How far apart the samples of a run are, or the means of its classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.blocks import blocks
from .store import Features

# More samples are compared by the means of their groups in each class, or of their classes.
MAX_SAMPLES = 60


@dataclass(frozen=True)
class Distances:
    """Distances between samples or means.

    Attributes
    ----------
    distance
        (n, n) Euclidean distances over all features.
    names, labels
        Name and class of each.
    of
        What was compared: "samples", "groups" or "classes".
    """

    distance: np.ndarray
    names: tuple[str, ...]
    labels: tuple[str, ...]
    of: str


def distances(features: Features) -> Distances:
    """Compare the samples with a label; if there are many, the means of every group in every class, or of the classes.

    Groups are compared if there are at most `MAX_SAMPLES` pairs of group and class.
    """
    rows = features.labelled
    y = features.y[rows]
    if len(rows) <= MAX_SAMPLES:
        names = features.names_of(rows) or [str(row) for row in rows]
        return _compare(features, rows, np.arange(len(rows)), names, y, "samples")
    if features.groups is not None:
        pairs, code = np.unique(np.column_stack([y, features.groups[rows]]), axis=0, return_inverse=True)
        if len(pairs) <= MAX_SAMPLES:
            own = [int(np.flatnonzero(code.ravel() == i)[0]) for i in range(len(pairs))]
            labels = [features.classes[a] for a, _ in pairs]
            names = [f"{label}, group {b}" for label, (_, b) in zip(labels, pairs, strict=True)]
            return _compare(features, rows, code.ravel(), names, y[own], "groups")
    present = np.unique(y)
    names = [features.classes[i] for i in present]
    return _compare(features, rows, np.searchsorted(present, y), names, present, "classes")


def _compare(features: Features, rows, code: np.ndarray, names, labels: np.ndarray, of: str) -> Distances:
    """Distances between the means over the rows of each code."""
    sums = np.zeros((len(names), features.n_features))
    for place, block in blocks(features.X, rows):
        own = code[place]
        for i in np.unique(own):
            sums[i] += np.asarray(block[own == i].sum(axis=0)).ravel()[: features.n_features]
    means = sums / np.bincount(code, minlength=len(names))[:, None]
    centred = means - means.mean(axis=0)
    squares = (centred**2).sum(axis=1)
    distance = np.sqrt(np.clip(squares[:, None] + squares[None] - 2 * centred @ centred.T, 0.0, None))
    np.fill_diagonal(distance, 0.0)
    return Distances(distance, tuple(names), tuple(features.classes[i] for i in labels), of)
