"""A small simulated RNA-seq study: genome, annotation, reads of two conditions, and the truth.

Some transcripts that the samples express are in no reference (novel), others differ from a reference transcript in a
few bases (near-copies), so that a run from reads to findings can be judged against what is known. Every random draw
comes from a legacy numpy stream, which numpy keeps unchanged for ever: the same seed gives the same bytes.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.files import atomic_folder, atomic_write
from ..errors import InputError
from ..reads.nucleotides import NUCLEOTIDES, reverse_complement

CONDITIONS = ("ctrl", "stim")

READ_LENGTH = {"paired": 75, "single": 100}  # nt

_LETTERS = np.frombuffer(NUCLEOTIDES.encode(), np.uint8)

_STOPS = ("TAA", "TAG", "TGA")

_N_CHROMOSOMES = 3

_FRAGMENT = (200, 30)  # mean and standard deviation, nt

_NOVEL_SHARE, _NEAR_COPY_SHARE = 0.15, 0.08  # of all fragments, before any difference between the conditions

_DISPERSION = 0.04  # of the counts of one transcript among samples: variance = mean + dispersion * mean²

_QUALITY = np.frombuffer(b",:F", np.uint8)  # the three levels that current machines report: 11, 25 and 37


@dataclass(frozen=True)
class Study:
    """Where the files of a study are.

    Attributes
    ----------
    genome, transcripts, annotation
        The reference: FASTA (gzip), FASTA (gzip) and GTF.
    sheet
        Sample sheet with the columns sample, condition, donor, fq1, fq2, strandedness.
    novel, near_copies, reference
        Tables of the true fragment counts, one row per transcript and one column per sample.
    novel_fasta, near_copies_fasta
        The sequences that no reference holds.
    samples
        Names of the samples, in the sheet's order.
    """

    genome: Path
    transcripts: Path
    annotation: Path
    sheet: Path
    novel: Path
    near_copies: Path
    reference: Path
    novel_fasta: Path
    near_copies_fasta: Path
    samples: tuple[str, ...]


@dataclass(frozen=True)
class _Gene:
    """One gene of the genome; `exons` are its pieces of genome, 0-based and half-open, in order of position."""

    name: str
    chrom: str
    strand: str
    exons: tuple[tuple[int, int], ...]
    isoforms: dict[str, tuple[int, ...]]  # transcript -> indices of its exons


@dataclass(frozen=True)
class _Expressed:
    """What may be expressed: a transcript, its share of all fragments and its fold change, stim over ctrl."""

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
        Where the sample sheet goes; default ``samples.tsv`` in `folder`. Its paths begin with `folder` as given.
    n_genes
        Genes on three chromosomes, both strands, two to six exons; every fourth has two isoforms, either with an exon
        of its own. Every twelfth differs between the conditions by a factor of 2.
    n_novel
        Transcripts of 500 to 1500 nt that are neither in the genome nor among the reference transcripts.
    n_differing
        How many of them differ between the conditions by the factor `fold`: the first half are higher in ctrl, the
        others in stim.
    n_near_copies
        Expressed copies of reference transcripts with about 5 % of the bases changed.
    samples_per_condition
        Samples of each of the two conditions; the first half (rounded up) has read pairs, 2 × 75 nt, the rest single
        reads of 100 nt. Sample i of each condition comes from donor i.
    fragments_per_sample
        Expected fragments; the counts vary more than Poisson among samples.
    error_rate
        Probability that a base is read wrongly.
    fold
        See `n_differing`.
    reference_only
        Samples that express neither novel transcripts nor near-copies.

    Returns
    -------
    Study

    Raises
    ------
    InputError
        If the numbers do not fit together.
    """
    samples = _samples(samples_per_condition)
    if unknown := sorted(set(reference_only) - {sample.name for sample in samples}):
        raise InputError(
            f"reference_only={unknown}: no such samples, expected some of {[sample.name for sample in samples]}."
        )
    if not 0 <= n_differing <= n_novel:
        raise InputError(f"n_differing={n_differing} with n_novel={n_novel}: expected a number from 0 to n_novel.")
    genome, genes = _make_genome(np.random.RandomState([seed, 1]), n_genes)
    reference = _reference_transcripts(genome, genes)
    novel = _novel_transcripts(np.random.RandomState([seed, 2]), n_novel)
    copies = _near_copies(np.random.RandomState([seed, 3]), genes, reference, n_near_copies)

    random = np.random.RandomState([seed, 4])
    groups = {
        "reference": _express_reference(random, genes, reference, _NOVEL_SHARE + _NEAR_COPY_SHARE),
        "novel": _express_novel(random, novel, n_differing, fold),
        "near_copies": _express_near_copies(copies),
    }
    absent = {(sample, group) for sample in reference_only for group in ("novel", "near_copies")}
    counts = {
        (sample.name, group): np.zeros(len(expressed), int)
        if (sample.name, group) in absent
        else _draw_counts(np.random.RandomState([seed, 5, i, j]), expressed, sample, fragments_per_sample)
        for i, sample in enumerate(samples)
        for j, (group, expressed) in enumerate(groups.items())
    }

    study = _places(Path(folder), sheet, samples)
    _write_gzip(study.genome, _fasta(genome.items()))
    _write_gzip(study.transcripts, _fasta(reference.items()))
    _write_text(study.annotation, _gtf(genes))
    _write_truth(study, genes, novel, copies, groups, counts)
    with atomic_folder(Path(folder) / "fastq") as fastq:
        for i, sample in enumerate(samples):
            sequences = [one.sequence for expressed in groups.values() for one in expressed]
            drawn = np.concatenate([counts[sample.name, group] for group in groups])
            _write_reads(np.random.RandomState([seed, 6, i]), fastq, sample, sequences, drawn, error_rate)
    _write_text(study.sheet, _sheet(Path(folder), samples))
    return study


