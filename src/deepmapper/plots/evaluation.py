"""How good the predictions are: confusion matrix, each class, calibration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.words import count
from ..errors import InputError
from . import style
from .style import BLACK, BLUE, GREY, ROW_HEIGHT

if TYPE_CHECKING:
    import pandas as pd


def confusion(confusion: pd.DataFrame, path, title="Confusion on the test split") -> Path:
    """Draw the confusion matrix; colours are shares of the true class, numbers are counts of samples.

    Parameters
    ----------
    confusion
        ``confusion.tsv``: counts, one row per true class (index or first column ``true_class``), one column per
        predicted class.
    path, title
        See `features.ranking`.

    Returns
    -------
    Path
        The file written. If there is no prediction, the figure says so.

    Raises
    ------
    InputError
        If the classes of rows and columns differ.
    """
    table = confusion
    if table.index.name != "true_class":
        if not len(table.columns) or table.columns[0] != "true_class":
            raise InputError(f"confusion.tsv: first column is {list(table.columns)[:1]}; expected 'true_class'")
        table = table.set_index("true_class")
    if table.empty:
        return _save_no_prediction(path, title)
    classes, predicted = [str(c) for c in table.index], [str(c) for c in table.columns]
    if classes != predicted:
        raise InputError(f"confusion.tsv: rows are {classes}, columns {predicted}; expected the same in the same order")
    counts = table.to_numpy(dtype=int)
    shares = row_shares(counts)
    with style.saved_figure(path) as figure:
        draw_confusion(figure, counts, classes, shares, count_texts(counts), "share of the true class", 1.0, title)
    return Path(path)


def per_class(per_class: pd.DataFrame, path, title="Precision, recall and F1 of each class") -> Path:
    """Draw precision, recall and F1 of each class, the highest F1 on top.

    Parameters
    ----------
    per_class
        ``per_class.tsv``: class, precision, recall, f1, support and optionally ``_low`` and ``_high`` of each measure.
    path, title
        See `features.ranking`.

    Returns
    -------
    Path
        The file written. If there is no prediction, the figure says so.

    Raises
    ------
    InputError
        If a column is missing.
    """
    table = style.require_columns(per_class, ("class", "precision", "recall", "f1", "support"), "per_class.tsv")
    if table.empty:
        return _save_no_prediction(path, title)
    with style.saved_figure(path) as figure:
        draw_per_class(figure, table.sort_values("f1", ascending=False, kind="stable"), title)
    return Path(path)


def calibration(calibration: pd.DataFrame, path, title="Calibration on the test split") -> Path:
    """Draw the reliability diagram: accuracy of the predictions against their confidence.

    Parameters
    ----------
    calibration
        ``calibration.tsv``: confidence_low, confidence_high, n, mean_confidence, accuracy, one row per bin. The
        expected calibration error is the mean distance from the diagonal, weighted by n.
    path, title
        See `features.ranking`.

    Returns
    -------
    Path
        The file written. If there is no prediction, the figure says so.

    Raises
    ------
    InputError
        If a column is missing.
    """
    needed = ("confidence_low", "confidence_high", "n", "mean_confidence", "accuracy")
    bins = style.require_columns(calibration, needed, "calibration.tsv")[list(needed)].astype(float)
    filled = bins[bins["n"] > 0]
    if filled.empty:
        return _save_no_prediction(path, title)
    error = float(np.average((filled["accuracy"] - filled["mean_confidence"]).abs(), weights=filled["n"]))
    side = float(np.clip(0.42 * len(bins), 3.2, 8.0))
    with style.saved_figure(path) as figure:
        ax = figure.add_axes((0, 1.25, side, side))
        ax.plot([0, 1], [0, 1], color=BLACK, linewidth=0.9, linestyle=(0, (4, 3)))
        intervals = style.wilson_intervals(filled["accuracy"], filled["n"])
        ax.vlines(filled["mean_confidence"], *intervals, color=BLUE, linewidth=1.2)
        ax.plot(
            filled["mean_confidence"],
            filled["accuracy"],
            "o-",
            color=BLUE,
            markersize=4.5,
            linewidth=0.8,
            clip_on=False,
            zorder=3,
        )
        ax.set_ylabel("accuracy (95 % Wilson interval)")
        ax.tick_params(labelbottom=False)
        counts = figure.add_axes((0, 0, side, 0.85))
        width = bins["confidence_high"] - bins["confidence_low"]
        counts.bar(bins["confidence_low"], bins["n"], width, align="edge", color=GREY, edgecolor="white")
        for start, n in zip(filled["confidence_low"] + width[filled.index] / 2, filled["n"], strict=True):
            counts.annotate(f"{n:,.0f}", (start, n), (0, 1.5), textcoords="offset points", ha="center", va="bottom",
                            fontsize=8)  # fmt: skip
        counts.set_yticks([])
        counts.spines["left"].set_visible(False)
        counts.set_ylabel("samples")
        counts.set_xlabel("confidence of the prediction")
        for panel in (ax, counts):
            panel.set_xlim(0, 1)
        ax.set_ylim(0, 1)
        ax.grid()
        note = f"expected calibration error (ECE) {error:.3f}, {filled['n'].sum():.0f} samples"
        style.add_heading(figure, ax, side, title, note + "; dashed: perfect calibration")
    return Path(path)


def draw_confusion(figure, counts, classes, values, texts, label, vmax, title) -> None:
    """Draw the matrix of `counts`: `texts` in the cells, coloured by `values` from 0 to `vmax` with a colour bar."""
    longest = max(len(line) for row in texts for text in row for line in text.split("\n"))
    lines = 1 + max(text.count("\n") for row in texts for text in row)
    side = max(0.26, 0.075 * longest + 0.12, 0.15 * lines + 0.1, 1.3 / len(classes))
    extent = side * len(classes)
    names = style.display_names(classes)
    ax = figure.add_axes((0, 0, extent, extent))
    mesh = style.heatmap(ax, values, vmax)
    style.label_rows(ax, [f"{name} ({n:,})" for name, n in zip(names, counts.sum(axis=1), strict=True)], margin=0.5)
    style.label_columns(ax, names)
    for y, row in enumerate(texts):
        for x, text in enumerate(row):
            ax.text(x, y, text, ha="center", va="center", fontsize=8, color=style.text_colour(values[y, x] / vmax))
    ax.set_ylabel("true class (samples)")
    ax.set_xlabel("predicted class")
    style.add_colour_bar(figure, mesh, ax, extent + 0.2, label)
    total, correct = counts.sum(), np.trace(counts)
    note = (
        f"accuracy {correct / total:.3f} ({correct:,} of {count(total, 'sample', separator=',')})"
        if total
        else "no sample"
    )
    style.add_heading(figure, ax, max(extent, 3.5), title, note)


def draw_per_class(figure, table, title) -> None:
    """Draw dot plots of precision, recall and F1, and bars of the support, one row per class."""
    y, height = np.arange(len(table)), ROW_HEIGHT * 1.15 * len(table) + 0.1
    for i, (measure, label) in enumerate((("precision", "precision"), ("recall", "recall"), ("f1", "F1"))):
        ax = figure.add_axes((1.95 * i, 0, 1.75, height))
        style.label_rows(ax, style.display_names(table["class"]) if i == 0 else None, len(table))
        values = table[measure].to_numpy(dtype=float)
        ends = [table.get(measure + end, table[measure]).to_numpy(dtype=float) for end in ("_low", "_high")]
        mean = np.nanmean(values) if np.isfinite(values).any() else np.nan
        ax.axvline(mean, color=BLACK, linewidth=0.9, linestyle=(0, (2, 2)))
        style.interval_dots(ax, y, [values, *ends], BLUE)
        for row in np.flatnonzero(np.isnan(values)):
            ax.text(0.02, row, "undefined", va="center", fontsize=8, color=GREY)
        ax.set_xlim(-0.03, 1.03)
        ax.set_xticks((0, 0.5, 1), ("0", "0.5", "1"))
        ax.grid(axis="x")
        ax.set_xlabel(f"{label}\n(mean {mean:.2f})" if np.isfinite(mean) else label)
    support = figure.add_axes((5.85, 0, 0.9, height))
    style.label_rows(support, None, len(table))
    n = table["support"].to_numpy(dtype=float)
    support.barh(y, n, height=0.62, color=GREY)
    for row in np.flatnonzero(np.isfinite(n)):
        support.annotate(f"{n[row]:,.0f}", (n[row], row), (3, 0), textcoords="offset points", va="center", fontsize=8)
    support.set_xticks([])
    support.spines["bottom"].set_visible(False)
    support.set_xlabel("samples")
    intervals = "dots with 95 % Wilson intervals; " if "f1_low" in table else ""
    style.add_heading(figure, figure.axes[0], 6.75, title, intervals + "dashed: mean over the classes")


def count_texts(counts: np.ndarray) -> list[list[str]]:
    """Counts as text; empty for 0."""
    return [[str(count) if count else "" for count in row] for row in counts]


def row_shares(counts: np.ndarray) -> np.ndarray:
    """Each row divided by its sum; NaN where the sum is 0."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)


def _save_no_prediction(path, title) -> Path:
    return style.save_message(
        path,
        title,
        "No pass was accepted: no prediction to evaluate",
        "Only accepted passes predict; passes.tsv says why each pass was rejected.",
    )
