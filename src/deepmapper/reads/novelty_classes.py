"""Novelty class of a contig beside the reference, with the reason in words and figures.

Standard library and Biopython.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from ..errors import InputError
from . import sequences
from .loci import SHORTEST_INTRON, Relation, TranscriptIndex, relate
from .paf import Hit, Match, best_locus, best_target, covered, parts

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
)

_CONTAMINATED = 0.5  # share of a contig that is a contaminant's

_LONGEST_GAP = 20  # bases; contigs that differ by a longer gap are isoforms, not copies (the band of cd-hit-est)

_FOLDED = 0.8  # share of a contig that pairs with itself, as assemblers join a transcript to its other strand

_SPLICING_TOLD = 0.97  # identity to the genome below which divergence blurs the splice sites


@dataclass(frozen=True)
class NoveltyOptions:
    """How contigs are screened.

    Attributes
    ----------
    min_length
        Bases; shorter contigs are dropped.
    transcript_identity, transcript_coverage
        A contig of which this share matches one reference transcript at this identity is a copy of it.
    genome_identity, genome_coverage
        A contig of which this share matches one place of the genome at this identity is from there.
    part_share
        Least share of a contig that a part must have to be called one, in chimeras and in contigs of which the
        reference explains a part alone.
    redundant_identity, redundant_coverage
        A contig of which this share matches a longer kept one at this identity, without a gap of more than 20 bases, is
        contained in it.
    low_complexity
        Share of a contig that is of low complexity from which on it is flagged.
    drop_low_complexity, drop_contaminants
        Whether those flagged are dropped.
    drop
        Further classes to drop, for example "chimeric".
    min_fragments, min_samples
        Least number of read fragments, and of samples that have any, that support a kept contig.
    max_intron
        Longest intron, bases.
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

    def __post_init__(self) -> None:
        object.__setattr__(self, "drop", tuple(self.drop))
        for setting in fields(self):
            value = getattr(self, setting.name)
            if setting.type == "float" and not 0 < value <= 1:
                raise InputError(f"novelty: {setting.name} is {value}, expected a share above 0 and up to 1.")
            if setting.type == "int" and value < 0:
                raise InputError(f"novelty: {setting.name} is {value}, expected 0 or more.")
        if unknown := sorted(set(self.drop) - set(KEPT)):
            raise InputError(f"novelty: drop names {', '.join(unknown)}, expected some of {', '.join(KEPT)}.")


