"""The novelty screen: contigs and transcript models are compared with the reference, classified and named.

Contigs come from reads that did not align, but need not be novel: reads of a strain that differs from the reference
fail to align too. Models come from reads that did align, and may only extend what is annotated. So every one is
compared with the reference transcripts and the genome. Near-copies of reference transcripts are dropped, since they
would take reads from those in quantification; the others are classified and kept. Every contig, kept or dropped, has a
row in a table with the reason in words and numbers.

Standard library, Biopython, pyhmmer, and minimap2 on PATH.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, NamedTuple

from ..core.files import atomic_folder
from ..core.programs import require, run_tool
from ..errors import InputError
from ..reads import sequences
from ..reads.annotation import Transcript, read_annotation, write_gtf
from ..reads.chromosomes import place_annotation
from ..reads.fasta import open_text, read_fasta, write_fasta
from ..reads.nucleotides import impossible_letter
from .class_codes import compare
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
    longest_first,
)
from .combinations import combined_only
from .contig_table import NOT_COUNTED, write_contigs, write_support
from .controls import Hidden, Judged, judge, read_hidden, sensitivity
from .error_rate import ErrorRate, estimate, strain_decoys
from .loci import TranscriptIndex
from .model_classes import classify_model, is_organelle, model_contig
from .models import Model, model_samples, read_expressed, read_models
from .novel_genes import genes_of, placed
from .paf import Hit, read_paf
from .precursors import of_precursors
from .read_support import fragments_per_contig, pool_samples
from .ribosomal import find_ribosomal

# Measured on pieces of transcripts of 200 to 1000 bases, 10 % of the changes gaps: with these seeds all are found up to
# 8 % divergence, and 97 % of the shortest at 10 %, against 0 with the preset asm20 and 78 % with map-ont.
# -U keeps the seeds of genes with many isoforms; among the contigs it omits those of repeats, which would cost minutes.
_TO_TRANSCRIPTS = ("-x", "map-ont", "-k", "13", "-w", "5", "-m", "25", "-s", "60", "-U", "500", "-p", "0.5")

_TO_GENOME = ("-x", "splice", "-k", "13", "-m", "25", "-s", "60")

_TO_CONTIGS = ("-x", "map-ont", "-D", "-N", "100", "-p", "0.1", "-U", "10,100")


def screen_novelty(
    contigs: Path | None,
    *,
    transcripts: Path | None,
    genome: Path | None = None,
    annotation: str | Path = "",
    chromosome_names: str | Path = "auto",
    pool: Path | None = None,
    models: Path | None = None,
    controls: Path | None = None,
    hidden: Path | None = None,
    contaminants: str | Path = "",
    rrna: Path | None = None,
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
        FASTA, plain or gzipped, with any names; an earlier ``denovo.fa`` gives the same names again. May be empty;
        None if there are only models.
    transcripts
        FASTA of the reference transcripts; None if there are none: without a genome, too, every contig that is kept is
        of the class ``unmapped``.
    genome
        FASTA; without it contigs are compared only with the transcripts.
    annotation
        GTF or GFF3 of that genome; without it contigs from the genome are classified as ``genomic``.
    chromosome_names
        See `place_annotation`.
    pool
        Folder of the reads that did not align: ``left``, ``right`` and ``single`` files with reads named
        ``sample|read/1``, and ``samples.tsv``. Without it contigs have no read support.
    models
        Folder that `merge_models` wrote, of models on this genome; needs the annotation. None for none.
    controls, hidden
        Folder that `merge_models` wrote of the models without part of the annotation, and the table of this part
        (`controls.write_hidden`), for the error rate; None for none.
    contaminants
        FASTA of sequences to flag, for example vectors.
    rrna
        Profiles of ribosomal RNA (HMMER 3); None to search for none.
    stranded
        Whether contigs have the strand of their transcripts, as those of stranded libraries do.
    options
        Thresholds; None for the defaults.
    folder
        Written atomically, with:
        ``denovo.fa``, the kept contigs, longest first, on the strand that was given;
        ``denovo.gtf``, their places in the genome, for those that have one;
        ``contigs.tsv``, all contigs in the order given, then all models: name (duplicates share one), class and reason;
        GC, share of unknown letters and of low-complexity sequence; whether an end is Illumina's adapter; longest
        reading frame (amino acids); best transcript and place in the genome with identity and coverage; class code,
        genes; read fragments and samples;
        ``support.tsv``, fragments per contig and sample, for all contigs but those that are duplicates, contained,
        hairpins, too short or of low complexity;
        ``error_rate.json``, see `error_rate.ErrorRate`, whose rates are columns of ``contigs.tsv``.

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
    if (options.min_fragments or options.min_samples) and pool is None and models is None:
        raise InputError(
            "novelty: min_fragments and min_samples need the pool of reads that did not align; none given."
        )
    require("minimap2")
    annotated = _read_annotation(annotation, genome, chromosome_names, log)
    index = TranscriptIndex(annotated) if annotation else None
    known_places = {model.transcript.id: model for model in read_models(models)} if models else {}
    given = _name(_read_contigs(contigs, "given" if pool is None else "unaligned"), known_places, options)
    with atomic_folder(folder) as out, TemporaryDirectory(dir=out) as tmp:
        aligner = _Aligner(Path(tmp), threads, log)
        targets = _Targets(transcripts, genome, contaminants, rrna)
        samples = pool_samples(pool) if pool else model_samples(models) if models else []
        screen = partial(_classify, aligner=aligner, targets=targets, options=options, stranded=stranded)
        classified = screen(given, known_places, index, n_samples=len(samples))
        kept = [contig for contig in classified.values() if is_kept(contig, options)]
        among_kept = aligner.align(kept, None, _TO_CONTIGS)
        classified |= {contig.name: contig for contig in find_redundant(kept, among_kept, options)}
        supported, links = _count_support(list(classified.values()), pool, options, aligner)
        classified |= supported
        final = [contig if contig.kind else classified[contig.name] for contig in given]
        novel = sorted((contig for contig in final if is_kept(contig, options)), key=longest_first)
        genes = genes_of(novel, among_kept, links)
        rate = _error_rate(novel, final, screen, annotated, models, controls, hidden, transcripts, options)
        rate.write(out / "error_rate.json")
        write_fasta(out / "denovo.fa", ((contig.name, contig.sequence) for contig in novel))
        write_gtf(out / "denovo.gtf", filter(None, (placed(contig, genes[contig.name]) for contig in novel)), "novel")
        write_contigs(out / "contigs.tsv", final, options, genes, rate, has_support=bool(samples))
        write_support(out / "support.tsv", classified.values() if samples else (), samples)
    print(rate.statement, file=log, flush=True)
    return _summarise(final, novel, log)


def _error_rate(
    novel: Sequence[Contig],
    final: Sequence[Contig],
    screen: Callable[..., dict[str, Contig]],
    annotated: Sequence[Transcript],
    models: Path | None,
    controls: Path | None,
    hidden: Path | None,
    transcripts: Path | None,
    options: NoveltyOptions,
) -> ErrorRate:
    """Screen the controls as what is novel was, and estimate the error rate from them."""
    judged: list[Judged] = []
    concealed, expressed = Hidden({}, {}), {}
    if models and controls and hidden:
        concealed, expressed = read_hidden(hidden), read_expressed(models)
        for transcript in annotated:
            if is_organelle(transcript.chrom, options.organelles) or transcript.is_rrna:
                expressed.pop(transcript.id, None)
        names = concealed.genes.keys() | concealed.isoforms.keys()
        places = {model.transcript.id: model for model in read_models(controls)}
        rest = TranscriptIndex(t for t in annotated if t.id not in names)
        found = screen(_name([], places, options), places, rest, n_samples=len(model_samples(controls)), hidden=names)
        judged = judge((c for c in found.values() if is_kept(c, options)), places, annotated, concealed)
    reference = {record.name: record.sequence for record in read_fasta(transcripts)} if transcripts else {}
    rate = estimate(
        novel,
        judged=judged,
        decoys=list(screen(strain_decoys(reference, final), {}, None, n_samples=0).values()),
        n_copies=sum(contig.kind == "reference_copy" and contig.source == "unaligned" for contig in final),
        options=options,
    )
    rate.recovered, rate.hidden = sensitivity(judged, expressed, concealed)
    return rate


class _Targets(NamedTuple):
    """FASTA files, and profiles of ribosomal RNA, that contigs are compared with."""

    transcripts: Path | None
    genome: Path | None
    contaminants: str | Path
    rrna: Path | None


def _classify(
    given: Sequence[Contig],
    models: Mapping[str, Model],
    index: TranscriptIndex | None,
    *,
    aligner: _Aligner,
    targets: _Targets,
    options: NoveltyOptions,
    stranded: bool,
    n_samples: int,
    hidden: Set[str] = frozenset(),
) -> dict[str, Contig]:
    """Classify what is undecided, by name, as if the transcripts in `hidden` were unknown."""
    undecided = sorted((contig for contig in given if not contig.kind), key=lambda contig: contig.name)
    unplaced = [contig for contig in undecided if contig.source != "aligned"]
    to_genome = (*_TO_GENOME, "-G", str(options.max_intron))
    hits = (
        aligner.align(undecided, targets.transcripts, _TO_TRANSCRIPTS) if targets.transcripts else {},
        aligner.align(unplaced, targets.genome, to_genome) if targets.genome else {},
        aligner.align(undecided, targets.contaminants, _TO_TRANSCRIPTS) if targets.contaminants else {},
    )
    rrna = {}
    if targets.rrna and undecided:
        sequences_of = ((contig.name, contig.sequence) for contig in undecided)
        rrna = find_ribosomal(sequences_of, targets.rrna, threads=aligner.threads)
    classified = {}
    for contig in undecided:
        on_transcripts, on_genome, on_contaminants = (by_name.get(contig.name, ()) for by_name in hits)
        own = Alignments(on_transcripts, on_genome, on_contaminants, rrna.get(contig.name))
        if hidden:
            own = replace(own, transcripts=[hit for hit in own.transcripts if hit.target not in hidden])
        if contig.source == "aligned" and index:
            model = models[contig.given]
            contig = model_contig(model, contig)
            classified[contig.name] = classify_model(contig, model, own, index, options, n_samples=n_samples)
        else:
            contig = classify(contig, own, index, options, stranded=stranded)
            place = placed(contig) if index else None
            classified[contig.name] = replace(contig, code=compare(place, index).code) if place and index else contig
    if index:
        classified |= {contig.name: contig for contig in of_precursors(classified.values(), index, options)}
    if index and not options.keep_combinations:
        classified |= {contig.name: contig for contig in combined_only(classified.values(), models, index)}
    return classified


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
    contigs: Sequence[Contig], pool: Path | None, options: NoveltyOptions, aligner: _Aligner
) -> tuple[dict[str, Contig], Counter[tuple[str, str]]]:
    """Add the reads of the pool to the support of each contig, and check it; also return the links by read pairs."""
    targets = [contig for contig in contigs if contig.kind not in NOT_COUNTED]
    counts: Mapping[str, Mapping[str, int]] = {}
    links: Counter[tuple[str, str]] = Counter()
    if pool is not None:
        by_name = {contig.name: contig.sequence for contig in targets}
        counts, links = fragments_per_contig(
            pool, by_name, folder=aligner.folder, threads=aligner.threads, log=aligner.log
        )
    supported = {}
    for contig in targets:
        support = Counter(contig.support)
        support.update(counts.get(contig.name, {}))
        supported[contig.name] = check_support(replace(contig, support=dict(support)), options)
    return supported, links


def _summarise(contigs: Sequence[Contig], novel: Sequence[Contig], log: IO[str]) -> dict[str, int]:
    """Log and return the number of contigs of each class."""
    by_kind = Counter(contig.kind for contig in contigs)
    counts = {kind: by_kind[kind] for kind in (*KEPT, *DROPPED) if by_kind[kind]}
    if n_adapters := sum(sequences.has_adapter(contig.sequence) for contig in novel):
        print(f"{n_adapters} of the kept contigs end with Illumina's adapter: trim the reads.", file=log)
    text = ", ".join(f"{n} {kind}" for kind, n in counts.items()) or "none"
    print(f"{len(novel)} of {len(contigs)} contigs kept as novel transcripts. By class: {text}.", file=log, flush=True)
    return counts


def _read_annotation(
    annotation: str | Path, genome: Path | None, chromosome_names: str | Path, log: IO[str] | None
) -> list[Transcript]:
    if not annotation:
        return []
    if genome is None or _is_empty(genome):
        return read_annotation(annotation)
    return place_annotation(annotation, genome, chromosome_names=chromosome_names, log=log).transcripts


def _read_contigs(path: Path | None, source: str) -> list[Contig]:
    """Read contigs, in the order given, without a name of their own yet."""
    contigs = []
    for record in read_fasta(path, "FASTA file of contigs") if path else ():
        sequence = record.sequence.replace("U", "T")
        if letter := impossible_letter(sequence):
            raise InputError(f"{path}: contig {record.name} holds {letter!r}, expected nucleotides.")
        contigs.append(Contig(record.name, sequence, "", source=source))
    return contigs


def _name(contigs: Sequence[Contig], models: Mapping[str, Model], options: NoveltyOptions) -> list[Contig]:
    """Name contigs, then models, by their sequence, and classify duplicates, short and low-complexity ones."""
    given = [*contigs, *(Contig(name, model.sequence, "", source="aligned") for name, model in models.items())]
    keys = [sequences.canonical(contig.sequence) for contig in given]
    names = sequences.names_of(keys)
    # of duplicates the one whose sequence comes first in alphabetical order is kept, then the first given
    first: dict[str, tuple[str, int]] = {}
    for i, (contig, key) in enumerate(zip(given, keys, strict=True)):
        first[key] = min(first.get(key, (contig.sequence, i)), (contig.sequence, i))
    named = []
    for i, (contig, key) in enumerate(zip(given, keys, strict=True)):
        simple, orf = sequences.simple_share(contig.sequence), sequences.longest_orf(contig.sequence)
        contig = replace(contig, name=names[key], simple=simple, orf=orf)
        original = first[key][1]
        if original != i:
            reason = f"the sequence of {given[original].given}, on either strand"
            contig = replace(contig, kind="duplicate", reason=reason)
        elif contig.length < options.min_length:
            contig = replace(contig, kind="too_short", reason=f"{contig.length} nt, limit {options.min_length}")
        elif contig.simple >= options.low_complexity and options.drop_low_complexity:
            reason = f"{contig.simple:.2f} of it is simple sequence, limit {options.low_complexity:.2f}"
            contig = replace(contig, kind="low_complexity", reason=reason)
        named.append(contig)
    return named


def _is_empty(fasta: Path) -> bool:
    with open_text(fasta) as file:
        return not any(line.startswith(">") for line in file)
