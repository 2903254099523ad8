"""Figure of the filtering audit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from . import style
from .style import BLUE, GREY, NO_VALUE, ORANGE

if TYPE_CHECKING:
    import pandas as pd


def audit(audit: pd.DataFrame, path, most: int = 4, title="What filtering would have lost") -> Path:
    """Draw how many of the findings each usual choice would have discarded.

    Parameters
    ----------
    audit
        ``audit.tsv``: choice, of, n, n_lost, share_lost, lost, note.
    path
        File to write.
    most
        Number of lost features named in each row.
    title
        Written above the figure.

    Returns
    -------
    Path
        The file written; it says so when nothing was found that could be lost.

    Raises
    ------
    InputError
        If a column is missing.
    """
    import pandas as pd

    table = style.checked(audit, ("choice", "of", "n", "n_lost", "lost", "note"), "audit.tsv")
    if not (table["n"] > 0).any():
        return style.say(
            path,
            title,
            "Nothing was found that could be lost",
            "No feature is significant and no chord was found; audit_features.tsv says of every feature which choice "
            "would have kept it.",
        )
    kinds = [kind for kind in dict.fromkeys(table["of"]) if table.loc[table["of"] == kind, "n"].max() > 0]
    choices = list(dict.fromkeys(table["choice"]))
    wide, height = 2.4, 0.22 * len(kinds) * len(choices) + 0.16 * len(choices)
    thick = 0.8 / len(kinds)
    with style.sheet(path) as figure:
        ax = figure.add_axes((0, 0, wide, height))
        style.rows(ax, choices, margin=0.55)
        for k, (kind, colour) in enumerate(zip(kinds, (BLUE, ORANGE), strict=False)):
            for y, choice in enumerate(choices):
                row = table[(table["of"] == kind) & (table["choice"] == choice)].iloc[0]
                middle = y + (k - (len(kinds) - 1) / 2) * thick
                known = not pd.isna(row["n_lost"])
                share = float(row["n_lost"]) / row["n"] if known else 0.0
                ax.barh(middle, 1.0, height=0.86 * thick, color=NO_VALUE if known else "white", edgecolor=NO_VALUE,
                        linewidth=0.6)  # fmt: skip
                ax.barh(middle, share, height=0.86 * thick, color=colour)
                ax.text(1.03, middle, _said(row, known, most), fontsize=8, va="center",
                        color="black" if known else GREY)  # fmt: skip
        ax.set_xlim(0, 1)
        ax.set_xticks((0, 0.5, 1), ("0", "50 %", "100 %"))
        ax.set_xlabel("share lost")
        keys = [("s", colour, f"lost of {kind}") for kind, colour in zip(kinds, (BLUE, ORANGE), strict=False)]
        style.key(figure, -0.1, -0.5, [*keys, ("s", NO_VALUE, "kept")], columns=1)
        style.head(figure, ax, 5.6, title, "names by rank; every number counts features found without any filter")
    return Path(path)


def _said(row, known: bool, most: int) -> str:
    """Counts and the first names of what is lost, or why there is no number."""
    if not known:
        note = str(row["note"]).split(":")[0]
        return f"cannot be said: {note[:70]}"
    text = f"{int(row['n_lost'])} of {row['n']}"
    lost = [name for name in str(row["lost"]).split(",") if name] if isinstance(row["lost"], str) else []
    if lost:
        more = f", \u2026 {len(lost) - most} more" if len(lost) > most else ""
        text += (
            "  "
            + ", ".join(name if len(name) <= 22 else f"{name[:12]}\u2026{name[-8:]}" for name in lost[:most])
            + more
        )
    return text
