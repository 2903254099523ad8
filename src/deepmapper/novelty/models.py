"""Transcript models from aligned reads: StringTie on each sample, guided by the annotation, and merged over samples.

A model that has all its introns, or its one exon, in an annotated transcript is not kept; of a model that contains a
whole annotated transcript only what lies outside all annotated exons is, since it would take the reads of the known
one. Standard library and StringTie on PATH.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from ..core.files import atomic_folder
from ..core.programs import Argument, require, run_tool
from ..reads.annotation import Transcript, read_annotation, read_gtf, write_gtf
from ..reads.fasta import read_fasta
from ..reads.nucleotides import reverse_complement
from .class_codes import compare
from .loci import TranscriptIndex, introns_of, same_strand, shared, span
from .paf import Interval, covered

# StringTie's names of the strandedness of a library.
_STRANDS = {"forward": "--fr", "reverse": "--rf"}

_N_FOR_LENGTH = 2000  # alignments at the start of a file whose mean length is that of the reads

_SAME_EXON = 0.5  # share of an exon that must lie within one exon of a sample's own models; chosen by hand

_COVERAGE = re.compile(r'\bcov "([\d.]+)"')
_ID = re.compile(r'\btranscript_id "([^"]*)"')
_REFERENCE = re.compile(r'\breference_id "([^"]*)"')


@dataclass(frozen=True)
class Model:
    """A transcript model that the annotation lacks.

    Attributes
    ----------
    transcript
        Its place; strand "." if neither splice sites nor the library show it.
    sequence
        Bases on its strand; on that of the genome if the strand is unknown.
    samples
        Samples whose own models have all of its introns and exons.
    support
        Estimated read fragments by sample.
    seen_in
        Number of samples whose own models have that of its introns and exons which the fewest samples have. Reads of
        a weakly expressed transcript rarely show all of it in one sample, so `samples` may be fewer.
    """

    transcript: Transcript
    sequence: str
    samples: tuple[str, ...] = ()
    support: Mapping[str, int] = field(default_factory=dict)
    seen_in: int = 0


def assemble_models(
    bam: Path,
    annotation: Path,
    folder: Path,
    *,
    controls: Path | None = None,
    strandedness: str = "unstranded",
    paired: bool = True,
    min_isoform_share: float = 0.1,
    threads: int = 1,
    log: IO[str] | None = None,
) -> int:
    """Assemble the alignments of one sample into transcript models.

    Parameters
    ----------
    bam
        Alignments sorted by position, with the strand of spliced ones (tag XS), as HISAT2 writes it.
    annotation
        GTF with the names of the genome.
    folder
        Written atomically: ``models.gtf``, StringTie's models with their coverage, and ``library.json``
        (``read_length`` in nucleotides; ``mates``, 1 or 2); with `controls` also ``controls.gtf``.
    controls
        The annotation without what is hidden (see `controls.write_hidden`), to assemble the same reads with; None: no
        controls.
    strandedness
        ``forward``, ``reverse``, or anything else for an unstranded library.
    min_isoform_share
        Models with a smaller share of the abundance of their locus are not assembled.

    Returns
    -------
    int
        Number of models; 0 without alignments.

    Raises
    ------
    BioToolUnavailable, ToolFailed
        If StringTie or samtools is missing or fails.
    """
    require("stringtie", "samtools")
    with atomic_folder(folder) as tmp:
        length = _read_length(bam, log)
        (tmp / "library.json").write_text(json.dumps({"read_length": length, "mates": 1 + paired}) + "\n")
        command: list[Argument] = ["stringtie", Path(bam).resolve(), "-o", "raw.gtf", "-p", threads]
        command += ["--conservative", "-f", min_isoform_share]
        command += [_STRANDS[strandedness]] if strandedness in _STRANDS else []
        number = 0
        for name, guide in (("controls.gtf", controls), ("models.gtf", annotation)):
            if guide is None:
                continue
            lines: list[str] = []
            if length:
                guided: list[Argument] = ["-G", Path(guide).resolve()] if Path(guide).stat().st_size else []
                run_tool([*command, *guided], folder=tmp, log=log)
                # its first line holds the command, with the place of the files
                with (tmp / "raw.gtf").open() as raw:
                    lines = [line for line in raw if not line.startswith("#")]
                (tmp / "raw.gtf").unlink()
            (tmp / name).write_text("".join(lines))
            number = sum("\ttranscript\t" in line for line in lines)
    return number


def merge_models(
    folders: Mapping[str, Path],
    annotation: Path,
    genome: Path,
    folder: Path,
    *,
    gtf: str = "models.gtf",
    min_isoform_share: float = 0.1,
    min_length: int = 200,
    log: IO[str] | None = None,
) -> int:
    """Merge the models of all samples, and keep those that the annotation lacks.

    Parameters
    ----------
    folders
        For each sample the folder that `assemble_models` wrote.
    annotation
        The GTF that was given there.
    genome
        FASTA.
    folder
        Written atomically: ``models.gtf``, ``models.fa``, ``support.tsv`` (model, samples, seen_in, then the estimated
        fragments of each sample) and ``expressed.tsv`` (estimated fragments of annotated transcripts, over all
        samples).
    gtf
        Which of the files in `folders`: ``models.gtf`` or ``controls.gtf``.
    min_isoform_share
        As in `assemble_models`, over all samples.
    min_length
        Shorter models are dropped; nucleotides.

    Returns
    -------
    int
        Number of models.
    """
    require("stringtie")
    known = read_gtf(annotation)
    gtfs = {sample: Path(path) / gtf for sample, path in folders.items()}
    with atomic_folder(folder) as tmp:
        merged = _merge(
            [path for path in gtfs.values() if path.stat().st_size], annotation, tmp, min_isoform_share, log
        )
        lacking = _outside_annotation(merged, known, min_length)
        supported, expressed = _with_support(_with_sequence(lacking, genome), gtfs)
        models = [
            replace(model, transcript=replace(model.transcript, id=f"model_{i}", gene_id=f"model_{i}"))
            for i, model in enumerate(supported, 1)
        ]
        write_gtf(tmp / "models.gtf", (model.transcript for model in models), "StringTie")
        with (tmp / "models.fa").open("w") as file:
            file.writelines(f">{model.transcript.id}\n{model.sequence}\n" for model in models)
        with (tmp / "support.tsv").open("w", newline="") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            writer.writerow(["model", "samples", "seen_in", *folders])
            for model in models:
                counts = (model.support.get(sample, 0) for sample in folders)
                writer.writerow([model.transcript.id, ",".join(model.samples), model.seen_in, *counts])
        with (tmp / "expressed.tsv").open("w") as file:
            print("transcript", "fragments", sep="\t", file=file)
            file.writelines(f"{name}\t{round(n)}\n" for name, n in sorted(expressed.items()))
    return len(models)


def read_expressed(folder: Path) -> dict[str, int]:
    """Read the estimated fragments of annotated transcripts that `merge_models` wrote."""
    with (folder / "expressed.tsv").open(newline="") as file:
        return {row["transcript"]: int(row["fragments"]) for row in csv.DictReader(file, delimiter="\t")}


def read_models(folder: Path) -> list[Model]:
    """Read what `merge_models` wrote."""
    gtf = folder / "models.gtf"
    if not gtf.stat().st_size:
        return []
    sequences = {record.name: record.sequence for record in read_fasta(folder / "models.fa")}
    with (folder / "support.tsv").open(newline="") as file:
        rows = {row["model"]: row for row in csv.DictReader(file, delimiter="\t")}
    models = []
    for transcript in read_annotation(gtf):
        row = rows[transcript.id]
        support = {sample: int(n) for sample, n in row.items() if sample not in ("model", "samples", "seen_in")}
        samples = tuple(filter(None, row["samples"].split(",")))
        models.append(Model(transcript, sequences[transcript.id], samples, support, int(row["seen_in"])))
    return models


def model_samples(folder: Path) -> list[str]:
    """Samples of a folder that `merge_models` wrote, in its order."""
    with (folder / "support.tsv").open() as file:
        return file.readline().rstrip("\n").split("\t")[3:]


def _read_length(bam: Path, log: IO[str] | None) -> int:
    """Mean length of the first aligned reads in nucleotides; 0 without any."""
    lengths: list[int] = []

    def read(sam: IO[bytes]) -> None:
        for line in sam:  # to the end, since a program whose output nobody reads is taken to have failed
            if len(lengths) < _N_FOR_LENGTH:
                lengths.append(len(line.split(b"\t", 10)[9]))

    run_tool(["samtools", "view", "-s", "0.1", bam], log=log, reader=read)
    if not lengths:
        run_tool(["samtools", "view", bam], log=log, reader=read)
    return round(sum(lengths) / len(lengths)) if lengths else 0


def _merge(
    gtfs: Sequence[Path], annotation: Path, folder: Path, min_isoform_share: float, log: IO[str] | None
) -> list[Transcript]:
    if not gtfs:
        return []
    names, out = folder / "names.txt", folder / "merged.gtf"
    names.write_text("".join(f"{path.resolve()}\n" for path in gtfs))
    command: list[Argument] = ["stringtie", "--merge", "-g", 0, "-f", min_isoform_share]
    command += ["-G", annotation.resolve()] if annotation.stat().st_size else []
    run_tool([*command, "-o", "merged.gtf", "names.txt"], folder=folder, log=log)
    has_models = any("\ttranscript\t" in line for line in out.read_text().splitlines())
    merged = read_annotation(out) if has_models else []
    for path in (names, out):
        path.unlink()
    return merged


def _outside_annotation(merged: Iterable[Transcript], known: Sequence[Transcript], min_length: int) -> list[Transcript]:
    """Models that no annotated transcript explains; those that contain one lose what is annotated."""
    names, index = {transcript.id for transcript in known}, TranscriptIndex(known)
    found: dict[tuple, Transcript] = {}
    for model in merged:
        if model.id in names:
            continue
        code = compare(model, index).code
        if code in ("=", "c"):
            continue
        parts = list(_without_known(model, index)) if code == "k" else [model]
        for part in parts:
            if covered(part.exons) >= min_length:
                found.setdefault((part.chrom, part.strand, part.exons), part)
    return sorted(found.values(), key=lambda t: (t.chrom, t.exons, t.strand))


def _without_known(model: Transcript, index: TranscriptIndex) -> Iterator[Transcript]:
    """Runs of exons of a model that share no base with annotated exons on its strand, each as a model of its own."""
    start, end = span(model)
    near = [t for t in index.overlapping(model.chrom, start, end) if same_strand(model, t)]
    annotated = [exon for transcript in near for exon in transcript.exons]
    run: list[Interval] = []
    for exon in model.exons:
        if not shared([exon], annotated):
            run.append(exon)
        elif run:
            yield replace(model, exons=tuple(run))
            run = []
    if run:
        yield replace(model, exons=tuple(run))


def _with_sequence(transcripts: Sequence[Transcript], genome: Path) -> Iterator[Model]:
    """Cut the models out of the genome, a sequence of it at a time; their order stays."""
    by_chrom: dict[str, list[Transcript]] = defaultdict(list)
    for transcript in transcripts:
        by_chrom[transcript.chrom].append(transcript)
    cut: dict[tuple, str] = {}
    for record in read_fasta(genome, "genome") if by_chrom else ():
        for transcript in by_chrom.get(record.name, ()):
            bases = "".join(record.sequence[start:end] for start, end in transcript.exons)
            bases = reverse_complement(bases) if transcript.strand == "-" else bases
            cut[transcript.chrom, transcript.strand, transcript.exons] = bases
    for transcript in transcripts:
        yield Model(transcript, cut[transcript.chrom, transcript.strand, transcript.exons])


def _with_support(models: Iterable[Model], gtfs: Mapping[str, Path]) -> tuple[list[Model], Counter[str]]:
    """Add the samples that have each model, or parts of it, and its fragments there, estimated from the coverage.

    Also return the fragments of annotated transcripts, over all samples.
    """
    models = list(models)
    index = TranscriptIndex([model.transcript for model in models])
    samples: dict[str, list[str]] = defaultdict(list)
    seen: dict[str, Counter[Interval]] = defaultdict(Counter)
    support: dict[str, Counter[str]] = defaultdict(Counter)
    expressed: Counter[str] = Counter()
    for sample, gtf in gtfs.items():
        library = json.loads(gtf.with_name("library.json").read_text())
        introns: set[tuple[str, str, Interval]] = set()
        exons: dict[str, set[Interval]] = defaultdict(set)
        # coverage is that of every base by reads, of which a fragment has one or two
        per_fragment = max(1, library["read_length"] * library["mates"])
        for own, coverage, reference in _sample_models(gtf):
            if reference:
                expressed[reference] += coverage * covered(own.exons) / per_fragment
            introns |= {(own.chrom, own.strand, intron) for intron in introns_of(own)}
            for near in index.overlapping(own.chrom, *span(own)):
                if not _agree(own, near):
                    continue
                overlap = shared(own.exons, near.exons)
                exons[near.id] |= set(own.exons)
                support[near.id][sample] += round(coverage / per_fragment * overlap)
        for model in models:
            place = model.transcript
            parts = [part for part in introns_of(place) if (place.chrom, place.strand, part) in introns]
            parts += [part for part in place.exons if _in_one(part, exons[place.id])]
            seen[place.id].update(parts)
            if len(parts) == len(_parts(place)):
                samples[place.id].append(sample)
    supported = []
    for model in models:
        name = model.transcript.id
        fewest = min(seen[name][part] for part in _parts(model.transcript))
        supported.append(replace(model, samples=tuple(samples[name]), support=dict(support[name]), seen_in=fewest))
    return supported, expressed


def _parts(place: Transcript) -> list[Interval]:
    """Introns and exons of a transcript."""
    return [*introns_of(place), *place.exons]


def _sample_models(gtf: Path) -> Iterator[tuple[Transcript, float, str]]:
    """Models of a sample, their coverage in reads per base, and the annotated transcript that each is ("" for none)."""
    known: dict[str, tuple[float, str]] = {}
    with gtf.open() as file:
        for line in file:
            name, value, reference = (pattern.search(line) for pattern in (_ID, _COVERAGE, _REFERENCE))
            if "\ttranscript\t" in line and name and value:
                known[name[1]] = float(value[1]), reference[1] if reference else ""
    for transcript in read_gtf(gtf):
        yield transcript, *known.get(transcript.id, (0.0, ""))


def _in_one(own: Interval, exons: Iterable[Interval]) -> bool:
    """Whether an exon is, for its most part, in one other: an intron that it retains is read through."""
    return any(shared([own], [exon]) >= _SAME_EXON * (own[1] - own[0]) for exon in exons)


def _agree(own: Transcript, near: Transcript) -> bool:
    """Whether a sample's model can be the merged one: on its strand, and with no intron of its own there."""
    if not same_strand(own, near):
        return False
    inside = [intron for intron in introns_of(own) if shared([intron], [span(near)])]
    return set(inside) <= set(introns_of(near))
