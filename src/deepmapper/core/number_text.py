"""Numbers as they are written in tables, and what is wrong with cells that are none. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Iterable

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")

# 1,234 or 1'234,567: groups of three digits; a single comma may also be a decimal comma.
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:([,.' \u00a0\u202f])\d{3})(?:\1\d{3})*(?:[.,]\d+)?")

_WITH_POINTS = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+")

# Written by Fortran: 1D+05.
_FORTRAN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[dD][+-]?\d+")

_LIKE_NUMBER = re.compile(r"[+-]?[$€£]?[+-]?[.,]?\d[\d.,'_\s]*([eEdD][+-]?\d+)?\s*%?|0[xX][\da-fA-F]+")

_INFINITE = re.compile(r"[+-]?(inf|infinity)", re.IGNORECASE)

_BOOLEAN = re.compile(r"true|false", re.IGNORECASE)


def is_number(cell: str) -> bool:
    """Whether a cell is a finite number with a decimal point."""
    return NUMBER.fullmatch(cell.strip()) is not None


def is_like_number(cell: str) -> bool:
    """Whether a cell is a number in any notation (1.5, 1,5, 1,234, 1D+05, 12 %, Inf), rather than text."""
    plain = cell.strip()
    if plain.isdecimal():  # most cells of counts, much faster than the patterns
        return True
    return bool(_LIKE_NUMBER.fullmatch(plain) or _INFINITE.fullmatch(plain))


def is_grouped(cell: str) -> bool:
    """Whether a cell may be a number with thousands separators, such as 1,234."""
    return _GROUPED.fullmatch(cell.strip()) is not None


def uses_decimal_commas(cells: Iterable[str]) -> bool:
    """Whether numbers have decimal commas beyond doubt.

    Some cell has a comma followed by one, two or more than three digits, or after a zero; every cell with a comma is a
    number with a decimal comma; and none has a decimal point.
    """
    sure = False
    for cell in cells:
        plain = cell.strip()
        if "," in plain:
            if not DECIMAL_COMMA.fullmatch(plain):
                return False
            sure = sure or not is_grouped(plain)
        elif "." in plain and is_number(plain):
            return False
    return sure


def with_grouping_points(cells: Iterable[str]) -> str:
    """Return a number whose point separates thousands beyond doubt, "" if there is none.

    Every number with a point has three digits behind it, some end in 0, and others are whole numbers without a point:
    a program that writes 1.230 for a decimal writes 7.000 for 7.
    """
    found, has_whole = "", False
    for cell in cells:
        plain = cell.strip()
        if "." not in plain:
            has_whole = has_whole or (plain.isdecimal() and plain.strip("0") != "")
        elif not _WITH_POINTS.fullmatch(plain):
            return ""
        elif not found and plain.endswith("0"):
            found = plain
    return found if has_whole else ""


def advice_on(cell: str) -> str:
    """What to do about a cell that cannot be read as a number: one sentence, "" if nothing is known about it."""
    plain = cell.strip()
    advice = {
        _GROUPED: "Write numbers without thousands separators and with a decimal point.",
        DECIMAL_COMMA: "Write a decimal point.",
        _FORTRAN: "Write exponents with an E, as in 1E+05.",
        NUMBER: "It is beyond the range of numbers: correct it.",
        _INFINITE: "Replace infinite values.",
        _BOOLEAN: "Write 1 for true and 0 for false.",
    }
    found = next((sentence for pattern, sentence in advice.items() if pattern.fullmatch(plain)), "")
    return found or ("Write shares without the percent sign." if plain.endswith("%") else "")
