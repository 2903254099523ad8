"""The members of gene chords against each other, sample by sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.aliases import readable_names
from . import style
from .chords import save_no_chord
from .style import BLUE, GREY, MAX_VECTOR_POINTS

if TYPE_CHECKING:
    import pandas as pd

MAX_CHORDS = 6  # drawn, the first of the table

MAX_DRAWN_SAMPLES = 5000  # in each panel, evenly over their order

_SIDE, _COLUMNS = 2.1, 3  # inches, panels side by side


def first_members(chords: pd.DataFrame) -> list[tuple[str, str]]:
    """The first member of each of the first two sides of the chords that are drawn."""
    rows = chords.head(MAX_CHORDS)
    return [(str(a).split(",")[0], str(b).split(",")[0]) for a, b in zip(rows["core_1"], rows["core_2"], strict=True)]


def chord_members(
    chords: pd.DataFrame,
    values: Mapping[str, np.ndarray],
    labels: Sequence[str],
    path,
    *,
    aliases: Mapping[str, str] | None = None,
    why: str = "",
    title="Members of the chords, sample by sample",
) -> Path:
    """Draw one member of each side of a chord against the other; the class stands apart only in the two together.

    Parameters
    ----------
    chords
        ``findings/chords.tsv``.
    values
        (n,) value of each member named by `first_members`, in the samples.
    labels
        (n,) class of each sample.
    path, why, title, aliases
        See `chords.chord_networks`.

    Returns
    -------
    Path
        The file written. If there is no chord, the figure says so.

    Raises
    ------
    InputError
        If a column is missing.
    """
    table = style.require_columns(chords, ("chord", "class", "core_1", "core_2"), "chords.tsv")
    if table.empty:
        return save_no_chord(path, title, why)
    own, pairs = np.asarray(labels, dtype=str), first_members(table)
    with style.saved_figure(path) as figure:
        axes = []
        for i, (row, pair) in enumerate(zip(table.head(MAX_CHORDS).to_dict("records"), pairs, strict=True)):
            place = (i % _COLUMNS * (_SIDE + 0.75), -(i // _COLUMNS) * (_SIDE + 1.0), _SIDE, _SIDE)
            ax = figure.add_axes(place)
            x, y = (np.asarray(values[name], dtype=float) for name in pair)
            inside = own == str(row["class"])
            for chosen, colour in ((~inside, GREY), (inside, BLUE)):
                ax.scatter(x[chosen], y[chosen], s=float(np.clip(6000 / len(x), 2.0, 16.0)), c=colour, alpha=0.6,
                           linewidths=0, rasterized=len(x) * len(pairs) > MAX_VECTOR_POINTS)  # fmt: skip
            names = style.display_names(readable_names(pair, aliases or {}))
            ax.set_xlabel(style.shortened(names[0], 26))
            ax.set_ylabel(style.shortened(names[1], 26))
            ax.locator_params(nbins=4)
            ax.set_title(f"{row['chord']}: {style.shortened(row['class'], 26)}", fontsize=9, loc="left")
            axes.append(ax)
        rows = (len(pairs) - 1) // _COLUMNS
        marks = [("o", BLUE, "the class that the chord predicts"), ("o", GREY, "all other samples")]
        style.add_legend(figure, -0.1, -rows * (_SIDE + 1.0) - 0.55, marks, columns=2)
        note = "the first member of each side, all samples with a label; the class differs in how the two go together"
        width = max(min(len(pairs), _COLUMNS) * (_SIDE + 0.75), 4.6)
        style.add_heading(figure, axes[0], width, title, note, above=0.32)
    return Path(path)
