"""Permutations of the labels that respect groups and strata: the null distribution of every accuracy."""

from __future__ import annotations

import math

import numpy as np

from ..core.draws import Draw, FixedDraw, fixed_stream, stream
from .samples import Samples

# Permutations of the labels in one control of a small study, and passes on each of them. Five controls, the default,
# make 40 permutations: the smallest p-value is then 1/41.
N_PERMUTATIONS, PASSES_PER_PERMUTATION = 8, 4

# If there are at most this many permutations they are enumerated, and controls take different ones.
_MAX_LISTED = 1000


def draw_permutations(
    y: np.ndarray, groups: np.ndarray | None, seed: int, strata: np.ndarray | None = None
) -> np.ndarray:
    """Draw the permuted labels of control `seed`, (at most `N_PERMUTATIONS`, n): distinct, none equal to the true ones.

    If there are at most 1000 permutations, controls with consecutive seeds take them in turn, so that none is used
    twice before all have been used.
    """
    possible = count_permutations(y, groups, strata)
    if possible <= _MAX_LISTED:
        listed = draw_distinct(y, groups, strata, possible - 1, fixed_stream(FixedDraw.LISTED_LABELINGS))
        turns = (seed * N_PERMUTATIONS + np.arange(min(N_PERMUTATIONS, len(listed)))) % max(len(listed), 1)
        return listed[turns]
    return draw_distinct(y, groups, strata, N_PERMUTATIONS, stream(seed, Draw.CONTROL_LABELINGS))


def count_permutations(y: np.ndarray, groups: np.ndarray | None = None, strata: np.ndarray | None = None) -> int:
    """Count the different permutations of the labels that `shuffle_labels` can draw, the true labels included.

    Permutations that differ only in the names of the classes count once: two classes of 4 samples each have 35.
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
    arrangements = math.prod(_multinomial(counts) for counts in tables)
    return arrangements // _count_renamings(tables)


def distinct_permutations(labels: np.ndarray) -> np.ndarray:
    """Return the row of the first occurrence of every permutation in (m, n) labels.

    Permutations that differ only in the names of the classes are the same.
    """
    if not len(labels):
        return np.arange(0)
    return np.sort(np.unique([_rename_by_order(row) for row in labels], axis=0, return_index=True)[1])


def shuffle_labels(
    y: np.ndarray, groups: np.ndarray | None, rng: np.random.Generator, strata: np.ndarray | None = None
) -> np.ndarray:
    """Permute labels: freely; within groups if any group has several classes; between groups if each has one class.

    With `strata`, (n,) codes, labels are permuted within strata only; strata never span groups
    (`confounder_tests.draw_null_strata`).
    """
    within = groups if strata is None else strata
    if within is None:
        return rng.permutation(y)
    codes, first = np.unique(within, return_index=True)
    if strata is None and all(len(np.unique(y[within == code])) == 1 for code in codes):
        label_of = dict(zip(codes.tolist(), rng.permutation(y[first]).tolist(), strict=True))
        return np.array([label_of[code] for code in within.tolist()], dtype=y.dtype)
    return permute_within(y, within, rng)


def permute_within(values: np.ndarray, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Permute values, (n,), among those with the same code, (n,)."""
    permuted = values.copy()
    for code in np.unique(codes):
        members = np.flatnonzero(codes == code)
        permuted[members] = rng.permutation(values[members])
    return permuted


def control_labels(samples: Samples, seed: int) -> np.ndarray:
    """(len(samples),) permuted class codes, on which the control pass `seed` trains."""
    rng = stream(seed, Draw.PERMUTED_LABELS)
    return shuffle_labels(samples.labels, samples.group_codes, rng, samples.strata_codes)


def draw_shadow_rows(
    y: np.ndarray,
    groups: np.ndarray | None,
    strata: np.ndarray | None,
    draw: int,
) -> np.ndarray:
    """Draw the row from which every row takes its shadow features, by the rules of `shuffle_labels`.

    If each group has one class, the rows of a group take rows of another group, some of them twice if that group is
    smaller. A draw in which every row would keep its class is drawn again, if others are possible.

    Parameters
    ----------
    y, groups, strata
        (n,) codes.
    draw
        Number of the draw, its seed.
    """
    rng = stream(draw, Draw.SHADOWS)
    has_alternatives = count_permutations(y, groups, strata) > 1
    while True:
        source = _permute_rows(y, groups, strata, rng)
        if not has_alternatives or len(distinct_permutations(np.stack([y, y[source]]))) > 1:
            return source


def draw_distinct(y, groups, strata, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw until there are `n` different permutations, none equal to the true labels; (n, samples)."""
    seen = {tuple(_rename_by_order(y))}
    drawn: list[np.ndarray] = []
    while len(drawn) < n:
        labels = shuffle_labels(y, groups, rng, strata)
        key = tuple(_rename_by_order(labels))
        if key not in seen:
            seen.add(key)
            drawn.append(labels)
    return np.array(drawn, dtype=y.dtype).reshape(len(drawn), len(y))


def _rename_by_order(labels: np.ndarray) -> np.ndarray:
    """Code classes in the order of their first appearance, so that the names of the classes do not matter."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def _multinomial(counts: np.ndarray) -> int:
    """Number of arrangements of this many labels of each class; at most 10^30, more than any test can distinguish."""
    logarithm = math.lgamma(counts.sum() + 1) - sum(math.lgamma(count + 1) for count in counts)
    if logarithm > 30 * math.log(10):
        return 10**30
    return math.factorial(int(counts.sum())) // math.prod(math.factorial(int(count)) for count in counts)


def _count_renamings(tables: list[np.ndarray]) -> int:
    """Count the exchanges of class names that change nothing: between classes of the same size in every table."""
    class_sizes = list(zip(*(table.tolist() for table in tables), strict=True))
    return math.prod(math.factorial(class_sizes.count(sizes)) for sizes in set(class_sizes))


def _permute_rows(y, groups, strata, rng: np.random.Generator) -> np.ndarray:
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
