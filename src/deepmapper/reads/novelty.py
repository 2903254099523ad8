"""The novelty screen: contigs compared with the reference, classified, deduplicated and named.

A contig comes from reads that did not align, yet it need not be new: reads of a strain that differs from the reference
fail to align too. So every contig is compared with the reference transcripts and the genome. What nearly equals a
reference transcript is dropped, since quantification would share that transcript's reads with it; the rest is classed
and kept. Every contig, dropped or kept, has its row in a table with the reason in words and figures.

Standard library, Biopython, and minimap2 on PATH.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from ..core.files import atomic_folder
from ..core.programs import require, run_tool
from ..core.words import some_names
from ..errors import InputError
from . import sequences
from .annotation import read_annotation
from .fasta import open_text, read_fasta, write_fasta
from .loci import TranscriptIndex
from .novelty_classes import (
    DROPPED,
    KEPT,
    Contig,
    Evidence,
    NoveltyOptions,
    decide,
    is_kept,
    longest_first,
    support_of,
    supported,
    where,
    without_redundant,
)
from .nucleotides import impossible_letter
from .paf import Hit, Match, read_paf
from .read_support import fragments_per_contig, samples_of

# Measured on pieces of transcripts of 200 to 1000 bases, a tenth of the changes gaps: with these seeds all of them are
# found up to 8 % divergence and 0.97 of the shortest at 10 %, against 0 with the preset asm20 and 0.78 with map-ont.
# -U keeps the seeds of genes with many isoforms; among the contigs it leaves out those of repeats, which cost minutes.
_TO_TRANSCRIPTS = ("-x", "map-ont", "-k", "13", "-w", "5", "-m", "25", "-s", "60", "-U", "500", "-p", "0.5")

_TO_GENOME = ("-x", "splice", "-k", "13", "-m", "25", "-s", "60")

_TO_CONTIGS = ("-x", "map-ont", "-D", "-N", "100", "-p", "0.1", "-U", "10,100")

_THEMSELVES = "contigs.fa"

_NOT_COUNTED = ("duplicate", "contained", "hairpin", "too_short", "low_complexity")


def screen_novelty(
    contigs: Path,
    *,
    transcripts: Path,
    genome: Path | None = None,
    annotation: str | Path = "",
    pool: Path | None = None,
    contaminants: str | Path = "",
    stranded: bool = False,
    options: NoveltyOptions | None = None,
    folder: Path,
    threads: int = 1,
    log: IO[str] | None = None,
) -> dict[str, int]:
    """Decide which contigs are novel transcripts and write them with a table of all decisions.

    The result is the same for any number of threads and, but for the order of rows, any order of the contigs.

    Parameters
    ----------
    contigs
        FASTA, plain or gzipped, with any names; an earlier ``denovo.fa`` gives the same names again. May be empty.
    transcripts
        FASTA of the reference transcripts.
    genome
        FASTA; without it contigs are compared with the transcripts alone.
    annotation
        GTF or GFF3 of that genome; without it what is found in the genome is classed ``genomic``.
    pool
        Folder of the reads that did not align: ``left``, ``right`` and ``single`` files of reads named
        ``sample|read/1``, and ``samples.tsv``. Without it there is no support.
    contaminants
        FASTA of sequences to flag, for example vectors and ribosomal RNA.
    stranded
        Whether the contigs have the strand of their transcripts, as assemblies of stranded libraries do.
    folder
        Appears whole or not at all, with:
        ``denovo.fa``, the kept contigs, longest first, with the strand they were given on;
        ``contigs.tsv``, all contigs in the order given: their name (duplicates share one), class and reason; GC, share
        of unknown letters and of simple sequence; whether an end is Illumina's adapter; longest reading frame (amino
        acids); best transcript and place in the genome with identity and coverage; gene; read fragments and samples;
        ``support.tsv``, fragments per contig and sample, for contigs that are no duplicate, part or fold of another,
        too short or of low complexity.

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
    index = _read_index(annotation, genome)
    found = _read_contigs(contigs, options)
    with atomic_folder(folder) as out, TemporaryDirectory(dir=out) as tmp:

        def hits(among: list[Contig], target: str | Path | None, *settings: str) -> dict[str, list[Hit]]:
            return _align(among, target, settings, folder=Path(tmp), threads=threads, log=log) if target else {}

        waiting = sorted((c for c in found if not c.kind), key=lambda c: c.name)
        on_transcripts = hits(waiting, transcripts, *_TO_TRANSCRIPTS)
        on_genome = hits(waiting, genome, *_TO_GENOME, "-G", str(options.max_intron))
        on_contaminants = hits(waiting, contaminants, *_TO_TRANSCRIPTS)
        decided = {
            contig.name: decide(
                contig,
                Evidence(*(on.get(contig.name, ()) for on in (on_transcripts, on_genome, on_contaminants))),
                index,
                options,
                stranded=stranded,
            )
            for contig in waiting
        }
        kept = [contig for contig in decided.values() if is_kept(contig, options)]
        decided |= {c.name: c for c in without_redundant(kept, hits(kept, _THEMSELVES, *_TO_CONTIGS), options)}
        samples: list[str] = []
        if pool is not None:
            samples = samples_of(pool)
            targets = [contig for contig in decided.values() if contig.kind not in _NOT_COUNTED]
            counts = fragments_per_contig(
                pool, {c.name: c.sequence for c in targets}, folder=Path(tmp), threads=threads, log=log
            )
            decided |= {c.name: supported(replace(c, support=counts[c.name]), options) for c in targets}
            _write_table(
                out / "support.tsv",
                ["name", *samples],
                ([c.name, *(counts[c.name][s] for s in samples)] for c in sorted(targets, key=longest_first)),
            )
        else:
            _write_table(out / "support.tsv", ["name"], [])
        final = [contig if contig.kind else decided[contig.name] for contig in found]
        novel = sorted((contig for contig in final if is_kept(contig, options)), key=longest_first)
        write_fasta(out / "denovo.fa", ((contig.name, contig.sequence) for contig in novel))
        _write_table(out / "contigs.tsv", list(_COLUMNS), (_row(contig, options, pool is not None) for contig in final))
    counted = Counter(contig.kind for contig in final)
    counts_of = {kind: counted[kind] for kind in (*KEPT, *DROPPED) if counted[kind]}
    shown = ", ".join(f"{n} {kind}" for kind, n in counts_of.items()) or "none"
    if adapters := sum(sequences.has_adapter(contig.sequence) for contig in novel):
        print(
            f"{adapters} of the kept contigs end in Illumina's adapter: trim the reads before they are aligned.",
            file=log,
        )
    print(f"{len(novel)} of {len(final)} contigs kept as novel transcripts. By class: {shown}.", file=log, flush=True)
    return counts_of


