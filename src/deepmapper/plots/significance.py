"""All features as points: against shadow features, and by two rankings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.words import count
from . import style
from .features import nothing_ranked, save_no_ranking, signal_warning
from .style import BLACK, BLUE, GREY, MAX_VECTOR_POINTS

if TYPE_CHECKING:
    import pandas as pd


def importance_null(null: pd.DataFrame, path, title="Features against shadows") -> Path:
    """Draw the quantiles of the importance (z) of features against those of their shadows.

    Parameters
    ----------
    null
        ``calibration_null.tsv``: share, z_shadow, z_feature.
    path, title
        See `features.ranking`.

    Returns
    -------
    Path
        The file written. If importance was not tested, the figure says so.

    Raises
    ------
    InputError
        If a column is missing.
    """
    table = style.require_columns(null, ("share", "z_shadow", "z_feature"), "calibration_null.tsv").dropna()
    if table.empty:
        headline = "Importance was not tested"
        return style.save_message(path, title, headline, "No passes with shadow features were trained.")
    y_max = 1.05 * max(float(table[["z_shadow", "z_feature"]].to_numpy().max()), 1e-9)
    x_max = 1.05 * max(float(table["z_shadow"].max()), 1e-9)
    with style.saved_figure(path) as figure:
        ax = figure.add_axes((0, 0, 3.2, 3.2))
        ax.plot([0, x_max], [0, x_max], color=BLACK, linewidth=0.9, linestyle=(0, (4, 3)))
        ax.plot(table["z_shadow"], table["z_feature"], "o", color=BLUE, markersize=3, markeredgewidth=0)
        ax.set_xlim(0, x_max)
        ax.set_ylim(0, y_max)
        ax.grid()
        ax.set_xlabel("z of shadow features (uninformative)")
        ax.set_ylabel("z of features")
        note = "quantiles; dashed: no more important than shadows; features above it carry information"
        style.add_heading(figure, ax, 4.4, title, note)
    return Path(path)


def evidence(
    features: pd.DataFrame,
    path,
    top: int = 15,
    summary: Mapping | None = None,
    title="Two rankings",
) -> Path:
    """Draw every feature by its rank in the networks and by its evidence rank.

    Parameters
    ----------
    features
        ``features.tsv`` with ``rank`` and ``evidence_rank``.
    path, summary, title
        See `features.ranking`.
    top
        Number of features to label, the best evidence ranks first. If some features are significant, only the others
        are labelled: they are what the second ranking adds.

    Returns
    -------
    Path
        The file written. If there is no evidence ranking, the figure says so.

    Raises
    ------
    InputError
        If a column is missing.
    """
    needed = ("model_rank", "feature", "median_importance", "evidence_rank")
    table, summary = style.require_columns(features, needed, "features.tsv"), summary or {}
    if nothing_ranked(table, summary):
        return save_no_ranking(path, title, summary)
    n_features = len(table)
    table = table[table["evidence_rank"].notna()].sort_values("evidence_rank", kind="stable")
    if table.empty:
        return style.save_message(
            path,
            title,
            "There is no evidence ranking",
            summary.get("evidence") or "evidence.json says why.",
        )
    ranks = table[["model_rank", "evidence_rank"]].to_numpy(dtype=float)
    x, y = -np.log10(ranks).T
    if "significant" in table:
        significant = table["significant"].to_numpy(dtype=bool)
    else:
        significant = np.zeros(len(table), dtype=bool)
    side = 3.6
    with style.saved_figure(path) as figure:
        ax = figure.add_axes((0, 0, side, side))
        _scatter(ax, x, y, significant)
        end = max(np.log10(ranks.max()), 0.5)
        powers = np.arange(int(end) + 1)
        for limits, ticks in ((ax.set_xlim, ax.set_xticks), (ax.set_ylim, ax.set_yticks)):
            limits(-1.04 * end, 0.04 * end)
            ticks(-powers, [f"{10**power:,}" for power in powers])
        ax.grid()
        ax.set_xlabel("rank by the networks")
        ax.set_ylabel("evidence rank")
        labelled = np.flatnonzero(~significant)[:top] if significant.any() else np.arange(len(table))[:top]
        names = style.feature_names(table.iloc[labelled])
        labels_at_the_side(ax, x[labelled], y[labelled], names, side, side)
        if significant.any():
            marks = [("D", BLUE, "significant in the networks"), ("o", GREY, "not significant")]
            style.add_legend(figure, -0.1, -0.5, marks, columns=2)
        note = (
            f"{len(table):,} of {count(n_features, 'feature', separator=',')} compared; best ranks at the upper right"
        )
        if significant.any() and len(labelled):
            note += ";\nlabelled: best by evidence, not significant in the networks"
        style.add_heading(figure, ax, side + 1.4, title, note, signal_warning(summary))
    return Path(path)


def _scatter(ax, x: np.ndarray, y: np.ndarray, significant: np.ndarray) -> None:
    """Draw one point per feature, significant ones in another colour and shape."""
    for rows, colour, marker, size in ((~significant, GREY, "o", 7), (significant, BLUE, "D", 14)):
        ax.scatter(x[rows], y[rows], s=size, c=colour, marker=marker, linewidths=0,
                   alpha=0.6 if marker == "o" else 0.9, rasterized=bool(rows.sum() > MAX_VECTOR_POINTS),
                   clip_on=False, zorder=3)  # fmt: skip


def labels_at_the_side(ax, x, y, names: Sequence[str], width: float, height: float) -> None:
    """Write names in a column to the right of `ax` (`width` × `height` inches), each with a line to its point."""
    order = np.lexsort((-x, -y))
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    inches = np.array([(y[i] - low) / (high - low) * height for i in order])
    for i in range(1, len(inches)):
        inches[i] = min(inches[i], inches[i - 1] - 0.17)  # one line of 8 pt text
    inches += max(0.0, -inches.min(initial=0.0))  # none below the axes
    for above, i in zip(inches, order, strict=True):
        position = (right + 0.06 * (right - left), low + above / height * (high - low))
        ax.plot([x[i], position[0]], [y[i], position[1]], color=GREY, linewidth=0.5, clip_on=False, zorder=2)
        ax.text(*position, f" {names[i]}", fontsize=8, va="center")
