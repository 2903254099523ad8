"""Train, validation and test splits, stratified by class and grouped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.draws import Draw, stream
from ..errors import InputError

SCHEMES = ("auto", "fixed", "repeated")

# Below either, no test split can be spared: a quarter of it would be a sample or two of a class.
SMALL, SMALL_PER_CLASS = 50, 8

# Of few samples, none is spared for validation below this many in a class: two or three would choose the epoch by
# chance, and would be missed in training.
_SPARED_FROM = 6


@dataclass(frozen=True)
class Scheme:
    """How samples are judged.

    Attributes
    ----------
    name
        "fixed": a test split is set aside before any pass. "repeated": none is; the passes that did not train on a
        sample judge it.
    why
        The same in a plain sentence or two, with the reason.
    """

    name: str
    why: str


def is_small(y: np.ndarray) -> bool:
    """Whether samples are few: below 50 in all, or below 8 a class on average."""
    return len(y) < max(SMALL, SMALL_PER_CLASS * len(np.unique(y)))


def set_test_aside(
    y: np.ndarray,
    scheme: str,
    test_size: float,
    seed: int,
    groups: np.ndarray | None = None,
    classes: Sequence[str] = (),
) -> tuple[Scheme, np.ndarray, np.ndarray]:
    """Choose how samples are judged, and draw the test split where there is one, before any pass.

    Parameters
    ----------
    y, groups, classes
        As in `hold_out`.
    scheme
        "fixed", "repeated", or "auto": repeated where samples are few (`few_samples`), else fixed.
    test_size, seed
        Share and seed of a fixed test split.

    Returns
    -------
    tuple
        The scheme, the rows that passes may see, and those of the test split (empty when repeated).

    Raises
    ------
    InputError
        If the scheme is unknown or a class is too small for it.
    """
    if scheme not in SCHEMES:
        raise InputError(f"scheme={scheme!r}: expected one of {', '.join(SCHEMES)}")
    if scheme == "fixed" or (scheme == "auto" and not is_small(y)):
        development, test = split_off_test(y, test_size, seed, groups, classes)
        why = f"A test split of {len(test)} of {len(y)} samples was set aside before any pass and judges them together."
        return Scheme("fixed", why), development, test
    check_class_sizes(y, 2, "one to learn from and one to judge on", classes)
    if groups is not None:
        draw_out_of_bag(y, test_size, seed, groups, classes)  # what cannot be divided is refused before any pass tries
    if scheme == "repeated":
        why = "No test split was set aside, as the configuration asks"
    elif len(y) < SMALL:
        why = f"No test split was set aside: {len(y)} samples are too few"
    else:
        why = f"No test split was set aside: {len(y)} samples in {len(np.unique(y))} classes are too few"
    why += ". Every sample is judged by the passes that did not train on it."
    return Scheme("repeated", why), np.arange(len(y)), np.arange(0)


def draw_out_of_bag(
    y: np.ndarray, share: float, seed: int, groups: np.ndarray | None = None, classes: Sequence[str] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Draw what pass `seed` leaves out of bag: rows kept and rows left out.

    As `hold_out`; of few samples whole groups are drawn one by one, so that as few as the share allows are missed.
    """
    return _draw(y)(y, share, stream(seed, Draw.OUT_OF_BAG), groups, classes)


