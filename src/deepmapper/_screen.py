"""All pairs, or all triplets of a few, by the class contrast of their products: blocked, in bounded memory.

For a residual r and standardised features z, the score of the product of features j and k is ``sum_i r_i z_ij z_ik``:
one entry of ``Z' diag(r) Z``. Over labels that are exchanged within strata its variance is close to a weighted sum of
squares, which is one matrix product more for all residuals together. Where few samples of a class meet products with
heavy tails, that variance is too small for some draws. So the few large scores are divided by the deviation that their
own residuals show as well, and the smaller z stands (self-normalised sums have light tails whatever the data).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.special import ndtri

BIN = 0.02  # width of the bins in which sizes of z are counted; the last holds all from 20
_BINS = 1001
_EXPECTED = (
    500  # about so many null products are looked at one by one; sizes of z below are neither refined nor counted
)
_AT_ONCE = 2**22  # values of single products held together
_LEAST = 1e-4  # share of the variance of an ordinary product below which a product says nothing
_PRUNE = 4  # found pairs are cut back to those kept when they grow beyond so many times as many


@dataclass
class Tally:
    """What a screen leaves of all its tests.

    Attributes
    ----------
    largest
        (1 + permutations,) the largest size of z of the labels as they are, then of every permutation.
    floor
        The size of z from which products are refined, counted and kept.
    observed, null
        How many sizes of z from `floor` lie in each bin, `BIN` wide from 0: of the labels as they are; of all
        permutations together.
    best, partner
        (p,) the largest size of z of each feature, and the other feature of that product (-1 for none).
    places, z
        The strongest products: (m, 2 or 3) positions and (m,) z, by falling size.
    tests
        Products tested.
    """

    floor: float
    largest: np.ndarray
    observed: np.ndarray
    null: np.ndarray
    best: np.ndarray
    partner: np.ndarray
    places: np.ndarray
    z: np.ndarray
    tests: int = 0


@dataclass(frozen=True)
class Columns:
    """Standardised features, free of the strata's means and of the confounders, a block at a time.

    Attributes
    ----------
    X
        (n, p) CSC or dense float32, the rows that are screened alone.
    basis
        (n, q) orthonormal float32: what every feature is made free of.
    clip
        Standardised values beyond this are set to it: a few cells must not make a product.
    cached
        Every block, where all fit into the memory allowed; else None and blocks are made when asked for.
    """

    X: sp.csc_matrix | np.ndarray
    basis: np.ndarray
    clip: float
    cached: np.ndarray | None = None

    def block(self, start: int, stop: int) -> np.ndarray:
        """Give features start .. stop - 1: (n, stop - start) float32, column-major."""
        if self.cached is not None:
            return self.cached[:, start:stop]
        values = self.X[:, start:stop]
        if isinstance(values, np.ndarray):
            values = np.array(values, dtype=np.float32, order="F")
        else:
            values = values.toarray(order="F")
        values -= self.basis @ (self.basis.T @ values)
        scale = np.sqrt(np.einsum("ij,ij->j", values, values) / len(values))
        values /= np.where(scale > 1e-6, scale, np.inf).astype(np.float32)
        return np.clip(values, -self.clip, self.clip, out=values)

    def hold(self, block: int, megabytes: float) -> Columns:
        """Return the same with all blocks held, where they fit into `megabytes`."""
        n, p = self.X.shape
        if n * p * 4 / 2**20 > megabytes:
            return self
        held = np.empty((n, p), dtype=np.float32, order="F")
        for start, stop in spans(p, block):
            held[:, start:stop] = self.block(start, stop)
        return Columns(self.X, self.basis, self.clip, held)


def make_columns(X, rows: np.ndarray, strata: np.ndarray, design: np.ndarray | None, clip: float) -> Columns:
    """Make columns of `rows` of `X`, free of the strata's means and of `design`, (n, q) or None."""
    indicator = (strata[:, None] == np.unique(strata)).astype(np.float64)
    full = indicator if design is None else np.hstack([indicator, design])
    left, sizes, _ = np.linalg.svd(full, full_matrices=False)
    basis = left[:, sizes > 1e-6 * sizes[0]].astype(np.float32)
    X = X[rows]
    return Columns(X.tocsc() if sp.issparse(X) else X, basis, clip)


