"""Whether labels are classes, and groups can be held out, before anything is computed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..core.words import count, listed, percent, some, yaml_list
from ..errors import DeepMapperWarning, InputError
from .measurements import is_measurement
from .splits import check_class_sizes, draw_out_of_bag, draw_validation, has_validation, is_small

# From this share of the largest class on, accuracy says little of the others. Of a class of fewer samples than
# `FEW_IN_CLASS` in a study of many, little is learnt. Chosen by hand.
MOSTLY_ONE_CLASS, FEW_IN_CLASS, _MANY = 0.95, 10, 100

_SHARE = 0.25  # held out in the trial: about what passes hold out by default, and whole groups are rarely closer


def check_samples(
    labels: np.ndarray,
    y: np.ndarray,
    classes: Sequence[str],
    given_groups: Any,
    groups: np.ndarray | None,
    seed: int,
) -> np.ndarray | None:
    """Check labels and groups that a caller gives, as `prepare.prepare_features` checks those of a configuration.

    Parameters
    ----------
    labels
        The n labels as given.
    y, classes
        (n,) class codes, and the names of the classes.
    given_groups, groups
        The n groups as given, and their codes, or None.
    seed
        Seed of the trial division of groups.

    Returns
    -------
    numpy.ndarray or None
        The groups; None if each sample is a group of its own.

    Raises
    ------
    InputError
        If labels are a measurement or names of samples, a class has one sample, or the groups cannot be held out.
    """
    check_labels(pd.Series(labels), y, classes, "", "y")
    check_class_sizes(y, 2, "one to train on and one to test on", classes)
    if groups is None:
        return None
    kept = check_groups(pd.Series(list(given_groups)), groups, y, classes, "", "groups")
    if kept is not None:
        check_passes_can_split(y, kept, classes, seed, "", has_test=False, key="groups")
    return kept


def check_labels(
    column: pd.Series, y: np.ndarray, classes: Sequence[str], name: str, key: str = "labels.column"
) -> None:
    """Refuse labels that are a measurement, or names of samples.

    Parameters
    ----------
    column
        The labels as given.
    y, classes
        (n,) class codes, and the names of the classes.
    name
        Name of the column; "" for an argument of a function.
    key
        The option or argument that gives it, for messages.

    Raises
    ------
    InputError
        If there are many different numbers with few samples each, or about as many labels as samples.
    """
    sizes = np.bincount(y, minlength=len(classes))
    found = f"{key}: {repr(name) if name else 'it'} holds {len(classes)} different"
    if is_measurement(column, classes, sizes):
        raise InputError(
            f"{found} numbers in {len(y)} samples ({listed(list(classes), 3, ', ...')}): it looks like a measurement, "
            f"and regression is not offered; expected classes. Divide the numbers into classes, such as low and high, "
            f"in another column, and name that column in {key}."
        )
    single = int((sizes == 1).sum())
    if len(classes) * 2 > len(y) and single * 2 > len(classes):
        raise InputError(
            f"{found} labels in {len(y)} samples, {single} of them once ({some(classes)}): they look like names of "
            f"samples; expected a few classes with several samples each. Name the column of the states to tell apart "
            f"in {key}."
        )


def unequal_class_cautions(y: np.ndarray, classes: Sequence[str]) -> list[str]:
    """Say that accuracy means little if nearly all samples are of one class, and that a class has few of many samples.

    Parameters
    ----------
    y, classes
        (n,) class codes, and the names of the classes.
    """
    sizes, cautions = np.bincount(y, minlength=len(classes)), []
    largest = int(sizes.argmax())
    if sizes[largest] >= MOSTLY_ONE_CLASS * len(y):
        name = repr(classes[largest])
        cautions.append(
            f"{percent(sizes[largest] / len(y), 1)} of the samples are {name}, so accuracy says little: calling every "
            f"sample {name} is right as often. Look at balanced accuracy and at the recall of each class."
        )
    few = np.flatnonzero((sizes > 0) & (sizes < FEW_IN_CLASS)).tolist() if len(y) >= _MANY else []
    if few:
        found = listed([f"{classes[code]!r} ({sizes[code]})" for code in few])
        left = int((sizes > 0).sum()) - len(few)
        out = f", leave {'it' if len(few) == 1 else 'them'} out" if left > 1 else ""
        line = f" (`labels: {{exclude: {yaml_list(classes[code] for code in few)}}}`)" if left > 1 else ""
        cautions.append(
            f"Few of the {len(y):,} samples are of the {'class' if len(few) == 1 else 'classes'} {found}: networks "
            f"hardly learn a class from so few, and single samples decide what is found of it. Add samples{out}{line}, "
            f"or merge classes."
        )
    return cautions


def check_groups(
    column: pd.Series,
    groups: np.ndarray,
    y: np.ndarray,
    classes: Sequence[str],
    name: str,
    key: str = "labels.group",
) -> np.ndarray | None:
    """Refuse groups that cannot be held out with every class left.

    Parameters
    ----------
    column
        The groups as given, one for each of n samples.
    groups, y
        (n,) codes of the groups and of the classes.
    classes
        Names of the classes.
    name, key
        As in `check_labels`.

    Returns
    -------
    numpy.ndarray or None
        The codes; None if each sample is a group of its own, which is the same as no groups.

    Raises
    ------
    InputError
        If there is a single group, or a class lies in a single group.

    Warns
    -----
    DeepMapperWarning
        If each sample is a group of its own.
    """
    n_groups, what = len(np.unique(groups)), _column(name, key)
    if n_groups == 1:
        hint = " (`labels: {group: ''}`)" if name else ""
        raise InputError(
            f"{key}: {what} has the same value in all {len(y)} samples ({column.iloc[0]}): expected at "
            f"least 2 groups with samples of every class, so that whole groups can be held out. Run without "
            f"it{hint}, or name the column of the donors."
        )
    if n_groups == len(y):
        warnings.warn(
            f"{key}: each of the {len(y)} samples has a value of its own in {what}, so the run is as without groups.",
            DeepMapperWarning,
            stacklevel=3,
        )
        return None
    texts = column.astype(str).to_numpy()
    single = {code: texts[y == code][0] for code in range(len(classes)) if len(np.unique(groups[y == code])) == 1}
    if single:
        where = listed([f"{classes[code]}: {group}" for code, group in single.items()])
        others = "groups" if len(single) == len(classes) else "those groups"
        raise InputError(
            f"{key}: class {', '.join(repr(classes[code]) for code in single)} lies in a single group of "
            f"{what} ({where}), so its differences from other classes cannot be told from differences between "
            f"{others}: expected samples from at least 2 groups in every class, so that whole groups can be held out. "
            f"Add donors, leave the class out, or run without a group column to report differences that may be those "
            f"of {repr(name) if name else 'the groups'}."
        )
    return groups


def check_passes_can_split(
    y: np.ndarray,
    groups: np.ndarray,
    classes: Sequence[str],
    seed: int,
    name: str,
    has_test: bool,
    key: str = "labels.group",
) -> None:
    """Refuse groups of the development part that a pass could not divide into training, validation and out-of-bag part.

    Parameters
    ----------
    y, groups
        (n,) codes of the development part.
    classes
        Names of the classes.
    seed
        Seed of the trial.
    name, key
        As in `check_labels`.
    has_test
        Whether groups were set aside as a test split.

    Raises
    ------
    InputError
        If the groups cannot be divided.
    """
    try:
        kept, _ = draw_out_of_bag(y, _SHARE, seed, groups, classes)
        if has_validation(y, groups):
            draw_validation(y, kept, _SHARE, seed, groups, classes)
    except InputError as error:
        numbers = {str(classes[code]): len(np.unique(groups[y == code])) for code in np.unique(y)}
        smallest = listed([f"{label} {n}" for label, n in sorted(numbers.items(), key=lambda item: item[1])])
        parts = "for training, validation and the out-of-bag test"
        left = "after the test split was set aside, " if has_test else ""
        out = " Set `split: {scheme: repeated}`, which needs no test split;" if has_test and not is_small(y) else ""
        raise InputError(
            f"{key}: {left}{count(len(np.unique(groups)), 'group')} of {_column(name, key)} "
            f"{'are' if len(np.unique(groups)) > 1 else 'is'} left ({smallest} by class), which cannot be divided "
            f"{parts}: expected at least 3 groups for every class.{out or ' To go on,'} add donors, leave a class out "
            f"or run without a group column."
        ) from error


def _column(name: str, key: str) -> str:
    return f"column '{name}'" if name else f"`{key}`"
