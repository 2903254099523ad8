"""Readable names beside the ids of features: symbols of known genes, aliases of novel transcripts."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

# Columns of `var` that hold symbols: of this workflow, of 10x and scanpy, and of CELLxGENE.
SYMBOLS = ("gene_name", "gene_symbol", "gene_symbols", "feature_name")


def add_aliases(table: pd.DataFrame, var: pd.DataFrame, novel: Mapping[str, str]) -> pd.DataFrame:
    """Add the column `alias` behind `feature`, unless no feature has a name besides its id.

    Parameters
    ----------
    table
        One row per feature, column `feature`.
    var
        Features of the expression matrix, by id; the first column of `SYMBOLS` is used.
    novel
        Id -> alias of novel transcripts. A new gene has the id of one of its transcripts.

    Returns
    -------
    pandas.DataFrame
        The table with the column; empty where a feature has no other name.
    """
    column = next((name for name in SYMBOLS if name in var), None)
    known = dict(zip(var.index.astype(str), var[column], strict=True)) if column else {}
    names = table["feature"].astype(str)
    alias = [novel.get(name) or _text(known.get(name)) for name in names]
    alias = ["" if own == name else own for own, name in zip(alias, names, strict=True)]
    if not any(alias):
        return table
    table = table.copy()
    table.insert(list(table.columns).index("feature") + 1, "alias", alias)
    return table


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
