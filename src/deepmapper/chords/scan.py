"""All pairs, or all triplets, scored by the class contrast of their products, in bounded memory.

For a residual r and standardised features z, the score of the product of features j and k is ``sum_i r_i z_ij z_ik``:
one entry of ``Z' diag(r) Z``. Over labels that are exchanged within strata its variance is close to a weighted sum of
squares about their mean; the sum alone, which is no smaller, is one matrix product more for all residuals together. The
few scores that are large by it are looked at one by one, with the mean taken off. Where few samples of a class meet
products with heavy tails, that variance is too small for some draws. So these scores are divided by the deviation that
their own residuals show as well, and the smaller z stands (self-normalised sums have light tails whatever the data).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.special import ndtri

from ..core.blocks import release
from ..features.design import orthonormal

BIN = 0.02  # width of the bins in which sizes of z are counted; the last holds all from 20

_BINS = 1001

_EXPECTED = (
    500  # about so many null products are looked at one by one; sizes of z below are neither refined nor counted
)

_AT_ONCE = 2**22  # values of single products held together

_LEAST = 1e-4  # share of the variance of an ordinary product below which a product says nothing

_PRUNE = 4  # found pairs are cut back to those kept when they grow beyond so many times as many

_HELD = 6  # arrays of the size of a block that scoring holds at once

_NARROWEST = 32  # features of a block, however many samples


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
        CSC (possibly mapped) or dense, float32: all rows and columns.
    rows
        (n,) the rows that are screened; None for all.
    features
        (p,) the columns that are.
    basis
        (n, q) orthonormal float32: what every feature is made free of.
    clip
        Standardised values beyond this are set to it: a few cells must not make a product.
    cached
        Every block, where all fit into the memory allowed; else None and blocks are made when asked for.
    """

    X: sp.csc_matrix | np.ndarray
    rows: np.ndarray | None
    features: np.ndarray
    basis: np.ndarray
    clip: float
    cached: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and features that are screened."""
        return len(self.basis), len(self.features)

    def block(self, start: int, stop: int) -> np.ndarray:
        """Give features start .. stop - 1: (n, stop - start) float32, column-major."""
        if self.cached is not None:
            return self.cached[:, start:stop]
        values: Any = self.X[:, self.features[start:stop]]
        if sp.issparse(values):
            values = values.toarray(order="F")
            release(self.X)
        values = np.array(values if self.rows is None else values[self.rows], dtype=np.float32, order="F")
        values -= self.basis @ (self.basis.T @ values)
        scale = np.sqrt(np.einsum("ij,ij->j", values, values) / len(values))
        values /= np.where(scale > 1e-6, scale, np.inf).astype(np.float32)
        return np.clip(values, -self.clip, self.clip, out=values)

    def hold(self, block: int, megabytes: float) -> Columns:
        """Return the same with all blocks held, where they fit into `megabytes`."""
        n, p = self.shape
        if n * p * 4 / 2**20 > megabytes:
            return self
        held = np.empty((n, p), dtype=np.float32, order="F")
        for start, stop in spans(p, block):
            held[:, start:stop] = self.block(start, stop)
        return replace(self, cached=held)


def make_columns(
    X,
    rows: np.ndarray,
    strata: np.ndarray,
    design: np.ndarray | None,
    clip: float,
    features: np.ndarray | None = None,
) -> Columns:
    """Make columns of `rows` and `features` of `X` (None: all), free of the strata's means and of `design`, (n, q)."""
    indicator = (strata[:, None] == np.unique(strata)).astype(np.float64)
    full = indicator if design is None else np.hstack([indicator, design])
    return Columns(
        X.tocsc() if sp.issparse(X) else X,
        None if np.array_equal(rows, np.arange(X.shape[0])) else rows,
        np.arange(X.shape[1]) if features is None else features,
        orthonormal(full),
        clip,
    )


def widest(n: int, block: int, megabytes: float, workers: int) -> int:
    """Features of a block, at most `block`, with which all workers score within `megabytes`."""
    return max(min(block, _NARROWEST), min(block, int(megabytes * 2**20 / (n * 4 * _HELD * workers))))


def of_rows(X, rows: np.ndarray):
    """Give rows of a matrix to be read by columns; the matrix itself where these are all."""
    X = X if np.array_equal(rows, np.arange(X.shape[0])) else X[rows]
    return X.tocsc() if sp.issparse(X) else X


def spans(p: int, block: int) -> Iterator[tuple[int, int]]:
    """Give the start and end of every block."""
    for start in range(0, p, block):
        yield start, min(start + block, p)


