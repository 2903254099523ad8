"""Readable names of novel transcripts, made from the gene or the place that they belong to. Standard library only.

A name of the form ``DENOVO_...`` comes from the sequence and is the same in every run. An alias is for reading: it is
unique within a run, and another run may give it to another transcript.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ..reads.annotation import Transcript
from .loci import span

# Suffix by class; the genes committee of HUGO names antisense and intronic transcripts so (https://www.genenames.org).
_SUFFIX = {"novel_isoform": ".novel", "antisense": "-AS", "intronic": "-IT", "partial": ".partial"}

_IN_GENOME = ("intergenic", "genomic", "antisense", "intronic")  # named by their place without a gene


@dataclass(frozen=True)
class Named:
    """What an alias is made from.

    Attributes
    ----------
    name
        ``DENOVO_...``
    kind
        Novelty class.
    genes
        Ids of the annotated genes at its place, the one that it belongs to first.
    gene_id
        Its gene: that of an isoform, or the name of the longest transcript of a new gene.
    place
        Its place in the genome; None without one.
    """

    name: str
    kind: str
    genes: tuple[str, ...]
    gene_id: str
    place: Transcript | None


def aliases(novel: Sequence[Named], symbols: Mapping[str, str], taken: Collection[str] = ()) -> dict[str, str]:
    """Give every novel transcript an alias.

    An isoform of GENE is ``GENE.novel1``; a new gene on its other strand ``GENE-AS1``, in an intron ``GENE-IT1``;
    what GENE explains in part ``GENE.partial1``; a chimera ``GENE1::GENE2``; elsewhere in the genome ``chr1:1001-2000``
    (first and last base, counted from 1); ``novel1`` without a place. Further transcripts of a new gene have its alias
    and a number: ``GENE-AS1.2``.

    Parameters
    ----------
    novel
        Numbers are given in this order, except that the transcript that a new gene is called after comes first.
    symbols
        Gene id -> symbol; genes without one go by their id.
    taken
        Ids and symbols of the annotation, which no alias may equal.

    Returns
    -------
    dict
        Name -> alias.
    """
    new = _Unused(taken)
    of_gene: dict[str, str] = {}
    found: dict[str, str] = {}
    for own in sorted(novel, key=lambda own: own.name != own.gene_id and own.kind != "novel_isoform"):
        if own.gene_id in of_gene:
            found[own.name] = new.numbered(f"{of_gene[own.gene_id]}.", first=2)
            continue
        found[own.name] = _alias(own, symbols, new)
        if own.gene_id == own.name:
            of_gene[own.gene_id] = found[own.name]
    return {own.name: found[own.name] for own in novel}


class _Unused:
    """Gives every alias once."""

    def __init__(self, taken: Collection[str]) -> None:
        self._used = set(taken)
        self._next = Counter[str]()

    def plain(self, alias: str) -> str:
        """The alias itself if it is new, else with a number from 2 on."""
        if alias in self._used:
            return self.numbered(f"{alias}.", first=2)
        self._used.add(alias)
        return alias

    def numbered(self, stem: str, first: int = 1) -> str:
        """A stem with the next number that gives a new alias."""
        number = max(first, self._next[stem])
        while f"{stem}{number}" in self._used:
            number += 1
        self._next[stem] = number + 1
        self._used.add(f"{stem}{number}")
        return f"{stem}{number}"


def _alias(own: Named, symbols: Mapping[str, str], new: _Unused) -> str:
    genes = [symbols.get(gene) or gene for gene in own.genes]
    if own.kind in _SUFFIX and genes:
        return new.numbered(genes[0] + _SUFFIX[own.kind])
    if own.kind == "chimeric" and len(genes) > 1:
        return new.plain("::".join(genes[:2]))
    if own.place is not None and own.kind in _IN_GENOME:
        start, end = span(own.place)
        return new.plain(f"{own.place.chrom}:{start + 1}-{end}")
    return new.numbered("novel")
