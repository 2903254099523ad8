"""Distances between samples, or between the means of groups of samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..core.words import natural_order
from . import style
from .expression import class_colour, draw_class_bar

_CELL = 0.17  # inches


def sample_distances(
    distance: np.ndarray,
    names: Sequence[str],
    labels: Sequence[str],
    path,
    *,
    title="Distances between samples",
    note="",
) -> Path:
    """Draw how far apart samples are, similar ones side by side.

    Parameters
    ----------
    distance
        (n, n) distances.
    names, labels
        Name and class of each sample.
    path, title
        See `features.ranking`.
    note
        Written below the title.

    Returns
    -------
    Path
        The file written. With fewer than three samples, the figure says so.
    """
    if len(names) < 3:
        return style.save_message(path, title, "There is nothing to compare", "Three samples or classes are needed.")
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    order = leaves_list(linkage(squareform(distance, checks=False), "average", optimal_ordering=True))
    classes = natural_order(set(map(str, labels)))
    side = max(_CELL * len(names), 1.8)
    shown = style.display_names([names[i] for i in order])
    with style.saved_figure(path) as figure:
        ax = figure.add_axes((0, 0, side, side))
        drawn = distance[np.ix_(order, order)]
        apart = drawn[~np.eye(len(drawn), dtype=bool)]
        image = ax.imshow(drawn, cmap="Blues_r", vmin=0.9 * apart.min(), vmax=max(apart.max(), 1e-9),
                          interpolation="nearest")  # fmt: skip
        style.label_rows(ax, shown, margin=0.5)
        ax.set_xticks(range(len(shown)), shown, rotation=90)
        ax.tick_params(axis="x", length=0)
        style.add_colour_bar(figure, image, ax, side + 0.2, "distance")
        heading = ax
        if list(names) != list(labels):
            heading = figure.add_axes((0, side + 0.04, side, 0.1))
            draw_class_bar(heading, [str(labels[i]) for i in order], classes)
            keys = [("s", class_colour(i), name) for i, name in enumerate(style.display_names(classes))]
            style.add_legend(figure, side + 0.9, side, keys, columns=1 + len(keys) // 24)
        style.add_heading(figure, heading, max(side, 4.4), title, note)
    return Path(path)
