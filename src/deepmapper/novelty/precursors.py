"""What belongs to the precursor of ribosomal RNA by its place in the genome. Standard library and Biopython.

The rRNAs of a unit (18S, 5.8S, 28S) are cut from one long transcript, of which spacers and pieces are sequenced, too.
They resemble no profile, but lie beside what does, or beside annotated rRNA.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..reads.annotation import Transcript
from .class_codes import RUN_ON, Comparison, class_code, compare
from .classes import Contig, NoveltyOptions, is_kept
from .loci import TranscriptIndex, span
from .novel_genes import placed
from .paf import covered

_OVERLAPPING = ("=", "c", "k", "m", "n", "j", "e", "o")  # class codes of exons in common on the same strand

_LONGEST_5S = 130  # nt; 5S has genes and transcripts of its own, and is the only rRNA of this length


def at_ribosomal(found: Comparison) -> bool:
    """Whether a transcript, as compared with the annotation, lies at annotated rRNA or beside a unit of it."""
    near = found.transcript
    if near is None or not near.is_rrna:
        return False
    return found.code in _OVERLAPPING or (found.code in ("p", "y") and _in_unit(near))


def of_precursors(contigs: Iterable[Contig], index: TranscriptIndex, options: NoveltyOptions) -> list[Contig]:
    """Return the kept contigs and models that their place assigns to a precursor of rRNA, classified as ``ribosomal``.

    These lie at annotated rRNA, or share no splice junction with a gene and lie within 2000 nt of rRNA on its strand,
    annotated or shown by the other contigs and models. (Annotations have small genes within 28S.)

    Parameters
    ----------
    contigs
        Classified contigs and models; a place counts if enough of the contig matches there.
    index
        The annotation.
    """
    places = [(contig, place) for contig in contigs if (place := _certain_place(contig, options))]
    shown = TranscriptIndex(replace(place, is_rrna=True) for contig, place in places if contig.kind == "ribosomal")
    found = []
    for contig, place in places:
        if not is_kept(contig, options):
            continue
        best = compare(place, index)
        near = best.transcript if at_ribosomal(best) else None
        if near is None and (contig.kind == "intergenic" or contig.code in ("k", "o")):
            near = next((t for known in (index, shown) for t in _beside(place, known)), None)
        if near:
            reason = f"at or beside {near.id}, ribosomal RNA, and so perhaps of its precursor; it was {contig.kind}"
            found.append(replace(contig, kind="ribosomal", reason=reason))
    return found


def _certain_place(contig: Contig, options: NoveltyOptions) -> Transcript | None:
    locus = contig.locus
    if locus is None or locus.identity < options.genome_identity or locus.coverage < options.genome_coverage:
        return None
    return placed(contig)


def _beside(place: Transcript, index: TranscriptIndex) -> list[Transcript]:
    """RNA of ribosomal units that a place overlaps, or that is close to it, on its strand."""
    start, end = span(place)
    near = index.overlapping(place.chrom, max(0, start - RUN_ON), end + RUN_ON)
    return [t for t in near if t.is_rrna and _in_unit(t) and class_code(place, t) in (*_OVERLAPPING, "p")]


def _in_unit(rrna: Transcript) -> bool:
    return covered(rrna.exons) > _LONGEST_5S
