"""Delimited text: separator, quotes, comment lines and header are found in the text. Standard library only."""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..errors import InputError
from .number_text import is_like_number
from .preambles import GEO, GEO_MARKS, describe_titles, known_format, n_titles
from .text_files import TextFile, examine_text
from .words import count, some

# In order of preference.
SEPARATOR_NAMES = {"\t": "tabs", ";": "semicolons", ",": "commas", "|": "vertical bars", " ": "blanks"}

# Lines and characters of the beginning that decide on the layout; of wide tables at least two lines. Chosen by hand.
_MAX_LINES, _MAX_CHARACTERS = 200, 2**20

# A first line by which spreadsheets say the separator.
_SEPARATOR_LINE = re.compile(r"\s*[Ss]ep=([,;|\t])\s*")

Record = list[str]


@dataclass(frozen=True)
class Layout:
    """How a table of text is written.

    Attributes
    ----------
    text
        The file, with its encoding.
    separator
        One of `SEPARATOR_NAMES`; a blank stands for one or more blanks or tabs.
    quote
        The quotation mark, ``"`` or ``'``.
    n_before
        Number of lines up to and including the header.
    header
        Name of every column, without blanks around; "" for the row names if the header has no name for them.
    n_fields
        Number of cells of every line below. Beyond the header they are empty.
    sample
        The first lines below the header, as cells.
    notices
        Sentences about what was found and is not usual.
    kind
        `preambles.GEO` or `preambles.GCT`, whose rows are features; "" for any other table.
    """

    text: TextFile
    separator: str
    quote: str
    n_before: int
    header: Record
    n_fields: int
    sample: tuple[Record, ...]
    notices: tuple[str, ...]
    kind: str = ""

    @property
    def path(self) -> Path:
        """The file."""
        return self.text.path


def find_layout(path: str | Path, expected: str = "", *, by_hand: bool = False) -> Layout:
    """Find out how a table is written.

    Parameters
    ----------
    path
        The file, compressed or not.
    expected
        Separator that the name of the file or an option stands for; it decides if several fit. "" for none.
    by_hand
        Whether the table is written by hand: lines may end early, the header may stand alone, and every line that
        starts with # is a comment. Otherwise the last such line before the table may be the header.

    Raises
    ------
    InputError
        If it is not text, or not a table of at least two columns with a header and a line below it.
    """
    text = examine_text(path)
    with text.open() as file:
        lines = list(_first_lines(file))
    kind, skipped = known_format(lines, path)
    skipped += sum(1 for _ in itertools.takewhile(partial(_is_before_header, kind=kind), lines[skipped:]))
    body, notices = list(_table_lines(lines[skipped:], kind)), [text.notice]
    if not body:
        found = "holds no table, only comments" if any(map(str.strip, lines)) else "is empty"
        raise InputError(f"{path} {found}. Copy or write it again.")
    if said := next(filter(None, map(_SEPARATOR_LINE.fullmatch, lines[:skipped])), None):
        expected = said[1]
    quote = "'" if any(re.match(r"\s*'[^']*'\s*([,;|\t ]|$)", line) for line in body[:2]) else '"'
    fits = [fit for separator in SEPARATOR_NAMES if (fit := _fit(body, separator, quote, expected, by_hand))]
    if not fits:
        raise InputError(f"{path}: {_no_table(body, quote)}")
    best = max(fits, key=lambda fit: fit.rank)
    header, below, n_before = best.header, best.below, skipped + best.n_header_lines
    if best.titles:
        notices.append(f"{path}: {describe_titles(best.titles)}")
    if not by_hand and skipped and lines[skipped - 1].startswith("#"):
        named = next(_parsed([lines[skipped - 1].lstrip("#")], best.separator, quote), (0, []))[1]
        if _is_header(named, lines[skipped - 1], best):
            header, below, n_before = named, [header, *below], skipped
            notices.append(f"{path}: line {skipped}, which starts with #, was taken as the header.")
    if not below and not by_hand:
        fault = _quote_fault(body, best.separator, quote)
        if kind == GEO:
            fault = "has no values, as GEO writes it for sequencing. Take the counts from the supplementary files."
        raise InputError(f"{path} {fault or 'has a header, but no lines below it. Copy or write it again.'}")
    if expected and best.separator != expected:
        notices.append(
            f"{path}: columns are separated by {SEPARATOR_NAMES[best.separator]}, not by "
            f"{SEPARATOR_NAMES.get(expected, repr(expected))}, and were read so."
        )
    n_fields = _usual(below, len(header))
    header = _columns([cell.strip() for cell in header], below, n_fields)
    kept = tuple(row for row in below if len(row) == n_fields)
    return Layout(text, best.separator, quote, n_before, header, n_fields, kept, tuple(filter(None, notices)), kind)


