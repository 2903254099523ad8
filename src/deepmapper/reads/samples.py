"""The samples of a study, read from the sample sheet; all faults are reported at once.

Standard library only, so that the workflow and every rule can import it.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import stat
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError

STRANDEDNESS = ("auto", "unstranded", "forward", "reverse")

_OWN = ("sample", "unit", "fq1", "fq2", "strandedness")  # every other column describes the sample

# What others call these columns, without case and punctuation: a forgotten rename must not pass as "not given".
_ALSO_CALLED = {
    "sample": {"sample", "samples", "samplename", "sampleid", "name"},
    "unit": {"unit", "units"},
    "fq1": {"fq1", "fastq1", "fastq", "fq", "r1", "read1", "reads1", "forwardreads"},
    "fq2": {"fq2", "fastq2", "r2", "read2", "reads2", "reversereads"},
    "strandedness": {"strandedness", "strandness", "strand"},
}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")

_NAME_RULE = "letters, digits, '_', '.' and '-', a letter or digit first, at most 100 characters"

_OTHER_FORMATS = {
    b"BZh": "a bzip2 file",
    b"PK\x03\x04": "a zip file",
    b"\xfd7zXZ": "an xz file",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"CRAM": "a CRAM file",
    b"NCBI.sra": "an SRA file",
}


@dataclass(frozen=True)
class Unit:
    """One sequencing run or lane of a sample; `fq2` is empty for single-end reads."""

    name: str
    fq1: str
    fq2: str = ""


@dataclass(frozen=True)
class Sample:
    """One sample with its reads.

    Attributes
    ----------
    name
        Fit for a file name.
    units
        All paired or all single-end.
    strandedness
        One of `STRANDEDNESS`; "auto" leaves it to Salmon to find out.
    columns
        Every other column of the sheet, such as the condition and the donor.
    """

    name: str
    units: tuple[Unit, ...]
    strandedness: str = "auto"
    columns: dict[str, str] = field(default_factory=dict)

    @property
    def paired(self) -> bool:
        """Whether the reads are pairs."""
        return bool(self.units[0].fq2)

    @property
    def pairs(self) -> list[list[str]]:
        """``[fq1, fq2]`` of every unit, ``fq2`` empty for single-end reads."""
        return [[unit.fq1, unit.fq2] for unit in self.units]

    @property
    def files(self) -> list[str]:
        """All FASTQ files, unit by unit."""
        return [path for pair in self.pairs for path in pair if path]

    def as_params(self) -> dict[str, Any]:
        """Return what a job on the reads depends on, as plain builtins: no labels, so that these may change."""
        units = [[unit.name, unit.fq1, unit.fq2] for unit in self.units]
        return {"name": self.name, "units": units, "strandedness": self.strandedness}

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> Sample:
        """Undo `as_params`."""
        return cls(params["name"], tuple(Unit(*unit) for unit in params["units"]), params["strandedness"])


@dataclass(frozen=True)
class _Row:
    """One row of the sheet or entry of the configuration, and what to call it."""

    where: str
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


def load_samples(
    sheet: str,
    rows: Sequence[dict[str, Any]] = (),
    *,
    label_column: str,
    group_column: str = "",
    exclude: Iterable[Any] = (),
    min_per_class: int = 2,
) -> tuple[Sample, ...]:
    """Read the samples and check all of them before anything runs.

    Parameters
    ----------
    sheet
        Tab-separated .tsv or comma-separated .csv with a header; empty lines and lines that start with '#' are passed
        over. Columns: sample, fq1; optional fq2 (none: single-end), unit (for samples with several rows, one per lane
        or run) and strandedness (default auto); any further ones. "" for none.
    rows
        Entries with the same keys, as they stand in the configuration; added to those of the sheet.
    label_column
        Column of the label; "" if there is none.
    group_column
        Column of the group, for example the donor; "" if there is none.
    exclude
        Labels that do not count as a class.
    min_per_class
        Fewest samples of a class.

    Returns
    -------
    tuple of Sample
        In the order in which they first appear. Paths are as given: relative ones count from the working directory.

    Raises
    ------
    InputError
        With a line for every fault, its row (the header is row 1) and column.
    """
    faults: list[str] = []
    required = ["sample", "fq1", *(column for column in (label_column, group_column) if column)]
    for key, column in (("label", label_column), ("group", group_column)):
        if column in _OWN:
            faults.append(f"the {key} column is '{column}', expected a column that describes the sample.")
    found = [*(_read_sheet(sheet, required, faults) if sheet else []), *_read_entries(rows, required, faults)]
    if not found and not faults:
        place = f"{sheet} has no row below its header" if sheet else "neither a sheet nor `samples` is given"
        faults.append(f"{place}, expected a row per sample.")
    complete = not faults
    for row in found:
        faults += _check_cells(row, required)
    faults += _check_files(found)
    by_name: dict[str, list[_Row]] = {}
    for row in found:
        by_name.setdefault(row["sample"], []).append(row)
    by_name.pop("", None)
    faults += _check_names(by_name)
    for same in by_name.values():
        faults += _check_units(same)
    if complete and label_column and all(row[label_column] for row in found):
        labels = {name: same[0][label_column] for name, same in by_name.items()}
        faults += _check_classes(labels, label_column, {str(label) for label in exclude}, min_per_class)
    if faults:
        number = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise InputError("\n  ".join([f"The samples cannot be used as they are, {number}:", *dict.fromkeys(faults)]))
    columns = list(dict.fromkeys(column for row in found for column in row.cells if column not in _OWN))
    return tuple(_sample(name, same, columns) for name, same in by_name.items())


def _sample(name: str, rows: list[_Row], columns: list[str]) -> Sample:
    units = tuple(Unit(row["unit"] or "1", row["fq1"], row["fq2"]) for row in rows)
    return Sample(name, units, rows[0]["strandedness"] or "auto", {column: rows[0][column] for column in columns})


def _read_sheet(sheet: str, required: list[str], faults: list[str]) -> list[_Row]:
    text = _sheet_text(sheet, faults)
    if text is None:
        return []
    lines = _table(text, _delimiter(sheet, text, faults), sheet, faults)
    number, header = next(lines, (0, []))
    if not header:
        faults.append(f"{sheet} is empty, expected a header and a row per sample.")
        return []
    wrong = _check_header([column.strip() for column in header], required, f"{sheet} row {number}")
    faults += wrong
    rows = []
    for number, cells in lines:
        if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
            faults.append(
                f"{sheet} row {number}: has {len(cells)} cells, expected at most {len(header)} as in the header."
            )
        pairs = zip(header, cells, strict=False)  # cells left out at the end are empty
        rows.append(_Row(f"{sheet} row {number}", {column.strip(): cell.strip() for column, cell in pairs}))
    return [] if wrong else rows


def _sheet_text(sheet: str, faults: list[str]) -> str | None:
    try:
        return Path(sheet).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        faults.append(f"{sheet}: is no UTF-8 text ({error.reason} at byte {error.start}). Save it as UTF-8 text.")
    except OSError as error:
        faults.append(f"{sheet}: the sample sheet cannot be read ({error.strerror}). Correct its path.")
    return None


def _delimiter(sheet: str, text: str, faults: list[str]) -> str:
    """Return what separates the columns, by the header; the name of the file must not say otherwise."""
    names = {"\t": "tabs", ",": "commas", ";": "semicolons"}
    header = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    found = max(names, key=header.count)
    suffix = Path(sheet).suffix.lower()
    said = {".tsv": "\t", ".csv": ","}.get(suffix, "\t" if found == ";" else found)
    if found in header and found != said:
        remedy = {",": "Name it .csv", "\t": "Name it .tsv", ";": f"Save it with {names[said]}"}[found]
        faults.append(
            f"{sheet}: its columns are separated by {names[found]}, expected {names[said]} in a {suffix or 'sheet'}. "
            f"{remedy}."
        )
    return found if found in header else said


def _table(text: str, delimiter: str, sheet: str, faults: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of every row's first line and its cells."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            faults.append(f"{sheet} row {number}: a quoted cell is not closed or goes on after its end ({error}).")
            return
        if any(cell.strip() for cell in cells) and not cells[0].startswith("#"):
            yield number, cells


def _read_entries(rows: Sequence[dict[str, Any]], required: list[str], faults: list[str]) -> list[_Row]:
    """Turn entries of the configuration into rows; a missing key is an empty cell, said of each entry."""
    found = []
    for number, entry in enumerate(rows, 1):
        where = f"config `samples` entry {number}"
        if not isinstance(entry, dict):
            faults.append(f"{where}: is {entry!r}, expected keys and values such as `sample: s1`.")
            continue
        wrong = []
        for key, value in entry.items():
            if isinstance(value, bool):
                wrong.append(f"{where}, {key}: is true or false, as YAML reads yes, no, on and off, expected text.")
            elif value is not None and not isinstance(value, str | int | float):
                wrong.append(f"{where}, {key}: is {value!r}, expected text.")
        wrong = [f"{fault} Put the value in quotes." for fault in wrong] + _check_header([*map(str, entry)], [], where)
        faults += wrong
        if not wrong:
            cells = {str(key).strip(): "" if value is None else str(value).strip() for key, value in entry.items()}
            found.append(_Row(where, {**dict.fromkeys(required, ""), **cells}))
    return found


def _check_header(columns: list[str], required: list[str], where: str) -> list[str]:
    faults = []
    counts = Counter(columns)
    if counts[""]:
        faults.append(f"{where}: {counts['']} of {len(columns)} columns have no name, expected one for each.")
    for column, times in counts.items():
        if times > 1 and column:
            faults.append(f"{where}: the column '{column}' is there {times} times, expected once.")
        if "/" in column or column == "_index":
            faults.append(f"{where}: a column is called '{column}', expected a name without '/' and not '_index'.")
    plain = {column: re.sub(r"[^a-z0-9]", "", column.casefold()) for column in columns}
    for column in dict.fromkeys([*required, *_OWN]):
        if column in counts:
            continue
        likely = [other for other in columns if plain[other] in _ALSO_CALLED.get(column, {column.casefold()})]
        if likely:
            faults.append(f"{where}: has a column '{likely[0]}', expected '{column}'. Rename it.")
        elif column in required:
            faults.append(
                f"{where}: there is no column '{column}', expected it beside {', '.join(filter(None, columns))}."
            )
    return faults


def _check_cells(row: _Row, required: list[str]) -> list[str]:
    faults = []
    for column, cell in row.cells.items():
        if bad := _unprintable(cell):
            faults.append(f"{row.where}, {column}: holds the character {bad!r}, expected one line of plain text.")
    faults += [f"{row.where}, {column}: is empty, expected a value." for column in required if not row[column]]
    for column in ("sample", "unit"):
        if row[column] and not _NAME.fullmatch(row[column]):
            faults.append(f"{row.where}, {column}: is {row[column]!r}, expected {_NAME_RULE}.")
    if row["strandedness"] not in ("", *STRANDEDNESS):
        faults.append(
            f"{row.where}, strandedness: is '{row['strandedness']}', expected one of {', '.join(STRANDEDNESS)}."
        )
    return faults


def _unprintable(text: str) -> str:
    """Return the first character that ends a line or controls a terminal."""
    return next((letter for letter in text if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")), "")


def _check_files(rows: list[_Row]) -> list[str]:
    """Every file is there, holds FASTQ by its first byte, and is given once."""
    faults = []
    seen: dict[tuple[int, int], str] = {}
    for row in rows:
        for column in ("fq1", "fq2"):
            path, where = row[column], f"{row.where}, {column}"
            if not path or _unprintable(path):
                continue
            if fault := _file_fault(path):
                faults.append(f"{where}: {fault}")
                continue
            known = Path(path).stat()
            identity = (known.st_dev, known.st_ino)
            if seen.get(identity) == f"{row.where}, fq1":
                faults.append(f"{where}: {path} is the file of fq1 too, expected its mates, or nothing for single-end.")
            elif identity in seen:
                faults.append(f"{where}: {path} is the file of {seen[identity]} too, expected every file once.")
            seen.setdefault(identity, where)
    return faults


def _file_fault(path: str) -> str:
    """Say what is wrong with a FASTQ file, as far as its first byte tells; "" if nothing is."""
    if path.startswith("-"):
        return f"'{path}' starts with '-', as an option of a program does. Write ./{path}."
    if re.match(r"[A-Za-z][A-Za-z0-9+]+://", path):
        return f"{path} is an address, expected a file on this machine. Fetch it first."
    try:
        mode = Path(path).stat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "no ordinary file"
            return f"{path} is {kind}, expected a FASTQ file, plain or gzipped."
        with Path(path).open("rb") as file:
            start = file.read(8)
        if start[:2] == b"\x1f\x8b":
            with gzip.open(path) as file:
                start = file.read(8)
                if start.startswith(b"BAM\x01"):
                    return f"{path} is a BAM file, expected FASTQ. Convert it with samtools fastq."
    except FileNotFoundError:
        here = "" if Path(path).is_absolute() else f" in {Path.cwd()}"
        return f"there is no file {path}{here}, expected a FASTQ file."
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        return f"{path} is a damaged gzip file ({error}). Fetch it again."
    except (OSError, ValueError) as error:
        return f"{path} cannot be read ({getattr(error, 'strerror', None) or error})."
    if not start:
        return f"{path} is empty, expected reads. Give the right file or remove the sample."
    for magic, kind in _OTHER_FORMATS.items():
        if start.startswith(magic):
            return f"{path} is {kind}, expected FASTQ, plain or gzipped. Convert it."
    if not start.startswith(b"@"):
        shown = start.decode("ascii", "replace").splitlines()[0]
        return f"{path} starts with '{shown}', expected FASTQ, whose records start with '@'."
    return ""


def _check_names(by_name: dict[str, list[_Row]]) -> list[str]:
    """Names that differ in case alone would be one file on some machines."""
    faults = []
    seen: dict[str, str] = {}
    for name, rows in by_name.items():
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            faults.append(
                f"{rows[0].where}, sample: '{name}' and '{other}' ({by_name[other][0].where}) differ in case alone, "
                f"expected names that differ in more."
            )
    return faults


def _check_units(rows: list[_Row]) -> list[str]:
    """The rows of one sample are told apart by their unit and agree in everything that describes the sample."""
    faults = []
    first, units = rows[0], {rows[0]["unit"].casefold(): rows[0].where}
    for row in rows[1:]:
        unit = row["unit"].casefold()
        if unit in units:
            what = f"unit '{row['unit']}' of sample" if unit else "sample"
            faults.append(
                f"{row.where}: {what} '{row['sample']}' is there already ({units[unit]}), expected it once. Take "
                f"another name, or tell lanes of one sample apart in the column unit."
            )
        units.setdefault(unit, row.where)
        if bool(row["fq2"]) != bool(first["fq2"]):
            kinds = ["paired" if one["fq2"] else "single-end" for one in (row, first)]
            faults.append(
                f"{row.where}, fq2: sample '{row['sample']}' is {kinds[0]} here and {kinds[1]} in {first.where}, "
                f"expected one kind. Name two samples."
            )
        for column in dict.fromkeys([*first.cells, *row.cells]):
            if column not in ("sample", "unit", "fq1", "fq2") and row[column] != first[column]:
                faults.append(
                    f"{row.where}, {column}: sample '{row['sample']}' has '{row[column]}' here and '{first[column]}' "
                    f"in {first.where}, expected the same in all its units."
                )
    return faults


def _check_classes(labels: dict[str, str], column: str, exclude: set[str], fewest: int) -> list[str]:
    classes = Counter(label for label in labels.values() if label not in exclude)
    counts = ", ".join(f"{label}: {n}" for label, n in classes.items())
    small = [label for label, n in classes.items() if n < fewest]
    if labels and len(classes) < 2:
        return [
            f"column {column}: the samples are of {len(classes)} class{'' if classes else 'es'} ({counts or 'none'}), "
            f"expected at least 2 to compare."
        ]
    if small:
        return [
            f"column {column}: too few samples of {', '.join(small)}, expected at least {fewest} of every class "
            f"(there are {counts}). Add samples, or leave the class out with `labels.exclude`."
        ]
    return []