def draw_validation(
    y: np.ndarray,
    kept: np.ndarray,
    share: float,
    seed: int,
    groups: np.ndarray | None = None,
    classes: Sequence[str] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Divide what pass `seed` kept from its out-of-bag draw: rows to train on and rows to validate."""
    inner = None if groups is None else groups[kept]
    train, validation = _draw(y)(y[kept], share, stream(seed, Draw.VALIDATION), inner, classes)
    return kept[train], kept[validation]


def has_validation(y: np.ndarray, groups: np.ndarray | None = None) -> bool:
    """Whether a pass on these samples holds some back for validation: not of few with a class below 6.

    Where each class has groups of its own, and where each group holds every class, it is groups that count.
    """
    if not is_small(y):
        return True
    strata = _strata(y, groups)
    if strata is None:
        assert groups is not None  # samples by themselves are never of mixed make
        return min(len(np.unique(groups[y == code])) for code in np.unique(y)) >= _SPARED_FROM
    return _smallest(strata) >= _SPARED_FROM


def _draw(y: np.ndarray):
    return _hold_out_small if is_small(y) else hold_out


def _hold_out_small(y, share, rng, groups=None, classes=()) -> tuple[np.ndarray, np.ndarray]:
    """Hold out whole groups one by one, of every class as many as its share, where all are of one make."""
    strata = _strata(y, groups)
    if groups is None or strata is None or _smallest(strata) < 2:
        return hold_out(y, share, rng, groups, classes)
    held = _hold_out_samples(strata, np.unique(strata), share, rng)
    mask = np.isin(groups, np.unique(groups)[held])
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def _strata(y: np.ndarray, groups: np.ndarray | None) -> np.ndarray | None:
    """What is drawn: samples by class, groups by their one class, or groups that all hold every class.

    Returns the class of every group (or sample); 0 for all where each group holds every class; None for groups of
    mixed make, which only a search can divide.
    """
    if groups is None:
        return y
    held = [np.unique(y[groups == group]) for group in np.unique(groups)]
    if all(len(codes) == 1 for codes in held):
        return np.array([codes[0] for codes in held])
    if all(len(codes) == len(np.unique(y)) for codes in held):
        return np.zeros(len(held), dtype=np.int64)
    return None


def _smallest(strata: np.ndarray) -> int:
    return int(np.unique(strata, return_counts=True)[1].min())


def hold_out(
    y: np.ndarray,
    share: float,
    rng: np.random.Generator,
    groups: np.ndarray | None = None,
    classes: Sequence[str] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Divide samples in two, every class on both sides.

    Parameters
    ----------
    y
        (n,) class codes.
    share
        Share of every class to hold out; rounded, at least one sample and never all.
    rng
        Stream of the draw, see `draws.stream`.
    groups
        (n,) group codes; samples of one group stay together. The share is then met as well as whole groups allow.
    classes
        Names for messages.

    Returns
    -------
    tuple of numpy.ndarray
        Sorted positions of those kept and of those held out.

    Raises
    ------
    InputError
        If a class has fewer than two samples, or the groups cannot be divided with every class on both sides.
    """
    codes, counts = np.unique(y, return_counts=True)
    if counts.min() < 2:
        small = ", ".join(_name(c, classes) for c in codes[counts < 2])
        raise InputError(
            f"class {small}: 1 sample left, expected at least 2 to divide between training and what is held out "
            f"({share:.0%}). Leave the class out, merge it with another, or hold out nothing for it by adding samples."
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
    """Draw the fixed test split, before any pass: rows of the development part and of the test part."""
    check_class_sizes(y, 2, "one to learn from and one to judge on", classes)
    return hold_out(y, test_size, stream(seed, Draw.TEST_SPLIT), groups, classes)


def check_class_sizes(y: np.ndarray, needed: int, purpose: str, classes: Sequence[str] = ()) -> None:
    """Refuse classes with fewer than `needed` samples, all of them in one message."""
    codes, counts = np.unique(y, return_counts=True)
    small = [f"{_name(c, classes)} ({n})" for c, n in zip(codes, counts, strict=True) if n < needed]
    if small:
        raise InputError(
            f"too few samples in class {', '.join(small)}: expected at least {needed}, {purpose}. "
            f"Leave these classes out (labels: exclude), merge them with others, or add samples."
        )


def _hold_out_samples(y, codes, share, rng) -> np.ndarray:
    held = []
    for code in codes:
        members = rng.permutation(np.flatnonzero(y == code))
        held.append(members[: min(max(1, int(share * len(members) + 0.5)), len(members) - 1)])
    return np.concatenate(held)


def _hold_out_groups(y, share, rng, groups, classes, tries: int = 20) -> np.ndarray:
    """Take the first fold, of several shuffles, that leaves every class on both sides."""
    from sklearn.model_selection import StratifiedGroupKFold

    n_groups = len(np.unique(groups))
    largest_class = int(np.unique(y, return_counts=True)[1].max())  # the splitter takes no more folds than this
    folds = min(max(2, round(1 / min(share, 1 - share))), n_groups, largest_class)
    lacking = {code: len(np.unique(groups[y == code])) for code in np.unique(y)}
    alone = [_name(code, classes) for code, n in lacking.items() if n < 2]
    if alone:
        raise InputError(
            f"class {', '.join(alone)} lies in a single group of the {n_groups} to divide: expected samples from at "
            f"least 2 in every class, so that whole groups can be held out (each split of a run needs groups of its "
            f"own). Add donors, leave the class out, or run without a group column."
        )
    for fewer in range(folds, 1, -1):  # larger folds, where none of the asked size holds every class
        for _ in range(tries):
            splitter = StratifiedGroupKFold(fewer, shuffle=True, random_state=int(rng.integers(2**31)))
            for kept, held in splitter.split(np.zeros(len(y)), y, groups):
                if len(np.unique(y[kept])) == len(np.unique(y[held])) == len(lacking):
                    return held if share <= 0.5 else kept
    raise InputError(
        f"{n_groups} groups could not be divided with every class on both sides ({share:.0%} held out and more, "
        f"{tries} shuffles each): expected more groups per class. Add donors, leave a class out, or run without a "
        f"group column."
    )


def _name(code: int, classes: Sequence[str]) -> str:
    return repr(classes[code]) if len(classes) else str(code)