def spans(p: int, block: int) -> Iterator[tuple[int, int]]:
    """Give the start and end of every block."""
    for start in range(0, p, block):
        yield start, min(start + block, p)


def scan_pairs(columns: Columns, residuals: np.ndarray, weight: np.ndarray, block: int, keep: int) -> Tally:
    """Score every pair of features for every residual.

    Parameters
    ----------
    columns
        The features.
    residuals
        (1 + permutations, n): the residual, then its draws under the null.
    weight
        (n,) variance of each sample's residual under the null.
    block
        Features at a time; changes nothing but memory and speed.
    keep
        How many of the strongest pairs to keep.
    """
    p = columns.X.shape[1]
    total = float(weight.sum())
    tally = _empty_tally(len(residuals), p, 2, p * (p - 1) // 2)
    for a, b in spans(p, block):
        left = columns.block(a, b)
        weighted, squared = left * weight[:, None], np.square(left) * weight[:, None]
        for c, d in spans(p, block):
            if d <= a:
                continue
            right = left if c == a else columns.block(c, d)
            inverse = _inverse_deviation(weighted.T @ right, squared.T @ np.square(right), total)
            if c == a:
                inverse[np.tril_indices(b - a)] = 0
            tally.tests += int(np.count_nonzero(inverse))
            for i, residual in enumerate(residuals):
                z = (left * residual[:, None]).T @ right
                z *= inverse
                places = _refine(z, left, right, residual, tally.floor)
                if i == 0:
                    _note_observed(tally, z, places, (a, c), keep)
                else:
                    _note_null(tally, z, places, i)
    _cut(tally, keep)
    return tally


def scan_triplets(columns: Columns, residuals: np.ndarray, weight: np.ndarray, keep: int) -> Tally:
    """Score every triplet of the features; the rest as in `scan_pairs`. Time grows with the third power."""
    p = columns.X.shape[1]
    everything = columns.block(0, p)
    squares = np.square(everything)
    total = float(weight.sum())
    tally = _empty_tally(len(residuals), p, 3, p * (p - 1) * (p - 2) // 6)
    for j in range(p - 2):
        first, rest, rest_squares = everything[:, [j]], everything[:, j + 1 :], squares[:, j + 1 :]
        weighted, squared = rest * (first * weight[:, None]), rest_squares * (first**2 * weight[:, None])
        inverse = _inverse_deviation(weighted.T @ rest, squared.T @ rest_squares, total)
        inverse[np.tril_indices(p - j - 1)] = 0
        tally.tests += int(np.count_nonzero(inverse))
        for i, residual in enumerate(residuals):
            left = rest * first
            z = (left * residual[:, None]).T @ rest
            z *= inverse
            places = _refine(z, left, rest, residual, tally.floor)
            if i == 0:
                _note_observed(tally, z, places, (j + 1, j + 1), keep, first=j)
            else:
                _note_null(tally, z, places, i)
    _cut(tally, keep)
    return tally


def score_products(left: np.ndarray, right: np.ndarray, residuals: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Z of every column of `left` times every column of `right`, all refined: (residuals, a, b); for a few columns."""
    mean, square = (left * weight[:, None]).T @ right, (np.square(left) * weight[:, None]).T @ np.square(right)
    inverse = _inverse_deviation(mean, square, float(weight.sum()))
    scores = np.stack([((left * residual[:, None]).T @ right) * inverse for residual in residuals])
    for z, residual in zip(scores, residuals, strict=True):
        _refine(z, left, right, residual, 0.0)
    return scores


def score_places(values: np.ndarray, places: np.ndarray, residual: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Z, refined, of the products of the columns of `values` that each row of `places`, (m, 2 or 3), lists."""
    found = np.empty(len(places), dtype=np.float64)
    step, total = max(1, _AT_ONCE // len(residual)), float(weight.sum())
    for start in range(0, len(places), step):
        part = places[start : start + step]
        product = np.multiply.reduce([values[:, column] for column in part.T])
        inverse = _inverse_deviation(weight @ product, weight @ np.square(product), total)
        found[start : start + step] = _own(product, residual, (residual @ product) * inverse)
    return found


def _inverse_deviation(mean: np.ndarray, square: np.ndarray, total: float) -> np.ndarray:
    """1 over the deviation of the score, from the weighted sums of the product and of its square; 0 where it has none.

    Works in both arrays.
    """
    np.square(mean, out=mean)
    mean *= np.float32(1 / total)
    square -= mean
    silent = square <= _LEAST * total
    np.sqrt(np.maximum(square, np.float32(1e-12), out=square), out=square)
    np.divide(np.float32(1), square, out=square)
    square[silent] = 0
    return square


def _refine(z: np.ndarray, left: np.ndarray, right: np.ndarray, residual: np.ndarray, floor: float) -> np.ndarray:
    """Bring sizes of z beyond `floor` down, in place, to those by their own deviation, where that is larger.

    Returns
    -------
    numpy.ndarray
        (2, m) places of `z` whose size is still beyond `floor`.
    """
    large = z > floor
    large |= z < -floor
    rows, columns = np.nonzero(large)
    step = max(1, _AT_ONCE // len(residual))
    for start in range(0, len(rows), step):
        places = rows[start : start + step], columns[start : start + step]
        z[places] = _own(left[:, places[0]] * right[:, places[1]], residual, z[places])
    still = np.abs(z[rows, columns]) > floor
    return np.array([rows[still], columns[still]])


def _own(product: np.ndarray, residual: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Give z, or the score over its own deviation where that is smaller; `product` is (n, m)."""
    square = np.square(residual)
    score, mean = residual @ product, square @ product
    spread = square @ np.square(product) - np.square(mean) / max(float(square.sum()), 1e-30)
    own = np.divide(score, np.sqrt(np.maximum(spread, 1e-12)))
    return np.sign(score) * np.minimum(np.abs(z), np.abs(own))


def _empty_tally(n_residuals: int, p: int, width: int, tests: int) -> Tally:
    return Tally(
        float(-ndtri(min(1.0, _EXPECTED / max(tests, 1)) / 2)),
        np.zeros(n_residuals),
        np.zeros(_BINS, dtype=np.int64),
        np.zeros(_BINS, dtype=np.int64),
        np.zeros(p, dtype=np.float32),
        np.full(p, -1, dtype=np.int64),
        np.zeros((0, width), dtype=np.int64),
        np.zeros(0, dtype=np.float32),
    )


def _note_null(tally: Tally, z: np.ndarray, places: np.ndarray, i: int) -> None:
    sizes = np.abs(z[tuple(places)])
    tally.largest[i] = max(tally.largest[i], float(sizes.max(initial=0)))
    tally.null += _counted(sizes)


def _note_observed(tally: Tally, z, places: np.ndarray, start: tuple[int, int], keep: int, first=None) -> None:
    size = np.abs(z)
    by_row, by_column = size.max(1, initial=0), size.max(0, initial=0)
    for values, table, (mine, other) in ((by_row, size, start), (by_column, size.T, start[::-1])):
        better = np.flatnonzero(values > tally.best[mine : mine + len(values)])
        tally.best[mine + better] = values[better]
        tally.partner[mine + better] = table[better].argmax(1) + other
    if first is not None and by_row.max(initial=0) > tally.best[first]:
        tally.best[first], tally.partner[first] = by_row.max(), start[0] + int(by_row.argmax())
    found = z[tuple(places)]
    tally.largest[0] = max(tally.largest[0], float(np.abs(found).max(initial=0)))
    tally.observed += _counted(np.abs(found))
    named = (places + np.array(start)[:, None]).T
    if first is not None:
        named = np.column_stack([np.full(len(named), first), named])
    tally.places, tally.z = np.vstack([tally.places, named]), np.concatenate([tally.z, found])
    if len(tally.z) > _PRUNE * keep:
        _cut(tally, keep)


def _counted(sizes: np.ndarray) -> np.ndarray:
    return np.bincount(np.minimum((sizes / BIN).astype(np.int64), _BINS - 1), minlength=_BINS)


def _cut(tally: Tally, keep: int) -> None:
    """Keep the strongest, by falling size, ties by position."""
    order = np.lexsort((*tally.places.T[::-1], -np.abs(tally.z)))[:keep]
    tally.places, tally.z = tally.places[order], tally.z[order]
