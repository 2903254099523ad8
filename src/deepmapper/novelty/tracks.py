"""Places of novel transcripts as tracks of a genome browser: GTF with their names and classes, BED12.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ..core.files import atomic_write
from ..reads.annotation import Transcript
from .loci import span


def write_novel_gtf(out: str | Path, places: Iterable[Transcript], attributes: Mapping[str, Mapping[str, str]]) -> None:
    """Write transcripts and their exons as GTF, by sequence and position.

    Parameters
    ----------
    out
        Written atomically.
    places
        Transcripts in the genome.
    attributes
        By the id of a transcript: what to add to its gene and transcript ids; empty values are left out.
    """
    with atomic_write(out) as tmp, tmp.open("w") as file:
        for place in _in_order(places):
            added = {key: value for key, value in attributes[place.id].items() if value}
            pairs = {"gene_id": place.gene_id or place.id, "transcript_id": place.id, **added}
            text = " ".join(f'{key} "{_quotable(value)}";' for key, value in pairs.items())
            for kind, (start, end) in (("transcript", span(place)), *(("exon", exon) for exon in place.exons)):
                print(place.chrom, "novel", kind, start + 1, end, ".", place.strand, ".", text, sep="\t", file=file)


def write_bed(out: str | Path, places: Iterable[Transcript], names: Mapping[str, str]) -> None:
    """Write transcripts as BED12, one line each with a block per exon, by sequence and position.

    No part is drawn thick, since it is not known what is translated.

    Parameters
    ----------
    out
        Written atomically.
    places
        Transcripts in the genome.
    names
        By the id of a transcript: the name shown; spaces become underscores.
    """
    with atomic_write(out) as tmp, tmp.open("w") as file:
        for place in _in_order(places):
            start, end = span(place)
            sizes = "".join(f"{b - a}," for a, b in place.exons)
            starts = "".join(f"{a - start}," for a, _ in place.exons)
            name = "_".join(names[place.id].split())
            cells = (place.chrom, start, end, name, 0, place.strand, start, start, 0, len(place.exons), sizes, starts)
            print(*cells, sep="\t", file=file)


def _in_order(places: Iterable[Transcript]) -> list[Transcript]:
    return sorted(places, key=lambda place: (place.chrom, *span(place), place.id))


def _quotable(value: str) -> str:
    """A value without what would end it."""
    return value.replace('"', "'").replace("\n", " ")
