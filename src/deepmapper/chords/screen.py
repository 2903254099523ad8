"""Gene chords: interaction gene sets that separate a class jointly while each member alone looks weak.

The screen is a score test. An additive model (`_main_effects`) says how probable each class is for each sample, out of
fold; samples of near equal probability form strata; labels are centred within them. What the product of two features
then still says of the label is more than the two say one by one. Labels exchanged within the strata give the null: the
largest score over all pairs and classes under it sets the family-wise threshold.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.blocks import column_blocks
from ..errors import CannotScreen, DeepMapperWarning, InputError
from .contrasts import Contrast, check_exchangeable, make_contrasts
from .main_effects import fit_main_effects
from .scan import BIN, Tally, of_rows, scan_pairs, scan_triplets, score_places, spans, widest
from .types import Pair, Screen, Triplet

RATES = ("family", "discovery")

_EXTRA_FROM_PAIRS = 50  # strongest pairs whose members are candidates for triplets, significant or not


def screen_pairs(
    X,
    y: np.ndarray,
    *,
    rows: np.ndarray | None = None,
    names: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    confounders: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    min_detected: float = 0.05,
    permutations: int = 39,
    level: float = 0.05,
    rate: str = "family",
    keep: int = 1000,
    clip: float = 3.0,
    block: int = 512,
    memory_mb: float = 256,
    seed: int = 0,
    threads: int | None = None,
    device: str = "numpy",
    progress: Callable[[str], None] = lambda line: None,
) -> Screen:
    """Screen all pairs of features for products that tell a class beyond main effects.

    Parameters
    ----------
    X
        (n, p) float32, normalised: dense, CSR or CSC (which may be mapped, as `blocks.by_columns` gives it).
    y
        (n,) class codes, 0 .. K - 1.
    rows
        Rows to screen: the development part. None takes all.
    names, classes
        Names of features and classes; None takes their positions.
    confounders
        (n, q) as `confounders.make_design` gives: in the additive model with their squares, and taken out of features.
    groups
        (n,) codes (batch, donor): labels are exchanged within groups, or whole groups where none holds two classes.
    min_detected
        Features that are not zero in a smaller share of `rows` are not screened.
    permutations
        Null draws; the smallest p is 1 / (1 + permutations).
    level, rate
        Error rate to hold: of any false pair ("family") or of their share ("discovery").
    keep
        How many of the strongest pairs are kept as candidates and can be significant.
    clip
        Limit of standardised values.
    block, memory_mb
        Features at a time, fewer where scoring would take more than `memory_mb`; and memory up to which the
        standardised matrix is held, else blocks are made again when needed. Neither changes the result beyond rounding.
    seed
        Seed of folds and permutations.
    threads
        Threads among which blocks are shared out; the result is the same with any number. None leaves it to the
        libraries how many work on a block.
    device
        What multiplies: "numpy", or a device of torch such as "cuda". Neither changes the result beyond rounding.
    progress
        Receives progress, a line for every tenth of each class.

    Raises
    ------
    InputError
        If sizes do not fit, or permutations are too few for the level.
    CannotScreen
        If groups are too few to be exchanged, or fewer than two features are detected often enough.

    Notes
    -----
    Each class takes 2 + `permutations` matrix products of n × p × p / 2. Labels exchanged within strata of an estimated
    probability: Rosenbaum 1984, J. Am. Stat. Assoc. 79:565. The largest statistic under permutation: Westfall and Young
    1993, Resampling-Based Multiple Testing. Matrices larger than `memory_mb` never lie in memory in full.
    """
    rows = np.arange(X.shape[0]) if rows is None else np.asarray(rows)
    names, classes = _names(names, X.shape[1], "f"), _names(classes, int(y.max()) + 1, "")
    _check(X, y, rows, names, classes, groups, permutations, level, rate)
    X, y = of_rows(X, rows), np.asarray(y)[rows]
    groups = None if groups is None else np.asarray(groups)[rows]
    design = None if confounders is None else np.asarray(confounders)[rows]
    check_exchangeable(y, groups, level)
    detected = X.getnnz(0) if sp.issparse(X) else np.count_nonzero(X, axis=0)
    features = np.flatnonzero(detected >= max(min_detected * len(rows), 1))
    if len(features) < 2:
        raise CannotScreen(
            f"{len(features)} of {X.shape[1]} features are detected in at least {min_detected:.0%} of {len(rows)} "
            f"samples: expected two or more to pair. Lower min_detected."
        )
    used = features
    if not sp.issparse(X):  # in memory as it is; the columns of a sparse one are taken when they are asked for
        X, used = X[:, features], np.arange(len(features))
    with _limited(threads):
        effects = fit_main_effects(X, y, design, groups, seed, used)
        contrasts = make_contrasts(
            y, effects.probability, design=design, groups=groups, permutations=permutations, seed=seed
        )
        workers = _workers(threads, device)
        block = widest(len(rows), block, memory_mb, workers)
        told = f"{len(rows)} samples × {len(features)} features in blocks of {block}, class"
        tallies = [
            scan_pairs(
                c.columns(X, clip, used).hold(block, memory_mb),
                c.residuals,
                c.weight,
                block,
                keep,
                device=device,
                workers=workers,
                progress=_told(progress, f"{told} {classes[c.code]}"),
            )
            for c in contrasts
        ]
        blank = Screen(
            features=features,
            level=level,
            rate=rate,
            null_largest=np.zeros(permutations),
            best=np.zeros(len(names)),
            partner=np.full(len(names), -1),
            main_effects=effects,
            names=names,
            classes=classes,
            rows=rows,
            contrasts=contrasts,
            clip=clip,
            left_open=_left_open(y, contrasts, classes),
        )
        return _conclude(blank, X, used, tallies, Pair, keep, memory_mb)


def screen_triplets(
    X,
    screen: Screen,
    *,
    max_triplet_features: int = 300,
    keep: int = 1000,
    threads: int | None = None,
    device: str = "numpy",
    progress: Callable[[str], None] = lambda line: None,
) -> Screen:
    """Screen all triplets among the most variable features and the members of the strongest pairs.

    Parameters
    ----------
    X
        The matrix that was screened for pairs.
    screen
        What `screen_pairs` returned: rows, residuals, null draws, level and rate are taken from it.
    max_triplet_features
        How many features of the largest dispersion for their mean, chosen without the labels. Time grows with the third
        power of their number.
    keep, threads, device, progress
        As in `screen_pairs`.

    Returns
    -------
    Screen
        Of `Triplet`; error rates are over the triplets alone.
    """
    X = of_rows(X, screen.rows)
    paired = [i for pair in (*screen.found, *screen.candidates[:_EXTRA_FROM_PAIRS]) for i in pair.positions]
    variable = screen.features[_by_dispersion(X, screen.features)[:max_triplet_features]]
    features = np.union1d(variable, np.array(paired[: 2 * max_triplet_features], dtype=np.int64))
    X, used = X[:, features], np.arange(len(features))
    with _limited(threads):
        tallies = [
            scan_triplets(
                c.columns(X, screen.clip),
                c.residuals,
                c.weight,
                keep,
                device=device,
                workers=_workers(threads, device),
                progress=_told(progress, f"class {screen.classes[c.code]}"),
            )
            for c in screen.contrasts
        ]
        return _conclude(replace(screen, features=features), X, used, tallies, Triplet, keep, np.inf)


def _conclude(
    screen: Screen, X, used: np.ndarray, tallies: list[Tally], kind: type[Pair], keep: int, megabytes: float
) -> Screen:
    """Join the classes: threshold, p and q over all of them, and every kept product with its z for each class.

    The features that were screened are the columns `used` of `X`; so many megabytes of them are dense at a time.
    """
    p = len(screen.names)
    none = np.zeros(1 + len(screen.null_largest))
    largest = np.max([none, *(tally.largest for tally in tallies)], axis=0)
    best, partner = np.zeros(p, dtype=np.float32), np.full(p, -1)
    for tally in tallies:
        better = tally.best > best[screen.features]
        best[screen.features[better]] = tally.best[better]
        partner[screen.features[better]] = screen.features[tally.partner[better]]
    common = replace(
        screen,
        largest=float(largest[0]),
        null_largest=largest[1:],
        tests=sum(tally.tests for tally in tallies),
        best=best,
        partner=partner,
        found=(),
        candidates=(),
        threshold=_family_threshold(largest[1:], screen.level) if tallies and screen.rate == "family" else float("inf"),
    )
    places = np.unique(np.vstack([tally.places for tally in tallies]), axis=0) if tallies else np.zeros((0, 2))
    if not len(places):
        return common
    at_once = int(min(len(places), max(1, megabytes * 2**20 / 4 / X.shape[0] / places.shape[1])))
    parts = [places[start:stop] for start, stop in spans(len(places), at_once)]
    by_class = np.array(
        [np.concatenate([_scores_of(c, X, used, part, screen.clip) for part in parts]) for c in screen.contrasts]
    )
    strongest = np.abs(by_class).argmax(0)
    z = by_class[strongest, np.arange(len(places))]
    order = np.lexsort((*places.T[::-1], -np.abs(z)))[:keep]
    p_family = (1 + (largest[1:, None] >= np.abs(z) - 1e-6).sum(0)) / (1 + len(largest[1:]))
    q = _expected_false(tallies, np.abs(z), len(largest) - 1)
    within = (p_family if screen.rate == "family" else q) <= screen.level
    labels = [screen.classes[contrast.code] for contrast in screen.contrasts]
    candidates = []
    for i in order:
        positions = tuple(int(screen.features[place]) for place in places[i])
        candidates.append(
            kind(
                tuple(screen.names[position] for position in positions),
                positions,
                labels[strongest[i]],
                float(z[i]),
                float(p_family[i]),
                float(q[i]),
                tuple(zip(labels, by_class[:, i].tolist(), strict=True)),
            )
        )
    if len(order) == keep and within[order].all():
        warnings.warn(
            f"all {keep} products that were kept are significant: there are more. Give a larger `keep` to have them.",
            DeepMapperWarning,
            stacklevel=3,
        )
    found = tuple(candidate for candidate, i in zip(candidates, order, strict=True) if within[i])
    return replace(
        common,
        found=found,
        candidates=tuple(candidates),
        threshold=min((abs(pair.z) for pair in found), default=float("inf"))
        if screen.rate == "discovery"
        else common.threshold,
    )


def _left_open(y: np.ndarray, contrasts: Sequence[Contrast], classes: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Variance of labels within strata over that of all of them, by class; a class and its mirror have the same."""
    within = {contrast.code: float(contrast.weight.sum()) for contrast in contrasts}
    if len(classes) == 2 and 1 in within:
        within[0] = within[1]
    share = np.bincount(y, minlength=len(classes)) / len(y)
    total = share * (1 - share) * len(y)
    return tuple((name, min(1.0, within.get(code, 0.0) / total[code])) for code, name in enumerate(classes))


