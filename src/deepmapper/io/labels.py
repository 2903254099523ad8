"""Class labels as text become integer codes."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from ..core.words import did_you_mean, natural_order, some
from ..errors import DeepMapperWarning, InputError


def encode_labels(
    labels: Any,
    names: Sequence[str] | None = None,
    exclude: Iterable[Any] = (),
    missing: str = "refuse",
) -> tuple[np.ndarray, list[str]]:
    """Turn labels of any kind into class numbers.

    Parameters
    ----------
    labels
        One label per sample: strings, categories, integers (from any start), booleans, or floats, of which whole ones
        are shown as integers. NaN, None, "" and "nan" are missing.
    names
        Names of the samples, for messages.
    exclude
        Classes whose samples are to be dropped.
    missing
        Samples without a label: "refuse", "drop" or "keep".

    Returns
    -------
    codes : ndarray of int64
        Class number of every sample, -1 for those to drop. With "keep", -1 for those without a label and -2 for those
        to drop.
    classes : list of str
        Name of every class, in natural order: numbers by value, ``c2`` before ``c10``.

    Raises
    ------
    InputError
        A label is missing, ``exclude`` names an unknown class, or fewer than two classes are left.

    Warns
    -----
    DeepMapperWarning
        Two classes differ only in letter case or blanks.

    """
    import pandas as pd

    if missing not in ("refuse", "drop", "keep"):
        raise InputError(f"missing is {missing!r}; 'refuse', 'drop' or 'keep' is expected.")
    if getattr(labels, "ndim", 1) != 1:
        raise InputError(f"The labels have the shape {labels.shape}; one label per sample is expected.")
    rows, values = pd.factorize(pd.Series(labels))
    if names is not None and len(names) != len(rows):
        raise InputError(f"There are {len(rows)} labels for {len(names)} samples.")

    texts = [_label_text(value) for value in values] + [None]  # the last answers the code -1 of a missing value
    no_label = np.array([text is None for text in texts])[rows]
    if no_label.any() and missing == "refuse":
        where = np.flatnonzero(no_label)
        shown = some([names[i] for i in where[:4]] if names is not None else [f"row {i}" for i in where[:4]])
        raise InputError(
            f"{len(where)} of {len(rows)} samples have no label ({shown}). "
            "Label them, or drop them with missing='drop'."
        )

    known = {text for text in texts if text is not None}
    excluded = {_label_text(value) for value in ([exclude] if isinstance(exclude, str) else exclude)}
    for unknown in sorted(str(text) for text in excluded - known):
        raise InputError(
            f"exclude names {unknown!r}, which no sample has.{did_you_mean(unknown, known)} "
            f"The labels: {some(natural_order(known), 20)}."
        )
    classes = natural_order(known - excluded)
    if len(classes) < 2:
        raise InputError(
            f"{len(classes)} class{' is' if len(classes) == 1 else 'es are'} left ({some(classes) or 'none'}); "
            "at least two are needed to tell anything apart. Is it the right label column?"
        )
    for folded, count in Counter(" ".join(name.casefold().split()) for name in classes).items():
        if count > 1:
            alike = [name for name in classes if " ".join(name.casefold().split()) == folded]
            warnings.warn(
                f"The labels {some(alike)} differ only in letter case or blanks and are taken for different classes.",
                DeepMapperWarning,
                stacklevel=2,
            )
    number: dict[str | None, int] = {name: i for i, name in enumerate(classes)}
    codes = np.array([number.get(text, -1) for text in texts], dtype=np.int64)[rows]
    if missing == "keep":
        codes[(codes < 0) & ~no_label] = -2  # apart from those without a label
    return codes, classes


def _label_text(value: Any) -> str | None:
    """Return a label as people write it, None where it is missing."""
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, float | np.floating):
        if np.isnan(value):
            return None
        return str(int(value)) if float(value).is_integer() else str(value)
    if isinstance(value, Integral) and not isinstance(value, bool):
        return str(int(value))
    text = str(value)
    return None if text.strip().lower() in ("", "nan", "<na>") else text
