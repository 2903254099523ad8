"""Gene sets that are enriched in the list to report and in the rankings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.words import count
from . import style
from .style import BLACK, BLUE, ORANGE

if TYPE_CHECKING:
    import pandas as pd

MAX_SETS, MAX_COLUMNS = 30, 40  # drawn

CELL = 0.24  # inches

TESTS = {"list": "in the list", "ranking": "in the ranking"}

WHOLE_LIST = "all classes"  # the list to report; its parts go by their class

_ANSWER = ["of", "within", "class", "versus"]


def enriched_sets(
    table: pd.DataFrame, path, *, summary: Mapping, per_answer: int = 3, title="Enriched gene sets"
) -> Path:
    """Draw the sets that are enriched, a row each, in the list to report, its parts and every ranking, a column each.

    Parameters
    ----------
    table
        ``enrichment.tsv``.
    path
        File to write.
    summary
        ``enrichment.json``: statement and level.
    per_answer
        Number of sets drawn for each list and ranking: the first by p that resemble no other.
    title
        Title of the figure.

    Returns
    -------
    Path
        The file written. If no set is enriched, the figure says so.

    Raises
    ------
    InputError
        If a column is missing.
    """
    needed = ("test", *_ANSWER, "set", "z", "q", "similar_to")
    table = style.require_columns(table, needed, "enrichment.tsv")
    table = table.assign(**{name: table[name].fillna("").astype(str) for name in (*_ANSWER, "similar_to")})
    enriched = table[table["q"] <= summary["level"]]
    if enriched.empty:
        return style.save_message(path, title, "No gene set is enriched", summary["statement"])
    first = enriched[enriched["similar_to"] == ""].groupby(["test", *_ANSWER], sort=False).head(per_answer)
    sets = list(dict.fromkeys(first["set"]))[:MAX_SETS]
    panels = [(text, table[table["test"] == test]) for test, text in TESTS.items()]
    columns = [_columns(rows) for _, rows in panels]
    left, height = 0.0, CELL * len(sets) + 0.1
    with style.saved_figure(path) as figure:
        axes: list[Any] = []
        for (text, rows), answers in zip(panels, columns, strict=True):
            if not answers:
                continue
            width = CELL * len(answers) + 0.1
            ax = figure.add_axes((left, 0, width, height))
            _draw(ax, rows, answers, sets, summary["level"], names=not axes)
            ax.set_title(text if width > 1.6 else text.replace("the ", "the\n", 1), fontsize=9, loc="left")
            axes.append(ax)
            left += max(width, 0.9) + 0.3
        keys = [("o", BLUE, "enriched"), ("o", ORANGE, "ranking: towards its lower end"),
                ("h", BLACK, f"not enriched at q \u2264 {summary['level']:g}")]  # fmt: skip
        style.add_legend(figure, left - 0.2, height, keys)
        shown = f"{count(len(sets), 'set')} shown" if len(sets) < summary["n_enriched"] else ""
        notes = [summary["statement"].rstrip("."), "area: \u2212log10 q, up to 10", shown]
        style.add_heading(figure, axes[0], max(left, 5.0), title, "; ".join(filter(None, notes)), above=0.45)
    return Path(path)


def _columns(rows: pd.DataFrame) -> dict[tuple, str]:
    """What is drawn as columns: list or ranking -> its name."""
    keys = list(dict.fromkeys(rows[_ANSWER].itertuples(index=False, name=None)))[:MAX_COLUMNS]
    named = [
        f"{within + ': ' if within else ''}{name}{f' against {versus}' if versus not in ('', 'rest') else ''}"
        if name
        else WHOLE_LIST
        if of == "recommended"
        else of
        for of, within, name, versus in keys
    ]
    return dict(zip(keys, style.display_names(named), strict=True))


def _draw(ax, rows: pd.DataFrame, answers: dict, sets: list[str], level: float, *, names: bool) -> None:
    """Draw one dot per set and answer that was tested."""
    place = {key: i for i, key in enumerate(answers)}
    row = {name: i for i, name in enumerate(sets)}
    style.label_rows(ax, style.display_names(sets) if names else None, len(sets), margin=0.6)
    style.label_columns(ax, list(answers.values()))
    ax.set_xlim(-0.6, len(answers) - 0.4)
    ax.grid()
    drawn = rows[rows["set"].isin(sets)]
    keys = list(drawn[_ANSWER].itertuples(index=False, name=None))
    x = np.array([place.get(key, -1) for key in keys])
    y = np.array([row[name] for name in drawn["set"]])
    q, z = drawn["q"].to_numpy(dtype=float), drawn["z"].fillna(0).to_numpy(dtype=float)
    area = 8 + 9 * np.clip(-np.log10(np.maximum(q, 1e-300)), 0, 10)
    for found, down in ((True, False), (True, True), (False, False), (False, True)):
        chosen = (x >= 0) & ((q <= level) == found) & ((z < 0) == down)
        colour = ORANGE if down else BLUE
        ax.scatter(x[chosen], y[chosen], s=area[chosen], facecolors=colour if found else "white",
                   edgecolors=colour if found else "#BBBBBB", linewidths=0 if found else 0.6, zorder=3)  # fmt: skip
