"""Nucleotides and the names of reads: letters of the IUPAC code, the other strand, ``/1`` and ``/2``. Standard library.

The code is that of Cornish-Bowden 1985, Nucleic Acids Res 13:3021.
"""

from __future__ import annotations

import re
from typing import AnyStr

NUCLEOTIDES = "ACGT"

_NOT_NUCLEIC = re.compile(r"[^ACGTUNRYSWKMBDHV]")

_COMPLEMENT = bytes.maketrans(b"ACGTURYKMBVDHacgturykmbvdh", b"TGCAAYRMKVBHDtgcaayrmkvbhd")  # N, S, W: themselves


def impossible_letter(sequence: str) -> str:
    """First letter that no nucleotide code has, or nothing. Expects upper case."""
    found = _NOT_NUCLEIC.search(sequence)
    return found[0] if found else ""


def reverse_complement(sequence: AnyStr) -> AnyStr:
    """The other strand as DNA, ambiguous letters included; other characters and the letter case stay."""
    if isinstance(sequence, bytes):
        return sequence.translate(_COMPLEMENT)[::-1]
    return sequence.encode("ascii").translate(_COMPLEMENT)[::-1].decode()


def mate_suffix(name: AnyStr) -> AnyStr:
    """What a read's name ends in to say which mate it is: ``/1``, ``/2`` or nothing."""
    if isinstance(name, bytes):
        return name[-2:] if name.endswith((b"/1", b"/2")) else b""
    return name[-2:] if name.endswith(("/1", "/2")) else ""


def without_mate(name: AnyStr) -> AnyStr:
    """The name of a fragment: that of a read without ``/1`` or ``/2``."""
    return name.removesuffix(mate_suffix(name))
