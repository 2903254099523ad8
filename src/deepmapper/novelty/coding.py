"""Whether a reading frame is longer than chance: the longest frame of a sequence against those of shuffled ones.

The same bases in random order have the same composition, on which the number of stop codons depends most. Codon usage
and conservation are not looked at, so a small p-value says that the frame is long, not that it is translated. numpy.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from ..core.draws import Draw, stream

MIN_LENGTH = 100  # amino acids; a shorter frame is no sign of a protein by itself, as in TransDecoder

LIKELY, UNCLEAR = 0.01, 0.05  # p-values up to which a frame is called likely or unclear; chosen by hand

_FEW, _MANY = 99, 999  # shuffled sequences; more only if few of the first reach the frame
_ENOUGH = 0.1  # a p-value above this is not made more exact

_CODES = np.full(256, 4, dtype=np.int8)
_CODES[list(b"ACGT")] = [0, 1, 2, 3]

_BASES_AT_ONCE = 2_000_000  # shuffled bases in memory, so that a long sequence needs no more than a short one

_Codes = npt.NDArray[np.int8]


def orf_p_value(sequence: str) -> float:
    """Share of shuffled sequences whose longest reading frame is at least as long, on either strand.

    The frames are those of `reads.sequences.longest_orf`. The shuffles depend on the sequence alone, so the same
    sequence has the same value in every run.

    Returns
    -------
    float
        ``(1 + n) / (1 + N)`` for n of N shuffled sequences: N is 999, or 99 if that gives more than 0.1.
    """
    codes = _CODES[np.frombuffer(sequence.encode("ascii", "replace"), dtype=np.uint8)]
    seed = int.from_bytes(hashlib.sha256(sequence.encode()).digest()[:8], "big")
    rng = stream(seed, Draw.SHUFFLED_BASES)
    own = int(longest_frames(codes[np.newaxis])[0])
    reached = drawn = 0
    for total in (_FEW, _MANY):
        while drawn < total:
            n = max(1, min(total - drawn, _BASES_AT_ONCE // max(1, len(codes))))
            shuffled = rng.permuted(np.broadcast_to(codes, (n, len(codes))), axis=1)
            reached += int((longest_frames(shuffled) >= own).sum())
            drawn += n
        if (1 + reached) / (1 + drawn) > _ENOUGH:
            break
    return (1 + reached) / (1 + drawn)


def longest_frames(codes: _Codes) -> npt.NDArray[np.int64]:
    """Length of the longest reading frame of every sequence in codons without the stop codon.

    Parameters
    ----------
    codes
        sequences × bases; A, C, G, T are 0 to 3, any other letter is 4.
    """
    reverse = np.where(codes < 4, 3 - codes, codes)[:, ::-1]
    return np.maximum(_longest_forward(codes), _longest_forward(reverse))


def _longest_forward(codes: _Codes) -> npt.NDArray[np.int64]:
    n_sequences, n_bases = codes.shape
    longest = np.zeros(n_sequences, dtype=np.int64)
    if n_bases < 3:
        return longest
    first, second, third = codes[:, :-2], codes[:, 1:-1], codes[:, 2:]
    stops = (first == 3) & (((second == 0) & ((third == 0) | (third == 2))) | ((second == 2) & (third == 0)))
    starts = (first == 0) & (second == 3) & (third == 2)
    for frame in range(min(3, n_bases - 2)):
        stop, start = stops[:, frame::3], starts[:, frame::3].copy()
        start[:, 0] = True  # a contig may begin within a frame
        position = np.arange(stop.shape[1])
        stop_at = np.where(stop, position, stop.shape[1])
        next_stop = np.minimum.accumulate(stop_at[:, ::-1], axis=1)[:, ::-1]
        longest = np.maximum(longest, np.where(start, next_stop - position, 0).max(axis=1))
    return longest


def coding_verdict(length: int, p_value: float, *, protein_match: bool = False) -> str:
    """Say in a word what speaks for a protein.

    Parameters
    ----------
    length
        Longest reading frame in amino acids.
    p_value
        Of `orf_p_value`.
    protein_match
        Whether the transcript resembles a known protein.

    Returns
    -------
    str
        "protein_match"; "likely" (at least 100 amino acids, p up to 0.01); "no_evidence" (p above 0.05); otherwise
        "unclear".
    """
    if protein_match:
        return "protein_match"
    if length >= MIN_LENGTH and p_value <= LIKELY:
        return "likely"
    return "unclear" if p_value <= UNCLEAR else "no_evidence"
