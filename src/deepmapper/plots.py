"""The figures of DeepMapper: how good, how stable, which features, for which class.

Two families, drawn with matplotlib alone and without pyplot, so that the caller's backend and style stay as they are:

- from Python: `confusion_matrix`, `per_class_metrics`, `method_comparison` and `top_genes` take plain values and a stem
  and write ``{stem}.png`` (200 dpi) and ``{stem}.pdf``;
- from the tables of a run: `ranking`, `importance_heatmap`, `confusion`, `per_class`, `learning_curves`,
  `accuracy_references`, `agreement`, `calibration`, `embedding` and `model_comparison` take the table as a
  `pandas.DataFrame` and write one file, whose suffix (.svg, .png or .pdf) chooses the format.

Every file appears whole or not at all, and the same values give the same bytes. Figures are laid out in inches around
panels of fixed size and the sheet grows to hold their labels: no name is cut, no text is smaller than 8 pt. Names
longer than 64 characters are shortened in the middle. Colours: Okabe & Ito's, and Paul Tol's "muted" for classes,
both made for colour-blind readers; no statement hangs on colour alone.
"""

from __future__ import annotations

import math
import os
import re
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .accumulate import wilson_interval
from .errors import InputError

if TYPE_CHECKING:
    import pandas as pd

BLUE, VERMILLION, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#E69F00", "#009E73", "#CC79A7"
GREY, BLACK, NO_VALUE = "#8C8C8C", "#222222", "#E3E3E3"
CLASS_COLOURS = (
    "#332288", "#CC6677", "#117733", "#DDCC77", "#88CCEE", "#882255", "#44AA99", "#999933", "#AA4499",
)  # fmt: skip
CLASS_MARKERS = ("o", "^", "s", "D", "v", "P")
ROW = 0.2  # inches a row of a dot plot: 8 pt text and air
STYLE = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "text.parse_math": False,  # "$" in a feature's name is a dollar, not mathematics
    "svg.fonttype": "none",  # text stays text: it can be searched and edited
    "svg.hashsalt": "deepmapper",  # the same ids in every process
    "pdf.fonttype": 42,
}
METADATA = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {}}
BAR = 1.6  # inches a colour scale
MOST_VECTOR_POINTS = 5000
MOST_MATRIX_PASSES = 60


# The documented figures: plain values in, {stem}.png and {stem}.pdf out.


def confusion_matrix(
    y_true: Sequence, y_pred: Sequence, classes: Sequence[str], stem, title="Confusion matrix", normalize: bool = True
) -> list[str]:
    """Draw which class is taken for which.

    Parameters
    ----------
    y_true, y_pred
        One label per sample: indices into `classes`, or the class names themselves.
    classes
        Names of all classes, in the order of the axes.
    stem
        Path without suffix.
    title
        Written above the matrix.
    normalize
        True writes and colours the share of each true class, counts in brackets; False only counts.

    Returns
    -------
    list of str
        The two files written: PNG, PDF.

    Raises
    ------
    InputError
        If the two label lists differ in length, or a label is no class.
    """
    true, predicted = _class_indices(y_true, classes, "y_true"), _class_indices(y_pred, classes, "y_pred")
    if len(true) != len(predicted):
        raise InputError(f"y_true has {len(true)} labels and y_pred {len(predicted)}: expected one of each per sample")
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(counts, (true, predicted), 1)
    texts, shares = _written(counts), _row_shares(counts)
    if normalize:
        texts = [
            [t and f"{s:.2f}\n({t})" for t, s in zip(*rows, strict=True)] for rows in zip(texts, shares, strict=True)
        ]
    with _sheet(f"{stem}.png", f"{stem}.pdf") as figure:
        if normalize:
            _draw_confusion(figure, counts, classes, shares, texts, "share of the true class", 1.0, title)
        else:
            _draw_confusion(figure, counts, classes, counts, texts, "samples", max(1, counts.max()), title)
    return [f"{stem}.png", f"{stem}.pdf"]


def per_class_metrics(
    report: Mapping, classes: Sequence[str], stem, title="Per-class precision / recall / F1"
) -> list[str]:
    """Draw precision, recall, F1 and support of every class.

    Parameters
    ----------
    report
        `sklearn.metrics.classification_report(..., output_dict=True)`.
    classes
        The classes to draw: keys of `report`.
    stem, title
        As in `confusion_matrix`.

    Returns
    -------
    list of str
        The two files written: PNG, PDF.

    Raises
    ------
    InputError
        If a class is not in the report.
    """
    import pandas as pd

    absent = [c for c in classes if c not in report]
    if absent:
        raise InputError(f"report: no entry for class {absent[0]!r}; it has {', '.join(map(str, report))}")
    rows = [
        {"class": c, "precision": report[c]["precision"], "recall": report[c]["recall"], "f1": report[c]["f1-score"],
         "support": report[c]["support"]}
        for c in classes
    ]  # fmt: skip
    with _sheet(f"{stem}.png", f"{stem}.pdf") as figure:
        _draw_per_class(figure, pd.DataFrame(rows), title)
    return [f"{stem}.png", f"{stem}.pdf"]


