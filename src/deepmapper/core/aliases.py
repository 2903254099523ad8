"""Readable names beside the ids of features: symbols of known genes, aliases of novel transcripts.

The id stays the key everywhere. `findings/aliases.tsv` has the readable names of a run; whatever shows features takes
them from there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

FEATURE, ALIAS = "feature", "alias"


def alias_column(column: str) -> str:
    """Name of the column with the readable names of another column: `alias` for `feature`, else `{column}_alias`."""
    return ALIAS if column == FEATURE else f"{column}_{ALIAS}"


def alias_of(table: pd.DataFrame) -> dict[str, str]:
    """Readable name of every feature that has one, by id, from a table with the columns `feature` and `alias`."""
    if ALIAS not in table:
        return {}
    known = table[table[ALIAS].notna() & (table[ALIAS] != "")]
    return dict(zip(known[FEATURE].astype(str), known[ALIAS].astype(str), strict=True))


def add_aliases(table: pd.DataFrame, aliases: Mapping[str, str], columns: Sequence[str] = (FEATURE,)) -> pd.DataFrame:
    """Add readable names behind some columns of ids; no column where no id has one.

    Parameters
    ----------
    table
        Any table.
    aliases
        Readable name of every feature that has one, by id.
    columns
        Columns of ids. A cell of several ids, separated by commas, gets a name for each: the id itself for those that
        have no other.

    Returns
    -------
    pandas.DataFrame
        The table with the columns `alias_column`; the table itself if there is nothing to add.
    """
    for column in columns:
        if column not in table:
            continue
        names = [_readable_cell(cell, aliases) for cell in table[column]]
        if any(names):
            table = table.copy()
            table.insert(list(table.columns).index(column) + 1, alias_column(column), names)
    return table


def readable_names(names: Iterable[str], aliases: Mapping[str, str]) -> list[str]:
    """Names to show: the readable one, with the id in brackets where several features go by it, else the id."""
    ids = [str(name) for name in names]
    shown = Counter(aliases.get(name) or name for name in dict.fromkeys(ids))
    return [f"{alias} ({name})" if (alias := aliases.get(name)) and shown[alias] > 1 else alias or name for name in ids]


def _readable_cell(cell: object, aliases: Mapping[str, str]) -> str:
    """Readable names of the ids in a cell; "" if none has one."""
    if not isinstance(cell, str) or not cell:
        return ""
    if cell in aliases:
        return aliases[cell]
    ids = cell.split(",")
    return ",".join(aliases.get(name) or name for name in ids) if any(name in aliases for name in ids) else ""
