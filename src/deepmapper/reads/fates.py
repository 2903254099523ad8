"""Where the fragments of every sample went: counted, only aligned, or neither. Standard library only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any

from ..core.files import atomic_write
from ..core.words import count
from ..errors import InputError
from .counted import fragment_places

# The four places, which add up to all fragments, and what they are called in figures.
PLACES = {
    "known": "counted on known transcripts",
    "novel": "counted on novel transcripts",
    "aligned_not_counted": "aligned to the genome, not counted",
    "captured_not_counted": "neither aligned nor counted",
}


@dataclass(frozen=True)
class Fragments:
    """One row of ``reads/fragments.tsv``.

    Attributes
    ----------
    sample, layout
        Name; "paired" or "single".
    fragments
        Number of read pairs or single reads: the sum of the next four.
    known, novel
        Fragments counted on known and on novel transcripts. Salmon divides a fragment that matches several transcripts;
        `novel` is the sum over the novel ones, rounded, and `known` the rest of all that count.
    aligned_not_counted, captured_not_counted
        Fragments that do not count, of which at least one mate aligns to the genome, and of which neither does.
    captured_counted
        Fragments that do not align to the genome, but count.
    known_rate, novel_rate, aligned_not_counted_rate, captured_not_counted_rate
        Shares of `fragments`.
    detected_known, detected_novel
        Transcripts with a count of at least 0.5.
    strandedness
        How the fragments were counted: "unstranded", "forward" or "reverse".
    measured_strandedness
        What the reads themselves say; "" if fewer than 100 of the first fragments match.
    """

    sample: str
    layout: str
    fragments: int
    known: int
    novel: int
    aligned_not_counted: int
    captured_not_counted: int
    captured_counted: int
    known_rate: float
    novel_rate: float
    aligned_not_counted_rate: float
    captured_not_counted_rate: float
    detected_known: int
    detected_novel: int
    strandedness: str
    measured_strandedness: str

    @property
    def counted_rate(self) -> float:
        """Share of the fragments that count."""
        return (self.known + self.novel) / self.fragments

    @property
    def aligned_rate(self) -> float:
        """Share of the fragments that align to the genome."""
        return 1 - (self.captured_counted + self.captured_not_counted) / self.fragments


COLUMNS = tuple(field.name for field in fields(Fragments))


def tabulate_fragments(alignments: Mapping[str, Path], quantifications: Mapping[str, Path], out: Path) -> None:
    """Write a table with one row per sample that says where its fragments went.

    Parameters
    ----------
    alignments, quantifications
        For each sample the folder that `align_reads` and `quantify_sample` wrote.
    out
        The table (see `Fragments`).

    Raises
    ------
    InputError
        If a sample was counted without its captured reads, or from other reads than those that were aligned.
    """
    rows = []
    for sample, folder in alignments.items():
        aligned = json.loads((Path(folder) / "counts.json").read_text())
        counted = json.loads((Path(quantifications[sample]) / "quantification.json").read_text())
        rows.append(_place_fragments(sample, aligned, counted))
    with atomic_write(out) as tmp, tmp.open("w") as file:
        print(*COLUMNS, sep="\t", file=file)
        for row in rows:
            print(*(getattr(row, column) for column in COLUMNS), sep="\t", file=file)


def read_fragments(path: str | Path) -> list[Fragments]:
    """Read the table that `tabulate_fragments` wrote."""
    kinds = {"int": int, "float": float, "str": str}
    lines = Path(path).read_text().splitlines()
    header = lines[0].split("\t")
    rows = (dict(zip(header, line.split("\t"), strict=True)) for line in lines[1:])
    return [
        Fragments(**{field.name: kinds[str(field.type)](row[field.name]) for field in fields(Fragments)})
        for row in rows
    ]


def describe_fragments(rows: Sequence[Fragments], n_novel: int) -> str:
    """Say in one sentence where the fragments went: medians over the samples, with their range.

    Parameters
    ----------
    rows
        One per sample.
    n_novel
        Number of novel transcripts.
    """
    known, novel, aligned, neither = (spread([getattr(row, f"{place}_rate") for row in rows]) for place in PLACES)
    on_novel = f"{novel} on novel ones ({count(n_novel, 'novel transcript', separator=',')})"
    if not n_novel:
        on_novel = "none on novel ones, since no novel transcript was found"
    over = f" (medians over {len(rows):,} samples, with their range)" if len(rows) > 1 else ""
    return (
        f"Of the fragments (read pairs or single reads), {known} count on known transcripts, {on_novel}, {aligned} "
        f"align to the genome but count nowhere, and {neither} do neither{over}."
    )


def spread(shares: Iterable[float]) -> str:
    """Write the median of shares in percent, and their range if they differ: ``81.2 % (79.9 to 84.0)``."""
    values = sorted(100 * share for share in shares)
    low, middle, high = (f"{value:.1f}" for value in (values[0], median(values), values[-1]))
    return f"{middle} %" if low == high else f"{middle} % ({low} to {high})"


def _place_fragments(sample: str, aligned: Mapping[str, Any], counted: Mapping[str, Any]) -> Fragments:
    fragments, captured = int(aligned["fragments"]), int(aligned["captured"])
    numbers = fragment_places(counted)
    if numbers is None:
        raise InputError(
            f"sample {sample}: was counted without its captured reads, so it is unknown how many of them count. Count "
            "it again."
        )
    if (counted["fragments"], counted["captured"]) != (fragments, captured):
        raise InputError(
            f"sample {sample}: {counted['fragments']} fragments were counted, {counted['captured']} of them captured, "
            f"but {fragments} were aligned and {captured} captured; expected the same. Its reads have changed: align "
            "and count it again."
        )
    measured = counted["measured"]
    return Fragments(
        sample=sample,
        layout=aligned["layout"],
        fragments=fragments,
        captured_counted=counted["captured_counted"],
        detected_known=counted["detected_known"],
        detected_novel=counted["detected_novel"],
        strandedness=counted["strandedness"],
        measured_strandedness=measured["strandedness"] if measured["judged"] else "",
        **numbers,
        **{f"{place}_rate": round(number / fragments, 6) for place, number in numbers.items()},  # type: ignore[arg-type]
    )
