"""Names of sequences in an annotation and in its genome: matched, or named where they differ.

Ensembl's ``1``, ``MT`` and ``KI270728.1`` are UCSC's ``chr1``, ``chrM`` and ``chr16_KI270728v1_random``. An annotation
that uses other names than the genome gives no splice sites and no genes there, and no program complains. Standard
library only.
"""

from __future__ import annotations

import csv
import lzma
import sys
import warnings
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import IO

from ..core.files import atomic_write
from ..core.match_names import CHROMOSOME_HABITS, match_names
from ..core.words import count, natural_order, some_names
from ..errors import DeepMapperWarning, InputError
from .annotation import Transcript, read_annotation
from .fasta import open_text

# Values of `reference.chromosome_names` that are not the path of a table.
RULES = ("auto", "as_written")

_NOTABLE_LOSS = 0.01  # share of the genes that are left out, from which a warning is given; chosen by hand


@dataclass(frozen=True)
class Place:
    """A sequence of an annotation, and where it is in the genome.

    Attributes
    ----------
    annotation_name, genome_name
        Its names; ``genome_name`` is "" if it is not in the genome.
    how
        "exact"; "habit" if the names differ as described in `place_annotation`; "table"; "as_written" if they differ so
        but were to be used as they are; "missing".
    genes, transcripts
        Their numbers on this sequence.
    """

    annotation_name: str
    genome_name: str
    how: str
    genes: int
    transcripts: int

    @property
    def is_used(self) -> bool:
        """Whether its transcripts are used."""
        return self.how in ("exact", "habit", "table")


@dataclass(frozen=True)
class PlacedAnnotation:
    """An annotation with the names of its genome.

    Attributes
    ----------
    transcripts
        All of them; ``chrom`` is the genome's name where it is known, else the annotation's.
    places
        The sequences of the annotation.
    lengths
        Length of every sequence of the genome, in nucleotides.
    path, genome
        The two files, for messages.
    """

    transcripts: list[Transcript]
    places: list[Place]
    lengths: dict[str, int]
    path: str
    genome: str

    def within(self) -> list[Transcript]:
        """Return the transcripts on sequences of the genome.

        Raises
        ------
        InputError
            If one ends beyond its sequence.
        """
        kept = [transcript for transcript in self.transcripts if transcript.chrom in self.lengths]
        for transcript in kept:
            if transcript.exons[-1][1] > self.lengths[transcript.chrom]:
                raise InputError(
                    f"{self.path}: transcript {transcript.id} ends at {transcript.exons[-1][1]}, beyond the end of "
                    f"{transcript.chrom} in {self.genome} ({self.lengths[transcript.chrom]}), expected an annotation "
                    f"of that genome."
                )
        return kept


def place_annotation(
    annotation: str | Path,
    genome: str | Path,
    *,
    chromosome_names: str | Path = "auto",
    origin: str | Path = "",
    log: IO[str] | None = None,
) -> PlacedAnnotation:
    """Read an annotation and give its sequences the names that they have in the genome.

    Parameters
    ----------
    annotation
        GTF or GFF3.
    genome
        FASTA of the annotated genome.
    chromosome_names
        "auto": names that are the same, then those that differ by ``chr``, the name of the mitochondrion or UCSC's
        form of scaffolds, where it is one-to-one. "as_written": only names that are the same. Else the path of a table
        of two columns, name in the annotation and name in the genome; names that it does not have must be the same.
    origin
        The genome's file to name in messages; default `genome`.
    log
        Receives the sequences that are not in the genome; None for standard error.

    Raises
    ------
    InputError
        If no sequence of the annotation is in the genome, or the table cannot be used.

    Warns
    -----
    DeepMapperWarning
        If names that differ were matched or could be, or genes are left out.
    """
    transcripts = read_annotation(annotation)
    lengths = sequence_lengths(genome)
    places = _place(transcripts, list(lengths), chromosome_names)
    names = {place.annotation_name: place.genome_name for place in places if place.is_used}
    path, genome = str(annotation), str(origin or genome)
    if not names:
        raise InputError(
            f"{path}: none of its sequences ({some_names(t.chrom for t in transcripts)}) is in {genome} "
            f"({some_names(lengths)}), expected an annotation of that genome with the same names. If only the names "
            f"differ, {_way_out(chromosome_names)}"
        )
    for text in cautions(places, path, genome, chromosome_names):
        warnings.warn(text, DeepMapperWarning, stacklevel=2)
    if missing := [t.chrom for t in transcripts if t.chrom not in names]:
        text = f"{len(missing)} transcripts omitted, their sequences are not in {genome}: {some_names(missing)}"
        print(f"{path}: {text}", file=log or sys.stderr)
    if any(old != new for old, new in names.items()):
        transcripts = [replace(t, chrom=names.get(t.chrom, t.chrom)) for t in transcripts]
    return PlacedAnnotation(transcripts, places, lengths, path, genome)


