"""Positive controls of novelty: known transcripts that are hidden from the second door, to see what comes back.

A quarter of the annotated genes is hidden whole, and of the others with several transcripts one of these. The same
reads are assembled with what is left of the annotation, and the models that the screen would keep at these places are
compared with what was hidden: some are it, others are not. That gives a share of false models by their support, and the
share of expressed transcripts that come back. Standard library and scikit-learn (on use).
"""

from __future__ import annotations

import csv
import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.files import atomic_write
from ..reads.annotation import Transcript, read_gtf, write_gtf
from .class_codes import class_code
from .classes import Contig, total_support
from .loci import TranscriptIndex, introns_of, same_strand, shared, span
from .models import Model
from .paf import covered

_SHARE = 4  # of the genes one in so many is hidden

_MIN_LENGTH = 200  # nt; shorter transcripts are not assembled

MIN_FRAGMENTS = 20  # fragments of a hidden transcript from which on it should come back; chosen by hand

_MIN_EXONIC = 0.8  # share of a model that exons of the hidden gene must hold; the rest may be the ends; chosen by hand

# Models are judged in groups of similar support of at least this size, so that a share can be told; chosen by hand.
_MIN_GROUP = 8


@dataclass(frozen=True)
class Hidden:
    """What is hidden: all transcripts of some genes, and single transcripts of others, by id."""

    genes: dict[str, str]  # transcript -> gene
    isoforms: dict[str, str]


@dataclass(frozen=True)
class Judged:
    """A control model: its support, whether it is a hidden transcript, and whether a gene or an isoform was hidden."""

    name: str
    support: int
    is_true: bool
    what: str
    found: str  # the hidden transcript


def choose_hidden(transcripts: Sequence[Transcript]) -> Hidden:
    """Choose what to hide, by the names of the genes, so that the choice does not depend on other genes.

    Genes whose exons overlap another gene's on the same strand are left, since a model there belongs to either.
    """
    of_gene: dict[str, list[Transcript]] = defaultdict(list)
    for transcript in transcripts:
        of_gene[transcript.gene_id or transcript.id].append(transcript)
    index = TranscriptIndex(transcripts)
    genes: dict[str, str] = {}
    isoforms: dict[str, str] = {}
    for gene, own in of_gene.items():
        if not _is_alone(own, index):
            continue
        if _is_drawn(gene) and any(covered(t.exons) >= _MIN_LENGTH for t in own):
            genes |= {t.id: gene for t in own}
        elif one := _distinct(own):
            isoforms[one.id] = gene
    return Hidden(genes, isoforms)


def write_hidden(annotation: Path, out: Path, table: Path) -> Hidden:
    """Write a GTF without what is hidden, and a table of it: transcript, gene, what ("gene" or "isoform").

    Parameters
    ----------
    annotation
        GTF, possibly empty.
    """
    transcripts = read_gtf(annotation)
    hidden = choose_hidden(transcripts)
    write_gtf(out, (t for t in transcripts if t.id not in hidden.genes and t.id not in hidden.isoforms))
    with atomic_write(table) as tmp, tmp.open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["transcript", "gene", "what"])
        for what, chosen in (("gene", hidden.genes), ("isoform", hidden.isoforms)):
            writer.writerows([name, gene, what] for name, gene in sorted(chosen.items()))
    return hidden


def read_hidden(table: Path) -> Hidden:
    """Read the table of `write_hidden`."""
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    parts = ({row["transcript"]: row["gene"] for row in rows if row["what"] == what} for what in ("gene", "isoform"))
    return Hidden(*parts)


