"""Class code of a transcript model relative to one annotated transcript, and to all of an annotation.

The codes are those of gffcompare (Pertea and Pertea 2020, F1000Research 9:304), in its order: ``=`` same introns, ``c``
contained, ``k`` contains the annotated one, ``m`` and ``n`` retained introns (all, some), ``j`` shares a splice
junction, ``e`` one exon across an exon and an intron, ``o`` other overlap on the same strand, ``s`` same intron on the
other strand, ``x`` exons on the other strand, ``i`` within an intron, ``y`` the annotated one lies within an intron of
it, ``p`` close to it without overlap, ``u`` none of these. Standard library only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..reads.annotation import Transcript
from .loci import TranscriptIndex, introns_of, same_strand, shared, span
from .paf import Interval, covered

ORDER = "=ckmnjeosxiypu"

RUN_ON = 2000  # nt; a model this close after a gene may be its transcript read on, as in gffcompare

# nt; gffcompare's tolerances: for the ends of exons, and for an overlap that counts
_END_SLACK, _MIN_OVERLAP = 8, 10

_SAME_EXON = 0.8  # share of the longer of two single exons that they must share to be the same


@dataclass(frozen=True)
class Comparison:
    """Code, the annotated transcript that it refers to (None for ``u``), and the shared exonic bases."""

    code: str
    transcript: Transcript | None
    n_shared: int


def compare(model: Transcript, index: TranscriptIndex) -> Comparison:
    """Compare a model with the annotated transcripts around it, and return what describes it best.

    That is a transcript with all of its splicing (``=``, ``c``), else the one on its strand with which it shares most
    exonic bases, else the first code in gffcompare's order. gffcompare always takes the first code: there a long model
    with a small gene in one of its exons belongs to the small one (``k``).

    Parameters
    ----------
    model
        Strand "." if it is unknown; then it is compared as if it were on the strand of each annotated transcript.
    index
        The annotation.
    """
    start, end = span(model)
    found = [
        Comparison(code, near, shared(model.exons, near.exons))
        for near in index.overlapping(model.chrom, max(0, start - RUN_ON), end + RUN_ON)
        if (code := class_code(model, near)) != "u"
    ]
    return min(found, key=_rank, default=Comparison("u", None, 0))


def class_code(model: Transcript, reference: Transcript) -> str:
    """Return the code of one model against one annotated transcript on the same sequence."""
    (start, end), (first, last) = span(model), span(reference)
    along = same_strand(model, reference)
    if start >= last or end <= first:
        gap = max(start - last, first - end)
        return "p" if along and gap <= RUN_ON else "u"
    if along:
        code = _multi_exon(model, reference) if len(model.exons) > 1 else _single_exon(model, reference)
        return code or _without_overlap(model, reference)
    if set(introns_of(model)) & set(introns_of(reference)):
        return "s"
    if shared(model.exons, reference.exons):
        return "x"
    return _without_overlap(model, reference)


def _single_exon(model: Transcript, reference: Transcript) -> str:
    start, end = span(model)
    if len(reference.exons) == 1:
        first, last = span(reference)
        overlap = min(end, last) - max(start, first)
        if overlap >= _SAME_EXON * max(end - start, last - first):
            return "="
        if end - start <= overlap + _MIN_OVERLAP:
            return "c"
        return "k" if last - first <= overlap + _MIN_OVERLAP else "o"
    if start < reference.exons[0][1] and end > reference.exons[-1][0]:
        return "m"  # all introns retained
    if any(start > a - _END_SLACK and end < b + _END_SLACK for a, b in reference.exons):
        return "c"
    in_introns = shared([(start, end)], introns_of(reference))
    in_exons = shared([(start, end)], reference.exons)
    if in_introns >= _MIN_OVERLAP and in_exons >= _MIN_OVERLAP:
        return "n" if _retained([(start, end)], introns_of(reference)) else "e"
    return "o" if in_exons >= _MIN_OVERLAP else ""


def _multi_exon(model: Transcript, reference: Transcript) -> str:
    own, known = introns_of(model), introns_of(reference)
    overlap = shared(model.exons, reference.exons)
    if not known:
        contained = overlap >= covered(reference.exons) - _MIN_OVERLAP
        return ("k" if contained else "o") if overlap >= _MIN_OVERLAP else ""
    if own == known:
        return "="
    if _is_part(own, known) and _fits(model, reference, own):
        return "c"
    if _is_part(known, own) and _fits(reference, model, known):
        return "k"
    common = set(own) & set(known)
    if retained := _retained(model.exons, known):
        only_retains = set(own) <= set(known)
        if only_retains:
            return "m" if len(common) + len(retained) == len(known) else "n"
    if common:
        return "j"
    if retained:
        return "n"
    return "o" if overlap >= _MIN_OVERLAP else ""


def _without_overlap(model: Transcript, reference: Transcript) -> str:
    """Code of a model that shares no exon with a transcript in the same place."""
    (start, end), (first, last) = span(model), span(reference)
    if any(start > a - _MIN_OVERLAP and end < b + _MIN_OVERLAP for a, b in introns_of(reference)):
        return "i"
    if any(first > a - _MIN_OVERLAP and last < b + _MIN_OVERLAP for a, b in introns_of(model)):
        return "y"
    return "i" if start >= first and end <= last else "o" if shared(model.exons, reference.exons) else "u"


def _is_part(part: Sequence[Interval], whole: Sequence[Interval]) -> bool:
    """Whether introns are consecutive introns of a longer chain."""
    n = len(part)
    return 0 < n < len(whole) and any(list(whole[i : i + n]) == list(part) for i in range(len(whole) - n + 1))


def _fits(part: Transcript, whole: Transcript, chain: Sequence[Interval]) -> bool:
    """Whether the outer exons of `part` stay within exons of `whole`: they do not reach into its introns."""
    outer = [(span(part)[0], chain[0][0]), (chain[-1][1], span(part)[1])]
    return shared(outer, introns_of(whole)) < _MIN_OVERLAP


def _retained(exons: Sequence[Interval], known: Sequence[Interval]) -> list[Interval]:
    """Introns that lie wholly within an exon."""
    return [(a, b) for a, b in known if any(start < a and b < end for start, end in exons)]


def _rank(found: Comparison) -> tuple[int, int, int, str]:
    assert found.transcript is not None
    group = next(i for i, codes in enumerate(("=", "c", "kmnjeo", "s", "x", "i", "y", "p")) if found.code in codes)
    return group, -found.n_shared, ORDER.index(found.code), found.transcript.id
