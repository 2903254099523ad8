"""Lines above the header of a table: those of GEO and GCT, titles and merged cells. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import InputError
from .number_text import is_like_number
from .words import count, some

# Tables whose lines above the header are those of a public format. Both have features in rows.
GEO, GCT = "a table of GEO", "a GCT file"

# Lines of GEO that are not of the table.
GEO_MARKS = ("!", "^")

_GEO_START = re.compile(r"!(Series|Sample|Platform|Database|dataset|series_matrix)_|\^(DATABASE|DATASET)\b")

# Titles of spreadsheets are short; chosen by hand.
_MOST_TITLES = 10

Record = list[str]


def known_format(lines: Sequence[str], path: object) -> tuple[str, int]:
    """Recognise a table of GEO or GCT by its first lines.

    Returns
    -------
    tuple of str and int
        `GEO`, `GCT` or "", and the number of lines before the header. Lines of GEO are left out by their mark instead.

    Raises
    ------
    InputError
        If it is a GCT of another version than 1.2.
    """
    first = next((i for i, line in enumerate(lines) if line.strip()), None)
    if first is None:
        return "", 0
    start = lines[first].strip()
    if _GEO_START.match(start):
        return GEO, 0
    version = re.fullmatch(r"#(1\.\d)\s*", start)
    sizes = lines[first + 1].split() if version and len(lines) > first + 1 else []
    if not version or len(sizes) < 2 or not all(map(str.isdecimal, sizes)):
        return "", 0
    if version[1] != "1.2":
        raise InputError(
            f"{path} is a GCT file of version {version[1]}, which has tables of samples and features beside the "
            "values; expected version 1.2. Write it as #1.2, or as csv with the labels in a table of their own."
        )
    return GCT, first + 2


def n_titles(records: Sequence[Record], usual: int) -> int:
    """Count the records above the header: titles, and rows of merged cells.

    A title has one cell. A row of merged cells leaves cells empty, or repeats them; the header below it does not. They
    are found only
    if the record below them names every column but that of the row names, and, beside a row of merged cells, the cells
    below the header are numbers.

    Parameters
    ----------
    records
        First records of the table that are not blank.
    usual
        Number of cells of most records.
    """
    n = 0
    while n < min(_MOST_TITLES, len(records) - 2) and (
        _may_be_above(records[n], usual) or _repeats(records[n]) > _repeats(records[n + 1]) == 0
    ):
        n += 1
    if not n or not _names_all(records[n], usual):
        return 0
    below = [cell for record in records[n + 1 :] for cell in record[1:] if cell.strip()]
    has_numbers = 2 * sum(map(is_like_number, below)) > len(below)
    is_title = all(_filled(record) == 1 and record[0].strip() for record in records[:n])
    return n if has_numbers or is_title else 0


def describe_titles(records: Sequence[Record]) -> str:
    """Say which records above the header were left out."""
    shown = some(" ".join(filter(None, map(str.strip, record))) for record in records)
    return f"left out {count(len(records), 'line')} above the names of the columns ({shown})."


def _filled(record: Record) -> int:
    return sum(bool(cell.strip()) for cell in record)


def _repeats(record: Record) -> int:
    """Number of cells with the same text as another before them."""
    return len(record) - 1 - len(set(record[1:]))


def _may_be_above(record: Record, usual: int) -> bool:
    """Whether a record has too few names for a header; R leaves out that of the row names."""
    if len(record) == usual - 1 and _filled(record) == len(record):
        return False
    return _filled(record) < max(2, usual - 1)


def _names_all(record: Record, usual: int) -> bool:
    names = [cell.strip() for cell in record[1:]]
    while names and not names[-1]:
        names.pop()
    return bool(names) and len(record) >= usual - 1 and all(names) and not any(map(is_like_number, names))