def scan_pairs(
    columns: Columns,
    residuals: np.ndarray,
    weight: np.ndarray,
    block: int,
    keep: int,
    *,
    device: str = "numpy",
    workers: int = 1,
    progress: Callable[[str], None] = lambda line: None,
) -> Tally:
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
    device
        "numpy", or a device of torch that multiplies the blocks: "cuda". What is large is looked at by numpy.
    workers
        Threads among which the blocks are shared out. Each block is one thread's, so the result does not hang on them.
    progress
        Receives progress, a line for every tenth.
    """
    p = columns.shape[1]
    tally = _empty_tally(len(residuals), p, 2, p * (p - 1) // 2)

    @lru_cache(workers)  # blocks are paired in order: one side stays the same for a while
    def prepared(start: int):
        values = columns.block(start, min(start + block, p))
        return values, _weighted_squares(values, weight)

    def score(place: tuple[int, int]):
        left, squares = prepared(place[0])
        right = left if place[0] == place[1] else columns.block(place[1], min(place[1] + block, p))
        return _score_block(left, squares, right, residuals, weight, tally.floor, place[0] == place[1], device)

    places = [(a, c) for a in range(0, p, block) for c in range(a, p, block)]
    for done, (place, scored) in enumerate(zip(places, _shared_out(score, places, workers), strict=True), start=1):
        _note(tally, scored, place, keep)
        if done * 10 // len(places) > (done - 1) * 10 // len(places):
            progress(f"{done} of {len(places)} blocks of pairs")
    _cut(tally, keep)
    return tally


def scan_triplets(
    columns: Columns,
    residuals: np.ndarray,
    weight: np.ndarray,
    keep: int,
    *,
    device: str = "numpy",
    workers: int = 1,
    progress: Callable[[str], None] = lambda line: None,
) -> Tally:
    """Score every triplet of the features; the rest as in `scan_pairs`. Time grows with the third power."""
    p = columns.shape[1]
    everything = columns.block(0, p)
    tally = _empty_tally(len(residuals), p, 3, p * (p - 1) * (p - 2) // 6)

    def score(first: int):
        rest = everything[:, first + 1 :]
        left = rest * everything[:, [first]]
        squares = _weighted_squares(left, weight)
        return _score_block(left, squares, rest, residuals, weight, tally.floor, True, device)

    for first, scored in enumerate(_shared_out(score, range(p - 2), workers)):
        _note(tally, scored, (first + 1, first + 1), keep, first)
        if (first + 1) * 10 // p > first * 10 // p:
            progress(f"triplets of {first + 1} of {p} features")
    _cut(tally, keep)
    return tally


def _shared_out(work: Callable, items: Sequence, workers: int) -> Iterator:
    """Do the work on every item, by so many threads at once; results in the order of the items."""
    if workers == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > 2 * workers:  # no more results are held than are soon asked for
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@dataclass
class _Block:
    """Products of two blocks of features, scored.

    Attributes
    ----------
    square
        (a, b) z squared of the labels as they are; 0 where a product says nothing, or is another's mirror image.
    places, z
        (2, m) where its size is beyond the floor, and (m,) z there, refined.
    null
        For each draw under the null the sizes beyond the floor, refined.
    tests
        Products scored.
    """

    square: np.ndarray
    places: np.ndarray
    z: np.ndarray
    null: list[np.ndarray]
    tests: int


def _weighted_squares(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    squares = np.square(values)
    squares *= weight[:, None]
    return squares


def _score_block(left, squares, right, residuals, weight, floor: float, within: bool, device: str) -> _Block:
    """Score the products of two blocks for every residual; `within` one block, those above the diagonal alone.

    `squares` are those of `left`, times the weight. What is beyond the floor is refined, the others no larger than they
    should be.
    """
    scored = (_scored_by_numpy if device == "numpy" else _scored_by_torch)(
        left, squares, right, residuals, weight, floor, within, device
    )
    square, tests, places = next(scored)
    z = _refined(left, right, places, residuals[0], weight)
    square[places] = np.square(z)
    still = np.abs(z) > floor
    null = [
        np.abs(_refined(left, right, large, residual, weight))
        for large, residual in zip(scored, residuals[1:], strict=True)
    ]
    return _Block(square, np.array(places)[:, still], z[still], [sizes[sizes > floor] for sizes in null], tests)


def _scored_by_numpy(left, squares, right, residuals, weight, floor: float, within: bool, device: str):
    """Give z squared of the labels as they are, the number of tests, where z is beyond `floor`; then of others where.

    Nothing is refined. All is done in place and no root is taken, since passes over the block cost as much as products.
    """
    variance = squares.T @ np.square(right)
    least, tests = _LEAST * float(weight.sum()), variance.size
    if within or variance.min(initial=np.inf) <= least:
        silent = variance <= least
        if within:
            silent |= np.tri(*silent.shape, dtype=np.bool_)
        variance[silent] = np.inf
        tests -= int(np.count_nonzero(silent))
    square = (left * residuals[0][:, None]).T @ right
    np.square(square, out=square)
    square /= variance
    yield square, tests, _places(square > floor**2)
    variance *= np.float32(max(floor, 1e-6) ** 2)
    for residual in residuals[1:]:
        score = (left * residual[:, None]).T @ right
        yield _places(np.square(score, out=score) > variance)


def _places(large: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a matrix holds; as np.nonzero, which is slower."""
    return np.divmod(np.flatnonzero(large), large.shape[1])


