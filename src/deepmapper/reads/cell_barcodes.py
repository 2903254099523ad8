"""Barcodes of single cells in place of a mate, recognised in the first reads of a pair of files. Standard library only.

Kits differ in the read that holds the barcode, its length, and what surrounds it:

======================= ===================== ==============================================================
kit                     barcode and UMI, nt   recognised by
======================= ===================== ==============================================================
10x v1                  14 (index), 10        length
10x v2, 5'              16 + 10               length; longer reads by poly-T (3') or the switch oligo (5')
10x v3, v4              16 + 12               length; longer reads by poly-T
Drop-seq, Seq-Well      12 + 8                length; longer reads by poly-T
inDrop                  8-11 + 8 + 6          length (v3), linker (v1, v2)
BD Rhapsody             3 x 9 + 8             linkers
SPLiT-seq, Parse        3 x 8 + 10            linkers
CEL-Seq2, MARS-seq      6-12 + 4-8            length
======================= ===================== ==============================================================
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median

from ..core.words import percent

# nt; the shortest and longest read that is nothing but barcode and molecular identifier, and the shortest mate that a
# library of single cells has
_BARCODE_LENGTHS, _MIN_CDNA = range(6, 36), 50

_SAME_LENGTH = 0.9  # share of reads of one length, from which on it was set by the sequencer, chosen by hand

# Constant parts between barcodes or after them.
_LINKERS = {
    b"GAGTGATTGCTTGTGACGCC": "inDrop",
    b"ACTGGCCTGCGA": "BD Rhapsody",
    b"GGTAGCGGTGACA": "BD Rhapsody",
    b"CGATGTTTCGCATCGGCG": "SPLiT-seq or Parse",
    b"ATCCACGTGCTTGAGACTG": "SPLiT-seq or Parse",
    b"TTTCTTATATGGG": "10x 5'",
}

_LINKER_SHARE = 0.3  # share of reads with a linker, from which on it is no chance, chosen by hand

# Place of poly-T after barcodes of 20 to 28 nt, and its least share of T and of reads; chosen by hand.
_POLY_T, _T_SHARE, _POLY_T_SHARE = slice(30, 45), 0.8, 0.5

_PLACE_SHARE, _WORD = 0.5, 10  # share of reads with the same word at the same place, and its length; chosen by hand

# Distinct starts of this length among the reads of a mate: few in barcodes from a list, many in pieces of transcripts.
# Chosen by hand, as is the number of reads from which on they are compared.
_START, _FEW_STARTS, _MANY_STARTS, _MIN_READS = 9, 0.6, 0.85, 500


def barcode_fault(first: Sequence[bytes], second: Sequence[bytes]) -> tuple[int, str]:
    """Say why one of two mates holds barcodes of cells.

    Parameters
    ----------
    first, second
        Sequences of the first reads of fq1 and fq2.

    Returns
    -------
    tuple of int and str
        Which mate holds the barcodes, 0 or 1, and by what that is seen; (0, "") if neither does.
    """
    for mate, (own, other) in enumerate(((first, second), (second, first))):
        if reason := _length_fault(own, other) or _linker_fault(own) or _poly_t_fault(own, other):
            return mate, reason
    return 0, ""


def barcode_caution(first: Sequence[bytes], second: Sequence[bytes]) -> str:
    """Say that one of two mates may hold barcodes, by the few different starts of its reads; "" if it does not."""
    if min(len(first), len(second)) < _MIN_READS:
        return ""
    shares = [len({read[:_START] for read in reads}) / len(reads) for reads in (first, second)]
    if min(shares) > _FEW_STARTS or max(shares) < _MANY_STARTS:
        return ""
    mate = shares.index(min(shares))
    return (
        f"only {percent(shares[mate], 0)} of the first reads of fq{mate + 1} differ in their first {_START} nt, and "
        f"{percent(shares[1 - mate], 0)} of those of its mates: barcodes of single cells look like this. If the "
        "reads are of single cells, count the cells first (docs/reads.md, Single cells)."
    )


def _length_fault(own: Sequence[bytes], other: Sequence[bytes]) -> str:
    length, times = Counter(map(len, own)).most_common(1)[0]
    typical = median(map(len, other))
    if times < _SAME_LENGTH * len(own) or length not in _BARCODE_LENGTHS or typical < _MIN_CDNA:
        return ""
    return f"its reads have {length} nt and their mates {typical:.0f} nt"


def _linker_fault(own: Sequence[bytes]) -> str:
    for linker, kit in _LINKERS.items():
        share = sum(linker in read for read in own) / len(own)
        if share >= _LINKER_SHARE:
            return f"{percent(share, 0)} of its reads hold the linker {linker.decode()} ({kit})"
    return ""


def _poly_t_fault(own: Sequence[bytes], other: Sequence[bytes]) -> str:
    """Whether poly-T or another word follows at a fixed place, in one mate alone."""
    n = _POLY_T.stop - _POLY_T.start
    share = sum(read[_POLY_T].count(b"T") >= _T_SHARE * n for read in own) / len(own)
    if share >= _POLY_T_SHARE:
        return f"{percent(share, 0)} of its reads are T from the nucleotide {_POLY_T.start + 1} on"
    for at in range(_START, max(map(len, own)) - _WORD + 1):
        words = [Counter(read[at : at + _WORD] for read in reads if len(read) >= at + _WORD) for reads in (own, other)]
        (word, times), *_ = words[0].most_common(1) or [(b"", 0)]
        if times >= _PLACE_SHARE * len(own) and len(own) >= _WORD and words[1][word] < times / 2 and len(set(word)) > 2:
            return f"{percent(times / len(own), 0)} of its reads have {word.decode()} from the nucleotide {at + 1} on"
    return ""
