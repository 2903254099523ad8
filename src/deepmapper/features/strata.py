"""Strata of similar predicted probability, within which permuted labels keep their association with confounders."""

from __future__ import annotations

import numpy as np

# Samples per stratum on average, and maximum numbers of strata (of one probability within a batch; of vectors of
# probabilities in all). Chosen by hand: fine enough to keep the probability nearly constant, with enough samples left
# to permute.
SAMPLES_PER_STRATUM, _MAX_BINS, _MAX_LEAVES = 40, 20, 128


def strata_by_probability(
    probability: np.ndarray, batch: np.ndarray | None = None, size: int = SAMPLES_PER_STRATUM
) -> np.ndarray:
    """Divide samples into strata of similar probability of one class, within batches if given.

    Every bin holds the same share of the information p (1 - p), so bins are narrow where the class is uncertain.

    Parameters
    ----------
    probability
        (n,) probability of the class.
    batch
        (n,) codes, or None.
    size
        Samples per stratum on average, more where there would be too many strata.

    Returns
    -------
    numpy.ndarray
        (n,) codes, 0 .. strata - 1.
    """
    strata = np.zeros(len(probability), dtype=np.int64)
    batch = np.zeros(len(probability), dtype=np.int64) if batch is None else batch
    n_strata = 0
    for code in np.unique(batch):
        rows = np.flatnonzero(batch == code)
        p = probability[rows]
        order = np.argsort(p, kind="stable")
        information = np.cumsum((p * (1 - p) + 1e-9)[order])
        n_bins = int(np.clip(len(rows) // size, 1, _MAX_BINS))
        if np.ptp(p) < 1e-12:
            n_bins = 1
        bins = np.minimum((information / information[-1] * n_bins).astype(int), n_bins - 1)
        _, bins = np.unique(bins, return_inverse=True)  # without empty bins
        strata[rows[order]] = n_strata + bins
        n_strata += int(bins.max()) + 1
    return strata


def strata_by_probabilities(probability: np.ndarray, batch: np.ndarray | None = None) -> np.ndarray:
    """Divide samples into strata of similar probability of every class, within batches if given.

    Recursively splits the samples at the median probability of the class whose probability varies most among them.

    Parameters
    ----------
    probability
        (n, n_classes) probabilities.
    batch
        (n,) codes, or None.

    Returns
    -------
    numpy.ndarray
        (n,) codes, 0 .. strata - 1.
    """
    batch = np.zeros(len(probability), dtype=np.int64) if batch is None else batch
    strata = np.zeros(len(probability), dtype=np.int64)
    stack = [np.flatnonzero(batch == code) for code in np.unique(batch)]
    min_size = max(SAMPLES_PER_STRATUM, len(probability) // _MAX_LEAVES)
    n_strata = 0
    while stack:
        rows = stack.pop()
        for code in np.argsort(-probability[rows].var(0), kind="stable"):
            values = probability[rows, code]
            low = values <= np.median(values)
            if min(low.sum(), (~low).sum()) >= min_size:
                stack += [rows[low], rows[~low]]
                break
        else:  # no class splits these samples into two strata that are large enough
            strata[rows] = n_strata
            n_strata += 1
    return strata
