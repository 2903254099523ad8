"""What novel transcripts resemble in databases that the user names: proteins, domains, RNA families, taxa.

Each search runs a program of its own on ``denovo.fa`` and gives the best match of every transcript. No database is
included or fetched. Standard library and Biopython.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from ..core.compressed import open_unpacked
from ..core.programs import Argument, run_tool
from ..errors import InputError
from ..reads.fasta import open_text, read_fasta, write_fasta
from ..reads.nucleotides import reverse_complement

NOT_ASKED, NONE_FOUND = "not asked", "none"

# E-values up to which a match counts if a database sets no thresholds of its own; chosen by hand.
_PROTEIN_E, _MODEL_E = "1e-5", "1e-3"

_QUIET = ("--noali", "-o", "/dev/null")  # only the table of HMMER and Infernal is read

_SHORTEST_PEPTIDE = 20  # amino acids; domains are longer


@dataclass(frozen=True)
class _Request:
    """Transcripts to search with, the database, and where to work."""

    transcripts: Path
    database: Path
    folder: Path
    threads: int
    log: IO[str]


Matches = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class _Search:
    """A search: its function, the program, the columns that it gives, and what to do if the program fails."""

    run: Callable[[_Request], Matches]
    program: str
    columns: tuple[str, ...]


def search(
    kind: str, transcripts: Path, database: Path, *, threads: int = 1, log: IO[str] | None = None
) -> dict[str, dict[str, str]]:
    """Search one database for what novel transcripts resemble.

    Parameters
    ----------
    kind
        A key of `COLUMNS`: "proteins" (FASTA, DIAMOND), "domains" (profiles of HMMER 3, such as Pfam), "rna_families"
        (covariance models of Infernal, such as Rfam), "kraken2_database" (folder of a database).
    transcripts
        FASTA of the novel transcripts; may be empty.
    database
        The user's file or folder; files may be gzipped.

    Returns
    -------
    dict
        For every transcript the columns of `COLUMNS` as text, "none" where nothing was found.

    Raises
    ------
    InputError
        If the database is not of the kind that is expected.
    BioToolUnavailable, ToolFailed
        If the program is missing or fails.
    """
    asked = _SEARCHES[kind]
    names = [record.name for record in read_fasta(transcripts, "FASTA file of novel transcripts")]
    _check(kind, database)
    with TemporaryDirectory() as folder:
        database = _unpacked(database, Path(folder))
        request = _Request(transcripts, database, Path(folder), threads, log or sys.stderr)
        found = asked.run(request) if names else {}
    none = (NONE_FOUND,) * len(asked.columns)
    return {name: dict(zip(asked.columns, found.get(name, none), strict=True)) for name in names}


def homology_columns(found: Mapping[str, Mapping[str, Mapping[str, str]]], name: str) -> dict[str, str]:
    """All columns of homology for one transcript: those of a database that was not given are "not asked".

    Parameters
    ----------
    found
        Results of `search` by kind.
    name
        Name of the transcript.
    """
    columns: dict[str, str] = {}
    for kind, own in COLUMNS.items():
        columns |= found[kind][name] if kind in found else dict.fromkeys(own, NOT_ASKED)
    return columns


def _check(kind: str, database: Path) -> None:
    """Refuse a file of another format, whose program would fail with a message of its own."""
    if kind == "kraken2_database":
        if not (database / "hash.k2d").is_file():
            raise InputError(
                f"{database}: holds no hash.k2d, expected the folder of a Kraken 2 database that is built. Build or "
                f"unpack it, or leave novelty.{kind} out."
            )
        return
    start, what = {
        "proteins": (">", "a FASTA file of proteins"),
        "rna_families": ("INFERNAL1", "covariance models of Infernal 1.1, such as Rfam.cm"),
    }.get(kind, ("HMMER3", "profiles of HMMER 3, such as Pfam-A.hmm"))
    try:
        with open_text(database) as file:
            first = next((line for line in file if line.strip()), "")
    except UnicodeDecodeError:
        first = "(binary data)"
    if not first.startswith(start):
        raise InputError(
            f"{database}: starts with '{first.strip()[:40]}', expected {what}. Correct or leave out novelty.{kind}."
        )


def _unpacked(database: Path, folder: Path) -> Path:
    """The database itself, or an unpacked copy if it is compressed, which not every program reads."""
    if database.is_dir():
        return database
    with database.open("rb") as file:
        if not file.read(6).startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ")):
            return database
    copy = folder / "database"
    with open_unpacked(database) as packed, copy.open("wb") as plain:
        shutil.copyfileobj(packed, plain)
    return copy


def _search_proteins(request: _Request) -> Matches:
    base, out = request.folder / "proteins", request.folder / "hits.tsv"
    threads: list[Argument] = ["--threads", request.threads]
    run_tool(["diamond", "makedb", "--in", request.database, "--db", base, *threads], log=request.log)
    fields = ("qseqid", "sseqid", "stitle", "pident", "scovhsp", "evalue", "bitscore")
    search_for: list[Argument] = ["--max-target-seqs", 5, "--evalue", _PROTEIN_E, "--sensitive", "--outfmt", 6, *fields]
    run_tool(
        ["diamond", "blastx", "--query", request.transcripts, "--db", base, "--out", out, *search_for, *threads],
        log=request.log,
    )
    rows = ((float(c[6]), c[0], c) for c in _cells(out, "\t"))
    return {
        name: (c[1], c[2].partition(" ")[2] or NONE_FOUND, f"{float(c[3]) / 100:.4f}", f"{float(c[4]) / 100:.4f}", c[5])
        for name, c in _best(rows).items()
    }


def _search_domains(request: _Request) -> Matches:
    peptides, out = request.folder / "peptides.fa", request.folder / "hits.txt"
    records = [
        (record.name, peptide)
        for record in read_fasta(request.transcripts, "FASTA file of novel transcripts")
        if len(peptide := longest_peptide(record.sequence)) >= _SHORTEST_PEPTIDE
    ]
    if not records:
        return {}
    write_fasta(peptides, records)
    models = _models(request.database)
    # -Z: E-values as in a search of one protein against all profiles, however many transcripts there are
    limits: list[Argument] = ["--cut_ga"] if models.has_thresholds else ["-E", _MODEL_E, "--domE", _MODEL_E]
    files: list[Argument] = ["--domtblout", out, request.database, peptides]
    run_tool(["hmmsearch", "--cpu", request.threads, "-Z", models.number, *limits, *_QUIET, *files], log=request.log)
    rows = ((float(c[7]), c[0], (c[3], models.about(c[3]), c[6])) for c in _cells(out))
    return _best(rows)


def _search_rna_families(request: _Request) -> Matches:
    out = request.folder / "hits.txt"
    models = _models(request.database)
    limits: list[Argument] = ["--cut_ga"] if models.has_thresholds else ["-E", _MODEL_E]
    files: list[Argument] = ["--tblout", out, request.database, request.transcripts]
    run_tool(["cmsearch", "--cpu", request.threads, "--rfam", *limits, *_QUIET, *files], log=request.log)
    rows = ((float(c[14]), c[0], (c[2], models.about(c[2]), c[15])) for c in _cells(out))
    return _best(rows)


def _search_taxa(request: _Request) -> Matches:
    out = request.folder / "hits.tsv"
    settings: list[Argument] = ["--threads", request.threads, "--use-names", "--output", out]
    run_tool(["kraken2", "--db", request.database, *settings, request.transcripts], log=request.log)
    return {c[1]: (c[2],) for c in _cells(out, "\t") if c[0] == "C"}


_SEARCHES = {
    "proteins": _Search(
        _search_proteins,
        "diamond",
        ("protein", "protein_description", "protein_identity", "protein_coverage", "protein_evalue"),
    ),
    "domains": _Search(_search_domains, "hmmsearch", ("domain", "domain_description", "domain_evalue")),
    "rna_families": _Search(
        _search_rna_families, "cmsearch", ("rna_family", "rna_family_description", "rna_family_evalue")
    ),
    "kraken2_database": _Search(_search_taxa, "kraken2", ("taxon",)),
}

# Setting of the section `novelty` that names a database -> the columns that it gives, and the program that reads it.
COLUMNS = {kind: own.columns for kind, own in _SEARCHES.items()}
SEARCH_PROGRAMS = {kind: own.program for kind, own in _SEARCHES.items()}


def longest_peptide(sequence: str) -> str:
    """Amino acids of the longest reading frame, the one that `reads.sequences.longest_orf` measures."""
    from Bio.Seq import translate

    found = [(0, False, False, "")]
    for strand, letters in (("+", sequence), ("-", reverse_complement(sequence))):
        for frame in range(3):
            stretches = str(translate(letters[frame : len(letters) - (len(letters) - frame) % 3])).split("*")
            for i, stretch in enumerate(stretches):
                peptide = stretch if i == 0 else stretch[max(0, stretch.find("M")) :] if "M" in stretch else ""
                complete = i < len(stretches) - 1 and peptide.startswith("M")
                found.append((len(peptide), strand == "+", complete, peptide))
    return max(found, key=lambda frame: frame[:3])[3]


@dataclass(frozen=True)
class _Models:
    """Models of a file: their number, descriptions by name, and whether all have gathering thresholds."""

    number: int
    descriptions: Mapping[str, str]
    has_thresholds: bool

    def about(self, name: str) -> str:
        return self.descriptions.get(name) or NONE_FOUND


def _models(path: Path) -> _Models:
    """Read the headers of profiles or covariance models; a covariance model holds a profile of the same name."""
    descriptions: dict[str, str] = {}
    with_thresholds: set[str] = set()
    name = ""
    with open_text(path) as file:
        for line in file:
            key, _, value = line.rstrip("\n").partition(" ")
            if key == "NAME":
                name = value.strip()
                descriptions.setdefault(name, "")
            elif key == "DESC":
                descriptions[name] = value.strip()
            elif key == "GA":
                with_thresholds.add(name)
    return _Models(len(descriptions), descriptions, len(with_thresholds) == len(descriptions))


def _cells(path: Path, separator: str | None = None) -> Iterator[list[str]]:
    """Cells of the lines of a program's table, without comments."""
    with path.open(errors="replace") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                yield line.rstrip("\n").split(separator)


def _best(rows: Iterable[tuple[float, str, Iterable[str]]]) -> Matches:
    """Match with the highest score of each name; of equal ones the first in alphabetical order."""
    found: dict[str, tuple[float, tuple[str, ...]]] = {}
    for score, name, row in rows:
        own = (-score, tuple(row))
        found[name] = min(found.get(name, own), own)
    return {name: row for name, (_, row) in found.items()}
