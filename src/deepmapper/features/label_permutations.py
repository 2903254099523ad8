"""Permutations of the labels that respect groups and strata: the null of every accuracy."""

from __future__ import annotations

import math

import numpy as np

from ..core.draws import Draw, FixedDraw, fixed_stream, stream

PERMUTATIONS, PASSES = 8, 4  # labelings of one control, and passes on each of them: five controls make 40 labelings

_LISTED = 1000  # up to so many, labelings are listed, so that controls share them out without repeating one


def draw_permutations(
    y: np.ndarray, groups: np.ndarray | None, seed: int, strata: np.ndarray | None = None
) -> np.ndarray:
    """Permuted labels for control `seed`, (at most `LABELINGS`, n): all different, none like the true ones.

    Where there are at most 1000, controls of consecutive seeds take them in turn, and together all before any twice.
    """
    possible = count_permutations(y, groups, strata)
    if possible <= _LISTED:
        others = _distinct(y, groups, strata, possible - 1, fixed_stream(FixedDraw.LISTED_LABELINGS))
        turns = (seed * PERMUTATIONS + np.arange(min(PERMUTATIONS, len(others)))) % max(len(others), 1)
        return others[turns]
    return _distinct(y, groups, strata, PERMUTATIONS, stream(seed, Draw.CONTROL_LABELINGS))


def count_permutations(y: np.ndarray, groups: np.ndarray | None = None, strata: np.ndarray | None = None) -> int:
    """Count the ways to deal the labels out, the true one included, as a permutation of them may.

    Without groups: all arrangements of the labels. Where every group has one class: of the groups' labels. Else within
    each group; where `strata` are given, within each of them. Labelings that only exchange the names of classes are
    one: 4 and 4 samples have 35.
    """
    within = groups if strata is None else strata
    if within is None:
        tables = [np.unique(y, return_counts=True)[1]]
    else:
        codes = np.unique(y)
        by_group = [np.array([(y[within == group] == code).sum() for code in codes]) for group in np.unique(within)]
        if strata is None and all((counts > 0).sum() == 1 for counts in by_group):
            tables = [np.sum([counts > 0 for counts in by_group], axis=0)]
        else:
            tables = by_group
    ways = math.prod(_multinomial(counts) for counts in tables)
    return ways // _renamings(tables)


def distinct_rows(labelings: np.ndarray) -> np.ndarray:
    """Positions of the first of every labeling, (m, n); those that only exchange the names of classes are one."""
    if not len(labelings):
        return np.arange(0)
    return np.sort(np.unique([_named_by_order(row) for row in labelings], axis=0, return_index=True)[1])


def _distinct(y, groups, strata, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Draw until `wanted` different labelings are found."""
    seen = {tuple(_named_by_order(y))}
    found: list[np.ndarray] = []
    while len(found) < wanted:
        labels = shuffle_labels(y, groups, rng, strata)
        key = tuple(_named_by_order(labels))
        if key not in seen:
            seen.add(key)
            found.append(labels)
    return np.array(found, dtype=y.dtype).reshape(len(found), len(y))


def _named_by_order(labels: np.ndarray) -> np.ndarray:
    """Code classes by where they first appear, so that an exchange of names changes nothing."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def _multinomial(counts: np.ndarray) -> int:
    """Ways to arrange so many of each; beyond 10^30, which no test can tell apart, 10^30."""
    logarithm = math.lgamma(counts.sum() + 1) - sum(math.lgamma(count + 1) for count in counts)
    if logarithm > 30 * math.log(10):
        return 10**30
    return math.factorial(int(counts.sum())) // math.prod(math.factorial(int(count)) for count in counts)


def _renamings(tables: list[np.ndarray]) -> int:
    """Count the exchanges of class names that change nothing: of classes of the same size in every table."""
    of_class = list(zip(*(table.tolist() for table in tables), strict=True))
    return math.prod(math.factorial(of_class.count(sizes)) for sizes in set(of_class))


def shuffle_labels(
    y: np.ndarray, groups: np.ndarray | None, rng: np.random.Generator, strata: np.ndarray | None = None
) -> np.ndarray:
    """Shuffle labels: freely; within groups that hold several classes; between groups where each holds one.

    Where `strata`, (n,) codes, are given, labels are shuffled within them and nowhere else (they lie within groups, see
    `confounders.draw_null_strata`).
    """
    within = groups if strata is None else strata
    if within is None:
        return rng.permutation(y)
    codes, first = np.unique(within, return_index=True)
    if strata is None and all(len(np.unique(y[within == code])) == 1 for code in codes):
        label_of = dict(zip(codes.tolist(), rng.permutation(y[first]).tolist(), strict=True))
        return np.array([label_of[code] for code in within.tolist()], dtype=y.dtype)
    shuffled = y.copy()
    for code in codes:
        members = np.flatnonzero(within == code)
        shuffled[members] = rng.permutation(y[members])
    return shuffled


def draw_source(
    y: np.ndarray,
    groups: np.ndarray | None,
    strata: np.ndarray | None,
    draw: int,
) -> np.ndarray:
    """Draw the row that every row takes its shadows from, as `passes.shuffle_labels` deals labels.

    Freely; within strata, or within groups that hold several classes; where each group holds one, the rows of a group
    take those of another (some twice, where that is smaller). A draw that gives every row one of its own class is
    drawn again, where there are others.

    Parameters
    ----------
    y, groups, strata
        (n,) codes.
    draw
        Number of the draw; its seed.
    """
    rng = stream(draw, Draw.SHADOWS)
    others = count_permutations(y, groups, strata) > 1
    while True:
        source = _permuted_rows(y, groups, strata, rng)
        if not others or len(distinct_rows(np.stack([y, y[source]]))) > 1:
            return source


def _permuted_rows(y, groups, strata, rng: np.random.Generator) -> np.ndarray:
    within = groups if strata is None else strata
    if within is None:
        return rng.permutation(len(y))
    members = [np.flatnonzero(within == code) for code in np.unique(within)]
    partners = members
    if strata is None and all(len(np.unique(y[rows])) == 1 for rows in members):
        partners = [members[i] for i in rng.permutation(len(members))]
    source = np.empty(len(y), dtype=np.int64)
    for rows, partner in zip(members, partners, strict=True):
        source[rows] = np.resize(rng.permutation(partner), len(rows))
    return source
