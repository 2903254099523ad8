"""Partitions that consecutive passes share: each has another fold out of bag, and all samples are judged as often."""

from __future__ import annotations

import numpy as np

from ..core.draws import Draw, stream
from .splits import is_small

_TRIES = 20  # shuffles of groups


def shared_fold(
    y: np.ndarray, share: float, seed: int, groups: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the fold of pass `seed`: rows in the bag and rows out of it, stratified by class.

    With a share of 1/k, seeds k r to k r + k - 1 have the k folds of one partition; with fewer than k groups there are
    as many folds as groups.

    Parameters
    ----------
    y
        (n,) class codes; every class has at least two samples.
    share
        Share of the samples in a fold.
    seed
        Seed of the pass.
    groups
        (n,) group codes; a group is never split.

    Returns
    -------
    tuple or None
        Sorted rows in the bag, with samples of every class, and out of it. None in a small study (`splits.is_small`),
        whose passes draw single samples or groups, and if groups cannot be divided like this.
    """
    if is_small(y):
        return None
    n_folds = max(2, round(1 / share))
    if groups is not None:
        n_folds = min(n_folds, len(np.unique(groups)), int(np.unique(y, return_counts=True)[1].max()))
        if n_folds < 2:
            return None
    rng = stream(seed // n_folds, Draw.SHARED_FOLDS)
    fold = _deal(y, n_folds, rng) if groups is None else _divide_groups(y, groups, n_folds, rng)
    if fold is None:
        return None
    held = fold == seed % n_folds
    return np.flatnonzero(~held), np.flatnonzero(held)


def _deal(y: np.ndarray, n_folds: int, rng: np.random.Generator) -> np.ndarray:
    """Deal the samples of each class to the folds in turn, going on where the class before ended."""
    fold, start = np.empty(len(y), dtype=np.int64), 0
    for code in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == code))
        fold[members] = (start + np.arange(len(members))) % n_folds
        start += len(members)
    return fold


def _divide_groups(y: np.ndarray, groups: np.ndarray, n_folds: int, rng: np.random.Generator) -> np.ndarray | None:
    from sklearn.model_selection import StratifiedGroupKFold

    for _ in range(_TRIES):
        splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=int(rng.integers(2**31)))
        fold = np.empty(len(y), dtype=np.int64)
        for i, (_, held) in enumerate(splitter.split(np.zeros(len(y)), y, groups)):
            fold[held] = i
        codes = np.unique(y)
        if all(np.isin(codes, y[fold != i]).all() and (fold == i).any() for i in range(n_folds)):
            return fold
    return None
