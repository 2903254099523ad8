"""The novelty screen: contigs are compared with the reference, classified, deduplicated and named.

Contigs come from reads that did not align, but need not be novel: reads of a strain that differs from the reference
fail to align too. So every contig is compared with the reference transcripts and the genome. Near-copies of reference
transcripts are dropped, since they would take reads from those in quantification; the others are classified and kept.
Every contig, kept or dropped, has a row in a table with the reason in words and numbers.

Standard library, Biopython, and minimap2 on PATH.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from ..core.files import atomic_folder
from ..core.programs import require, run_tool
from ..errors import InputError
from ..reads import sequences
from ..reads.annotation import read_annotation
from ..reads.chromosomes import place_annotation
from ..reads.fasta import open_text, read_fasta, write_fasta
from ..reads.nucleotides import impossible_letter
from .classes import (
    DROPPED,
    KEPT,
    Alignments,
    Contig,
    NoveltyOptions,
    check_support,
    classify,
    find_redundant,
    is_kept,
    locus_name,
    longest_first,
    total_support,
)
from .loci import TranscriptIndex
from .paf import Hit, Match, read_paf
from .read_support import fragments_per_contig, pool_samples

# Measured on pieces of transcripts of 200 to 1000 bases, 10 % of the changes gaps: with these seeds all are found up to
# 8 % divergence, and 97 % of the shortest at 10 %, against 0 with the preset asm20 and 78 % with map-ont.
# -U keeps the seeds of genes with many isoforms; among the contigs it omits those of repeats, which would cost minutes.
_TO_TRANSCRIPTS = ("-x", "map-ont", "-k", "13", "-w", "5", "-m", "25", "-s", "60", "-U", "500", "-p", "0.5")

_TO_GENOME = ("-x", "splice", "-k", "13", "-m", "25", "-s", "60")

_TO_CONTIGS = ("-x", "map-ont", "-D", "-N", "100", "-p", "0.1", "-U", "10,100")

# Classes without read support.
_NOT_COUNTED = ("duplicate", "contained", "hairpin", "too_short", "low_complexity")

_COLUMNS = (
    "contig",
    "name",
    "kept",
    "class",
    "reason",
    "length",
    "gc",
    "unknown_share",
    "low_complexity_share",
    "low_complexity",
    "adapter",
    "contaminant",
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
    "gene",
    "supporting_reads",
    "supporting_samples",
)


def screen_novelty(
    contigs: Path,
    *,
    transcripts: Path,
    genome: Path | None = None,
    annotation: str | Path = "",
    chromosome_names: str | Path = "auto",
    pool: Path | None = None,
    contaminants: str | Path = "",
    stranded: bool = False,
    options: NoveltyOptions | None = None,
    folder: Path,
    threads: int = 1,
    log: IO[str] | None = None,
) -> dict[str, int]:
    """Decide which contigs are novel transcripts; write these and a table of all decisions.

    The result does not depend on the number of threads nor, except for the order of rows, on the order of the contigs.

    Parameters
    ----------
    contigs
        FASTA, plain or gzipped, with any names; an earlier ``denovo.fa`` gives the same names again. May be empty.
    transcripts
        FASTA of the reference transcripts.
    genome
        FASTA; without it contigs are compared only with the transcripts.
    annotation
        GTF or GFF3 of that genome; without it contigs from the genome are classified as ``genomic``.
    chromosome_names
        See `place_annotation`.
    pool
        Folder of the reads that did not align: ``left``, ``right`` and ``single`` files with reads named
        ``sample|read/1``, and ``samples.tsv``. Without it there is no read support.
    contaminants
        FASTA of sequences to flag, for example vectors and ribosomal RNA.
    stranded
        Whether contigs have the strand of their transcripts, as those of stranded libraries do.
    options
        Thresholds; None for the defaults.
    folder
        Written atomically, with:
        ``denovo.fa``, the kept contigs, longest first, on the strand that was given;
        ``contigs.tsv``, all contigs in the order given: name (duplicates share one), class and reason; GC, share of
        unknown letters and of low-complexity sequence; whether an end is Illumina's adapter; longest reading frame
        (amino acids); best transcript and place in the genome with identity and coverage; gene; read fragments and
        samples;
        ``support.tsv``, fragments per contig and sample, for all contigs but those that are duplicates, contained,
        hairpins, too short or of low complexity.

    Returns
    -------
    dict
        Number of contigs of each class.

    Raises
    ------
    InputError
        If an input or option cannot be used.
    BioToolUnavailable
        If minimap2 is missing.
    """
    options, log = options or NoveltyOptions(), log or sys.stderr
    if (options.min_fragments or options.min_samples) and pool is None:
        raise InputError(
            "novelty: min_fragments and min_samples need the pool of reads that did not align; none given."
        )
    require("minimap2")
    index = _read_index(annotation, genome, chromosome_names, log)
    given = _read_contigs(contigs, options)
    undecided = sorted((contig for contig in given if not contig.kind), key=lambda contig: contig.name)
    with atomic_folder(folder) as out, TemporaryDirectory(dir=out) as tmp:
        aligner = _Aligner(Path(tmp), threads, log)
        to_genome = (*_TO_GENOME, "-G", str(options.max_intron))
        hits = (
            aligner.align(undecided, transcripts, _TO_TRANSCRIPTS),
            aligner.align(undecided, genome, to_genome) if genome else {},
            aligner.align(undecided, contaminants, _TO_TRANSCRIPTS) if contaminants else {},
        )
        classified = {}
        for contig in undecided:
            own = Alignments(*(by_name.get(contig.name, ()) for by_name in hits))
            classified[contig.name] = classify(contig, own, index, options, stranded=stranded)
        kept = [contig for contig in classified.values() if is_kept(contig, options)]
        redundant = find_redundant(kept, aligner.align(kept, None, _TO_CONTIGS), options)
        classified |= {contig.name: contig for contig in redundant}
        classified |= _count_support(list(classified.values()), pool, out, options, aligner)
        final = [contig if contig.kind else classified[contig.name] for contig in given]
        novel = sorted((contig for contig in final if is_kept(contig, options)), key=longest_first)
        write_fasta(out / "denovo.fa", ((contig.name, contig.sequence) for contig in novel))
        _write_table(out / "contigs.tsv", list(_COLUMNS), (_row(contig, options, pool is not None) for contig in final))
    return _summarise(final, novel, log)


@dataclass(frozen=True)
class _Aligner:
    """Runs minimap2 in a folder for temporary files."""

    folder: Path
    threads: int
    log: IO[str]

    def align(
        self, contigs: Sequence[Contig], target: str | Path | None, settings: Sequence[str]
    ) -> dict[str, list[Hit]]:
        """Align contigs to a FASTA file, or to each other if `target` is None; return the hits of each contig."""
        query, paf = self.folder / "contigs.fa", self.folder / "hits.paf"
        target = query if target is None else Path(target)
        write_fasta(query, ((contig.name, contig.sequence) for contig in contigs))
        if not contigs or _is_empty(target):
            return {}
        run_tool(["minimap2", "-c", *settings, "-t", self.threads, target, query], stdout=paf, log=self.log)
        return read_paf(paf)


def _count_support(
    contigs: Sequence[Contig], pool: Path | None, out: Path, options: NoveltyOptions, aligner: _Aligner
) -> dict[str, Contig]:
    """Count the reads of each contig, write ``support.tsv``, and return the contigs with their support by name."""
    if pool is None:
        _write_table(out / "support.tsv", ["name"], [])
        return {}
    samples = pool_samples(pool)
    targets = [contig for contig in contigs if contig.kind not in _NOT_COUNTED]
    by_name = {contig.name: contig.sequence for contig in targets}
    counts = fragments_per_contig(pool, by_name, folder=aligner.folder, threads=aligner.threads, log=aligner.log)
    rows = (
        [contig.name, *(counts[contig.name][sample] for sample in samples)]
        for contig in sorted(targets, key=longest_first)
    )
    _write_table(out / "support.tsv", ["name", *samples], rows)
    return {contig.name: check_support(replace(contig, support=counts[contig.name]), options) for contig in targets}


def _summarise(contigs: Sequence[Contig], novel: Sequence[Contig], log: IO[str]) -> dict[str, int]:
    """Log and return the number of contigs of each class."""
    by_kind = Counter(contig.kind for contig in contigs)
    counts = {kind: by_kind[kind] for kind in (*KEPT, *DROPPED) if by_kind[kind]}
    if n_adapters := sum(sequences.has_adapter(contig.sequence) for contig in novel):
        print(f"{n_adapters} of the kept contigs end with Illumina's adapter: trim the reads.", file=log)
    text = ", ".join(f"{n} {kind}" for kind, n in counts.items()) or "none"
    print(f"{len(novel)} of {len(contigs)} contigs kept as novel transcripts. By class: {text}.", file=log, flush=True)
    return counts


def _read_index(
    annotation: str | Path, genome: Path | None, chromosome_names: str | Path, log: IO[str] | None
) -> TranscriptIndex | None:
    if not annotation:
        return None
    if genome is None or _is_empty(genome):
        return TranscriptIndex(read_annotation(annotation))
    placed = place_annotation(annotation, genome, chromosome_names=chromosome_names, log=log)
    return TranscriptIndex(placed.transcripts)


def _read_contigs(path: Path, options: NoveltyOptions) -> list[Contig]:
    """Read and name contigs, in the order given; duplicates, short and low-complexity ones are classified already."""
    records = []
    for record in read_fasta(path, "FASTA file of contigs"):
        sequence = record.sequence.replace("U", "T")
        if letter := impossible_letter(sequence):
            raise InputError(f"{path}: contig {record.name} holds {letter!r}, expected nucleotides.")
        records.append((record.name, sequence, sequences.canonical(sequence)))
    names = sequences.names_of(canonical for _, _, canonical in records)
    # of duplicates the one whose sequence comes first in alphabetical order is kept, then the first given
    first: dict[str, tuple[str, int]] = {}
    for i, (_, sequence, canonical) in enumerate(records):
        first[canonical] = min(first.get(canonical, (sequence, i)), (sequence, i))
    contigs = []
    for i, (given, sequence, canonical) in enumerate(records):
        simple, orf = sequences.simple_share(sequence), sequences.longest_orf(sequence)
        contig = Contig(given, sequence, names[canonical], simple=simple, orf=orf)
        original = first[canonical][1]
        if original != i:
            reason = f"the sequence of {records[original][0]}, on either strand"
            contig = replace(contig, kind="duplicate", reason=reason)
        elif contig.length < options.min_length:
            contig = replace(contig, kind="too_short", reason=f"{contig.length} nt, limit {options.min_length}")
        elif contig.simple >= options.low_complexity and options.drop_low_complexity:
            reason = f"{contig.simple:.2f} of it is simple sequence, limit {options.low_complexity:.2f}"
            contig = replace(contig, kind="low_complexity", reason=reason)
        contigs.append(contig)
    return contigs


def _is_empty(fasta: Path) -> bool:
    with open_text(fasta) as file:
        return not any(line.startswith(">") for line in file)


def _row(contig: Contig, options: NoveltyOptions, has_pool: bool) -> list[object]:
    """Return the row of a contig in the table; cells without a value are empty."""
    transcript, locus, orf = contig.transcript, contig.locus, contig.orf
    has_support = has_pool and contig.kind not in _NOT_COUNTED
    return [
        contig.given,
        contig.name,
        _flag(is_kept(contig, options)),
        contig.kind,
        contig.reason + ("; of a class to drop" if contig.kind in options.drop else ""),
        contig.length,
        f"{sequences.gc_share(contig.sequence):.4f}",
        f"{sequences.unknown_share(contig.sequence):.4f}",
        f"{contig.simple:.4f}",
        _flag(contig.simple >= options.low_complexity),
        _flag(sequences.has_adapter(contig.sequence)),
        contig.contaminant,
        orf.length,
        orf.strand,
        _flag(orf.complete),
        *((transcript.target, *_identity_and_coverage(transcript)) if transcript else ("", "", "")),
        *((f"{locus_name(locus)}({locus.hits[0].strand})", *_identity_and_coverage(locus)) if locus else ("", "", "")),
        sum(len(hit.blocks) - 1 for hit in locus.hits) if locus else "",
        ",".join(contig.genes),
        *(total_support(contig) if has_support else ("", "")),
    ]


def _identity_and_coverage(match: Match) -> tuple[str, str]:
    return f"{match.identity:.4f}", f"{match.coverage:.4f}"


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
