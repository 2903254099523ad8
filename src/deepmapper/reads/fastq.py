"""FASTQ files: checked before use, renamed, sorted and written. Standard library only.

HISAT2 and its kind take a truncated gzip file, a lost mate or Windows line ends in silence. So every file is streamed
once, here, and refused with one message when something is wrong.
"""

from __future__ import annotations

import gzip
import hashlib
import heapq
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO

from ..errors import InputError
from .fasta import is_gzip

_BLOCK = 1 << 20

_COMPRESSION = 4

_MAX_IN_MEMORY = 1 << 26  # bytes


@dataclass(frozen=True)
class _Scan:
    """What one pass over a FASTQ file found: the number of reads, and a digest of their names in order."""

    reads: int
    names: str


def count_reads(path: str | Path) -> int:
    """Count the reads of a FASTQ file, plain or gzipped (several gzip members too), and check every record.

    Returns
    -------
    int
        Number of reads; zero for an empty file.

    Raises
    ------
    InputError
        Naming file and record: if a gzip file is cut short or damaged, if the number of lines is no multiple of four,
        if a record does not start with ``@`` or its third line with ``+``, if sequence and quality differ in length,
        if a name is missing, or if lines end as on Windows.
    """
    return _scan(Path(path)).reads


def count_fragments(units: Sequence[Sequence[str]], sample: str) -> int:
    """Check all files of a sample and count its fragments: pairs, or single reads.

    Parameters
    ----------
    units
        ``[fq1, fq2]`` of each lane, with ``""`` as fq2 for single-end reads.
    sample
        For messages.

    Returns
    -------
    int
        Sum over the units.

    Raises
    ------
    InputError
        As `count_reads`; or if a file holds no read, if paired and single-end units are mixed, if fq1 and fq2 hold
        different numbers of reads, or if their names disagree (after the comment and /1, /2 are taken off).
    """
    if len({bool(fq2) for _, fq2 in units}) != 1:
        raise InputError(
            f"sample {sample}: its units mix paired and single-end reads, expected one kind. Name two samples."
        )
    fragments = 0
    for fq1, fq2 in units:
        cut = _suffix(fq1, fq2) if fq2 else 0
        scans = {path: _scan(Path(path), cut) for path in (fq1, fq2) if path}
        for path, scan in scans.items():
            if not scan.reads:
                raise InputError(
                    f"sample {sample}: {path} holds no read, expected at least one. Give the right file or remove the "
                    f"sample."
                )
        if fq2 and scans[fq1].reads != scans[fq2].reads:
            raise InputError(
                f"sample {sample}: {fq1} holds {scans[fq1].reads} reads but {fq2} holds {scans[fq2].reads}, expected "
                f"the same number. One of the files is incomplete, or they are not mates."
            )
        if fq2 and scans[fq1].names != scans[fq2].names:
            raise InputError(f"sample {sample}: {_first_difference(fq1, fq2, cut)}")
        fragments += scans[fq1].reads
    return fragments


def link_units(units: Sequence[Sequence[str]], folder: Path) -> list[list[str]]:
    """Link FASTQ files into `folder` under names that no tool trips over.

    HISAT2, Salmon and Trinity split at commas and some pass names through a shell; and they choose gzip by the name.

    Returns
    -------
    list of [name1, name2]
        Names relative to `folder`, such as ``unit1_1.fastq.gz``; ``""`` where there is no mate.
    """
    names = []
    for number, unit in enumerate(units, 1):
        row = []
        for mate, path in enumerate(unit, 1):
            name = f"unit{number}_{mate}.fastq{'.gz' if is_gzip(path) else ''}" if path else ""
            if path:
                (folder / name).symlink_to(Path(path).resolve())
            row.append(name)
        names.append(row)
    return names


class SortedLines:
    """Lines, sorted with bounded memory: sorted runs on disk, merged at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[bytes] = []
        self.size = 0
        self.runs: list[IO[bytes]] = []

    def add(self, line: bytes) -> None:
        """Take a line, without its end."""
        self.lines.append(line + b"\n")
        self.size += len(line)
        if self.size > _MAX_IN_MEMORY:
            run = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115 (open until the merge)
            run.writelines(sorted(self.lines))
            self.runs.append(run)
            self.lines, self.size = [], 0

    def merged(self) -> Iterator[bytes]:
        """All lines, sorted, with their ends."""
        for run in self.runs:
            run.seek(0)
        return heapq.merge(sorted(self.lines), *self.runs)


@contextmanager
def sorted_lines(folder: Path) -> Iterator[SortedLines]:
    """Give a sorter whose temporary files lie in `folder` and vanish at the end."""
    lines = SortedLines(folder)
    try:
        yield lines
    finally:
        for run in lines.runs:
            run.close()


def write_fastq(path: Path, lines: Iterable[bytes], mate: int = 1) -> None:
    """Write lines of name, sequence and quality (and those of the second mate) parted by tabs, as FASTQ of one mate."""
    with gzip_writer(path) as file:
        for line in lines:
            fields = line.rstrip(b"\n").split(b"\t")
            file.write(b"@%b\n%b\n+\n%b\n" % (fields[0], fields[2 * mate - 1], fields[2 * mate]))


@contextmanager
def gzip_writer(path: Path) -> Iterator[gzip.GzipFile]:
    """Open a gzip file for writing, without name and time in its header: the same content gives the same bytes."""
    with path.open("wb") as raw, gzip.GzipFile("", "wb", _COMPRESSION, raw, mtime=0) as file:
        yield file


def read_fastq(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield (name, sequence) of each record; only that the file is whole is checked, for the rest see `count_reads`."""
    for _, lines in _records(path):
        for header, sequence in zip(lines[::4], lines[1::4], strict=True):
            yield header.split(None, 1)[0][1:], sequence