def _align(
    contigs: Sequence[Contig],
    target: str | Path,
    settings: Sequence[str],
    *,
    folder: Path,
    threads: int,
    log: IO[str],
) -> dict[str, list[Hit]]:
    """Hits of each contig on a FASTA file, or among themselves."""
    query, paf = folder / _THEMSELVES, folder / "hits.paf"
    target = query if target == _THEMSELVES else Path(target)
    write_fasta(query, ((contig.name, contig.sequence) for contig in contigs))
    if not contigs or _is_empty(target):
        return {}
    run_tool(["minimap2", "-c", *settings, "-t", threads, target, query], stdout=paf, log=log)
    return read_paf(paf)


def _read_index(annotation: str | Path, genome: Path | None) -> TranscriptIndex | None:
    if not annotation:
        return None
    index = TranscriptIndex(read_annotation(annotation))
    if genome is not None and index.chromosomes:
        with open_text(genome) as file:
            names = {line[1:].split(maxsplit=1)[0] for line in file if line.startswith(">") and line[1:].strip()}
        if names and not names & index.chromosomes:
            annotated, there = (some_names(ids, 3, ", ...") for ids in (index.chromosomes, names))
            raise InputError(
                f"{annotation}: none of its sequences ({annotated}) is in {genome} ({there}), "
                f"expected an annotation of that genome with the same names."
            )
    return index


def _read_contigs(path: Path, options: NoveltyOptions) -> list[Contig]:
    """Contigs in the order given, named; those too short, given twice or of low complexity are classed already."""
    records = []
    for record in read_fasta(path, "FASTA file of contigs"):
        sequence = record.sequence.replace("U", "T")
        if letter := impossible_letter(sequence):
            raise InputError(f"{path}: contig {record.name} holds {letter!r}, expected letters of nucleotides alone.")
        records.append((record.name, sequence, sequences.canonical(sequence)))
    names = sequences.names_of(canonical for _, _, canonical in records)
    first: dict[str, tuple[str, int]] = {}
    for i, (_, sequence, canonical) in enumerate(records):
        first[canonical] = min(first.get(canonical, (sequence, i)), (sequence, i))
    found = []
    for i, (given, sequence, canonical) in enumerate(records):
        contig = Contig(
            given,
            sequence,
            names[canonical],
            simple=sequences.simple_share(sequence),
            orf=sequences.longest_orf(sequence),
        )
        same = first[canonical][1]
        if same != i:
            contig = replace(contig, kind="duplicate", reason=f"the sequence of {records[same][0]}, on either strand")
        elif contig.length < options.min_length:
            contig = replace(contig, kind="too_short", reason=f"{contig.length} nt, limit {options.min_length}")
        elif contig.simple >= options.low_complexity and options.drop_low_complexity:
            share = f"{contig.simple:.2f} of it is simple sequence, limit {options.low_complexity:.2f}"
            contig = replace(contig, kind="low_complexity", reason=share)
        found.append(contig)
    return found


def _is_empty(fasta: Path) -> bool:
    with open_text(fasta) as file:
        return not any(line.startswith(">") for line in file)


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


def _row(contig: Contig, options: NoveltyOptions, counted: bool) -> list[object]:
    """One row of the table of contigs; an empty cell where there is nothing to say."""
    transcript, locus, orf = contig.transcript, contig.locus, contig.orf
    has_support = counted and contig.kind not in _NOT_COUNTED
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
        *((transcript.target, *_shares(transcript)) if transcript else ("", "", "")),
        *((f"{where(locus)}({locus.hits[0].strand})", *_shares(locus)) if locus else ("", "", "")),
        sum(len(hit.blocks) - 1 for hit in locus.hits) if locus else "",
        ",".join(contig.genes),
        *(support_of(contig) if has_support else ("", "")),
    ]


def _shares(match: Match) -> tuple[str, str]:
    return f"{match.identity:.4f}", f"{match.coverage:.4f}"


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