def method_comparison(
    rows: list[dict], stem, metric_key: str = "accuracy", title: str = "DeepMapper vs scanpy"
) -> list[str]:
    """Draw one bar a method, DeepMapper's own in colour.

    Parameters
    ----------
    rows
        One dict per method: ``method`` (name), `metric_key` (number, NaN where it could not be had) and, where known,
        ``{metric_key}_low`` and ``{metric_key}_high``, drawn as an interval.
    stem, title
        As in `confusion_matrix`.
    metric_key
        Which entry to draw.

    Returns
    -------
    list of str
        The two files written: PNG, PDF.

    Raises
    ------
    InputError
        If there is no row, or a row lacks its name or the metric.
    """
    if not rows:
        raise InputError("rows: empty; expected one dict per method")
    for number, row in enumerate(rows):
        absent = [key for key in ("method", metric_key) if key not in row]
        if absent:
            raise InputError(f"rows[{number}]: no {absent[0]!r}; it has {', '.join(map(str, row))}")
    names = _names(row["method"] for row in rows)
    values = np.array([row[metric_key] for row in rows], dtype=float)
    low = np.array([row.get(f"{metric_key}_low", np.nan) for row in rows], dtype=float)
    high = np.array([row.get(f"{metric_key}_high", np.nan) for row in rows], dtype=float)
    bounded = not np.any((values < 0) | (values > 1))
    with _sheet(f"{stem}.png", f"{stem}.pdf") as figure:
        ax = figure.add_axes((0, 0, 3.6, 0.32 * len(rows) + 0.1))
        _rows(ax, names)
        colours = [BLUE if "deepmapper" in name.lower() else GREY for name in names]
        ax.barh(range(len(rows)), values, height=0.62, color=colours)
        ax.hlines(range(len(rows)), low, high, color=BLACK, linewidth=1.2)
        reach = np.nanmax(np.concatenate([values, high, [1.0 if bounded else -np.inf]]))
        for y, (value, end) in enumerate(zip(values, high, strict=True)):
            text = "n/a" if np.isnan(value) else f"{value:.3f}"
            ax.text(np.nanmax([value, end, 0.0]) + 0.015 * reach, y, text, va="center", fontsize=8)
        if bounded:
            ax.set_xlim(0, 1)
        ax.set_xlabel(metric_key.replace("_", " "))
        _head(figure, ax, 3.6, title)
    return [f"{stem}.png", f"{stem}.pdf"]


def top_genes(
    genes: Sequence[str],
    scores: Sequence[float],
    stem,
    highlight: Callable[[str], bool] | Collection[str] | None = None,
    title: str = "Top attribution genes",
) -> list[str]:
    """Draw one bar a gene, in the order given.

    Parameters
    ----------
    genes, scores
        Names and scores, the first on top.
    stem, title
        As in `confusion_matrix`.
    highlight
        Genes to draw in another colour: a collection of names, or a function that says so of a name.

    Returns
    -------
    list of str
        The two files written: PNG, PDF.

    Raises
    ------
    InputError
        If there is no gene, or not one score for each.
    """
    if not len(genes) or len(genes) != len(scores):
        raise InputError(
            f"{len(genes)} genes and {len(scores)} scores: expected at least one gene and a score for each"
        )
    marked = highlight if callable(highlight) else set(highlight or ()).__contains__
    lit = [bool(marked(gene)) for gene in genes]
    with _sheet(f"{stem}.png", f"{stem}.pdf") as figure:
        ax = figure.add_axes((0, 0, 3.2, ROW * len(genes) + 0.1))
        _rows(ax, _names(genes))
        ax.barh(range(len(genes)), np.asarray(scores, dtype=float), height=0.66,
                color=[ORANGE if one else BLUE for one in lit])  # fmt: skip
        ax.grid(axis="x")
        ax.set_xlabel("accumulated importance")
        _head(figure, ax, 3.2, title)
        if any(lit):
            _key(figure, 3.4, ax.get_position().y1, [("s", ORANGE, "highlighted"), ("s", BLUE, "other")])
    return [f"{stem}.png", f"{stem}.pdf"]


# The figures of a run: its tables in, one file out.


