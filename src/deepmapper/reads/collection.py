"""All reads of a sample in the form of captured reads: without a reference all of them are assembled.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..core.files import atomic_folder
from .fastq import count_fragments, read_quality, sorted_lines, write_fastq
from .nucleotides import without_mate
from .samples import Unit


def collect_reads(units: Sequence[Unit], folder: Path, *, sample: str) -> int:
    """Write all reads of a sample, as `align_reads` writes those that do not align.

    Parameters
    ----------
    units
        The sample's lanes.
    folder
        Written atomically: ``1.fastq.gz`` and ``2.fastq.gz`` for pairs, ``single.fastq.gz`` for single reads, sorted by
        name, then sequence.
    sample
        Name, for messages.

    Returns
    -------
    int
        Number of fragments (read pairs or single reads).

    Raises
    ------
    InputError
        For faulty reads (see `count_fragments`).
    """
    fragments = count_fragments(units, sample)
    with atomic_folder(folder) as tmp, sorted_lines(tmp) as lines:
        for unit in units:
            for line in _fragments(unit):
                lines.add(line)
        for mate, name in enumerate(("1", "2") if units[0].paired else ("single",), 1):
            write_fastq(tmp / f"{name}.fastq.gz", lines.merged(), mate)
    return fragments


def _fragments(unit: Unit) -> Iterator[bytes]:
    """Yield each fragment as its name, and sequence and quality of each mate, separated by tabs."""
    for mates in zip(*(read_quality(Path(path)) for path in unit.files), strict=True):
        names = [name for name, _, _ in mates]
        # mates may be marked otherwise, as NAME.1 and NAME.2; `count_fragments` has checked that they belong together
        fields = [without_mate(names[0]) if len(set(names)) == 1 else names[0][:-2]]
        for _, sequence, quality in mates:
            fields += [sequence, quality]
        yield b"\t".join(fields)
