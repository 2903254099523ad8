"""Words and lists in messages: short lists, the nearest spelling, natural order. Standard library only."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any


def some(values: Iterable[Any], n: int = 3) -> str:
    """Show the first `n` values, in quotation marks: ``'a', 'b', 'c', ...``."""
    return listed([repr(str(value)) for value in values], n, ", ...")


def some_names(names: Iterable[str], n: int = 5, more: str = " and {} more") -> str:
    """Show the first `n` of different names in the order of the alphabet, as `listed` does; each is shown once."""
    return listed(sorted(set(names)), n, more)


def listed(texts: Sequence[str], n: int = 5, more: str = " and {} more") -> str:
    """Join the first `n` texts by commas: ``a, b, c and 12 more``; ``{}`` in `more` is the number of others."""
    return ", ".join(texts[:n]) + (more.format(len(texts) - n) if len(texts) > n else "")


def count(n: int, one: str, many: str = "", *, zero: str = "0", separator: str = "") -> str:
    """Write a count with its noun: ``1 pass``, ``12 passes``.

    Parameters
    ----------
    n
        The count.
    one, many
        The noun of one and of several; without the latter it is the former with an "s".
    zero
        Word for none, such as "no".
    separator
        What parts thousands: ``","``, ``"_"`` or nothing.
    """
    return f"{n or zero:{separator if n else ''}} {one if n == 1 else many or one + 's'}"


def nearest(word: object, known: Iterable[Any], n: int = 1, cutoff: float = 0.6) -> list[str]:
    """Return up to `n` known words that are much like `word`, the most alike first; letter case does not matter.

    `cutoff` is the least similarity, from 0 to 1 (``difflib.SequenceMatcher.ratio``).
    """
    by_lower = {str(one).lower(): str(one) for one in known}
    return [by_lower[found] for found in difflib.get_close_matches(str(word).lower(), by_lower, n, cutoff)]


def did_you_mean(word: object, known: Iterable[Any]) -> str:
    """Ask for the nearest known word, if there is one near: a sentence after a blank, or nothing."""
    return "".join(f" Did you mean {one!r}?" for one in nearest(word, known))


def natural_order(names: Iterable[str]) -> list[str]:
    """Sort numbers by value; otherwise text, with the numbers inside compared by value: ``c2`` before ``c10``."""
    names = sorted(names)
    try:
        return sorted(names, key=float)
    except ValueError:
        return sorted(names, key=lambda name: [int(s) if i % 2 else s for i, s in enumerate(re.split(r"(\d+)", name))])
