"""FASTA files, plain or gzipped: read with clear error messages, written atomically."""

from __future__ import annotations

import gzip
import io
import lzma
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from ..core.compressed import open_unpacked
from ..core.files import atomic_write
from ..errors import InputError

_GZIP = b"\x1f\x8b"

_TO_BAM = "samtools view -b -T GENOME.fa -o OUT.bam FILE"

# First bytes of files that are given by mistake: what they are, and how to convert them.
_FOREIGN = {
    b"BZh": ("a bzip2 file", "bunzip2 FILE"),
    b"\xfd7zXZ": ("an xz file", "unxz FILE"),
    b"\x28\xb5\x2f\xfd": ("a zstd file", "unzstd FILE"),
    _GZIP: ("gzipped twice", "gunzip FILE"),
    b"PK\x03\x04": ("a zip file", "unzip FILE"),
    b"BAM\x01": ("a BAM file", ""),
    b"CRAM": ("a CRAM file", _TO_BAM),
    b"@HD\t": ("a SAM file", ""),
    b"@SQ\t": ("a SAM file", ""),
    b"NCBI.sra": ("an SRA file", "fasterq-dump --split-files FILE"),
    b"\x89HDF": ("an HDF5 file, perhaps of raw signals", ""),
    b"<": ("a web page", ""),
    b"version https://git-lfs": ("a placeholder of git-lfs", "git lfs pull"),
}

_ALIGNMENTS = ("a BAM file", "a CRAM file", "a SAM file")

_NOT_A_LETTER = re.compile(r"[^A-Za-z*-]")


class Record(NamedTuple):
    """One sequence: its id (the header up to the first space), the whole header, and the letters in upper case."""

    name: str
    header: str
    sequence: str


def is_gzip(path: str | Path) -> bool:
    """Whether a file is gzipped, judging by its first bytes and not by its name."""
    with Path(path).open("rb") as file:
        return file.read(2) == _GZIP


def foreign_format(start: bytes, what: str = "FASTQ") -> str:
    """Say what a file is by its first bytes, and what to do: "a zip file, expected ..."; "" if that is not known."""
    for magic, (kind, command) in _FOREIGN.items():
        if start.startswith(magic):
            if kind in _ALIGNMENTS and what == "FASTQ":
                way = f" Convert it to BAM first. Command: {command}" if command else ""
                return (
                    f"{kind}, expected FASTQ. Give it in the column bam of the sample sheet, and leave fq1 empty.{way}"
                )
            way = f"Convert it. Command: {command}" if command else "Fetch the right file."
            return f"{kind}, expected {what}, plain or gzipped. {way}"
    return ""


def open_text(path: str | Path) -> TextIO:
    """Open a text file, plain or compressed (gzip, bzip2, xz), judging by its first bytes; a byte order mark is cut."""
    return io.TextIOWrapper(open_unpacked(path), encoding="utf-8-sig")


def read_fasta(path: str | Path, what: str = "FASTA file") -> Iterator[Record]:
    """Yield the records of a FASTA file.

    Parameters
    ----------
    path
        Plain or compressed by gzip, bzip2 or xz.
    what
        What the file holds, for messages.

    Raises
    ------
    InputError
        If the file is missing or not FASTA, a sequence is empty or invalid, or a gzip file is truncated.
    """
    from Bio.SeqIO.FastaIO import SimpleFastaParser

    path = Path(path)
    try:
        with open_text(path) as file:
            first = file.readline()
            while first and not first.strip():
                first = file.readline()
            if first and not first.startswith(">"):
                if foreign := foreign_format(first.encode(), f"a {what}"):
                    raise InputError(f"{path} is {foreign}")
                raise InputError(
                    f"{path}: the first line of this {what} is '{first.strip()[:40]}', expected a header that starts "
                    f"with '>'. Give a FASTA file, plain or gzipped."
                )
        with open_text(path) as file:
            for header, sequence in SimpleFastaParser(file):
                name = header.split(maxsplit=1)[0] if header.strip() else ""
                if not name:
                    raise InputError(f"{path}: a record has no name (header '>{header}'), expected an id after '>'.")
                if bad := _NOT_A_LETTER.search(sequence):
                    raise InputError(f"{path}: record {name} holds the character {bad[0]!r}, expected nucleotides.")
                if not sequence:
                    raise InputError(f"{path}: record {name} has no sequence, expected nucleotides. Remove the record.")
                yield Record(name, header, sequence.upper())
    except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError) as error:
        raise InputError(
            f"{path}: the compressed file is truncated or damaged ({error}). Fetch the {what} again."
        ) from error
    except UnicodeDecodeError as error:
        if foreign := foreign_format(_first_bytes(path), f"a {what}"):
            raise InputError(f"{path} is {foreign}") from error
        raise InputError(f"{path} is not text ({error}), expected a {what}, plain or gzipped.") from error
    except OSError as error:
        raise InputError(f"{path}: the {what} cannot be read ({error.strerror or error}).") from error


def _first_bytes(path: Path) -> bytes:
    with gzip.open(path) if is_gzip(path) else path.open("rb") as file:
        return file.read(64)


def write_fasta(path: str | Path, records: Iterable[tuple[str, str]], width: int = 80) -> int:
    """Write (header, sequence) records atomically; return how many there were."""
    count = 0
    with atomic_write(path) as tmp, tmp.open("w") as file:
        for header, sequence in records:
            file.write(f">{header}\n")
            file.writelines(f"{sequence[i : i + width]}\n" for i in range(0, len(sequence), width))
            count += 1
    return count
