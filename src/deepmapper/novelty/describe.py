"""Every novel transcript in words: alias, place, nearest gene, reading frame, and what it resembles in databases.

Runs after the screen and changes nothing that is counted. numpy and Biopython.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..core.counts import DETECTED_FROM
from ..core.files import atomic_write
from ..reads.annotation import Transcript, read_annotation, read_gtf, write_gtf
from ..reads.chromosomes import place_annotation
from ..reads.fasta import open_text, read_fasta
from .aliases import Named, aliases
from .coding import coding_verdict, orf_p_value
from .coverage import AROUND
from .homology import COLUMNS, NONE_FOUND, homology_columns
from .loci import span
from .nearest import Nearest, NearestGenes
from .tracks import write_bed

# Class codes of gffcompare in words; {gene} is the nearest gene.
_CODES = {
    "=": "has the introns of a transcript of {gene}",
    "c": "lies within a transcript of {gene}",
    "k": "contains a transcript of {gene}",
    "m": "retains all introns of a transcript of {gene}",
    "n": "retains some introns of a transcript of {gene}",
    "j": "shares splice junctions with {gene}",
    "e": "one exon across an exon and an intron of {gene}",
    "o": "overlaps exons of {gene} in another way",
    "s": "has an intron of {gene} on the other strand",
    "x": "on the other strand of exons of {gene}",
    "i": "within an intron of {gene}",
    "y": "{gene} lies within one of its introns",
    "p": "close to {gene} on the same strand, without overlap",
    "u": "where nothing is annotated",
    "": "no place in the genome relative to annotated genes",
}

_FROM_SCREEN = ("source", "class", "length", "gc", "longest_orf", "orf_strand", "orf_complete")

_COUNTED = ("counted_fragments", "counted_samples")

_COLUMNS = (
    *("name", "alias", "gene_id", "gene_name", "source", "class", "class_code", "meaning"),
    *("nearest_gene", "nearest_gene_name", "nearest_distance", "nearest_strand", "place", "exons", "length", "gc"),
    *(
        "longest_orf",
        "orf_strand",
        "orf_complete",
        "orf_p",
        "coding",
        "supporting_reads",
        "supporting_samples",
        *_COUNTED,
        "novelty_q",
        "rrna",
        "rrna_coverage",
    ),
    *(column for columns in COLUMNS.values() for column in columns),
)


@dataclass(frozen=True)
class Screened:
    """Files of the screen: all contigs, the sequences of those that were kept, and their places."""

    contigs: Path
    fasta: Path
    places: Path


@dataclass(frozen=True)
class _Known:
    """What is annotated: the genes by place, and their symbols."""

    genes: NearestGenes | None
    symbols: Mapping[str, str]
    names: frozenset[str]


def describe_novel(
    screened: Screened,
    *,
    table: Path,
    gtf: Path,
    bed: Path,
    neighbours: Path,
    counts: Path | None = None,
    transcript_to_gene: Path | None = None,
    annotation: str | Path = "",
    genome: Path | None = None,
    chromosome_names: str | Path = "auto",
    homology: Mapping[str, Mapping[str, Mapping[str, str]]] | None = None,
    log: IO[str] | None = None,
) -> int:
    """Describe every novel transcript; return their number.

    Parameters
    ----------
    screened
        Written by `screen_novelty`.
    table
        Written: ``novel.tsv``, a row per novel transcript, the longest first.
    gtf, bed
        Written: the places of those that have one.
    neighbours
        Written: GTF of the annotated transcripts within 5 kb of these places, with the genome's names of sequences.
    counts
        Fragments of every sample that each transcript was assigned, as ``counts.tsv.gz`` has them; None if nothing was
        counted.
    transcript_to_gene
        Columns ``gene_id`` and ``gene_name``; None if there is no reference.
    annotation, genome, chromosome_names
        As in the screen; without an annotation there is no nearest gene.
    homology
        Results of `homology.search` by kind; for a kind that is missing the columns are "not asked".

    Raises
    ------
    InputError
        If an input cannot be used.
    """
    log = log or sys.stderr
    known = _read_known(annotation, genome, chromosome_names, transcript_to_gene, log)
    sequences = {record.name: record.sequence for record in read_fasta(screened.fasta, "FASTA of novel transcripts")}
    kept = _read_kept(screened.contigs)
    rows = [kept[name] for name in sequences]
    places = {place.id: place for place in read_gtf(screened.places)}
    named = [Named(row["name"], row["class"], _genes(row), row["gene_id"], places.get(row["name"])) for row in rows]
    alias = aliases(named, known.symbols, known.names)
    counted = _read_counted(counts, sequences) if counts else {}
    described = [
        _describe(row, sequences[row["name"]], alias, places.get(row["name"]), known, homology or {})
        | dict(zip(_COUNTED, counted.get(row["name"], ("", "")), strict=True))
        for row in rows
    ]
    with atomic_write(table) as tmp, tmp.open("w", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(described)
    attributes = {
        row["name"]: {
            "gene_name": row["gene_name"],
            "alias": row["alias"],
            "class": row["class"],
            "class_code": row["class_code"],
        }
        for row in described
    }
    shown = [place for name, place in places.items() if name in sequences]
    write_gtf(gtf, shown, "novel", attributes)
    write_bed(bed, shown, alias)
    around = {near: None for place in shown if known.genes for near in known.genes.around(place, AROUND)}
    write_gtf(neighbours, around)
    print(f"{len(rows)} novel transcripts described, {len(shown)} of them with a place in the genome.", file=log)
    return len(rows)


def _describe(
    row: Mapping[str, str],
    sequence: str,
    alias: Mapping[str, str],
    place: Transcript | None,
    known: _Known,
    homology: Mapping[str, Mapping[str, Mapping[str, str]]],
) -> dict[str, str]:
    """Return the row of one novel transcript."""
    name, gene = row["name"], row["gene_id"]
    nearest = known.genes.nearest(place, _genes(row)) if known.genes and place else None
    p_value = orf_p_value(sequence)
    found = homology_columns(homology, name)
    matched = "proteins" in homology and found["protein"] != NONE_FOUND
    return {
        "name": name,
        "alias": alias[name],
        "gene_id": gene,
        # a new gene goes by the alias of the transcript that it is called after
        "gene_name": known.symbols.get(gene) or alias.get(gene, ""),
        "class_code": row.get("class_code", ""),
        "meaning": _meaning(row, nearest, known.symbols),
        **_nearest_columns(nearest, known.symbols),
        **_place_columns(place),
        **{column: row[column] for column in _FROM_SCREEN},
        "orf_p": f"{p_value:.4g}",
        "coding": coding_verdict(int(row["longest_orf"]), p_value, protein_match=matched),
        "supporting_reads": row["supporting_reads"],
        "supporting_samples": row["supporting_samples"],
        "novelty_q": row.get("novelty_q", ""),
        "rrna": row["rrna"],
        "rrna_coverage": row["rrna_coverage"],
        **found,
    }


def _meaning(row: Mapping[str, str], nearest: Nearest | None, symbols: Mapping[str, str]) -> str:
    """The class code in words; without one, the reason that the screen gave."""
    code = row.get("class_code", "")
    if not code:
        return row["reason"]
    return _CODES[code].format(gene=(symbols.get(nearest.gene_id) or nearest.gene_id) if nearest else "a gene")


def _nearest_columns(nearest: Nearest | None, symbols: Mapping[str, str]) -> dict[str, str]:
    if nearest is None:
        return dict.fromkeys(("nearest_gene", "nearest_gene_name", "nearest_distance", "nearest_strand"), "")
    return {
        "nearest_gene": nearest.gene_id,
        "nearest_gene_name": symbols.get(nearest.gene_id, ""),
        "nearest_distance": str(nearest.distance),
        "nearest_strand": nearest.strand,
    }


def _place_columns(place: Transcript | None) -> dict[str, str]:
    if place is None:
        return {"place": "", "exons": ""}
    start, end = span(place)
    return {"place": f"{place.chrom}:{start + 1}-{end}({place.strand})", "exons": str(len(place.exons))}


def _genes(row: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(filter(None, row["gene"].split(",")))


def _read_kept(path: Path) -> dict[str, dict[str, str]]:
    """Rows of the kept contigs by name."""
    with path.open(newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file, delimiter="\t") if row["kept"] == "true"}


def _read_counted(path: Path, names: Container[str]) -> dict[str, tuple[str, str]]:
    """Fragments of all samples, and the number of samples that have any, of each transcript of these names."""
    counted = {}
    with open_text(path) as file:
        next(file)
        for line in file:
            name, *cells = line.rstrip("\n").split("\t")
            if name in names:
                values = [float(cell) for cell in cells]
                counted[name] = f"{sum(values):.1f}", str(sum(value >= DETECTED_FROM for value in values))
    return counted


def _read_known(
    annotation: str | Path,
    genome: Path | None,
    chromosome_names: str | Path,
    transcript_to_gene: Path | None,
    log: IO[str],
) -> _Known:
    symbols: dict[str, str] = {}
    if transcript_to_gene:
        with transcript_to_gene.open(newline="") as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            symbols = {row["gene_id"]: row["gene_name"] for row in rows if row["gene_id"]}
    transcripts: Sequence[Transcript] = ()
    if annotation and genome:
        transcripts = place_annotation(annotation, genome, chromosome_names=chromosome_names, log=log).transcripts
    elif annotation:
        transcripts = read_annotation(annotation)
    symbols |= {t.gene_id: t.gene_name for t in transcripts if t.gene_id and t.gene_name}
    genes = NearestGenes(transcripts) if transcripts else None
    names = frozenset({*symbols, *symbols.values(), *(t.gene_id or t.id for t in transcripts)} - {""})
    return _Known(genes, symbols, names)
