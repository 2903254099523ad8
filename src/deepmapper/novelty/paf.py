"""Alignments in minimap2's PAF format: read, combine, and assign to parts of a sequence. Standard library only.

Positions are 0-based and half-open, as in the format (https://lh3.github.io/minimap2/minimap2.html#10).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError

_OPERATION = re.compile(r"(\d+)([MIDN=X])")

Interval = tuple[int, int]


@dataclass(frozen=True)
class Hit:
    """One alignment of a query to a target.

    Attributes
    ----------
    strand
        Strand of the target that the query aligns to.
    matches
        Number of matching bases.
    identity
        1 minus the gap-compressed divergence (tag ``de``): a gap of any length counts as one difference.
    blocks
        Intervals of the target between introns.
    longest_gap
        Length of the longest insertion or deletion in bases; introns do not count.
    spliced
        Strand of the transcript on the target according to its splice sites (GT-AG), or "" if they do not show it.
    """

    query: str
    query_length: int
    query_start: int
    query_end: int
    strand: str
    target: str
    target_length: int
    start: int
    end: int
    matches: int
    identity: float
    blocks: tuple[Interval, ...]
    longest_gap: int
    spliced: str

    @property
    def query_interval(self) -> Interval:
        """The aligned part of the query."""
        return self.query_start, self.query_end

    @property
    def order(self) -> tuple:
        """Sort key: best first, without ties."""
        return -self.matches, self.target, self.start, self.query_start, self.strand, self.end


@dataclass(frozen=True)
class Match:
    """Combined hits: the share of the query that they cover, and their mean identity over the aligned bases."""

    hits: tuple[Hit, ...]
    coverage: float
    identity: float

    @property
    def target(self) -> str:
        """Target of the best hit."""
        return self.hits[0].target

    @property
    def order(self) -> tuple:
        """Sort key: best first, by the matching share of the query."""
        return -self.coverage * self.identity, *self.hits[0].order


def read_paf(path: Path) -> dict[str, list[Hit]]:
    """Read the hits of each query, best first. Expects the CIGAR (option ``-c`` of minimap2).

    Raises
    ------
    InputError
        If a line is not PAF or has no CIGAR.
    """
    hits = defaultdict(list)
    with path.open() as file:
        for number, line in enumerate(file, 1):
            try:
                hit = _hit(line.rstrip("\n").split("\t"))
            except (IndexError, KeyError, ValueError) as error:
                raise InputError(
                    f"{path} line {number}: not PAF with a CIGAR, expected the output of minimap2 -c."
                ) from error
            hits[hit.query].append(hit)
    return {query: sorted(own, key=lambda hit: hit.order) for query, own in hits.items()}


def _hit(fields: Sequence[str]) -> Hit:
    tags = {tag[:2]: tag[5:] for tag in fields[12:]}
    start, strand, transcript_strand = int(fields[7]), fields[4], tags.get("ts", "")
    operations = [(int(length), kind) for length, kind in _OPERATION.findall(tags["cg"])]
    spliced = ""
    if transcript_strand in ("+", "-"):
        # ts is the transcript's strand relative to the query
        spliced = "+" if transcript_strand == strand else "-"
    return Hit(
        query=fields[0],
        query_length=int(fields[1]),
        query_start=int(fields[2]),
        query_end=int(fields[3]),
        strand=strand,
        target=fields[5],
        target_length=int(fields[6]),
        start=start,
        end=int(fields[8]),
        matches=int(fields[9]),
        identity=1 - float(tags["de"]),
        blocks=_blocks(start, operations),
        longest_gap=max((length for length, kind in operations if kind in "ID"), default=0),
        spliced=spliced,
    )


def _blocks(start: int, operations: Iterable[tuple[int, str]]) -> tuple[Interval, ...]:
    blocks, end = [], start
    for length, kind in operations:
        if kind == "N":
            blocks.append((start, end))
            start = end = end + length
        elif kind != "I":
            end += length
    return (*blocks, (start, end))


def covered(intervals: Iterable[Interval]) -> int:
    """Count the bases in at least one of the intervals."""
    total = reached = 0
    for start, end in sorted(intervals):
        if end > max(start, reached):
            total += end - max(start, reached)
            reached = end
    return total


def combine(hits: Iterable[Hit]) -> Match:
    """Combine hits of one query; there must be at least one."""
    ordered = tuple(sorted(hits, key=lambda hit: hit.order))
    lengths = [hit.query_end - hit.query_start for hit in ordered]
    identity = sum(hit.identity * length for hit, length in zip(ordered, lengths, strict=True)) / sum(lengths)
    return Match(ordered, covered(hit.query_interval for hit in ordered) / ordered[0].query_length, identity)


def best_target(hits: Iterable[Hit]) -> Match | None:
    """Find the target that explains most of the query, with all hits on it; None without hits."""
    by_target = defaultdict(list)
    for hit in hits:
        by_target[hit.target].append(hit)
    return min(map(combine, by_target.values()), key=lambda match: match.order, default=None)


def best_locus(hits: Sequence[Hit], reach: int) -> Match | None:
    """Find the place in a genome that explains most of the query; None without hits.

    A locus is a hit and all others on the same strand within `reach` bases that mostly cover another part of the query.
    """

    def locus(seed: Hit) -> Match:
        members = [seed]
        for hit in sorted(hits, key=lambda hit: hit.order):
            near = (hit.target, hit.strand) == (seed.target, seed.strand) and _distance(hit, seed) <= reach
            if near and 2 * _gain(hit, members) > hit.query_end - hit.query_start:
                members.append(hit)
        return combine(members)

    return min(map(locus, hits), key=lambda match: match.order, default=None)


def split_by_place(
    hits: Iterable[Hit], *, min_share: float, place: Callable[[Hit], Any], reach: int = 0
) -> list[Match]:
    """Find the places that the parts of a query come from, best part first.

    Parameters
    ----------
    hits
        Hits of one query.
    min_share
        Share of the query that a hit must add to better hits.
    place
        Gives the place of a hit. Hits at the same place are one part if they are within `reach` bases.
    reach
        Maximum distance in bases; 0 for any distance.
    """
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: hit.order):
        if _gain(hit, kept) >= min_share * hit.query_length:
            kept.append(hit)
    groups: list[list[Hit]] = []
    for hit in kept:
        for group in groups:
            if place(group[0]) == place(hit) and (not reach or _distance(group[0], hit) <= reach):
                group.append(hit)
                break
        else:
            groups.append([hit])
    return [combine(group) for group in groups]


def _gain(hit: Hit, others: Iterable[Hit]) -> int:
    """Count the bases of the query that a hit covers and the others do not."""
    intervals = [other.query_interval for other in others]
    return covered([*intervals, hit.query_interval]) - covered(intervals)


def _distance(a: Hit, b: Hit) -> int:
    return max(a.start, b.start) - min(a.end, b.end)