def ranking(
    features: pd.DataFrame, path, top: int = 30, summary: Mapping | None = None, title="Feature ranking"
) -> Path:
    """Draw the head of the ranking: how often each feature was selected, and how important it was.

    Parameters
    ----------
    features
        ``features.tsv``.
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
    statistics = ("selection_frequency", "selection_frequency_low", "selection_frequency_high",
                  "median_importance", "importance_q25", "importance_q75")  # fmt: skip
    table = _table(features, ("rank", "feature", *statistics), "features.tsv").sort_values("rank", kind="stable")
    summary = summary or {}
    if _nothing_ranked(table, summary):
        return _nothing_to_rank(path, title, summary)
    n_features, table = len(table), table.head(top)
    y = np.arange(len(table))
    height = ROW * len(table) + 0.1
    with _sheet(path) as figure:
        often = figure.add_axes((0, 0, 2.6, height))
        _rows(often, _names(table["feature"]))
        _dots(often, y, [table[c] for c in statistics[:3]], BLUE)
        often.set_xlim(-0.03, 1.03)
        often.set_xlabel("share of passes that selected it\n(95 % Wilson interval)")
        strong = figure.add_axes((2.95, 0, 2.6, height))
        _rows(strong, None, len(table))
        _dots(strong, y, [table[c] for c in statistics[3:]], BLUE)
        strong.set_xlim(left=min(0.0, np.nanmin(table[list(statistics[3:])].to_numpy(dtype=float))))
        strong.set_xlabel("importance in one pass\n(median and interquartile range)")
        for ax in (often, strong):
            ax.grid(axis="x")
            ax.locator_params(axis="x", nbins=5)
        notes = [f"top {len(table)} of {n_features} features"]
        if "n_accepted" in summary:
            notes.append(_count(summary["n_accepted"], "accepted pass", "accepted passes"))
        if summary.get("top_k"):
            chance = min(1.0, summary["top_k"] / n_features)
            often.axvline(chance, color=BLACK, linewidth=0.9, linestyle=(0, (2, 2)))
            notes.append(f"dashed: chance ({summary['top_k']} of {n_features})")
        _head(figure, often, 5.55, title, "; ".join(notes), _no_signal(summary))
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

    table = _table(features, ("rank", "feature", "median_importance"), "features.tsv")
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
    with _sheet(path) as figure:
        ax = figure.add_axes((0, 0, width, height))
        mesh = _heat(ax, scaled, 1.0)
        _rows(ax, _names(table["feature"]), margin=0.5)
        _columns(ax, _names(found))
        for way, marker in (("up", "^"), ("down", "v")):
            for x, name in enumerate(found):
                direction = table.get(f"direction[{name}]", pd.Series("unclear", index=table.index))
                y = np.flatnonzero((direction == way) & ~np.isnan(scaled[:, x]))
                ax.scatter(np.full(len(y), x), y, s=11, marker=marker, c=[_ink(scaled[row, x], 0.1) for row in y],
                           linewidths=0)  # fmt: skip
        _colour_bar(figure, mesh, ax, width + 0.2, "scaled importance")
        keys = [("^", BLACK, "higher value speaks for the class"), ("v", BLACK, "higher value speaks against it"),
                ("s", NO_VALUE, "no value")]  # fmt: skip
        _key(figure, width + 0.08, height - BAR - 0.1, keys if np.isnan(scaled).any() else keys[:2])
        note = f"top {len(table)} of {len(features)} features, by rank; 1 is the strongest feature of each class"
        _head(figure, ax, max(width, 3.5), title, note, _no_signal(summary or {}))
    return Path(path)


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
    shares = _row_shares(counts)
    with _sheet(path) as figure:
        _draw_confusion(figure, counts, classes, shares, _written(counts), "share of the true class", 1.0, title)
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
    table = _table(per_class, ("class", "precision", "recall", "f1", "support"), "per_class.tsv")
    if table.empty:
        return _nothing_to_judge(path, title)
    with _sheet(path) as figure:
        _draw_per_class(figure, table.sort_values("f1", ascending=False, kind="stable"), title)
    return Path(path)


def learning_curves(history: pd.DataFrame, path, title="Learning curves") -> Path:
    """Draw training loss, validation loss and validation accuracy of every pass, and of the control passes in grey.

    Parameters
    ----------
    history
        ``history.tsv``: seed, control, epoch, train_loss, val_loss, val_accuracy.
    path, title
        As in `ranking`.

    Returns
    -------
    Path
        The file written; it says so when nothing was recorded.

    Raises
    ------
    InputError
        If a column is missing.
    """
    measures = {"train_loss": "training loss", "val_loss": "validation loss", "val_accuracy": "validation accuracy"}
    table = _table(history, ("seed", "control", "epoch", *measures), "history.tsv")
    if table.empty:
        return _say(path, title, "No training history was recorded", "The model is not trained in epochs.")
    control, last = _flags(table["control"]), table["epoch"].max()
    groups = [(table[control], GREY, 1), (table[~control], BLUE, 2)]
    with _sheet(path) as figure:
        panels = [figure.add_axes((3.05 * i, 0, 2.45, 2.3)) for i in range(3)]
        for ax, (measure, label) in zip(panels, measures.items(), strict=True):
            for rows, colour, order in groups:
                _curves(ax, rows, measure, colour, order, rasterized=len(table) > 4 * MOST_VECTOR_POINTS)
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
            # One scale for both losses; overfitted control passes may leave it upwards rather than flatten the rest.
            ax.set_ylim(0.0, 1.05 * top or 1.0)
        n_control, n_pass = table.loc[control, "seed"].nunique(), table.loc[~control, "seed"].nunique()
        keys = [("-", BLUE, "pass"), ("h", BLUE, "end of training"), ("=", BLUE, "median while half of them train")]
        keys = keys[: 3 if n_pass > 1 else 2] + [("-", GREY, "control pass (permuted labels)")] * bool(n_control)
        _key(figure, -0.1, -0.5, keys, columns=4)
        note = f"{_count(n_pass, 'pass', 'passes')}, {_count(n_control, 'control pass', 'control passes')}"
        _head(
            figure, panels[0], 8.55, title, note + "; losses of control passes rise beyond the axis" * (top < highest)
        )
    return Path(path)


def accuracy_references(
    passes: pd.DataFrame, path, title="Out-of-bag accuracy of each pass and its references"
) -> Path:
    """Draw each pass's out-of-bag accuracy beside its majority-class and label-permuted references.

    Parameters
    ----------
    passes
        ``passes.tsv``: seed, control, accepted, accuracy, majority_accuracy, permuted_accuracy, n_oob.
    path, title
        As in `ranking`.

    Returns
    -------
    Path
        The file written; it says so when there is no pass.

    Raises
    ------
    InputError
        If a column is missing.
    """
    needed = ("seed", "control", "accepted", "accuracy", "majority_accuracy", "permuted_accuracy", "n_oob")
    table = _table(passes, needed, "passes.tsv")
    if table.empty:
        return _say(path, title, "No pass was run", "passes.tsv has no row.")
    table = table.assign(control=_flags(table["control"]), accepted=_flags(table["accepted"]))
    table = table.sort_values(["control", "seed"], kind="stable").reset_index(drop=True)
    control = table["control"].to_numpy()
    x = np.arange(len(table)) + np.where(control & ~control.all(), 1.0, 0.0)  # an empty column before the controls
    span = x[-1] + 1.0
    step = max(1, math.ceil(len(table) / 60))
    width = float(np.clip(0.16 * span, 3.0, 9.6))
    dot = float(np.clip(0.6 * 72 * width / span, 2.5, 4.5))
    kinds = {
        "accepted": (~control & table["accepted"].to_numpy(), "o", BLUE, "accepted pass"),
        "rejected": (~control & ~table["accepted"].to_numpy(), "X", VERMILLION, "rejected pass"),
        "control": (control, "s", GREY, "control pass (trained on permuted labels)"),
    }
    with _sheet(path) as figure:
        ax = figure.add_axes((0, 0, width, 2.6))
        keys = []
        for rows, marker, colour, label in kinds.values():
            if not rows.any():
                continue
            accuracy = table.loc[rows, "accuracy"]
            ax.vlines(x[rows], *_wilson(accuracy, table.loc[rows, "n_oob"]), color=colour, linewidth=0.9, alpha=0.7)
            ax.plot(x[rows], accuracy, marker, color=colour, markersize=dot, markeredgewidth=0)
            keys.append((marker, colour, label))
        ax.plot(x, table["majority_accuracy"], "_", color=BLACK, markersize=1.6 * dot, markeredgewidth=1.3)
        ax.plot(x, table["permuted_accuracy"], "d", color=PURPLE, markersize=dot, markerfacecolor="none")
        keys += [("_", BLACK, "always the largest class"), ("d", PURPLE, "same predictions, permuted labels")]
        ax.set_xlim(-1, span)
        ax.set_ylim(-0.02, 1.02)
        ax.set_xticks(x[::step], _names(table["seed"][::step]), rotation=90)
        ax.set_xlabel("seed")
        ax.set_ylabel("out-of-bag accuracy\n(95 % Wilson interval)")
        ax.grid(axis="y")
        _key(figure, width + 0.15, 2.6, keys)
        n_pass, n_accepted = int((~control).sum()), int(kinds["accepted"][0].sum())
        note = f"{n_accepted} of {_count(n_pass, 'pass', 'passes')} accepted"
        _head(figure, ax, max(width, 5.0), title, note + f", {_count(control.sum(), 'control pass', 'control passes')}")
    return Path(path)


def agreement(agreement: pd.DataFrame, path, title="Agreement between passes") -> Path:
    """Draw how much every two accepted passes agree on the features.

    Parameters
    ----------
    agreement
        ``agreement.tsv``: seed_a, seed_b, top_k_overlap (shared / k), spearman. Up to 60 passes are drawn as matrices,
        more as histograms.
    path, title
        As in `ranking`.

    Returns
    -------
    Path
        The file written; it says so when fewer than two passes were accepted.

    Raises
    ------
    InputError
        If a column is missing.
    """
    measures = {"top_k_overlap": "overlap of the top features", "spearman": "Spearman correlation"}
    table = _table(agreement, ("seed_a", "seed_b", *measures), "agreement.tsv")
    if table.empty:
        return _say(path, title, "Fewer than two passes were accepted: no two to compare",
                    "Agreement is measured between pairs of accepted passes.")  # fmt: skip
    seeds = sorted(set(table["seed_a"]) | set(table["seed_b"]))
    draw = _agreement_matrices if len(seeds) <= MOST_MATRIX_PASSES else _agreement_histograms
    with _sheet(path) as figure:
        draw(figure, table, seeds, measures, title)
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
    bins = _table(calibration, needed, "calibration.tsv")[list(needed)].astype(float)
    filled = bins[bins["n"] > 0]
    if filled.empty:
        return _nothing_to_judge(path, title)
    error = float(np.average((filled["accuracy"] - filled["mean_confidence"]).abs(), weights=filled["n"]))
    side = float(np.clip(0.42 * len(bins), 3.2, 8.0))
    with _sheet(path) as figure:
        ax = figure.add_axes((0, 1.25, side, side))
        ax.plot([0, 1], [0, 1], color=BLACK, linewidth=0.9, linestyle=(0, (4, 3)))
        ax.vlines(filled["mean_confidence"], *_wilson(filled["accuracy"], filled["n"]), color=BLUE, linewidth=1.2)
        ax.plot(filled["mean_confidence"], filled["accuracy"], "o-", color=BLUE, markersize=4.5, linewidth=0.8,
                clip_on=False, zorder=3)  # fmt: skip
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
        _head(figure, ax, side, title, note + "; dashed: perfect calibration")
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
        return _say(path, title, "No sample has coordinates", "Every row of the embedding is missing or not finite.")
    points, label = points[shown], _text_or_none(labels)[shown]
    outlined = np.zeros(len(points), dtype=bool) if test is None else np.asarray(test, dtype=bool)[shown]
    guess = np.full(len(points), None) if predicted is None else _text_or_none(predicted)[shown]
    judged = np.array([g is not None and c is not None for g, c in zip(guess, label, strict=True)])
    wrong = judged & (guess != label)
    with _sheet(path) as figure:
        _draw_embedding(figure, points, label, outlined, judged, wrong, basis)
        notes = [_count(len(points), "sample", "samples")]
        if outlined.any():
            notes.append(f"{outlined.sum()} in the test split")
        if judged.any():
            notes.append(f"{wrong.sum()} of {_count(judged.sum(), 'prediction', 'predictions')} wrong")
        if not shown.all():
            notes.append(f"{(~shown).sum()} without coordinates left out")
        _head(figure, figure.axes[0], 8.8 if judged.any() else 4.4, title, "; ".join(notes))
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
    table = _table(models, ("model", "kind", *interval, *references), "models.tsv")
    if table.empty:
        return _say(path, title, "No model was evaluated", "models.tsv has no row.")
    table = table.sort_values("accuracy", ascending=False, kind="stable").reset_index(drop=True)
    baseline = ((table["kind"] == "linear_baseline") | (table["model"] == "linear_baseline")).to_numpy()
    dull = [str(one).lower() == "false" for one in table.get("signal", [""] * len(table))]
    untold = ~baseline & table["signal"].isna().to_numpy() if "signal" in table else np.zeros(len(table), dtype=bool)
    y, width = np.arange(len(table)), 3.8
    with _sheet(path) as figure:
        ax = figure.add_axes((0, 0, width, 0.36 * len(table) + 0.1))
        kinds = zip(table["model"].astype(str), table["kind"].astype(str), strict=True)
        _rows(ax, _names(model if model == kind else f"{model} ({kind})" for model, kind in kinds))
        ax.plot(table[references[0]], y, "o", color=BLUE, markerfacecolor="white", markersize=5)
        ax.plot(table[references[1]], y, "X", color=GREY, markersize=6, markeredgewidth=0)
        ax.plot(table[references[2]], y, "|", color=BLACK, markersize=12, markeredgewidth=1.4)
        for rows, colour, marker in ((~baseline, BLUE, "o"), (baseline, GREEN, "D")):
            _dots(ax, y[rows], [table.loc[rows, c] for c in interval], colour, marker, size=6)
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
        _key(figure, -0.1, -0.5, keys if baseline.any() else [k for k in keys if k[0] != "D"], columns=2)
        _head(figure, ax, width + 1.2, title)
    return Path(path)


# Parts that figures share.


def _draw_confusion(figure, counts, classes, shade, texts, shade_label, most, title) -> None:
    """Matrix of `counts`: coloured by `shade`, written as `texts`."""
    longest = max(len(line) for row in texts for text in row for line in text.split("\n"))
    lines = 1 + max(text.count("\n") for row in texts for text in row)
    side = max(0.26, 0.075 * longest + 0.12, 0.15 * lines + 0.1, 1.3 / len(classes))
    extent = side * len(classes)
    names = _names(classes)
    ax = figure.add_axes((0, 0, extent, extent))
    mesh = _heat(ax, shade, most)
    _rows(ax, [f"{name} ({n})" for name, n in zip(names, counts.sum(axis=1), strict=True)], margin=0.5)
    _columns(ax, names)
    for y, row in enumerate(texts):
        for x, text in enumerate(row):
            ax.text(x, y, text, ha="center", va="center", fontsize=8, color=_ink(shade[y, x] / most))
    ax.set_ylabel("true class (samples)")
    ax.set_xlabel("predicted class")
    _colour_bar(figure, mesh, ax, extent + 0.2, shade_label)
    total, right = counts.sum(), np.trace(counts)
    note = f"accuracy {right / total:.3f} ({right} of {_count(total, 'sample', 'samples')})" if total else "no sample"
    _head(figure, ax, max(extent, 3.5), title, note)


def _draw_per_class(figure, table, title) -> None:
    """Three dot plots and the support, one row a class."""
    y, height = np.arange(len(table)), ROW * 1.15 * len(table) + 0.1
    for i, (measure, label) in enumerate((("precision", "precision"), ("recall", "recall"), ("f1", "F1"))):
        ax = figure.add_axes((1.95 * i, 0, 1.75, height))
        _rows(ax, _names(table["class"]) if i == 0 else None, len(table))
        values = table[measure].to_numpy(dtype=float)
        ends = [table.get(measure + end, table[measure]).to_numpy(dtype=float) for end in ("_low", "_high")]
        mean = np.nanmean(values) if np.isfinite(values).any() else np.nan
        ax.axvline(mean, color=BLACK, linewidth=0.9, linestyle=(0, (2, 2)))
        _dots(ax, y, [values, *ends], BLUE)
        for row in np.flatnonzero(np.isnan(values)):
            ax.text(0.02, row, "undefined", va="center", fontsize=8, color=GREY)
        ax.set_xlim(-0.03, 1.03)
        ax.set_xticks((0, 0.5, 1), ("0", "0.5", "1"))
        ax.grid(axis="x")
        ax.set_xlabel(f"{label}\n(mean {mean:.2f})" if np.isfinite(mean) else label)
    support = figure.add_axes((5.85, 0, 0.9, height))
    _rows(support, None, len(table))
    n = table["support"].to_numpy(dtype=float)
    support.barh(y, n, height=0.62, color=GREY)
    for row in np.flatnonzero(np.isfinite(n)):
        support.annotate(f"{n[row]:.0f}", (n[row], row), (3, 0), textcoords="offset points", va="center", fontsize=8)
    support.set_xticks([])
    support.spines["bottom"].set_visible(False)
    support.set_xlabel("samples")
    intervals = "points with 95 % Wilson intervals; " if "f1_low" in table else ""
    _head(figure, figure.axes[0], 6.75, title, intervals + "dashed: mean over the classes")


def _curves(ax, rows, measure, colour, order, rasterized) -> None:
    """One thin line a seed, its end, and the thick median while at least half of the seeds are still training."""
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
    """One symmetric matrix a measure, passes in the order of their seeds."""
    place = {seed: i for i, seed in enumerate(seeds)}
    a, b = table["seed_a"].map(place).to_numpy(), table["seed_b"].map(place).to_numpy()
    side = float(np.clip(0.2 * len(seeds), 2.4, 4.0))
    step = math.ceil(0.15 * len(seeds) / side)
    for i, (measure, label) in enumerate(measures.items()):
        matrix = np.full((len(seeds), len(seeds)), np.nan)
        matrix[a, b] = matrix[b, a] = table[measure].to_numpy(dtype=float)
        ax = figure.add_axes(((side + 0.75) * i, 0, side, side))
        mesh = _heat(ax, matrix, 1.0)
        ticks = range(0, len(seeds), step)
        ax.set_xticks(ticks, [str(seeds[t]) for t in ticks], rotation=90)
        ax.set_yticks(ticks, [str(seeds[t]) for t in ticks])
        ax.invert_yaxis()
        ax.set_xlabel("seed")
        ax.set_ylabel("seed" if i == 0 else "")
        ax.set_title(f"{label}\n{_middle_and_range(table[measure])}", fontsize=9, loc="left")
    below = (table["spearman"] < 0).any()
    _colour_bar(figure, mesh, figure.axes[0], 2 * side + 0.95, "overlap or correlation", below)
    note = _count(len(seeds), "accepted pass", "accepted passes") + f", {_count(len(table), 'pair', 'pairs')}"
    _head(figure, figure.axes[0], 2 * side + 0.75, title, note + ("; negative correlations in orange" if below else ""),
          above=0.5)  # fmt: skip


def _agreement_histograms(figure, table, seeds, measures, title) -> None:
    """One histogram of all pairs a measure."""
    for i, (measure, label) in enumerate(measures.items()):
        values = table[measure].dropna().to_numpy(dtype=float)
        ax = figure.add_axes((3.35 * i, 0, 2.75, 2.2))
        distinct, counts = np.unique(np.round(values, 6), return_counts=True)
        if len(distinct) <= 60:  # overlaps are multiples of 1/k, which bins would lump unevenly
            ax.bar(distinct, counts, width=0.8 * np.diff(distinct).min(initial=0.1), color=BLUE)
        else:
            ax.hist(values, bins=40, color=BLUE)
        if values.size:
            ax.axvline(np.median(values), color=BLACK, linewidth=1.0, linestyle=(0, (4, 3)))
        ax.set_xlim(min(-0.02, values.min(initial=0.0)), 1.02)
        ax.set_xlabel("agreement of two passes")
        ax.set_title(f"{label}\n{_middle_and_range(table[measure])}", fontsize=9, loc="left")
        ax.set_ylabel("pairs of passes" if i == 0 else "")
        ax.grid(axis="y")
    note = f"{len(seeds)} accepted passes, {len(table)} pairs; dashed: median"
    _head(figure, figure.axes[0], 6.1, title, note, above=0.5)


def _draw_embedding(figure, points, label, outlined, judged, wrong, basis) -> None:
    """Map by class, with numbers at the class medians and a key; map of right and wrong where there are predictions."""
    side = 4.4
    ax = _empty_map(figure, 0, side, points, basis)
    classes = sorted({c for c in label if c is not None}, key=_natural)
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
    names = zip(classes, _names(classes), strict=True)
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
        _key(figure, side + 0.3, -0.3, marks, columns=2)
        left += side + 0.4
    if outlined.any():
        _key(figure, -0.1, -0.3, [("O", BLACK, "darker: test split")])
    _key(figure, left, side, keys, columns=math.ceil(len(keys) / 24))


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
        rasterized=len(points) > MOST_VECTOR_POINTS,
    )


# Small things.


@contextmanager
def _sheet(*paths) -> Iterator[Any]:
    """Yield a blank figure in the house style, one inch square so that coordinates are inches; write it at the end."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a user's matplotlibrc does not change the figures
        matplotlib.rcParams.update(STYLE)  # type: ignore[arg-type]  # its stubs take literal keys alone
        figure = Figure(figsize=(1.0, 1.0))
        yield figure
        for path in paths:
            _write(figure, Path(path))