def judge(
    kept: Iterable[Contig], models: Mapping[str, Model], annotation: Sequence[Transcript], hidden: Hidden
) -> list[Judged]:
    """Compare the control models that the screen keeps with what was hidden there.

    A model is true if it is a transcript of the hidden gene, that is, if at least 80 % of it lie in its exons; of an
    isoform, if it has its introns or lies within it.

    Parameters
    ----------
    kept
        Kept contigs of the control models.
    models
        Control models by the names they were given.
    annotation
        All of it.
    hidden
        What was hidden from the control models.
    """
    concerned = {*hidden.genes.values(), *hidden.isoforms.values()}
    index = TranscriptIndex(t for t in annotation if (t.gene_id or t.id) in concerned)
    judged = []
    for contig in kept:
        place = models[contig.given].transcript
        near = [t for t in index.overlapping(place.chrom, *span(place)) if same_strand(place, t)]
        near = [t for t in near if shared(place.exons, t.exons)]
        if not near:
            continue  # not at a place of the controls: it is one of the models proper
        what = "gene" if any(t.id in hidden.genes for t in near) else "isoform"
        if what == "isoform" and contig.kind != "novel_isoform":
            continue
        if what == "gene":
            exonic = shared(place.exons, [exon for t in near for exon in t.exons])
            found = near if exonic >= _MIN_EXONIC * covered(place.exons) else []
        else:
            found = [t for t in near if t.id in hidden.isoforms and class_code(place, t) in ("=", "c")]
        name = max(found, key=lambda t: (shared(place.exons, t.exons), t.id)).id if found else ""
        judged.append(Judged(contig.name, total_support(contig)[0], bool(found), what, name))
    return judged


def sensitivity(judged: Iterable[Judged], expressed: Mapping[str, int], hidden: Hidden) -> tuple[int, int]:
    """Return how many of the hidden genes and single transcripts with enough reads came back, and how many there are.

    Parameters
    ----------
    expressed
        Fragments of each annotated transcript, without those where no models are kept.
    """
    unit = {**hidden.genes, **{name: name for name in hidden.isoforms}}
    should = {unit[name] for name, n in expressed.items() if name in unit and n >= MIN_FRAGMENTS}
    return len(should & {unit[one.found] for one in judged if one.is_true}), len(should)


def false_rates(judged: Sequence[Judged], support: Mapping[str, int]) -> dict[str, float]:
    """Estimate for every model how probably it is false, from the controls with similar support.

    The share falls with the support (isotonic regression on its logarithm). One false model more than there is counts,
    divided among the groups, so that few controls do not promise much.

    Parameters
    ----------
    judged
        The controls of this kind; may be empty.
    support
        Fragments of each model.

    Returns
    -------
    dict
        By name, above 0 and at most 1; empty without controls, since nothing can be said then.
    """
    if not judged:
        return {}
    ordered = sorted(judged, key=lambda one: (one.support, one.name))
    n_groups = max(1, len(ordered) // _MIN_GROUP)
    groups = [ordered[i * len(ordered) // n_groups : (i + 1) * len(ordered) // n_groups] for i in range(n_groups)]
    extra = 1 / n_groups
    shares = [(sum(not one.is_true for one in group) + extra) / (len(group) + extra) for group in groups]
    if len(groups) == 1:
        return dict.fromkeys(support, shares[0])
    from sklearn.isotonic import IsotonicRegression

    at = [sum(math.log1p(one.support) for one in group) / len(group) for group in groups]
    fit = IsotonicRegression(increasing=False, out_of_bounds="clip").fit(at, shares, [len(group) for group in groups])
    names = list(support)
    return dict(zip(names, fit.predict([math.log1p(support[name]) for name in names]).tolist(), strict=True))


def q_values(rates: Mapping[str, float]) -> dict[str, float]:
    """Expected share of false ones among those with the same or a smaller rate."""
    found: dict[str, float] = {}
    total = 0.0
    by_rate: dict[float, list[str]] = defaultdict(list)
    for name, rate in rates.items():
        by_rate[rate].append(name)
    n = 0
    for rate in sorted(by_rate):
        n += len(by_rate[rate])
        total += rate * len(by_rate[rate])
        found |= dict.fromkeys(by_rate[rate], total / n)
    return found


def _is_drawn(gene: str) -> bool:
    return hashlib.sha256(gene.encode()).digest()[0] % _SHARE == 0


def _is_alone(own: Sequence[Transcript], index: TranscriptIndex) -> bool:
    names = {t.id for t in own}
    return not any(
        near.id not in names and same_strand(one, near) and shared(one.exons, near.exons)
        for one in own
        for near in index.overlapping(one.chrom, *span(one))
    )


def _distinct(own: Sequence[Transcript]) -> Transcript | None:
    """A transcript with an intron that no other of its gene has; the last such one."""
    uses = Counter(intron for t in own for intron in set(introns_of(t)))
    able = [t for t in own if covered(t.exons) >= _MIN_LENGTH and any(uses[intron] == 1 for intron in introns_of(t))]
    return able[-1] if len(own) > 1 and able else None
