"""Who trains, who validates, who judges: stratified by class, whole groups on one side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .errors import InputError

_TEST = 100  # second word of the seed of the test split, apart from those of a pass


def hold_out(
    y: np.ndarray, share: float, seed: Sequence[int], groups: np.ndarray | None = None, classes: Sequence[str] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Divide samples in two, every class on both sides.

    Parameters
    ----------
    y
        (n,) class codes.
    share
        Share of every class to hold out; rounded, at least one sample and never all.
    seed
        Seed of the draw.
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
    rng = np.random.default_rng(seed)
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
    return hold_out(y, test_size, [seed, _TEST], groups, classes)


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
