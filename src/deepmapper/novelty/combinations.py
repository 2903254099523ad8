"""Models that only combine splice junctions which other transcripts have, too. Standard library.

Short reads show junctions, but rarely which of them go together: from two isoforms with an exon each, an assembler also
makes the transcript with both exons and the one with neither. So a model of a known gene has to show something that
neither the annotation nor a better supported model has: an intron of its own, or an intron that it retains.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..reads.annotation import Transcript
from .classes import Contig, total_support
from .loci import TranscriptIndex, introns_of, same_strand, span
from .models import Model
from .paf import Interval

_Feature = tuple[str, Interval]


def combined_only(contigs: Iterable[Contig], models: Mapping[str, Model], index: TranscriptIndex) -> list[Contig]:
    """Return the novel isoforms of known genes without a feature of their own, classified as ``combination``.

    Parameters
    ----------
    contigs
        Contigs with their classes; only models of the class novel_isoform are asked.
    models
        The models by the name that they were given.
    index
        The annotation.
    """
    by_gene: dict[str, list[Contig]] = defaultdict(list)
    for contig in contigs:
        if contig.source == "aligned" and contig.kind == "novel_isoform":
            by_gene[contig.genes[0]].append(contig)
    found = []
    for own in by_gene.values():
        places = {contig.name: models[contig.given].transcript for contig in own}
        near = _around(places.values(), index)
        introns = {intron for transcript in (*near, *places.values()) for intron in introns_of(transcript)}
        seen = {feature for transcript in near for feature in _features(transcript, introns)}
        for contig in sorted(own, key=lambda c: (-len(c.support), -total_support(c)[0], c.name)):
            new = _features(places[contig.name], introns) - seen
            seen |= new
            if not new:
                reason = f"other transcripts of {contig.genes[0]} have all its splice junctions, though not together"
                found.append(replace(contig, kind="combination", reason=f"{reason}; it was {contig.kind}"))
    return found


def _around(places: Iterable[Transcript], index: TranscriptIndex) -> list[Transcript]:
    """Annotated transcripts on the strand of models, around them."""
    near = {}
    for place in places:
        for transcript in index.overlapping(place.chrom, *span(place)):
            if same_strand(place, transcript):
                near[transcript.id] = transcript
    return list(near.values())


def _features(transcript: Transcript, introns: Iterable[Interval]) -> set[_Feature]:
    """Introns of a transcript, and those of others that lie within one of its exons."""
    own: set[_Feature] = {("intron", intron) for intron in introns_of(transcript)}
    own |= {("retained", (a, b)) for a, b in introns if any(s < a and b < e for s, e in transcript.exons)}
    return own
