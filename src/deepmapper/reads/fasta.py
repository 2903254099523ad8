"""FASTA files, plain or gzipped: read with clear error messages, written atomically."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from ..core.files import atomic_write
from ..errors import InputError

_GZIP = b"\x1f\x8b"

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


def open_text(path: str | Path) -> TextIO:
    """Open a text file, plain or gzipped."""
    return gzip.open(path, "rt") if is_gzip(path) else Path(path).open()


def read_fasta(path: str | Path, what: str = "FASTA file") -> Iterator[Record]:
    """Yield the records of a FASTA file.

    Parameters
    ----------
    path
        Plain or gzipped.
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
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: the gzip file is truncated or damaged ({error}). Fetch the {what} again.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text ({error}), expected a {what}, plain or gzipped.") from error
    except OSError as error:
        raise InputError(f"{path}: the {what} cannot be read ({error.strerror or error}).") from error


def write_fasta(path: str | Path, records: Iterable[tuple[str, str]], width: int = 80) -> int:
    """Write (header, sequence) records atomically; return how many there were."""
    count = 0
    with atomic_write(path) as tmp, tmp.open("w") as file:
        for header, sequence in records:
            file.write(f">{header}\n")
            file.writelines(f"{sequence[i : i + width]}\n" for i in range(0, len(sequence), width))
            count += 1
    return count
