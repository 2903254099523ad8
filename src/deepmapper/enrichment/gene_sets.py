"""Gene sets from files in GMT format: one set per line, its name, a description and its genes, separated by tabs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.text_files import examine_text
from ..errors import InputError


@dataclass(frozen=True)
class GeneSet:
    """A set of genes.

    Attributes
    ----------
    name, description
        As written in the file.
    genes
        Names of its genes, each once.
    """

    name: str
    description: str
    genes: tuple[str, ...]


@dataclass(frozen=True)
class SetFile:
    """The gene sets of one file.

    Attributes
    ----------
    source
        Name of the file, which tells its sets from sets of the same name in other files.
    sets
        In the order of the file.
    """

    source: str
    sets: tuple[GeneSet, ...]

    @property
    def genes(self) -> list[str]:
        """All genes, each once."""
        return list(dict.fromkeys(gene for own in self.sets for gene in own.genes))


def read_gene_sets(paths: Sequence[str | Path], key: str = "enrichment.gene_sets") -> list[SetFile]:
    """Read gene sets.

    Parameters
    ----------
    paths
        Files in GMT format, plain or compressed.
    key
        The option that names them.

    Raises
    ------
    InputError
        If a file is no GMT file, or if a set is listed twice.
    """
    names = [Path(path).name for path in paths]
    # files of the same name in different folders go by their paths
    sources = [str(path) if names.count(name) > 1 else name for path, name in zip(paths, names, strict=True)]
    return [SetFile(source, _read_gmt(Path(path), key)) for path, source in zip(paths, sources, strict=True)]


def _read_gmt(path: Path, key: str) -> tuple[GeneSet, ...]:
    found: dict[str, GeneSet] = {}
    with examine_text(path).open() as file:
        for number, line in enumerate(file, start=1):
            if not line.strip() or line.startswith("#"):
                continue
            name, *rest = (cell.strip() for cell in line.rstrip("\r\n").split("\t"))
            genes = tuple(dict.fromkeys(gene for gene in rest[1:] if gene))
            if not name or not genes:
                raise InputError(
                    f"{key}: {path} line {number}: found {line.strip()[:60]!r}, expected a line of GMT: "
                    "the name of a set, a description and its genes, separated by tabs. Correct the line, or give a "
                    "file in GMT format."
                )
            if name in found:
                raise InputError(f"{key}: {path} line {number}: the set {name!r} is listed twice. Give each set once.")
            found[name] = GeneSet(name, rest[0], genes)
    if not found:
        raise InputError(f"{key}: {path} holds no gene set. Give another file.")
    return tuple(found.values())
