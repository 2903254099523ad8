"""The map of the samples, coloured by the expression of single features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..core.aliases import readable_names
from ..core.words import count
from . import style

_SIDE = 1.9  # inches

_COLUMNS = 4

_MAX_VECTOR_POINTS = 600  # over all panels; more are drawn as bitmaps


def feature_maps(
    coordinates: np.ndarray,
    values: np.ndarray,
    features: Sequence[str],
    path,
    *,
    aliases: Mapping[str, str] | None = None,
    basis: str = "UMAP",
    title="Expression on the map of the samples",
    note="",
) -> Path:
    """Draw the map of the samples once for each feature, samples with a high value on top.

    Parameters
    ----------
    coordinates
        (n, 2); samples with a coordinate that is not finite are left out.
    values
        (n, features).
    features
        Names of the columns of `values`.
    path, title
        See `features.ranking`.
    aliases
        Readable name of every feature that has one, by name.
    basis
        Method behind the two axes.
    note
        Written below the title.

    Returns
    -------
    Path
        The file written. If there is nothing to draw, the figure says so.
    """
    points = np.asarray(coordinates, dtype=float)
    finite = np.isfinite(points).all(axis=1)
    if not finite.any() or not len(features):
        return style.save_message(path, title, "There is nothing to draw", "No sample has coordinates, or no feature.")
    points, values = points[finite], np.asarray(values, dtype=float)[finite]
    size = float(np.clip(4000 / len(points), 0.8, 18.0))
    names = style.display_names(readable_names(features, aliases or {}))
    with style.saved_figure(path) as figure:
        axes = []
        for i, name in enumerate(names):
            place = (i % _COLUMNS * (_SIDE + 0.15), -(i // _COLUMNS) * (_SIDE + 0.3), _SIDE, _SIDE)
            ax = figure.add_axes(place)
            value, order = values[:, i], np.argsort(values[:, i], kind="stable")
            low, high = float(value.min()), float(np.quantile(value, 0.99))
            mesh = ax.scatter(
                *points[order].T, s=size, c=value[order], cmap="YlGnBu", linewidths=0,
                vmin=low - 0.12 * (high - low or 1.0), vmax=high if high > low else low + 1.0,
                rasterized=len(points) * len(names) > _MAX_VECTOR_POINTS,
            )  # fmt: skip
            ax.set_xticks([])
            ax.set_yticks([])
            ax.set_title(style.shortened(name, 24), fontsize=9)
            if not i % _COLUMNS:
                ax.set_ylabel(f"{basis} 2")
            if i + _COLUMNS >= len(names):
                ax.set_xlabel(f"{basis} 1")
            axes.append(ax)
        columns = min(len(names), _COLUMNS)
        bar = figure.add_axes((columns * (_SIDE + 0.15), axes[0].get_position().y1 - 1.2, 0.13, 1.2))
        colours = figure.colorbar(mesh, cax=bar, ticks=[mesh.norm.vmin, mesh.norm.vmax])
        colours.ax.set_yticklabels(["lowest", "highest"])
        colours.outline.set_visible(False)
        n = count(len(points), "sample", separator=",")
        text = f"{n}; colours for each feature from its lowest value to its 99th percentile"
        style.add_heading(figure, axes[0], max(columns * (_SIDE + 0.15), 4.4), title, f"{text}; {note}".rstrip("; "),
                          above=0.3)  # fmt: skip
    return Path(path)
