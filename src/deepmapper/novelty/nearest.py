"""The annotated gene that is nearest to a place in the genome. Standard library only."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ..reads.annotation import Transcript
from .loci import TranscriptIndex, shared, span


@dataclass(frozen=True)
class Nearest:
    """An annotated gene as seen from a place.

    Attributes
    ----------
    gene_id
        Id of the gene; of its transcript if it has none.
    distance
        Bases between the place and the nearest transcript of the gene; 0 if they overlap, introns included.
    strand
        "same", "opposite", or "unknown" if either has no strand.
    """

    gene_id: str
    distance: int
    strand: str


class NearestGenes:
    """Annotated transcripts, ordered so that the nearest is found without looking at all."""

    def __init__(self, transcripts: Iterable[Transcript]) -> None:
        transcripts = list(transcripts)
        self._index = TranscriptIndex(transcripts)
        by_start: dict[str, list[Transcript]] = defaultdict(list)
        for transcript in transcripts:
            by_start[transcript.chrom].append(transcript)
        self._by_start = {c: sorted(own, key=lambda t: (*span(t), t.id)) for c, own in by_start.items()}
        self._starts = {chrom: [span(t)[0] for t in own] for chrom, own in self._by_start.items()}
        self._last_to_end = {chrom: _furthest(own) for chrom, own in self._by_start.items()}

    def nearest(self, place: Transcript, preferred: Collection[str] = ()) -> Nearest | None:
        """Return the nearest gene; None if nothing is annotated on this sequence.

        Parameters
        ----------
        place
            A transcript in the genome.
        preferred
            Ids of genes that come first among those that overlap the place. Of the others the one with most exonic
            bases in common comes first, then one on the same strand.
        """
        start, end = span(place)
        if over := self._index.overlapping(place.chrom, start, end):
            best = min(
                over,
                key=lambda t: (
                    self._index.gene(t.id) not in preferred,
                    -shared(place.exons, t.exons),
                    _strand(place, t) != "same",
                    t.id,
                ),
            )
            return self._seen_from(place, best)
        own = self._by_start.get(place.chrom, [])
        after = bisect_left(self._starts.get(place.chrom, []), end)
        beside = [*([self._last_to_end[place.chrom][after - 1]] if after else []), *own[after : after + 1]]
        if not beside:
            return None
        return self._seen_from(place, min(beside, key=lambda t: (_gap(place, t), _strand(place, t) != "same", t.id)))

    def around(self, place: Transcript, distance: int) -> list[Transcript]:
        """Annotated transcripts within a distance in bases, by id."""
        start, end = span(place)
        return self._index.overlapping(place.chrom, max(0, start - distance), end + distance)

    def _seen_from(self, place: Transcript, found: Transcript) -> Nearest:
        return Nearest(self._index.gene(found.id), _gap(place, found), _strand(place, found))


def _furthest(ordered: Iterable[Transcript]) -> list[Transcript]:
    """For each transcript, by start, the one among it and those before it that ends last."""
    furthest: list[Transcript] = []
    for transcript in ordered:
        reaches = not furthest or span(transcript)[1] > span(furthest[-1])[1]
        furthest.append(transcript if reaches else furthest[-1])
    return furthest


def _gap(a: Transcript, b: Transcript) -> int:
    (start, end), (first, last) = span(a), span(b)
    return max(0, start - last, first - end)


def _strand(a: Transcript, b: Transcript) -> str:
    if "." in (a.strand, b.strand):
        return "unknown"
    return "same" if a.strand == b.strand else "opposite"
