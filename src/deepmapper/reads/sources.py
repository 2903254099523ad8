"""Where the reads of a row of the sample sheet come from: FASTQ files, a BAM file or runs of the SRA.

Standard library only, so that the workflow can import it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from ..core.compressed import DAMAGE, open_unpacked
from .fasta import foreign_format
from .sample_sheet import Row

SOURCES = ("fq1", "bam", "sra")

_RUN = re.compile(r"[SED]RR\d{5,10}")

# Other accessions of the archives, by the letters they start with.
_OTHER_ACCESSIONS = {
    "RX": "an experiment",
    "RS": "a sample",
    "RP": "a study",
    "SAM": "a sample",
    "PRJ": "a project",
    "GSM": "a sample of GEO",
    "GSE": "a series of GEO",
}


def split_rows(rows: list[Row], faults: list[str]) -> list[Row]:
    """Split rows that list several files or runs, separated by commas, into one row each; add to `faults`.

    A path that exists is never split. Units of several files are numbered; a unit of a run without a name gets that of
    the run.
    """
    return [part for row in rows for part in _split(row, faults)]


def source_faults(row: Row) -> list[str]:
    """List what is wrong with the columns of a row that say where its reads come from."""
    given = [column for column in SOURCES if row[column]]
    if len(given) > 1:
        return [
            f"{row.place}: the columns {' and '.join(given)} are both filled in, expected one source of reads. Leave "
            "the other empty."
        ]
    if not given:
        known = [column for column in SOURCES if column in row.cells] or ["fq1"]
        if known == ["fq1"]:
            return [f"{row.place}, fq1: is empty, expected a value."]
        return [f"{row.place}: {', '.join(known)} are empty, expected a value in one of them."]
    if row["fq2"] and given != ["fq1"]:
        return [f"{row.place}, fq2: is {row['fq2']}, expected nothing: the mates are in the {given[0]}, too."]
    if row["sra"] and not _RUN.fullmatch(row["sra"]):
        return [f"{row.place}, sra: is '{row['sra']}', {_accession_fault(row['sra'])}"]
    return []


def bam_fault(path: str) -> str:
    """Describe what is wrong with a BAM or SAM file, from its first bytes; "" if nothing is.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with Path(path).open("rb") as file:
        start = file.read(64)
    if start.startswith(b"CRAM"):
        return (
            f"{path} is a CRAM file, which can be read only with the genome that it was made with, expected BAM. "
            f"Convert it, and give the BAM: samtools view -b -T GENOME.fa -o OUT.bam {path}"
        )
    if start.startswith(b"\x1f\x8b"):
        try:
            with open_unpacked(path) as unpacked:
                start = unpacked.read(64)
        except DAMAGE as error:
            return f"{path} is damaged ({error}). Fetch it again."
        if start.startswith(b"BAM\x01"):
            return ""
    elif re.match(rb"@(HD|SQ|RG|PG|CO)\t", start):
        return ""
    if re.match(rb"@\S", start):
        return f"{path} looks like FASTQ, expected BAM. Give it as fq1."
    foreign = foreign_format(start, "BAM")
    return f"{path} is {foreign}" if foreign else f"{path} is no BAM file, expected BAM or SAM."


def _split(row: Row, faults: list[str]) -> list[Row]:
    values = {column: _listed(row[column], column) for column in (*SOURCES, "fq2")}
    n = max(map(len, values.values()))
    if n <= 1:
        run = row["sra"]
        return [replace(row, cells={**row.cells, "unit": run}) if run and not row["unit"] else row]
    if values["fq2"] != [""] and len(values["fq1"]) != len(values["fq2"]):
        faults.append(
            f"{row.place}: fq1 lists {len(values['fq1'])} files and fq2 {len(values['fq2'])}, expected the mates of "
            "each in the same order."
        )
        return []
    for column, own in values.items():
        if len(own) > 1 and "" in own:
            faults.append(f"{row.place}, {column}: an entry before or after a comma is empty, expected a value.")
            return []
    parts = []
    for i in range(n):
        cells = {column: own[i] if i < len(own) else "" for column, own in values.items() if column in row.cells}
        name = cells.get("sra") or str(i + 1)
        cells["unit"] = f"{row['unit']}.{name}" if row["unit"] else name
        parts.append(replace(row, cells={**row.cells, **cells}))
    return parts


def _listed(cell: str, column: str) -> list[str]:
    """Entries of a cell: a path may contain commas, a list of accessions may be separated by blanks."""
    if column == "sra":
        return [word for word in re.split(r"[,;\s]+", cell) if word]
    if "," not in cell or Path(cell).exists():
        return [cell]
    return [entry.strip() for entry in cell.split(",")]


def _accession_fault(text: str) -> str:
    for letters, kind in _OTHER_ACCESSIONS.items():
        if re.match(f"[SED]?{letters}", text, re.IGNORECASE):
            return f"{kind}, expected runs (SRR, ERR or DRR and digits). NCBI's Run Selector lists the runs of {kind}."
    return "expected the accession of a run (SRR, ERR or DRR and digits)."
