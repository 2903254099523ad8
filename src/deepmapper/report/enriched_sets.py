"""The enriched gene sets on the summary page: of the list to report or, without one, of every ranking."""

from __future__ import annotations

import pandas as pd

from .page import rate_of

_ANSWER = ["of", "within", "class", "versus"]

_MAX_LINES = 24  # lists and rankings on the page

_MAX_MEMBERS = 4  # named of each set


def enriched_sets(table: pd.DataFrame, level: float, top: int = 2) -> list[tuple[str, str]]:
    """Name the first enriched sets of the list to report, and of its part of every class: (name, text).

    Without a list, these are the sets of the rankings.

    Parameters
    ----------
    table
        enrichment.tsv.
    level
        False discovery rate at which a set is enriched.
    top
        Number of sets named for each; sets that resemble a stronger one are not named.
    """
    named = table.assign(**{name: table[name].fillna("").astype(str) for name in (*_ANSWER, "similar_to")})
    if (named["test"] == "list").any():
        named = named[named["test"] == "list"]
    lines = []
    for (test, of, within, name, versus), rows in named.groupby(["test", *_ANSWER], sort=False):
        text = _sets(rows[rows["q"] <= level], top)
        lines.append((_title(test, of, within, name, versus), text or "none."))
    return lines[:_MAX_LINES]


def _title(test: str, of: str, within: str, name: str, versus: str) -> str:
    if test == "list":
        return f"higher in {name}" if name else "the whole list"
    what = f"{within}: " if within else ""
    what += f"{name} against {'all others' if versus == 'rest' else versus}" if name else of
    return f"ranking of {what}"


def _sets(enriched: pd.DataFrame, top: int) -> str:
    """The first sets in words; "" if there is none."""
    apart = enriched[enriched["similar_to"] == ""]
    parts = []
    for _, row in apart.head(top).iterrows():
        members = row["members"].split(",") if isinstance(row["members"], str) else []
        more = ", ..." if len(members) > _MAX_MEMBERS else ""
        where = ", lower" if row["z"] < 0 else ""
        names = f"{', '.join(members[:_MAX_MEMBERS])}{more}; " if members else ""
        size = f"{row['n_found']:.0f} of {row['n_set']:.0f}, " if row["test"] == "list" else ""
        parts.append(f"{row['set']} ({names}{size}{rate_of('q', row['q'])}{where})")
    more_sets = len(enriched) - len(parts)
    return "; ".join(parts) + (f"; and {more_sets} more." if more_sets else "." if parts else "")
