"""Train, validation, out-of-bag and test splits, and folds: stratified by class, with groups kept together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.arrays import take_rows
from ..core.draws import Draw, stream
from ..core.words import listed, percent, yaml_list
from ..errors import InputError

SCHEMES = ("auto", "fixed", "repeated")

# A study with fewer samples, or fewer per class on average, is small and has no test split: a quarter of it would be
# one or two samples per class.
SMALL, SMALL_PER_CLASS = 50, 8

# A small study has validation samples only from this many samples in every class on: with two or three of them the best
# epoch would be a matter of chance, and training needs them more.
_MIN_FOR_VALIDATION = 6

_N_FOLDS = 5

_MOST_NAMED = 12  # classes that are too small


@dataclass(frozen=True)
class Scheme:
    """The samples on which the passes are evaluated.

    Attributes
    ----------
    name
        "fixed": a test split is set aside before any pass. "repeated": there is none, and each sample is predicted by
        the passes that did not train on it.
    why
        The scheme and its reason, in a sentence or two.
    """

    name: str
    why: str


def is_small(y: np.ndarray) -> bool:
    """Whether a study is small: fewer than 50 samples, or fewer than 8 per class on average."""
    return len(y) < max(SMALL, SMALL_PER_CLASS * len(np.unique(y)))


def set_test_aside(
    y: np.ndarray,
    scheme: str,
    test_size: float,
    seed: int,
    groups: np.ndarray | None = None,
    classes: Sequence[str] = (),
) -> tuple[Scheme, np.ndarray, np.ndarray]:
    """Choose the evaluation scheme, and draw the test split if there is one; before any pass.

    Parameters
    ----------
    y, groups, classes
        As in `hold_out`.
    scheme
        "fixed", "repeated", or "auto": repeated for small studies (`is_small`), else fixed.
    test_size, seed
        Share and seed of a fixed test split.

    Returns
    -------
    tuple
        The scheme, the rows of the development part, and the rows of the test split (empty if repeated).

    Raises
    ------
    InputError
        If the scheme is unknown or a class is too small for it.
    """
    if scheme not in SCHEMES:
        raise InputError(f"scheme={scheme!r}: expected one of {', '.join(SCHEMES)}")
    if scheme == "fixed" or (scheme == "auto" and not is_small(y)):
        development, test = split_off_test(y, test_size, seed, groups, classes)
        why = f"A test split of {len(test):,} of {len(y):,} samples was set aside before any pass, for the evaluation."
        return Scheme("fixed", why), development, test
    check_class_sizes(y, 2, "one to train on and one to test on", classes)
    if groups is not None:
        draw_out_of_bag(y, test_size, seed, groups, classes)  # raises InputError if the groups cannot be divided
    if scheme == "repeated":
        why = "No test split was set aside, as the configuration asks"
    elif len(y) < SMALL:
        why = f"No test split was set aside: {len(y)} samples are too few"
    else:
        why = f"No test split was set aside: {len(y)} samples in {len(np.unique(y))} classes are too few"
    why += ". Each sample is predicted by the passes that did not train on it."
    return Scheme("repeated", why), np.arange(len(y)), np.arange(0)


def draw_out_of_bag(
    y: np.ndarray, share: float, seed: int, groups: np.ndarray | None = None, classes: Sequence[str] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the out-of-bag samples of pass `seed`: rows in the bag and rows out of it.

    Like `hold_out`; in a small study groups are drawn one at a time, so that no more of them are left out than asked
    for.
    """
    return _hold_out_of(y)(y, share, stream(seed, Draw.OUT_OF_BAG), groups, classes)


