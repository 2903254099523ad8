"""Shares of the classes among new samples, and probabilities that allow for them.

Source: Saerens, Latinne and Decaestecker 2002 (doi 10.1162/089976602753284446).
"""

from __future__ import annotations

import numpy as np

# The shares of the reference count as much as this many new samples, so that a few of these do not change them much.
# Chosen by hand, as is the number of rounds, after which nothing changes any more.
_PSEUDO, _ROUNDS = 100, 200


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
        (C,) shares among the new samples.
    """
    found = shares.copy()
    for _ in range(_ROUNDS):
        expected = with_shares(probability, shares, found).sum(0)
        found = (expected + _PSEUDO * shares) / (len(probability) + _PSEUDO)
    return found


def with_shares(probability: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return (n, C) probabilities as they are where the classes have the shares `after` instead of `before`."""
    changed = probability * np.divide(after, before, out=np.zeros_like(after), where=before > 0)
    return changed / changed.sum(1, keepdims=True)