def _write(figure, path: Path) -> None:
    """Write `figure` under a temporary name in the same folder, then rename."""
    if path.suffix not in METADATA:
        raise InputError(f"{path}: suffix {path.suffix!r}; expected one of {', '.join(METADATA)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        figure.savefig(unfinished, format=path.suffix[1:], dpi=200, bbox_inches="tight", pad_inches=0.08,
                       metadata=METADATA[path.suffix])  # fmt: skip
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _say(path, title: str, headline: str, text: str) -> Path:
    """Write a figure that explains why there is nothing to draw."""
    with _sheet(path) as figure:
        figure.text(0, 1.0, "\n".join(textwrap.wrap(title, 60)), fontsize=10, fontweight="bold", va="bottom")
        figure.text(0.1, 0.7, "\n".join(textwrap.wrap(headline, 60)), fontsize=10, color=VERMILLION, va="bottom")
        figure.text(0.1, 0.6, "\n".join(textwrap.wrap(text, 90)), fontsize=9, va="top")
    return Path(path)


def _nothing_ranked(table, summary: Mapping) -> bool:
    return summary.get("n_accepted") == 0 or not table["median_importance"].notna().any()


def _nothing_to_rank(path, title, summary: Mapping) -> Path:
    ran = f"{_count(summary['n_passes_run'], 'pass was', 'passes were')} trained. " if "n_passes_run" in summary else ""
    return _say(path, title, "No pass was accepted: nothing to rank",
                ran + "passes.tsv gives the accuracy of each and the reason why it was rejected.")  # fmt: skip


