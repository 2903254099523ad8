"""Encoding of class labels of any kind as integers."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from ..core.words import count, did_you_mean, natural_order, some
from ..errors import DeepMapperWarning, InputError


def encode_labels(
    labels: Any,
    names: Sequence[str] | None = None,
    exclude: Iterable[Any] = (),
    missing: str = "refuse",
) -> tuple[np.ndarray, list[str]]:
    """Encode class labels as integers.

    Parameters
    ----------
    labels
        One label per sample: strings, categories, integers (any coding), booleans or floats; whole-number
        floats are named as integers. NaN, None, "" and "nan" are missing.
    names
        Names of the samples, for messages.
    exclude
        Classes whose samples are dropped.
    missing
        What to do with samples without a label: "refuse", "drop" or "keep".

    Returns
    -------
    codes : ndarray of int64
        Class code of every sample, -1 for dropped samples. With "keep", -1 for samples without a label and -2 for
        dropped ones.
    classes : list of str
        Name of every class, in natural order: numbers by value, ``c2`` before ``c10``.

    Raises
    ------
    InputError
        If a label is missing, ``exclude`` names an unknown class, or fewer than two classes are left.

    Warns
    -----
    DeepMapperWarning
        If two classes differ only in case or spaces.

    """
    import pandas as pd

    if missing not in ("refuse", "drop", "keep"):
        raise InputError(f"missing is {missing!r}, expected 'refuse', 'drop' or 'keep'.")
    if getattr(labels, "ndim", 1) != 1:
        raise InputError(f"The labels have the shape {labels.shape}, expected one label per sample.")
    rows, values = pd.factorize(pd.Series(labels))
    if names is not None and len(names) != len(rows):
        raise InputError(f"Found {len(rows)} labels for {len(names)} samples, expected one label per sample.")

    # `factorize` codes missing values as -1, which indexes the None at the end
    texts = [*(_label_text(value) for value in values), None]
    no_label = np.array([text is None for text in texts])[rows]
    if no_label.any() and missing == "refuse":
        unlabelled = np.flatnonzero(no_label)
        shown = some([names[i] if names is not None else f"row {i}" for i in unlabelled[:4]])
        raise InputError(
            f"{len(unlabelled)} of {len(rows)} samples have no label ({shown}). "
            "Label them, or drop them with missing='drop' (labels: {missing: drop})."
        )

    known = {text for text in texts if text is not None}
    excluded = {_label_text(value) for value in ([exclude] if isinstance(exclude, str) else exclude)}
    for unknown in sorted(str(text) for text in excluded - known):
        raise InputError(
            f"exclude names {unknown!r}, which is not a label of any sample.{did_you_mean(unknown, known)} "
            f"Expected some of {some(natural_order(known), 20)}."
        )
    classes = natural_order(known - excluded)
    if len(classes) < 2:
        raise InputError(
            f"found {count(len(classes), 'class', 'classes')} ({some(classes) or 'none'}), expected at least two. "
            "Check that it is the right label column, and which classes are excluded."
        )
    _warn_similar(classes)
    code_of: dict[str | None, int] = {name: i for i, name in enumerate(classes)}
    codes = np.array([code_of.get(text, -1) for text in texts], dtype=np.int64)[rows]
    if missing == "keep":
        codes[(codes < 0) & ~no_label] = -2
    return codes, classes


def _warn_similar(classes: Sequence[str]) -> None:
    """Warn about classes that differ only in case or spaces."""
    folded = [" ".join(name.casefold().split()) for name in classes]
    for key, n in Counter(folded).items():
        if n > 1:
            similar = [name for name, other in zip(classes, folded, strict=True) if other == key]
            warnings.warn(
                f"The labels {some(similar)} differ only in case or spaces, and are used as different classes. If they "
                "mean the same, rename them.",
                DeepMapperWarning,
                stacklevel=3,
            )


def _label_text(value: Any) -> str | None:
    """Return a label as text, None if it is missing; whole-number floats are written as integers."""
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
