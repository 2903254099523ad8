"""Which features the genes of a gene set are: matched by name or by symbol, one to one.

What is counted is genes: features that share a symbol, such as the transcripts of one gene, are one gene.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..core.match_names import NameMatch, match_features
from ..core.words import count, some
from ..errors import InputError
from ..reads.denovo import is_denovo
from .gene_sets import SetFile

# Smallest share of the genes of a file (or of those of the study, if these are fewer) that must be found. With fewer
# the file is of other ids or of another species. Chosen by hand.
MIN_MATCHED = 0.1


@dataclass(frozen=True, eq=False)
class MatchedSet:
    """A gene set in the study.

    Attributes
    ----------
    name, description
        As in the file.
    n_genes
        Number of its genes.
    members
        Codes of those that the study has, ascending.
    """

    name: str
    description: str
    n_genes: int
    members: np.ndarray


@dataclass(frozen=True, eq=False)
class MatchedFile:
    """The gene sets of one file, in the genes of the study.

    Attributes
    ----------
    source
        Name of the file.
    by
        What was matched: "name" or "symbol".
    sets
        In the order of the file.
    genes
        Readable name of every gene of the study that a set could contain.
    gene_of
        (p,) code of each feature's gene; -1 for features that no set can contain: novel transcripts, and features
        without a symbol where symbols were matched.
    match
        Which gene of the file is which of the study.
    """

    source: str
    by: str
    sets: tuple[MatchedSet, ...]
    genes: tuple[str, ...]
    gene_of: np.ndarray
    match: NameMatch

    @property
    def statement(self) -> str:
        """How many genes of the file were found, and how."""
        n_genes = len(self.match.given) + len(self.match.unmatched)
        text = (
            f"{self.source}: {count(len(self.sets), 'gene set', separator=',')}; {len(self.match.given):,} of "
            f"{count(n_genes, 'gene', separator=',')} matched by {self.by}"
        )
        how = self.match.describe("gene")
        left_out = int((self.gene_of < 0).sum())
        if left_out:
            what = "novel or without a symbol" if self.by == "symbol" else "novel"
            how = f"{how}; " if how else ""
            how += f"{count(left_out, 'feature is', 'features are', separator=',')} {what} and left out"
        return f"{text} ({how})." if how else f"{text}."


def match_gene_sets(file: SetFile, names: Sequence[str], aliases: Mapping[str, str]) -> MatchedFile:
    """Find the genes of a file among the features, by name or by symbol: whichever finds more.

    Parameters
    ----------
    file
        The gene sets.
    names
        (p,) names of the features.
    aliases
        Symbol of every feature that has one besides its name.

    Raises
    ------
    InputError
        If less than `MIN_MATCHED` of the genes are found.
    """
    known = [name for name in names if not is_denovo(name)]
    wanted = file.genes
    by_name = match_features(wanted, known)
    with_symbol = [name for name in known if name in aliases]
    # where nearly all features have a symbol of their own those without one cannot be in a set; elsewhere names are
    # symbols, and only the few that were changed to be unique have another
    symbols = {name: aliases.get(name, name) for name in (with_symbol if 2 * len(with_symbol) > len(known) else known)}
    by_symbol = match_features(wanted, dict.fromkeys(symbols.values())) if with_symbol else by_name
    by, match = ("symbol", by_symbol) if len(by_symbol.given) > len(by_name.given) else ("name", by_name)
    keys = symbols if by == "symbol" else {name: name for name in known}
    code = {key: i for i, key in enumerate(dict.fromkeys(keys.values()))}
    _check_share(file, match, list(code))
    sets = []
    for own in file.sets:
        members = {code[match.given[gene]] for gene in own.genes if gene in match.given}
        sets.append(MatchedSet(own.name, own.description, len(own.genes), np.array(sorted(members), dtype=np.int64)))
    gene_of = np.array([code[keys[name]] if name in keys else -1 for name in names], dtype=np.int64)
    readable = tuple(aliases.get(key, key) for key in code)
    return MatchedFile(file.source, by, tuple(sets), readable, gene_of, match)


def set_table(files: Sequence[MatchedFile]) -> pd.DataFrame:
    """Contents of gene_sets.tsv: one row per set."""
    rows = [
        (own.name, file.source, own.description, own.n_genes, len(own.members), file.by)
        for file in files
        for own in file.sets
    ]
    return pd.DataFrame(rows, columns=["set", "source", "description", "n_genes", "n_matched", "matched_by"])


def _check_share(file: SetFile, match: NameMatch, known: Sequence[str]) -> None:
    possible = min(len(file.genes), len(known))
    if len(match.given) >= max(1, MIN_MATCHED * possible):
        return
    lower = {name.casefold() for name in known}
    same = sum(gene.casefold() in lower for gene in file.genes)
    hint = "Expected genes by the names or by the symbols of the features (features.symbols)."
    if same >= MIN_MATCHED * possible:
        hint = f"{same:,} match if case is ignored: give the gene sets of the species of the study."
    raise InputError(
        f"enrichment.gene_sets: {len(match.given):,} of {count(len(file.genes), 'gene', separator=',')} in "
        f"{file.source} ({some(file.genes)}) are among the "
        f"{count(len(known), 'feature', separator=',')} ({some(known)}). {hint}"
    )
