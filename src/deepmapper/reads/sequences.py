"""Properties of a nucleotide sequence: name, composition, complexity, longest open reading frame.

Pure functions; the standard library and Biopython.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from .denovo import PREFIX
from .nucleotides import NUCLEOTIDES, reverse_complement

_DIGITS = 12  # hexadecimal digits in a name; two of a million sequences share them once in 500 runs

# DUST (Morgulis et al. 2006, J Comput Biol 13:1028): windows of 64 bases that score above 2 (its level 20) are simple.
_WINDOW = 64

_STEP = 32  # half a window

_DUST_LEVEL = 2.0

# Common start of Illumina's TruSeq adapters, at the end of a sequence and, reverse-complemented, at its start.
_ADAPTER, _ADAPTER_REVERSED = "AGATCGGAAGAGC", "GCTCTTCCGATCT"

_END = 40  # bases at either end that are searched for adapters, chosen by hand

_NUCLEOTIDES = frozenset(NUCLEOTIDES)


class Orf(NamedTuple):
    """An open reading frame: its amino acids, its strand on the sequence, and whether both its ends are in it."""

    length: int
    strand: str
    complete: bool


def canonical(sequence: str) -> str:
    """The first in alphabetical order of a sequence and its reverse complement: the same for both strands."""
    return min(sequence, reverse_complement(sequence))


def names_of(sequences: Iterable[str]) -> dict[str, str]:
    """Name sequences by their hashes, regardless of strand and order.

    Parameters
    ----------
    sequences
        Canonical sequences, see `canonical`.

    Returns
    -------
    dict
        ``DENOVO_`` and 12 hexadecimal digits of the sequence's SHA-256; more digits if names would be equal otherwise.
    """
    digests = {sequence: hashlib.sha256(sequence.encode()).hexdigest() for sequence in sequences}
    return {sequence: PREFIX + digits for sequence, digits in shortest_unique(digests).items()}


def shortest_unique(digests: dict[str, str], digits: int = _DIGITS) -> dict[str, str]:
    """Shorten each digest to as few digits as make it unique, at least `digits`."""
    shared = Counter(digest[:digits] for digest in digests.values())
    short = {key: digest[:digits] for key, digest in digests.items() if shared[digest[:digits]] == 1}
    longer = {key: digest for key, digest in digests.items() if key not in short}
    return short | (shortest_unique(longer, digits + 4) if longer else {})


def gc_share(sequence: str) -> float:
    """Share of G and C among the letters A, C, G and T; 0 if there are none."""
    counts = Counter(sequence)
    strong, weak = counts["G"] + counts["C"], counts["A"] + counts["T"]
    return strong / (strong + weak) if strong + weak else 0.0


def unknown_share(sequence: str) -> float:
    """Share of letters other than A, C, G and T, for example N."""
    return 1 - sum(map(sequence.count, NUCLEOTIDES)) / len(sequence) if sequence else 0.0


def simple_share(sequence: str) -> float:
    """Share of a sequence that has low complexity: poly-A, short repeats, N.

    Windows of 64 letters that overlap by half are scored by DUST: a triplet that occurs c times adds c (c - 1) / 2, and
    the sum is divided by the number of triplets minus one. All triplets with an ambiguous letter count as the same.
    """
    n = len(sequence)
    if n < 4:
        return 0.0
    starts = [*range(0, max(1, n - _WINDOW), _STEP), max(0, n - _WINDOW)]
    covered = reached = 0
    for start in starts:
        end = min(n, start + _WINDOW)
        if _dust(sequence[start:end]) > _DUST_LEVEL:
            covered += end - max(start, reached)
            reached = end
    return covered / n


def _dust(window: str) -> float:
    triplets = Counter(window[i : i + 3] for i in range(len(window) - 2))
    unknown = 0
    if not _NUCLEOTIDES.issuperset(window):
        unknown = sum(triplets.pop(t) for t in list(triplets) if not _NUCLEOTIDES.issuperset(t))
    score = sum(c * (c - 1) for c in (*triplets.values(), unknown)) / 2
    return score / max(1, len(window) - 3)


def has_adapter(sequence: str) -> bool:
    """Whether a sequence starts or ends with Illumina's TruSeq adapter, as contigs of untrimmed reads do."""
    return _ADAPTER in sequence[-_END:] or _ADAPTER_REVERSED in sequence[:_END]


def longest_orf(sequence: str) -> Orf:
    """Longest open reading frame of both strands.

    A frame starts with ATG or with the sequence, since contigs may be incomplete, and ends before a stop codon or with
    the sequence, as in TransDecoder. Translated by the standard code. Ties go to the forward strand, then to a complete
    frame.
    """
    from Bio.Seq import translate

    orfs = [Orf(0, "", False)]
    for strand, letters in (("+", sequence), ("-", reverse_complement(sequence))):
        for frame in range(3):
            codons = letters[frame : len(letters) - (len(letters) - frame) % 3]
            stretches = str(translate(codons)).split("*")
            for i, stretch in enumerate(stretches):
                stopped = i < len(stretches) - 1
                start = 0 if i == 0 else stretch.find("M")
                if start >= 0 and len(stretch) > start:
                    orfs.append(Orf(len(stretch) - start, strand, stopped and stretch[start] == "M"))
    return max(orfs, key=lambda orf: (orf.length, orf.strand == "+", orf.complete))
