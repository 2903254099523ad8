"""Conformal p-values from samples that a pass did not train on, and sets of labels with a coverage.

Sources: cross-conformal prediction, Vovk 2015 (doi 10.1007/s10472-013-9368-4); class-wise (Mondrian) prediction, Vovk,
Lindsay, Nouretdinov & Gammerman 2003; p-values of outliers and their false discovery rate, Bates et al. 2023 (doi
10.1214/22-AOS2244); with the share of the nulls estimated, Storey 2002 (doi 10.1111/1467-9868.00346), Marandon et al.
2024 (doi 10.1214/23-AOS2338).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..core.false_discovery import benjamini_hochberg

# Passes that are pooled, which together have every labelled sample out of bag once: so fine is a p-value.
ROUND = 5

_NULL_FROM = 0.5  # p from which on samples are taken for those of known classes alone (usual; not tuned)


def n_at_least(reference: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Count for each value how many of the reference are as large or larger: integers in the shape of `values`."""
    ordered = np.sort(reference)
    return len(ordered) - np.searchsorted(ordered, values, side="left")


@dataclass
class Pooled:
    """p-values of the same n samples, from the counts of several passes.

    Counts of `ROUND` passes are pooled, ``p = (1 + count) / (1 + number)``, and p is averaged over these rounds. Such
    an average can be too small by a factor of 2 at most; usually it is not too small.

    Attributes
    ----------
    shape
        Shape of the p-values.
    """

    shape: tuple[int, ...]
    _total: np.ndarray = field(init=False)
    _count: np.ndarray = field(init=False)
    _number: np.ndarray | float = 0.0
    _passes: int = 0
    _rounds: int = 0

    def __post_init__(self) -> None:
        """Begin with no pass."""
        self._total, self._count = np.zeros(self.shape), np.zeros(self.shape)

    def add(self, count: np.ndarray, number: np.ndarray | float) -> None:
        """Add a pass: how many of a number of reference samples are at least as strange as each sample."""
        self._count += count
        self._number = self._number + number
        self._passes += 1
        if self._passes == ROUND:
            self._close()

    def p(self) -> np.ndarray:
        """Return the p-values; 1 without passes."""
        if self._passes:
            self._close()
        return self._total / self._rounds if self._rounds else np.ones(self.shape)

    def _close(self) -> None:
        self._total += (1 + self._count) / (1 + self._number)
        self._count, self._number, self._passes = np.zeros(self.shape), 0.0, 0
        self._rounds += 1


def q_of_new(p: np.ndarray, alike: bool) -> np.ndarray:
    """Return the q-values of new samples.

    Benjamini and Hochberg's hold a level for all samples together, as if all could be of known classes. Where many are
    new, p of the others shows how many are not (Storey 2002), and q is smaller by that share. It is never below p: so
    the verdict "new" by q ≤ level keeps the level among new samples and among those of known classes.

    Parameters
    ----------
    p
        (n,) p-values; NaN for samples that are not tested.
    alike
        Whether samples of known classes are as the labelled ones. If that is not so, or not known, small p are no sign
        of new samples, and the share is taken for 1.

    Returns
    -------
    numpy.ndarray
        (n,), NaN where p is.
    """
    q, tested = benjamini_hochberg(p), p[~np.isnan(p)]
    if not alike or not len(tested):
        return q
    share = (1 + (tested > _NULL_FROM).sum()) / (len(tested) * (1 - _NULL_FROM))
    return np.maximum(p, min(1.0, float(share)) * q)


def smallest_number(level: float) -> int:
    """Return the number of reference samples from which on a p-value can be `level` or less."""
    return math.ceil(1 / level - 1e-9) - 1


def label_sets(p: np.ndarray, predicted: np.ndarray, level: float) -> np.ndarray:
    """Return the (n, C) mask of the labels in the set of each sample.

    The set has every label with p above the level, and always the predicted one: that can only raise the coverage.
    """
    inside = p > level
    inside[np.arange(len(p)), predicted] = True
    return inside


def describe_set(inside: np.ndarray, probability: np.ndarray, classes: Sequence[str]) -> str:
    """Name the labels of one set, the most probable first, separated by commas; by semicolons if labels hold commas."""
    order = np.argsort(-probability, kind="stable")
    separator = ";" if any("," in name for name in classes) else ","  # CD4-positive, alpha-beta T cell
    return separator.join(classes[code] for code in order if inside[code])
