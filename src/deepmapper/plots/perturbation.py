"""What perturbed features and chords change."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.aliases import readable_names
from . import style
from .style import BLACK, BLUE, VERMILLION

if TYPE_CHECKING:
    import pandas as pd


def perturbed_features(
    table: pd.DataFrame, path, *, level: float = 0.1, summary: Mapping, top: int = 15, title="Perturbed features"
) -> Path:
    """Draw the largest change of a class's probability by each of the first items, one panel for each kind.

    Parameters
    ----------
    table
        ``perturbation.tsv``.
    path
        File to write.
    level
        False discovery rate up to which a mark is filled.
    summary
        ``perturbation.json``: statement.
    top
        Number of items in a panel.
    title
        Title of the figure.

    Returns
    -------
    Path
        The file written. If nothing was perturbed, the figure says so.

    Raises
    ------
    InputError
        If a column is missing.
    """
    interval = ("change", "change_low", "change_high")
    table = style.require_columns(table, ("item", "how", "class", *interval, "q"), "perturbation.tsv")
    table = table[table["change"].notna()]
    if table.empty:
        return style.save_message(path, title, "Nothing was perturbed", summary["statement"])
    order = table["change"].abs().sort_values(ascending=False, kind="stable").index
    largest = table.loc[order].groupby(["how", "item"], sort=False).head(1)
    ways = list(dict.fromkeys(table["how"]))
    aliases = {}
    if "item_alias" in table:
        known = table[table["item_alias"].notna() & (table["item_alias"] != "")]
        aliases = dict(zip(known["item"].astype(str), known["item_alias"].astype(str), strict=True))
    y_top = 0.0
    with style.saved_figure(path) as figure:
        axes = []
        for way in ways:
            rows = largest[largest["how"] == way].head(top)
            height = style.ROW_HEIGHT * len(rows) + 0.15
            ax = figure.add_axes((0, y_top - height, 3.4, height))
            names = style.display_names(readable_names(rows["item"], aliases))
            style.label_rows(ax, names)
            called = (rows["q"] <= level).to_numpy()
            for chosen, hollow in ((called, False), (~called, True)):
                part = rows[chosen]
                values = [part[name].to_numpy(dtype=float) for name in interval]
                style.interval_dots(ax, np.flatnonzero(chosen), values, BLUE, hollow=hollow)
            ax.axvline(0, color=BLACK, linewidth=0.6)
            ax.grid(axis="x")
            ax.locator_params(axis="x", nbins=6)
            ax.set_title(way, fontsize=9, loc="left")
            for row, name in enumerate(style.display_names(rows["class"])):
                text = ax.annotate(name, (1.02, row), xycoords=("axes fraction", "data"), va="center", fontsize=8)
                text.set_color(VERMILLION if rows["change"].iloc[row] < 0 else BLACK)
            axes.append(ax)
            y_top -= height + 0.55
        axes[-1].set_xlabel("change of the probability of the class on the right")
        keys = [("o", BLUE, f"q \u2264 {level:g} against shadow features"), ("h", BLUE, "not called, or not tested")]
        style.add_legend(figure, -0.1, y_top + 0.02, keys, columns=2)
        style.add_heading(figure, axes[0], 5.0, title, summary["statement"], above=0.3)
    return Path(path)