def cautions(places: Sequence[Place], annotation: str, genome: str, chromosome_names: str | Path = "auto") -> list[str]:
    """Say which names of sequences differ, and what is left out; nothing if all is well.

    Parameters
    ----------
    places
        The sequences of the annotation.
    annotation, genome
        How to call the two files.
    chromosome_names
        As in `place_annotation`.
    """
    texts = []
    for how, by in (("habit", ""), ("table", ", by the table of names,")):
        if own := [place for place in places if place.how == how]:
            example, n_same = own[0], sum(place.how == "exact" for place in places)
            texts.append(
                f"{annotation}: matched {count(len(own), 'sequence')} with {count(sum(p.genes for p in own), 'gene')}"
                f"{by} to names of {genome} that differ ({example.annotation_name} is {example.genome_name} there); "
                f"{n_same} {'has' if n_same == 1 else 'have'} the same name."
            )
            if how == "habit":
                texts[-1] += " To leave them out: reference: {chromosome_names: as_written}"
    if own := [place for place in places if place.how == "as_written"]:
        texts.append(
            f"{annotation}: left out {count(len(own), 'sequence')} with {count(sum(p.genes for p in own), 'gene')} "
            f"that {'has' if len(own) == 1 else 'have'} another name in {genome} ({own[0].annotation_name} is "
            f"{own[0].genome_name} there). To match them: reference: {{chromosome_names: auto}}"
        )
    n_genes = sum(place.genes for place in places)
    if own := [place for place in places if place.how == "missing"]:
        lost = sum(place.genes for place in own)
        if lost > _NOTABLE_LOSS * n_genes:
            texts.append(
                f"{annotation}: left out {lost} of {count(n_genes, 'gene')}, since {len(own)} of "
                f"{count(len(places), 'sequence')} ({some_names(place.annotation_name for place in own)}) "
                f"{'is' if len(own) == 1 else 'are'} not in {genome} under this name. If only the names differ, "
                f"{_way_out(chromosome_names)}"
            )
    return texts


def write_places(out: str | Path, places: Iterable[Place]) -> None:
    """Write a table with one row per sequence of the annotation, in natural order of their names."""
    by_name = {place.annotation_name: place for place in places}
    with atomic_write(out) as tmp, tmp.open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(field.name for field in fields(Place))
        writer.writerows(astuple(by_name[name]) for name in natural_order(by_name))


def read_places(path: str | Path) -> list[Place]:
    """Read the table that `write_places` wrote."""
    with Path(path).open(newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return [
            Place(row["annotation_name"], row["genome_name"], row["how"], int(row["genes"]), int(row["transcripts"]))
            for row in rows
        ]


def sequence_lengths(genome: str | Path) -> dict[str, int]:
    """Length in nucleotides of every sequence of a FASTA, by its id (the first word of its header)."""
    lengths: dict[str, int] = {}
    name = ""
    with open_text(genome) as file:
        for line in file:
            if line.startswith(">"):
                name = (line[1:].split(maxsplit=1) or [""])[0]
                lengths[name] = 0
            else:
                lengths[name] = lengths.get(name, 0) + len(line.strip())
    return lengths


def _place(transcripts: Sequence[Transcript], in_genome: Sequence[str], chromosome_names: str | Path) -> list[Place]:
    """Find the name in the genome of every sequence of the annotation."""
    n_transcripts = Counter(t.chrom for t in transcripts)
    genes: dict[str, set[str]] = {name: set() for name in n_transcripts}
    for t in transcripts:
        genes[t.chrom].add(t.gene_id or t.id)
    rule = str(chromosome_names)
    given = {} if rule in RULES else _read_names(rule, set(n_transcripts), set(in_genome))
    left = [name for name in n_transcripts if name not in given]
    free = [name for name in in_genome if name not in given.values()]
    found = match_names(left, free, CHROMOSOME_HABITS if rule in RULES else ()).given
    places = []
    for name in n_transcripts:
        own = given.get(name) or found.get(name, "")
        how = "table" if name in given else "exact" if own == name else "habit" if own else "missing"
        if how == "habit" and rule == "as_written":
            how = "as_written"
        places.append(Place(name, own, how, len(genes[name]), n_transcripts[name]))
    return places


def _read_names(path: str, annotated: set[str], in_genome: set[str]) -> dict[str, str]:
    """Read a table of names: of the annotation -> of the genome; lines about other sequences are ignored."""
    names: dict[str, str] = {}
    for number, cells in _lines(path):
        if len(cells) != 2:
            raise InputError(
                f"{path} line {number}: found {count(len(cells), 'column')}, expected two, separated by a tab: the "
                f"name of a sequence in the annotation and its name in the genome."
            )
        old, new = cells
        if old not in annotated or new not in in_genome:
            continue
        if names.get(old, new) != new:
            raise InputError(
                f"{path} line {number}: {old} is {names[old]} and {new}, expected one name in the genome. Remove a "
                "line."
            )
        names[old] = new
    if not names:
        raise InputError(
            f"{path}: no line has a name of the annotation ({some_names(annotated)}) and then one of the genome "
            f"({some_names(in_genome)}), expected two columns in this order, separated by a tab."
        )
    if len(set(names.values())) < len(names):
        twice = [new for new, n in Counter(names.values()).items() if n > 1]
        sharing = [name for name, new in names.items() if new == twice[0]]
        raise InputError(f"{path}: {' and '.join(sharing)} are both {twice[0]}, expected one name each. Remove a line.")
    return names


def _lines(path: str) -> Iterator[tuple[int, list[str]]]:
    try:
        with open_text(path) as file:
            for number, line in enumerate(file, 1):
                if line.strip() and not line.startswith("#"):
                    text = line.rstrip("\r\n")
                    yield number, [cell.strip() for cell in text.split("\t")] if "\t" in text else text.split()
    except (OSError, EOFError, UnicodeDecodeError, zlib.error, lzma.LZMAError) as error:
        raise InputError(
            f"reference.chromosome_names: {path} cannot be read ({error}), expected auto, as_written or the path of a "
            f"table of names."
        ) from error


def _way_out(chromosome_names: str | Path) -> str:
    table = "write a table whose lines are the name in the annotation, a tab and the name in the genome"
    if str(chromosome_names) == "as_written":
        return f"set reference: {{chromosome_names: auto}}, or {table}: reference: {{chromosome_names: names.tsv}}"
    return f"{table}: reference: {{chromosome_names: names.tsv}}"