def _nothing_to_judge(path, title) -> Path:
    return _say(path, title, "No pass was accepted: no prediction to judge",
                "The ensemble predicts with accepted passes; passes.tsv says why each was rejected.")  # fmt: skip


def _no_signal(summary: Mapping) -> str:
    if summary.get("signal", True) is True:
        return ""
    return str(summary.get("statement") or "No signal: the passes are no better than what needs no signal.")


def _head(figure, ax, width: float, title: str, note: str = "", warning: str = "", above: float = 0.1) -> None:
    """Title, note and warning from `above` inches over `ax`, flush left, wrapped to `width` inches."""
    y = ax.get_position().y1 + above
    for text, style, line, per_inch in ((warning, {"color": VERMILLION, "fontsize": 8.5}, 0.16, 15),
                                        (note, {"color": "#444444", "fontsize": 8.5}, 0.16, 15),
                                        (title, {"fontweight": "bold", "fontsize": 10}, 0.19, 10)):  # fmt: skip
        if text:
            lines = textwrap.wrap(text, max(30, int(per_inch * width)))
            figure.text(ax.get_position().x0, y, "\n".join(lines), va="bottom", **style)
            y += line * len(lines) + 0.04


def _rows(ax, names: Sequence[str] | None, n: int = 0, margin: float = 0.75) -> None:
    """One row a name from the top down; None leaves the rows without names."""
    n = n if names is None else len(names)
    ax.set_yticks(range(n), [""] * n if names is None else names)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(n - 1 + margin, -margin)


