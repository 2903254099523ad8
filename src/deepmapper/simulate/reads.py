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
from .expressed import (
    CONDITIONS,
    UNLISTED_SHARE,
    Expressed,
    Sample,
    draw_counts,
    express_near_copies,
    express_novel,
    express_reference,
    gene_sets,
    make_samples,
    with_chord,
)
from .files import fasta, gmt, gtf, write_gzip, write_text
from .genome import (
    LETTERS,
    Gene,
    NearCopy,
    add_genes,
    make_genome,
    make_near_copies,
    make_novel_transcripts,
    splice_transcripts,
)

READ_LENGTH = {"paired": 75, "single": 100}  # nt

_FRAGMENT = (200, 30)  # mean and standard deviation of its length, nt

_QUALITY = np.frombuffer(b",:F", np.uint8)  # the levels that current sequencers report: 11, 25 and 37


@dataclass(frozen=True)
class Study:
    """Paths of the files of a study.

    Attributes
    ----------
    genome, transcripts, annotation
        The reference: FASTA (gzip), FASTA (gzip) and GTF.
    gene_sets
        Sets of genes, by symbol: GMT.
    sheet
        Sample sheet with the columns sample, condition, donor, fq1, fq2, strandedness.
    novel, unlisted, near_copies, reference
        Tables of true fragment counts, one row per transcript and one column per sample.
    novel_fasta, unlisted_fasta, near_copies_fasta
        The sequences that are not in the reference transcripts.
    unlisted_annotation
        GTF of the unlisted transcripts.
    states
        Table of the samples: whether each responds, and whether the members of the chord are high.
    samples
        Names of the samples, in the sheet's order.
    """

    genome: Path
    transcripts: Path
    annotation: Path
    gene_sets: Path
    sheet: Path
    novel: Path
    unlisted: Path
    near_copies: Path
    reference: Path
    novel_fasta: Path
    unlisted_fasta: Path
    unlisted_annotation: Path
    near_copies_fasta: Path
    states: Path
    samples: tuple[str, ...]


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
    fold_of_genes: float = 2.0,
    responders: float = 1.0,
    chord: bool = False,
    reference_only: Sequence[str] = (),
) -> Study:
    """Write a study: reference, reads, sample sheet and truth.

    Parameters
    ----------
    folder
        Receives ``genome.fa.gz``, ``transcripts.fa.gz``, ``annotation.gtf``, ``gene_sets.gmt``, ``fastq/`` and
        ``truth/``. Other files in it stay as they are.
    seed
        The same seed and settings give the same bytes. Genome and transcripts do not depend on the number of samples,
        fragments or errors.
    sheet
        The sample sheet to write; default ``samples.tsv`` in `folder`. Its paths start with `folder` as given.
    n_genes
        Genes on three chromosomes and both strands, with two to six exons; every fourth has two isoforms, each with an
        exon of its own. Every twelfth differs between the conditions by the factor `fold_of_genes`.
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
        Fold change of the novel transcripts that differ, and of the members of the chord.
    fold_of_genes
        Fold change of the reference genes that differ.
    responders
        Share of the samples of stim in which transcripts differ; the others are like ctrl.
    chord
        Whether the first reference transcript and the first novel one without a fold change form a chord: in stim both
        are high or both low, in ctrl one of them is high. Neither differs between the conditions.
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
    samples = make_samples(samples_per_condition, responders)
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
        "reference": express_reference(random, genes, reference, fold_of_genes),
        "novel": express_novel(random, novel, n_differing, fold),
        "near_copies": express_near_copies(copies),
        "unlisted": [
            Expressed(name, sequence, UNLISTED_SHARE, 1.0 if i else fold)
            for i, (name, sequence) in enumerate(splice_transcripts(genome, unlisted).items())
        ],
    }
    if chord:
        for member, group in enumerate(("reference", "novel")):
            groups[group] = with_chord(groups[group], member, fold)
    absent = {(sample, group) for sample in reference_only for group in ("novel", "near_copies")}
    counts = {
        (sample.name, group): np.zeros(len(expressed), int)
        if (sample.name, group) in absent
        else draw_counts(np.random.RandomState([seed, 5, i, j]), expressed, sample, fragments_per_sample)
        for i, sample in enumerate(samples)
        for j, (group, expressed) in enumerate(groups.items())
    }

    study = _paths(Path(folder), sheet, samples)
    write_gzip(study.genome, fasta(genome.items()))
    write_gzip(study.transcripts, fasta((name, s) for name, s in reference.items() if name not in left_out))
    of_unlisted = {name for gene in unlisted for name in gene.isoforms} | left_out
    write_text(study.gene_sets, gmt(gene_sets(n_genes)))
    write_text(study.annotation, gtf(genes, reference.keys() - left_out))
    _write_truth(study, samples, [*genes, *unlisted], copies, groups, counts, left_out)
    write_text(study.unlisted_annotation, gtf([*genes, *unlisted], of_unlisted))
    with atomic_folder(Path(folder) / "fastq") as fastq:
        for i, sample in enumerate(samples):
            sequences = [item.sequence for expressed in groups.values() for item in expressed]
            drawn = np.concatenate([counts[sample.name, group] for group in groups])
            _write_reads(np.random.RandomState([seed, 6, i]), fastq, sample, sequences, drawn, error_rate)
    write_text(study.sheet, _sheet(Path(folder), samples))
    return study


def _paths(folder: Path, sheet: str | Path | None, samples: list[Sample]) -> Study:
    truth = folder / "truth"
    return Study(
        genome=folder / "genome.fa.gz",
        transcripts=folder / "transcripts.fa.gz",
        annotation=folder / "annotation.gtf",
        gene_sets=folder / "gene_sets.gmt",
        sheet=folder / "samples.tsv" if sheet is None else Path(sheet),
        novel=truth / "novel.tsv",
        unlisted=truth / "unlisted.tsv",
        near_copies=truth / "near_copies.tsv",
        reference=truth / "reference.tsv",
        novel_fasta=truth / "novel.fa",
        unlisted_fasta=truth / "unlisted.fa",
        unlisted_annotation=truth / "unlisted.gtf",
        near_copies_fasta=truth / "near_copies.fa",
        states=truth / "samples.tsv",
        samples=tuple(sample.name for sample in samples),
    )


def _write_reads(
    random: np.random.RandomState,
    folder: Path,
    sample: Sample,
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


def _sheet(folder: Path, samples: list[Sample]) -> str:
    rows = ["sample\tcondition\tdonor\tfq1\tfq2\tstrandedness"]
    for sample in samples:
        files = [(folder / "fastq" / name).as_posix() for name in sample.files]
        fq1, fq2 = files if sample.paired else (files[0], "")
        rows.append("\t".join((sample.name, sample.condition, sample.donor, fq1, fq2, "unstranded")))
    return "\n".join(rows) + "\n"


def _write_truth(
    study: Study,
    samples: list[Sample],
    genes: list[Gene],
    copies: dict[str, NearCopy],
    groups: dict[str, list[Expressed]],
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
                fold = 1.0 if item.member is not None else item.fold
                higher = "none" if fold == 1 else CONDITIONS[fold > 1]
                drawn = "\t".join(str(counts[sample, drawn_with][i]) for sample in study.samples)
                size = max(fold, 1 / fold)
                rows.append(f"{item.name}\t{cells.get(item.name, '')}{len(item.sequence)}\t{higher}\t{size:g}\t{drawn}")
            (truth / f"{group}.tsv").write_text("\n".join(rows) + "\n")
        (truth / "samples.tsv").write_text(_states(samples, groups))
        for group in ("novel", "unlisted", "near_copies"):
            (truth / f"{group}.fa").write_bytes(fasta((item.name, item.sequence) for _, _, item in rows_of[group]))


def _states(samples: list[Sample], groups: dict[str, list[Expressed]]) -> str:
    """Give what is behind each sample, as a table."""
    members = {item.member: item.name for items in groups.values() for item in items if item.member is not None}
    rows = ["\t".join(("sample", "condition", "responds", *(members[i] for i in sorted(members))))]
    for sample in samples:
        states = ["high" if sample.high[i] else "low" for i in sorted(members)]
        rows.append("\t".join((sample.name, sample.condition, "yes" if sample.responds else "no", *states)))
    return "\n".join(rows) + "\n"
