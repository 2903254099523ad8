"""Novelty class of a transcript model, whose place in the genome is known. Standard library and Biopython.

Models stand beside the annotated genes that their reads also fit, so the screen is about what would take reads from
these: transcripts of organelles, which are cut from long precursors, models that join two genes, and pieces of
unspliced RNA are set aside. A new isoform counts if each part of its splicing was seen in more than one sample.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..reads.annotation import Transcript
from .class_codes import Comparison, compare
from .classes import Alignments, Contig, NoveltyOptions, contaminated, copied
from .loci import TranscriptIndex, shared, span
from .models import Model
from .paf import Hit, Match, covered
from .precursors import at_ribosomal

# Names of organelles in the genomes of Ensembl, UCSC, NCBI and TAIR, in lower case and without "chr".
_ORGANELLES = frozenset(
    ("m", "mt", "mito", "mtdna", "mitochondrion", "mitochondria", "mitochondrial", "c", "cp", "pt", "pltd")
    + ("plastid", "chloroplast", "apicoplast")
)

_WHOLE_GENE = 0.5  # share of another gene's transcript that a model must hold to join both genes; chosen by hand

_MIN_COPY = 0.98  # identity from which reads hardly tell a model from a known transcript elsewhere, chosen by hand

# What each code of a model that is set aside means.
_SET_ASIDE = {
    "=": ("reference_copy", "has the introns of {near}"),
    "c": ("reference_copy", "lies within {near}, spliced alike"),
    "k": ("extension", "holds all of {near} and more, so it would take its reads"),
    "e": ("unspliced", "one exon across an exon and an intron of {near}, as in RNA that is not spliced yet"),
    "s": ("misaligned", "has an intron of {near} on the other strand, as misaligned reads give"),
}

_WHERE = {
    "x": ("antisense", "on the other strand of exons of {near}"),
    "i": ("intronic", "within an intron of {near}"),
    "y": ("intergenic", "{near} lies within one of its introns"),
    "p": ("intergenic", "{gap} nt from {near} on the same strand, and may be its continuation"),
    "u": ("intergenic", "where the annotation has no transcript"),
}


def model_contig(model: Model, contig: Contig) -> Contig:
    """Add the place of a model, and its support, to what is known of its sequence."""
    transcript = model.transcript
    start, end = span(transcript)
    strand = transcript.strand if transcript.strand != "." else "+"
    hit = Hit(
        query=contig.name,
        query_length=contig.length,
        query_start=0,
        query_end=contig.length,
        strand=strand,
        target=transcript.chrom,
        target_length=0,
        start=start,
        end=end,
        matches=contig.length,
        identity=1.0,
        blocks=transcript.exons,
        longest_gap=0,
        spliced=transcript.strand if transcript.strand != "." else "",
    )
    support = {sample: n for sample, n in model.support.items() if n} or dict.fromkeys(model.samples, 0)
    return replace(contig, locus=Match((hit,), 1.0, 1.0), support=support)


def classify_model(
    contig: Contig,
    model: Model,
    hits: Alignments,
    index: TranscriptIndex,
    options: NoveltyOptions,
    *,
    n_samples: int = 1,
) -> Contig:
    """Classify a model by its place.

    Parameters
    ----------
    contig
        Its sequence and place, of `model_contig`.
    model
        The model.
    hits
        Alignments of its sequence with transcripts and contaminants, and the ribosomal RNA in it.
    index
        The annotation.
    n_samples
        Samples of the study.
    """
    transcript = model.transcript
    if found := contaminated(contig, hits, options):
        if found.kind:
            return found
        contig = found
    if is_organelle(transcript.chrom, options.organelles):
        reason = f"on {transcript.chrom}, an organelle, whose transcripts are cut from long precursors"
        return replace(contig, kind="organelle", reason=reason)
    sense = [hit for hit in hits.transcripts if hit.strand == "+" or transcript.strand == "."]
    found_at = compare(transcript, index)
    contig = replace(contig, code=found_at.code)
    near = found_at.transcript
    genes = (index.gene(near.id),) if near else ()
    if near and at_ribosomal(found_at):
        reason = f"at or beside {near.id}, ribosomal RNA, and so perhaps of its precursor"
        return replace(contig, kind="ribosomal", genes=genes, reason=reason)
    if joined := _joined_genes(transcript, index, options.part_share):
        reason = f"joins {' and '.join(joined)}, as reads that run from one gene into the next do"
        return replace(contig, kind="read_through", genes=joined, reason=reason)
    if found_at.code in _SET_ASIDE or (found_at.code == "o" and len(transcript.exons) == 1):
        kind, reason = _SET_ASIDE.get(found_at.code, ("extension", "reaches beyond exons of {near} without an intron"))
        return replace(contig, kind=kind, genes=genes, reason=_explain(reason, transcript, found_at))
    if found_at.code in _WHERE:
        # a place of its own is a gene of its own, unless reads could not tell the two apart
        near_equal = replace(options, transcript_identity=max(options.transcript_identity, _MIN_COPY))
        if copy := copied(contig, sense, near_equal, index.gene):
            return copy
        kind, reason = _WHERE[found_at.code]
        kept = genes if found_at.code != "u" else ()
        return replace(contig, kind=kind, genes=kept, reason=_explain(reason, transcript, found_at))
    what = {"j": "shares splice junctions with {near}", "o": "overlaps {near} and shares no splice junction"}
    reason = _explain(what.get(found_at.code, "retains introns of {near}"), transcript, found_at)
    needed = min(options.min_isoform_samples, n_samples)
    seen = f"{model.seen_in} of {n_samples} samples"
    if model.seen_in < needed:
        reason = f"{reason}; one of its introns or exons was seen in {seen}, limit {needed}; it was novel_isoform"
        return replace(contig, kind="low_support", genes=genes, reason=reason)
    reason = f"{reason}; each of its introns and exons was seen in at least {seen}"
    return replace(contig, kind="novel_isoform", genes=genes, reason=reason)


def is_organelle(chromosome: str, names: Iterable[str]) -> bool:
    """Whether a sequence of a genome is an organelle: named in `names`, or by its usual names if these have "auto"."""
    names = tuple(names)
    usual = chromosome.lower().removeprefix("chr").removeprefix("omosome").strip("_. ") in _ORGANELLES
    return chromosome in names or ("auto" in names and usual)


def _joined_genes(model: Transcript, index: TranscriptIndex, min_share: float) -> tuple[str, ...]:
    """Two genes without common exons that a model holds a good part of, or that make up a good part of it."""
    start, end = span(model)
    size = covered(model.exons)
    near = [t for t in index.overlapping(model.chrom, start, end) if model.strand == "." or t.strand == model.strand]
    held = {t: n for t in near if (n := shared(model.exons, t.exons))}
    ordered = sorted(held, key=lambda t: (-held[t], t.id))
    for i, first in enumerate(ordered):
        for other in ordered[i + 1 :]:
            whole = held[other] >= _WHOLE_GENE * covered(other.exons) or held[other] >= min_share * size
            if whole and index.gene(first.id) != index.gene(other.id) and not shared([span(first)], [span(other)]):
                return index.gene(first.id), index.gene(other.id)
    return ()


def _explain(reason: str, model: Transcript, found: Comparison) -> str:
    near = found.transcript
    if near is None:
        return reason
    (start, end), (first, last) = span(model), span(near)
    return reason.format(near=near.id, gap=max(start - last, first - end))
