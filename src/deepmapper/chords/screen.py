"""Screen for gene chords, interaction gene sets: features that predict a class jointly while each alone looks weak.

The screen is a score test. An additive model (`main_effects`) predicts class probabilities out of fold, and samples of
similar probability form strata. Labels are centred within the strata, and each product of features is tested for
association with what remains of them: an interaction beyond the main effects. Permutations of the labels within the
strata give the null: the largest |z| over all products and classes in each permutation sets the family-wise threshold.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.arrays import take_rows
from ..core.blocks import column_blocks
from ..core.words import percent
from ..errors import CannotScreen, DeepMapperWarning, InputError
from .columns import select_rows, spans
from .contrasts import Contrast, check_exchangeable, family_threshold, make_contrasts
from .inflation import equalise
from .main_effects import fit_main_effects
from .scan import BIN, Tally, block_width, scan_pairs, scan_triplets, score_listed
from .types import Pair, Screen, ScreenOptions, Triplet

# The strongest pairs, significant or not, whose members are screened for triplets. Chosen by hand.
_PAIRS_FOR_TRIPLETS = 50


def screen_pairs(
    X,
    y: np.ndarray,
    options: ScreenOptions | None = None,
    *,
    rows: np.ndarray | None = None,
    names: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    confounders: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> Screen:
    """Screen all pairs of features for products that predict a class beyond main effects.

    Parameters
    ----------
    X
        (n, p) float32, normalised: dense, CSR or CSC (which may be memory-mapped, as `core.blocks.to_csc` returns it).
    y
        (n,) class codes, 0 .. K - 1.
    options
        Settings; None takes the defaults.
    rows
        Rows to screen: the development part. None takes all.
    names, classes
        Names of features and classes; None takes their positions.
    confounders
        (n, q) as `features.design.make_design` gives: they and their squares enter the additive model, and they are
        regressed out of the features.
    groups
        (n,) codes (batch, donor): labels are permuted within groups, or whole groups where none holds two classes.
    progress
        Receives progress, a line for every tenth of each class.

    Raises
    ------
    InputError
        If sizes do not match, or a class has fewer than two samples.
    CannotScreen
        If there are too few groups to permute, or fewer than two features are detected often enough.

    Notes
    -----
    Each class takes 2 + `permutations` matrix products of n × p × p / 2. Permutation within strata of an estimated
    probability: Rosenbaum 1984, J. Am. Stat. Assoc. 79:565. The largest statistic under permutation: Westfall and Young
    1993, Resampling-Based Multiple Testing. Matrices larger than `memory_mb` are never in memory in full.
    """
    options = ScreenOptions() if options is None else options
    rows = np.arange(X.shape[0]) if rows is None else np.asarray(rows)
    names, classes = _names(names, X.shape[1], "f"), _names(classes, int(y.max()) + 1, "")
    _check(X, y, rows, names, classes, groups)
    X, y = select_rows(X, rows), np.asarray(y)[rows]
    groups = take_rows(groups, rows)
    design = take_rows(confounders, rows)
    check_exchangeable(y, groups, options.level)
    features = columns = _detected(X, options.min_detected)
    if not sp.issparse(X):  # a dense matrix is reduced at once; columns of a sparse one are read when needed
        X, columns = X[:, features], np.arange(len(features))
    with _one_blas_thread(options):
        effects = fit_main_effects(X, y, design, groups, options.seed, columns)
        contrasts = make_contrasts(
            y, effects.probability, design=design, groups=groups, permutations=options.permutations, seed=options.seed
        )
        contrasts = tuple(
            equalise(contrast, contrast.columns(X, options.clip, columns), options.seed) for contrast in contrasts
        )
        screen = Screen(
            options=options,
            names=names,
            classes=classes,
            rows=rows,
            features=features,
            main_effects=effects,
            contrasts=contrasts,
            left_open=_left_open(y, contrasts, classes),
            best=np.zeros(len(names)),
            partner=np.full(len(names), -1),
            null_largest=np.zeros(options.permutations),
        )
        tallies = [_scan_class(screen, contrast, X, columns, progress) for contrast in contrasts]
        return _conclude(screen, X, columns, tallies, Pair, options.memory_mb)


def screen_triplets(
    X,
    screen: Screen,
    *,
    max_triplet_features: int = 300,
    progress: Callable[[str], None] = lambda line: None,
) -> Screen:
    """Screen all triplets among the most variable features and the members of the strongest pairs.

    Parameters
    ----------
    X
        The matrix that was screened for pairs.
    screen
        What `screen_pairs` returned: rows, residuals, permutations and options are taken from it.
    max_triplet_features
        How many of the most variable features take part: those of the largest dispersion for their mean, chosen without
        the labels. Time grows with the cube of their number.
    progress
        Receives progress, a line for every tenth of each class.

    Returns
    -------
    Screen
        Its products are `Triplet`; error rates are over the triplets alone.
    """
    X, options = select_rows(X, screen.rows), screen.options
    paired = [i for pair in (*screen.found, *screen.candidates[:_PAIRS_FOR_TRIPLETS]) for i in pair.positions]
    variable = screen.features[_by_dispersion(X, screen.features)[:max_triplet_features]]
    features = np.union1d(variable, np.array(paired[: 2 * max_triplet_features], dtype=np.int64))
    X, columns = X[:, features], np.arange(len(features))
    with _one_blas_thread(options):
        tallies = [
            scan_triplets(
                contrast.columns(X, options.clip),
                contrast.residuals,
                contrast.weight,
                options.keep,
                device=options.device,
                workers=options.workers,
                progress=_prefixed(progress, f"class {screen.classes[contrast.code]}"),
            )
            for contrast in screen.contrasts
        ]
        return _conclude(replace(screen, features=features), X, columns, tallies, Triplet, np.inf)


def _check(X, y, rows, names, classes, groups) -> None:
    for what, size, expected in (
        ("y", len(y), X.shape[0]),
        ("names", len(names), X.shape[1]),
        ("classes", len(classes), int(np.max(y)) + 1),
        ("groups", X.shape[0] if groups is None else len(groups), X.shape[0]),
    ):
        if size != expected:
            raise InputError(f"{what} has {size} values, expected {expected} to match the matrix and the labels")
    counts = np.bincount(np.asarray(y)[rows], minlength=len(classes))
    if counts.min() < 2:
        small = ", ".join(classes[code] for code in np.flatnonzero(counts < 2))
        raise InputError(f"class {small}: fewer than 2 samples to screen; leave the class out or merge it with another")


def _names(names: Sequence[str] | None, count: int, prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}{i}" for i in range(count)) if names is None else tuple(map(str, names))


def _detected(X, min_detected: float) -> np.ndarray:
    """Find the features that are not zero in at least this share of the samples, and in one at least."""
    detected = X.getnnz(0) if sp.issparse(X) else np.count_nonzero(X, axis=0)
    features = np.flatnonzero(detected >= max(min_detected * X.shape[0], 1))
    if len(features) < 2:
        raise CannotScreen(
            f"{len(features)} of {X.shape[1]} features are detected in at least {percent(min_detected)} of "
            f"{X.shape[0]} samples: a pair takes at least two. Lower min_detected."
        )
    return features


def _one_blas_thread(options: ScreenOptions) -> AbstractContextManager:
    """Limit the numerical libraries to one thread, where blocks are shared out among threads."""
    if options.threads is None:
        return nullcontext()
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def _scan_class(screen: Screen, contrast: Contrast, X, columns: np.ndarray, progress: Callable[[str], None]) -> Tally:
    """Scan all pairs for one class."""
    options = screen.options
    block = block_width(len(screen.rows), options.block, options.memory_mb, options.workers)
    size = f"{len(screen.rows)} samples × {len(screen.features)} features in blocks of {block}"
    return scan_pairs(
        contrast.columns(X, options.clip, columns).cache(block, options.memory_mb),
        contrast.residuals,
        contrast.weight,
        block,
        options.keep,
        device=options.device,
        workers=options.workers,
        progress=_prefixed(progress, f"{size}, class {screen.classes[contrast.code]}"),
    )


def _prefixed(progress: Callable[[str], None], prefix: str) -> Callable[[str], None]:
    return lambda line: progress(f"{prefix}: {line}")


def _left_open(y: np.ndarray, contrasts: Sequence[Contrast], classes: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """For each class, the variance of its labels within strata as a share of their total variance."""
    within = {contrast.code: float(contrast.weight.sum()) for contrast in contrasts}
    if len(classes) == 2 and 1 in within:
        within[0] = within[1]  # two classes mirror each other
    share = np.bincount(y, minlength=len(classes)) / len(y)
    total = share * (1 - share) * len(y)
    return tuple((name, min(1.0, within.get(code, 0.0) / total[code])) for code, name in enumerate(classes))


def _by_dispersion(X, features: np.ndarray) -> np.ndarray:
    """Order features by how far their log variance lies above the median for features of similar mean."""
    means = []  # not `core.moments`: a block holds whole columns, and means stay float32
    for _, values in column_blocks(X, features):
        values = values.tocsr() if sp.issparse(values) else values
        square = values.multiply(values) if sp.issparse(values) else np.square(values)
        means.append([np.asarray(part.mean(0)).ravel() for part in (values, square)])
    mean, mean_square = np.concatenate(means, axis=1)
    log_variance = np.log(np.maximum(mean_square - mean**2, 1e-12))
    rank = np.argsort(np.argsort(mean, kind="stable"), kind="stable")
    bins = rank * min(20, max(1, len(mean) // 20)) // len(mean)  # up to 20 bins, of at least 20 features
    median = pd.Series(log_variance).groupby(bins).transform("median").to_numpy()
    return np.argsort(-(log_variance - median), kind="stable")


def _conclude(
    screen: Screen, X, columns: np.ndarray, tallies: list[Tally], kind: type[Pair], memory_mb: float
) -> Screen:
    """Combine the classes: threshold, p and q over all of them, and every kept product with its z for each class.

    The features that were screened are `columns` of `X`, at most `memory_mb` of which are dense at once.
    """
    options = screen.options
    screen = _combine_maxima(screen, tallies)
    if not any(len(tally.products) for tally in tallies):
        return screen
    products = np.unique(np.vstack([tally.products for tally in tallies]), axis=0)
    z_by_class = _score_all(screen, X, columns, products, memory_mb)
    strongest = np.abs(z_by_class).argmax(0)
    z = z_by_class[strongest, np.arange(len(products))]
    p_family = _family_p(screen.null_largest, np.abs(z))
    q = _false_discovery_rate(tallies, np.abs(z), options.permutations)
    significant = (p_family if options.rate == "family" else q) <= options.level
    order = np.lexsort((*products.T[::-1], -np.abs(z)))[: options.keep]
    labels = [screen.classes[contrast.code] for contrast in screen.contrasts]
    candidates, found = [], []
    for i in order:
        positions = tuple(int(screen.features[k]) for k in products[i])
        candidate = kind(
            tuple(screen.names[position] for position in positions),
            positions,
            labels[strongest[i]],
            float(z[i]),
            float(p_family[i]),
            float(q[i]),
            tuple(zip(labels, z_by_class[:, i].tolist(), strict=True)),
        )
        candidates.append(candidate)
        if significant[i]:
            found.append(candidate)
    if len(found) == options.keep:
        warnings.warn(
            f"all {options.keep} products that were kept are significant: there are more. Increase `keep`.",
            DeepMapperWarning,
            stacklevel=3,
        )
    if options.rate == "discovery":
        screen = replace(screen, threshold=min((abs(product.z) for product in found), default=float("inf")))
    return replace(screen, found=tuple(found), candidates=tuple(candidates))


def _combine_maxima(screen: Screen, tallies: list[Tally]) -> Screen:
    """Record the largest |z| over all classes: observed, in each permutation and of each feature; no products yet."""
    largest = np.max([np.zeros(1 + len(screen.null_largest)), *(tally.largest for tally in tallies)], axis=0)
    best, partner = np.zeros(len(screen.names), dtype=np.float32), np.full(len(screen.names), -1)
    for tally in tallies:
        better = tally.best > best[screen.features]
        best[screen.features[better]] = tally.best[better]
        partner[screen.features[better]] = screen.features[tally.partner[better]]
    threshold = float("inf")
    if tallies and screen.options.rate == "family":
        threshold = family_threshold(largest[1:], screen.options.level)
    return replace(
        screen,
        largest=float(largest[0]),
        null_largest=largest[1:],
        tests=sum(tally.tests for tally in tallies),
        best=best,
        partner=partner,
        threshold=threshold,
        candidates=(),
        found=(),
    )


def _family_p(null_largest: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Family-wise p of products with these |z|; the tolerance lets equal z that differ by rounding count as ties."""
    return (1 + (null_largest[:, None] >= size - 1e-6).sum(0)) / (1 + len(null_largest))


