"""Alignments in minimap2's PAF format: read, summed, and mapped to parts of a sequence. Standard library only.

Positions count from 0 and ends are exclusive, as in the format (https://lh3.github.io/minimap2/minimap2.html#10).
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
        Of the query on the target.
    matches
        Bases that are equal.
    identity
        1 less the gap-compressed divergence (tag ``de``): a gap counts as one difference, however long.
    blocks
        Stretches on the target between introns.
    longest_gap
        Of the insertions and deletions, introns not among them, in bases.
    spliced
        Strand of the transcript on the target as the splice sites tell it (GT-AG), or nothing where they do not.
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
        """What of the query is aligned."""
        return self.query_start, self.query_end

    @property
    def order(self) -> tuple:
        """Best first, and never a tie."""
        return -self.matches, self.target, self.start, self.query_start, self.strand, self.end


@dataclass(frozen=True)
class Match:
    """Hits taken together: the share of the query that they cover, and their identity (mean over aligned bases)."""

    hits: tuple[Hit, ...]
    coverage: float
    identity: float

    @property
    def target(self) -> str:
        """Where the best of the hits is."""
        return self.hits[0].target

    @property
    def order(self) -> tuple:
        """Best first: by the share of the query that is equal."""
        return -self.coverage * self.identity, *self.hits[0].order


def read_paf(path: Path) -> dict[str, list[Hit]]:
    """Hits of each query, best first. Expects the CIGAR (option ``-c`` of minimap2).

    Raises
    ------
    InputError
        If a line is none of such a file.
    """
    found = defaultdict(list)
    with path.open() as file:
        for number, line in enumerate(file, 1):
            try:
                hit = _hit(line.rstrip("\n").split("\t"))
            except (IndexError, KeyError, ValueError) as error:
                raise InputError(f"{path}, line {number}: no PAF with a CIGAR as minimap2 -c writes it.") from error
            found[hit.query].append(hit)
    return {query: sorted(hits, key=lambda hit: hit.order) for query, hits in found.items()}


def _hit(fields: Sequence[str]) -> Hit:
    tags = {tag[:2]: tag[5:] for tag in fields[12:]}
    start, strand, splice = int(fields[7]), fields[4], tags.get("ts", "")
    operations = [(int(length), kind) for length, kind in _OPERATION.findall(tags["cg"])]
    # ts gives the transcript's strand relative to the query
    spliced = "" if splice not in ("+", "-") else "+" if splice == strand else "-"
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
    """Bases in at least one of the intervals."""
    total = reached = 0
    for start, end in sorted(intervals):
        start = max(start, reached)
        if end > start:
            total += end - start
            reached = end
    return total


def together(hits: Iterable[Hit]) -> Match:
    """What hits of one query amount to. Expects at least one."""
    ordered = tuple(sorted(hits, key=lambda hit: hit.order))
    lengths = [hit.query_end - hit.query_start for hit in ordered]
    identity = sum(hit.identity * length for hit, length in zip(ordered, lengths, strict=True)) / sum(lengths)
    return Match(ordered, covered(hit.query_interval for hit in ordered) / ordered[0].query_length, identity)


def best_target(hits: Iterable[Hit]) -> Match | None:
    """The target that explains most of the query, with all hits on it; None without a hit."""
    by_target = defaultdict(list)
    for hit in hits:
        by_target[hit.target].append(hit)
    return min(map(together, by_target.values()), key=lambda match: match.order, default=None)


def best_locus(hits: Sequence[Hit], reach: int) -> Match | None:
    """The place of a genome that explains most of the query; None without a hit.

    A locus is a hit and those others on the same strand within `reach` bases that cover another part of the query.
    """

    def locus(seed: Hit) -> Match:
        members = [seed]
        for hit in sorted(hits, key=lambda hit: hit.order):
            near = (hit.target, hit.strand) == (seed.target, seed.strand) and _distance(hit, seed) <= reach
            if near and 2 * _gain(hit, members) > hit.query_end - hit.query_start:
                members.append(hit)
        return together(members)

    return min(map(locus, hits), key=lambda match: match.order, default=None)


def parts(hits: Iterable[Hit], *, least: float, place: Callable[[Hit], Any], reach: int = 0) -> list[Match]:
    """Split a query into the places its parts come from, greatest part first.

    Parameters
    ----------
    hits
        Of one query.
    least
        Share of the query that a hit must add to those taken before, to count.
    place
        Hits with equal places are one part ...
    reach
        ... if they are within so many bases; 0 for any distance.
    """
    taken: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: hit.order):
        if _gain(hit, taken) >= least * hit.query_length:
            taken.append(hit)
    grouped: list[list[Hit]] = []
    for hit in taken:
        for group in grouped:
            if place(group[0]) == place(hit) and (not reach or _distance(group[0], hit) <= reach):
                group.append(hit)
                break
        else:
            grouped.append([hit])
    return [together(group) for group in grouped]


def _gain(hit: Hit, taken: Iterable[Hit]) -> int:
    """Bases of the query that a hit covers and the others do not."""
    others = [other.query_interval for other in taken]
    return covered([*others, hit.query_interval]) - covered(others)


def _distance(one: Hit, other: Hit) -> int:
    return max(one.start, other.start) - min(one.end, other.end)