def _records(path: Path) -> Iterator[tuple[int, list[bytes]]]:
    """Yield blocks of whole records: the number of the first one (from 1), and their lines (four each)."""
    number, rest = 1, b""
    try:
        with gzip.open(path) if is_gzip(path) else path.open("rb") as file:
            while block := file.read(_BLOCK):
                lines = (rest + block).split(b"\n")
                whole = (len(lines) - 1) // 4 * 4
                rest = b"\n".join(lines[whole:])
                if whole:
                    yield number, lines[:whole]
                    number += whole // 4
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{path}: the gzip file is cut short or damaged after about {number - 1} reads ({error}). Fetch it again."
        ) from error
    except OSError as error:
        raise InputError(f"{path}: the FASTQ file cannot be read ({error.strerror or error}).") from error
    lines = rest.rstrip(b"\n").split(b"\n")
    if lines[1:] == [b"", b"+"]:
        lines.append(b"")  # a read without bases, at the end
    if lines == [b""]:
        return
    if len(lines) != 4:
        raise InputError(
            f"{path}: the last record, number {number}, has {len(lines)} lines, expected 4. The file is cut short or "
            f"is no FASTQ."
        )
    yield number, lines


def _scan(path: Path, cut: int = 0) -> _Scan:
    digest = hashlib.blake2b(digest_size=16)
    reads = 0
    for number, lines in _records(path):
        headers, sequences, pluses, qualities = (lines[i::4] for i in range(4))
        if (
            {header[:1] for header in headers} != {b"@"}
            or {plus[:1] for plus in pluses} != {b"+"}
            or list(map(len, sequences)) != list(map(len, qualities))
            or any(b"\r" in lines[i] for i in (0, 1, -1))
        ):
            raise InputError(f"{path}: {_fault(number, lines)}")
        names = [header.split(None, 1)[0] for header in headers]
        if b"@" in names:
            raise InputError(f"{path}: record {number + names.index(b'@')} has no name, expected one after '@'.")
        digest.update(b"\n".join(name[:-cut] for name in names) if cut else b"\n".join(names))
        digest.update(b"\n")
        reads += len(headers)
    return _Scan(reads, digest.hexdigest())


def _fault(number: int, lines: list[bytes]) -> str:
    """Say what is wrong with the first faulty record of a block."""
    for start in range(0, len(lines), 4):
        header, sequence, plus, quality = lines[start : start + 4]
        where = f"record {number + start // 4}"
        if header.startswith(b"@") and any(line.endswith(b"\r") for line in lines[start : start + 4]):
            return (
                f"{where} has the line ends of Windows, which the tools take for bases. Convert it: sed -i 's/\\r$//'."
            )
        if not header.startswith(b"@"):
            return (
                f"{where} starts with '{_shown(header)}', expected '@' and a name. Give a FASTQ file, plain or gzipped."
            )
        if not plus.startswith(b"+"):
            return f"the third line of {where} is '{_shown(plus)}', expected '+'. The file is damaged, or is no FASTQ."
        if len(sequence) != len(quality):
            return (
                f"{where} ({_shown(header)}) has {len(sequence)} bases but {len(quality)} qualities, expected as many "
                f"of both. The file is damaged."
            )
    return f"a record from number {number} on is damaged."


def _suffix(fq1: str, fq2: str) -> int:
    """How many letters at the end of a name tell mates apart (0 or 2), by the first records."""
    first = [next(_names(Path(path)), b"") for path in (fq1, fq2)]
    one, two = first
    if one[:-1] == two[:-1] and (one[-1:], two[-1:]) == (b"1", b"2") and one[-2:-1] in (b"/", b".", b"_", b":", b"-"):
        return 2
    return 0


def _names(path: Path) -> Iterator[bytes]:
    for number, lines in _records(path):
        for i, header in enumerate(lines[::4]):
            words = header.split(None, 1)
            if not words:
                raise InputError(f"{path}: {_fault(number + i, lines[4 * i : 4 * i + 4])}")
            yield words[0]


def _first_difference(fq1: str, fq2: str, cut: int) -> str:
    for number, one, two in zip(count(1), _names(Path(fq1)), _names(Path(fq2))):  # noqa: B905 (count has no end)
        if one[: len(one) - cut] != two[: len(two) - cut]:
            return (
                f"record {number} is {_shown(one)} in {fq1} but {_shown(two)} in {fq2}, expected mates under one name "
                f"and in one order. The files do not belong together, or one was sorted or filtered alone."
            )
    return f"the names in {fq1} and {fq2} disagree."


def _shown(line: bytes) -> str:
    return line[:40].decode("ascii", "replace")
