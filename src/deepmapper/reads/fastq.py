"""FASTQ files: check, link, sort and write. Standard library only.

Aligners accept truncated gzip files and lost mates without an error. So every file is read once here first, and
rejected with one message if something is wrong. What programs do not read themselves (bzip2, xz, Windows line endings)
they get unpacked and with Unix line endings.
"""

from __future__ import annotations

import gzip
import hashlib
import heapq
import lzma
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import IO

from ..core.compressed import compression, open_unpacked
from ..errors import InputError
from .fasta import foreign_format
from .read_kinds import unit_fault
from .samples import Unit

_BLOCK = 1 << 20  # bytes read at a time

_COMPRESSION = 4  # gzip level, chosen by hand: the files are intermediate, so speed counts more than size

_MAX_IN_MEMORY = 1 << 26  # bytes


@dataclass(frozen=True)
class _Scan:
    """Result of one pass over a FASTQ file: the number of reads, and a digest of their names in order."""

    reads: int
    names: str


def count_reads(path: str | Path) -> int:
    """Count the reads of a FASTQ file and check every record.

    Parameters
    ----------
    path
        Plain, or compressed with gzip, bzip2 or xz; the file may have several members. Lines may end as on Windows if
        all of them do.

    Returns
    -------
    int
        Number of reads; zero for an empty file.

    Raises
    ------
    InputError
        Naming file and record: if a compressed file is truncated or damaged, the number of lines is not a multiple of
        four, a record does not start with ``@`` or its third line with ``+``, sequence and quality differ in length, a
        name is missing, or only some lines end as on Windows.
    """
    return _scan(Path(path)).reads


def count_fragments(units: Sequence[Unit], sample: str) -> int:
    """Check all files of a sample and count its fragments (read pairs or single reads).

    Parameters
    ----------
    units
        The sample's lanes.
    sample
        Name, for messages.

    Returns
    -------
    int
        Sum over the units.

    Raises
    ------
    InputError
        If a file is faulty (see `count_reads`) or holds no reads, or reads that cannot be counted (see `unit_fault`);
        paired and single-end units are mixed; or fq1 and fq2 differ in the number of reads or in their names (without
        the comment and /1, /2).
    """
    if len({unit.paired for unit in units}) != 1:
        raise InputError(
            f"sample {sample}: its units mix paired and single-end reads, expected one kind. Make it two samples."
        )
    return sum(_count_unit(unit, sample) for unit in units)


def check_first_reads(unit: Unit, sample: str) -> None:
    """Check the first reads of a unit as `count_fragments` checks all of them.

    Raises
    ------
    InputError
        If a file holds no reads, a record is not FASTQ, mates do not belong together, or the reads are not of bulk
        RNA-seq.
    """
    names = {}
    for path in unit.files:
        number, lines = next(_records(Path(path)), (1, []))
        if not lines:
            raise InputError(_no_reads(sample, path))
        names[path] = _checked_names(Path(path), number, lines)
    if fault := unit_fault(unit):
        raise InputError(f"sample {sample}: {fault}")
    if unit.paired:
        fq1, fq2 = unit.files
        end = -_mate_suffix_length(fq1, fq2) or None
        if any(one[:end] != two[:end] for one, two in zip(names[fq1], names[fq2], strict=False)):
            raise InputError(f"sample {sample}: {_first_difference(fq1, fq2, -(end or 0))}")


def _no_reads(sample: str, path: str) -> str:
    return f"sample {sample}: {path} holds no reads, expected at least one. Give the right file or remove the sample."


def link_units(units: Sequence[Unit], folder: Path) -> list[Unit]:
    """Link FASTQ files into `folder` under names that every tool accepts.

    HISAT2, Salmon and Trinity split names at commas, some of them pass names through a shell, and all choose gzip by
    the name. A file that not all of them read (bzip2, xz, Windows line endings) is written plain instead.

    Returns
    -------
    list of Unit
        The same units with names relative to `folder`, such as ``unit1_1.fastq.gz``.
    """
    return [
        Unit(unit.name, *(_link(path, folder, f"unit{number}_{mate}") for mate, path in enumerate(unit.files, 1)))
        for number, unit in enumerate(units, 1)
    ]


