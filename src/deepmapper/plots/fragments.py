"""Where the fragments of every sample went."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.words import count
from . import style
from .style import BLUE, GREY, MAX_VECTOR_POINTS, NO_VALUE, VERMILLION

if TYPE_CHECKING:
    import pandas as pd

MAX_NAMED_SAMPLES = 60  # more rows with names would make a figure longer than a screen

# Column of fragments.tsv: colour, and text of the legend.
_PLACES = {
    "known_rate": (BLUE, "counted on known transcripts"),
    "novel_rate": (VERMILLION, "counted on novel transcripts"),
    "aligned_not_counted_rate": (GREY, "aligned to the genome, not counted"),
    "captured_not_counted_rate": (NO_VALUE, "neither aligned nor counted"),
}


def fragment_fates(fragments: pd.DataFrame, path, title="Where the fragments of every sample went") -> Path:
    """Draw the shares of every sample's fragments by place, which add up to 1.

    Up to 60 samples have a row each, with their name and number of fragments. More are drawn side by side without
    names, in the order of the table, in a figure of constant size.

    Parameters
    ----------
    fragments
        ``reads/fragments.tsv``: sample, fragments, known_rate, novel_rate, aligned_not_counted_rate and
        captured_not_counted_rate.
    path, title
        See `features.ranking`.

    Returns
    -------
    Path
        The file written. If there is no sample, the figure says so.

    Raises
    ------
    InputError
        If a column is missing.
    """
    table = style.require_columns(fragments, ("sample", "fragments", *_PLACES), "fragments.tsv")
    if table.empty:
        return style.save_message(path, title, "There are no samples", "fragments.tsv has no row.")
    n, width = len(table), 4.6
    shares = table[list(_PLACES)].to_numpy(dtype=float)
    ends = np.hstack([np.zeros((n, 1)), shares.cumsum(axis=1)])
    with style.saved_figure(path) as figure:
        if n <= MAX_NAMED_SAMPLES:
            ax = figure.add_axes((0, 0, width, style.ROW_HEIGHT * n + 0.1))
            _rows(ax, table, ends)
        else:
            ax = figure.add_axes((0, 0, width, 2.4))
            _areas(ax, ends)
        keys = [("s", colour, text) for colour, text in _PLACES.values()]
        style.add_legend(figure, -0.1, -0.5, keys, columns=2)
        style.add_heading(figure, ax, width + 0.8, title, _note(table["fragments"].to_numpy(dtype=float)))
    return Path(path)


def _rows(ax, table: pd.DataFrame, ends: np.ndarray) -> None:
    """One bar per sample, from top to bottom, with its number of fragments."""
    y = np.arange(len(table))
    for place, (colour, _) in enumerate(_PLACES.values()):
        ax.barh(y, ends[:, place + 1] - ends[:, place], left=ends[:, place], height=0.78, color=colour)
    style.label_rows(ax, style.display_names(table["sample"]))
    for row, fragments in enumerate(table["fragments"].to_numpy(dtype=float)):
        ax.text(1.02, row, "" if np.isnan(fragments) else f"{fragments:,.0f}", va="center", fontsize=8)
    ax.set_xlim(0, 1)
    ax.set_xlabel("share of the fragments")


def _areas(ax, ends: np.ndarray) -> None:
    """Samples side by side, as wide as there is room."""
    edges = np.arange(len(ends) + 1) + 0.5
    for place, (colour, _) in enumerate(_PLACES.values()):
        ax.stairs(
            np.nan_to_num(ends[:, place + 1]),
            edges,
            baseline=np.nan_to_num(ends[:, place]),
            fill=True,
            color=colour,
            linewidth=0,
            rasterized=ends.size > MAX_VECTOR_POINTS,
        )
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(0, 1)
    ax.set_xlabel("sample, in the order of the table")
    ax.set_ylabel("share of the fragments")


def _note(fragments: np.ndarray) -> str:
    """Number of samples and of fragments."""
    known = fragments[~np.isnan(fragments)]
    note = count(len(fragments), "sample", separator=",")
    if not known.size:
        return note
    low, high = (f"{value:,.0f}" for value in (known.min(), known.max()))
    return f"{note} of {low} fragments" if low == high else f"{note} of {low} to {high} fragments"
