"""Classes that are kinds of others: which samples can be judged, and by which probabilities.

A sample with a label above others is one of their kinds, of which is not said. So no prediction of it is right or
wrong: it is left out of every judgement, and only lowest labels, those without kinds, are predicted.
`kinds` is that of `samples.Samples` throughout.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..core.records import refuse_damage


def read_kinds(path: str | Path) -> np.ndarray | None:
    """Read kinds.json: (C, C) `samples.Samples.kinds`; None if no class is a kind of another."""
    with refuse_damage(path, "kinds of the classes"):
        codes = json.loads(Path(path).read_text())["kinds"]
        if codes is None:
            return None
        kinds = np.zeros((len(codes), len(codes)), dtype=bool)
        for code, own in enumerate(codes):
            kinds[code, own] = True
        return kinds


def has_lowest_label(y: np.ndarray, kinds: np.ndarray | None) -> np.ndarray:
    """(n,) whether no class is a kind of the class of each sample, whose codes are `y`."""
    return np.ones(len(y), dtype=bool) if kinds is None else kinds.diagonal()[y]


def to_lowest(probability: np.ndarray, kinds: np.ndarray | None) -> np.ndarray:
    """Give the probability of every class with kinds among the classes to these, in proportion to their own.

    That is right if it does not depend on the kind how often only the upper label is given.

    Parameters
    ----------
    probability
        (n, C) probabilities.
    kinds
        (C, C); None to leave them as they are.

    Returns
    -------
    numpy.ndarray
        (n, C), 0 for classes with kinds.
    """
    if kinds is None:
        return probability
    lowest = kinds.diagonal()
    found = np.where(lowest, probability, 0.0)
    own = found.copy()
    for code in np.flatnonzero(~lowest):
        below = np.flatnonzero(kinds[code])
        total = own[:, below].sum(1, keepdims=True)
        share = np.divide(own[:, below], total, out=np.full((len(own), len(below)), 1 / len(below)), where=total > 0)
        found[:, below] += probability[:, code, None] * share
    return found


def may_be_same(kinds: np.ndarray | None, n_classes: int) -> np.ndarray:
    """(C, C) whether samples of two classes can be of the same kind: only those of one class if `kinds` is None."""
    return np.eye(n_classes, dtype=bool) if kinds is None else (kinds.astype(np.int64) @ kinds.T) > 0


def overlaps(classes: Sequence[str], kinds: np.ndarray | None) -> dict[str, frozenset[str]]:
    """By the name of a class the others whose samples can be of the same kind; classes without any are left out.

    Such classes are not compared with each other: what tells T cells from CD4 T cells is no marker of either.
    """
    same = may_be_same(kinds, len(classes)) & ~np.eye(len(classes), dtype=bool)
    return {
        classes[i]: frozenset(classes[j] for j in np.flatnonzero(same[i]).tolist())
        for i in np.flatnonzero(same.any(1)).tolist()
    }


def left_out_note(n: int, n_samples: int) -> str:
    """Say how many samples are left out of a judgement."""
    return (
        f"{n} of {n_samples} samples have a label of which others are kinds and are left out of all accuracies: their "
        f"label does not say of which kind they are."
    )
