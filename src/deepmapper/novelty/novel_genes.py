"""Gene of each novel transcript: the annotated gene of an isoform, else one new gene for all that lie in one place.

Transcripts of a new gene are joined if they overlap in the genome on the same strand, if one is like the other for most
of its length, or if mates of the same read pairs lie on both. Standard library and Biopython.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from ..reads.annotation import Transcript
from .classes import Contig, longest_first
from .loci import same_strand, shared
from .paf import Hit

_ALIKE = 0.5  # share of the shorter of two transcripts that must match the other; chosen by hand
_MIN_IDENTITY = 0.95
_MIN_LINKS = 3  # read pairs with a mate on either of two transcripts, chosen by hand


def genes_of(
    novel: Sequence[Contig], hits: Mapping[str, Sequence[Hit]], links: Mapping[tuple[str, str], int]
) -> dict[str, str]:
    """Give every novel transcript the id of its gene.

    Parameters
    ----------
    novel
        The kept contigs.
    hits
        Their alignments to each other.
    links
        Read pairs with a mate on either of two contigs.

    Returns
    -------
    dict
        By name: for a novel isoform the annotated gene; otherwise the name of the longest transcript of the new gene.
    """
    gene = {contig.name: contig.genes[0] for contig in novel if contig.kind == "novel_isoform" and contig.genes}
    others = {contig.name: contig for contig in novel if contig.name not in gene}
    joined = _Sets(others)
    for a, b in _overlapping([place for contig in others.values() if (place := placed(contig))]):
        joined.join(a, b)
    for name, contig in others.items():
        for hit in hits.get(name, ()):
            other = others.get(hit.target)
            shorter = min(contig.length, hit.target_length)
            alike = hit.identity >= _MIN_IDENTITY and hit.query_end - hit.query_start >= _ALIKE * shorter
            if other and other is not contig and alike and not (contig.locus and other.locus):
                joined.join(name, hit.target)
    for (a, b), number in links.items():
        apart = a in others and b in others and bool(others[a].locus and others[b].locus)
        if a in others and b in others and number >= _MIN_LINKS and not apart:
            joined.join(a, b)
    for members in joined.all():
        longest = min((others[name] for name in members), key=longest_first)
        gene |= dict.fromkeys(members, longest.name)
    return gene


def placed(contig: Contig, gene_id: str = "") -> Transcript | None:
    """Place of a contig in the genome as a transcript of that name; None without one."""
    if contig.locus is None:
        return None
    exons: list[tuple[int, int]] = []
    for start, end in sorted(block for hit in contig.locus.hits for block in hit.blocks):
        if exons and start <= exons[-1][1]:
            exons[-1] = (exons[-1][0], max(end, exons[-1][1]))
        else:
            exons.append((start, end))
    strand = next((hit.spliced for hit in contig.locus.hits if hit.spliced), ".")
    return Transcript(contig.name, gene_id or contig.name, "", contig.locus.target, strand, tuple(exons))


def _overlapping(places: Iterable[Transcript]) -> Iterable[tuple[str, str]]:
    """Yield the names of transcripts that share exonic bases on the same strand."""
    by_chrom: dict[str, list[Transcript]] = defaultdict(list)
    for place in places:
        by_chrom[place.chrom].append(place)
    for own in by_chrom.values():
        own.sort(key=lambda t: (t.exons[0][0], t.id))
        open_ones: list[Transcript] = []
        for place in own:
            open_ones = [t for t in open_ones if t.exons[-1][1] > place.exons[0][0]]
            for other in open_ones:
                if same_strand(place, other) and shared(place.exons, other.exons):
                    yield place.id, other.id
            open_ones.append(place)


class _Sets:
    """Disjoint sets of names."""

    def __init__(self, names: Iterable[str]) -> None:
        self._parent = {name: name for name in names}

    def _root(self, name: str) -> str:
        while self._parent[name] != name:
            self._parent[name] = name = self._parent[self._parent[name]]
        return name

    def join(self, a: str, b: str) -> None:
        first, second = sorted((self._root(a), self._root(b)))
        self._parent[second] = first

    def all(self) -> list[list[str]]:
        sets: dict[str, list[str]] = defaultdict(list)
        for name in self._parent:
            sets[self._root(name)].append(name)
        return list(sets.values())
