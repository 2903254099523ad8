"""Nucleotides and read names: the IUPAC code, reverse complements, ``/1`` and ``/2``. Standard library only.

IUPAC code: Cornish-Bowden 1985, Nucleic Acids Res 13:3021.
"""

from __future__ import annotations

import re
from typing import AnyStr

NUCLEOTIDES = "ACGT"

_NOT_NUCLEIC = re.compile(r"[^ACGTUNRYSWKMBDHV]")

_COMPLEMENT = bytes.maketrans(
    b"ACGTURYKMBVDHacgturykmbvdh", b"TGCAAYRMKVBHDtgcaayrmkvbhd"
)  # N, S and W are their own complement


def impossible_letter(sequence: str) -> str:
    """First letter that is not in the nucleotide code, or "". Expects upper case."""
    match = _NOT_NUCLEIC.search(sequence)
    return match[0] if match else ""


def reverse_complement(sequence: AnyStr) -> AnyStr:
    """Reverse complement as DNA, ambiguity codes included; case and other characters are kept."""
    if isinstance(sequence, bytes):
        return sequence.translate(_COMPLEMENT)[::-1]
    return sequence.encode("ascii").translate(_COMPLEMENT)[::-1].decode()


def mate_suffix(name: AnyStr) -> AnyStr:
    """Ending of a read's name that marks the mate: ``/1``, ``/2`` or nothing."""
    if isinstance(name, bytes):
        return name[-2:] if name.endswith((b"/1", b"/2")) else b""
    return name[-2:] if name.endswith(("/1", "/2")) else ""


def without_mate(name: AnyStr) -> AnyStr:
    """Name of a read's fragment: the read's name without ``/1`` or ``/2``."""
    return name.removesuffix(mate_suffix(name))
