"""Which features of one matrix are which of another: by name, or else by gene id or symbol."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.match_names import match_features
from ..core.missing import is_missing
from ..errors import DeepMapperWarning
from .assemble import column_index
from .symbols import SYMBOL_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

# Entry of `uns` with a sentence on features that are left out, since not all parts of a matrix have them.
LEFT_OUT = "features_left_out"

_OTHER_NAMES = ("gene_ids", *SYMBOL_COLUMNS)

# An id of a gene by Ensembl, with the letters of its species; none for human.
_ENSEMBL = re.compile(r"(ENS[A-Z]*?)G\d{11}(\.\d+)?")


def columns_by_name_of(
    first: pd.DataFrame, own: pd.DataFrame, path: Path | str, of: str = "first population"
) -> dict[str, int]:
    """Map features to columns of a matrix, under the names of the first matrix where it has them too.

    Names are matched as in `core.match_names.match_features`. If less than half of them have a partner, other names may
    have more: the names of one matrix, and gene ids or symbols in a column of the other (`gene_ids`, `SYMBOL_COLUMNS`).

    Parameters
    ----------
    first, own
        Features of the first matrix and of the matrix itself, by name.
    path
        The matrix itself, for messages.
    of
        What the first matrix is, for messages.

    Warns
    -----
    DeepMapperWarning
        If names that differ were matched.
    """
    names, own_names = list(first.index), list(own.index)
    match = match_features(names, own_names)
    name_of = {given: name for name, given in match.given.items()}
    text = match.describe("feature")
    if 2 * len(match.given) < min(len(names), len(own_names)):
        others = _match_by_others(first, own)
        if len(others) > len(match.given):
            name_of = others
            text = (
                f"{len(others)} features matched by gene ids or symbols that one of the two has in a column, since "
                f"only {len(match.given)} have the same name"
            )
    if text:
        warnings.warn(f"{path}: {text}. The names of the {of} are used.", DeepMapperWarning, stacklevel=4)
    taken = set(names)
    return {
        name_of.get(name, name): column
        for name, column in column_index(own_names).items()
        if name in name_of or name not in taken
    }


def _match_by_others(first: pd.DataFrame, own: pd.DataFrame) -> dict[str, str]:
    """Name in the first matrix of features that have another name there, by the column that matches the most."""
    best: dict[str, str] = {}
    for column in _OTHER_NAMES:
        for one, other in (
            (_named_once(first, column), {name: name for name in own.index}),
            ({name: name for name in first.index}, _named_once(own, column)),
        ):
            match = match_features(one, other)
            if len(match.given) > len(best):
                best = {other[given]: one[wanted] for wanted, given in match.given.items()}
    return best


def _named_once(table: pd.DataFrame, column: str) -> dict[str, str]:
    """Name of the feature by its text in a column; texts of several features are left out."""
    if column not in table:
        return {}
    texts = list(map(str, table[column]))
    times = Counter(texts)
    return {
        text: name for text, name in zip(texts, table.index, strict=True) if times[text] == 1 and not is_missing(text)
    }


def other_names(var: pd.DataFrame) -> list[str] | None:
    """Further names of the features: gene ids, or else symbols; None if there is no column of them."""
    names = list(map(str, var.index))
    columns = (list(map(str, var[column])) for column in _OTHER_NAMES if column in var)
    return next((texts for texts in columns if texts != names), None)


def why_few_shared(names: Sequence[str], own_names: Sequence[str]) -> str:
    """Say what may be behind features of which few are shared, and what to do; "" if nothing is recognised."""
    left, own_left = set(names) - set(own_names), set(own_names) - set(names)
    folded = {name.casefold() for name in left} & {name.casefold() for name in own_left}
    if folded and 2 * len(folded) >= min(len(names), len(own_names)):
        return (
            "Names differ in upper and lower case, as those of human and mouse do: if the species is another one, give "
            "the orthologues the names of the reference; if not, write all names as the reference does."
        )
    species, own_species = _species(names), _species(own_names)
    if bool(species) != bool(own_species):
        return (
            "One of the two has Ensembl ids and the other has not: give one of them the other's names, in a column of "
            "var such as gene_ids or gene_symbols, or as its names."
        )
    if species and own_species and species != own_species:
        return (
            f"The Ensembl ids are those of two species ({species}G... and {own_species}G...): give the orthologues the "
            "names of the reference."
        )
    return ""


def _species(names: Sequence[str]) -> str:
    """Letters before the G of the Ensembl ids of most of the names; "" if most are no such ids."""
    found = Counter(match[1] for name in names if (match := _ENSEMBL.fullmatch(str(name))))
    prefix, n = found.most_common(1)[0] if found else ("", 0)
    return prefix if 2 * n > len(names) else ""
