"""The test of single features: one volcano for each comparison of classes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.aliases import readable_names
from ..core.words import count
from . import style
from .significance import labels_at_the_side
from .style import BLUE, GREY, MAX_VECTOR_POINTS, VERMILLION

if TYPE_CHECKING:
    import pandas as pd

MAX_PANELS = 12  # comparisons drawn

_NAMED = 6  # features named in each panel

_COLUMNS = 3  # panels side by side


def comparisons(differential: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Comparisons of the test of single features, in the order of the table: what is compared, and its rows."""
    found = []
    for (within, name, versus), rows in differential.groupby(["within", "class", "versus"], sort=False, dropna=False):
        place = f"{within}: " if isinstance(within, str) and within else ""
        found.append((f"{place}{name} against {'all others' if versus == 'rest' else versus}", rows))
    return found


def volcano(
    differential: pd.DataFrame,
    path,
    *,
    level: float = 0.1,
    aliases: Mapping[str, str] | None = None,
    title="Differential expression",
    note="",
) -> Path:
    """Draw every feature by its fold change and its p-value, in a panel for each comparison of classes.

    Parameters
    ----------
    differential
        ``differential.tsv``.
    path, title
        See `features.ranking`.
    level
        False discovery rate at which a feature counts as different.
    aliases
        Readable name of every feature that has one, by name.
    note
        Written below the title.

    Returns
    -------
    Path
        The file written. If nothing was tested, the figure says so.

    Raises
    ------
    InputError
        If a column is missing.
    """
    needed = ("feature", "within", "class", "versus", "log2_fold_change", "p", "q", "detected_class", "detected_versus")
    table = style.require_columns(differential, needed, "differential.tsv")
    table = table[table["p"].notna() & np.isfinite(table["log2_fold_change"].astype(float))]
    if table.empty:
        return style.save_message(path, title, "No feature was tested", "differential.json says why.")
    panels = comparisons(table)
    drawn = panels[:MAX_PANELS]
    side, right, below = 2.1, 1.5, 0.85
    n_points = sum(len(rows) for _, rows in drawn)
    with style.saved_figure(path) as figure:
        axes = []
        for i, (text, rows) in enumerate(drawn):
            ax = figure.add_axes((i % _COLUMNS * (side + right), -(i // _COLUMNS) * (side + below), side, side))
            _draw_panel(ax, rows, text, level, aliases or {}, side, n_points > MAX_VECTOR_POINTS)
            axes.append(ax)
        marks = [("o", VERMILLION, f"higher in the class, q \u2264 {level:g}"), ("o", BLUE, "lower"),
                 ("o", GREY, "not significant")]  # fmt: skip
        style.add_legend(figure, -0.1, -(math.ceil(len(drawn) / _COLUMNS) - 1) * (side + below) - 0.5, marks, columns=3)
        more = f"{len(drawn)} of {count(len(panels), 'comparison')}; " if len(panels) > len(drawn) else ""
        text = f"{more}{note}; at the edge: not detected on one side".lstrip("; ")
        style.add_heading(figure, axes[0], min(len(drawn), _COLUMNS) * (side + right), title, text, above=0.32)
    return Path(path)


def bounded_fold_changes(rows: pd.DataFrame) -> tuple[np.ndarray, float]:
    """Fold changes of one comparison within their reach, and the reach.

    The fold change of a feature that one side lacks depends on the smallest value that was assumed there, so the reach
    is that of the features that both sides have.
    """
    x = rows["log2_fold_change"].to_numpy(dtype=float)
    both = ((rows["detected_class"] > 0) & (rows["detected_versus"] > 0)).to_numpy()
    reach = max(float(np.abs(x[both] if both.any() else x).max()), 0.5)
    return np.clip(x, -reach, reach), reach


def _draw_panel(
    ax, rows: pd.DataFrame, text: str, level: float, aliases: Mapping[str, str], side: float, bitmap: bool
) -> None:
    """Draw one comparison, with the features of the smallest p named beside it."""
    x, reach = bounded_fold_changes(rows)
    y = -np.log10(rows["p"].to_numpy(dtype=float).clip(1e-300, 1.0))
    significant = rows["q"].to_numpy(dtype=float) <= level
    for chosen, colour in (
        (~significant, GREY), (significant & (x < 0), BLUE), (significant & (x >= 0), VERMILLION)
    ):  # fmt: skip
        ax.scatter(x[chosen], y[chosen], s=6, c=colour, linewidths=0, alpha=0.6, rasterized=bitmap, zorder=3)
    top = max(y.max() * 1.06, 0.5)
    ax.set_xlim(-1.05 * reach, 1.05 * reach)
    ax.set_ylim(-0.03 * top, top)
    ax.locator_params(nbins=5)
    ax.grid()
    ax.set_xlabel("log2 fold change")
    ax.set_ylabel("\u2212log10 p")
    ax.set_title(style.shortened(text, 44), fontsize=8.5, loc="left")
    first = np.argsort(-y, kind="stable")[:_NAMED]
    names = style.display_names(readable_names(rows["feature"].iloc[first], aliases))
    labels_at_the_side(ax, x[first], y[first], [style.shortened(name, 18) for name in names], side, side)