def _family_threshold(null_largest: np.ndarray, level: float) -> float:
    """Return the null maximum that must be passed, so that its own rank, the labels as they are counted in, holds."""
    allowed = int(np.floor(level * (1 + len(null_largest)) + 1e-9)) - 1
    return float(np.sort(null_largest)[::-1][allowed])


def _expected_false(tallies: list[Tally], size: np.ndarray, permutations: int) -> np.ndarray:
    """Share of false ones among all products of this size or more: null counts over observed ones, never rising."""
    null = np.cumsum(np.sum([tally.null for tally in tallies], axis=0)[::-1])[::-1]
    observed = np.cumsum(np.sum([tally.observed for tally in tallies], axis=0)[::-1])[::-1]
    share = (null + 1) / (permutations + 1) / np.maximum(observed, 1)
    share = np.minimum(np.minimum.accumulate(share), 1)
    return share[np.minimum((size / BIN).astype(int), len(share) - 1)]


def _scores_of(contrast: Contrast, X, used: np.ndarray, places: np.ndarray, clip: float) -> np.ndarray:
    """Z of the listed products of the columns `used`, for one class."""
    listed, place = np.unique(places, return_inverse=True)
    values = contrast.columns(X, clip, used[listed]).block(0, len(listed))
    return score_places(values, place.reshape(places.shape), contrast.residuals[0], contrast.weight)


