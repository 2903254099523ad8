"""All models side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import style
from .style import BLACK, BLUE, GREEN, GREY, VERMILLION

if TYPE_CHECKING:
    import pandas as pd


def model_comparison(models: pd.DataFrame, path, title="Models side by side") -> Path:
    """Draw the accuracy of every model next to accuracies that need no signal, the best on top.

    Parameters
    ----------
    models
        ``models.tsv``: model, kind, accuracy, accuracy_low, accuracy_high, per_pass_accuracy_mean, majority_accuracy,
        control_accuracy_mean and optionally signal.
    path, title
        See `features.ranking`.

    Returns
    -------
    Path
        The file written. If there is no model, the figure says so.

    Raises
    ------
    InputError
        If a column is missing.
    """
    interval = ("accuracy", "accuracy_low", "accuracy_high")
    references = ("per_pass_accuracy_mean", "control_accuracy_mean", "majority_accuracy")
    table = style.require_columns(models, ("model", "kind", *interval, *references), "models.tsv")
    if table.empty:
        return style.save_message(path, title, "No model was evaluated", "models.tsv has no row.")
    table = table.sort_values("accuracy", ascending=False, kind="stable").reset_index(drop=True)
    on_embedding = table["kind"].astype(str).str.contains(" on ", regex=False).to_numpy()
    baseline = ((table["kind"] == "linear_baseline") | (table["model"] == "linear_baseline")).to_numpy() | on_embedding
    no_signal = undecided = np.zeros(len(table), dtype=bool)
    if "signal" in table:
        no_signal = np.array([str(value).lower() == "false" for value in table["signal"]])
        undecided = ~baseline & table["signal"].isna().to_numpy()
    y, width = np.arange(len(table)), 3.8
    with style.saved_figure(path) as figure:
        ax = figure.add_axes((0, 0, width, 0.36 * len(table) + 0.1))
        kinds = zip(table["model"].astype(str), table["kind"].astype(str), strict=True)
        names = [model if model == kind else f"{model} ({kind})" for model, kind in kinds]
        style.label_rows(ax, style.display_names(names))
        ax.plot(table[references[0]], y, "o", color=BLUE, markerfacecolor="white", markersize=5)
        ax.plot(table[references[1]], y, "X", color=GREY, markersize=6, markeredgewidth=0)
        ax.plot(table[references[2]], y, "|", color=BLACK, markersize=12, markeredgewidth=1.4)
        for rows, colour, marker in ((~baseline, BLUE, "o"), (baseline, GREEN, "D")):
            style.interval_dots(ax, y[rows], [table.loc[rows, c] for c in interval], colour, marker, size=6)
        for row, (value, low, high) in enumerate(table[list(interval)].to_numpy(dtype=float)):
            text = "not evaluated" if np.isnan(value) else f"{value:.3f}"
            text += "" if np.isnan(low) or np.isnan(high) else f"  ({low:.3f} to {high:.3f})"
            text += "   no signal" if no_signal[row] else "   signal undecided" if undecided[row] else ""
            ax.text(1.04, row, text, va="center", fontsize=8, color=VERMILLION if no_signal[row] else BLACK)
        ax.set_xlim(0, 1.02)
        ax.grid(axis="x")
        ax.set_xlabel("accuracy")
        keys = [("o", BLUE, "all passes combined (95 % interval)"), ("h", BLUE, "mean of single passes")]
        if baseline.any():
            also = ", classifiers on embeddings" if on_embedding.any() else ""
            keys.append(("D", GREEN, f"logistic regression{also} (95 % interval)"))
        keys.append(("X", GREY, "mean of control passes (permuted labels)"))
        keys.append(("|", BLACK, "always predicting the largest class"))
        style.add_legend(figure, -0.1, -0.5, keys, columns=2)
        style.add_heading(figure, ax, width + 1.2, title)
    return Path(path)
