"""Symbols of the features: a column of the matrix, or a table that names every id."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.delimited import find_layout, read_records
from ..core.match_names import TRANSCRIPT_HABITS, match_names
from ..core.missing import MISSING_WORDS, is_missing
from ..core.words import count, some
from ..errors import DeepMapperWarning, InputError

if TYPE_CHECKING:
    import pandas as pd

# Columns of `var` that hold symbols: of this workflow, of 10x and scanpy, and of CELLxGENE; the first there is counts.
SYMBOL_COLUMNS = ("gene_name", "gene_symbol", "gene_symbols", "symbol", "feature_name")

AUTO, NONE = "auto", "none"

_TABLE = re.compile(r".*\.(tsv|csv|txt)(\.(gz|bz2|xz))?", re.IGNORECASE)


@dataclass(frozen=True)
class Symbols:
    """Readable names of the features.

    Attributes
    ----------
    by_feature
        Symbol of every feature that has one besides its id, by id.
    statement
        How many features have one, and where it comes from; "" if none has.
    """

    by_feature: dict[str, str]
    statement: str = ""


def is_symbol_table(option: str) -> bool:
    """Whether the option `features.symbols` is the path of a table, rather than a column of the matrix."""
    return "/" in option or _TABLE.fullmatch(option) is not None


def find_symbols(
    option: str, columns: Sequence[str], var: pd.DataFrame, novel: Mapping[str, str] | None = None
) -> Symbols:
    """Find the symbols of the features.

    Parameters
    ----------
    option
        "auto": the first of `SYMBOL_COLUMNS` that has symbols; "none"; a column of `var`; or the path of a table.
    columns
        Of the table: the columns of ids and of symbols; empty: the first two.
    var
        Features of the expression matrix, by id.
    novel
        Id -> alias of novel transcripts; these are kept whatever the option. A new gene has the id of one of its
        transcripts.

    Raises
    ------
    InputError
        If there is no such column or table, or if it names no feature.
    """
    ids = [str(name) for name in var.index]
    if option == NONE:
        known, place = {}, ""
    elif is_symbol_table(option):
        known, place = _of_table(option, columns, ids), option
    else:
        known, place = _of_column(option, var, ids)
    known = {name: symbol for name, symbol in known.items() if symbol != name}
    statement = ""
    if known:
        named = f"{len(known):,} of {count(len(ids), 'feature', separator=',')}"
        statement = f"Symbols of {named} are shown beside their ids, from {place}."
    return Symbols({**known, **{name: alias for name, alias in (novel or {}).items() if alias}}, statement)


def symbol_table(symbols: Symbols, var: pd.DataFrame) -> pd.DataFrame:
    """Contents of findings/aliases.tsv: one row per feature, `feature` and `alias`, empty where there is none."""
    import pandas as pd

    ids = [str(name) for name in var.index]
    return pd.DataFrame({"feature": ids, "alias": [symbols.by_feature.get(name, "") for name in ids]})


def _of_column(option: str, var: pd.DataFrame, ids: Sequence[str]) -> tuple[dict[str, str], str]:
    """Symbols in a column of the matrix, and where that is; nothing if no column was asked for and none is known."""
    if option != AUTO:
        if option not in var:
            raise InputError(
                f"features.symbols is {option!r}, which is not a column of the features (var). Expected one of "
                f"{some(map(str, var.columns), 20) or 'none'}, the path of a table (.tsv, .csv), 'auto' or 'none'."
            )
        if not (found := _texts(ids, var[option])):
            raise InputError(
                f"features.symbols: the column {option!r} of the features (var) holds no text. Name one with symbols."
            )
        return found, f"the column {option} of the matrix"
    for name in SYMBOL_COLUMNS:
        found = _texts(ids, var[name]) if name in var else {}
        if any(symbol != own for own, symbol in found.items()):
            return found, f"the column {name} of the matrix (setting: features.symbols)"
    return {}, ""


def _texts(ids: Sequence[str], values: pd.Series) -> dict[str, str]:
    pairs = zip(ids, values, strict=True)
    return {own: text.strip() for own, text in pairs if isinstance(text, str) and not is_missing(text)}


def _of_table(path: str, columns: Sequence[str], ids: Sequence[str]) -> dict[str, str]:
    """Symbols in a table; ids that differ by their version or by blanks are the same where that is one-to-one."""
    layout = find_layout(path)
    for notice in layout.notices:
        warnings.warn(notice, DeepMapperWarning, stacklevel=4)
    positions = _positions(path, columns, layout.header)
    symbols: dict[str, str] = {}
    several: list[str] = []
    for _, cells in read_records(layout):
        own, symbol = (cells[i] for i in positions)
        if is_missing(own, ()) or is_missing(symbol, MISSING_WORDS):
            continue
        if symbols.setdefault(own, symbol) != symbol:
            several.append(own)
    match = match_names(ids, symbols, TRANSCRIPT_HABITS)
    if not match.given:
        raise InputError(
            f"features.symbols: none of the {count(len(symbols), 'id')} in {path} (column "
            f"{layout.header[positions[0]]!r}: {some(symbols)}) is among the features ({some(ids)}). Expected the ids "
            "of the features in this column; name the columns in features.symbol_columns: [id, symbol]."
        )
    if known := set(several) & set(match.given.values()):
        warnings.warn(
            f"{path}: {count(len(known), 'id')} with several symbols ({some(sorted(known))}); the first is shown.",
            DeepMapperWarning,
            stacklevel=4,
        )
    return {own: symbols[given] for own, given in match.given.items()}


def _positions(path: str, columns: Sequence[str], header: Sequence[str]) -> tuple[int, int]:
    """Positions of the ids and of the symbols in the table."""
    if not columns:
        return 0, 1
    if absent := [name for name in columns if name not in header]:
        raise InputError(
            f"features.symbol_columns: {path} has no column {absent[0]!r}; its columns are {some(header, 20)}."
        )
    return header.index(columns[0]), header.index(columns[1])