@dataclass(frozen=True)
class Contig:
    """A contig and what was found about it. `sequence` is as given, `name` the same for both its strands."""

    given: str
    sequence: str
    name: str
    kind: str = ""
    reason: str = ""
    simple: float = 0.0
    orf: sequences.Orf = sequences.Orf(0, "", False)
    contaminant: str = ""
    transcript: Match | None = None
    locus: Match | None = None
    genes: tuple[str, ...] = ()
    support: Mapping[str, int] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Bases."""
        return len(self.sequence)


@dataclass(frozen=True)
class Evidence:
    """What the aligner found about one contig."""

    transcripts: Sequence[Hit]
    genome: Sequence[Hit]
    contaminants: Sequence[Hit]


def decide(
    contig: Contig, evidence: Evidence, index: TranscriptIndex | None, options: NoveltyOptions, *, stranded: bool
) -> Contig:
    """Class one contig by its alignments."""
    sense = [hit for hit in evidence.transcripts if hit.strand == "+" or not stranded]
    transcript, locus = best_target(sense), best_locus(evidence.genome, options.max_intron)
    contaminant = best_target(evidence.contaminants)
    gene = index.gene if index else str
    contig = replace(contig, transcript=transcript, locus=locus)
    if contaminant and _reaches(contaminant, options.transcript_identity, _CONTAMINATED):
        contig = replace(contig, contaminant=contaminant.target)
        if options.drop_contaminants:
            return replace(contig, kind="contaminant", reason=_explains(contaminant, contaminant.target))

    in_genome = locus if locus and _reaches(locus, options.genome_identity, options.genome_coverage) else None
    relation = None
    if in_genome and index:
        relation = relate(
            in_genome, index, stranded=stranded, copy=options.transcript_coverage, join=options.part_share
        )
    is_copy = transcript and _reaches(transcript, options.transcript_identity, options.transcript_coverage)
    if transcript and is_copy and not (relation and _is_isoform(transcript, relation, in_genome)):
        reason = _explains(transcript, transcript.target)
        return replace(contig, kind="reference_copy", genes=(gene(transcript.target),), reason=reason)
    if in_genome and relation:
        reason = f"{_explains(in_genome, where(in_genome))}; {relation.reason}"
        return replace(contig, kind=relation.kind, genes=relation.genes, reason=reason)

    other = best_target(hit for hit in evidence.transcripts if hit.strand == "-") if stranded else None
    if other and _reaches(other, options.transcript_identity, options.transcript_coverage):
        reason = f"other strand: {_explains(other, other.target)}"
        return replace(contig, kind="antisense", genes=(gene(other.target),), reason=reason)
    return _by_parts(contig, sense, evidence.genome, in_genome, gene, options)


def _by_parts(
    contig: Contig,
    on_transcripts: Sequence[Hit],
    on_genome: Sequence[Hit],
    in_genome: Match | None,
    gene: Callable[[str], str],
    options: NoveltyOptions,
) -> Contig:
    """Class a contig that no transcript and no annotated place explains by itself."""
    on_transcripts = [hit for hit in on_transcripts if hit.identity >= options.transcript_identity]
    on_genome = [hit for hit in on_genome if hit.identity >= options.genome_identity]
    of_genes = parts(on_transcripts, least=options.part_share, place=lambda hit: gene(hit.target))
    of_loci = parts(
        on_genome, least=options.part_share, place=lambda hit: (hit.target, hit.strand), reach=options.max_intron
    )
    genes = tuple(dict.fromkeys(gene(part.target) for part in of_genes))
    looked = [(of_genes, options.transcript_coverage, lambda part: part.target)]
    if not in_genome:
        looked.insert(0, (of_loci, options.genome_coverage, where))
    for found, least, name in looked:
        if len(found) > 1 and sum(part.coverage for part in found) >= least:
            reason = "joins " + " and ".join(f"{part.coverage:.2f} in {name(part)}" for part in found)
            return replace(contig, kind="chimeric", genes=genes, reason=reason)
    if not in_genome and of_genes and of_genes[0].coverage >= options.transcript_coverage:
        mosaic = dict.fromkeys(hit.target for hit in of_genes[0].hits)
        reason = f"{of_genes[0].coverage:.2f} of it is in parts of {', '.join(mosaic)}, none of which has it all"
        return replace(contig, kind="novel_isoform", genes=genes[:1], reason=reason)
    if in_genome:
        return replace(contig, kind="genomic", genes=genes, reason=_explains(in_genome, where(in_genome)))
    explained = [(part, where(part)) for part in of_loci] + [(part, part.target) for part in of_genes]
    if explained:
        part, place = max(explained, key=lambda found: found[0].coverage)
        reason = f"{_explains(part, place)}; the rest is nowhere in the reference"
        return replace(contig, kind="partial", genes=genes, reason=reason)
    transcript, locus = contig.transcript, contig.locus
    near = [(transcript, transcript.target)] if transcript else []
    near += [(locus, where(locus))] if locus else []
    if not near:
        return replace(contig, kind="unmapped", reason="nothing like it in the reference")
    reason = f"nothing near enough in the reference; nearest, {_explains(*min(near, key=lambda found: found[0].order))}"
    return replace(contig, kind="unmapped", reason=reason)


def _is_isoform(transcript: Match, relation: Relation, locus: Match | None) -> bool:
    """Whether a contig much like a transcript is yet spliced otherwise: a gap on it, and the genome says why."""
    gap = len(transcript.hits) > 1 or transcript.hits[0].longest_gap >= SHORTEST_INTRON
    told = locus is not None and locus.identity >= _SPLICING_TOLD
    return gap and told and relation.kind == "novel_isoform" and relation.spliced_anew


def _reaches(match: Match, identity: float, coverage: float) -> bool:
    return match.identity >= identity and match.coverage >= coverage


def _explains(match: Match, name: str) -> str:
    return f"{name} covers {match.coverage:.2f} of it at identity {match.identity:.3f}"


def where(match: Match) -> str:
    """Place on a genome as people write it: sequence, first and last base counted from 1."""
    start, end = min(hit.start for hit in match.hits), max(hit.end for hit in match.hits)
    return f"{match.target}:{start + 1}-{end}"


def is_kept(contig: Contig, options: NoveltyOptions) -> bool:
    """Whether a contig is a novel transcript by its class."""
    return contig.kind in KEPT and contig.kind not in options.drop


def longest_first(contig: Contig) -> tuple[int, str]:
    """Order by length, then by name."""
    return -contig.length, contig.name


def without_redundant(
    contigs: Sequence[Contig], hits: Mapping[str, Sequence[Hit]], options: NoveltyOptions
) -> list[Contig]:
    """Class those contigs that say nothing new by their hits among themselves.

    They are folded (one half is the other's reverse complement), or a longer one, itself kept, contains them. A
    chimera, perhaps false, is said to contain chimeras alone.
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
            covers = (hit.query_end - hit.query_start) / contig.length
            alike = hit.identity >= options.redundant_identity and hit.longest_gap <= _LONGEST_GAP
            other = longer.get(hit.target)
            whole = other is not None and (other.kind != "chimeric" or contig.kind == "chimeric")
            if other and whole and alike and covers >= options.redundant_coverage:
                reason = f"{other.given} covers {covers:.2f} of it at identity {hit.identity:.3f}"
                redundant.append(replace(contig, kind="contained", reason=f"{reason}; it was {contig.kind}"))
                break
        else:
            longer[contig.name] = contig
    return redundant


def supported(contig: Contig, options: NoveltyOptions) -> Contig:
    """Class a kept contig as of low support if it has less than asked."""
    fragments, samples = support_of(contig)
    if not is_kept(contig, options) or (fragments >= options.min_fragments and samples >= options.min_samples):
        return contig
    limits = f"limits {options.min_fragments} and {options.min_samples}"
    reason = f"{fragments} fragments in {samples} samples, {limits}; it was {contig.kind}"
    return replace(contig, kind="low_support", reason=reason)


def support_of(contig: Contig) -> tuple[int, int]:
    """Fragments, and samples that have any."""
    return sum(contig.support.values()), sum(n > 0 for n in contig.support.values())
