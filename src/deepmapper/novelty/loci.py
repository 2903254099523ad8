"""Class of a genomic locus relative to the annotation: overlapping transcripts and how a contig relates to them.

The classes summarise those of SQANTI3 and gffcompare: a copy of an annotated transcript (full or incomplete splice
match; codes = and c), a novel isoform (novel in or not in catalogue, retained intron; j, k, m, n, o), a chimera of
genes (fusion), antisense (x), intronic (i), intergenic (u).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..reads.annotation import Transcript
from .paf import Interval, Match, covered

_SPLICE_SLACK = 10  # bases by which aligners may misplace a splice site

SHORTEST_INTRON = 30  # bases; a shorter gap is a deletion

_MIN_OVERLAP = 0.1  # share of a contig that must be in a gene's exons to assign it to the gene

_BIN = 1 << 17  # bases; transcripts are found by the bins that they overlap


class TranscriptIndex:
    """Annotated transcripts by position."""

    def __init__(self, transcripts: Iterable[Transcript]) -> None:
        self._bins: dict[tuple[str, int], list[Transcript]] = defaultdict(list)
        self.genes: dict[str, str] = {}
        for transcript in transcripts:
            self.genes[transcript.id] = transcript.gene_id or transcript.id
            start, end = span(transcript)
            for number in range(start // _BIN, (end - 1) // _BIN + 1):
                self._bins[transcript.chrom, number].append(transcript)

    def gene(self, transcript: str) -> str:
        """Gene of a transcript id with or without a version; the id itself if it is not annotated."""
        return self.genes.get(transcript) or self.genes.get(transcript.rsplit(".", 1)[0]) or transcript

    def overlapping(self, chromosome: str, start: int, end: int) -> list[Transcript]:
        """Transcripts whose span overlaps an interval, sorted by id."""
        found = {}
        for number in range(start // _BIN, (end - 1) // _BIN + 1):
            for transcript in self._bins.get((chromosome, number), ()):
                first, last = span(transcript)
                if first < end and last > start:
                    found[transcript.id, first, last] = transcript
        return [found[key] for key in sorted(found)]


@dataclass(frozen=True)
class Relation:
    """How a locus relates to the annotation: its class, genes, the reason, and whether its splicing is new."""

    kind: str
    genes: tuple[str, ...]
    reason: str
    new_splicing: bool = False


def span(transcript: Transcript) -> Interval:
    """From the start of the first exon to the end of the last."""
    return transcript.exons[0][0], transcript.exons[-1][1]


def same_strand(a: Transcript, b: Transcript) -> bool:
    """Whether two transcripts may be on the same strand: that of one may be unknown."""
    return "." in (a.strand, b.strand) or a.strand == b.strand


def shared(a: Iterable[Interval], b: Iterable[Interval]) -> int:
    """Count the bases that two sets of intervals have in common."""
    a, b = list(a), list(b)
    return covered(a) + covered(b) - covered([*a, *b])


def relate(locus: Match, index: TranscriptIndex, *, stranded: bool, min_copy: float, min_join: float) -> Relation:
    """Classify a locus of a contig by the annotation.

    Parameters
    ----------
    locus
        Hits of the contig at one place in the genome.
    index
        The annotation.
    stranded
        Whether the contig's strand is that of its transcript; otherwise only its splice sites show the strand.
    min_copy
        Share of a copy that must be in exons of one transcript, with the same splicing.
    min_join
        Share of a chimera that must be in exons of each of two genes.
    """
    blocks = sorted(block for hit in locus.hits for block in hit.blocks)
    introns = [
        (a[1], b[0])
        for hit in locus.hits
        for a, b in zip(hit.blocks, hit.blocks[1:], strict=False)
        if b[0] - a[1] >= SHORTEST_INTRON
    ]
    size = covered(blocks)
    strand = next((hit.spliced for hit in locus.hits if hit.spliced), locus.hits[0].strand if stranded else "")
    near = index.overlapping(locus.target, blocks[0][0], max(end for _, end in blocks))
    sense = [t for t in near if not strand or t.strand not in ("+", "-") or t.strand == strand]
    exonic = {t: shared(blocks, t.exons) / size for t in near}
    in_sense = sorted((t for t in sense if exonic[t] >= _MIN_OVERLAP), key=lambda t: (-exonic[t], t.id))
    if in_sense:
        return _relate_to_genes(blocks, introns, in_sense, exonic, size, min_copy=min_copy, min_join=min_join)
    antisense = [t for t in near if exonic[t] >= _MIN_OVERLAP]
    if antisense:
        best = max(antisense, key=lambda t: exonic[t])
        return Relation("antisense", (_gene(best),), f"on the other strand of {exonic[best]:.2f} in exons of {best.id}")
    within = [t for t in near if 2 * shared(blocks, [span(t)]) >= size]
    if within:
        genes = tuple(dict.fromkeys(map(_gene, within)))
        return Relation("intronic", genes, f"between the exons of {within[0].id}")
    return Relation("intergenic", (), "where the annotation has no transcript")


def _relate_to_genes(
    blocks: Sequence[Interval],
    introns: Sequence[Interval],
    transcripts: Sequence[Transcript],
    exonic: dict[Transcript, float],
    size: int,
    *,
    min_copy: float,
    min_join: float,
) -> Relation:
    """Classify a locus in exons on its own strand; `transcripts` are sorted by the contig's share in exons."""
    for transcript in transcripts:
        if exonic[transcript] >= min_copy and not _differences(blocks, introns, transcript):
            share = f"{exonic[transcript]:.2f} of it in exons of {transcript.id}, spliced alike"
            return Relation("reference_copy", (_gene(transcript),), share)
    best = transcripts[0]
    best_exons = [exon for t in transcripts if _gene(t) == _gene(best) for exon in t.exons]
    for other in transcripts:
        own = shared(blocks, [*other.exons, *best_exons]) - shared(blocks, best_exons)
        if own >= min_join * size:
            genes = (_gene(best), _gene(other))
            return Relation(
                "chimeric", genes, f"joins {exonic[best]:.2f} in {best.id} and {own / size:.2f} in {other.id}"
            )
    known = [intron for t in transcripts for intron in introns_of(t)]
    n_new = sum(not _is_known(intron, known) for intron in introns)
    differences = min((_differences(blocks, introns, t) for t in transcripts), key=lambda d: (len(d), d))
    if n_new:
        reason = f"{n_new} of {len(introns)} introns not annotated"
    elif differences:
        reason = f"spliced unlike {best.id}: {', '.join(differences)}"
    else:
        reason = f"only {exonic[best]:.2f} of it in exons of {best.id}"
    return Relation("novel_isoform", (_gene(best),), reason, new_splicing=bool(differences))


def _differences(blocks: Sequence[Interval], introns: Sequence[Interval], transcript: Transcript) -> list[str]:
    """Describe how the splicing of a contig differs from a transcript's: other introns, and introns retained."""
    annotated = introns_of(transcript)
    n_other = sum(not _is_known(intron, annotated) for intron in introns)
    n_retained = sum(
        any(start + _SPLICE_SLACK <= first and last <= end - _SPLICE_SLACK for start, end in blocks)
        for first, last in annotated
        if last - first >= SHORTEST_INTRON
    )
    counts = ((n_other, "intron(s) spliced otherwise"), (n_retained, "intron(s) retained"))
    return [f"{n} {what}" for n, what in counts if n]


def introns_of(transcript: Transcript) -> list[Interval]:
    """Gaps between the exons."""
    return [(a[1], b[0]) for a, b in zip(transcript.exons, transcript.exons[1:], strict=False)]


def _is_known(intron: Interval, known: Iterable[Interval]) -> bool:
    return any(max(abs(intron[0] - k[0]), abs(intron[1] - k[1])) <= _SPLICE_SLACK for k in known)


def _gene(transcript: Transcript) -> str:
    return transcript.gene_id or transcript.id
