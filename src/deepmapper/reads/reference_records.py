"""Records of the reference files, with files that are given for one another refused. Standard library and Biopython."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError
from .fasta import Record, read_fasta
from .nucleotides import impossible_letter

# Headers of transcripts by Ensembl, GENCODE and NCBI, and of genomes by Ensembl and NCBI.
_TRANSCRIPT_HEADER = re.compile(r"^(?:ENS[A-Z]*T\d{11}|[NX][MR]_\d+)|\s(?:cdna|ncrna)\s")

_GENOME_HEADER = re.compile(r"\sdna(?:_sm|_rm)?:|\b(?:complete genome|primary assembly|genomic scaffold)\b", re.I)

_N_JUDGED = 20  # records by whose headers a genome is judged, chosen by hand

_MAX_TRANSCRIPT = 1_000_000  # nt; the longest known transcripts have a third of it


def genome_records(path: str | Path) -> Iterator[Record]:
    """Yield the records of a genome, a FASTA of nucleotides.

    Raises
    ------
    InputError
        If it is another file, empty, or a FASTA of transcripts, to which reads would align in place of the genome.
    """
    first: list[str] = []
    for record in _nucleotides(path, "genome"):
        if len(first) < _N_JUDGED:
            first.append(record.header)
        yield record
    if not first:
        raise InputError(f"{path}: holds no sequences, expected those of the genome.")
    if all(_TRANSCRIPT_HEADER.search(header) for header in first):
        raise InputError(
            f"{path}: holds transcripts ('>{first[0][:60]}'), expected the genome. Give this file as "
            "reference.transcripts, and the FASTA of the chromosomes as reference.genome."
        )


def transcript_records(path: str | Path) -> Iterator[Record]:
    """Yield the records of a FASTA of transcripts.

    Raises
    ------
    InputError
        If it is another file, not of nucleotides, or a genome.
    """
    for record in _nucleotides(path, "FASTA file of transcripts"):
        if len(record.sequence) > _MAX_TRANSCRIPT or _GENOME_HEADER.search(record.header):
            raise InputError(
                f"{path}: holds a genome ('>{record.header[:60]}' has {len(record.sequence)} nt), expected "
                "transcripts. Give this file as reference.genome; leave out reference.transcripts to take the "
                "transcripts from it by reference.annotation."
            )
        yield record


def _nucleotides(path: str | Path, what: str) -> Iterator[Record]:
    for record in read_fasta(path, what):
        if letter := impossible_letter(record.sequence):
            raise InputError(
                f"{path}: record {record.name} holds the letter {letter!r}, expected nucleotides (a {what}). "
                f"Neither proteins nor alignments can be used."
            )
        yield record
