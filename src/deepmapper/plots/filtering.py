"""Filtering audit: which findings the usual feature selections would have discarded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from . import style
from .style import BLUE, GREY, NO_VALUE, ORANGE

if TYPE_CHECKING:
    import pandas as pd


def audit(audit: pd.DataFrame, path, max_names: int = 4, title="What filtering would have lost") -> Path:
    """Draw how many of the findings each usual choice of features would have discarded.

    Parameters
    ----------
    audit
        ``audit.tsv``: choice, of, n, n_lost, share_lost, lost, note.
    path
        File to write.
    max_names
        Number of lost features named in each row.
    title
        Title of the figure.

    Returns
    -------
    Path
        The file written. If no finding would have been lost, the figure says so.

    Raises
    ------
    InputError
        If a column is missing.
    """
    import pandas as pd

    table = style.require_columns(audit, ("choice", "of", "n", "n_lost", "lost", "note"), "audit.tsv")
    # the list to report is only compared with the composition of the samples, in the table
    table = table[table.groupby("of")["choice"].transform("size") == table["choice"].nunique()]
    if not (table["n"] > 0).any():
        return style.save_message(
            path,
            title,
            "There are no findings to lose",
            "No feature is significant and no chord was found. For every feature, audit_features.tsv lists which "
            "choices would have kept it.",
        )
    if not (table["n_lost"] > 0).any():
        return style.save_message(
            path,
            title,
            "No filter that could be applied would have lost a finding",
            "audit.tsv lists the filters, and why some could not be applied.",
        )
    kinds = [kind for kind in dict.fromkeys(table["of"]) if table.loc[table["of"] == kind, "n"].max() > 0]
    choices = list(dict.fromkeys(table["choice"]))
    width, height = 2.4, 0.22 * len(kinds) * len(choices) + 0.16 * len(choices)
    bar = 0.8 / len(kinds)
    with style.saved_figure(path) as figure:
        ax = figure.add_axes((0, 0, width, height))
        style.label_rows(ax, choices, margin=0.55)
        for k, (kind, colour) in enumerate(zip(kinds, (BLUE, ORANGE), strict=False)):
            for y, choice in enumerate(choices):
                row = table[(table["of"] == kind) & (table["choice"] == choice)].iloc[0]
                middle = y + (k - (len(kinds) - 1) / 2) * bar
                known = not pd.isna(row["n_lost"])
                share = float(row["n_lost"]) / row["n"] if known else 0.0
                ax.barh(middle, 1.0, height=0.86 * bar, color=NO_VALUE if known else "white", edgecolor=NO_VALUE,
                        linewidth=0.6)  # fmt: skip
                ax.barh(middle, share, height=0.86 * bar, color=colour)
                ax.text(1.03, middle, _description(row, known, max_names), fontsize=8, va="center",
                        color="black" if known else GREY)  # fmt: skip
        ax.set_xlim(0, 1)
        ax.set_xticks((0, 0.5, 1), ("0", "50 %", "100 %"))
        ax.set_xlabel("share lost")
        keys = [("s", colour, f"lost: {kind}") for kind, colour in zip(kinds, (BLUE, ORANGE), strict=False)]
        style.add_legend(figure, -0.1, -0.5, [*keys, ("s", NO_VALUE, "kept")], columns=1)
        note = "names in order of rank; all findings were made without a filter"
        style.add_heading(figure, ax, 5.6, title, note)
    return Path(path)


def _description(row, known: bool, max_names: int) -> str:
    """Number and first names of the lost findings, or why there is no number."""
    if not known:
        note = str(row["note"]).split(":")[0]
        return f"not available: {note[:70]}"
    text = f"{int(row['n_lost']):,} of {row['n']:,}"
    cell = row["lost_alias"] if isinstance(row.get("lost_alias"), str) and row["lost_alias"] else row["lost"]
    lost = [name for name in cell.split(",") if name] if isinstance(cell, str) else []
    if lost:
        names = [name if len(name) <= 22 else f"{name[:12]}\u2026{name[-8:]}" for name in lost[:max_names]]
        text += f": {', '.join(names)}"
        if len(lost) > max_names:
            text += f", \u2026 {len(lost) - max_names:,} more"
    return text
