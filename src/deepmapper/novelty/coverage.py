"""Depth of the aligned reads around the first novel transcripts of a ranking. Needs samtools; standard library."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

from ..core.programs import run_tool
from ..reads.annotation import Transcript, read_gtf
from .loci import span

FIRST = 12  # novel transcripts of a model that are drawn

AROUND = 5000  # nucleotides drawn on either side

_BINS = 300  # parts of a region; more could not be told apart in a figure


def first_novel(features: Path, limit: int = FIRST) -> dict[str, int]:
    """First novel transcripts (or new genes) of a ranking: name -> rank.

    Parameters
    ----------
    features
        ``features.tsv``: rank, feature, is_denovo.
    limit
        Largest number.
    """
    found: dict[str, int] = {}
    with features.open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_MINIMAL):
            if row["is_denovo"] == "True":
                found[row["feature"]] = int(row["rank"])
                if len(found) == limit:
                    break
    return found


def places_of(gtf: Path, names: Iterable[str]) -> dict[str, Transcript]:
    """Places of transcripts by name, for those that have one."""
    wanted = set(names)
    return {t.id: t for t in read_gtf(gtf) if t.id in wanted}


def region_of(place: Transcript) -> tuple[int, int]:
    """What is drawn around a transcript: first and last base, 0-based and half-open."""
    start, end = span(place)
    return max(0, start - AROUND), end + AROUND


def measure_coverage(
    alignments: Mapping[str, Path], table: Path, places: Mapping[str, Transcript], log: IO[str] | None = None
) -> dict[str, dict[str, list[float]]]:
    """Measure the mean depth in equal parts of the region around every transcript.

    Parameters
    ----------
    alignments
        Indexed BAM file of every sample.
    table
        ``alignment.tsv``: sample, aligned (number of fragments).
    places
        Transcripts by name.

    Returns
    -------
    dict
        By transcript and sample: depth per million aligned fragments in up to 300 parts. Introns of reads do not count.
    """
    with table.open(newline="") as file:
        aligned = {row["sample"]: int(row["aligned"]) for row in csv.DictReader(file, delimiter="\t")}
    found: dict[str, dict[str, list[float]]] = {}
    for name, place in places.items():
        start, end = region_of(place)
        chrom = f"{{{place.chrom}}}" if ":" in place.chrom else place.chrom
        found[name] = {}
        for sample, bam in alignments.items():
            depths = _Depths(start, end)
            run_tool(["samtools", "depth", "-r", f"{chrom}:{start + 1}-{end}", bam], reader=depths.read, log=log)
            found[name][sample] = depths.means(1e6 / max(1, aligned[sample]))
    return found


class _Depths:
    """Sums of depths in the parts of a region."""

    def __init__(self, start: int, end: int) -> None:
        n = min(_BINS, end - start)
        self._edges = [start + (end - start) * i // n for i in range(n + 1)]
        self._sums = [0] * n

    def read(self, lines: Iterable[bytes]) -> None:
        part = 0
        for line in lines:
            cells = line.split(b"\t")
            if len(cells) != 3:
                continue
            position = int(cells[1]) - 1
            while position >= self._edges[part + 1]:
                part += 1
            self._sums[part] += int(cells[2])

    def means(self, scale: float) -> list[float]:
        sizes = (b - a for a, b in zip(self._edges, self._edges[1:], strict=False))
        return [round(total / size * scale, 3) for total, size in zip(self._sums, sizes, strict=True)]