def _samples(per_condition: int) -> list[_Sample]:
    return [
        _Sample(f"{condition}_{i + 1}", condition, f"d{i + 1}", "paired" if i < (per_condition + 1) // 2 else "single")
        for condition in CONDITIONS
        for i in range(per_condition)
    ]


def _places(folder: Path, sheet: str | Path | None, samples: list[_Sample]) -> Study:
    truth = folder / "truth"
    return Study(
        genome=folder / "genome.fa.gz",
        transcripts=folder / "transcripts.fa.gz",
        annotation=folder / "annotation.gtf",
        sheet=folder / "samples.tsv" if sheet is None else Path(sheet),
        novel=truth / "novel.tsv",
        near_copies=truth / "near_copies.tsv",
        reference=truth / "reference.tsv",
        novel_fasta=truth / "novel.fa",
        near_copies_fasta=truth / "near_copies.fa",
        samples=tuple(sample.name for sample in samples),
    )


def _bases(random: np.random.RandomState, length: int, gc: float = 0.42) -> str:
    share = [(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2]
    return random.choice(_LETTERS, length, p=share).tobytes().decode()


def _coding(random: np.random.RandomState, length: int) -> str:
    """Return a transcript with an open reading frame over about two thirds of it."""
    codons = round(length * random.uniform(0.55, 0.75) / 3)
    frame: list[str] = []
    while len(frame) < codons - 2:
        codon = _bases(random, 3, gc=0.48)
        if codon not in _STOPS:
            frame.append(codon)
    body = "ATG" + "".join(frame) + _STOPS[random.randint(3)]
    before = round((length - len(body)) * 0.35)
    return _bases(random, before) + body + _bases(random, length - len(body) - before)


def _make_genome(random: np.random.RandomState, n_genes: int) -> tuple[dict[str, str], list[_Gene]]:
    """Return the chromosomes and the genes on them."""
    genome: dict[str, str] = {}
    genes = []
    for c, indices in enumerate(np.array_split(np.arange(n_genes), _N_CHROMOSOMES)):
        chrom = f"chr{c + 1}"
        pieces = [_bases(random, random.randint(300, 600))]
        end = len(pieces[0])
        for i in indices:
            mrna = _coding(random, random.randint(600, 1600))
            strand = "+-"[random.randint(2)]
            two_isoforms = i % 4 == 3
            n_exons = random.randint(4 if two_isoforms else 2, 7)
            sequence, exons = _with_introns(random, mrna, n_exons)
            if strand == "-":
                sequence = reverse_complement(sequence)
                exons = [(len(sequence) - right, len(sequence) - left) for left, right in reversed(exons)]
            name = f"GENE{i + 1:03d}"
            skipped = random.choice(np.arange(1, n_exons - 1), 2, replace=False) if two_isoforms else [None]
            isoforms = {
                f"{name}.{k + 1}": tuple(e for e in range(n_exons) if e != exon) for k, exon in enumerate(skipped)
            }
            placed = tuple((end + left, end + right) for left, right in exons)
            genes.append(_Gene(name, chrom, strand, placed, isoforms))
            pieces += [sequence, _bases(random, random.randint(200, 600))]
            end += len(pieces[-2]) + len(pieces[-1])
        genome[chrom] = "".join(pieces)
    return genome, genes


def _with_introns(random: np.random.RandomState, mrna: str, n_exons: int) -> tuple[str, list[tuple[int, int]]]:
    """Return the gene of an mRNA, introns GT..AG put in, and where its exons are, both in the direction of reading."""
    # exons of at least 60 nt: shares of what is left above that
    shares = random.dirichlet(np.full(n_exons, 2.0)) * (len(mrna) - 60 * n_exons)
    cuts = np.concatenate([[0], np.cumsum(60 + shares.astype(int))])
    cuts[-1] = len(mrna)
    sequence, exons = "", []
    for e in range(n_exons):
        exons.append((len(sequence), len(sequence) + int(cuts[e + 1] - cuts[e])))
        sequence += mrna[cuts[e] : cuts[e + 1]]
        if e < n_exons - 1:
            sequence += "GT" + _bases(random, random.randint(80, 350), gc=0.34) + "AG"
    return sequence, exons


def _reference_transcripts(genome: dict[str, str], genes: list[_Gene]) -> dict[str, str]:
    transcripts = {}
    for gene in genes:
        for name, kept in gene.isoforms.items():
            sequence = "".join(genome[gene.chrom][left:right] for left, right in (gene.exons[e] for e in kept))
            transcripts[name] = sequence if gene.strand == "+" else reverse_complement(sequence)
    return transcripts


def _novel_transcripts(random: np.random.RandomState, n: int) -> dict[str, str]:
    """Return transcripts of 500 to 1500 nt; every fourth has no open reading frame to speak of."""
    lengths = np.linspace(500, 1500, n).astype(int)
    random.shuffle(lengths)
    return {
        f"novel_{i + 1:02d}": _bases(random, length) if i % 4 == 3 else _coding(random, length)
        for i, length in enumerate(lengths)
    }


def _near_copies(
    random: np.random.RandomState, genes: list[_Gene], reference: dict[str, str], n: int
) -> dict[str, tuple[str, str, int]]:
    """Return, for every near-copy, the transcript that it copies, its sequence and how many bases were changed."""
    sources = [
        name
        for i, gene in enumerate(genes)
        for name in gene.isoforms
        if len(gene.isoforms) == 1 and len(reference[name]) > 800 and _gene_fold(i) == 1
    ]
    if len(sources) < n:
        raise InputError(
            f"n_near_copies={n}: only {len(sources)} of {len(genes)} genes have one transcript, of more than 800 nt, "
            f"and no fold change. Take more genes or fewer copies."
        )
    copies = {}
    for i, identity in enumerate(np.linspace(0.95, 0.955, n)):
        source = sources.pop(random.randint(len(sources)))
        bases = np.frombuffer(reference[source].encode(), np.uint8).copy()
        changed = random.choice(len(bases), round(len(bases) * (1 - identity)), replace=False)
        codes = np.searchsorted(_LETTERS, bases[changed])
        bases[changed] = _LETTERS[(codes + random.randint(1, 4, len(changed))) % 4]
        copies[f"near_copy_{i + 1}"] = (source, bases.tobytes().decode(), len(changed))
    return copies


def _gene_fold(i: int) -> float:
    """Fold change of the i-th gene: every twelfth differs a little, now up, now down."""
    return 1.0 if i % 12 != 5 else 2.0 if i % 24 == 5 else 0.5


def _express_reference(
    random: np.random.RandomState, genes: list[_Gene], reference: dict[str, str], others: float
) -> list[_Expressed]:
    abundance = random.lognormal(0, 0.5, len(genes))
    shares, folds = {}, {}
    for i, gene in enumerate(genes):
        for name, part in zip(gene.isoforms, (0.55, 0.45) if len(gene.isoforms) == 2 else (1.0,), strict=True):
            shares[name] = abundance[i] * part * len(gene.isoforms) * len(reference[name])
            folds[name] = _gene_fold(i)
    total = sum(shares.values())
    return [_Expressed(name, reference[name], (1 - others) * shares[name] / total, folds[name]) for name in reference]


def _express_novel(
    random: np.random.RandomState, novel: dict[str, str], n_differing: int, fold: float
) -> list[_Expressed]:
    weights = random.uniform(0.8, 1.4, len(novel)) * [len(sequence) for sequence in novel.values()]
    folds = [1 / fold if i < n_differing // 2 else fold if i < n_differing else 1.0 for i in range(len(novel))]
    return [
        _Expressed(name, sequence, _NOVEL_SHARE * weight / weights.sum(), change)
        for (name, sequence), weight, change in zip(novel.items(), weights, folds, strict=True)
    ]


def _express_near_copies(copies: dict[str, tuple[str, str, int]]) -> list[_Expressed]:
    return [_Expressed(name, copy[1], _NEAR_COPY_SHARE / len(copies), 1.0) for name, copy in copies.items()]


def _draw_counts(
    random: np.random.RandomState, expressed: list[_Expressed], sample: _Sample, fragments: int
) -> np.ndarray:
    """Return fragments of every transcript: negative binomial, with a depth of the sample's own."""
    if not expressed:
        return np.zeros(0, int)
    sign = 0.5 if sample.condition == CONDITIONS[1] else -0.5
    # the fold change lies between the conditions' means; half of it up here, half down there, their mean kept
    raised = np.array([one.fold**sign / ((one.fold**0.5 + one.fold**-0.5) / 2) for one in expressed])
    means = fragments * np.array([one.share for one in expressed]) * raised
    return random.poisson(means * random.gamma(1 / _DISPERSION, _DISPERSION, len(expressed)))


def _write_reads(
    random: np.random.RandomState,
    folder: Path,
    sample: _Sample,
    sequences: list[str],
    counts: np.ndarray,
    error_rate: float,
) -> None:
    """Write the reads of one sample, its fragments in random order, either strand first."""
    length = READ_LENGTH[sample.layout]
    lengths = np.array([len(sequence) for sequence in sequences])
    all_bases = np.searchsorted(_LETTERS, np.frombuffer("".join(sequences).encode(), np.uint8))
    of = random.permutation(np.repeat(np.arange(len(sequences)), counts))
    insert = np.clip(random.normal(*_FRAGMENT, len(of)).round().astype(int), length, lengths[of])
    within = (random.random_sample(len(of)) * (lengths[of] - insert + 1)).astype(int)
    start = (np.cumsum(lengths) - lengths)[of] + within
    forward = all_bases[start[:, None] + np.arange(length)]
    backward = 3 - all_bases[(start + insert)[:, None] - 1 - np.arange(length)]
    flipped = random.random_sample(len(of)) < 0.5
    mates = [np.where(flipped[:, None], backward, forward), np.where(flipped[:, None], forward, backward)]
    for file, codes in zip(sample.files, mates, strict=False):
        wrong = random.random_sample(codes.shape) < error_rate
        codes = (codes + wrong * random.randint(1, 4, codes.shape)) % 4
        # most errors have a low quality, few right bases do
        chance = random.random_sample(codes.shape)
        level = np.where(wrong, 2 - (chance < 0.85) - (chance < 0.6), 2 - (chance < 0.003))
        bases, qualities = _LETTERS[codes], _QUALITY[level]
        _write_gzip(
            folder / file,
            b"".join(
                b"@%s.%d\n%s\n+\n%s\n" % (sample.name.encode(), i + 1, bases[i].tobytes(), qualities[i].tobytes())
                for i in range(len(of))
            ),
        )


def _sheet(folder: Path, samples: list[_Sample]) -> str:
    rows = ["sample\tcondition\tdonor\tfq1\tfq2\tstrandedness"]
    for sample in samples:
        files = [(folder / "fastq" / name).as_posix() for name in sample.files]
        fq1, fq2 = files if sample.paired else (files[0], "")
        rows.append("\t".join((sample.name, sample.condition, sample.donor, fq1, fq2, "unstranded")))
    return "\n".join(rows) + "\n"


def _gtf(genes: list[_Gene]) -> str:
    lines = []
    for i, gene in enumerate(genes):
        about = f'gene_id "{gene.name}"; gene_name "gen{i + 1}";'

        def line(feature: str, left: int, right: int, text: str, gene: _Gene = gene) -> str:
            return f"{gene.chrom}\tsimulated\t{feature}\t{left + 1}\t{right}\t.\t{gene.strand}\t.\t{text}"

        lines.append(line("gene", gene.exons[0][0], gene.exons[-1][1], about))
        for name, kept in gene.isoforms.items():
            exons = [gene.exons[e] for e in kept]
            text = f'{about} transcript_id "{name}";'
            lines.append(line("transcript", exons[0][0], exons[-1][1], text))
            lines += [line("exon", left, right, text) for left, right in exons]
    return "\n".join(lines) + "\n"


def _write_truth(
    study: Study,
    genes: list[_Gene],
    novel: dict[str, str],
    copies: dict[str, tuple[str, str, int]],
    groups: dict[str, list[_Expressed]],
    counts: dict[tuple[str, str], np.ndarray],
) -> None:
    gene_of = {name: gene.name for gene in genes for name in gene.isoforms}
    own = {
        "novel": ("", {}),
        "near_copies": (
            "copy_of\tidentity\t",
            {name: f"{source}\t{1 - changed / len(text):.4f}\t" for name, (source, text, changed) in copies.items()},
        ),
        "reference": ("gene\t", {name: f"{gene}\t" for name, gene in gene_of.items()}),
    }
    with atomic_folder(study.novel.parent) as truth:
        for group, (header, cells) in own.items():
            rows = [f"transcript\t{header}length\thigher_in\tfold\t" + "\t".join(study.samples)]
            for i, one in enumerate(groups[group]):
                higher = "none" if one.fold == 1 else CONDITIONS[one.fold > 1]
                drawn = "\t".join(str(counts[sample, group][i]) for sample in study.samples)
                fold = max(one.fold, 1 / one.fold)
                rows.append(f"{one.name}\t{cells.get(one.name, '')}{len(one.sequence)}\t{higher}\t{fold:g}\t{drawn}")
            (truth / f"{group}.tsv").write_text("\n".join(rows) + "\n")
        (truth / study.novel_fasta.name).write_bytes(_fasta(novel.items()))
        (truth / study.near_copies_fasta.name).write_bytes(_fasta((name, copy[1]) for name, copy in copies.items()))


def _fasta(records) -> bytes:
    return "".join(
        f">{name}\n" + "".join(f"{sequence[i : i + 80]}\n" for i in range(0, len(sequence), 80))
        for name, sequence in records
    ).encode()


def _write_text(path: Path, text: str) -> None:
    with atomic_write(path) as tmp:
        tmp.write_text(text)


def _write_gzip(path: Path, content: bytes) -> None:
    """Write gzip without time and name, so that the same content is the same file."""
    with atomic_write(path) as tmp, tmp.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write(content)