def _columns(ax, names: Sequence[str]) -> None:
    """One column a name, slanted below the axes."""
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    ax.tick_params(axis="x", length=0)


def _dots(ax, y, interval, colour, marker="o", size=4.5) -> None:
    """Values with their intervals (value, low, high), lying."""
    value, low, high = interval
    ax.hlines(y, low, high, color=colour, linewidth=1.3, alpha=0.6)
    ax.plot(value, y, marker, color=colour, markersize=size, markeredgewidth=0)


def _heat(ax, values, most: float):
    """Cells from white (0) to blue (`most`); grey where there is no value, orange below 0."""
    import matplotlib

    colours = matplotlib.colormaps["Blues"].with_extremes(bad=NO_VALUE, under=ORANGE)
    ax.set_facecolor(NO_VALUE)
    roomy = ax.get_position().width > 0.2 * values.shape[1]
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax.pcolormesh(
        np.arange(values.shape[1] + 1) - 0.5,
        np.arange(values.shape[0] + 1) - 0.5,
        np.ma.masked_invalid(values),
        cmap=colours,
        vmin=0.0,
        vmax=most,
        edgecolors="white" if roomy else "face",
        linewidth=0.4,
    )


def _ink(share: float, faint: float = 0.0) -> str:
    """Colour that reads on a cell of `_heat` at `share` of the scale; grey below `faint`."""
    return "white" if share > 0.55 else BLACK if share >= faint else GREY


