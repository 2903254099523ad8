"""One table as a self-contained page with sorting and search."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..core.nothing import NOTHING_TO_SHOW
from .page import render

MAX_ROWS = 2000  # on a page, which stays quick to open; the file has all rows

# Letters of the rows on a page; a page above 2 MB as a data URI stays blank in the frame of Snakemake's report.
MAX_LETTERS = 1_200_000


# Columns of p- and q-values, such as q, differential_p and p_against_linear.
_RATE = re.compile(r"(.*_)?[pq](_.*)?")


def table_page(
    table: pd.DataFrame,
    title: str,
    about: str,
    source: str,
    notes: Mapping[str, str] | None = None,
    lead: str = "",
    max_rows: int = MAX_ROWS,
    empty: bool = False,
) -> str:
    """Render a table as a page.

    Parameters
    ----------
    table
        The table, with its rows in the order in which they are shown first.
    title, about
        Heading, and one or a few sentences on how to read the table.
    source
        Path of the file with the complete table.
    notes
        Meaning of each column by its name; ``name[*]`` describes all columns ``name[CLASS]``.
    lead
        Column that stays visible when the table is scrolled sideways; by default the first.
    max_rows
        Largest number of rows on the page; if there are more, the page names the file that has them all.
    empty
        Whether the rows say nothing, so that reports can leave the page out; it is so without rows, too.
    """
    columns, notes = [str(name) for name in table.columns], notes or {}
    lead = lead or (columns[0] if columns else "")
    shown = table.head(max_rows)
    numeric = [bool(pd.api.types.is_numeric_dtype(t) and not pd.api.types.is_bool_dtype(t)) for t in shown.dtypes]
    meanings = [notes.get(name) or notes.get(f"{name.partition('[')[0]}[*]", "") for name in columns]
    of_class = ["[" in name and name.endswith("]") for name in columns]
    rows = _first_rows(shown)
    data = {
        "columns": columns,
        "rows": rows,
        "lead": columns.index(lead) if columns else 0,
        "numeric": numeric,
        "rates": [is_number and bool(_RATE.fullmatch(name)) for name, is_number in zip(columns, numeric, strict=True)],
        "optional": of_class,
        "notes": meanings,
    }
    return render(
        "table.html.j2",
        title=title,
        about=about,
        nothing=NOTHING_TO_SHOW if empty or table.empty else "",
        source=source,
        n_rows=len(table),
        n_shown=len(rows),
        n_class_columns=sum(of_class),
        meanings=_meanings(columns, meanings),
        data=data,
    )


def _first_rows(table: pd.DataFrame) -> list[list]:
    """Rows as JSON types, as many as `MAX_LETTERS` allow, but at least one."""
    rows, letters = [], 0
    for row in table.itertuples(index=False, name=None):
        rows.append([_plain(value) for value in row])
        letters += len(json.dumps(rows[-1], ensure_ascii=True))
        if letters > MAX_LETTERS:
            return rows[:-1] or rows
    return rows


def _plain(value):
    """A value as a JSON type; None if it is missing or not finite."""
    if value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value


def _meanings(columns: list[str], meanings: list[str]) -> dict[str, str]:
    """Meaning of the columns by name; columns of the classes appear once, as ``name[class]``."""
    by_name: dict[str, str] = {}
    for name, meaning in zip(columns, meanings, strict=True):
        if meaning:
            key = f"{name.partition('[')[0]}[class]" if name.endswith("]") else name
            by_name.setdefault(key, meaning)
    return by_name
