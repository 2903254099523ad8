"""Expression of chosen features: in every class as dots, or in every sample as a heat map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.aliases import readable_names
from ..core.words import count, natural_order, percent
from . import style
from .style import BLUE, CLASS_COLOURS, COLOUR_BAR_HEIGHT, GREY, ROW_HEIGHT

if TYPE_CHECKING:
    import pandas as pd

_LARGEST = 72.0  # area of a dot for a feature that every sample of the class has, in square points

_CLASS_GAP = 0.35  # rows between the markers of two classes

_HIDE_NAMES = 60  # more samples are drawn without their names


def expression_dots(
    statistics: pd.DataFrame,
    features: Sequence[str],
    path,
    *,
    headings: Sequence[str] | None = None,
    aliases: Mapping[str, str] | None = None,
    title="Expression by class",
    note="",
) -> Path:
    """Draw the mean of features in every class as a colour, and the share of samples that have them as a size.

    Parameters
    ----------
    statistics
        ``differential_features.tsv``: for every class ``mean[CLASS]`` and ``detected[CLASS]``.
    features
        Features to draw, from top to bottom; those not in the table are left out.
    path, title
        See `features.ranking`.
    headings
        Class that each feature is a marker of: rows of another class are set apart, and the class is written once.
    aliases
        Readable name of every feature that has one, by name.
    note
        Written below the title.

    Returns
    -------
    Path
        The file written. If there is nothing to draw, the figure says so.

    Raises
    ------
    InputError
        If a column is missing.
    """
    table = style.require_columns(statistics, ("feature",), "differential_features.tsv").set_index("feature")
    classes = [name[5:-1] for name in table.columns if name.startswith("mean[")]
    known = [i for i, name in enumerate(features) if name in table.index]
    if not known or not classes:
        return style.save_message(path, title, "There is nothing to draw", "No feature has a value in each class.")
    names = [features[i] for i in known]
    rows = table.loc[names]
    mean = rows[[f"mean[{name}]" for name in classes]].to_numpy(dtype=float)
    detected = rows[[f"detected[{name}]" for name in classes]].to_numpy(dtype=float)
    of = [headings[i] for i in known] if headings else [""] * len(known)
    y = np.arange(len(names)) + _CLASS_GAP * np.cumsum([i > 0 and of[i] != of[i - 1] for i in range(len(names))])
    width, height = 0.24 * len(classes), ROW_HEIGHT * (y[-1] + 1.2)
    with style.saved_figure(path) as figure:
        ax = figure.add_axes((0, 0, width, height))
        x, rows_of = np.meshgrid(np.arange(len(classes)), y)
        dots = ax.scatter(
            x.ravel(), rows_of.ravel(), s=np.nan_to_num(_LARGEST * detected).ravel(), c=_between_classes(mean).ravel(),
            cmap="YlGnBu", vmin=-0.15, vmax=1.0, edgecolors="#555555", linewidths=0.3,
        )  # fmt: skip
        ax.set_yticks(y, style.display_names(readable_names(names, aliases or {})))
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(y[-1] + 0.7, -0.7)
        ax.set_xlim(-0.6, len(classes) - 0.4)
        style.label_columns(ax, style.display_names(classes))
        if headings:
            _write_headings(ax, of, y, len(classes) - 0.4)
        left = width + 0.2 + (0.075 * max(map(len, style.display_names(of))) if headings else 0.0)
        style.add_colour_bar(figure, dots, ax, left, "mean, scaled by feature")
        figure.axes[-1].set_yticks([0.0, 0.5, 1.0], ["lowest", "", "highest"])
        figure.axes[-1].set_ylim(0, 1)  # the palest colours are not used
        _size_legend(figure, left, height - COLOUR_BAR_HEIGHT - 0.25)
        style.add_heading(figure, ax, max(width, 4.0), title, note)
    return Path(path)


def expression_heatmap(
    values: np.ndarray,
    features: Sequence[str],
    samples: Sequence[str],
    labels: Sequence[str],
    path,
    *,
    aliases: Mapping[str, str] | None = None,
    title="Expression in each sample",
    note="",
) -> Path:
    """Draw features in every sample, each feature standardised, the samples sorted by class.

    Parameters
    ----------
    values
        (samples, features) normalised values.
    features, samples, labels
        Names of the columns and of the rows of `values`, and the class of every row.
    path, aliases, title, note
        See `expression_dots`.

    Returns
    -------
    Path
        The file written. If there is nothing to draw, the figure says so.
    """
    if not len(features) or not len(samples):
        return style.save_message(path, title, "There is nothing to draw", "No feature was ranked.")
    classes = natural_order(set(map(str, labels)))
    order = sorted(range(len(samples)), key=lambda i: classes.index(str(labels[i])))
    spread = values.std(axis=0)
    scaled = ((values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0))[order].T
    size = 0.2 if len(samples) <= _HIDE_NAMES else 0.1
    width, height = max(size * len(samples), 0.8), ROW_HEIGHT * len(features)
    with style.saved_figure(path) as figure:
        ax = figure.add_axes((0, 0, width, height))
        image = ax.imshow(scaled, cmap="RdBu_r", vmin=-2, vmax=2, aspect="auto", interpolation="nearest")
        style.label_rows(ax, style.display_names(readable_names(features, aliases or {})), margin=0.5)
        _label_samples(ax, [samples[i] for i in order])
        bar = figure.add_axes((0, height + 0.04, width, 0.1))
        draw_class_bar(bar, [str(labels[i]) for i in order], classes)
        style.add_colour_bar(figure, image, ax, width + 0.2, "value, standardised")
        keys = [("s", class_colour(i), name) for i, name in enumerate(style.display_names(classes))]
        style.add_legend(figure, width + 0.08, min(height - COLOUR_BAR_HEIGHT - 0.1, -0.1), keys, 1 + len(keys) // 12)
        style.add_heading(figure, bar, max(width, 4.0), title, note)
    return Path(path)


def class_colour(number: int) -> str:
    """Colour of a class by its number in natural order."""
    return CLASS_COLOURS[number % len(CLASS_COLOURS)]


def draw_class_bar(ax, labels: Sequence[str], classes: Sequence[str], upright: bool = False) -> None:
    """Draw the class of each row or column as a bar of colours."""
    from matplotlib.colors import to_rgb

    colours = np.array([[to_rgb(class_colour(classes.index(name))) for name in labels]])
    ax.imshow(colours.transpose(1, 0, 2) if upright else colours, aspect="auto", interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)


def _between_classes(mean: np.ndarray) -> np.ndarray:
    """Means from 0 in the class with the lowest to 1 in that with the highest; 0 where all are equal."""
    low = np.nanmin(mean, axis=1, keepdims=True)
    span = np.nanmax(mean, axis=1, keepdims=True) - low
    return (mean - low) / np.where(span > 0, span, 1.0)


def _write_headings(ax, of: Sequence[str], y: np.ndarray, right: float) -> None:
    """Write each class once, to the right of its rows."""
    shown = dict(zip(of, style.display_names(of), strict=True))
    for name, text in shown.items():
        own = [place for place, other in zip(y, of, strict=True) if other == name]
        ax.plot([right + 0.1, right + 0.1], [own[0] - 0.35, own[-1] + 0.35], color=GREY, linewidth=1, clip_on=False)
        ax.text(right + 0.3, own[0], text, fontsize=8, va="center")


def _label_samples(ax, names: Sequence[str]) -> None:
    if len(names) <= _HIDE_NAMES:
        ax.set_xticks(range(len(names)), style.display_names(names), rotation=90)
        ax.tick_params(axis="x", length=0)
    else:
        ax.set_xticks([])
        ax.set_xlabel(count(len(names), "sample", separator=","))


def _size_legend(figure, left: float, top: float) -> None:
    """Explain the size of the dots."""
    from matplotlib.lines import Line2D

    shares = (0.25, 0.5, 1.0)
    marks = [
        Line2D([], [], linestyle="none", marker="o", color=BLUE, markeredgewidth=0, markersize=(_LARGEST * s) ** 0.5)
        for s in shares
    ]
    texts = [f"{percent(share)} of the samples" for share in shares]
    figure.legend(marks, texts, loc="upper left", bbox_to_anchor=(left - 0.1, top), title="value above 0 in",
                  alignment="left", title_fontsize=8)  # fmt: skip
