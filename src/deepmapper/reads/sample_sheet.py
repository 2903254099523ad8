"""The sample sheet and the configuration's samples, read into rows of cells; faults are collected, not raised.

Standard library only.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.delimited import find_layout, raw_records
from ..errors import DeepMapperWarning, InputError

OWN_COLUMNS = ("sample", "unit", "fq1", "fq2", "bam", "sra", "strandedness")  # all other columns describe the sample

_SOURCES = {"fq1", "bam", "sra"}

# Other names of these columns, without case and punctuation: a column that needs renaming must not count as missing.
_SYNONYMS = {
    "sample": {"sample", "samples", "samplename", "sampleid", "name"},
    "unit": {"unit", "units"},
    "fq1": {"fq1", "fastq1", "fastq", "fq", "r1", "read1", "reads1", "forwardreads"},
    "fq2": {"fq2", "fastq2", "r2", "read2", "reads2", "reversereads"},
    "strandedness": {"strandedness", "strandness", "strand"},
}


@dataclass(frozen=True)
class Row:
    """One row of the sheet or entry of the configuration, and its place for messages."""

    place: str
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


def read_sheet(sheet: str, required: list[str], faults: list[str]) -> list[Row]:
    """Read the rows of a sample sheet, and add to `faults`; no rows if the header is faulty.

    Warns
    -----
    DeepMapperWarning
        If the encoding was guessed, or columns are separated by something else than the name of the file says.
    """
    try:
        expected = {".tsv": "\t", ".csv": ","}.get(Path(sheet).suffix.lower(), "")
        layout = find_layout(sheet, expected, by_hand=True)
        lines = [(number, cells) for number, cells in raw_records(layout) if any(map(str.strip, cells))]
    except InputError as error:
        faults.append(str(error))
        return []
    for notice in layout.notices:
        warnings.warn(notice, DeepMapperWarning, stacklevel=4)
    header = layout.header
    header_faults = _check_header(header, required, f"{sheet} row {layout.n_before}")
    faults += header_faults
    rows = []
    for number, cells in lines:
        if cells[0].startswith("#"):
            continue
        if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
            faults.append(
                f"{sheet} row {number}: has {len(cells)} cells, expected at most {len(header)} as in the header."
            )
        pairs = zip(header, cells, strict=False)  # empty cells may be omitted at the end of a row
        rows.append(Row(f"{sheet} row {number}", {column: cell.strip() for column, cell in pairs}))
    return [] if header_faults else rows


def read_entries(entries: Sequence[dict[str, Any]], required: list[str], faults: list[str]) -> list[Row]:
    """Turn entries of the configuration into rows, and add to `faults`; a missing key is an empty cell."""
    rows = []
    for number, entry in enumerate(entries, 1):
        place = f"config `samples` entry {number}"
        if not isinstance(entry, dict):
            faults.append(f"{place}: is {entry!r}, expected keys and values such as `sample: s1`.")
            continue
        wrong = []
        for key, value in entry.items():
            if isinstance(value, bool):
                wrong.append(
                    f"{place}, {key}: is true or false (YAML reads yes, no, on and off as these), expected text."
                )
            elif isinstance(value, float):
                wrong.append(f"{place}, {key}: is {value}, a number to YAML, which reads 1.10 as 1.1, expected text.")
            elif value is not None and not isinstance(value, str | int):
                wrong.append(f"{place}, {key}: is {value!r}, expected text.")
        wrong = [f"{fault} Put the value in quotes." for fault in wrong] + _check_header([*map(str, entry)], [], place)
        faults += wrong
        if not wrong:
            cells = {str(key).strip(): "" if value is None else str(value).strip() for key, value in entry.items()}
            rows.append(Row(place, {**dict.fromkeys(required, ""), **cells}))
    return rows


def _check_header(columns: list[str], required: list[str], place: str) -> list[str]:
    faults = []
    counts = Counter(columns)
    if counts[""]:
        faults.append(f"{place}: {counts['']} of {len(columns)} columns have no name, expected one for each.")
    for column, times in counts.items():
        if times > 1 and column:
            faults.append(f"{place}: the column '{column}' appears {times} times, expected once.")
        if "/" in column or column == "_index":
            faults.append(f"{place}: a column is called '{column}', expected a name without '/' and not '_index'.")
    plain = {column: re.sub(r"[^a-z0-9]", "", column.casefold()) for column in columns}
    for column in dict.fromkeys([*required, *OWN_COLUMNS]):
        # reads come from one of these, and where another one is given a column "SRA" describes the sample
        if column in counts or (column in _SOURCES and counts.keys() & _SOURCES):
            continue
        synonyms = _SYNONYMS.get(column, {column.casefold()})
        likely = [name for name in columns if plain[name] in synonyms]
        if likely:
            faults.append(f"{place}: has a column '{likely[0]}', expected '{column}'. Rename it.")
        elif column in required:
            faults.append(f"{place}: there is no column '{column}', found {', '.join(filter(None, columns))}. Add it.")
    return faults