def _colour_bar(figure, mesh, ax, left: float, label: str, below: bool = False) -> None:
    """Colour scale to the right of `ax`, flush with its top."""
    where = figure.add_axes((left, ax.get_position().y1 - BAR, 0.13, BAR))
    bar = figure.colorbar(mesh, cax=where, label=label, extend="min" if below else "neither")
    bar.solids.set_edgecolor("face")
    bar.outline.set_visible(False)


def _key(figure, left: float, top: float, entries, columns: int = 1) -> None:
    """Explain marks in a block whose upper left corner is at `left`, `top`."""
    figure.legend(*_handles(entries), loc="upper left", bbox_to_anchor=(left, top + 0.08), ncols=columns)


def _handles(entries) -> tuple[list, list[str]]:
    """Make the marks of a key: "-" and "=" are a thin and a thick line, "h" a hollow dot, "O" an outlined one."""
    from matplotlib.lines import Line2D

    drawn = []
    for mark, colour, _ in entries:
        if mark in "-=":
            drawn.append(Line2D([], [], color=colour, linewidth=0.8 if mark == "-" else 2.2))
            continue
        hollow = mark in "hOd"
        face, edge = "white" if hollow else colour, 1.2 if mark in "_|" else 0.8 if hollow else 0.0
        dot = Line2D([], [], color=colour, linestyle="none", marker="o" if mark in "hO" else mark)
        dot.set(markersize=5.5, markerfacecolor=face, markeredgewidth=edge)
        drawn.append(dot)
    return drawn, [text for _, _, text in entries]


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


