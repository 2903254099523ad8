"""Files that are given as reads, but are not reads of bulk RNA-seq that can be counted here. Standard library only.

Programs read some of them without an error and give counts that mean nothing: both mates in one file, mates that are
swapped, barcodes of single cells in place of a mate, long reads, qualities of the old scale.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from statistics import median
from typing import NamedTuple

from ..core.compressed import open_unpacked
from .cell_barcodes import barcode_caution, barcode_fault
from .nucleotides import impossible_letter
from .samples import Unit

_N_READS = 2000  # reads at the start of a file that are looked at, chosen by hand

_MIN_SAME = 10  # different reads, from which on two files with the same reads are one, chosen by hand

_LONG = 1000  # nt; reads of this median length are not of Illumina

# Characters of qualities with the offset 64 (Illumina before 1.8, 2011): never below the first; with the offset 33 the
# second would be a quality of 63, which no short reads have.
_LOWEST_64, _HIGH_64 = 59, 96

_CASAVA = re.compile(rb"([12]):[YN]:")

# Programs of this workflow that convert files without changing the reads otherwise.
_FASTP = "fastp --disable_adapter_trimming --disable_quality_filtering --disable_length_filtering --disable_trim_poly_g"


class _Read(NamedTuple):
    name: bytes
    comment: bytes
    sequence: bytes
    quality: bytes


def unit_fault(unit: Unit) -> str:
    """Say why the first reads of a unit cannot be counted, with the file and what to do; "" if they can.

    Parameters
    ----------
    unit
        Files that `count_reads` accepts.
    """
    reads = {path: list(islice(_reads(path), _N_READS)) for path in unit.files}
    for path, own in reads.items():
        if fault := _file_fault(own):
            return f"{path} {fault}"
    if unit.paired:
        return _pair_fault(unit, reads[unit.fq1], reads[unit.fq2])
    return _single_fault(unit.fq1, reads[unit.fq1])


def unit_caution(unit: Unit) -> str:
    """Say what is odd about the first reads of a unit that `unit_fault` accepts; "" if nothing is."""
    if not unit.paired:
        return ""
    caution = barcode_caution(*([read.sequence for read in islice(_reads(path), _N_READS)] for path in unit.files))
    return caution and f"{unit.fq1} and {unit.fq2}: {caution}"


def _reads(path: str) -> Iterator[_Read]:
    with open_unpacked(path) as file:
        while lines := list(islice(file, 4)):
            header, sequence, _, quality = (line.rstrip(b"\r\n") for line in (*lines, b"", b"", b"")[:4])
            name, _, comment = header[1:].partition(b" ")
            yield _Read(name, comment, sequence, quality)


def _file_fault(reads: Sequence[_Read]) -> str:
    """Say what is wrong with the reads of one file."""
    for read in reads:
        letters = read.sequence.decode("ascii", "replace").upper()
        if letter := impossible_letter(letters.replace(".", "N")):
            kind = "colours (SOLiD)" if letter.isdigit() else "no nucleotides"
            name = read.name.decode("ascii", "replace")
            return f"holds {kind}: found {letter!r} in read {name}, expected A, C, G, T or N."
    if (typical := median(len(read.sequence) for read in reads)) > _LONG:
        return (
            f"holds long reads (half of the first are longer than {typical:.0f} nt), as of Oxford Nanopore or PacBio; "
            "this workflow is for short reads. Count them with a program for long reads (IsoQuant, bambu, oarfish) "
            "and give the counts as matrix.path."
        )
    qualities = b"".join(read.quality for read in reads)
    if qualities and min(qualities) >= _LOWEST_64 and max(qualities) >= _HIGH_64:
        return (
            "has qualities with the offset 64, as Illumina wrote before 2011, expected 33. Convert it: "
            f"{_FASTP} --phred64 -i IN.fastq.gz -o OUT.fastq.gz"
        )
    return ""


def _single_fault(path: str, reads: Sequence[_Read]) -> str:
    """Say if a single file holds both mates, one after the other."""
    pairs = list(zip(reads[::2], reads[1::2], strict=False))
    names = {_fragment(first.name, second.name) for first, second in pairs}
    if len(pairs) < 2 or len(names) < len(pairs) or b"" in names:
        return ""
    shown = " and ".join(read.name.decode("ascii", "replace") for read in pairs[0])
    return (
        f"{path} holds both mates of every pair, one after the other ({shown} are its first two reads), but no fq2 is "
        f"given. Split it, and give both files: {_FASTP} --interleaved_in -i {path} -o R1.fastq.gz -O R2.fastq.gz"
    )


def _pair_fault(unit: Unit, first: Sequence[_Read], second: Sequence[_Read]) -> str:
    """Say if two files are the same reads, swapped, or no mates of bulk RNA-seq."""
    same = [read.sequence for read in first] == [read.sequence for read in second]
    if same and len({read.sequence for read in first}) >= _MIN_SAME:
        return f"{unit.fq2} holds the same reads as {unit.fq1}, expected their mates. Give the file of the mates."
    if (_mate(first[0]), _mate(second[0])) == ("2", "1"):
        return (
            f"{unit.fq1} holds the second mates and {unit.fq2} the first, by the names of their reads. Exchange fq1 "
            "and fq2."
        )
    mate, reason = barcode_fault(*([read.sequence for read in reads] for reads in (first, second)))
    if not reason:
        return ""
    barcodes, cdna = unit.files[mate], unit.files[1 - mate]
    return (
        f"{barcodes} looks like barcodes of single cells: {reason}. Cells are not told apart here. Count the cells "
        "first (docs/reads.md, Single cells, has the commands) and give their matrix as matrix.path; or, to count all "
        f"cells as one sample, give {cdna} as fq1 without fq2."
    )


def _fragment(first: bytes, second: bytes) -> bytes:
    """Name that two reads share, but for the mark of the mate; empty if they share none.

    Names of the SRA end like such a mark (RUN.1, RUN.2), so of equal names nothing is cut off.
    """
    if first == second:
        return first
    marks = (b"/1", b"/2"), (b".1", b".2"), (b"_1", b"_2"), (b":1", b":2"), (b"-1", b"-2")
    return first[:-2] if (first[-2:], second[-2:]) in marks and first[:-2] == second[:-2] else b""


def _mate(read: _Read) -> str:
    """Which mate a read is by its name (NAME/1, or Illumina's comment 1:N:0:ACGT); "" if that is not said."""
    if read.name[-2:] in (b"/1", b"/2"):
        return read.name[-1:].decode()
    mark = _CASAVA.match(read.comment)
    return mark[1].decode() if mark else ""