def _scored_by_torch(left, squares, right, residuals, weight, floor: float, within: bool, device: str):
    """Do as `_scored_by_numpy`, on a device of torch."""
    import torch

    left, squares, right, residuals = (
        torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in (left, squares, right, residuals)
    )
    inverse = squares.T @ right.square()
    silent = inverse <= _LEAST * float(weight.sum())
    inverse = inverse.reciprocal_().masked_fill_(silent, 0)
    if within:
        inverse = inverse.triu_(1)
    for i, residual in enumerate(residuals):
        square = ((left * residual[:, None]).T @ right).square_().mul_(inverse)
        places = tuple(place.cpu().numpy() for place in torch.nonzero(square > floor**2, as_tuple=True))
        yield (square.cpu().numpy(), int(torch.count_nonzero(inverse)), places) if i == 0 else places


def score_products(left: np.ndarray, right: np.ndarray, residuals: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Z of every column of `left` times every column of `right`, all refined: (residuals, a, b); for a few columns."""
    shape = left.shape[1], right.shape[1]
    places = tuple(np.indices(shape).reshape(2, -1))
    return np.stack([_refined(left, right, places, residual, weight).reshape(shape) for residual in residuals])


def score_places(values: np.ndarray, places: np.ndarray, residual: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Z, refined, of the products of the columns of `values` that each row of `places`, (m, 2 or 3), lists."""
    found = np.empty(len(places), dtype=np.float64)
    for start, stop in spans(len(places), max(1, _AT_ONCE // len(residual))):
        product = np.multiply.reduce([values[:, column] for column in places[start:stop].T])
        found[start:stop] = _z_of(product, residual, weight)
    return found


def _refined(left, right, places, residual: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Z of single products of a column of `left` and one of `right`, (m,), by their own variance and mean."""
    rows, columns = places
    found = np.empty(len(rows), dtype=np.float32)
    for start, stop in spans(len(rows), max(1, _AT_ONCE // len(residual))):
        product = left[:, rows[start:stop]] * right[:, columns[start:stop]]
        found[start:stop] = _z_of(product, residual, weight)
    return found


def _z_of(product: np.ndarray, residual: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Z of products, (n, m): by the variance of the weights, or by that of the residuals where it is larger.

    0 where a product has next to no variance.
    """
    score, square, total = residual @ product, np.square(product), float(weight.sum())
    variance = weight @ square - np.square(weight @ product) / total
    own = np.square(residual)
    silent = variance <= _LEAST * total
    spread = own @ square - np.square(own @ product) / max(float(own.sum()), 1e-30)
    return np.where(silent, 0, score / np.sqrt(np.maximum(np.maximum(variance, spread), 1e-12)))


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


def _note(tally: Tally, found: _Block, start: tuple[int, int], keep: int, first: int | None = None) -> None:
    """Take in what was found of the blocks that begin at `start`, for triplets with feature `first`."""
    for i, sizes in enumerate(found.null, start=1):
        tally.largest[i] = max(tally.largest[i], float(sizes.max(initial=0)))
        tally.null += _counted(sizes)
    tally.tests += found.tests
    square = found.square
    by_row, by_column = np.sqrt(square.max(1, initial=0)), np.sqrt(square.max(0, initial=0))
    for values, table, (mine, other) in ((by_row, square, start), (by_column, square.T, start[::-1])):
        better = np.flatnonzero(values > tally.best[mine : mine + len(values)])
        tally.best[mine + better] = values[better]
        tally.partner[mine + better] = table[better].argmax(1) + other
    if first is not None and by_row.max(initial=0) > tally.best[first]:
        tally.best[first], tally.partner[first] = by_row.max(), start[0] + int(by_row.argmax())
    tally.largest[0] = max(tally.largest[0], float(np.abs(found.z).max(initial=0)))
    tally.observed += _counted(np.abs(found.z))
    named = (found.places + np.array(start)[:, None]).T
    if first is not None:
        named = np.column_stack([np.full(len(named), first), named])
    tally.places, tally.z = np.vstack([tally.places, named]), np.concatenate([tally.z, found.z])
    if len(tally.z) > _PRUNE * keep:
        _cut(tally, keep)


def _counted(sizes: np.ndarray) -> np.ndarray:
    return np.bincount(np.minimum((sizes / BIN).astype(np.int64), _BINS - 1), minlength=_BINS)


def _cut(tally: Tally, keep: int) -> None:
    """Keep the strongest, by falling size, ties by position."""
    order = np.lexsort((*tally.places.T[::-1], -np.abs(tally.z)))[:keep]
    tally.places, tally.z = tally.places[order], tally.z[order]
