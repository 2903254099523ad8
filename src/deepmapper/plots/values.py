"""The documented figures: drawn from plain values, saved as .png and .pdf."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from ..errors import InputError
from . import evaluation, style
from .style import BLACK, BLUE, GREY, ORANGE, ROW_HEIGHT


def confusion_matrix(
    y_true: Sequence, y_pred: Sequence, classes: Sequence[str], stem, title="Confusion matrix", normalize: bool = True
) -> list[str]:
    """Draw which classes are confused with which.

    Parameters
    ----------
    y_true, y_pred
        One label per sample: indices into `classes`, or class names.
    classes
        Names of all classes in the order of the axes.
    stem
        Path without suffix.
    title
        Title of the figure.
    normalize
        Whether cells show the share of the true class, with the count in brackets, or only the count.

    Returns
    -------
    list of str
        The two files written: PNG, PDF.

    Raises
    ------
    InputError
        If `y_true` and `y_pred` differ in length, or a label is not one of the classes.
    """
    true, predicted = _class_indices(y_true, classes, "y_true"), _class_indices(y_pred, classes, "y_pred")
    if len(true) != len(predicted):
        raise InputError(f"y_true has {len(true)} labels and y_pred {len(predicted)}: expected the same number")
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(counts, (true, predicted), 1)
    texts, shares = evaluation.count_texts(counts), evaluation.row_shares(counts)
    if normalize:
        texts = [
            [t and f"{s:.2f}\n({t})" for t, s in zip(*rows, strict=True)] for rows in zip(texts, shares, strict=True)
        ]
    with style.saved_figure(f"{stem}.png", f"{stem}.pdf") as figure:
        if normalize:
            evaluation.draw_confusion(figure, counts, classes, shares, texts, "share of the true class", 1.0, title)
        else:
            evaluation.draw_confusion(figure, counts, classes, counts, texts, "samples", max(1, counts.max()), title)
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
        See `confusion_matrix`.

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
    with style.saved_figure(f"{stem}.png", f"{stem}.pdf") as figure:
        evaluation.draw_per_class(figure, pd.DataFrame(rows), title)
    return [f"{stem}.png", f"{stem}.pdf"]


def method_comparison(
    rows: list[dict], stem, metric_key: str = "accuracy", title: str = "DeepMapper vs scanpy"
) -> list[str]:
    """Draw one bar per method; methods with "deepmapper" in their name are blue.

    Parameters
    ----------
    rows
        One dict per method: ``method`` (name), `metric_key` (number, NaN if not available) and optionally
        ``{metric_key}_low`` and ``{metric_key}_high``, drawn as an interval.
    stem, title
        See `confusion_matrix`.
    metric_key
        Entry to draw.

    Returns
    -------
    list of str
        The two files written: PNG, PDF.

    Raises
    ------
    InputError
        If there is no row, or a row has no name or no metric.
    """
    if not rows:
        raise InputError("rows: empty; expected one dict per method")
    for number, row in enumerate(rows):
        absent = [key for key in ("method", metric_key) if key not in row]
        if absent:
            raise InputError(f"rows[{number}]: no {absent[0]!r}; it has {', '.join(map(str, row))}")
    names = style.display_names(row["method"] for row in rows)
    values = np.array([row[metric_key] for row in rows], dtype=float)
    low = np.array([row.get(f"{metric_key}_low", np.nan) for row in rows], dtype=float)
    high = np.array([row.get(f"{metric_key}_high", np.nan) for row in rows], dtype=float)
    bounded = not np.any((values < 0) | (values > 1))
    with style.saved_figure(f"{stem}.png", f"{stem}.pdf") as figure:
        ax = figure.add_axes((0, 0, 3.6, 0.32 * len(rows) + 0.1))
        style.label_rows(ax, names)
        colours = [BLUE if "deepmapper" in name.lower() else GREY for name in names]
        ax.barh(range(len(rows)), values, height=0.62, color=colours)
        ax.hlines(range(len(rows)), low, high, color=BLACK, linewidth=1.2)
        x_max = np.nanmax(np.concatenate([values, high, [1.0 if bounded else -np.inf]]))
        for y, (value, end) in enumerate(zip(values, high, strict=True)):
            text = "n/a" if np.isnan(value) else f"{value:.3f}"
            ax.text(np.nanmax([value, end, 0.0]) + 0.015 * x_max, y, text, va="center", fontsize=8)
        if bounded:
            ax.set_xlim(0, 1)
        ax.set_xlabel(metric_key.replace("_", " "))
        style.add_heading(figure, ax, 3.6, title)
    return [f"{stem}.png", f"{stem}.pdf"]


def top_genes(
    genes: Sequence[str],
    scores: Sequence[float],
    stem,
    highlight: Callable[[str], bool] | Collection[str] | None = None,
    title: str = "Top attribution genes",
) -> list[str]:
    """Draw one bar per gene, in the order given.

    Parameters
    ----------
    genes, scores
        Names and scores, the first on top.
    stem, title
        See `confusion_matrix`.
    highlight
        Genes to draw in another colour: a collection of names, or a function of a name.

    Returns
    -------
    list of str
        The two files written: PNG, PDF.

    Raises
    ------
    InputError
        If there is no gene, or not one score per gene.
    """
    if not len(genes) or len(genes) != len(scores):
        raise InputError(
            f"{len(genes)} genes and {len(scores)} scores: expected at least one gene and a score for each"
        )
    if callable(highlight):
        highlighted = [bool(highlight(gene)) for gene in genes]
    else:
        highlighted = [gene in set(highlight or ()) for gene in genes]
    with style.saved_figure(f"{stem}.png", f"{stem}.pdf") as figure:
        ax = figure.add_axes((0, 0, 3.2, ROW_HEIGHT * len(genes) + 0.1))
        style.label_rows(ax, style.display_names(genes))
        ax.barh(
            range(len(genes)),
            np.asarray(scores, dtype=float),
            height=0.66,
            color=[ORANGE if mark else BLUE for mark in highlighted],
        )
        ax.grid(axis="x")
        ax.set_xlabel("accumulated importance")
        style.add_heading(figure, ax, 3.2, title)
        if any(highlighted):
            style.add_legend(figure, 3.4, ax.get_position().y1, [("s", ORANGE, "highlighted"), ("s", BLUE, "other")])
    return [f"{stem}.png", f"{stem}.pdf"]


def _class_indices(labels: Sequence, classes: Sequence[str], what: str) -> list[int]:
    """Labels as indices into `classes`; `what` names them in errors."""
    if not len(classes):
        raise InputError("classes: empty; expected the name of every class")
    index = {name: i for i, name in enumerate(classes) if isinstance(name, str)} | {i: i for i in range(len(classes))}
    for number, label in enumerate(labels):
        if label not in index:
            raise InputError(f"{what}[{number}] is {label!r}: expected 0 .. {len(classes) - 1} or the name of a class")
    return [index[label] for label in labels]
