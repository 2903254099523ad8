"""Cells that the models named: on a map with the reference, by verdict, and the genes behind their labels."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.aliases import ALIAS, FEATURE, alias_column, alias_of, readable_names
from ..core.words import count, natural_order
from . import style
from .sample_map import drawing_order, empty_map, scatter, scatter_classes, text_or_none
from .style import BLACK, BLUE, GREY, NO_VALUE, ORANGE, PURPLE, ROW_HEIGHT, VERMILLION

if TYPE_CHECKING:
    import pandas as pd

VERDICTS = {"assigned": BLUE, "ambiguous": ORANGE, "new": VERMILLION, "empty": GREY, "none": PURPLE}
_MEANING = {
    "assigned": "assigned: one label",
    "ambiguous": "ambiguous: several labels",
    "new": "new: none of the labels",
    "empty": "empty: no counts",
    "none": "none: the model has no signal",
}

# Genes of a label that are drawn, and rows in all; chosen by hand.
_PER_LABEL, _MOST_ROWS = 4, 60

_SIDE = 4.4  # inches of a map


def target_map(table: pd.DataFrame, path, title="Reference and target") -> Path:
    """Draw reference and target on one map: by label, and the target by verdict.

    Parameters
    ----------
    table
        ``target_map.tsv``: part, label, verdict, x, y, basis.
    path, title
        See `features.ranking`.

    Returns
    -------
    Path
        The file written. More than 5000 samples are drawn as one bitmap inside the vector file.

    Raises
    ------
    InputError
        If a column is missing.
    """
    table = style.require_columns(table, ("part", "label", "verdict", "x", "y", "basis"), "target_map.tsv")
    points = table[["x", "y"]].to_numpy(dtype=float)
    kept = np.isfinite(points).all(axis=1)
    if not kept.any():
        return style.save_message(path, title, "No sample has coordinates", "No row of the map is finite.")
    points, table = points[kept], table[kept]
    is_target, basis = (table["part"] == "target").to_numpy(), str(table["basis"].iloc[0])
    with style.saved_figure(path) as figure:
        _by_label(figure, points, text_or_none(table["label"]), is_target, basis)
        right = empty_map(figure, _SIDE + 0.4, _SIDE, points, basis)
        order = drawing_order(len(points))
        scatter(right, points, order[~is_target[order]], GREY, False)
        verdict = text_or_none(table["verdict"])
        marks = [("o", GREY, "reference")]
        right.set_title("by verdict", fontsize=9)
        for word, colour in VERDICTS.items():
            if (rows := order[(is_target & (verdict == word))[order]]).size:
                scatter(right, points, rows, colour, True)
                marks.append(("o", colour, _MEANING[word]))
        style.add_legend(figure, _SIDE + 0.3, -0.3, marks, columns=1)
        labelled = count((~is_target).sum(), "labelled sample", separator=",")
        note = f"{labelled}, {count(is_target.sum(), 'sample', separator=',')} without a label"
        style.add_heading(figure, figure.axes[0], 2 * _SIDE, title, note, above=0.3)
    return Path(path)


def _by_label(figure, points, label, is_target, basis) -> None:
    """Draw the map by label, numbered at the medians of the reference, or of the samples of a new identity."""
    ax = empty_map(figure, 0, _SIDE, points, basis)
    ax.set_title("by label", fontsize=9)
    labels = natural_order({name for name in label if name is not None})
    marks = scatter_classes(ax, points, label, labels, is_target, _SIDE)
    names = zip(labels, style.display_names(labels), strict=True)
    keys = []
    for number, (name, shown) in enumerate(names, start=1):
        n, of_target = np.sum(label == name), np.sum((label == name) & is_target)
        keys.append((*marks[name], f"{number}  {shown} ({n - of_target:,} + {of_target:,})"))
    if None in label:
        keys.append((*marks[None], f"no label ({np.sum(label == None):,})"))  # noqa: E711 (element by element)
    dark = "darker: the target (numbers: reference + target)" if is_target.any() else "numbers: reference + target"
    style.add_legend(figure, -0.1, -0.3, [("O", BLACK, dark)])
    style.add_legend(figure, 2 * _SIDE + 0.55, _SIDE, keys, columns=math.ceil(len(keys) / 24))


def target_verdicts(table: pd.DataFrame, path, title="Labels and verdicts") -> Path:
    """Draw how many cells got each label, and with which verdict.

    Parameters
    ----------
    table
        ``target.tsv``: label, verdict.
    path, title
        See `features.ranking`.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InputError
        If a column is missing.
    """
    table = style.require_columns(table, ("label", "verdict"), "target.tsv")
    if table.empty:
        return style.save_message(path, title, "No cell to name", "target.tsv has no row.")
    label = text_or_none(table["label"])
    names = natural_order({name for name in label if name is not None})
    names.sort(key=lambda name: -np.sum(label == name))
    groups: list[str | None] = [*names, *([None] if None in label else [])]
    verdict = table["verdict"].astype(str).to_numpy()
    counts = np.array([[np.sum((label == name) & (verdict == word)) for word in VERDICTS] for name in groups])
    y, height = np.arange(len(groups)), ROW_HEIGHT * 1.15 * len(groups) + 0.1
    with style.saved_figure(path) as figure:
        ax = figure.add_axes((0, 0, 4.2, height))
        style.label_rows(ax, [*style.display_names(names), *(["no label"] if None in groups else [])])
        start = np.zeros(len(groups))
        for word, values in zip(VERDICTS, counts.T, strict=True):
            ax.barh(y, values, left=start, height=0.62, color=VERDICTS[word])
            start += values
        for row, total in enumerate(start):
            ax.annotate(f"{total:,.0f}", (total, row), (3, 0), textcoords="offset points", va="center", fontsize=8)
        ax.set_xlim(0, 1.12 * max(start.max(), 1))
        ax.set_xlabel("cells")
        ax.xaxis.get_major_locator().set_params(integer=True, nbins=5)
        used = [(word, n) for word, n in zip(VERDICTS, counts.sum(0), strict=True) if n]
        style.add_legend(figure, 4.3, height, [("s", VERDICTS[word], f"{_MEANING[word]} ({n:,})") for word, n in used])
        style.add_heading(figure, ax, 4.2, title, count(len(table), "cell", separator=","))
    return Path(path)


def target_genes(table: pd.DataFrame, path, title="Genes behind the labels") -> Path:
    """Draw the first genes of every label, and how high they are in reference and target.

    Parameters
    ----------
    table
        ``target_genes.tsv``: label, rank, gene, perhaps gene_alias, and reference[*] and target[*] of every label.
    path, title
        See `features.ranking`.

    Returns
    -------
    Path
        The file written. Without genes the figure says so.

    Raises
    ------
    InputError
        If a column is missing.
    """
    table = style.require_columns(table, ("label", "rank", "gene"), "target_genes.tsv")
    if table.empty:
        why = "No class has a feature with an importance above 0, and there is no new identity."
        return style.save_message(path, title, "No genes to show", why)
    aliases = alias_of(table.rename(columns={"gene": FEATURE, alias_column("gene"): ALIAS}))
    labels = list(dict.fromkeys(table["label"]))
    most = max(1, min(_PER_LABEL, _MOST_ROWS // len(labels)))
    drawn = table[table["rank"] <= most].reset_index(drop=True)
    genes = readable_names(drawn["gene"], aliases)
    parts = {}
    for part in ("reference", "target"):
        values = drawn[[f"{part}[{name}]" for name in labels]].to_numpy(dtype=float)
        parts[part] = (
            values[:, shown := ~np.isnan(values).all(axis=0)],
            [n for n, s in zip(labels, shown, strict=True) if s],
        )
    largest = np.nanmax(np.hstack([np.zeros((len(drawn), 1)), *(values for values, _ in parts.values())]), axis=1)
    with style.saved_figure(path) as figure:
        left, height, mesh = 0.0, ROW_HEIGHT * len(drawn), None
        for part, (values, names) in parts.items():
            if not names:
                continue
            width = 0.27 * len(names)
            ax = figure.add_axes((left, 0, width, height))
            scaled = values / np.where(largest > 0, largest, 1.0)[:, None]
            mesh = style.heatmap(ax, scaled, 1.0)
            style.label_rows(ax, style.display_names(genes) if not left else None, len(drawn), margin=0.5)
            style.label_columns(ax, style.display_names(names))
            _mark_own(ax, drawn, names, scaled)
            ax.set_title(part, fontsize=9, loc="left")
            left += max(width, 0.6) + 0.25
        negative = any((values < 0).any() for values, _ in parts.values())
        style.add_colour_bar(figure, mesh, figure.axes[0], left, "mean, scaled by gene", below=negative)
        keys = [("o", BLACK, "gene of this label")]
        if any(np.isnan(values).any() for values, _ in parts.values()):
            keys.append(("s", NO_VALUE, "no value"))
        style.add_legend(figure, left - 0.1, height - style.COLOUR_BAR_HEIGHT - 0.1, keys)
        note = f"first {count(most, 'gene')} of {count(len(labels), 'label')}; 1: the label in which a gene is highest"
        style.add_heading(figure, figure.axes[0], max(left, 4.5), title, note, above=0.3)
    return Path(path)


def _mark_own(ax, drawn, names, scaled) -> None:
    """Mark the label of which every gene is one."""
    for x, name in enumerate(names):
        y = np.flatnonzero((drawn["label"] == name).to_numpy() & ~np.isnan(scaled[:, x]))
        ax.scatter(np.full(len(y), x), y, s=10, linewidths=0, c=[style.text_colour(scaled[row, x]) for row in y])
