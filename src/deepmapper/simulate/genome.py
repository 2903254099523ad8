"""Simulated genome with genes and transcripts; novel transcripts and near-copies that it does not contain.

Random draws come from legacy numpy streams, which numpy guarantees never to change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..reads.nucleotides import NUCLEOTIDES, reverse_complement

LETTERS = np.frombuffer(NUCLEOTIDES.encode(), np.uint8)

_STOPS = ("TAA", "TAG", "TGA")

_N_CHROMOSOMES = 3


@dataclass(frozen=True)
class Gene:
    """A gene; `exons` are its intervals in the genome, 0-based and half-open, sorted."""

    name: str
    chrom: str
    strand: str
    exons: tuple[tuple[int, int], ...]
    isoforms: dict[str, tuple[int, ...]]  # indices of the exons of each transcript


@dataclass(frozen=True)
class NearCopy:
    """A copy of a reference transcript with some bases changed: its source, sequence and number of changes."""

    source: str
    sequence: str
    n_changed: int


def make_genome(random: np.random.RandomState, n_genes: int) -> tuple[dict[str, str], list[Gene]]:
    """Make the chromosomes and the genes on them; every fourth gene has two isoforms, each with an exon of its own."""
    genome: dict[str, str] = {}
    genes = []
    for number, indices in enumerate(np.array_split(np.arange(n_genes), _N_CHROMOSOMES), 1):
        chrom = f"chr{number}"
        pieces = [_bases(random, random.randint(300, 600))]
        end = len(pieces[0])
        for i in indices:
            gene, sequence = _gene(random, f"GENE{i + 1:03d}", chrom, end, two_isoforms=i % 4 == 3)
            genes.append(gene)
            pieces += [sequence, _bases(random, random.randint(200, 600))]
            end += len(pieces[-2]) + len(pieces[-1])
        genome[chrom] = "".join(pieces)
    return genome, genes


def add_genes(random: np.random.RandomState, genome: dict[str, str], n: int, name: str) -> list[Gene]:
    """Add `n` genes with one transcript each to the ends of the chromosomes, in turn; `genome` is changed."""
    genes = []
    for i in range(n):
        chrom = list(genome)[i % len(genome)]
        gene, sequence = _gene(random, f"{name}{i + 1}", chrom, len(genome[chrom]), two_isoforms=False)
        genes.append(gene)
        genome[chrom] += sequence + _bases(random, random.randint(200, 600))
    return genes


def _gene(random: np.random.RandomState, name: str, chrom: str, start: int, *, two_isoforms: bool) -> tuple[Gene, str]:
    """Make a gene that starts at a position of a chromosome, and its sequence there."""
    mrna = _coding(random, random.randint(600, 1600))
    strand = "+-"[random.randint(2)]
    n_exons = random.randint(4 if two_isoforms else 2, 7)
    sequence, exons = _with_introns(random, mrna, n_exons)
    if strand == "-":
        sequence = reverse_complement(sequence)
        exons = [(len(sequence) - right, len(sequence) - left) for left, right in reversed(exons)]
    skipped = random.choice(np.arange(1, n_exons - 1), 2, replace=False) if two_isoforms else [None]
    isoforms = {f"{name}.{k + 1}": tuple(e for e in range(n_exons) if e != exon) for k, exon in enumerate(skipped)}
    placed = tuple((start + left, start + right) for left, right in exons)
    return Gene(name, chrom, strand, placed, isoforms), sequence


def splice_transcripts(genome: dict[str, str], genes: list[Gene]) -> dict[str, str]:
    """Splice the transcripts of all genes; return their sequences by name."""
    transcripts = {}
    for gene in genes:
        for name, exons in gene.isoforms.items():
            intervals = [gene.exons[e] for e in exons]
            sequence = "".join(genome[gene.chrom][left:right] for left, right in intervals)
            transcripts[name] = sequence if gene.strand == "+" else reverse_complement(sequence)
    return transcripts


def make_novel_transcripts(random: np.random.RandomState, n: int) -> dict[str, str]:
    """Make transcripts of 500 to 1500 nt; every fourth has no designed open reading frame."""
    lengths = np.linspace(500, 1500, n).astype(int)
    random.shuffle(lengths)
    return {
        f"novel_{i + 1:02d}": _bases(random, length) if i % 4 == 3 else _coding(random, length)
        for i, length in enumerate(lengths)
    }


def make_near_copies(
    random: np.random.RandomState, genes: list[Gene], reference: dict[str, str], n: int
) -> dict[str, NearCopy]:
    """Copy `n` long transcripts of genes without isoforms or fold change, with about 5 % of the bases changed."""
    sources = [
        name
        for i, gene in enumerate(genes)
        for name in gene.isoforms
        if len(gene.isoforms) == 1 and len(reference[name]) > 800 and gene_fold(i) == 0
    ]
    if len(sources) < n:
        raise InputError(
            f"n_near_copies={n}: only {len(sources)} of {len(genes)} genes have a single transcript of more than 800 "
            f"nt and no fold change. Use more genes or fewer copies."
        )
    copies = {}
    for i, identity in enumerate(np.linspace(0.95, 0.955, n)):
        source = sources.pop(random.randint(len(sources)))
        bases = np.frombuffer(reference[source].encode(), np.uint8).copy()
        changed = random.choice(len(bases), round(len(bases) * (1 - identity)), replace=False)
        codes = np.searchsorted(LETTERS, bases[changed])
        bases[changed] = LETTERS[(codes + random.randint(1, 4, len(changed))) % 4]
        copies[f"near_copy_{i + 1}"] = NearCopy(source, bases.tobytes().decode(), len(changed))
    return copies


def gene_fold(i: int) -> int:
    """Whether the i-th gene is higher (1) or lower (-1) in stim, or neither (0): every twelfth, alternately."""
    if i % 12 != 5:
        return 0
    return 1 if i % 24 == 5 else -1


def _coding(random: np.random.RandomState, length: int) -> str:
    """Make a transcript with an open reading frame over about two thirds of it."""
    codons = round(length * random.uniform(0.55, 0.75) / 3)
    frame: list[str] = []
    while len(frame) < codons - 2:
        codon = _bases(random, 3, gc=0.48)
        if codon not in _STOPS:
            frame.append(codon)
    body = "ATG" + "".join(frame) + _STOPS[random.randint(3)]
    before = round((length - len(body)) * 0.35)
    return _bases(random, before) + body + _bases(random, length - len(body) - before)


def _with_introns(random: np.random.RandomState, mrna: str, n_exons: int) -> tuple[str, list[tuple[int, int]]]:
    """Insert introns GT..AG into an mRNA; return the gene and the intervals of its exons, on the strand of the mRNA."""
    # exons have at least 60 nt; the rest of the length is divided at random
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


def _bases(random: np.random.RandomState, length: int, gc: float = 0.42) -> str:
    share = [(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2]
    return random.choice(LETTERS, length, p=share).tobytes().decode()