def raw_records(layout: Layout) -> Iterator[tuple[int, Record]]:
    """Yield the number of the first line and the cells of every record below the header, as they are.

    Raises
    ------
    InputError
        If a quotation mark is not closed.
    """
    with layout.text.open() as file:
        for _ in itertools.islice(file, layout.n_before):
            pass
        try:
            yield from _parsed(_table_lines(file, layout.kind), layout.separator, layout.quote, layout.n_before)
        except _QuoteError as error:
            raise InputError(
                f"{layout.path} line {error.line}: a quoted cell is not closed, or text follows its closing quote "
                f"({error}). Close it, or remove the quote."
            ) from error


def read_records(layout: Layout) -> Iterator[tuple[int, Record]]:
    """Yield the number and the cells of every line below the header, one per name of the header, without blanks around.

    Lines without a value are left out.

    Raises
    ------
    InputError
        If a line has another number of cells, or a quotation mark is not closed.
    """
    n = len(layout.header)
    for number, raw in raw_records(layout):
        cells = [cell.strip() for cell in raw]
        if not any(cells):
            continue
        if len(cells) < n or any(cells[n:]):
            raise InputError(
                f"{layout.path} line {number}: has {count(len(cells), 'cell')}, expected {layout.n_fields} as in the "
                f"other lines. Correct this line, which begins with {some(cells)}."
            )
        yield number, cells[:n]


def check_lines(layout: Layout) -> None:
    """Raise `InputError` about the first line that `read_records` would refuse, if there is one."""
    for _ in read_records(layout):
        pass


def rows_named(layout: Layout, names: Sequence[str]) -> Iterator[Record]:
    """Yield the lines whose first cell is one of some names; all other lines are passed over without being cut."""
    starts = tuple(mark + name for name in names for mark in ("", layout.quote))
    if not starts:
        return
    with layout.text.open() as file:
        found = (line for line in itertools.islice(file, layout.n_before, None) if line.lstrip().startswith(starts))
        for _, cells in _parsed(found, layout.separator, layout.quote):
            if cells[0].strip() in names:
                yield [cell.strip() for cell in cells]


class _QuoteError(Exception):
    """A quotation mark that is not closed, or is followed by text."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class _Fit:
    """The first lines, cut by a separator that fits; of several the one of the highest rank is right."""

    separator: str
    header: Record
    n_header_lines: int
    below: list[Record]
    rank: tuple
    titles: Sequence[Record] = ()


def _fit(lines: Sequence[str], separator: str, quote: str, expected: str, by_hand: bool) -> _Fit | None:
    """Cut lines by a separator; None if the lines below do not have columns that fit the header."""
    records: list[Record] = []
    try:
        for _, cells in _parsed(lines, separator, quote):
            if not _is_blank(cells):
                records.append(cells)
    except _QuoteError:
        pass  # also at the end of the sample
    if not records:
        return None
    n_above = 0 if by_hand else n_titles(records, _usual(records, 0))
    header, below = records[n_above], records[n_above + 1 :]
    if by_hand:
        below = [cells + [""] * (len(header) - len(cells)) for cells in below if not cells[0].startswith("#")]
    n, n_names = _usual(below, len(header)), len(header)
    share = sum(len(row) == n for row in below) / len(below) if below else 1.0
    same = n_names == n
    if n_names > n:
        close = _is_blank(header[n:])
    else:
        close = n_names == n - 1 or all(_is_blank(row[n_names:]) for row in below)
    if n < 2 or share < 0.5 or not (same or close):
        return None
    preference = -list(SEPARATOR_NAMES).index(separator)
    rank = (same or n_names > 1, separator != " ", not n_above, share == 1, separator == expected, same, preference)
    return _Fit(separator, header, _n_lines(lines, separator, quote, n_above + 1), below, rank, records[:n_above])


def _usual(rows: Sequence[Record], n_names: int) -> int:
    """Return the most frequent number of cells, that of the header if there are no rows or two are as frequent."""
    numbers = Counter(map(len, rows))
    return max(numbers, key=lambda n: (numbers[n], n == n_names)) if rows else n_names


def _is_blank(cells: Iterable[str]) -> bool:
    return not any(cell.strip() for cell in cells)


def _n_lines(lines: Iterable[str], separator: str, quote: str, n_records: int) -> int:
    """Return how many lines the first records span that are not blank."""
    reader = csv.reader(_single_blanks(lines, separator), delimiter=separator, quotechar=quote, skipinitialspace=True)
    while n_records and (cells := next(reader, None)) is not None:
        n_records -= not _is_blank(cells)
    return reader.line_num


def _is_header(named: Record, line: str, fit: _Fit) -> bool:
    """Whether a line that starts with # is the header, rather than a comment."""
    n = _usual(fit.below, len(fit.header))
    if len(named) != n or named == fit.header or _is_blank(named[1:]):
        return False
    if any(map(is_like_number, fit.header[1:])):
        return not any(map(is_like_number, named[1:]))
    if any(is_like_number(cell) for row in fit.below for cell in row[1:]):
        return False  # the next line has no numbers, so it is the header
    return fit.separator != " " and not line[1:2].isspace()


