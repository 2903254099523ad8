"""What a figure shows of the first novel transcripts of a ranking. numpy."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..reads.annotation import Transcript, read_gtf
from .coverage import places_of, region_of
from .loci import span

_Values = Mapping[str, Mapping[str, np.ndarray]]
_Track = tuple[str, str, tuple[tuple[int, int], ...]]


def figure_records(
    first: Mapping[str, int],
    *,
    novel: Path,
    places: Path,
    neighbours: Path,
    values: _Values,
    coverage: Mapping[str, Mapping[str, Sequence[float]]],
    label_of: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Gather what is drawn of every transcript: arguments of `plots.novel.NovelTranscript`.

    Parameters
    ----------
    first
        Names with their ranks.
    novel, places, neighbours
        ``novel.tsv``, ``novel.gtf`` and ``neighbours.gtf`` of `describe_novel`.
    values
        By name and class: the expression of the samples.
    coverage
        By name and sample, of `coverage.measure_coverage`; empty if it was not measured.
    label_of
        Class of every sample that has one.

    Returns
    -------
    list
        In the order of `first`. A transcript in the genome has the annotated transcripts in its region, those that
        overlap it first, then the nearest.
    """
    with novel.open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file, delimiter="\t")}
    placed = places_of(places, first)
    annotated = read_gtf(neighbours)
    records = []
    for name, rank in first.items():
        row, place = rows[name], placed.get(name)
        code = f" ({row['class_code']})" if row["class_code"] else ""
        record: dict[str, Any] = {
            "name": name,
            "alias": row["alias"],
            "rank": rank,
            "about": f"{row['class'].replace('_', ' ')}{code}: {row['meaning']}",
            "length": int(row["length"]),
            "values": values[name],
        }
        if place:
            record |= {
                "chrom": place.chrom,
                "region": region_of(place),
                "model": _track(place, row["alias"]),
                "neighbours": [_track(near) for near in _around(place, annotated)],
                "coverage": _by_class(coverage.get(name, {}), label_of),
            }
        records.append(record)
    return records


def _track(transcript: Transcript, label: str = "") -> _Track:
    gene = transcript.gene_name or transcript.gene_id
    label = label or (f"{gene} ({transcript.id})" if gene and gene != transcript.id else transcript.id)
    return label, transcript.strand, transcript.exons


def _around(place: Transcript, annotated: Sequence[Transcript]) -> list[Transcript]:
    """Annotated transcripts in the region of a place, the nearest first."""
    (start, end), (left, right) = span(place), region_of(place)
    near = [t for t in annotated if t.chrom == place.chrom and span(t)[0] < right and span(t)[1] > left]
    return sorted(near, key=lambda t: (max(0, start - span(t)[1], span(t)[0] - end), *span(t), t.id))


def _by_class(depths: Mapping[str, Sequence[float]], label_of: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Mean depth of the samples of every class."""
    classes = sorted({label_of[sample] for sample in depths if sample in label_of})
    return {
        name: np.mean([depth for sample, depth in depths.items() if label_of.get(sample) == name], axis=0)
        for name in classes
    }
