"""The tables of the novelty screen: every contig with its class and the reason; its reads. Standard library only."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..reads import sequences
from .classes import Contig, NoveltyOptions, is_kept, locus_name, longest_first, total_support
from .error_rate import ErrorRate
from .paf import Match

# Classes without read support.
NOT_COUNTED = ("duplicate", "contained", "hairpin", "too_short", "low_complexity")

COLUMNS = (
    "contig",
    "name",
    "kept",
    "source",
    "class",
    "reason",
    "length",
    "gc",
    "unknown_share",
    "low_complexity_share",
    "low_complexity",
    "adapter",
    "contaminant",
    "rrna",
    "rrna_coverage",
    "rrna_evalue",
    "longest_orf",
    "orf_strand",
    "orf_complete",
    "best_transcript",
    "transcript_identity",
    "transcript_coverage",
    "genome_locus",
    "genome_identity",
    "genome_coverage",
    "introns",
    "class_code",
    "gene",
    "gene_id",
    "supporting_reads",
    "supporting_samples",
    "false_rate",
    "novelty_q",
)


def write_contigs(
    path: Path,
    contigs: Iterable[Contig],
    options: NoveltyOptions,
    genes: Mapping[str, str],
    rate: ErrorRate,
    *,
    has_support: bool,
) -> None:
    """Write all contigs in the order given; `genes` holds the gene of each kept one by its name."""
    q = rate.q
    rows = (
        [
            *_row(contig, options, genes, has_support),
            *(_number(values.get(contig.name) if is_kept(contig, options) else None) for values in (rate.rates, q)),
        ]
        for contig in contigs
    )
    _write(path, COLUMNS, rows)


def write_support(path: Path, contigs: Iterable[Contig], samples: Sequence[str]) -> None:
    """Write the fragments per contig and sample, the longest contig first."""
    counted = sorted((contig for contig in contigs if contig.kind not in NOT_COUNTED), key=longest_first)
    _write(path, ["name", *samples], ([c.name, *(c.support.get(sample, 0) for sample in samples)] for c in counted))


def _row(contig: Contig, options: NoveltyOptions, genes: Mapping[str, str], has_support: bool) -> list[object]:
    """Return the row of a contig in the table; cells without a value are empty."""
    transcript, locus, orf, rrna = contig.transcript, contig.locus, contig.orf, contig.ribosomal
    counted = has_support and contig.kind not in NOT_COUNTED
    return [
        contig.given,
        contig.name,
        _flag(is_kept(contig, options)),
        contig.source,
        contig.kind,
        contig.reason + ("; of a class to drop" if contig.kind in options.drop else ""),
        contig.length,
        f"{sequences.gc_share(contig.sequence):.4f}",
        f"{sequences.unknown_share(contig.sequence):.4f}",
        f"{contig.simple:.4f}",
        _flag(contig.simple >= options.low_complexity),
        _flag(sequences.has_adapter(contig.sequence)),
        contig.contaminant,
        *((rrna.profile, f"{rrna.coverage:.4f}", f"{rrna.e_value:.2g}") if rrna else ("", "", "")),
        orf.length,
        orf.strand,
        _flag(orf.complete),
        *((transcript.target, *_identity_and_coverage(transcript)) if transcript else ("", "", "")),
        *((f"{locus_name(locus)}({locus.hits[0].strand})", *_identity_and_coverage(locus)) if locus else ("", "", "")),
        sum(len(hit.blocks) - 1 for hit in locus.hits) if locus else "",
        contig.code,
        ",".join(contig.genes),
        genes.get(contig.name, "") if is_kept(contig, options) else "",
        *(total_support(contig) if counted else ("", "")),
    ]


def _identity_and_coverage(match: Match) -> tuple[str, str]:
    return f"{match.identity:.4f}", f"{match.coverage:.4f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
