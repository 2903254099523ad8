"""Figures of features: ranking, importance per class, uncertainty."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.words import count
from ..errors import InputError
from . import style
from .style import BAR, BLACK, BLUE, GREY, MAX_VECTOR_POINTS, NO_VALUE, ROW

if TYPE_CHECKING:
    import pandas as pd


def ranking(
    features: pd.DataFrame, path, top: int = 30, summary: Mapping | None = None, title="Feature ranking"
) -> Path:
    """Draw the head of the ranking: how often each feature was selected, how important it was, how sure its rank is.

    Parameters
    ----------
    features
        ``features.tsv``. Bootstrap intervals (``importance_low``, ``importance_high``, ``rank_low``, ``rank_high``) are
        drawn where it has them, else quartiles of the importance and no rank; so are the marks of significance
        (``significant``).
    path
        File to write.
    top
        Number of features drawn.
    summary
        ``summary.json``; where given, the number of passes is written, with chance (top_k of all features) and
        the warning that the labels carry no signal.
    title
        Written above the figure.

    Returns
    -------
    Path
        The file written; it says so when no pass was accepted.

    Raises
    ------
    InputError
        If a column is missing.
    """
    often = ("selection_frequency", "selection_frequency_low", "selection_frequency_high")
    quartiles = ("median_importance", "importance_q25", "importance_q75")
    table = style.checked(features, ("rank", "feature", *often, *quartiles), "features.tsv")
    table, summary = table.sort_values("rank", kind="stable"), summary or {}
    if _nothing_ranked(table, summary):
        return _nothing_to_rank(path, title, summary)
    drawn = table.head(top)
    intervals = _has(table, "importance_low", "importance_high")
    strength = (quartiles[0], "importance_low", "importance_high") if intervals else quartiles
    how = "95 % bootstrap interval of the median" if intervals else "median and interquartile range"
    panels = [
        (often, "share of passes that selected it\n(95 % Wilson interval)", 2.4),
        (strength, f"importance in one pass\n({how})", 2.4),
    ]
    if _has(table, "rank_low", "rank_high"):
        panels.append((("rank", "rank_low", "rank_high"), "rank\n(95 % bootstrap interval)", 1.9))
    tested = "significant" in table
    sure = drawn["significant"].to_numpy(dtype=bool) if tested else np.ones(len(drawn), dtype=bool)
    y, height, left = np.arange(len(drawn)), ROW * len(drawn) + 0.1, 0.0
    axes: list[Any] = []
    with style.sheet(path) as figure:
        for columns, label, width in panels:
            ax = figure.add_axes((left, 0, width, height))
            style.rows(ax, None if axes else style.names(drawn["feature"]), len(drawn))
            for rows, hollow in ((sure, False), (~sure, True)):
                style.dots(ax, y[rows], [drawn.loc[rows, c] for c in columns], BLUE, hollow=hollow)
            ax.grid(axis="x")
            ax.set_xlabel(label)
            axes.append(ax)
            left += width + 0.35
        axes[0].set_xlim(-0.03, 1.03)
        axes[1].set_xlim(left=min(0.0, np.nanmin(drawn[list(strength)].to_numpy(dtype=float))))
        for ax in axes[:2]:
            ax.locator_params(axis="x", nbins=5)
        if len(axes) > 2:
            _rank_axis(axes[2], drawn[["rank", "rank_low", "rank_high"]].to_numpy(dtype=float))
        notes = [f"top {len(drawn)} of {count(len(table), 'feature', 'features')}"]
        if "n_accepted" in summary:
            notes.append(count(summary["n_accepted"], "accepted pass", "accepted passes"))
        if summary.get("top_k"):
            chance = min(1.0, summary["top_k"] / len(table))
            axes[0].axvline(chance, color=BLACK, linewidth=0.9, linestyle=(0, (2, 2)))
            notes.append(f"dashed: chance ({summary['top_k']} of {len(table)})")
        if tested:
            notes.append(f"{table['significant'].sum()} significant (filled)")
        style.head(figure, axes[0], left - 0.35, title, "; ".join(notes), _no_signal(summary))
    return Path(path)


def importance_significance(
    features: pd.DataFrame,
    path,
    top: int = 15,
    level: float | None = None,
    summary: Mapping | None = None,
    title="Importance and significance",
) -> Path:
    """Draw every feature by its importance against its own null (z) and by how sure that is (-log10 q).

    Parameters
    ----------
    features
        ``features.tsv`` with ``z``, ``q`` and ``significant``, where importance was held against a null.
    path, summary, title
        As in `ranking`.
    top
        Number of features named, the significant ones first.
    level
        False-discovery rate of ``significant``, drawn as a line where given.

    Returns
    -------
    Path
        The file written; it says so where there was no null, so that no feature has a q-value.

    Raises
    ------
    InputError
        If a column is missing.
    """
    table = style.checked(features, ("rank", "feature", "median_importance"), "features.tsv")
    table, summary = table.sort_values("rank", kind="stable"), summary or {}
    if _nothing_ranked(table, summary):
        return _nothing_to_rank(path, title, summary)
    if not _has(table, "z", "q", "significant") or not table["q"].notna().any():
        return style.say(
            path,
            title,
            "Importance was not tested",
            "There was no null that a feature's importance could be held against: no z, no q-value, no error rate.",
        )
    table = table[table["q"].notna() & table["z"].notna()]
    x, height = table["z"].to_numpy(dtype=float), -np.log10(table["q"].to_numpy(dtype=float).clip(1e-300, 1.0))
    sure = table["significant"].to_numpy(dtype=bool)
    wide, tall = 4.4, 3.4
    with style.sheet(path) as figure:
        ax = figure.add_axes((0, 0, wide, tall))
        _cloud(ax, x, height, sure)
        span = max(np.ptp(x), 1.0)
        ax.set_xlim(x.min() - 0.04 * span, x.max() + 0.04 * span)
        highest = max(height.max(), -np.log10(level) if level else 0.0, 0.1)
        ax.set_ylim(-0.03 * highest, 1.06 * highest)
        ax.grid()
        ax.set_xlabel("importance against its own null (z)")
        ax.set_ylabel("significance (\u2212log10 q)")
        if level:
            ax.axhline(-np.log10(level), color=BLACK, linewidth=0.9, linestyle=(0, (4, 3)))
            ax.annotate(f"q = {level:g}", (ax.get_xlim()[0], -np.log10(level)), (3, 2), textcoords="offset points",
                        fontsize=8)  # fmt: skip
        named = np.argsort(~sure, kind="stable")[: min(top, max(int(sure.sum()), 3))]
        _labels_beside(ax, x[named], height[named], style.names(table["feature"].iloc[named]), wide, tall)
        marks = [("D", BLUE, "significant"), ("o", GREY, "not significant")]
        style.key(figure, -0.1, -0.5, marks, columns=2)
        found = int(sure.sum())
        rate = f" at q \u2264 {level:g}" if level else ""
        note = f"{found or 'none'} of {count(len(table), 'feature is', 'features are')} significant{rate}"
        style.head(figure, ax, wide + 1.2, title, note, _no_signal(summary))
    return Path(path)


def importance_null(null: pd.DataFrame, path, title="Features against shadows") -> Path:
    """Draw the importance (z) of features against that of their shadows, quantile by quantile.

    Parameters
    ----------
    null
        ``calibration_null.tsv``: share, z_shadow, z_feature.
    path, title
        As in `ranking`.

    Returns
    -------
    Path
        The file written; it says so where importance was not tested.

    Raises
    ------
    InputError
        If a column is missing.
    """
    table = style.checked(null, ("share", "z_shadow", "z_feature"), "calibration_null.tsv").dropna()
    if table.empty:
        return style.say(path, title, "Importance was not tested", "There were no shadows to hold features against.")
    most = 1.05 * max(float(table[["z_shadow", "z_feature"]].to_numpy().max()), 1e-9)
    with style.sheet(path) as figure:
        ax = figure.add_axes((0, 0, 3.2, 3.2))
        reach = 1.05 * max(float(table["z_shadow"].max()), 1e-9)
        ax.plot([0, reach], [0, reach], color=BLACK, linewidth=0.9, linestyle=(0, (4, 3)))
        ax.plot(table["z_shadow"], table["z_feature"], "o", color=BLUE, markersize=3, markeredgewidth=0)
        ax.set_xlim(0, reach)
        ax.set_ylim(0, most)
        ax.grid()
        ax.set_xlabel("z of shadows, which tell nothing")
        ax.set_ylabel("z of features")
        note = "quantiles; dashed: features as important as shadows; what stands above it says something"
        style.head(figure, ax, 4.4, title, note)
    return Path(path)


def evidence(
    features: pd.DataFrame,
    path,
    top: int = 15,
    summary: Mapping | None = None,
    title="Two rankings",
) -> Path:
    """Draw every feature by its place in the ranking of the networks and by its place by evidence.

    Parameters
    ----------
    features
        ``features.tsv`` with ``rank`` and ``evidence_rank``.
    path, summary, title
        As in `ranking`.
    top
        Number of features named: the first by evidence, and of those, where some are significant, the others, since
        these are what the second ranking adds.

    Returns
    -------
    Path
        The file written; it says so where there is no evidence to set beside the networks.

    Raises
    ------
    InputError
        If a column is missing.
    """
    wanted = ("rank", "feature", "median_importance", "evidence_rank")
    table, summary = style.checked(features, wanted, "features.tsv"), summary or {}
    if _nothing_ranked(table, summary):
        return _nothing_to_rank(path, title, summary)
    n_all, table = len(table), table[table["evidence_rank"].notna()].sort_values("evidence_rank", kind="stable")
    if table.empty:
        return style.say(
            path,
            title,
            "There is no second ranking",
            summary.get("evidence") or "evidence.json says why there is none.",
        )
    ranks = table[["rank", "evidence_rank"]].to_numpy(dtype=float)
    most = ranks.max()
    x, y = -np.log10(ranks).T
    sure = table["significant"].to_numpy(dtype=bool) if "significant" in table else np.zeros(len(table), dtype=bool)
    wide = 3.6
    with style.sheet(path) as figure:
        ax = figure.add_axes((0, 0, wide, wide))
        _cloud(ax, x, y, sure)
        end = max(np.log10(most), 0.5)
        powers = np.arange(int(end) + 1)
        for limits, ticks in ((ax.set_xlim, ax.set_xticks), (ax.set_ylim, ax.set_yticks)):
            limits(-1.04 * end, 0.04 * end)
            ticks(-powers, [f"{10**power:,}" for power in powers])
        ax.grid()
        ax.set_xlabel("rank by the networks")
        ax.set_ylabel("rank by evidence")
        named = np.flatnonzero(~sure if sure.any() else sure | True)[:top]
        _labels_beside(ax, x[named], y[named], style.names(table["feature"].iloc[named]), wide, wide)
        if sure.any():
            marks = [("D", BLUE, "significant in the networks"), ("o", GREY, "not significant")]
            style.key(figure, -0.1, -0.5, marks, columns=2)
        note = f"{len(table)} of {count(n_all, 'feature', 'features')} compared; the best are at the upper right"
        if sure.any() and len(named):
            note += ";\nnamed: the first by evidence that are not significant in the networks"
        style.head(figure, ax, wide + 1.4, title, note, _no_signal(summary))
    return Path(path)


def importance_heatmap(
    features: pd.DataFrame,
    path,
    top: int = 30,
    classes: Sequence[str] | None = None,
    summary: Mapping | None = None,
    title="Importance by class",
) -> Path:
    """Draw which of the top features matter for which class, and in which direction.

    Parameters
    ----------
    features
        ``features.tsv`` with its ``importance[C]`` and ``direction[C]`` columns; each class is scaled to the largest
        importance that any feature of the file has for it.
    path, top, summary, title
        As in `ranking`.
    classes
        Order of the columns; None puts classes with similar features side by side (average linkage).

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InputError
        If a column is missing, or `classes` names one that the file lacks.
    """
    import pandas as pd

    table = style.checked(features, ("rank", "feature", "median_importance"), "features.tsv")
    found = [m.group(1) for m in (re.fullmatch(r"importance\[(.*)\]", str(c), re.DOTALL) for c in table.columns) if m]
    table = table.sort_values("rank", kind="stable")
    if _nothing_ranked(table, summary or {}):
        return _nothing_to_rank(path, title, summary or {})
    if not found:
        raise InputError("features.tsv: no column importance[CLASS]; expected one per class")
    unknown = [c for c in classes or () if str(c) not in found]
    if unknown:
        raise InputError(f"classes: {unknown[0]!r} has no column in features.tsv, which has {', '.join(found)}")
    importance = table[[f"importance[{c}]" for c in found]].to_numpy(dtype=float)
    largest = np.nanmax(np.where(np.isnan(importance), 0.0, importance), axis=0)
    scaled = (importance / np.where(largest > 0, largest, 1.0))[:top]
    order = [found.index(str(c)) for c in classes] if classes else _similar_side_by_side(scaled)
    scaled, found, table = scaled[:, order], [found[i] for i in order], table.head(top)
    width, height = max(0.27 * len(found), 0.8), ROW * len(table)
    with style.sheet(path) as figure:
        ax = figure.add_axes((0, 0, width, height))
        mesh = style.heat(ax, scaled, 1.0)
        style.rows(ax, style.names(table["feature"]), margin=0.5)
        style.columns(ax, style.names(found))
        for way, marker in (("up", "^"), ("down", "v")):
            for x, name in enumerate(found):
                direction = table.get(f"direction[{name}]", pd.Series("unclear", index=table.index))
                y = np.flatnonzero((direction == way) & ~np.isnan(scaled[:, x]))
                ax.scatter(
                    np.full(len(y), x),
                    y,
                    s=11,
                    marker=marker,
                    c=[style.ink(scaled[row, x], 0.1) for row in y],
                    linewidths=0,
                )
        style.colour_bar(figure, mesh, ax, width + 0.2, "scaled importance")
        keys = [
            ("^", BLACK, "higher value speaks for the class"),
            ("v", BLACK, "higher value speaks against it"),
            ("s", NO_VALUE, "no value"),
        ]
        style.key(figure, width + 0.08, height - BAR - 0.1, keys if np.isnan(scaled).any() else keys[:2])
        note = f"top {len(table)} of {len(features)} features, by rank; 1 is the strongest feature of each class"
        style.head(figure, ax, max(width, 3.5), title, note, _no_signal(summary or {}))
    return Path(path)


def _has(table: pd.DataFrame, *columns: str) -> bool:
    return all(column in table for column in columns)


def _rank_axis(ax, ranks: np.ndarray) -> None:
    """Logarithmic axis of ranks with the plain numbers 1, 10, 100 on it."""
    most = np.nanmax(ranks)
    ax.set_xscale("log")
    ax.set_xlim(0.85, max(1.2 * most, 12))
    ticks = [10**power for power in range(6) if 10**power <= max(1.2 * most, 12)]
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    ax.minorticks_off()


def _cloud(ax, x: np.ndarray, y: np.ndarray, sure: np.ndarray) -> None:
    """Draw a point a feature; those that are significant stand out by colour and shape."""
    for rows, colour, marker, size in ((~sure, GREY, "o", 7), (sure, BLUE, "D", 14)):
        ax.scatter(x[rows], y[rows], s=size, c=colour, marker=marker, linewidths=0,
                   alpha=0.6 if marker == "o" else 0.9, rasterized=bool(rows.sum() > MAX_VECTOR_POINTS),
                   clip_on=False, zorder=3)  # fmt: skip


def _labels_beside(ax, x, y, names: Sequence[str], wide: float, tall: float) -> None:
    """Names in a column to the right of the axes, in the order of their points, each with a line to its point."""
    order = np.lexsort((-x, -y))
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    wanted = np.array([(y[i] - low) / (high - low) * tall for i in order])
    for i in range(1, len(wanted)):
        wanted[i] = min(wanted[i], wanted[i - 1] - 0.17)
    wanted += max(0.0, -wanted.min(initial=0.0))  # none below the axes
    for place, i in zip(wanted, order, strict=True):
        spot = (right + 0.06 * (right - left), low + place / tall * (high - low))
        ax.plot([x[i], spot[0]], [y[i], spot[1]], color=GREY, linewidth=0.5, clip_on=False, zorder=2)
        ax.text(*spot, f" {names[i]}", fontsize=8, va="center")


def _nothing_ranked(table, summary: Mapping) -> bool:
    return summary.get("n_accepted") == 0 or not table["median_importance"].notna().any()


def _nothing_to_rank(path, title, summary: Mapping) -> Path:
    ran = f"{count(summary['n_passes_run'], 'pass was', 'passes were')} trained. " if "n_passes_run" in summary else ""
    return style.say(
        path,
        title,
        "No pass was accepted: nothing to rank",
        ran + "passes.tsv gives the accuracy of each and the reason why it was rejected.",
    )


def _no_signal(summary: Mapping) -> str:
    if summary.get("signal", True) is True:
        return ""
    return str(summary.get("statement") or "No signal: the passes are no better than what needs no signal.")


def _similar_side_by_side(scaled: np.ndarray) -> list[int]:
    """Order of the columns (features, classes) in which similar ones are neighbours."""
    if scaled.shape[1] < 3:
        return list(range(scaled.shape[1]))
    from scipy.cluster.hierarchy import leaves_list, linkage

    return leaves_list(linkage(np.nan_to_num(scaled).T, method="average", optimal_ordering=True)).tolist()
