"""Where fragments went that cannot be right, or is not as in the other samples. Standard library only."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from ..core.words import listed
from ..errors import DeepMapperWarning
from .fates import Fragments, read_fragments

# Reads of the right organism mostly align to 70 to 95 %. Below a half, most of the RNA is from something else.
_LOW_ALIGNED = 0.5

# Transcripts lie in the genome that they were annotated on. Few fragments fit a known transcript and no place in the
# genome: those over junctions with short ends, and over gaps of the genome.
_HIGH_WITHOUT_GENOME = 0.2

# Usually a few percent of the pairs.
_HIGH_HALF_MAPPED = 0.5

# 5 to 20 % with selection by poly(A) and a good annotation. Total RNA of tissues has more, from introns.
_HIGH_NOT_COUNTED = 0.3

# Deviations from the median of the other samples that are told: beyond both a floor and a multiple of the median
# absolute deviation. Of normal values, one in two million is that far; the floors are for few samples, which may agree
# by chance, and are differences that matter.
_N_DEVIATIONS = 5
_MIN_SAMPLES = 4
_MAD_TO_SD = 1.4826

_NAMED = 5  # samples named in one statement


@dataclass(frozen=True)
class _Measure:
    """A figure in which samples should resemble one another.

    Attributes
    ----------
    value
        Of a sample.
    floor
        Smallest difference from the median of the others that is told.
    text
        Writes a value.
    what, advice
        What it is a figure of, and what to do.
    """

    value: Callable[[Fragments], float]
    floor: float
    text: Callable[[float], str]
    what: str
    advice: str


def _percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")


_MEASURES = (
    _Measure(
        lambda row: row.aligned_rate,
        0.05,
        _percent,
        "the share of fragments that align to the genome",
        "Look for contamination or another organism (captured reads in reads/unaligned), and at its quality in "
        "reads/qc/multiqc_report.html; leave it out of the sheet if it is not to be trusted.",
    ),
    _Measure(
        lambda row: row.counted_rate,
        0.1,
        _percent,
        "the share of fragments that count",
        "Look at its quality in reads/qc/multiqc_report.html. Its library may hold DNA or RNA of nuclei, or was made "
        "in another way: leave it out of the sheet, or name what differs in confounders.columns.",
    ),
    _Measure(
        lambda row: math.log2(row.fragments),
        2.0,
        lambda value: f"{2**value:,.0f}",
        "the number of fragments",
        "Are all its files in the sheet, and none of another sample? With few fragments, rare transcripts are missing "
        "from it by chance: sequence it again, or leave it out of the sheet.",
    ),
)


def fragment_cautions(fragments: str | Path, alignment: str | Path) -> list[str]:
    """List what cannot be right about where the fragments went, each with what to do.

    Told are samples of which

    - less than half of the fragments align to the genome,
    - more than 20 % fit known transcripts but not the genome,
    - in more than half of the pairs only one mate aligns,
    - at least 30 % align but do not count,
    - the library has another strand than that of most samples,
    - the share that aligns, the share that counts, or the number of fragments is far from that of the others: by more
      than 5 robust standard deviations (1.4826 times the median absolute deviation from the median of the others), and
      by more than 5 or 10 percentage points or a factor of four; from 4 samples on.

    Parameters
    ----------
    fragments, alignment
        Tables that `tabulate_fragments` and `tabulate_alignment` wrote.

    Returns
    -------
    list of str
        One statement per kind.
    """
    rows = read_fragments(fragments)
    return [*_implausible(rows, _half_mapped(Path(alignment))), *_strands(rows), *_outliers(rows)]


def warn_of_fragments(fragments: str | Path, alignment: str | Path) -> None:
    """Warn of what `fragment_cautions` lists.

    Warns
    -----
    DeepMapperWarning
        For each statement.
    """
    for text in fragment_cautions(fragments, alignment):
        warnings.warn(text, DeepMapperWarning, stacklevel=2)


def _half_mapped(alignment: Path) -> dict[str, float]:
    """Share of the pairs of every sample of which one mate aligns."""
    header, *lines = (line.split("\t") for line in alignment.read_text().splitlines())
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    return {row["sample"]: int(row["half_mapped"]) / int(row["fragments"]) for row in rows}


def _implausible(rows: Sequence[Fragments], half_mapped: Mapping[str, float]) -> Iterator[str]:
    low = {row.sample: row.aligned_rate for row in rows if row.aligned_rate < _LOW_ALIGNED}
    if low:
        yield (
            f"{_samples(low, len(rows))}: less than half of the fragments align to the genome. Check that the reads "
            "and reference.genome are of the same organism, and look for adapters or contamination in "
            "reads/qc/multiqc_report.html."
        )
    without = {row.sample: (row.captured_counted - row.novel) / row.fragments for row in rows}
    if without := {name: share for name, share in without.items() if share > _HIGH_WITHOUT_GENOME}:
        yield (
            f"{_samples(without, len(rows))}: this share of the fragments fits known transcripts, but no place in the "
            "genome. Genome and transcripts do not belong together, or the genome is incomplete: give reference.genome "
            "and reference.transcripts of the same release."
        )
    if half := {name: share for name, share in half_mapped.items() if share > _HIGH_HALF_MAPPED}:
        yield (
            f"{_samples(half, len(rows))}: in this share of the pairs only one mate aligns. Check fq1 and fq2: the "
            "file of one mate may be of poor quality, of another sample or hold barcodes. If only one is good, give it "
            "alone as fq1."
        )
    lost = {row.sample: row.aligned_not_counted_rate for row in rows}
    if lost := {name: share for name, share in lost.items() if share >= _HIGH_NOT_COUNTED}:
        wrong_strand = any(row.strandedness != "unstranded" for row in rows if row.sample in lost)
        yield (
            f"{_samples(lost, len(rows))}: this share of the fragments aligns to the genome but matches no transcript. "
            "The annotation may lack transcripts: give a more complete reference.annotation and reference.transcripts, "
            "for example with those that StringTie assembles. Or the library holds DNA or unspliced RNA, which no "
            f"setting changes{'; in a stranded library it may be RNA of the other strand' if wrong_strand else ''}."
        )


def _strands(rows: Sequence[Fragments]) -> Iterator[str]:
    """Samples whose library has another strand than most."""
    known = {row.sample: row.measured_strandedness for row in rows if row.measured_strandedness}
    kinds = Counter(known.values())
    if len(kinds) < 2:
        return
    (usual, n), *_ = kinds.most_common()
    others = [f"{name} ({kind})" for name, kind in known.items() if kind != usual]
    yield (
        f"the libraries differ in their strand: {n} of {len(known)} samples are {usual}, but not "
        f"{listed(others, _NAMED)}. They were made in different ways, which changes the counts of overlapping genes: "
        "name the kind of library in a column of the sheet and in confounders.columns, or leave these samples out."
    )


def _outliers(rows: Sequence[Fragments]) -> Iterator[str]:
    """Samples far from the others, and the median of these."""
    if len(rows) < _MIN_SAMPLES:
        return
    for measure in _MEASURES:
        values = [measure.value(row) for row in rows]
        far = []
        for row, value in zip(rows, values, strict=True):
            # the others: a sample must not hide its own deviation
            others = sorted(values)
            others.remove(value)
            middle = median(others)
            deviation = _MAD_TO_SD * median(abs(other - middle) for other in others)
            if abs(value - middle) > max(measure.floor, _N_DEVIATIONS * deviation):
                far.append((row.sample, value, middle))
        if not far:
            continue
        said = [f"{name} {measure.text(value)} against {measure.text(middle)}" for name, value, middle in far]
        yield (
            f"{measure.what} is far from that of the other samples (their median): {listed(said, _NAMED)}. "
            f"{measure.advice}"
        )


def _samples(shares: Mapping[str, float], n: int) -> str:
    """Write samples with their shares: ``sample a (3.1 %)``, ``3 of 8 samples (a 3.1 %, b 4.0 %, c 5.2 %)``."""
    if len(shares) == 1:
        ((name, share),) = shares.items()
        return f"sample {name} ({_percent(share)})"
    said = [f"{name} {_percent(share)}" for name, share in shares.items()]
    return f"{len(shares)} of {n} samples ({listed(said, _NAMED)})"
