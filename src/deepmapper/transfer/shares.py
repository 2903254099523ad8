"""Shares of the classes among new samples, and probabilities that allow for them.

Source: Saerens, Latinne and Decaestecker 2002 (doi 10.1162/089976602753284446).
"""

from __future__ import annotations

import numpy as np

# The shares of the reference count as much as half of the new samples, but no less than 100 of them: probabilities are
# not calibrated in another study, and shares that follow them wholly cost accuracy in some (benchmarks/README.md, "New
# cells"). After so many rounds nothing changes any more.
_OF_NEW, _LEAST, _ROUNDS = 0.5, 100, 200


def estimate_shares(probability: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Estimate the shares of the classes by expectation and maximisation.

    Parameters
    ----------
    probability
        (n, C) probabilities of new samples, learned where the classes have other shares.
    shares
        (C,) these.

    Returns
    -------
    numpy.ndarray
        (C,) shares among the new samples, between these and those of the reference.
    """
    found, prior = shares.copy(), max(_LEAST, _OF_NEW * len(probability))
    for _ in range(_ROUNDS):
        expected = with_shares(probability, shares, found).sum(0)
        found = (expected + prior * shares) / (len(probability) + prior)
    return found


def halfway(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return (C,) shares half of the way, on the scale of logarithms, from some shares to others.

    Factors of features favour some classes, as other shares do: estimates cannot tell the two apart.
    """
    found = np.sqrt(before * after)
    return found / found.sum()


def with_shares(probability: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return (n, C) probabilities as they are where the classes have the shares `after` instead of `before`."""
    changed = probability * np.divide(after, before, out=np.zeros_like(after), where=before > 0)
    return changed / changed.sum(1, keepdims=True)
