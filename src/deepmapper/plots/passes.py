"""Passes: learning curves, accuracies, agreement, and how many passes are enough."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.words import count
from . import style
from .style import BLACK, BLUE, GREY, MAX_VECTOR_POINTS, ORANGE, PURPLE, VERMILLION

if TYPE_CHECKING:
    import pandas as pd

MAX_MATRIX_PASSES = 60  # the labels of more seeds would be too small to read


def learning_curves(history: pd.DataFrame, path, title="Learning curves") -> Path:
    """Draw losses and validation accuracy of every pass by epoch, control passes in grey.

    Parameters
    ----------
    history
        ``history.tsv``: seed, control, epoch, train_loss, val_loss, val_accuracy.
    path, title
        See `features.ranking`.

    Returns
    -------
    Path
        The file written. If no epoch was recorded, the figure says so.

    Raises
    ------
    InputError
        If a column is missing.
    """
    measures = {"train_loss": "training loss", "val_loss": "validation loss", "val_accuracy": "validation accuracy"}
    table = style.require_columns(history, ("seed", "control", "epoch", *measures), "history.tsv")
    if table.empty:
        headline = "No training history was recorded"
        return style.save_message(path, title, headline, "The model is not trained in epochs.")
    control, last = table["control"], table["epoch"].max()
    groups = [(table[control], GREY, 1), (table[~control], BLUE, 2)]
    with style.saved_figure(path) as figure:
        panels = [figure.add_axes((3.05 * i, 0, 2.45, 2.3)) for i in range(3)]
        for ax, (measure, label) in zip(panels, measures.items(), strict=True):
            for rows, colour, order in groups:
                _curves(ax, rows, measure, colour, order, rasterized=len(table) > 4 * MAX_VECTOR_POINTS)
            ax.set_xlabel("epoch")
            ax.set_ylabel(label)
            ax.grid(axis="y")
            ax.set_xlim(0, last + max(1.0, 0.03 * last))
            ax.xaxis.get_major_locator().set_params(integer=True)
        panels[2].set_ylim(-0.02, 1.02)
        losses = table[["train_loss", "val_loss"]]
        highest = _largest(losses)
        top = min(2.0 * _largest(losses[~control]), highest) or highest
        for ax in panels[:2]:
            # One scale for both losses. Control passes that overfit may exceed it, so that the others stay legible.
            ax.set_ylim(0.0, 1.05 * top or 1.0)
        n_controls, n_passes = table.loc[control, "seed"].nunique(), table.loc[~control, "seed"].nunique()
        keys = [("-", BLUE, "pass"), ("h", BLUE, "end of training")]
        if n_passes > 1:
            keys.append(("=", BLUE, "median while half are still training"))
        if n_controls:
            keys.append(("-", GREY, "control pass (permuted labels)"))
        style.add_legend(figure, -0.1, -0.5, keys, columns=4)
        note = f"{count(n_passes, 'pass', 'passes')}, {count(n_controls, 'control pass', 'control passes')}"
        if top < highest:
            note += "; some losses of control passes lie above the axis"
        style.add_heading(figure, panels[0], 8.55, title, note)
    return Path(path)


def accuracy_references(
    passes: pd.DataFrame, path, title="Out-of-bag accuracy of each pass and its references"
) -> Path:
    """Draw the out-of-bag accuracy of each pass next to its two references: largest class and permuted labels.

    Parameters
    ----------
    passes
        ``passes.tsv``: seed, control, accepted, accuracy, majority_accuracy, permuted_accuracy, n_oob.
    path, title
        See `features.ranking`.

    Returns
    -------
    Path
        The file written. If there is no pass, the figure says so.

    Raises
    ------
    InputError
        If a column is missing.
    """
    needed = ("seed", "control", "accepted", "accuracy", "majority_accuracy", "permuted_accuracy", "n_oob")
    table = style.require_columns(passes, needed, "passes.tsv")
    if table.empty:
        return style.save_message(path, title, "No pass was run", "passes.tsv has no row.")
    table = table.sort_values(["control", "seed"], kind="stable").reset_index(drop=True)
    control = table["control"].to_numpy()
    x = np.arange(len(table)) + np.where(control & ~control.all(), 1.0, 0.0)  # a gap before the control passes
    span = x[-1] + 1.0
    step = max(1, math.ceil(len(table) / 60))
    width = float(np.clip(0.16 * span, 3.0, 9.6))
    dot = float(np.clip(0.6 * 72 * width / span, 2.5, 4.5))
    kinds = {
        "accepted": (~control & table["accepted"].to_numpy(), "o", BLUE, "accepted pass"),
        "rejected": (~control & ~table["accepted"].to_numpy(), "X", VERMILLION, "rejected pass"),
        "control": (control, "s", GREY, "control pass (trained on permuted labels)"),
    }
    with style.saved_figure(path) as figure:
        ax = figure.add_axes((0, 0, width, 2.6))
        keys = []
        for rows, marker, colour, label in kinds.values():
            if not rows.any():
                continue
            accuracy = table.loc[rows, "accuracy"]
            intervals = style.wilson_intervals(accuracy, table.loc[rows, "n_oob"])
            ax.vlines(x[rows], *intervals, color=colour, linewidth=0.9, alpha=0.7)
            ax.plot(x[rows], accuracy, marker, color=colour, markersize=dot, markeredgewidth=0)
            keys.append((marker, colour, label))
        ax.plot(x, table["majority_accuracy"], "_", color=BLACK, markersize=1.6 * dot, markeredgewidth=1.3)
        ax.plot(x, table["permuted_accuracy"], "d", color=PURPLE, markersize=dot, markerfacecolor="none")
        keys.append(("_", BLACK, "always predicting the largest class"))
        keys.append(("d", PURPLE, "same predictions, permuted labels"))
        ax.set_xlim(-1, span)
        ax.set_ylim(-0.02, 1.02)
        ax.set_xticks(x[::step], style.display_names(table["seed"][::step]), rotation=90)
        ax.set_xlabel("seed")
        ax.set_ylabel("out-of-bag accuracy\n(95 % Wilson interval)")
        ax.grid(axis="y")
        style.add_legend(figure, width + 0.15, 2.6, keys)
        n_passes, n_accepted = int((~control).sum()), int(kinds["accepted"][0].sum())
        note = f"{n_accepted} of {count(n_passes, 'pass', 'passes')} accepted, "
        note += count(control.sum(), "control pass", "control passes")
        style.add_heading(figure, ax, max(width, 5.0), title, note)
    return Path(path)


def agreement(agreement: pd.DataFrame, path, title="Agreement between passes") -> Path:
    """Draw how well every two accepted passes agree on the features.

    Parameters
    ----------
    agreement
        ``agreement.tsv``: seed_a, seed_b, top_k_overlap (shared / k), spearman. Up to 60 passes are drawn as matrices,
        more as histograms.
    path, title
        See `features.ranking`.

    Returns
    -------
    Path
        The file written. If fewer than two passes were accepted, the figure says so.

    Raises
    ------
    InputError
        If a column is missing.
    """
    measures = {"top_k_overlap": "overlap of the top features", "spearman": "Spearman correlation"}
    table = style.require_columns(agreement, ("seed_a", "seed_b", *measures), "agreement.tsv")
    if table.empty:
        return style.save_message(
            path,
            title,
            "Fewer than two passes were accepted: nothing to compare",
            "Agreement is measured between pairs of accepted passes.",
        )
    seeds = sorted(set(table["seed_a"]) | set(table["seed_b"]))
    draw = _agreement_matrices if len(seeds) <= MAX_MATRIX_PASSES else _agreement_histograms
    with style.saved_figure(path) as figure:
        draw(figure, table, seeds, measures, title)
    return Path(path)


def convergence(curve: pd.DataFrame, path, summary: Mapping, title="How many passes are enough") -> Path:
    """Draw the agreement of two sets of passes on the top features, by the number of passes in each.

    Parameters
    ----------
    curve
        ``convergence.tsv``: m, mean, low, high and kind ("observed" up to half of the accepted passes, else
        "expected").
    summary
        ``convergence.json``: statement, level, top_k, n_accepted, estimate, low and high.
    path, title
        See `features.ranking`.

    Returns
    -------
    Path
        The file written. If fewer than two passes were accepted, the figure says so.

    Raises
    ------
    InputError
        If a column is missing.
    """
    table = style.require_columns(curve, ("m", "mean", "low", "high", "kind"), "convergence.tsv")
    if table.empty:
        headline = "Fewer than two passes were accepted: nothing to compare"
        return style.save_message(path, title, headline, summary["statement"])
    observed = (table["kind"] == "observed").to_numpy()
    with style.saved_figure(path) as figure:
        ax = figure.add_axes((0, 0, 4.4, 2.8))
        ax.fill_between(table["m"], table["low"], table["high"], color=BLUE, alpha=0.18, linewidth=0)
        dashed = ~observed
        dashed[observed.sum() - 1 : observed.sum()] = True  # the dashed line starts at the last observed point
        ax.plot(table["m"][dashed], table["mean"][dashed], color=BLUE, linestyle=(0, (4, 2)))
        ax.plot(table["m"][observed], table["mean"][observed], "o-", color=BLUE, markersize=4)
        ax.axhline(summary["level"], color=BLACK, linewidth=0.9, linestyle=(0, (2, 2)))
        estimate, low, high = (summary[key] for key in ("estimate", "low", "high"))
        if estimate is not None:
            ends = low, high or table["m"].max()  # up to the end of the axis if there is no upper end
            ax.hlines(summary["level"], *ends, color=VERMILLION, linewidth=2.2)
            ax.plot(estimate, summary["level"], "D", color=VERMILLION, markersize=5.5, zorder=4)
        n_accepted = summary["n_accepted"]
        ax.axvline(n_accepted, color=ORANGE, linewidth=1.2)
        m_max = max(table["m"].max(), n_accepted)
        ax.set_xscale("log")
        ticks = [tick for power in range(6) for tick in (10**power, 2 * 10**power, 5 * 10**power)]
        ticks = [tick for tick in ticks if tick <= 1.1 * m_max] or [1]
        ax.set_xticks(ticks, [str(tick) for tick in ticks])
        ax.minorticks_off()
        ax.set_xlim(0.9, 1.15 * m_max)
        ax.set_ylim(0, 1.02)
        ax.grid(axis="y")
        ax.set_xlabel("passes in each of two sets")
        ax.set_ylabel(f"share of the top {summary['top_k']} in common")
        keys = [("o", BLUE, "observed")]
        if not observed.all():
            keys.append(("=", BLUE, "expected (dashed; shaded: 95 % interval)"))
        keys.append(("=", ORANGE, f"accepted passes ({n_accepted})"))
        keys.append(("-", BLACK, f"stable (dotted): {summary['level']:g}"))
        if estimate is not None:
            keys.append(("D", VERMILLION, "passes needed (line: 95 % interval)"))
        style.add_legend(figure, -0.1, -0.5, keys, columns=2)
        style.add_heading(figure, ax, 5.2, title, summary["statement"])
    return Path(path)


def _curves(ax, rows, measure, colour, order, rasterized) -> None:
    """Draw one thin line per seed with a dot at its end, and the median while at least half of the seeds train."""
    if rows.empty:
        return
    wide = rows.pivot(index="epoch", columns="seed", values=measure).astype(float)
    ax.plot(wide.index, wide, color=colour, linewidth=0.6, alpha=0.45, zorder=order, rasterized=rasterized)
    ends = wide.apply(lambda line: line.last_valid_index())
    ends = ends[ends.notna()]
    ax.plot(ends, [wide.at[epoch, seed] for seed, epoch in ends.items()], "o", color=colour, markersize=3,
            markerfacecolor="white", markeredgewidth=0.8, zorder=order + 2)  # fmt: skip
    if wide.shape[1] > 1:
        many = wide.notna().sum(axis=1) >= wide.shape[1] / 2
        ax.plot(wide.index[many], wide[many].median(axis=1), color=colour, linewidth=2.2, zorder=order + 1)


def _agreement_matrices(figure, table, seeds, measures, title) -> None:
    """Draw one symmetric matrix per measure, passes in the order of their seeds."""
    index = {seed: i for i, seed in enumerate(seeds)}
    a, b = table["seed_a"].map(index).to_numpy(), table["seed_b"].map(index).to_numpy()
    side = float(np.clip(0.2 * len(seeds), 2.4, 4.0))
    step = math.ceil(0.15 * len(seeds) / side)
    for i, (measure, label) in enumerate(measures.items()):
        matrix = np.full((len(seeds), len(seeds)), np.nan)
        matrix[a, b] = matrix[b, a] = table[measure].to_numpy(dtype=float)
        ax = figure.add_axes(((side + 0.75) * i, 0, side, side))
        mesh = style.heatmap(ax, matrix, 1.0)
        ticks = range(0, len(seeds), step)
        ax.set_xticks(ticks, [str(seeds[t]) for t in ticks], rotation=90)
        ax.set_yticks(ticks, [str(seeds[t]) for t in ticks])
        ax.invert_yaxis()
        ax.set_xlabel("seed")
        ax.set_ylabel("seed" if i == 0 else "")
        ax.set_title(f"{label}\n{_median_and_range(table[measure])}", fontsize=9, loc="left")
    below = (table["spearman"] < 0).any()
    style.add_colour_bar(figure, mesh, figure.axes[0], 2 * side + 0.95, "overlap or correlation", below)
    note = count(len(seeds), "accepted pass", "accepted passes") + f", {count(len(table), 'pair', separator=',')}"
    note += "; negative correlations in orange" if below else ""
    style.add_heading(figure, figure.axes[0], 2 * side + 0.75, title, note, above=0.5)


def _agreement_histograms(figure, table, seeds, measures, title) -> None:
    """Draw one histogram of all pairs per measure."""
    for i, (measure, label) in enumerate(measures.items()):
        values = table[measure].dropna().to_numpy(dtype=float)
        ax = figure.add_axes((3.35 * i, 0, 2.75, 2.2))
        distinct, counts = np.unique(np.round(values, 6), return_counts=True)
        if len(distinct) <= 60:  # overlaps are multiples of 1/k: bins would group them unevenly
            ax.bar(distinct, counts, width=0.8 * np.diff(distinct).min(initial=0.1), color=BLUE)
        else:
            ax.hist(values, bins=40, color=BLUE)
        if values.size:
            ax.axvline(np.median(values), color=BLACK, linewidth=1.0, linestyle=(0, (4, 3)))
        ax.set_xlim(min(-0.02, values.min(initial=0.0)), 1.02)
        ax.set_xlabel("agreement of two passes")
        ax.set_title(f"{label}\n{_median_and_range(table[measure])}", fontsize=9, loc="left")
        ax.set_ylabel("pairs of passes" if i == 0 else "")
        ax.grid(axis="y")
    note = f"{len(seeds)} accepted passes, {len(table):,} pairs; dashed: median"
    style.add_heading(figure, figure.axes[0], 6.1, title, note, above=0.5)


def _largest(values: pd.DataFrame) -> float:
    """Largest finite value; 0 if there is none."""
    finite = values.to_numpy(dtype=float)
    return float(np.max(finite[np.isfinite(finite)], initial=0.0))


def _median_and_range(values: pd.Series) -> str:
    """Median, minimum and maximum in words."""
    if not values.notna().any():
        return "undefined"
    return f"median {values.median():.2f} ({values.min():.2f} to {values.max():.2f})"