def _by_dispersion(X, features: np.ndarray) -> np.ndarray:
    """Order features by how far the logarithm of their variance lies above the median of those of similar mean."""
    means = []  # blocks are whole columns and means stay float32, so that these are no `Moments`
    for _, values in column_blocks(X, features):
        values = values.tocsr() if sp.issparse(values) else values
        square = values.multiply(values) if sp.issparse(values) else np.square(values)
        means.append([np.asarray(part.mean(0)).ravel() for part in (values, square)])
    mean, square = np.concatenate(means, axis=1)
    spread = np.log(np.maximum(square - mean**2, 1e-12))
    rank = np.argsort(np.argsort(mean, kind="stable"), kind="stable")
    bins = rank * min(20, max(1, len(mean) // 20)) // len(mean)
    middle = pd.Series(spread).groupby(bins).transform("median").to_numpy()
    return np.argsort(-(spread - middle), kind="stable")


def _limited(threads: int | None) -> AbstractContextManager:
    """Take the threads away from the libraries, where a number is given: the blocks are shared out among them."""
    if threads is None:
        return nullcontext()
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def _workers(threads: int | None, device: str) -> int:
    return threads if threads is not None and device == "numpy" else 1


def _told(progress: Callable[[str], None], what: str) -> Callable[[str], None]:
    return lambda line: progress(f"{what}: {line}")


def _names(names: Sequence[str] | None, count: int, prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}{i}" for i in range(count)) if names is None else tuple(map(str, names))


def _check(X, y, rows, names, classes, groups, permutations: int, level: float, rate: str) -> None:
    for what, found, expected in (
        ("y", len(y), X.shape[0]),
        ("names", len(names), X.shape[1]),
        ("classes", len(classes), int(np.max(y)) + 1),
        ("groups", X.shape[0] if groups is None else len(groups), X.shape[0]),
    ):
        if found != expected:
            raise InputError(f"{what} holds {found} values, expected {expected}, as the matrix and the labels have")
    if rate not in RATES:
        raise InputError(f"rate={rate!r}: expected one of {', '.join(RATES)}")
    if not 0 < level < 1:
        raise InputError(f"level={level!r}: expected a share between 0 and 1")
    if rate == "family" and level * (1 + permutations) < 1 - 1e-9:
        needed = int(np.ceil(1 / level - 1e-9)) - 1
        raise InputError(
            f"permutations={permutations}: the smallest p they can give is {1 / (1 + permutations):.3g}, above "
            f"level={level:g}. Take at least {needed}."
        )
    counts = np.bincount(np.asarray(y)[rows], minlength=len(classes))
    if counts.min() < 2:
        small = ", ".join(classes[code] for code in np.flatnonzero(counts < 2))
        raise InputError(f"class {small}: fewer than 2 samples to screen; leave the class out or merge it with another")
