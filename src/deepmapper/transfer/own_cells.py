"""Whether samples to be named are those from which a model learned: then its answers are no predictions.

A model keeps fingerprints of its labelled samples: for pairs of features, which of the two has the larger value. They
depend neither on names of samples nor on how values are normalised, and values cannot be recovered from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..core.arrays import dense
from ..core.words import count

# Pairs of features, and samples whose fingerprint is kept. Both chosen by hand: 128 bytes a sample, 0.6 MB in all.
N_PAIRS, MOST_KEPT = 1024, 5000

# Share of the new samples that has to be known for a caution; chosen by hand.
_SHARE = 0.01


def feature_pairs(share: np.ndarray) -> np.ndarray:
    """(k, 2) pairs of features of similar abundance, the most abundant first, from the (p,) shares of all values."""
    order = np.argsort(-np.asarray(share), kind="stable")
    n = min(N_PAIRS, len(order) // 2)
    return order[: 2 * n].reshape(n, 2)


def kept_rows(n: int) -> np.ndarray:
    """Rows of the samples that are kept of n: evenly spaced."""
    return np.unique(np.linspace(0, n - 1, min(n, MOST_KEPT)).round().astype(np.int64)) if n else np.arange(0)


def fingerprints(parts: Iterable[Any], share: np.ndarray) -> np.ndarray:
    """Return the fingerprint of every sample.

    Parameters
    ----------
    parts
        Values of the samples, dense or CSR, some samples at a time; columns after the features are ignored.
    share
        (p,) share of all values of the reference that each feature holds.

    Returns
    -------
    numpy.ndarray
        (n, ceil(k / 8)) uint8, k bits for as many pairs of features.
    """
    pairs = feature_pairs(share)
    found = [np.empty((0, -(-len(pairs) // 8)), dtype=np.uint8)]
    for block in parts:
        larger = block[:, pairs[:, 0]] > block[:, pairs[:, 1]]
        found.append(np.packbits(dense(larger), axis=1))
    return np.concatenate(found)


def n_own(
    known: np.ndarray | None,
    share: np.ndarray,
    parts: Iterable[Any],
    missing: Sequence[int] | np.ndarray,
    n_labelled: int,
) -> int:
    """Estimate how many samples are among those from which a model learned.

    Parameters
    ----------
    known
        Fingerprints of labelled samples; None if the model has none.
    share
        As in `fingerprints`.
    parts
        As in `fingerprints`: values of the n new samples, 0 where features are missing. Not read if nothing is known.
    missing
        Positions of the features that they lack.
    n_labelled
        Number of labelled samples, of which `known` may be a part.

    Returns
    -------
    int
        0 if no more have the values of a labelled sample than labelled samples have those of another one.
    """
    if known is None or not len(known):
        return 0
    pairs = feature_pairs(share)
    usable = np.packbits(~np.isin(pairs, missing).any(axis=1))
    own = fingerprints(parts, share) & usable
    if not len(own):
        return 0
    names, sizes = np.unique(_texts(known & usable), return_counts=True)
    by_chance = float(sizes[sizes > 1].sum() / len(known))
    same = np.isin(_texts(own), names) & own.any(axis=1)  # samples without counts are all alike
    found = float(same.mean()) * max(1.0, n_labelled / len(known))
    return int(round(min(found, 1.0) * len(own))) if found > _SHARE + 2 * by_chance else 0


def _texts(bits: np.ndarray) -> np.ndarray:
    """Rows as one value each, which can be compared."""
    bits = np.ascontiguousarray(bits)
    return bits.view(np.dtype((np.void, bits.shape[1]))).ravel()


def own_caution(source: str, n: int, n_cells: int) -> str:
    """Return a caution about n of the samples of a file; "" for none."""
    if not n:
        return ""
    some = f"about {n} of its {count(n_cells, 'cell')} {'is' if n == 1 else 'are'}"
    return (
        f"{source or 'The matrix'}: {some if n < n_cells else 'its cells are'} among the labelled cells from which the "
        "model learned. The passes have seen them with their labels, so probabilities, and the agreement with given "
        "labels, are better than for new cells, and fewer are called new. How well labelled cells are named by passes "
        "that had not seen them is in predictions.tsv and metrics.json of the run."
    )
