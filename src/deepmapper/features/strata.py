"""Strata of equal predicted probability, within which labels can be permuted without breaking confounding."""

from __future__ import annotations

import numpy as np

_FOLDS = 5

_PER_BIN, _MAX_BINS, _MAX_LEAVES = 40, 20, 128


def draw_strata(probability: np.ndarray, batch: np.ndarray | None = None) -> np.ndarray:
    """Divide samples into strata of near equal probability of a class, within batches where given.

    Bins hold equal shares of the information p (1 - p), so that they are narrow where labels can go either way.

    Parameters
    ----------
    probability
        (n,) of one class.
    batch
        (n,) codes, or None.

    Returns
    -------
    numpy.ndarray
        (n,) codes, 0 .. strata - 1.
    """
    strata = np.zeros(len(probability), dtype=np.int64)
    batch = np.zeros(len(probability), dtype=np.int64) if batch is None else batch
    used = 0
    for code in np.unique(batch):
        rows = np.flatnonzero(batch == code)
        p = probability[rows]
        order = np.argsort(p, kind="stable")
        information = np.cumsum((p * (1 - p) + 1e-9)[order])
        bins = int(np.clip(len(rows) // _PER_BIN, 1, _MAX_BINS))
        if np.ptp(p) < 1e-12:
            bins = 1
        place = np.minimum((information / information[-1] * bins).astype(int), bins - 1)
        _, place = np.unique(place, return_inverse=True)
        strata[rows[order]] = used + place
        used += int(place.max()) + 1
    return strata


def strata_of_vectors(probability: np.ndarray, batch: np.ndarray | None = None) -> np.ndarray:
    """Divide samples into strata of near equal probability of every class, within batches where given.

    Samples are halved again and again at the median of the class whose probability varies most among them.

    Parameters
    ----------
    probability
        (n, K) of all classes.
    batch
        (n,) codes, or None.

    Returns
    -------
    numpy.ndarray
        (n,) codes, 0 .. strata - 1.
    """
    batch = np.zeros(len(probability), dtype=np.int64) if batch is None else batch
    strata = np.zeros(len(probability), dtype=np.int64)
    waiting = [np.flatnonzero(batch == code) for code in np.unique(batch)]
    least = max(_PER_BIN, len(probability) // _MAX_LEAVES)
    used = 0
    while waiting:
        rows = waiting.pop()
        for code in np.argsort(-probability[rows].var(0), kind="stable"):
            values = probability[rows, code]
            low = values <= np.median(values)
            if min(low.sum(), (~low).sum()) >= least:
                waiting += [rows[low], rows[~low]]
                break
        else:
            strata[rows] = used
            used += 1
    return strata


def assign_folds(y: np.ndarray, groups: np.ndarray | None, random_state: int) -> np.ndarray:
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    n_folds = int(min(_FOLDS, np.bincount(y).min()))
    fold = np.zeros(len(y), dtype=np.int64)
    if groups is not None:
        by_class = [len(np.unique(groups[y == code])) for code in range(int(y.max()) + 1)]
        if min(by_class) >= 2:
            splitter = StratifiedGroupKFold(min(n_folds, min(by_class)), shuffle=True, random_state=random_state)
            for i, (_, held) in enumerate(splitter.split(np.zeros(len(y)), y, groups)):
                fold[held] = i
            return fold
    splitter = StratifiedKFold(max(n_folds, 2), shuffle=True, random_state=random_state)
    for i, (_, held) in enumerate(splitter.split(np.zeros(len(y)), y)):
        fold[held] = i
    return fold
