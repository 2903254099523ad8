"""Figures of the evaluation: confusion matrix, classes, calibration, embedding, models side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.words import count, natural_order
from ..errors import InputError
from . import style
from .style import BLACK, BLUE, CLASS_COLOURS, CLASS_MARKERS, GREEN, GREY, MAX_VECTOR_POINTS, ROW, VERMILLION

if TYPE_CHECKING:
    import pandas as pd


def confusion(confusion: pd.DataFrame, path, title="Confusion on the test split") -> Path:
    """Draw ``confusion.tsv``: colours are shares of the true class, numbers are counts.

    Parameters
    ----------
    confusion
        Counts, rows true class, columns predicted class; the true class as index or first column ``true_class``.
    path, title
        As in `ranking`.

    Returns
    -------
    Path
        The file written; it says so when there is no prediction.

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
        return _nothing_to_judge(path, title)
    classes, predicted = [str(c) for c in table.index], [str(c) for c in table.columns]
    if classes != predicted:
        raise InputError(f"confusion.tsv: rows are {classes}, columns {predicted}; expected the same in the same order")
    counts = table.to_numpy(dtype=int)
    shares = row_shares(counts)
    with style.sheet(path) as figure:
        draw_confusion(figure, counts, classes, shares, written(counts), "share of the true class", 1.0, title)
    return Path(path)


def per_class(per_class: pd.DataFrame, path, title="Precision, recall and F1 of each class") -> Path:
    """Draw ``per_class.tsv``, the best class on top.

    Parameters
    ----------
    per_class
        Columns class, precision, recall, f1, support and, where known, the ``_low`` and ``_high`` of each measure.
    path, title
        As in `ranking`.

    Returns
    -------
    Path
        The file written; it says so when there is no prediction.

    Raises
    ------
    InputError
        If a column is missing.
    """
    table = style.checked(per_class, ("class", "precision", "recall", "f1", "support"), "per_class.tsv")
    if table.empty:
        return _nothing_to_judge(path, title)
    with style.sheet(path) as figure:
        draw_per_class(figure, table.sort_values("f1", ascending=False, kind="stable"), title)
    return Path(path)