class SortedLines:
    """Sorts lines with bounded memory: sorted runs on disk, merged at the end."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.lines: list[bytes] = []
        self.size = 0
        self.runs: list[IO[bytes]] = []

    def add(self, line: bytes) -> None:
        """Add a line, without its newline."""
        self.lines.append(line + b"\n")
        self.size += len(line)
        if self.size > self.max_bytes:
            run = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115 (open until the merge)
            run.writelines(sorted(self.lines))
            self.runs.append(run)
            self.lines, self.size = [], 0

    def merged(self) -> Iterator[bytes]:
        """All lines in sorted order, with their newlines."""
        for run in self.runs:
            run.seek(0)
        return heapq.merge(sorted(self.lines), *self.runs)


@contextmanager
def sorted_lines(folder: Path, max_bytes: int = _MAX_IN_MEMORY) -> Iterator[SortedLines]:
    """Open a sorter that holds `max_bytes` in memory; its temporary files are in `folder` and deleted at the end."""
    lines = SortedLines(folder, max_bytes)
    try:
        yield lines
    finally:
        for run in lines.runs:
            run.close()


def write_fastq(path: Path, lines: Iterable[bytes], mate: int = 1) -> None:
    """Write one mate as FASTQ.

    Each line holds, separated by tabs, a name, the sequence and quality of mate 1, and those of mate 2 if there is one.
    """
    with gzip_writer(path) as file:
        for line in lines:
            fields = line.rstrip(b"\n").split(b"\t")
            file.write(b"@%b\n%b\n+\n%b\n" % (fields[0], fields[2 * mate - 1], fields[2 * mate]))


@contextmanager
def gzip_writer(path: Path) -> Iterator[gzip.GzipFile]:
    """Open a gzip file for writing, with no name or time in its header: equal content gives equal bytes."""
    with path.open("wb") as raw, gzip.GzipFile("", "wb", _COMPRESSION, raw, mtime=0) as file:
        yield file


def read_fastq(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield (name, sequence) of each record. Only truncation is checked here; `count_reads` checks the rest."""
    for _, lines in _records(path):
        for header, sequence in zip(lines[::4], lines[1::4], strict=True):
            yield header.split(None, 1)[0][1:], sequence