def _columns(header: Record, below: Sequence[Record], n_fields: int) -> Record:
    """Return one name for each column: "" for row names without one, and none for columns at the end that are empty."""
    rows = [row for row in below if len(row) == n_fields]
    if len(header) == n_fields - 1 and any(row[-1].strip() for row in rows):
        header = ["", *header]  # written by R's write.table
    names = [*header, *[""] * (n_fields - len(header))][:n_fields]
    while len(names) > 1 and not names[-1] and _is_blank(row[len(names) - 1] for row in rows):
        names.pop()
    return names


def _no_table(body: Sequence[str], quote: str) -> str:
    """Say why no separator fits."""
    for separator in SEPARATOR_NAMES:
        if separator == " ":
            continue
        if fault := _quote_fault(body, separator, quote):
            return fault
        records = [cells for _, cells in _parsed(body, separator, quote)]
        n, n_names = _usual(records[1:], len(records[0])), len(records[0])
        if n_names > 1 and n > 1:
            return f"the header has {n_names} columns, but the lines below it have {n}; expected the same number."
    start = body[0].strip()[:60]
    return f"found one column ({start!r}), expected a column of names and at least one more."


def _quote_fault(lines: Sequence[str], separator: str, quote: str) -> str:
    """Say where a quotation mark is not closed, "" if all are."""
    try:
        for _ in _parsed(lines, separator, quote):
            pass
    except _QuoteError as error:
        return f"line {error.line} below the comments: a quoted cell is not closed ({error}). Close it, or remove it."
    return ""


def _first_lines(file: Iterable[str]) -> Iterator[str]:
    """Yield the first lines of a file, at least three below the comments."""
    n_lines = n_characters = n_body = 0
    for line in file:
        yield line
        n_lines, n_characters, n_body = n_lines + 1, n_characters + len(line), n_body + (not _is_before_header(line))
        if n_body > 2 and (n_lines >= _MAX_LINES or n_characters >= _MAX_CHARACTERS):
            return


def _is_before_header(line: str, kind: str = GEO) -> bool:
    marks = ("#", *GEO_MARKS) if kind == GEO else "#"
    return not line.strip() or line.startswith(marks) or _SEPARATOR_LINE.fullmatch(line) is not None


def _table_lines(lines: Iterable[str], kind: str) -> Iterable[str]:
    """Leave out the lines of a file of GEO that are not of its table."""
    return (line for line in lines if not line.startswith(GEO_MARKS)) if kind == GEO else lines


def _single_blanks(lines: Iterable[str], separator: str) -> Iterator[str]:
    """Replace runs of blanks and tabs by one blank, if blanks separate the columns."""
    if separator != " ":
        yield from lines
        return
    for line in lines:
        line = re.sub(r"^[ \t]+|[ \t]+(?=[\r\n]*$)", "", line)
        yield line if '"' in line or "'" in line else re.sub(r"[ \t]+", " ", line)


def _parsed(lines: Iterable[str], separator: str, quote: str, n_before: int = 0) -> Iterator[tuple[int, Record]]:
    """Yield the number of the first line and the cells of every record."""
    reader = csv.reader(
        _single_blanks(lines, separator), delimiter=separator, quotechar=quote, skipinitialspace=True, strict=True
    )
    while True:
        number = n_before + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _QuoteError(str(error), number) from error
        yield number, cells