def calibration(calibration: pd.DataFrame, path, title="Calibration on the test split") -> Path:
    """Draw the reliability diagram: whether predictions are as often right as they are confident.

    Parameters
    ----------
    calibration
        ``calibration.tsv``: confidence_low, confidence_high, n, mean_confidence, accuracy, a row a bin. The expected
        calibration error is the mean distance from the diagonal, weighted by n.
    path, title
        As in `ranking`.

    Returns
    -------
    Path
        The file written; it says so when there is no prediction.

    Raises
    ------
    InputError
        If a column is missing.
    """
    needed = ("confidence_low", "confidence_high", "n", "mean_confidence", "accuracy")
    bins = style.checked(calibration, needed, "calibration.tsv")[list(needed)].astype(float)
    filled = bins[bins["n"] > 0]
    if filled.empty:
        return _nothing_to_judge(path, title)
    error = float(np.average((filled["accuracy"] - filled["mean_confidence"]).abs(), weights=filled["n"]))
    side = float(np.clip(0.42 * len(bins), 3.2, 8.0))
    with style.sheet(path) as figure:
        ax = figure.add_axes((0, 1.25, side, side))
        ax.plot([0, 1], [0, 1], color=BLACK, linewidth=0.9, linestyle=(0, (4, 3)))
        ax.vlines(filled["mean_confidence"], *style.wilson(filled["accuracy"], filled["n"]), color=BLUE, linewidth=1.2)
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
            counts.annotate(f"{n:.0f}", (start, n), (0, 1.5), textcoords="offset points", ha="center", va="bottom",
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
        style.head(figure, ax, side, title, note + "; dashed: perfect calibration")
    return Path(path)


def embedding(
    coordinates: np.ndarray,
    labels: Sequence,
    path,
    test: Sequence[bool] | None = None,
    predicted: Sequence | None = None,
    basis: str = "UMAP",
    title="Embedding",
) -> Path:
    """Draw samples on a map, coloured by class.

    Parameters
    ----------
    coordinates
        (n, 2); samples with a coordinate that is not finite are left out, and their number is written.
    labels
        (n,) class of each sample; a missing one (None, NaN) is drawn in grey.
    path, title
        As in `ranking`.
    test
        (n,) True for samples of the test split, drawn darker and with an outline.
    predicted
        (n,) predicted class, missing where there is none; a second map shows which samples were predicted wrongly.
    basis
        What the two axes are.

    Returns
    -------
    Path
        The file written. More than 5000 samples are drawn as one picture inside the vector file.

    Raises
    ------
    InputError
        If the lengths differ.
    """
    points = np.asarray(coordinates, dtype=float)
    if points.ndim != 2 or points.shape[1] != 2:
        raise InputError(f"coordinates: shape {points.shape}; expected (samples, 2)")
    for name, values in {"labels": labels, "test": test, "predicted": predicted}.items():
        if values is not None and len(values) != len(points):
            raise InputError(f"{name}: {len(values)} values for {len(points)} samples; expected one each")
    shown = np.isfinite(points).all(axis=1)
    if not shown.any():
        return style.say(
            path, title, "No sample has coordinates", "Every row of the embedding is missing or not finite."
        )
    points, label = points[shown], _text_or_none(labels)[shown]
    outlined = np.zeros(len(points), dtype=bool) if test is None else np.asarray(test, dtype=bool)[shown]
    guess = np.full(len(points), None) if predicted is None else _text_or_none(predicted)[shown]
    judged = np.array([g is not None and c is not None for g, c in zip(guess, label, strict=True)])
    wrong = judged & (guess != label)
    with style.sheet(path) as figure:
        _draw_embedding(figure, points, label, outlined, judged, wrong, basis)
        notes = [count(len(points), "sample", "samples")]
        if outlined.any():
            notes.append(f"{outlined.sum()} in the test split")
        if judged.any():
            notes.append(f"{wrong.sum()} of {count(judged.sum(), 'prediction', 'predictions')} wrong")
        if not shown.all():
            notes.append(f"{(~shown).sum()} without coordinates left out")
        style.head(figure, figure.axes[0], 8.8 if judged.any() else 4.4, title, "; ".join(notes))
    return Path(path)


def model_comparison(models: pd.DataFrame, path, title="Models side by side") -> Path:
    """Draw the accuracy of every model beside what needs no signal, the best on top.

    Parameters
    ----------
    models
        ``models.tsv``: model, kind, accuracy, accuracy_low, accuracy_high, per_pass_accuracy_mean, majority_accuracy,
        control_accuracy_mean and, where known, signal.
    path, title
        As in `ranking`.

    Returns
    -------
    Path
        The file written; it says so when there is no model.

    Raises
    ------
    InputError
        If a column is missing.
    """
    interval = ("accuracy", "accuracy_low", "accuracy_high")
    references = ("per_pass_accuracy_mean", "control_accuracy_mean", "majority_accuracy")
    table = style.checked(models, ("model", "kind", *interval, *references), "models.tsv")
    if table.empty:
        return style.say(path, title, "No model was evaluated", "models.tsv has no row.")
    table = table.sort_values("accuracy", ascending=False, kind="stable").reset_index(drop=True)
    baseline = ((table["kind"] == "linear_baseline") | (table["model"] == "linear_baseline")).to_numpy()
    dull = [str(one).lower() == "false" for one in table.get("signal", [""] * len(table))]
    untold = ~baseline & table["signal"].isna().to_numpy() if "signal" in table else np.zeros(len(table), dtype=bool)
    y, width = np.arange(len(table)), 3.8
    with style.sheet(path) as figure:
        ax = figure.add_axes((0, 0, width, 0.36 * len(table) + 0.1))
        kinds = zip(table["model"].astype(str), table["kind"].astype(str), strict=True)
        style.rows(ax, style.names(model if model == kind else f"{model} ({kind})" for model, kind in kinds))
        ax.plot(table[references[0]], y, "o", color=BLUE, markerfacecolor="white", markersize=5)
        ax.plot(table[references[1]], y, "X", color=GREY, markersize=6, markeredgewidth=0)
        ax.plot(table[references[2]], y, "|", color=BLACK, markersize=12, markeredgewidth=1.4)
        for rows, colour, marker in ((~baseline, BLUE, "o"), (baseline, GREEN, "D")):
            style.dots(ax, y[rows], [table.loc[rows, c] for c in interval], colour, marker, size=6)
        for row, (value, low, high) in enumerate(table[list(interval)].to_numpy(dtype=float)):
            text = "not evaluated" if np.isnan(value) else f"{value:.3f}"
            text += "" if np.isnan(low) or np.isnan(high) else f"  ({low:.3f} to {high:.3f})"
            text += "   no signal" if dull[row] else "   signal cannot be told" if untold[row] else ""
            ax.text(1.04, row, text, va="center", fontsize=8, color=VERMILLION if dull[row] else BLACK)
        ax.set_xlim(0, 1.02)
        ax.grid(axis="x")
        ax.set_xlabel("accuracy")
        keys = [("o", BLUE, "all passes together (95 % interval)"), ("h", BLUE, "each pass alone, mean"),
                ("D", GREEN, "linear baseline (95 % interval)"), ("X", GREY, "control passes (permuted labels), mean"),
                ("|", BLACK, "always the largest class")]  # fmt: skip
        style.key(figure, -0.1, -0.5, keys if baseline.any() else [k for k in keys if k[0] != "D"], columns=2)
        style.head(figure, ax, width + 1.2, title)
    return Path(path)


def _nothing_to_judge(path, title) -> Path:
    return style.say(
        path,
        title,
        "No pass was accepted: no prediction to judge",
        "The ensemble predicts with accepted passes; passes.tsv says why each was rejected.",
    )


def draw_confusion(figure, counts, classes, shade, texts, shade_label, most, title) -> None:
    """Matrix of `counts`: coloured by `shade`, written as `texts`."""
    longest = max(len(line) for row in texts for text in row for line in text.split("\n"))
    lines = 1 + max(text.count("\n") for row in texts for text in row)
    side = max(0.26, 0.075 * longest + 0.12, 0.15 * lines + 0.1, 1.3 / len(classes))
    extent = side * len(classes)
    names = style.names(classes)
    ax = figure.add_axes((0, 0, extent, extent))
    mesh = style.heat(ax, shade, most)
    style.rows(ax, [f"{name} ({n})" for name, n in zip(names, counts.sum(axis=1), strict=True)], margin=0.5)
    style.columns(ax, names)
    for y, row in enumerate(texts):
        for x, text in enumerate(row):
            ax.text(x, y, text, ha="center", va="center", fontsize=8, color=style.ink(shade[y, x] / most))
    ax.set_ylabel("true class (samples)")
    ax.set_xlabel("predicted class")
    style.colour_bar(figure, mesh, ax, extent + 0.2, shade_label)
    total, right = counts.sum(), np.trace(counts)
    note = f"accuracy {right / total:.3f} ({right} of {count(total, 'sample', 'samples')})" if total else "no sample"
    style.head(figure, ax, max(extent, 3.5), title, note)


def draw_per_class(figure, table, title) -> None:
    """Three dot plots and the support, one row a class."""
    y, height = np.arange(len(table)), ROW * 1.15 * len(table) + 0.1
    for i, (measure, label) in enumerate((("precision", "precision"), ("recall", "recall"), ("f1", "F1"))):
        ax = figure.add_axes((1.95 * i, 0, 1.75, height))
        style.rows(ax, style.names(table["class"]) if i == 0 else None, len(table))
        values = table[measure].to_numpy(dtype=float)
        ends = [table.get(measure + end, table[measure]).to_numpy(dtype=float) for end in ("_low", "_high")]
        mean = np.nanmean(values) if np.isfinite(values).any() else np.nan
        ax.axvline(mean, color=BLACK, linewidth=0.9, linestyle=(0, (2, 2)))
        style.dots(ax, y, [values, *ends], BLUE)
        for row in np.flatnonzero(np.isnan(values)):
            ax.text(0.02, row, "undefined", va="center", fontsize=8, color=GREY)
        ax.set_xlim(-0.03, 1.03)
        ax.set_xticks((0, 0.5, 1), ("0", "0.5", "1"))
        ax.grid(axis="x")
        ax.set_xlabel(f"{label}\n(mean {mean:.2f})" if np.isfinite(mean) else label)
    support = figure.add_axes((5.85, 0, 0.9, height))
    style.rows(support, None, len(table))
    n = table["support"].to_numpy(dtype=float)
    support.barh(y, n, height=0.62, color=GREY)
    for row in np.flatnonzero(np.isfinite(n)):
        support.annotate(f"{n[row]:.0f}", (n[row], row), (3, 0), textcoords="offset points", va="center", fontsize=8)
    support.set_xticks([])
    support.spines["bottom"].set_visible(False)
    support.set_xlabel("samples")
    intervals = "points with 95 % Wilson intervals; " if "f1_low" in table else ""
    style.head(figure, figure.axes[0], 6.75, title, intervals + "dashed: mean over the classes")


def _draw_embedding(figure, points, label, outlined, judged, wrong, basis) -> None:
    """Map by class, with numbers at the class medians and a key; map of right and wrong where there are predictions."""
    side = 4.4
    ax = _empty_map(figure, 0, side, points, basis)
    classes = natural_order({c for c in label if c is not None})
    looks = {None: ("o", GREY)} | {
        c: (CLASS_MARKERS[i // len(CLASS_COLOURS) % len(CLASS_MARKERS)], CLASS_COLOURS[i % len(CLASS_COLOURS)])
        for i, c in enumerate(classes)
    }
    mixed = np.random.default_rng(0).permutation(len(points))  # no class lies on top of all others
    marker, colour = np.array([looks[c] for c in label]).T
    for edged in (False, True):
        group = mixed[outlined[mixed] == edged]
        for shape in sorted(set(marker[group])):
            these = group[marker[group] == shape]
            _cells(ax, points, these, colour[these], edged, shape)
    if classes:
        corner, reach = np.array([ax.get_xlim(), ax.get_ylim()]).T
        inch = (reach - corner) / side
        centres = np.array([np.median(points[label == c], axis=0) for c in classes])
        spots = corner + inch * _apart((centres - corner) / inch, 0.24)
        frame = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": BLACK, "linewidth": 0.5}
        for number, (centre, spot) in enumerate(zip(centres, spots, strict=True), start=1):
            ax.plot(*zip(centre, spot, strict=True), color=BLACK, linewidth=0.7, clip_on=False)
            ax.text(*spot, str(number), ha="center", va="center", fontsize=8, fontweight="bold", bbox=frame)
    names = zip(classes, style.names(classes), strict=True)
    keys = [(*looks[c], f"{i}  {name} ({np.sum(label == c)})") for i, (c, name) in enumerate(names, start=1)]
    if None in label:
        keys.append((*looks[None], f"no label ({np.sum(label == None)})"))  # noqa: E711 (element by element)
    left = side + 0.15
    if judged.any():
        right = _empty_map(figure, side + 0.4, side, points, basis)
        for these, colour in ((judged & ~wrong, GREY), (wrong, VERMILLION)):
            for edged in (False, True):
                _cells(right, points, mixed[(these & (outlined == edged))[mixed]], colour, edged)
        marks = [("o", GREY, "predicted rightly"), ("o", VERMILLION, "predicted wrongly")]
        style.key(figure, side + 0.3, -0.3, marks, columns=2)
        left += side + 0.4
    if outlined.any():
        style.key(figure, -0.1, -0.3, [("O", BLACK, "darker: test split")])
    style.key(figure, left, side, keys, columns=math.ceil(len(keys) / 24))


def _empty_map(figure, left, side, points, basis):
    """Square axes without ticks that hold all points."""
    ax = figure.add_axes((left, 0, side, side))
    low, high = points.min(axis=0), points.max(axis=0)
    margin = np.where(high > low, 0.05 * (high - low), 0.5)
    ax.set_xlim(low[0] - margin[0], high[0] + margin[0])
    ax.set_ylim(low[1] - margin[1], high[1] + margin[1])
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlabel(f"{basis} 1")
    ax.set_ylabel(f"{basis} 2" if left == 0 else "")
    return ax


def _cells(ax, points, these, colour, edged: bool, shape="o") -> None:
    """Points `these` of a map; `edged` ones darker and outlined, many ones as one picture."""
    size = float(np.clip(14000 / len(points), 2.0, 20.0))
    ax.scatter(
        *points[these].T,
        s=size,
        c=colour,
        marker=shape,
        edgecolors=BLACK if edged else "none",
        linewidths=0.02 * size if edged else 0.0,
        alpha=0.95 if edged else 0.5,
        rasterized=len(points) > MAX_VECTOR_POINTS,
    )


def _apart(points: np.ndarray, gap: float) -> np.ndarray:
    """Push points (n, 2) apart until none is closer than `gap` to another, or 500 rounds are over."""
    turn = 2.4 * np.arange(len(points))
    placed = points + 1e-3 * np.column_stack([np.cos(turn), np.sin(turn)])  # even points in one place part ways
    for _ in range(500):
        apart = placed[:, None] - placed[None]
        distance = np.linalg.norm(apart, axis=2)
        np.fill_diagonal(distance, np.inf)
        if distance.min(initial=np.inf) >= gap:
            break
        push = np.clip(gap * 1.02 - distance, 0.0, None) / 2
        placed = placed + (apart / distance[:, :, None] * push[:, :, None]).sum(axis=1)
    return placed


def written(counts: np.ndarray) -> list[list[str]]:
    """Write counts as text, nothing for 0."""
    return [[str(count) if count else "" for count in row] for row in counts]


def row_shares(counts: np.ndarray) -> np.ndarray:
    """Each row divided by its sum; NaN where a row is empty."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)


def _text_or_none(values: Sequence) -> np.ndarray:
    """Labels as text, None where missing."""
    import pandas as pd

    whole = pd.Series(list(values), dtype=object)
    return whole.astype(str).where(whole.notna(), None).to_numpy(dtype=object)
