"""A genomic locus beside the annotation: overlapping transcripts and how a contig relates to them.

The classes follow SQANTI3 and gffcompare, drawn together: a copy of an annotated transcript (full or incomplete splice
match; codes = and c), a novel isoform (novel in or not in catalogue, retained intron; j, k, m, n, o), a join of genes
(fusion), antisense (x), intronic (i), intergenic (u).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .annotation import Transcript
from .paf import Interval, Match, covered

SPLICE_SLACK = 10  # bases by which aligners may misplace a splice site

SHORTEST_INTRON = 30  # bases; a shorter gap is a deletion

MIN_OVERLAP = 0.1  # share of a contig in exons below which it is not said to be of that gene

_BIN = 1 << 17


class TranscriptIndex:
    """Annotated transcripts by place."""

    def __init__(self, transcripts: Iterable[Transcript]) -> None:
        self._bins: dict[tuple[str, int], list[Transcript]] = defaultdict(list)
        self.chromosomes: set[str] = set()
        self.genes: dict[str, str] = {}
        for transcript in transcripts:
            self.chromosomes.add(transcript.chrom)
            self.genes[transcript.id] = transcript.gene_id or transcript.id
            start, end = span(transcript)
            for number in range(start // _BIN, (end - 1) // _BIN + 1):
                self._bins[transcript.chrom, number].append(transcript)

    def gene(self, transcript: str) -> str:
        """Gene of a transcript, with or without its version; the transcript itself where the annotation has no such."""
        return self.genes.get(transcript) or self.genes.get(transcript.rsplit(".", 1)[0]) or transcript

    def over(self, chromosome: str, start: int, end: int) -> list[Transcript]:
        """Transcripts whose span overlaps, sorted by id."""
        found = {}
        for number in range(start // _BIN, (end - 1) // _BIN + 1):
            for transcript in self._bins.get((chromosome, number), ()):
                first, last = span(transcript)
                if first < end and last > start:
                    found[transcript.id, first, last] = transcript
        return [found[key] for key in sorted(found)]


@dataclass(frozen=True)
class Relation:
    """What a place is to the annotation: class, genes, why, and whether its splicing is new."""

    kind: str
    genes: tuple[str, ...]
    reason: str
    spliced_anew: bool = False


def span(transcript: Transcript) -> Interval:
    """From the first base of the first exon to the last of the last."""
    return transcript.exons[0][0], transcript.exons[-1][1]


def shared(one: Iterable[Interval], other: Iterable[Interval]) -> int:
    """Bases that two sets of intervals have in common."""
    one, other = list(one), list(other)
    return covered(one) + covered(other) - covered([*one, *other])


def relate(locus: Match, index: TranscriptIndex, *, stranded: bool, copy: float, join: float) -> Relation:
    """Class a locus of a contig by the annotation.

    Parameters
    ----------
    locus
        Hits of the contig at one place of the genome.
    index
        The annotation.
    stranded
        Whether the contig's strand is that of its transcript; otherwise only its splice sites tell it.
    copy
        Share of the contig in exons of one transcript, spliced alike, that makes it a copy.
    join
        Share of the contig in exons of each of two genes that makes it a join of them.
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
    near = index.over(locus.target, blocks[0][0], max(end for _, end in blocks))
    sense = [t for t in near if not strand or t.strand not in ("+", "-") or t.strand == strand]
    exonic = {t: shared(blocks, t.exons) / size for t in near}
    in_sense = sorted((t for t in sense if exonic[t] >= MIN_OVERLAP), key=lambda t: (-exonic[t], t.id))
    if in_sense:
        return _of_genes(blocks, introns, in_sense, exonic, size, copy=copy, join=join)
    antisense = [t for t in near if exonic[t] >= MIN_OVERLAP]
    if antisense:
        most = max(antisense, key=lambda t: exonic[t])
        return Relation("antisense", (_gene(most),), f"on the other strand of {exonic[most]:.2f} in exons of {most.id}")
    within = [t for t in near if 2 * shared(blocks, [span(t)]) >= size]
    if within:
        genes = tuple(dict.fromkeys(map(_gene, within)))
        return Relation("intronic", genes, f"between the exons of {within[0].id}")
    return Relation("intergenic", (), "where the annotation has no transcript")


def _of_genes(
    blocks: Sequence[Interval],
    introns: Sequence[Interval],
    transcripts: Sequence[Transcript],
    exonic: dict[Transcript, float],
    size: int,
    *,
    copy: float,
    join: float,
) -> Relation:
    """Class a locus in exons of its own strand. `transcripts` are ordered by the share of the contig in their exons."""
    for transcript in transcripts:
        if exonic[transcript] >= copy and not _differences(blocks, introns, transcript):
            share = f"{exonic[transcript]:.2f} of it in exons of {transcript.id}, spliced alike"
            return Relation("reference_copy", (_gene(transcript),), share)
    best = transcripts[0]
    of_best = [exon for t in transcripts if _gene(t) == _gene(best) for exon in t.exons]
    for other in transcripts:
        own = shared(blocks, [*other.exons, *of_best]) - shared(blocks, of_best)
        if own >= join * size:
            genes = (_gene(best), _gene(other))
            return Relation(
                "chimeric", genes, f"joins {exonic[best]:.2f} in {best.id} and {own / size:.2f} in {other.id}"
            )
    known = [intron for t in transcripts for intron in _introns(t)]
    new = sum(not _listed(intron, known) for intron in introns)
    differences = min((_differences(blocks, introns, t) for t in transcripts), key=lambda d: (len(d), d))
    if new:
        reason = f"{new} of {len(introns)} introns not annotated"
    elif differences:
        reason = f"beside {best.id}: {', '.join(differences)}"
    else:
        reason = f"only {exonic[best]:.2f} of it in exons of {best.id}"
    return Relation("novel_isoform", (_gene(best),), reason, spliced_anew=bool(differences))


def _differences(blocks: Sequence[Interval], introns: Sequence[Interval], transcript: Transcript) -> list[str]:
    """How the splicing of a contig differs from a transcript's: introns that it lacks, introns that it does not cut."""
    theirs = _introns(transcript)
    other = sum(not _listed(intron, theirs) for intron in introns)
    kept = sum(
        any(start + SPLICE_SLACK <= first and last <= end - SPLICE_SLACK for start, end in blocks)
        for first, last in theirs
        if last - first >= SHORTEST_INTRON
    )
    return [f"{n} {what}" for n, what in ((other, "intron(s) spliced otherwise"), (kept, "intron(s) retained")) if n]


def _introns(transcript: Transcript) -> list[Interval]:
    return [(a[1], b[0]) for a, b in zip(transcript.exons, transcript.exons[1:], strict=False)]


def _listed(intron: Interval, known: Iterable[Interval]) -> bool:
    return any(max(abs(intron[0] - k[0]), abs(intron[1] - k[1])) <= SPLICE_SLACK for k in known)


def _gene(transcript: Transcript) -> str:
    return transcript.gene_id or transcript.id
