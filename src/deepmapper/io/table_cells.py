"""Cells of a table that become the numbers of a matrix: what is text instead, and what is wrong with a cell."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.missing import is_missing
from ..core.number_text import DECIMAL_COMMA, advice_on, is_grouped, is_like_number, is_number
from ..core.words import count, some
from ..errors import DeepMapperWarning, InputError

if TYPE_CHECKING:
    import pandas as pd


class DecimalCommas(Exception):  # noqa: N818 (no fault: the table is read again)
    """Raised when a table that was read with decimal points turns out to have decimal commas."""


def is_text(cells: Iterable[str]) -> bool:
    """Whether cells are text: some have a value other than a dash or the like, and none is a number in any notation."""
    has_words = False
    for cell in cells:
        if is_like_number(cell):
            return False
        has_words = has_words or (not is_missing(cell) and bool(cell.strip("-–—.?* ")))
    return has_words


@dataclass
class NumberReader:
    """Converts cells of a table to numbers, chunk by chunk.

    Attributes
    ----------
    path
        The table, for messages.
    header
        Name of every column; the first is that of the row names.
    decimal
        Decimal sign.
    may_have_commas
        Whether commas do not separate the columns.
    empty_cells
        "refuse" or "zero": what empty cells and words for missing values mean.
    n_empty
        Number of such cells that became zero.
    """

    path: Path
    header: Sequence[str]
    decimal: str = "."
    may_have_commas: bool = False
    empty_cells: str = "refuse"
    n_empty: int = field(default=0, init=False)

    def convert(self, chunk: pd.DataFrame, names: Sequence[str], positions: Sequence[int]) -> np.ndarray:
        """Return some columns of a chunk as float32, rows × columns.

        Raises
        ------
        InputError
            If a cell is not a number; the first by row is named.
        """
        import pandas as pd

        first_bad: tuple[int, int, str] | None = None
        kinds = [dtype.kind for dtype in chunk.dtypes]
        all_after_names = len(positions) == chunk.shape[1] - 1  # a slice is faster for many columns
        part = chunk.iloc[:, 1:] if all_after_names else chunk[list(positions)]
        not_numbers = [position for position in positions if kinds[position] not in "iuf"]
        if not_numbers:
            part = part.copy(deep=False)
        for position in not_numbers:
            texts = part[position].astype(str).str.strip()
            values = pd.to_numeric(self._with_points(texts), errors="coerce").astype(np.float64)
            for row in np.flatnonzero(values.isna()):
                cell = texts.iloc[row]
                if self.empty_cells == "zero" and is_missing(cell):
                    values.iloc[row] = 0
                    self.n_empty += 1
                elif first_bad is None or row < first_bad[0]:
                    first_bad = int(row), int(position), cell
                    break
            part[position] = values
        if first_bad:
            first_row, column, text = first_bad
            raise self._fault(names[first_row], self.header[column], text)
        with np.errstate(over="ignore"):  # values beyond float32 become infinite, which `check_finite` refuses
            return part.to_numpy(np.float32)

    def _with_points(self, texts: pd.Series) -> pd.Series:
        """Replace decimal commas; then a decimal point is a fault."""
        if self.decimal == ".":
            return texts
        return texts.where(~texts.str.contains(".", regex=False), "x").str.replace(",", ".", n=1, regex=False)

    def _fault(self, row: str, column: str, cell: str) -> InputError:
        """Describe a cell that is not a number; raise `DecimalCommas` if it shows that they are used."""
        place = f"{self.path}: row {row!r}, column {column!r}: found {cell!r}, expected a number."
        if is_missing(cell):
            return InputError(
                f"{place} If empty cells are zeros, write `matrix: {{empty_cells: zero}}` (empty_cells='zero'); "
                "otherwise fill in the values, or leave these rows or columns out."
            )
        if self.may_have_commas and self.decimal == "." and DECIMAL_COMMA.fullmatch(cell) and not is_grouped(cell):
            raise DecimalCommas
        if self.decimal == "," and is_number(cell):
            return InputError(f"{place} Other cells have decimal commas: write all numbers alike.")
        advice = advice_on(cell) or (
            "Correct the value. A column (or row) that describes the samples must be text throughout, or be named in "
            "labels.column, labels.group or confounders."
        )
        return InputError(f"{place} {advice}")

    def say_empty(self) -> None:
        """Warn about empty cells that were taken as zero."""
        if self.n_empty:
            warnings.warn(
                f"{self.path}: took {count(self.n_empty, 'empty or missing cell')} as zero (matrix.empty_cells).",
                DeepMapperWarning,
                stacklevel=4,
            )


def text_columns(sample: Sequence[Sequence[str]], n_columns: int, rows_are_features: bool) -> tuple[int, ...]:
    """Find columns of text, apart from the row names, in the first lines of a table.

    If rows are features, lines that are text throughout do not count, since they describe the samples.
    """
    rows = [row for row in sample if not (rows_are_features and is_text(row[1:n_columns]))]
    found = tuple(i for i in range(1, n_columns) if is_text(row[i] for row in rows if i < len(row)))
    return found if len(found) < n_columns - 1 or not rows_are_features else ()


def text_rows(chunk: pd.DataFrame, positions: Sequence[int]) -> np.ndarray:
    """Return the positions of rows whose cells are text throughout; only for a chunk without any column of numbers."""
    import pandas as pd

    kinds = [dtype.kind for dtype in chunk.dtypes]
    if not positions or any(kinds[position] in "iuf" for position in positions):
        return np.zeros(0, dtype=np.int64)
    first = pd.to_numeric(chunk[positions[0]].astype(str), errors="coerce")
    candidates = np.flatnonzero(first.isna())
    found = [row for row in candidates if is_text(map(str, chunk.iloc[row][list(positions)]))]
    return np.array(found, dtype=np.int64)


def say_taken_out(path: Path, kind: str, names: Sequence[str], describes: str, place: str) -> None:
    """Warn about columns or rows of a matrix that are not numbers: what they describe, and where they are now."""
    one = len(names) == 1
    warnings.warn(
        f"{path}: {count(len(names), kind)} ({some(names, 6)}) {'describes' if one else 'describe'} the {describes}, "
        f"and {'was' if one else 'were'} {place}.",
        DeepMapperWarning,
        stacklevel=4,
    )
