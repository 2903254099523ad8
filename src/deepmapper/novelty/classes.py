"""Novelty class of a contig relative to the reference, with the reason in words and numbers.

Standard library and Biopython.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from ..errors import InputError
from ..reads import sequences
from .loci import Relation, TranscriptIndex, relate
from .paf import Hit, Match, best_locus, best_target, covered, split_by_place
from .ribosomal import Ribosomal

KEPT = ("unmapped", "partial", "genomic", "intergenic", "intronic", "antisense", "novel_isoform", "chimeric")

DROPPED = (
    "reference_copy",
    "contained",
    "duplicate",
    "hairpin",
    "low_complexity",
    "contaminant",
    "too_short",
    "low_support",
    "organelle",
    "ribosomal",
    "read_through",
    "extension",
    "unspliced",
    "misaligned",
    "combination",
)

_CONTAMINATED = 0.5  # share of a contig that must match a contaminant, chosen by hand

_LONGEST_GAP = 20  # bases; contigs that differ by a longer gap are isoforms, not copies (band width of cd-hit-est)

_FOLDED = 0.8  # share of a hairpin that pairs with itself; assemblers may join a transcript to its other strand

_MIN_SPLICING_IDENTITY = 0.97  # to the genome; with more divergence the splice sites are uncertain


@dataclass(frozen=True)
class NoveltyOptions:
    """How contigs are screened.

    Attributes
    ----------
    min_length
        Shorter contigs are dropped; bases.
    transcript_identity, transcript_coverage
        A contig is a copy of a reference transcript if this share of it matches the transcript at this identity.
    genome_identity, genome_coverage
        A contig is from a place in the genome if this share of it matches there at this identity.
    part_share
        Minimum share of a contig to count as a part of it, in chimeras and in contigs that the reference explains only
        in part.
    redundant_identity, redundant_coverage
        A contig is contained in a longer one that is kept if this share of it matches at this identity, with no gap of
        more than 20 bases.
    low_complexity
        Contigs with at least this share of low-complexity sequence are flagged.
    drop_low_complexity, drop_contaminants
        Whether flagged contigs are dropped.
    drop
        Other classes to drop, for example "chimeric".
    min_fragments, min_samples
        Minimum number of read fragments, and of samples with any, that must support a kept contig.
    max_intron
        Longest intron in bases.
    organelles
        Sequences of the genome where no models are kept; "auto" stands for mitochondria and plastids by their usual
        names.
    keep_combinations
        Whether models are kept that only combine splice junctions of other transcripts, see `combined_only`.
    min_isoform_samples
        Samples whose own models must have each intron and exon of a model that is a new isoform, not necessarily all
        in the same ones; at most all of the study.
    """

    min_length: int = 200
    transcript_identity: float = 0.9
    transcript_coverage: float = 0.8
    genome_identity: float = 0.9
    genome_coverage: float = 0.8
    part_share: float = 0.2
    redundant_identity: float = 0.95
    redundant_coverage: float = 0.95
    low_complexity: float = 0.5
    drop_low_complexity: bool = True
    drop_contaminants: bool = True
    drop: tuple[str, ...] = ()
    min_fragments: int = 0
    min_samples: int = 0
    max_intron: int = 200_000
    organelles: tuple[str, ...] = ("auto",)
    keep_combinations: bool = False
    min_isoform_samples: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "drop", tuple(self.drop))
        organelles = (self.organelles,) if isinstance(self.organelles, str) else tuple(self.organelles)
        object.__setattr__(self, "organelles", organelles)
        for setting in fields(self):
            value = getattr(self, setting.name)
            if setting.type == "float" and not 0 < value <= 1:
                raise InputError(f"novelty: {setting.name} is {value}, expected a share above 0 and at most 1.")
            if setting.type == "int" and value < 0:
                raise InputError(f"novelty: {setting.name} is {value}, expected 0 or more.")
        if unknown := sorted(set(self.drop) - set(KEPT)):
            raise InputError(f"novelty: drop names {', '.join(unknown)}, expected some of {', '.join(KEPT)}.")


@dataclass(frozen=True)
class Contig:
    """A contig and what is known about it.

    Attributes
    ----------
    given, sequence
        Name and bases as in the input.
    name
        Made from the sequence, the same for both strands.
    kind, reason
        Its class ("" while undecided) and why.
    simple
        Share of low-complexity sequence.
    orf
        Longest open reading frame.
    contaminant
        Name of the contaminant that it matches, or "".
    ribosomal
        Ribosomal RNA in it; None if there is none, or none was searched for.
    transcript, locus
        Best matches among the reference transcripts and in the genome.
    genes
        Genes that it overlaps or is like.
    support
        Read fragments by sample.
    source
        "unaligned" (assembled from reads that do not align), "aligned" (a model of reads that do) or "given".
    code
        Class code of its place relative to the annotation, see `class_codes`; "" without place or annotation.
    """

    given: str
    sequence: str
    name: str
    kind: str = ""
    reason: str = ""
    simple: float = 0.0
    orf: sequences.Orf = sequences.Orf(0, "", False)
    contaminant: str = ""
    ribosomal: Ribosomal | None = None
    transcript: Match | None = None
    locus: Match | None = None
    genes: tuple[str, ...] = ()
    support: Mapping[str, int] = field(default_factory=dict)
    source: str = "unaligned"
    code: str = ""

    @property
    def length(self) -> int:
        """Length in bases."""
        return len(self.sequence)


@dataclass(frozen=True)
class Alignments:
    """Hits of one contig, and the ribosomal RNA in it."""

    transcripts: Sequence[Hit]
    genome: Sequence[Hit]
    contaminants: Sequence[Hit]
    ribosomal: Ribosomal | None = None


def classify(
    contig: Contig, hits: Alignments, index: TranscriptIndex | None, options: NoveltyOptions, *, stranded: bool
) -> Contig:
    """Classify one contig by its alignments."""
    sense = [hit for hit in hits.transcripts if hit.strand == "+" or not stranded]
    transcript, locus = best_target(sense), best_locus(hits.genome, options.max_intron)
    gene = index.gene if index else str
    contig = replace(contig, transcript=transcript, locus=locus)
    if found := contaminated(contig, hits, options):
        if found.kind:
            return found
        contig = found

    in_genome = locus if locus and _reaches(locus, options.genome_identity, options.genome_coverage) else None
    relation = None
    if in_genome and index:
        relation = relate(
            in_genome, index, stranded=stranded, min_copy=options.transcript_coverage, min_join=options.part_share
        )
    # a splicing of its own is asked for before likeness: most isoforms are like a sibling for most of their length
    if not (relation and _is_isoform(relation, in_genome)) and (copy := copied(contig, sense, options, gene)):
        return copy
    if in_genome and relation:
        reason = f"{_explains(in_genome, locus_name(in_genome))}; {relation.reason}"
        return replace(contig, kind=relation.kind, genes=relation.genes, reason=reason)

    other = best_target(hit for hit in hits.transcripts if hit.strand == "-") if stranded else None
    if other and _reaches(other, options.transcript_identity, options.transcript_coverage):
        reason = f"other strand: {_explains(other, other.target)}"
        return replace(contig, kind="antisense", genes=(gene(other.target),), reason=reason)
    return _by_parts(contig, sense, hits.genome, in_genome, gene, options)


def _by_parts(
    contig: Contig,
    on_transcripts: Sequence[Hit],
    on_genome: Sequence[Hit],
    in_genome: Match | None,
    gene: Callable[[str], str],
    options: NoveltyOptions,
) -> Contig:
    """Classify a contig that no single transcript or annotated locus explains."""
    on_transcripts = [hit for hit in on_transcripts if hit.identity >= options.transcript_identity]
    on_genome = [hit for hit in on_genome if hit.identity >= options.genome_identity]
    gene_parts = split_by_place(on_transcripts, min_share=options.part_share, place=lambda hit: gene(hit.target))
    locus_parts = split_by_place(
        on_genome, min_share=options.part_share, place=lambda hit: (hit.target, hit.strand), reach=options.max_intron
    )
    genes = tuple(dict.fromkeys(gene(part.target) for part in gene_parts))
    splits = [(gene_parts, options.transcript_coverage, lambda part: part.target)]
    if not in_genome:
        splits.insert(0, (locus_parts, options.genome_coverage, locus_name))
    for parts, min_coverage, name in splits:
        if len(parts) > 1 and sum(part.coverage for part in parts) >= min_coverage:
            reason = "joins " + " and ".join(f"{part.coverage:.2f} in {name(part)}" for part in parts)
            return replace(contig, kind="chimeric", genes=genes, reason=reason)
    if not in_genome and gene_parts and gene_parts[0].coverage >= options.transcript_coverage:
        isoforms = dict.fromkeys(hit.target for hit in gene_parts[0].hits)
        reason = f"{gene_parts[0].coverage:.2f} of it is in parts of {', '.join(isoforms)}, none of which has it all"
        return replace(contig, kind="novel_isoform", genes=genes[:1], reason=reason)
    if in_genome:
        return replace(contig, kind="genomic", genes=genes, reason=_explains(in_genome, locus_name(in_genome)))
    explained = [(part, locus_name(part)) for part in locus_parts] + [(part, part.target) for part in gene_parts]
    if explained:
        part, place = max(explained, key=lambda pair: pair[0].coverage)
        reason = f"{_explains(part, place)}; the rest is nowhere in the reference"
        return replace(contig, kind="partial", genes=genes, reason=reason)
    transcript, locus = contig.transcript, contig.locus
    near = [(transcript, transcript.target)] if transcript else []
    near += [(locus, locus_name(locus))] if locus else []
    if not near:
        return replace(contig, kind="unmapped", reason="nothing like it in the reference")
    reason = f"nothing near enough in the reference; nearest, {_explains(*min(near, key=lambda pair: pair[0].order))}"
    return replace(contig, kind="unmapped", reason=reason)


def contaminated(contig: Contig, hits: Alignments, options: NoveltyOptions) -> Contig | None:
    """Return a contig with the contaminants in it, classified if such are dropped; None if there are none."""
    found, rrna = best_target(hits.contaminants), hits.ribosomal
    matched = found is not None and _reaches(found, options.transcript_identity, _CONTAMINATED)
    if not matched and rrna is None:
        return None
    contig = replace(contig, contaminant=found.target if found and matched else "", ribosomal=rrna)
    if not options.drop_contaminants:
        return contig
    if found and matched:
        return replace(contig, kind="contaminant", reason=_explains(found, found.target))
    if rrna and rrna.coverage >= _CONTAMINATED:
        return replace(contig, kind="ribosomal", reason=f"{rrna.coverage:.2f} of it is ribosomal RNA, {rrna.profile}")
    if rrna and rrna.profile_share >= _CONTAMINATED:
        reason = f"holds {rrna.profile_share:.2f} of a subunit of ribosomal RNA, {rrna.profile}"
        return replace(contig, kind="ribosomal", reason=reason)
    return contig


def copied(contig: Contig, hits: Sequence[Hit], options: NoveltyOptions, gene: Callable[[str], str]) -> Contig | None:
    """Return a contig classified as a copy of the reference transcript that it is like; None if it is like none."""
    found = best_target(hits)
    if found is None or not _reaches(found, options.transcript_identity, options.transcript_coverage):
        return None
    reason = _explains(found, found.target)
    return replace(contig, kind="reference_copy", transcript=found, genes=(gene(found.target),), reason=reason)


def _is_isoform(relation: Relation, locus: Match | None) -> bool:
    """Whether a contig is spliced like no annotated transcript, at a place that is certain."""
    certain = locus is not None and locus.identity >= _MIN_SPLICING_IDENTITY
    return certain and relation.kind == "novel_isoform" and relation.new_splicing


def _reaches(match: Match, identity: float, coverage: float) -> bool:
    return match.identity >= identity and match.coverage >= coverage


def _explains(match: Match, name: str) -> str:
    return f"{name} covers {match.coverage:.2f} of it at identity {match.identity:.3f}"


def locus_name(match: Match) -> str:
    """Place in a genome in the usual notation, ``chr1:101-200``: sequence, first and last base counted from 1."""
    start, end = min(hit.start for hit in match.hits), max(hit.end for hit in match.hits)
    return f"{match.target}:{start + 1}-{end}"


def is_kept(contig: Contig, options: NoveltyOptions) -> bool:
    """Whether a contig counts as a novel transcript, judging by its class."""
    return contig.kind in KEPT and contig.kind not in options.drop


def longest_first(contig: Contig) -> tuple[int, str]:
    """Sort key: by length, then by name."""
    return -contig.length, contig.name


def find_redundant(
    contigs: Sequence[Contig], hits: Mapping[str, Sequence[Hit]], options: NoveltyOptions
) -> list[Contig]:
    """Return the redundant contigs, classified by the hits of the contigs on each other.

    A hairpin is its own reverse complement; a contained contig lies within a longer one that is kept. A chimera can
    contain only chimeras, since it may be an error of the assembly.
    """
    longer: dict[str, Contig] = {}
    redundant = []
    for contig in sorted(contigs, key=longest_first):
        paired = covered(
            hit.query_interval
            for hit in hits.get(contig.name, ())
            if hit.target == contig.name and hit.strand == "-" and hit.identity >= options.redundant_identity
        )
        if paired >= _FOLDED * contig.length:
            reason = f"{paired / contig.length:.2f} of it is the reverse complement of itself; it was {contig.kind}"
            redundant.append(replace(contig, kind="hairpin", reason=reason))
            continue
        for hit in hits.get(contig.name, ()):
            container = longer.get(hit.target)
            if container is None or (container.kind == "chimeric" and contig.kind != "chimeric"):
                continue
            coverage = (hit.query_end - hit.query_start) / contig.length
            similar = hit.identity >= options.redundant_identity and hit.longest_gap <= _LONGEST_GAP
            if similar and coverage >= options.redundant_coverage:
                reason = f"{container.given} covers {coverage:.2f} of it at identity {hit.identity:.3f}"
                redundant.append(replace(contig, kind="contained", reason=f"{reason}; it was {contig.kind}"))
                break
        else:
            longer[contig.name] = contig
    return redundant


def check_support(contig: Contig, options: NoveltyOptions) -> Contig:
    """Classify a kept contig as ``low_support`` if too few fragments or samples support it."""
    fragments, samples = total_support(contig)
    if not is_kept(contig, options) or (fragments >= options.min_fragments and samples >= options.min_samples):
        return contig
    limits = f"limits {options.min_fragments} and {options.min_samples}"
    reason = f"{fragments} fragments in {samples} samples, {limits}; it was {contig.kind}"
    return replace(contig, kind="low_support", reason=reason)


def total_support(contig: Contig) -> tuple[int, int]:
    """Number of fragments that support a contig, and of samples that have any."""
    return sum(contig.support.values()), sum(n > 0 for n in contig.support.values())
