"""The samples of a study: loaded from the sample sheet and the configuration, with every fault reported at once.

Standard library only, so that the workflow and every rule can import it.
"""

from __future__ import annotations

import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..core.compressed import DAMAGE, compression, open_unpacked
from ..core.missing import MISSING_WORDS, is_missing
from ..core.words import count
from ..errors import InputError
from .fasta import foreign_format
from .sample_sheet import OWN_COLUMNS, Row, read_entries, read_sheet
from .sources import SOURCES, bam_fault, source_faults, split_rows

STRANDEDNESS = ("auto", "unstranded", "forward", "reverse")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")

_N_BYTES = 64  # by which other formats are recognised

_NAME_RULE = "letters, digits, '_', '.' and '-', a letter or digit first, at most 100 characters"


@dataclass(frozen=True)
class Unit:
    """The reads of one lane or sequencing run of a sample.

    Attributes
    ----------
    name
        Unique within the sample.
    fq1, fq2
        FASTQ files; `fq2` is empty for single-end reads. Or `fq1` is a folder for such files (see `unit_in`).
    bam
        BAM file whose reads are still to be extracted; "" for none.
    sra
        Accession of a run that is still to be fetched; "" for none.
    """

    name: str
    fq1: str
    fq2: str = ""
    bam: str = ""
    sra: str = ""

    @property
    def paired(self) -> bool:
        """Whether the reads are pairs."""
        return bool(self.fq2)

    @property
    def files(self) -> list[str]:
        """The file of each mate, one or two."""
        return [self.fq1, self.fq2] if self.fq2 else [self.fq1]


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
        One of `STRANDEDNESS`; with "auto" it is measured from the reads.
    columns
        All other columns of the sheet, such as condition and donor.
    """

    name: str
    units: tuple[Unit, ...]
    strandedness: str = "auto"
    columns: dict[str, str] = field(default_factory=dict)

    @property
    def paired(self) -> bool:
        """Whether the reads are pairs."""
        return self.units[0].paired

    @property
    def files(self) -> list[str]:
        """All FASTQ files, unit by unit."""
        return [path for unit in self.units for path in unit.files]

    def in_folders(self, fetched: str, extracted: str) -> Sample:
        """Return the sample with FASTQ alone: folders for what is fetched from the SRA or extracted from BAM files."""
        units = []
        for unit in self.units:
            if unit.sra:
                unit = Unit(unit.name, f"{fetched}/{unit.sra}")
            elif unit.bam:
                unit = Unit(unit.name, f"{extracted}/{self.name}/{unit.name}")
            units.append(unit)
        return replace(self, units=tuple(units))

    def as_params(self) -> dict[str, Any]:
        """Return what jobs on the reads depend on, as built-in types. Labels are left out, so they may change."""
        units = [[unit.name, unit.fq1, unit.fq2] for unit in self.units]
        return {"name": self.name, "units": units, "strandedness": self.strandedness}

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> Sample:
        """Make a sample from the result of `as_params`; units that are folders get the files in there."""
        units = (Unit(*unit) for unit in params["units"])
        found = (unit_in(unit.fq1, unit.name) if Path(unit.fq1).is_dir() else unit for unit in units)
        return cls(params["name"], tuple(found), params["strandedness"])


def unit_in(folder: str | Path, name: str = "1") -> Unit:
    """Return the unit of a folder that holds ``1.fastq.gz`` and ``2.fastq.gz``, or ``single.fastq.gz``."""
    single = Path(folder, "single.fastq.gz")
    files = [single] if single.exists() else [Path(folder, f"{mate}.fastq.gz") for mate in (1, 2)]
    return Unit(name, *map(str, files))


def load_samples(
    sheet: str,
    rows: Sequence[dict[str, Any]] = (),
    *,
    label_column: str,
    group_column: str = "",
    exclude: Iterable[Any] = (),
    missing: str = "refuse",
    na_values: Iterable[Any] = MISSING_WORDS,
    min_per_class: int = 2,
) -> tuple[Sample, ...]:
    """Load and check all samples.

    Parameters
    ----------
    sheet
        Table with a header; its separator and encoding are found in it. Empty lines and lines that start with '#' are
        skipped.
        Columns: sample; one of fq1, bam and sra; optional fq2 (without it: single-end), unit (for samples with several
        rows, one per lane or run), strandedness (default auto), and any others. Several files or runs in a cell are
        separated by commas. "" for no sheet.
    rows
        Entries with the same keys from the configuration; added to those of the sheet.
    label_column
        Column of the label; "" if there is none.
    group_column
        Column of the group, for example the donor; "" if there is none.
    exclude
        Labels that are not classes.
    missing
        "refuse", "drop" or "unlabelled": what to do with samples without a label. If they are not refused, they need no
        group either.
    na_values
        Words that are missing values, in labels and groups.
    min_per_class
        Minimum number of samples per class.

    Returns
    -------
    tuple of Sample
        In the order of first appearance. Paths are as given; relative ones start at the working directory.

    Raises
    ------
    InputError
        With one line per fault, naming its row (the header is row 1) and column.
    """
    faults: list[str] = []
    required = ["sample", "fq1", *(column for column in (label_column, group_column) if column)]
    for key, column in (("label", label_column), ("group", group_column)):
        if column in OWN_COLUMNS:
            faults.append(f"the {key} column is '{column}', expected a column that describes the sample.")
    found = [*(read_sheet(sheet, required, faults) if sheet else []), *read_entries(rows, required, faults)]
    if not found and not faults:
        source = f"{sheet} has no row below its header" if sheet else "neither a sheet nor `samples` is given"
        faults.append(f"{source}, expected one row per sample.")
    found = split_rows(found, faults)
    complete = not faults
    words = {str(word) for word in na_values} - {str(label) for label in exclude}
    for row in found:
        faults += _check_cells(row, required, _optional(row, label_column, group_column, missing, words), words)
    faults += _check_files(found)
    by_name: dict[str, list[Row]] = {}
    for row in found:
        by_name.setdefault(row["sample"], []).append(row)
    by_name.pop("", None)
    faults += _check_names(by_name)
    for units in by_name.values():
        faults += _check_units(units)
    if complete and label_column and (missing in ("drop", "unlabelled") or all(row[label_column] for row in found)):
        labels = {name: units[0][label_column] for name, units in by_name.items()}
        labels = {name: label for name, label in labels.items() if not is_missing(label, words)}
        faults += _check_classes(labels, label_column, {str(label) for label in exclude}, min_per_class)
    if faults:
        title = f"The samples cannot be used, {count(len(faults), 'fault')}:"
        raise InputError("\n  ".join([title, *dict.fromkeys(faults)]))
    columns = list(dict.fromkeys(column for row in found for column in row.cells if column not in OWN_COLUMNS))
    return tuple(_sample(name, units, columns) for name, units in by_name.items())


def readable_units(sheet: str, rows: Sequence[dict[str, Any]] = ()) -> list[tuple[str, Unit]]:
    """Find the units of a sheet, which may be at fault elsewhere, whose FASTQ files can be read: (sample, unit)."""
    faults: list[str] = []
    required = ["sample", "fq1"]
    found = [*(read_sheet(sheet, required, faults) if sheet else []), *read_entries(rows, required, faults)]
    units = []
    for row in split_rows(found, faults):
        files = [row[column] for column in ("fq1", "fq2") if row[column]]
        is_readable = len(set(files)) == len(files) and not any(_file_fault(path, "fq1") for path in files)
        if row["sample"] and row["fq1"] and is_readable:
            units.append((row["sample"], Unit(row["unit"] or "1", row["fq1"], row["fq2"])))
    return units


def _sample(name: str, rows: list[Row], columns: list[str]) -> Sample:
    units = tuple(Unit(row["unit"] or "1", row["fq1"], row["fq2"], row["bam"], row["sra"]) for row in rows)
    return Sample(name, units, rows[0]["strandedness"] or "auto", {column: rows[0][column] for column in columns})


def _optional(row: Row, label_column: str, group_column: str, missing: str, words: Collection[str]) -> set[str]:
    """Columns that may be empty: the label if such samples are dropped, and then the group."""
    if missing in ("drop", "unlabelled") and label_column and is_missing(row[label_column], words):
        return {label_column, group_column}
    return set()


def _check_cells(row: Row, required: list[str], optional: Collection[str], words: Collection[str]) -> list[str]:
    faults = []
    for column, cell in row.cells.items():
        if character := _unprintable(cell):
            faults.append(f"{row.place}, {column}: holds the character {character!r}, expected one line of plain text.")
    faults += source_faults(row)
    for column in (column for column in required if column not in {*optional, *SOURCES}):
        if not row[column]:
            faults.append(f"{row.place}, {column}: is empty, expected a value.")
        elif column not in OWN_COLUMNS and row[column] in words:
            faults.append(
                f"{row.place}, {column}: is '{row[column]}', which means that it is missing, expected a value. Fill it "
                "in, or make it a name with `labels: {na_values: []}`."
            )
    for column in ("sample", "unit"):
        if row[column] and not _NAME.fullmatch(row[column]):
            faults.append(f"{row.place}, {column}: is {row[column]!r}, expected {_NAME_RULE}.")
    if row["strandedness"] not in ("", *STRANDEDNESS):
        faults.append(
            f"{row.place}, strandedness: is '{row['strandedness']}', expected one of {', '.join(STRANDEDNESS)}."
        )
    return faults


def _unprintable(text: str) -> str:
    """Return the first character that ends a line or controls a terminal, or ""."""
    return next((letter for letter in text if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")), "")


def _check_files(rows: list[Row]) -> list[str]:
    """Check that every file exists, looks like FASTQ or BAM, and is given only once, and so every run."""
    faults = []
    seen: dict[tuple[int, int], str] = {}
    runs: dict[str, str] = {}
    for row in rows:
        if (run := row["sra"]) in runs:
            faults.append(f"{row.place}, sra: {run} is also the run of {runs[run]}, expected every run once.")
        elif run:
            runs[run] = row.place
        for column in ("fq1", "fq2", "bam"):
            path, place = row[column], f"{row.place}, {column}"
            if not path or _unprintable(path):
                continue
            if fault := _file_fault(path, column):
                faults.append(f"{place}: {fault}")
                continue
            status = Path(path).stat()
            identity = (status.st_dev, status.st_ino)
            if column == "fq2" and seen.get(identity) == f"{row.place}, fq1":
                faults.append(f"{place}: {path} is also the fq1, expected its mates, or nothing for single-end.")
            elif identity in seen:
                faults.append(f"{place}: {path} is also the file of {seen[identity]}, expected every file once.")
            seen.setdefault(identity, place)
    return faults


def _file_fault(path: str, column: str) -> str:
    """Describe what is wrong with a FASTQ or BAM file, from its first bytes; "" if nothing is."""
    if path.startswith("-"):
        return f"'{path}' starts with '-', as options of programs do. Write ./{path}."
    if re.match(r"[A-Za-z][A-Za-z0-9+]+://", path):
        return f"{path} is a URL, expected a file on this machine. Fetch it first."
    start = b""
    try:
        mode = Path(path).stat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
            return f"{path} is {kind}, expected a {'BAM file' if column == 'bam' else 'FASTQ file, plain or gzipped'}."
        if column == "bam":
            return bam_fault(path)
        with Path(path).open("rb") as file:
            start = file.read(_N_BYTES)
        if compression(start):
            with open_unpacked(path) as file:
                start = file.read(_N_BYTES)
    except FileNotFoundError:
        folder = "" if Path(path).is_absolute() else f" in {Path.cwd()}"
        return f"there is no file {path}{folder}, expected a {'BAM' if column == 'bam' else 'FASTQ'} file."
    except DAMAGE as error:
        if reason := getattr(error, "strerror", ""):
            return f"{path} cannot be read ({reason})."
        return f"{path} is a damaged {compression(start)} file ({error}). Fetch it again."
    except ValueError as error:
        return f"{path} cannot be read ({error})."
    if not start:
        return f"{path} is empty, expected reads. Give the right file or remove the sample."
    if foreign := foreign_format(start):
        return f"{path} is {foreign}"
    if not start.startswith(b"@"):
        text = start.decode("ascii", "replace").splitlines()[0]
        return f"{path} starts with '{text}', expected FASTQ, whose records start with '@'."
    return ""


def _check_names(by_name: dict[str, list[Row]]) -> list[str]:
    """Check that no names differ only in case, since they would be the same file on some machines."""
    faults = []
    seen: dict[str, str] = {}
    for name, rows in by_name.items():
        earlier = seen.setdefault(name.casefold(), name)
        if earlier != name:
            faults.append(
                f"{rows[0].place}, sample: '{name}' and '{earlier}' ({by_name[earlier][0].place}) differ only in case, "
                f"expected names that differ in more. Rename one."
            )
    return faults


def _check_units(rows: list[Row]) -> list[str]:
    """Check that the rows of one sample have different units and agree in everything that describes the sample."""
    faults = []
    first, units = rows[0], {rows[0]["unit"].casefold(): rows[0].place}
    for row in rows[1:]:
        unit = row["unit"].casefold()
        if unit in units:
            what = f"unit '{row['unit']}' of sample" if unit else "sample"
            faults.append(
                f"{row.place}: {what} '{row['sample']}' exists already ({units[unit]}), expected it once. Rename it, "
                f"or name the lanes of one sample in the column unit."
            )
        units.setdefault(unit, row.place)
        if bool(row["fq2"]) != bool(first["fq2"]):
            kind, first_kind = ("paired" if r["fq2"] else "single-end" for r in (row, first))
            faults.append(
                f"{row.place}, fq2: sample '{row['sample']}' is {kind} here and {first_kind} in {first.place}, "
                f"expected one kind. Make it two samples."
            )
        for column in dict.fromkeys([*first.cells, *row.cells]):
            if column not in ("sample", "unit", "fq1", "fq2", "bam", "sra") and row[column] != first[column]:
                faults.append(
                    f"{row.place}, {column}: sample '{row['sample']}' has '{row[column]}' here and '{first[column]}' "
                    f"in {first.place}, expected the same in all its units."
                )
    return faults


def _check_classes(labels: dict[str, str], column: str, exclude: set[str], min_per_class: int) -> list[str]:
    classes = Counter(label for label in labels.values() if label not in exclude)
    counts = ", ".join(f"{label}: {n}" for label, n in classes.items())
    small = [label for label, n in classes.items() if n < min_per_class]
    if labels and len(classes) < 2:
        return [
            f"column {column}: the samples are of {count(len(classes), 'class', 'classes')} ({counts or 'none'}), "
            f"expected at least 2 to compare."
        ]
    if small:
        return [
            f"column {column}: too few samples of {', '.join(small)}, expected at least {min_per_class} of every class "
            f"(there are {counts}). Add samples, or leave the class out with `labels.exclude`."
        ]
    return []
