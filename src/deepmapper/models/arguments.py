"""Checks of arguments that the models share: numbers, and lists of names."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np

from ..core.words import some
from ..errors import InputError


def check_whole(least: int = 1, **given: Any) -> None:
    """Refuse what is no whole number of at least `least`.

    Raises
    ------
    InputError
        If there is one; it names the argument.
    """
    for name, value in given.items():
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise InputError(f"{name}={value!r}: expected a whole number, {least} or more")
        if value < least:
            raise InputError(f"{name}={value}: expected {least} or more")


def check_positive(**given: Any) -> None:
    """Refuse what is no finite number above 0.

    Raises
    ------
    InputError
        If there is one; it names the argument.
    """
    for name, value in given.items():
        if not isinstance(value, Real) or not 0 < float(value) < math.inf:
            raise InputError(f"{name}={value!r}: expected a positive number")


def check_share(**given: float) -> None:
    """Refuse what is no share that leaves something: 0 or more and less than 1.

    Raises
    ------
    InputError
        If there is one; it names the argument.
    """
    for name, value in given.items():
        if not 0 <= value < 1:
            raise InputError(f"{name}={value}: expected 0 or more and less than 1")


def names_of(given: Iterable[Any], argument: str) -> list[Any]:
    """Return names as a list.

    Raises
    ------
    InputError
        If it is a single text.
    """
    if isinstance(given, str):
        raise InputError(f"{argument}={given!r}: expected a list of names, such as [{given!r}].")
    return list(given)


def check_distinct(names: Iterable[Any], argument: str) -> None:
    """Refuse names of which one is there more than once.

    Raises
    ------
    InputError
        If there is one.
    """
    found, n = np.unique(np.array([str(name) for name in names], dtype=object), return_counts=True)
    if (n > 1).any():
        raise InputError(f"{argument} has {some(found[n > 1])} more than once: name each once.")
