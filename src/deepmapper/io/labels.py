"""Encoding of class labels of any kind as integers."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from ..core.look_alikes import look_alikes
from ..core.missing import MISSING_WORDS, is_doubtful, is_missing
from ..core.number_text import is_number
from ..core.words import count, did_you_mean, listed, natural_order, some, yaml_text
from ..errors import DeepMapperWarning, InputError

# Code of samples that are to be named.
UNLABELLED = -3


@dataclass(frozen=True, eq=False)
class Categories:
    """The values of a column as text.

    Attributes
    ----------
    codes
        (n,) position of every sample's value in `names`, -1 if it is missing.
    names
        The different values, in order of appearance.
    words
        Number of samples that are missing because of a word, by word.
    """

    codes: np.ndarray
    names: list[str]
    words: dict[str, int]

    @property
    def missing(self) -> np.ndarray:
        """(n,) whether the value is missing."""
        return self.codes < 0

    @property
    def texts(self) -> np.ndarray:
        """(n,) the values as text, None where they are missing."""
        return np.array([*self.names, None], dtype=object)[self.codes]


def as_categories(values: Any, na_values: Iterable[Any] = MISSING_WORDS) -> Categories:
    """Read labels, groups or categories of any kind as text.

    Parameters
    ----------
    values
        One value per sample: text, categories, integers, booleans or floats; whole floats are written as integers.
    na_values
        Words that are missing values; NaN, None and empty text always are.
    """
    import pandas as pd

    rows, found = pd.factorize(pd.Series(values))
    words = {str(word) for word in na_values}
    texts = ["" if text is None else text for text in map(as_text, found)]
    missing = [is_missing(text, words) for text in texts]
    names = list(dict.fromkeys(text for text, is_na in zip(texts, missing, strict=True) if not is_na))
    code_of = {name: i for i, name in enumerate(names)}
    # `factorize` codes missing values as -1, which indexes the last
    codes = np.array([*(code_of.get(text, -1) for text in texts), -1], dtype=np.int64)
    counts: Counter[str] = Counter()
    for i, (text, is_na) in enumerate(zip(texts, missing, strict=True)):
        if is_na and text.strip():
            counts[text.strip()] += int((rows == i).sum())
    return Categories(codes[rows], names, dict(counts))


def describe_words(words: dict[str, int]) -> str:
    """List words that were taken as missing values: ``'NA' 3 times, 'None' once``."""
    return ", ".join(f"{word!r} {'once' if n == 1 else f'{n} times'}" for word, n in words.items())


def encode_labels(
    labels: Any,
    names: Sequence[str] | None = None,
    exclude: Iterable[Any] = (),
    missing: str = "refuse",
    na_values: Iterable[Any] = MISSING_WORDS,
    unlabelled: Iterable[Any] = (),
) -> tuple[np.ndarray, list[str]]:
    """Encode class labels as integers.

    Three words, three meanings: a label may be *missing*, which is a fault unless it is said what to do with it; a
    class may be *excluded*; and samples may be *unlabelled*, which are to be named by the models.

    Parameters
    ----------
    labels
        One label per sample: strings, categories, integers (any coding), booleans or floats; whole-number
        floats are named as integers. NaN, None, empty text and the words of ``na_values`` are missing.
    names
        Names of the samples, for messages.
    exclude
        Classes whose samples are dropped.
    missing
        What to do with samples without a label: "refuse", "drop", "keep", or "unlabelled", which takes them as if their
        label were one of the words of ``unlabelled``.
    na_values
        Words that mean that there is no label; the empty list makes a class of every word.
    unlabelled
        Words in place of a label that mark samples to be named; they are no classes, and not missing either.

    Returns
    -------
    codes : ndarray of int64
        Class code of every sample, -1 for dropped samples, -3 for unlabelled ones. With "keep", -1 for samples without
        a label and -2 for dropped ones.
    classes : list of str
        Name of every class, in natural order: numbers by value, ``c2`` before ``c10``.

    Raises
    ------
    InputError
        If a label is missing, ``exclude`` names an unknown class, a word is both in ``exclude`` and in ``unlabelled``,
        or fewer than two classes are left.

    Warns
    -----
    DeepMapperWarning
        If words were taken as missing labels, no sample has a word of ``unlabelled``, two classes differ only in case,
        spaces or characters that look the same, or a class has a name such as Unknown or doublet.

    """
    if missing not in ("refuse", "drop", "keep", "unlabelled"):
        raise InputError(f"missing is {missing!r}, expected 'refuse', 'drop', 'keep' or 'unlabelled'.")
    if getattr(labels, "ndim", 1) != 1:
        raise InputError(f"The labels have the shape {labels.shape}, expected one label per sample.")
    excluded, targets = _as_words(exclude), _as_words(unlabelled)
    if both := sorted(excluded & targets):
        raise InputError(
            f"{some(both)} is in exclude and in unlabelled. Keep it in exclude if these samples are to be left out, in "
            "unlabelled if they are to be named."
        )
    # an excluded or unlabelled word is no class, and its samples need no label
    found = as_categories(labels, [word for word in na_values if word not in excluded | targets])
    if names is not None and len(names) != len(found.codes):
        raise InputError(f"Found {len(found.codes)} labels for {len(names)} samples, expected one label per sample.")
    _check_missing(found, names, missing)
    known = set(found.names)
    for unknown in sorted(excluded - known):
        raise InputError(
            f"exclude names {unknown!r}, which is not a label of any sample.{_similar(unknown, known)} "
            f"Expected some of {some(natural_order(known), 20)}."
        )
    _check_targets(targets, known)
    classes = natural_order(known - excluded - targets)
    if len(classes) < 2:
        raise InputError(
            f"found {count(len(classes), 'class', 'classes')} ({some(classes) or 'none'}), expected at least two. "
            "Check that it is the right label column, and which classes are excluded."
        )
    warn_similar(classes, "labels", "classes")
    _warn_doubtful(classes, Counter(found.texts))
    code_of = {name: i for i, name in enumerate(classes)}
    code_of |= dict.fromkeys(targets, UNLABELLED)
    dropped = -2 if missing == "keep" else -1
    without = UNLABELLED if missing == "unlabelled" else -1
    codes = np.array([*(code_of.get(name, dropped) for name in found.names), without], dtype=np.int64)[found.codes]
    return codes, classes


def _as_words(values: Any) -> set[str]:
    return {as_text(value) or "" for value in ([values] if isinstance(values, str) else values)}


def _check_targets(targets: set[str], known: set[str]) -> None:
    """Warn about words of unlabelled samples that no sample has: they may be misspelt."""
    for word in sorted(targets - known):
        warnings.warn(
            f"unlabelled names {word!r}, which is not a label of any sample.{_similar(word, known)}",
            DeepMapperWarning,
            stacklevel=3,
        )


def _check_missing(found: Categories, names: Sequence[str] | None, missing: str) -> None:
    """Refuse samples without a label, or say which words were taken as missing labels."""
    unlabelled = np.flatnonzero(found.missing)
    said = f"{describe_words(found.words)} as missing. To make a class of a word, set na_values=[]"
    in_config = "in a configuration `labels: {na_values: []}`"
    if len(unlabelled) and missing == "refuse":
        shown = some([names[i] if names is not None else f"row {i}" for i in unlabelled[:4]])
        words = f" The reader took {said}, {in_config}." if found.words else ""
        raise InputError(
            f"{len(unlabelled)} of {len(found.codes)} samples have no label ({shown}). Label them, or leave them out: "
            f"`labels: {{missing: drop}}`, in Python missing='drop'.{words}"
        )
    if found.words:
        warnings.warn(f"Labels: took {said}, {in_config}.", DeepMapperWarning, stacklevel=3)


def _similar(unknown: str, known: Iterable[str]) -> str:
    """Suggest a class for one that does not exist; a number may have been changed by YAML."""
    if is_number(unknown):
        same = [name for name in known if is_number(name) and float(name) == float(unknown)]
        if same:
            return f" Did you mean {same[0]!r}? Put it in quotes, since YAML changes numbers."
    return did_you_mean(unknown, known)


def _warn_doubtful(classes: Sequence[str], sizes: Counter) -> None:
    """Warn about classes whose names say that the state is not known or not one state."""
    doubtful = [name for name in classes if is_doubtful(name)]
    if doubtful:
        shown = ", ".join(f"{name!r} ({count(sizes[name], 'sample')})" for name in doubtful)
        quoted = ", ".join(map(yaml_text, doubtful))
        warnings.warn(
            f"Classes that may not be states are used as such: {shown}. To leave them out: `labels: {{exclude: "
            f"[{quoted}]}}`; to have the models name them: `labels: {{unlabelled: [{quoted}]}}`.",
            DeepMapperWarning,
            stacklevel=3,
        )


def warn_similar(names: Iterable[str], what: str, used_as: str, column: str = "") -> None:
    """Warn about different names that probably mean the same.

    Parameters
    ----------
    names
        The names that a column has.
    what
        What they are, such as "labels".
    used_as
        What each of them stands for, such as "classes".
    column
        Name of the column, if messages do not name it otherwise.
    """
    of = f" of column '{column}'" if column else ""
    for group, difference in look_alikes(names):
        # letters of other alphabets are shown by their codes
        shown = some(group) if difference.startswith("case") else listed([ascii(name) for name in group], 3, ", ...")
        warnings.warn(
            f"The {what} {shown}{of} differ only in {difference}, and are used as different {used_as}. If they mean "
            "the same, rename them.",
            DeepMapperWarning,
            stacklevel=4,
        )


def as_text(value: Any) -> str | None:
    """Return a value as text, None if it is missing; whole floats are written as integers."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, float | np.floating):
        if np.isnan(value):
            return None
        return str(int(value)) if float(value).is_integer() else str(value)
    if isinstance(value, Integral) and not isinstance(value, bool):
        return str(int(value))
    return str(value)