def draw_validation(
    y: np.ndarray,
    kept: np.ndarray,
    share: float,
    seed: int,
    groups: np.ndarray | None = None,
    classes: Sequence[str] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Divide the rows that pass `seed` has in the bag into rows to train on and rows to validate on."""
    kept_groups = take_rows(groups, kept)
    train, validation = _hold_out_of(y)(y[kept], share, stream(seed, Draw.VALIDATION), kept_groups, classes)
    return kept[train], kept[validation]


def has_validation(y: np.ndarray, groups: np.ndarray | None = None) -> bool:
    """Whether passes on these samples hold any out for validation: not in a small study with a class of fewer than 6.

    If every group has a single class, or every group has all classes, groups are counted instead of samples.
    """
    if not is_small(y):
        return True
    units = _unit_classes(y, groups)
    if units is None:
        assert groups is not None  # single samples can always be drawn
        return min(len(np.unique(groups[y == code])) for code in np.unique(y)) >= _MIN_FOR_VALIDATION
    return _smallest_class(units) >= _MIN_FOR_VALIDATION


def hold_out(
    y: np.ndarray,
    share: float,
    rng: np.random.Generator,
    groups: np.ndarray | None = None,
    classes: Sequence[str] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Divide samples into two parts, each with samples of every class.

    Parameters
    ----------
    y
        (n,) class codes.
    share
        Share of every class to hold out; rounded to samples, at least one and never all.
    rng
        Random stream (`draws.stream`).
    groups
        (n,) group codes; a group is never split. The share is then met as closely as whole groups allow.
    classes
        Class names for messages.

    Returns
    -------
    tuple of numpy.ndarray
        Sorted indices of the samples kept and of those held out.

    Raises
    ------
    InputError
        If a class has fewer than two samples, or the groups cannot be divided with every class in both parts.
    """
    codes, counts = np.unique(y, return_counts=True)
    if counts.min() < 2:
        small = ", ".join(_name(c, classes) for c in codes[counts < 2])
        raise InputError(
            f"class {small}: 1 sample left, expected at least 2, to train on one and hold out the other "
            f"({percent(share, 0)}). Leave the class out, merge it with another, or add samples."
        )
    held = (
        _hold_out_samples(y, codes, share, rng) if groups is None else _hold_out_groups(y, share, rng, groups, classes)
    )
    mask = np.zeros(len(y), dtype=bool)
    mask[held] = True
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def split_off_test(
    y: np.ndarray, test_size: float, seed: int, groups: np.ndarray | None = None, classes: Sequence[str] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the fixed test split, before any pass: rows of the development part and rows of the test split."""
    check_class_sizes(y, 2, "one to train on and one to test on", classes)
    return hold_out(y, test_size, stream(seed, Draw.TEST_SPLIT), groups, classes)


def check_class_sizes(y: np.ndarray, needed: int, purpose: str, classes: Sequence[str] = (), note: str = "") -> None:
    """Check that every class has at least `needed` samples.

    Raises
    ------
    InputError
        If not; the message lists all classes that are too small, the `purpose` of the samples, and the `note`.
    """
    codes, counts = np.unique(y, return_counts=True)
    small = [f"{_name(c, classes)} ({n})" for c, n in zip(codes, counts, strict=True) if n < needed]
    if not small:
        return
    out = "Leave these classes out"
    if len(classes) and len(small) <= _MOST_NAMED:
        out += f" (`labels: {{exclude: {yaml_list(classes[c] for c in codes[counts < needed])}}}`)"
    if len(codes) - len(small) < 2:
        out = f"Only {len(codes) - len(small)} of {len(codes)} classes would be left without these: merge classes"
    raise InputError(
        f"too few samples in class {listed(small, _MOST_NAMED)}: expected at least {needed}, {purpose}{note}. "
        f"{out}{', merge them with others,' if out.startswith('Leave') else ''} or add samples."
    )


def assign_folds(y: np.ndarray, groups: np.ndarray | None, random_state: int) -> np.ndarray:
    """Assign samples to at most five folds, stratified by class: (n,) fold numbers.

    Groups are not split, unless a class has a single group.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    n_folds = int(min(_N_FOLDS, np.bincount(y).min()))
    fold = np.zeros(len(y), dtype=np.int64)
    if groups is not None:
        groups_per_class = [len(np.unique(groups[y == code])) for code in range(int(y.max()) + 1)]
        if min(groups_per_class) >= 2:
            n_folds = min(n_folds, min(groups_per_class))
            splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=random_state)
            for i, (_, held) in enumerate(splitter.split(np.zeros(len(y)), y, groups)):
                fold[held] = i
            return fold
    splitter = StratifiedKFold(max(n_folds, 2), shuffle=True, random_state=random_state)
    for i, (_, held) in enumerate(splitter.split(np.zeros(len(y)), y)):
        fold[held] = i
    return fold


def _hold_out_of(y: np.ndarray):
    """Choose the function that draws from samples with these labels."""
    return _hold_out_small if is_small(y) else hold_out


def _hold_out_small(y, share, rng, groups=None, classes=()) -> tuple[np.ndarray, np.ndarray]:
    """Hold out whole groups one at a time, a share of those of every class, if `_unit_classes` allows it."""
    units = _unit_classes(y, groups)
    if groups is None or units is None or _smallest_class(units) < 2:
        return hold_out(y, share, rng, groups, classes)
    held = _hold_out_samples(units, np.unique(units), share, rng)
    mask = np.isin(groups, np.unique(groups)[held])
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def _unit_classes(y: np.ndarray, groups: np.ndarray | None) -> np.ndarray | None:
    """Class of every unit that is drawn: of every sample, or of every group.

    0 for all groups if each has all classes; None if groups have some classes each, so that they cannot be drawn class
    by class.
    """
    if groups is None:
        return y
    contained = [np.unique(y[groups == group]) for group in np.unique(groups)]
    if all(len(codes) == 1 for codes in contained):
        return np.array([codes[0] for codes in contained])
    if all(len(codes) == len(np.unique(y)) for codes in contained):
        return np.zeros(len(contained), dtype=np.int64)
    return None


def _smallest_class(units: np.ndarray) -> int:
    return int(np.unique(units, return_counts=True)[1].min())


def _hold_out_samples(y, codes, share, rng) -> np.ndarray:
    held = []
    for code in codes:
        members = rng.permutation(np.flatnonzero(y == code))
        held.append(members[: min(max(1, int(share * len(members) + 0.5)), len(members) - 1)])
    return np.concatenate(held)


def _hold_out_groups(y, share, rng, groups, classes, tries: int = 20) -> np.ndarray:
    """Return the first fold, over several shuffles, that leaves samples of every class in both parts."""
    from sklearn.model_selection import StratifiedGroupKFold

    n_groups = len(np.unique(groups))
    largest_class = int(np.unique(y, return_counts=True)[1].max())  # the splitter accepts no more folds than this
    max_folds = min(max(2, round(1 / min(share, 1 - share))), n_groups, largest_class)
    groups_per_class = {code: len(np.unique(groups[y == code])) for code in np.unique(y)}
    single = [_name(code, classes) for code, n in groups_per_class.items() if n < 2]
    if single:
        raise InputError(
            f"class {', '.join(single)} lies in a single group of the {n_groups} to divide: expected samples from at "
            f"least 2 groups in every class, so that whole groups can be held out (each split of a run needs its own "
            f"groups). Add donors, leave the class out, or run without a group column."
        )
    for n_folds in range(max_folds, 1, -1):  # fewer and larger folds if none of this size has every class
        for _ in range(tries):
            splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=int(rng.integers(2**31)))
            for kept, held in splitter.split(np.zeros(len(y)), y, groups):
                if len(np.unique(y[kept])) == len(np.unique(y[held])) == len(groups_per_class):
                    return held if share <= 0.5 else kept
    raise InputError(
        f"{n_groups} groups could not be divided with every class in both parts ({percent(share, 0)} or more held out, "
        f"{tries} shuffles each): expected more groups per class. Add donors, leave a class out, or run without a "
        f"group column."
    )


def _name(code: int, classes: Sequence[str]) -> str:
    return repr(classes[code]) if len(classes) else str(code)
