"""Files of a simulated study: FASTA, GTF, and gzip files whose bytes depend on their content alone."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Set
from pathlib import Path

from ..core.files import atomic_write
from .genome import Gene


def symbol(i: int) -> str:
    """Symbol of the i-th gene, in the annotation and in the gene sets."""
    return f"gen{i + 1}"


def gtf(genes: list[Gene], wanted: Set[str]) -> str:
    """Annotate the wanted transcripts and their genes."""
    lines = []
    for i, gene in enumerate(genes):
        names = [name for name in gene.isoforms if name in wanted]
        if not names:
            continue
        gene_attributes = f'gene_id "{gene.name}"; gene_name "{symbol(i)}";'

        def line(feature: str, left: int, right: int, attributes: str, gene: Gene = gene) -> str:
            return f"{gene.chrom}\tsimulated\t{feature}\t{left + 1}\t{right}\t.\t{gene.strand}\t.\t{attributes}"

        lines.append(line("gene", gene.exons[0][0], gene.exons[-1][1], gene_attributes))
        for name in names:
            exons = [gene.exons[e] for e in gene.isoforms[name]]
            attributes = f'{gene_attributes} transcript_id "{name}";'
            lines.append(line("transcript", exons[0][0], exons[-1][1], attributes))
            lines += [line("exon", left, right, attributes) for left, right in exons]
    return "\n".join(lines) + "\n"


def gmt(sets: Iterable[tuple[str, str, Iterable[str]]]) -> str:
    """Gene sets in GMT format, of their names, descriptions and genes."""
    return "".join("\t".join((name, text, *genes)) + "\n" for name, text, genes in sets)


def fasta(records: Iterable[tuple[str, str]]) -> bytes:
    """FASTA of names and sequences, in lines of 80."""
    return "".join(
        f">{name}\n" + "".join(f"{sequence[i : i + 80]}\n" for i in range(0, len(sequence), 80))
        for name, sequence in records
    ).encode()


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_write(path) as tmp:
        tmp.write_text(text)


def write_gzip(path: Path, content: bytes) -> None:
    """Write gzip with no name or time in its header: equal content gives equal bytes."""
    with atomic_write(path) as tmp, tmp.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write(content)
