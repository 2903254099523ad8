"""Names that look the same or mean the same number, but are not the same text. Standard library only."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

# Cyrillic and Greek letters that look like Latin ones, after `casefold` for the lower ones.
_LOOK = str.maketrans(
    "АВЕЅІЈКМНОРСТХУаеѕіјорсухΑΒΕΖΗΙΚΜΝΟΡΤΥΧονı",
    "ABESIJKMHOPCTXYaesijopcyxABEZHIKMNOPTYXovi",
)
_DASHES = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
_QUOTES = re.compile("[\u2018\u2019\u201b\u2032\u00b4`]")
_WHOLE = re.compile(r"([+-]?\d+)\.0+")


def look_alikes(names: Iterable[str]) -> list[tuple[list[str], str]]:
    """Find groups of names that probably mean the same.

    Returns
    -------
    list of (list of str, str)
        Each group in the order of the names, and how its names differ, for messages: "differ only in ...".
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(names):
        groups[_appearance(name)].append(name)
    return [(group, _difference(group)) for group in groups.values() if len(group) > 1]


def _appearance(name: str) -> str:
    if not name.isascii():
        name = unicodedata.normalize("NFKC", name)
        name = "".join(c for c in name if unicodedata.category(c) != "Cf").translate(_LOOK)
        name = _QUOTES.sub("'", _DASHES.sub("-", name))
    name = " ".join(name.casefold().split())
    whole = _WHOLE.fullmatch(name)
    return whole[1] if whole else name


def _difference(group: Iterable[str]) -> str:
    """Say how names differ that look the same."""
    if len({" ".join(name.lower().split()) for name in group}) == 1:
        return "case or spaces"
    if all(_WHOLE.fullmatch(name.strip()) or name.strip().lstrip("+-").isdecimal() for name in group):
        return "the way a number is written"
    return "characters that look the same or cannot be seen"
