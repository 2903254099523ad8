"""A small simulated RNA-seq study: genome, annotation, reads of two conditions, and the truth.

Some expressed transcripts are missing from the reference (novel), some only from its annotation (unlisted), and others
differ from a reference transcript in a few bases (near-copies), so a run from reads to findings can be compared with
the truth. Random draws come from legacy numpy streams, which numpy guarantees never to change: the same seed gives the
same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.files import atomic_folder
from ..errors import InputError
from .files import fasta, gtf, write_gzip, write_text
from .genome import (
    LETTERS,
    Gene,
    NearCopy,
    add_genes,
    gene_fold,
    make_genome,
    make_near_copies,
    make_novel_transcripts,
    splice_transcripts,
)

CONDITIONS = ("ctrl", "stim")

READ_LENGTH = {"paired": 75, "single": 100}  # nt

_FRAGMENT = (200, 30)  # mean and standard deviation of its length, nt

_NOVEL_SHARE, _NEAR_COPY_SHARE = 0.15, 0.08  # of all fragments, before fold changes

_UNLISTED_SHARE = 0.025  # of an unlisted gene; its fragments are drawn in addition

_DISPERSION = 0.04  # of a transcript's counts between samples: variance = mean + dispersion * mean²

_QUALITY = np.frombuffer(b",:F", np.uint8)  # the levels that current sequencers report: 11, 25 and 37


@dataclass(frozen=True)
class Study:
    """Paths of the files of a study.

    Attributes
    ----------
    genome, transcripts, annotation
        The reference: FASTA (gzip), FASTA (gzip) and GTF.
    sheet
        Sample sheet with the columns sample, condition, donor, fq1, fq2, strandedness.
    novel, unlisted, near_copies, reference
        Tables of true fragment counts, one row per transcript and one column per sample.
    novel_fasta, unlisted_fasta, near_copies_fasta
        The sequences that are not in the reference transcripts.
    unlisted_annotation
        GTF of the unlisted transcripts.
    samples
        Names of the samples, in the sheet's order.
    """

    genome: Path
    transcripts: Path
    annotation: Path
    sheet: Path
    novel: Path
    unlisted: Path
    near_copies: Path
    reference: Path
    novel_fasta: Path
    unlisted_fasta: Path
    unlisted_annotation: Path
    near_copies_fasta: Path
    samples: tuple[str, ...]


@dataclass(frozen=True)
class _Expressed:
    """An expressed transcript, its share of all fragments and its fold change, stim over ctrl."""

    name: str
    sequence: str
    share: float
    fold: float


@dataclass(frozen=True)
class _Sample:
    name: str
    condition: str
    donor: str
    layout: str  # "paired" or "single"

    @property
    def files(self) -> list[str]:
        return [f"{self.name}_R{mate}.fastq.gz" for mate in (1, 2)] if self.paired else [f"{self.name}.fastq.gz"]

    @property
    def paired(self) -> bool:
        return self.layout == "paired"


def make_study(
    folder: str | Path,
    *,
    seed: int = 0,
    sheet: str | Path | None = None,
    n_genes: int = 48,
    n_novel: int = 12,
    n_differing: int = 6,
    n_near_copies: int = 3,
    n_unlisted: int = 2,
    n_unlisted_isoforms: int = 1,
    samples_per_condition: int = 4,
    fragments_per_sample: int = 6000,
    error_rate: float = 0.005,
    fold: float = 8.0,
    reference_only: Sequence[str] = (),
) -> Study:
    """Write a study: reference, reads, sample sheet and truth.

    Parameters
    ----------
    folder
        Receives ``genome.fa.gz``, ``transcripts.fa.gz``, ``annotation.gtf``, ``fastq/`` and ``truth/``. Other files
        in it stay as they are.
    seed
        The same seed and settings give the same bytes. Genome and transcripts do not depend on the number of samples,
        fragments or errors.
    sheet
        The sample sheet to write; default ``samples.tsv`` in `folder`. Its paths start with `folder` as given.
    n_genes
        Genes on three chromosomes and both strands, with two to six exons; every fourth has two isoforms, each with an
        exon of its own. Every twelfth differs between the conditions by a factor of 2.
    n_novel
        Transcripts of 500 to 1500 nt that are in neither the genome nor the reference transcripts.
    n_differing
        Number of novel transcripts that differ between the conditions by the factor `fold`: the first half are higher
        in ctrl, the others in stim.
    n_near_copies
        Number of expressed copies of reference transcripts with about 5 % of the bases changed.
    n_unlisted
        Number of genes that are in the genome, but neither in the annotation nor among the transcripts. The first is
        higher in stim by the factor `fold`.
    n_unlisted_isoforms
        Number of genes with two isoforms, from the last on, of which the second is in the genome only.
    samples_per_condition
        Samples of each of the two conditions. The first half (rounded up) have read pairs of 2 × 75 nt, the others
        single reads of 100 nt. Sample i of each condition is from donor i.
    fragments_per_sample
        Expected fragments per sample; counts vary between samples more than Poisson.
    error_rate
        Probability of a sequencing error per base.
    fold
        Fold change of the novel transcripts that differ.
    reference_only
        Samples that express neither novel transcripts nor near-copies.

    Returns
    -------
    Study

    Raises
    ------
    InputError
        If the numbers are inconsistent.
    """
    samples = _samples(samples_per_condition)
    if unknown := sorted(set(reference_only) - {sample.name for sample in samples}):
        raise InputError(
            f"reference_only={unknown}: no such samples, expected some of {[sample.name for sample in samples]}."
        )
    if not 0 <= n_differing <= n_novel:
        raise InputError(f"n_differing={n_differing} with n_novel={n_novel}: expected a number from 0 to n_novel.")
    genome, genes = make_genome(np.random.RandomState([seed, 1]), n_genes)
    reference = splice_transcripts(genome, genes)
    unlisted = add_genes(np.random.RandomState([seed, 7]), genome, n_unlisted, "UNLISTED")
    both = [gene for gene in genes if len(gene.isoforms) == 2]
    left_out = {list(gene.isoforms)[1] for gene in both[::-1][:n_unlisted_isoforms]}
    novel = make_novel_transcripts(np.random.RandomState([seed, 2]), n_novel)
    copies = make_near_copies(np.random.RandomState([seed, 3]), genes, reference, n_near_copies)

    random = np.random.RandomState([seed, 4])
    groups = {
        "reference": _express_reference(random, genes, reference, _NOVEL_SHARE + _NEAR_COPY_SHARE),
        "novel": _express_novel(random, novel, n_differing, fold),
        "near_copies": _express_near_copies(copies),
        "unlisted": [
            _Expressed(name, sequence, _UNLISTED_SHARE, 1.0 if i else fold)
            for i, (name, sequence) in enumerate(splice_transcripts(genome, unlisted).items())
        ],
    }
    absent = {(sample, group) for sample in reference_only for group in ("novel", "near_copies")}
    counts = {
        (sample.name, group): np.zeros(len(expressed), int)
        if (sample.name, group) in absent
        else _draw_counts(np.random.RandomState([seed, 5, i, j]), expressed, sample, fragments_per_sample)
        for i, sample in enumerate(samples)
        for j, (group, expressed) in enumerate(groups.items())
    }

    study = _paths(Path(folder), sheet, samples)
    write_gzip(study.genome, fasta(genome.items()))
    write_gzip(study.transcripts, fasta((name, s) for name, s in reference.items() if name not in left_out))
    of_unlisted = {name for gene in unlisted for name in gene.isoforms} | left_out
    write_text(study.annotation, gtf(genes, reference.keys() - left_out))
    _write_truth(study, [*genes, *unlisted], copies, groups, counts, left_out)
    write_text(study.unlisted_annotation, gtf([*genes, *unlisted], of_unlisted))
    with atomic_folder(Path(folder) / "fastq") as fastq:
        for i, sample in enumerate(samples):
            sequences = [item.sequence for expressed in groups.values() for item in expressed]
            drawn = np.concatenate([counts[sample.name, group] for group in groups])
            _write_reads(np.random.RandomState([seed, 6, i]), fastq, sample, sequences, drawn, error_rate)
    write_text(study.sheet, _sheet(Path(folder), samples))
    return study


def _samples(per_condition: int) -> list[_Sample]:
    return [
        _Sample(f"{condition}_{i + 1}", condition, f"d{i + 1}", "paired" if i < (per_condition + 1) // 2 else "single")
        for condition in CONDITIONS
        for i in range(per_condition)
    ]


def _paths(folder: Path, sheet: str | Path | None, samples: list[_Sample]) -> Study:
    truth = folder / "truth"
    return Study(
        genome=folder / "genome.fa.gz",
        transcripts=folder / "transcripts.fa.gz",
        annotation=folder / "annotation.gtf",
        sheet=folder / "samples.tsv" if sheet is None else Path(sheet),
        novel=truth / "novel.tsv",
        unlisted=truth / "unlisted.tsv",
        near_copies=truth / "near_copies.tsv",
        reference=truth / "reference.tsv",
        novel_fasta=truth / "novel.fa",
        unlisted_fasta=truth / "unlisted.fa",
        unlisted_annotation=truth / "unlisted.gtf",
        near_copies_fasta=truth / "near_copies.fa",
        samples=tuple(sample.name for sample in samples),
    )


def _express_reference(
    random: np.random.RandomState, genes: list[Gene], reference: dict[str, str], other_share: float
) -> list[_Expressed]:
    abundance = random.lognormal(0, 0.5, len(genes))
    shares, folds = {}, {}
    for i, gene in enumerate(genes):
        for name, part in zip(gene.isoforms, (0.55, 0.45) if len(gene.isoforms) == 2 else (1.0,), strict=True):
            shares[name] = abundance[i] * part * len(gene.isoforms) * len(reference[name])
            folds[name] = gene_fold(i)
    total = sum(shares.values())
    return [
        _Expressed(name, reference[name], (1 - other_share) * shares[name] / total, folds[name]) for name in reference
    ]


def _express_novel(
    random: np.random.RandomState, novel: dict[str, str], n_differing: int, fold: float
) -> list[_Expressed]:
    weights = random.uniform(0.8, 1.4, len(novel)) * [len(sequence) for sequence in novel.values()]
    folds = [1 / fold if i < n_differing // 2 else fold if i < n_differing else 1.0 for i in range(len(novel))]
    return [
        _Expressed(name, sequence, _NOVEL_SHARE * weight / weights.sum(), change)
        for (name, sequence), weight, change in zip(novel.items(), weights, folds, strict=True)
    ]


def _express_near_copies(copies: dict[str, NearCopy]) -> list[_Expressed]:
    return [_Expressed(name, copy.sequence, _NEAR_COPY_SHARE / len(copies), 1.0) for name, copy in copies.items()]


def _draw_counts(
    random: np.random.RandomState, expressed: list[_Expressed], sample: _Sample, fragments: int
) -> np.ndarray:
    """Draw the fragments of every transcript from negative binomial distributions."""
    if not expressed:
        return np.zeros(0, int)
    sign = 0.5 if sample.condition == CONDITIONS[1] else -0.5
    # one condition is higher and the other lower by the root of the fold change, scaled to keep their mean
    change = np.array([item.fold**sign / ((item.fold**0.5 + item.fold**-0.5) / 2) for item in expressed])
    means = fragments * np.array([item.share for item in expressed]) * change
    return random.poisson(means * random.gamma(1 / _DISPERSION, _DISPERSION, len(expressed)))


def _write_reads(
    random: np.random.RandomState,
    folder: Path,
    sample: _Sample,
    sequences: list[str],
    counts: np.ndarray,
    error_rate: float,
) -> None:
    """Write the reads of one sample; its fragments are in random order, and either strand may be read first."""
    length = READ_LENGTH[sample.layout]
    lengths = np.array([len(sequence) for sequence in sequences])
    all_bases = np.searchsorted(LETTERS, np.frombuffer("".join(sequences).encode(), np.uint8))
    source = random.permutation(np.repeat(np.arange(len(sequences)), counts))
    insert = np.clip(random.normal(*_FRAGMENT, len(source)).round().astype(int), length, lengths[source])
    within = (random.random_sample(len(source)) * (lengths[source] - insert + 1)).astype(int)
    start = (np.cumsum(lengths) - lengths)[source] + within
    forward = all_bases[start[:, None] + np.arange(length)]
    backward = 3 - all_bases[(start + insert)[:, None] - 1 - np.arange(length)]
    flipped = random.random_sample(len(source)) < 0.5
    mates = [np.where(flipped[:, None], backward, forward), np.where(flipped[:, None], forward, backward)]
    for file, codes in zip(sample.files, mates, strict=False):
        wrong = random.random_sample(codes.shape) < error_rate
        codes = (codes + wrong * random.randint(1, 4, codes.shape)) % 4
        # most errors have a low quality, but few correct bases do
        chance = random.random_sample(codes.shape)
        level = np.where(wrong, 2 - (chance < 0.85) - (chance < 0.6), 2 - (chance < 0.003))
        bases, qualities = LETTERS[codes], _QUALITY[level]
        write_gzip(
            folder / file,
            b"".join(
                b"@%s.%d\n%s\n+\n%s\n" % (sample.name.encode(), i + 1, bases[i].tobytes(), qualities[i].tobytes())
                for i in range(len(source))
            ),
        )


def _sheet(folder: Path, samples: list[_Sample]) -> str:
    rows = ["sample\tcondition\tdonor\tfq1\tfq2\tstrandedness"]
    for sample in samples:
        files = [(folder / "fastq" / name).as_posix() for name in sample.files]
        fq1, fq2 = files if sample.paired else (files[0], "")
        rows.append("\t".join((sample.name, sample.condition, sample.donor, fq1, fq2, "unstranded")))
    return "\n".join(rows) + "\n"


def _write_truth(
    study: Study,
    genes: list[Gene],
    copies: dict[str, NearCopy],
    groups: dict[str, list[_Expressed]],
    counts: dict[tuple[str, str], np.ndarray],
    left_out: Set[str],
) -> None:
    gene_of = {name: gene.name for gene in genes for name in gene.isoforms}
    identity = {name: 1 - copy.n_changed / len(copy.sequence) for name, copy in copies.items()}
    # further columns of each table, and their cells by transcript
    columns = {
        "novel": ("", {}),
        "near_copies": (
            "copy_of\tidentity\t",
            {name: f"{copy.source}\t{identity[name]:.4f}\t" for name, copy in copies.items()},
        ),
        "reference": ("gene\t", {name: f"{gene}\t" for name, gene in gene_of.items()}),
        "unlisted": ("gene\t", {name: f"{gene}\t" for name, gene in gene_of.items()}),
    }
    # isoforms that the annotation lacks are expressed as the other transcripts of their genes
    rows_of = {group: [(group, i, item) for i, item in enumerate(items)] for group, items in groups.items()}
    rows_of["unlisted"] += [row for row in rows_of["reference"] if row[2].name in left_out]
    rows_of["reference"] = [row for row in rows_of["reference"] if row[2].name not in left_out]
    with atomic_folder(study.novel.parent) as truth:
        for group, (header, cells) in columns.items():
            rows = [f"transcript\t{header}length\thigher_in\tfold\t" + "\t".join(study.samples)]
            for drawn_with, i, item in rows_of[group]:
                higher = "none" if item.fold == 1 else CONDITIONS[item.fold > 1]
                drawn = "\t".join(str(counts[sample, drawn_with][i]) for sample in study.samples)
                fold = max(item.fold, 1 / item.fold)
                rows.append(f"{item.name}\t{cells.get(item.name, '')}{len(item.sequence)}\t{higher}\t{fold:g}\t{drawn}")
            (truth / f"{group}.tsv").write_text("\n".join(rows) + "\n")
        for group in ("novel", "unlisted", "near_copies"):
            (truth / f"{group}.fa").write_bytes(fasta((item.name, item.sequence) for _, _, item in rows_of[group]))
