"""The first features: their ranking, and their importance in each class."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.words import count
from ..errors import InputError
from . import style
from .style import BLACK, BLUE, COLOUR_BAR_HEIGHT, NO_VALUE, ROW_HEIGHT

if TYPE_CHECKING:
    import pandas as pd


def ranking(
    features: pd.DataFrame, path, top: int = 30, summary: Mapping | None = None, title="Feature ranking"
) -> Path:
    """Draw the first features: how often each was selected, how important it was, and how certain its rank is.

    Parameters
    ----------
    features
        ``features.tsv``. If it has bootstrap intervals (``importance_low``, ``importance_high``, ``rank_low``,
        ``rank_high``), they are drawn; otherwise the quartiles of the importance, and no ranks. If it has
        ``significant``, only significant features have filled marks.
    path
        File to write.
    top
        Number of features drawn.
    summary
        ``summary.json``. If given, the figure shows the number of passes, the selection frequency expected by chance
        (`top_k` of all features), and a warning if the labels carry no signal.
    title
        Title of the figure.

    Returns
    -------
    Path
        The file written. If no pass was accepted, the figure says so.

    Raises
    ------
    InputError
        If a column is missing.
    """
    frequency = ("selection_frequency", "selection_frequency_low", "selection_frequency_high")
    quartiles = ("median_importance", "importance_q25", "importance_q75")
    table = style.require_columns(features, ("rank", "feature", *frequency, *quartiles), "features.tsv")
    table, summary = table.sort_values("rank", kind="stable"), summary or {}
    if nothing_ranked(table, summary):
        return save_no_ranking(path, title, summary)
    drawn = table.head(top)
    if has_columns(table, "importance_low", "importance_high"):
        importance = (quartiles[0], "importance_low", "importance_high")
        importance_label = "95 % bootstrap interval of the median"
    else:
        importance, importance_label = quartiles, "median and interquartile range"
    panels = [
        (frequency, "share of passes selecting it\n(95 % Wilson interval)", 2.4),
        (importance, f"importance in one pass\n({importance_label})", 2.4),
    ]
    if has_columns(table, "model_rank", "rank_low", "rank_high"):
        panels.append((("model_rank", "rank_low", "rank_high"), "rank by this model\n(95 % bootstrap interval)", 1.9))
    tested = "significant" in table
    filled = drawn["significant"].to_numpy(dtype=bool) if tested else np.ones(len(drawn), dtype=bool)
    y, height, left = np.arange(len(drawn)), ROW_HEIGHT * len(drawn) + 0.1, 0.0
    axes: list[Any] = []
    with style.saved_figure(path) as figure:
        for columns, label, width in panels:
            ax = figure.add_axes((left, 0, width, height))
            style.label_rows(ax, None if axes else style.feature_names(drawn), len(drawn))
            for rows, hollow in ((filled, False), (~filled, True)):
                style.interval_dots(ax, y[rows], [drawn.loc[rows, c] for c in columns], BLUE, hollow=hollow)
            ax.grid(axis="x")
            ax.set_xlabel(label)
            axes.append(ax)
            left += width + 0.35
        axes[0].set_xlim(-0.03, 1.03)
        axes[1].set_xlim(left=min(0.0, np.nanmin(drawn[list(importance)].to_numpy(dtype=float))))
        for ax in axes[:2]:
            ax.locator_params(axis="x", nbins=5)
        if len(axes) > 2:
            _rank_axis(axes[2], drawn[["model_rank", "rank_low", "rank_high"]].to_numpy(dtype=float))
        notes = [f"top {len(drawn)} of {count(len(table), 'feature', separator=',')}"]
        if "n_accepted" in summary:
            notes.append(count(summary["n_accepted"], "accepted pass", "accepted passes"))
        if summary.get("top_k"):
            chance = min(1.0, summary["top_k"] / len(table))
            axes[0].axvline(chance, color=BLACK, linewidth=0.9, linestyle=(0, (2, 2)))
            notes.append(f"dashed: expected by chance ({summary['top_k']} of {len(table):,})")
        if tested:
            notes.append(f"{table['significant'].sum():,} significant (filled)")
        style.add_heading(figure, axes[0], left - 0.35, title, "; ".join(notes), signal_warning(summary))
    return Path(path)


def importance_heatmap(
    features: pd.DataFrame,
    path,
    top: int = 30,
    classes: Sequence[str] | None = None,
    summary: Mapping | None = None,
    title="Importance by class",
) -> Path:
    """Draw which of the top features are important for which class, and in which direction.

    Parameters
    ----------
    features
        ``features.tsv`` with its ``importance[C]`` and ``direction[C]`` columns. Each class is scaled by the largest
        importance of any feature for that class.
    path, top, summary, title
        See `ranking`.
    classes
        Order of the columns; None places classes with similar features side by side (average linkage).

    Returns
    -------
    Path
        The file written. If no pass was accepted, the figure says so.

    Raises
    ------
    InputError
        If a column is missing, or one of `classes` has no column.
    """
    import pandas as pd

    table = style.require_columns(features, ("rank", "feature", "median_importance"), "features.tsv")
    found = [m.group(1) for m in (re.fullmatch(r"importance\[(.*)\]", str(c), re.DOTALL) for c in table.columns) if m]
    table = table.sort_values("rank", kind="stable")
    if nothing_ranked(table, summary or {}):
        return save_no_ranking(path, title, summary or {})
    if not found:
        raise InputError("features.tsv: no column importance[CLASS]; expected one per class")
    unknown = [c for c in classes or () if str(c) not in found]
    if unknown:
        raise InputError(f"classes: {unknown[0]!r} has no column in features.tsv, which has {', '.join(found)}")
    importance = table[[f"importance[{c}]" for c in found]].to_numpy(dtype=float)
    largest = np.nanmax(np.where(np.isnan(importance), 0.0, importance), axis=0)
    scaled = (importance / np.where(largest > 0, largest, 1.0))[:top]
    most = float(np.max(scaled, initial=0.0, where=~np.isnan(scaled))) or 1.0  # below 1 if chords come first
    order = [found.index(str(c)) for c in classes] if classes else _cluster_order(scaled)
    scaled, found, table = scaled[:, order], [found[i] for i in order], table.head(top)
    width, height = max(0.27 * len(found), 0.8), ROW_HEIGHT * len(table)
    with style.saved_figure(path) as figure:
        ax = figure.add_axes((0, 0, width, height))
        mesh = style.heatmap(ax, scaled, most)
        style.label_rows(ax, style.feature_names(table), margin=0.5)
        style.label_columns(ax, style.display_names(found))
        for sign, marker in (("up", "^"), ("down", "v")):
            for x, name in enumerate(found):
                direction = table.get(f"direction[{name}]", pd.Series("unclear", index=table.index))
                y = np.flatnonzero((direction == sign) & ~np.isnan(scaled[:, x]))
                ax.scatter(
                    np.full(len(y), x),
                    y,
                    s=11,
                    marker=marker,
                    c=[style.text_colour(scaled[row, x] / most, 0.1) for row in y],
                    linewidths=0,
                )
        style.add_colour_bar(figure, mesh, ax, width + 0.2, "scaled importance")
        keys = [
            ("^", BLACK, "higher value favours the class"),
            ("v", BLACK, "higher value counts against it"),
            ("s", NO_VALUE, "no value"),
        ]
        if not np.isnan(scaled).any():
            keys.pop()
        style.add_legend(figure, width + 0.08, height - COLOUR_BAR_HEIGHT - 0.1, keys)
        note = f"top {len(table)} of {len(features):,} features, by rank; 1: most important feature for that class"
        style.add_heading(figure, ax, max(width, 3.5), title, note, signal_warning(summary or {}))
    return Path(path)


def nothing_ranked(table, summary: Mapping) -> bool:
    """Whether no pass was accepted, so that no feature has an importance."""
    return summary.get("n_accepted") == 0 or not table["median_importance"].notna().any()


def save_no_ranking(path, title, summary: Mapping) -> Path:
    """Save a figure that says that no pass was accepted."""
    text = "passes.tsv lists the accuracy of each pass and why it was rejected."
    if "n_passes_run" in summary:
        text = f"{count(summary['n_passes_run'], 'pass was', 'passes were')} trained. {text}"
    return style.save_message(path, title, "No pass was accepted: nothing to rank", text)


def signal_warning(summary: Mapping) -> str:
    """Warning for a model without clear signal; empty if there is signal."""
    if summary.get("signal", True) is True:
        return ""
    return str(summary.get("statement") or "No signal: the passes are no better than predictions without signal.")


def has_columns(table: pd.DataFrame, *columns: str) -> bool:
    """Whether `table` has all `columns`."""
    return all(column in table for column in columns)


def _rank_axis(ax, ranks: np.ndarray) -> None:
    """Give `ax` a logarithmic axis of ranks, labelled 1, 10, 100, ..."""
    end = max(1.2 * np.nanmax(ranks), 12)
    ax.set_xscale("log")
    ax.set_xlim(0.85, end)
    ticks = [10**power for power in range(6) if 10**power <= end]
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    ax.minorticks_off()


def _cluster_order(scaled: np.ndarray) -> list[int]:
    """Order of the columns of `scaled` (features, classes) that places similar ones side by side."""
    if scaled.shape[1] < 3:
        return list(range(scaled.shape[1]))
    from scipy.cluster.hierarchy import leaves_list, linkage

    return leaves_list(linkage(np.nan_to_num(scaled).T, method="average", optimal_ordering=True)).tolist()
