"""One table as a self-contained page that can be sorted and searched."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from .page import render

MAX_ROWS = 2000  # held by a page; the file holds all


def table_page(
    table: pd.DataFrame,
    title: str,
    about: str,
    source: str,
    notes: Mapping[str, str] | None = None,
    lead: str = "",
    most: int = MAX_ROWS,
) -> str:
    """Write the page.

    Parameters
    ----------
    table
        Its rows in the order in which they are shown first.
    title, about
        Heading, and how to read the table in a sentence or a few.
    source
        Where the whole table lies, as a person finds it.
    notes
        What columns mean; ``name[*]`` speaks of all columns ``name[CLASS]``.
    lead
        Column that stays in sight, by default the first. Columns ``name[CLASS]`` are shown on demand.
    most
        Rows held by the page, from the first on; the page says where the others are.
    """
    columns, notes = [str(name) for name in table.columns], notes or {}
    lead = lead or (columns[0] if columns else "")
    held = table.head(most)
    numeric = [bool(pd.api.types.is_numeric_dtype(t) and not pd.api.types.is_bool_dtype(t)) for t in held.dtypes]
    meanings = [notes.get(name) or notes.get(f"{name.partition('[')[0]}[*]", "") for name in columns]
    optional = ["[" in name and name.endswith("]") for name in columns]
    data = {
        "columns": columns,
        "rows": [[_plain(value) for value in row] for row in held.itertuples(index=False, name=None)],
        "lead": columns.index(lead) if columns else 0,
        "numeric": numeric,
        "optional": optional,
        "notes": meanings,
    }
    return render(
        "table.html.j2",
        title=title,
        about=about,
        source=source,
        n_rows=len(table),
        n_held=len(held),
        n_by_class=sum(optional),
        meanings=_meanings(columns, meanings),
        data=data,
    )


def _plain(value):
    """A value as JSON knows it; null where there is none."""
    if value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value


def _meanings(columns: list[str], meanings: list[str]) -> dict[str, str]:
    """What columns mean by their name, those of the classes once."""
    told: dict[str, str] = {}
    for name, meaning in zip(columns, meanings, strict=True):
        if meaning:
            told.setdefault(f"{name.partition('[')[0]}[class]" if name.endswith("]") else name, meaning)
    return told
