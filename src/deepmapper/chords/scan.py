"""Scores of all pairs, or all triplets, of features against the residuals of one class, in bounded memory.

For a residual r and standardised features z, the score of the product of features j and k is ``sum_i r_i z_ij z_ik``:
one entry of ``Z' diag(r) Z``. When labels are permuted within strata, its variance is close to a weighted sum of
squares about their mean. The sum of squares alone, which is no smaller, takes only one more matrix product for all
residuals together, and so gives a first z. The few products whose first z is large are then refined one by one, with
the mean subtracted. If a class has few samples and products have heavy tails, that variance is too small for some
permutations. The refined score is therefore also divided by the deviation estimated from its own residuals, and the
smaller of the two z is used (self-normalised sums have light tails whatever the data).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtri

from .columns import Columns, spans

BIN = 0.02  # bin width of the histograms of |z|: finer than any difference in z that matters

_BINS = 1001  # the last bin holds all |z| from 20

# Null products that a scan is expected to refine: few against millions of products, and enough to estimate false
# discovery rates far below the threshold. Smaller |z| are neither refined nor counted. Chosen by hand.
_EXPECTED_REFINED = 500

_VALUES_AT_ONCE = 2**22  # values of single products held at once: 16 MB as float32

# Share of an ordinary product's variance below which a product is taken for constant: rounding errors, not values.
MIN_VARIANCE = 1e-4

_PRUNE = 4  # the list of products is cut to `keep` once it is this many times as long; sorting it every time is slower

_BLOCKS_HELD = 6  # (n, block) arrays that scoring holds at once

_MIN_BLOCK = 32  # features per block, however many samples: narrower matrix products are slow


@dataclass
class Tally:
    """Summary of all tests of a scan.

    Attributes
    ----------
    floor
        The |z| from which products are refined, counted and kept.
    largest
        (1 + permutations,) the largest |z| of the observed labels, then of every permutation.
    observed, null
        Histograms of |z| from `floor` up, in bins of width `BIN` from 0: of the observed labels; of all permutations
        together.
    best, partner
        (p,) the largest |z| of each feature, and the other feature of that product (-1 for none).
    products, z
        The strongest products: (m, 2 or 3) indices of features and (m,) z, by decreasing |z|.
    tests
        Number of products tested.
    """

    floor: float
    largest: np.ndarray
    observed: np.ndarray
    null: np.ndarray
    best: np.ndarray
    partner: np.ndarray
    products: np.ndarray
    z: np.ndarray
    tests: int = 0


def block_width(n: int, block: int, memory_mb: float, workers: int) -> int:
    """Number of features per block, at most `block`, with which all workers together score within `memory_mb`."""
    return max(min(block, _MIN_BLOCK), min(block, int(memory_mb * 2**20 / (n * 4 * _BLOCKS_HELD * workers))))


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
        (1 + permutations, n): the residual, then its permutations.
    weight
        (n,) variance of each sample's residual under the null.
    block
        Features per block; affects only memory and speed.
    keep
        How many of the strongest pairs to keep.
    device
        "numpy", or the torch device that multiplies the blocks, such as "cuda". Large scores are refined by numpy.
    workers
        Number of threads. Each block is scored by one thread, so their number does not change the result.
    progress
        Receives progress, a line for every tenth.
    """
    p = columns.shape[1]
    tally = _empty_tally(len(residuals), p, 2, p * (p - 1) // 2)

    @lru_cache(workers)  # blocks are paired in order, so the first of a pair stays the same for a while
    def first_of_pair(start: int):
        values = columns.block(start, min(start + block, p))
        return values, _weighted_squares(values, weight)

    def score(starts: tuple[int, int]):
        left, squares = first_of_pair(starts[0])
        diagonal = starts[0] == starts[1]
        right = left if diagonal else columns.block(starts[1], min(starts[1] + block, p))
        return _score_block(left, squares, right, residuals, weight, tally.floor, diagonal, device)

    pairs = [(a, b) for a in range(0, p, block) for b in range(a, p, block)]
    for done, (starts, scored) in enumerate(zip(pairs, _map_in_order(score, pairs, workers), strict=True), start=1):
        _add_block(tally, scored, starts, keep)
        if done * 10 // len(pairs) > (done - 1) * 10 // len(pairs):
            progress(f"{done} of {len(pairs)} blocks of pairs")
    _keep_strongest(tally, keep)
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
    """Score every triplet of features; parameters as in `scan_pairs`. Time grows with the cube of their number."""
    p = columns.shape[1]
    values = columns.block(0, p)
    tally = _empty_tally(len(residuals), p, 3, p * (p - 1) * (p - 2) // 6)

    def score(first: int):
        later = values[:, first + 1 :]
        left = later * values[:, [first]]
        squares = _weighted_squares(left, weight)
        return _score_block(left, squares, later, residuals, weight, tally.floor, True, device)

    for first, scored in enumerate(_map_in_order(score, range(p - 2), workers)):
        _add_block(tally, scored, (first + 1, first + 1), keep, first)
        if (first + 1) * 10 // p > first * 10 // p:
            progress(f"triplets of {first + 1} of {p} features")
    _keep_strongest(tally, keep)
    return tally


def score_products(left: np.ndarray, right: np.ndarray, residuals: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Refined z of every column of `left` times every column of `right`: (residuals, a, b); for a few columns."""
    shape = left.shape[1], right.shape[1]
    entries = tuple(np.indices(shape).reshape(2, -1))
    return np.stack([_refine(left, right, entries, residual, weight).reshape(shape) for residual in residuals])


def score_listed(values: np.ndarray, products: np.ndarray, residual: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Refined z, (m,), of the products of the columns of `values` that each row of `products`, (m, 2 or 3), lists."""
    z = np.empty(len(products), dtype=np.float64)
    for start, stop in spans(len(products), max(1, _VALUES_AT_ONCE // len(residual))):
        product = np.multiply.reduce([values[:, column] for column in products[start:stop].T])
        z[start:stop] = _z_scores(product, residual, weight)
    return z


def _map_in_order(work: Callable, items: Sequence, workers: int) -> Iterator:
    """Yield the work's result for every item, in order, computed by `workers` threads."""
    if workers == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > 2 * workers:  # bounds the memory of finished results
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@dataclass
class _Block:
    """Scores of the products of two blocks of features.

    Attributes
    ----------
    square
        (a, b) z squared for the observed labels; 0 for a constant product and below the diagonal of one block.
    entries, z
        (2, m) entries with |z| above the floor, and (m,) their refined z.
    null
        For each permutation the refined |z| above the floor.
    tests
        Number of products scored.
    """

    square: np.ndarray
    entries: np.ndarray
    z: np.ndarray
    null: list[np.ndarray]
    tests: int


def _weighted_squares(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    squares = np.square(values)
    squares *= weight[:, None]
    return squares


def _score_block(left, squares, right, residuals, weight, floor: float, diagonal: bool, device: str) -> _Block:
    """Score the products of two blocks for every residual; of a `diagonal` block only those above its diagonal.

    `squares` are those of `left`, times the weight. Scores above the floor are refined; the others are no larger than
    their refined size.
    """
    if device == "numpy":
        scores: _NumpyScores | _TorchScores = _NumpyScores(left, squares, right, residuals, weight, floor, diagonal)
    else:
        scores = _TorchScores(left, squares, right, residuals, weight, floor, diagonal, device)
    square, entries = scores.observed()
    z = _refine(left, right, entries, residuals[0], weight)
    square[entries] = np.square(z)
    above = np.abs(z) > floor
    null = []
    for draw in range(1, len(residuals)):
        sizes = np.abs(_refine(left, right, scores.large(draw), residuals[draw], weight))
        null.append(sizes[sizes > floor])
    return _Block(square, np.array(entries)[:, above], z[above], null, scores.tests)


class _NumpyScores:
    """Scores of two blocks before refinement, by numpy; parameters as in `_score_block`.

    Arrays are changed in place and no roots are taken, since a pass over the block costs as much as a matrix product.
    """

    def __init__(self, left, squares, right, residuals, weight, floor: float, diagonal: bool):
        self._left, self._right, self._residuals, self._floor = left, right, residuals, floor
        self._variance = squares.T @ np.square(right)
        min_variance, self.tests = MIN_VARIANCE * float(weight.sum()), self._variance.size
        if diagonal or self._variance.min(initial=np.inf) <= min_variance:
            skipped = self._variance <= min_variance
            if diagonal:
                skipped |= np.tri(*skipped.shape, dtype=np.bool_)
            self._variance[skipped] = np.inf
            self.tests -= int(np.count_nonzero(skipped))

    def observed(self) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Z squared for the observed labels, and the entries above the floor. Call this once, before `large`."""
        square = self._scores(0)
        np.square(square, out=square)
        square /= self._variance
        self._variance *= np.float32(max(self._floor, 1e-6) ** 2)  # from here on the limit of a squared score
        return square, _nonzero(square > self._floor**2)

    def large(self, draw: int) -> tuple[np.ndarray, np.ndarray]:
        """Entries above the floor for one permutation."""
        score = self._scores(draw)
        return _nonzero(np.square(score, out=score) > self._variance)

    def _scores(self, draw: int) -> np.ndarray:
        return (self._left * self._residuals[draw][:, None]).T @ self._right


class _TorchScores:
    """Scores of two blocks before refinement, as `_NumpyScores`, on a torch device."""

    def __init__(self, left, squares, right, residuals, weight, floor: float, diagonal: bool, device: str):
        import torch

        self._left, squares, self._right, self._residuals = (
            torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in (left, squares, right, residuals)
        )
        self._floor = floor
        inverse = squares.T @ self._right.square()
        skipped = inverse <= MIN_VARIANCE * float(weight.sum())
        inverse = inverse.reciprocal_().masked_fill_(skipped, 0)
        self._inverse_variance = inverse.triu_(1) if diagonal else inverse
        self.tests = int(torch.count_nonzero(self._inverse_variance))

    def observed(self) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Z squared for the observed labels, and the entries above the floor."""
        square = self._squared_z(0)
        return square.cpu().numpy(), self._above_floor(square)

    def large(self, draw: int) -> tuple[np.ndarray, np.ndarray]:
        """Entries above the floor for one permutation."""
        return self._above_floor(self._squared_z(draw))

    def _squared_z(self, draw: int):
        scores = (self._left * self._residuals[draw][:, None]).T @ self._right
        return scores.square_().mul_(self._inverse_variance)

    def _above_floor(self, square) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = (square > self._floor**2).nonzero(as_tuple=True)
        return rows.cpu().numpy(), columns.cpu().numpy()


def _nonzero(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Same as np.nonzero of a matrix, but faster."""
    return np.divmod(np.flatnonzero(mask), mask.shape[1])


def _refine(left, right, entries, residual: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Refined z, (m,), of single products of a column of `left` and one of `right`."""
    rows, columns = entries
    z = np.empty(len(rows), dtype=np.float32)
    for start, stop in spans(len(rows), max(1, _VALUES_AT_ONCE // len(residual))):
        product = left[:, rows[start:stop]] * right[:, columns[start:stop]]
        z[start:stop] = _z_scores(product, residual, weight)
    return z


def _z_scores(product: np.ndarray, residual: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Z of products, (n, m), by the variance from the weights or that from the residuals, whichever is larger.

    0 for a product that is all but constant.
    """
    score, square, total = residual @ product, np.square(product), float(weight.sum())
    variance = weight @ square - np.square(weight @ product) / total
    own_weight = np.square(residual)
    own_variance = own_weight @ square - np.square(own_weight @ product) / max(float(own_weight.sum()), 1e-30)
    constant = variance <= MIN_VARIANCE * total
    return np.where(constant, 0, score / np.sqrt(np.maximum(np.maximum(variance, own_variance), 1e-12)))


def _empty_tally(n_residuals: int, p: int, order: int, tests: int) -> Tally:
    """Tally of products of `order` features each; the floor lets through `_EXPECTED_REFINED` of `tests` normal z."""
    return Tally(
        float(-ndtri(min(1.0, _EXPECTED_REFINED / max(tests, 1)) / 2)),
        np.zeros(n_residuals),
        np.zeros(_BINS, dtype=np.int64),
        np.zeros(_BINS, dtype=np.int64),
        np.zeros(p, dtype=np.float32),
        np.full(p, -1, dtype=np.int64),
        np.zeros((0, order), dtype=np.int64),
        np.zeros(0, dtype=np.float32),
    )


def _add_block(tally: Tally, block: _Block, start: tuple[int, int], keep: int, first: int | None = None) -> None:
    """Add the scores of the blocks that begin at `start`; for triplets, `first` is the feature they have in common."""
    for draw, sizes in enumerate(block.null, start=1):
        tally.largest[draw] = max(tally.largest[draw], float(sizes.max(initial=0)))
        tally.null += _histogram(sizes)
    tally.tests += block.tests
    by_row, by_column = np.sqrt(block.square.max(1, initial=0)), np.sqrt(block.square.max(0, initial=0))
    _update_best(tally, by_row, block.square, start[0], start[1])
    _update_best(tally, by_column, block.square.T, start[1], start[0])
    if first is not None and by_row.max(initial=0) > tally.best[first]:
        tally.best[first], tally.partner[first] = by_row.max(), start[0] + int(by_row.argmax())
    tally.largest[0] = max(tally.largest[0], float(np.abs(block.z).max(initial=0)))
    tally.observed += _histogram(np.abs(block.z))
    products = (block.entries + np.array(start)[:, None]).T
    if first is not None:
        products = np.column_stack([np.full(len(products), first), products])
    tally.products, tally.z = np.vstack([tally.products, products]), np.concatenate([tally.z, block.z])
    if len(tally.z) > _PRUNE * keep:
        _keep_strongest(tally, keep)


def _update_best(tally: Tally, largest: np.ndarray, square: np.ndarray, start: int, other_start: int) -> None:
    """Update the best products of the features of the rows of `square`, which begin at `start`."""
    better = np.flatnonzero(largest > tally.best[start : start + len(largest)])
    tally.best[start + better] = largest[better]
    tally.partner[start + better] = square[better].argmax(1) + other_start


def _histogram(sizes: np.ndarray) -> np.ndarray:
    return np.bincount(np.minimum((sizes / BIN).astype(np.int64), _BINS - 1), minlength=_BINS)


def _keep_strongest(tally: Tally, keep: int) -> None:
    """Keep the strongest products, by decreasing |z|, ties by feature index."""
    order = np.lexsort((*tally.products.T[::-1], -np.abs(tally.z)))[:keep]
    tally.products, tally.z = tally.products[order], tally.z[order]
