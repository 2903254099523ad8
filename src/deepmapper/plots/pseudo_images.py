"""The images that a network reads, and where in them it finds the classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from . import style
from .style import BLUE

_SIDE = 2.0  # inches

# Columns of the figure: key of the record, heading, colours, and the quantile of the values above 0 from which on a
# pixel has the full colour. Few pixels are far above all others: on their scale an image of many features is white.
_PANELS = (
    ("sample", "one sample", "Greys", 0.95),
    ("mean", "mean of the class", "Greys", 0.95),
    ("attribution", "attribution", "magma_r", 0.995),
)


def pseudo_image(
    pictures: Sequence[Mapping], path, *, title="Pseudo-images and attribution", note="", why="No pass was accepted."
) -> Path:
    """Draw samples of some classes as the network of one pass reads them, and what its decisions rest on.

    Parameters
    ----------
    pictures
        One for each class: ``class`` (its name), ``sample``, ``mean`` and ``attribution``, each a (side, side) image,
        and ``marked``: (row, column, name) of the pixels to name.
    path, title
        See `features.ranking`.
    note
        Written below the title.
    why
        Shown if there is no picture.

    Returns
    -------
    Path
        The file written.
    """
    if not pictures:
        return style.save_message(path, title, "There is no image to show", why)
    named = 0.075 * max((len(name) for picture in pictures for *_, name in picture["marked"]), default=0) + 0.3
    with style.saved_figure(path) as figure:
        axes = []
        for row, picture in enumerate(pictures):
            for column, (key, heading, colours, quantile) in enumerate(_PANELS):
                place = (column * (_SIDE + 0.15), -row * (_SIDE + 0.15), _SIDE, _SIDE)
                ax = figure.add_axes(place)
                most = _full_colour(picture[key], quantile)
                ax.imshow(picture[key], cmap=colours, vmin=0, vmax=most, interpolation="nearest")
                ax.set_xticks([])
                ax.set_yticks([])
                ax.spines[["left", "bottom"]].set_visible(False)
                if not row:
                    ax.set_title(heading, fontsize=9)
                if not column:
                    ax.set_ylabel(style.shortened(picture["class"], 24), fontsize=9)
                axes.append(ax)
            _mark(axes[-1], picture["marked"], len(picture["attribution"]))
        width = len(_PANELS) * (_SIDE + 0.15) + named
        style.add_heading(figure, axes[0], width, title, note, above=0.3)
    return Path(path)


def _full_colour(image: np.ndarray, quantile: float) -> float:
    """Compute the value from which on a pixel has the full colour."""
    above = image[image > 0]
    return float(np.quantile(above, quantile)) if len(above) else 1.0


def _mark(ax, marked: Sequence[tuple[int, int, str]], side: int) -> None:
    """Ring some pixels, and write their names in a column to the right."""
    lowest = -1.0
    ax.autoscale(False)  # keeps the images of a row aligned
    for row, column, name in sorted(marked):
        y = max(float(row), lowest + 0.08 * side)
        lowest = y
        # blue is in none of the colours of an attribution
        ax.plot(column, row, "o", markersize=7, markerfacecolor="none", color=BLUE, markeredgewidth=1.1,
                clip_on=False)  # fmt: skip
        ax.plot([column, side + 0.02 * side], [row, y], color=BLUE, linewidth=0.6, clip_on=False)
        ax.text(side + 0.03 * side, y, name, fontsize=8, va="center")
