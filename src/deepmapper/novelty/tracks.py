"""Places of transcripts as a track of a genome browser: BED12. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ..core.files import atomic_write
from ..reads.annotation import Transcript
from .loci import span


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
        for place in sorted(places, key=lambda place: (place.chrom, *span(place), place.id)):
            start, end = span(place)
            sizes = "".join(f"{b - a}," for a, b in place.exons)
            starts = "".join(f"{a - start}," for a, _ in place.exons)
            name = "_".join(names[place.id].split())
            cells = (place.chrom, start, end, name, 0, place.strand, start, start, 0, len(place.exons), sizes, starts)
            print(*cells, sep="\t", file=file)