def read_quality(path: Path) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield (name, sequence, quality) of each record; see `read_fastq`."""
    for _, lines in _records(path):
        for header, sequence, quality in zip(lines[::4], lines[1::4], lines[3::4], strict=True):
            yield header.split(None, 1)[0][1:], sequence, quality


def _link(path: str, folder: Path, stem: str) -> str:
    packed = _packed_with(Path(path))
    name = f"{stem}.fastq.gz" if packed == "gzip" else f"{stem}.fastq"
    if packed in ("", "gzip") and not _is_from_windows(Path(path)):
        (folder / name).symlink_to(Path(path).resolve())
        return name
    write_plain(Path(path), folder / f"{stem}.fastq")
    return f"{stem}.fastq"


def write_plain(path: Path, out: Path, reads: int | None = None) -> None:
    """Write the first reads of a FASTQ file, or all, unpacked and with Unix line endings."""
    from_windows = _is_from_windows(path)
    with open_unpacked(path) as source, out.open("wb") as target:
        lines = source if reads is None else islice(source, 4 * reads)
        target.writelines((line.rstrip(b"\r\n") + b"\n" for line in lines) if from_windows else lines)


def _packed_with(path: Path) -> str:
    """Program that a file is compressed with, or ""."""
    with path.open("rb") as file:
        return compression(file.read(8))


def _is_from_windows(path: Path) -> bool:
    """Whether the first line ends as on Windows."""
    with open_unpacked(path) as file:
        return file.readline(_BLOCK).endswith(b"\r\n")


def _count_unit(unit: Unit, sample: str) -> int:
    """Check the files of one unit; return the number of its fragments."""
    fq1, fq2 = unit.fq1, unit.fq2
    suffix_length = _mate_suffix_length(fq1, fq2) if unit.paired else 0
    scans = {path: _scan(Path(path), suffix_length) for path in unit.files}
    for path, scan in scans.items():
        if not scan.reads:
            raise InputError(_no_reads(sample, path))
    if fault := unit_fault(unit):
        raise InputError(f"sample {sample}: {fault}")
    if unit.paired and scans[fq1].reads != scans[fq2].reads:
        raise InputError(
            f"sample {sample}: {fq1} holds {scans[fq1].reads} reads but {fq2} holds {scans[fq2].reads}, expected "
            f"the same number. One of the files is incomplete, or they are not mates."
        )
    if unit.paired and scans[fq1].names != scans[fq2].names:
        raise InputError(f"sample {sample}: {_first_difference(fq1, fq2, suffix_length)}")
    return scans[fq1].reads


def _records(path: Path) -> Iterator[tuple[int, list[bytes]]]:
    """Yield blocks of complete records: the number of the first one (from 1), and their lines (four each)."""
    number, remainder, from_windows = 1, b"", False
    try:
        from_windows = _is_from_windows(path)
        with open_unpacked(path) as file:
            while block := file.read(_BLOCK):
                lines = (remainder + block).split(b"\n")
                complete = (len(lines) - 1) // 4 * 4
                remainder = b"\n".join(lines[complete:])
                if complete:
                    yield number, _unix(lines[:complete]) if from_windows else lines[:complete]
                    number += complete // 4
    except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError) as error:
        raise InputError(
            f"{path}: the {_packed_with(path)} file is truncated or damaged after about {number - 1} reads "
            f"({error}). Fetch it again."
        ) from error
    except OSError as error:
        raise InputError(f"{path}: the FASTQ file cannot be read ({error.strerror or error}).") from error
    lines = remainder.rstrip(b"\r\n" if from_windows else b"\n").split(b"\n")
    lines = _unix(lines) if from_windows else lines
    if lines[1:] == [b"", b"+"]:
        lines.append(b"")  # the last read has no bases
    if lines == [b""]:
        return
    if number == 1 and (foreign := foreign_format(lines[0])):
        raise InputError(f"{path} is {foreign}")
    if number == 1 and b"\r" in lines[0]:
        raise InputError(
            f"{path} has lines that end as on old Macs (\\r), expected \\n. Convert it: tr '\\r' '\\n' < IN > OUT"
        )
    if len(lines) != 4:
        raise InputError(
            f"{path}: the last record, number {number}, has {len(lines)} lines, expected 4. The file is truncated or "
            f"not FASTQ."
        )
    yield number, lines


def _unix(lines: list[bytes]) -> list[bytes]:
    """Lines of Windows without their last character."""
    return [line.removesuffix(b"\r") for line in lines]


def _scan(path: Path, suffix_length: int = 0) -> _Scan:
    """Check and count the records of a file; names lose `suffix_length` characters before they are hashed."""
    digest = hashlib.blake2b(digest_size=16)
    reads = 0
    for number, lines in _records(path):
        names = _checked_names(path, number, lines)
        if suffix_length:
            names = [name[:-suffix_length] for name in names]
        digest.update(b"\n".join(names))
        digest.update(b"\n")
        reads += len(names)
    return _Scan(reads, digest.hexdigest())


def _checked_names(path: Path, number: int, lines: list[bytes]) -> list[bytes]:
    """Check a block of complete records, the first of which has this number; return the names with their "@"."""
    headers, sequences, pluses, qualities = (lines[i::4] for i in range(4))
    if (
        {header[:1] for header in headers} != {b"@"}
        or {plus[:1] for plus in pluses} != {b"+"}
        or list(map(len, sequences)) != list(map(len, qualities))
        or any(b"\r" in lines[i] for i in (0, 1, -1))
    ):
        raise InputError(f"{path}: {_describe_fault(number, lines)}")
    names = [header.split(None, 1)[0] for header in headers]
    if b"@" in names:
        raise InputError(f"{path}: record {number + names.index(b'@')} has no name, expected one after '@'.")
    return names


def _describe_fault(number: int, lines: list[bytes]) -> str:
    """Describe the fault in the first faulty record of a block whose first record has this number."""
    for start in range(0, len(lines), 4):
        header, sequence, plus, quality = lines[start : start + 4]
        record = f"record {number + start // 4}"
        if header.startswith(b"@") and any(line.endswith(b"\r") for line in lines[start : start + 4]):
            return (
                f"{record} has Windows line endings and the first one has not, expected the same in all. Convert it: "
                "sed -i 's/\\r$//'."
            )
        if not header.startswith(b"@"):
            if number == 1 and start == 0 and (foreign := foreign_format(header)):
                return f"it is {foreign}"
            return (
                f"{record} starts with '{_excerpt(header)}', expected '@' and a name. Give a FASTQ file, plain or "
                f"gzipped."
            )
        if not plus.startswith(b"+"):
            return (
                f"the third line of {record} is '{_excerpt(plus)}', expected '+'. The file is damaged or is not FASTQ."
            )
        if len(sequence) != len(quality):
            return (
                f"{record} ({_excerpt(header)}) has {len(sequence)} bases but {len(quality)} qualities, expected as "
                f"many of both. The file is damaged."
            )
    return f"a record from number {number} on is damaged."


def _mate_suffix_length(fq1: str, fq2: str) -> int:
    """How many characters at the end of a name mark the mate (0 or 2), judging by the first records."""
    name1, name2 = (next(_names(Path(path)), b"") for path in (fq1, fq2))
    ends_differ = (name1[-1:], name2[-1:]) == (b"1", b"2")
    if name1[:-1] == name2[:-1] and ends_differ and name1[-2:-1] in (b"/", b".", b"_", b":", b"-"):
        return 2
    return 0


def _names(path: Path) -> Iterator[bytes]:
    for number, lines in _records(path):
        for i, header in enumerate(lines[::4]):
            words = header.split(None, 1)
            if not words:
                raise InputError(f"{path}: {_describe_fault(number + i, lines[4 * i : 4 * i + 4])}")
            yield words[0]


def _first_difference(fq1: str, fq2: str, suffix_length: int) -> str:
    """Name the first record whose mates have different names."""
    for number, name1, name2 in zip(count(1), _names(Path(fq1)), _names(Path(fq2))):  # noqa: B905 (count has no end)
        if name1[: len(name1) - suffix_length] != name2[: len(name2) - suffix_length]:
            return (
                f"record {number} is {_excerpt(name1)} in {fq1} but {_excerpt(name2)} in {fq2}, expected mates with "
                f"the same name in the same order. The files do not belong together, or one was sorted or filtered "
                f"without the other."
            )
    return f"the names in {fq1} and {fq2} disagree."


def _excerpt(line: bytes) -> str:
    return line[:40].decode("ascii", "replace")