def _similar_side_by_side(scaled: np.ndarray) -> list[int]:
    """Order of the columns (features, classes) in which similar ones are neighbours."""
    if scaled.shape[1] < 3:
        return list(range(scaled.shape[1]))
    from scipy.cluster.hierarchy import leaves_list, linkage

    return leaves_list(linkage(np.nan_to_num(scaled).T, method="average", optimal_ordering=True)).tolist()


def _written(counts: np.ndarray) -> list[list[str]]:
    """Write counts as text, nothing for 0."""
    return [[str(count) if count else "" for count in row] for row in counts]


def _row_shares(counts: np.ndarray) -> np.ndarray:
    """Each row divided by its sum; NaN where a row is empty."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)


def _class_indices(labels: Sequence, classes: Sequence[str], what: str) -> list[int]:
    """Labels as indices into `classes`."""
    if not len(classes):
        raise InputError("classes: empty; expected the name of every class")
    place = {name: i for i, name in enumerate(classes) if isinstance(name, str)} | {i: i for i in range(len(classes))}
    for number, label in enumerate(labels):
        if label not in place:
            raise InputError(f"{what}[{number}] is {label!r}: expected 0 .. {len(classes) - 1} or the name of a class")
    return [place[label] for label in labels]


def _table(frame: pd.DataFrame, columns: Sequence[str], name: str) -> pd.DataFrame:
    """`frame`, once it has all `columns`."""
    absent = [c for c in columns if c not in frame.columns]
    if absent:
        raise InputError(f"{name}: no column {', '.join(absent)}; it has {', '.join(map(str, frame.columns))}")
    return frame


def _flags(values: pd.Series) -> pd.Series:
    """Booleans, from booleans or from the text of a table."""
    return values.astype(str).str.lower() == "true"


def _names(values) -> list[str]:
    """Names fit for one line: no control characters, long ones shortened in the middle unless that makes two alike."""
    whole = ["".join(c if c.isprintable() else " " for c in str(value)) for value in values]
    short = [name if len(name) <= 64 else f"{name[:36]}\u2026{name[-27:]}" for name in whole]
    return short if len(set(short)) == len(set(whole)) else whole


def _text_or_none(values: Sequence) -> np.ndarray:
    """Labels as text, None where missing."""
    import pandas as pd

    whole = pd.Series(list(values), dtype=object)
    return whole.astype(str).where(whole.notna(), None).to_numpy(dtype=object)


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key that puts "cluster 2" before "cluster 10"."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _count(n, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"


def _wilson(shares: pd.Series, trials: pd.Series) -> np.ndarray:
    """Wilson's intervals, shape (2, n): low and high; NaN where a share or its n is missing."""
    pairs = zip(shares.astype(float), trials.astype(float), strict=True)
    bounds = [wilson_interval(s, int(n)) if np.isfinite([s, n]).all() else (np.nan, np.nan) for s, n in pairs]
    return np.array(bounds).reshape(-1, 2).T


def _largest(values: pd.DataFrame) -> float:
    """Largest finite value; 0 where there is none."""
    finite = values.to_numpy(dtype=float)
    return float(np.max(finite[np.isfinite(finite)], initial=0.0))


def _middle_and_range(values: pd.Series) -> str:
    if not values.notna().any():
        return "undefined"
    return f"median {values.median():.2f} ({values.min():.2f} to {values.max():.2f})"