def _false_discovery_rate(tallies: list[Tally], size: np.ndarray, permutations: int) -> np.ndarray:
    """Share of false products among all with this |z| or more: null over observed counts, made monotone."""
    null = np.cumsum(np.sum([tally.null for tally in tallies], axis=0)[::-1])[::-1]
    observed = np.cumsum(np.sum([tally.observed for tally in tallies], axis=0)[::-1])[::-1]
    share = (null + 1) / (permutations + 1) / np.maximum(observed, 1)
    share = np.minimum(np.minimum.accumulate(share), 1)
    return share[np.minimum((size / BIN).astype(int), len(share) - 1)]


def _score_all(screen: Screen, X, columns: np.ndarray, products: np.ndarray, memory_mb: float) -> np.ndarray:
    """Refined z of the listed products for every class, (classes, m), at most `memory_mb` of dense columns at once."""
    at_once = int(min(len(products), max(1, memory_mb * 2**20 / 4 / X.shape[0] / products.shape[1])))
    z = np.empty((len(screen.contrasts), len(products)))
    for row, contrast in zip(z, screen.contrasts, strict=True):
        for start, stop in spans(len(products), at_once):
            used, index = np.unique(products[start:stop], return_inverse=True)
            values = contrast.columns(X, screen.options.clip, columns[used]).block(0, len(used))
            listed = index.reshape(products[start:stop].shape)
            row[start:stop] = score_listed(values, listed, contrast.residuals[0], contrast.weight)
    return z
