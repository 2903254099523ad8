"""Map of the samples in two dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..core.words import count, natural_order
from ..errors import InputError
from . import style
from .style import BLACK, CLASS_COLOURS, CLASS_MARKERS, GREY, MAX_VECTOR_POINTS, VERMILLION


def embedding(
    coordinates: np.ndarray,
    labels: Sequence,
    path,
    test: Sequence[bool] | None = None,
    predicted: Sequence | None = None,
    basis: str = "UMAP",
    title="Embedding",
) -> Path:
    """Draw the samples in two dimensions, coloured by class.

    Parameters
    ----------
    coordinates
        (n, 2); samples with a coordinate that is not finite are left out, and the note gives their number.
    labels
        (n,) class of each sample; samples without one (None, NaN) are grey.
    path, title
        See `features.ranking`.
    test
        (n,) True for samples of the test split, which are drawn darker and in_test.
    predicted
        (n,) predicted class, or None; if given, a second panel shows the wrong predictions.
    basis
        Method behind the two axes.

    Returns
    -------
    Path
        The file written. More than 5000 samples are drawn as one bitmap inside the vector file.

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
    finite = np.isfinite(points).all(axis=1)
    if not finite.any():
        return style.save_message(path, title, "No sample has coordinates", "No row of the embedding is finite.")
    points, label = points[finite], text_or_none(labels)[finite]
    in_test = np.zeros(len(points), dtype=bool) if test is None else np.asarray(test, dtype=bool)[finite]
    prediction = np.full(len(points), None) if predicted is None else text_or_none(predicted)[finite]
    evaluated = np.array([p is not None and c is not None for p, c in zip(prediction, label, strict=True)])
    wrong = evaluated & (prediction != label)
    with style.saved_figure(path) as figure:
        _draw_embedding(figure, points, label, in_test, evaluated, wrong, basis)
        notes = [count(len(points), "sample", separator=",")]
        if in_test.any():
            notes.append(f"{in_test.sum():,} in the test split")
        if evaluated.any():
            notes.append(f"{wrong.sum():,} of {count(evaluated.sum(), 'prediction', separator=',')} wrong")
        if not finite.all():
            notes.append(f"{(~finite).sum()} without coordinates left out")
        style.add_heading(figure, figure.axes[0], 8.8 if evaluated.any() else 4.4, title, "; ".join(notes))
    return Path(path)


def _draw_embedding(figure, points, label, in_test, evaluated, wrong, basis) -> None:
    """Draw the map by class, numbered at the class medians, and next to it correct and wrong predictions."""
    side = 4.4
    ax = empty_map(figure, 0, side, points, basis)
    classes = natural_order({c for c in label if c is not None})
    markers = scatter_classes(ax, points, label, classes, in_test, side)
    names = zip(classes, style.display_names(classes), strict=True)
    keys = [(*markers[c], f"{i}  {name} ({np.sum(label == c):,})") for i, (c, name) in enumerate(names, start=1)]
    if None in label:
        keys.append((*markers[None], f"no label ({np.sum(label == None):,})"))  # noqa: E711 (element by element)
    left = side + 0.15
    if evaluated.any():
        right = empty_map(figure, side + 0.4, side, points, basis)
        order = drawing_order(len(points))
        for chosen, colour in ((evaluated & ~wrong, GREY), (wrong, VERMILLION)):
            for test in (False, True):
                scatter(right, points, order[(chosen & (in_test == test))[order]], colour, test)
        marks = [("o", GREY, "correct prediction"), ("o", VERMILLION, "wrong prediction")]
        style.add_legend(figure, side + 0.3, -0.3, marks, columns=2)
        left += side + 0.4
    if in_test.any():
        style.add_legend(figure, -0.1, -0.3, [("O", BLACK, "darker: test split")])
    style.add_legend(figure, left, side, keys, columns=math.ceil(len(keys) / 24))


def drawing_order(n: int) -> np.ndarray:
    """Return the order in which n samples are drawn, so that no class covers all others: the same in every figure."""
    return np.random.default_rng(0).permutation(n)


def class_marks(classes) -> dict:
    """Marker and colour of every class, and of samples without one (None)."""
    return {None: ("o", GREY)} | {
        c: (CLASS_MARKERS[i // len(CLASS_COLOURS) % len(CLASS_MARKERS)], CLASS_COLOURS[i % len(CLASS_COLOURS)])
        for i, c in enumerate(classes)
    }


def scatter_classes(ax, points, label, classes, darker, side) -> dict:
    """Draw all points by class with the numbers of the classes, `darker` ones last; return `class_marks`."""
    marks = class_marks(classes)
    order = drawing_order(len(points))
    marker, colour = np.array([marks[name] for name in label]).T
    for part in (False, True):
        group = order[darker[order] == part]
        for shape in sorted(set(marker[group])):
            rows = group[marker[group] == shape]
            scatter(ax, points, rows, colour[rows], part, shape)
    number_classes(ax, points, label, classes, side)
    return marks


_ABOVE = 0.2  # inches by which the number of a class lies above its median


def number_classes(ax, points, label, classes, side) -> None:
    """Write the number of every class above its median, on a map `side` inches wide; small classes stay visible."""
    if not classes:
        return
    lower, upper = np.array([ax.get_xlim(), ax.get_ylim()]).T
    inch = (upper - lower) / side
    centres = np.array([np.median(points[label == c], axis=0) for c in classes])
    above = np.minimum((centres - lower) / inch + [0.0, _ABOVE], side)
    places = lower + inch * _spread_apart(above, 0.24)
    frame = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": BLACK, "linewidth": 0.5}
    for number, (centre, place) in enumerate(zip(centres, places, strict=True), start=1):
        ax.plot(*zip(centre, place, strict=True), color=BLACK, linewidth=0.7, clip_on=False)
        ax.text(*place, str(number), ha="center", va="center", fontsize=8, fontweight="bold", bbox=frame)


def empty_map(figure, left, side, points, basis):
    """Add square axes without ticks that hold all points."""
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


def scatter(ax, points, rows, colour, in_test: bool, marker="o") -> None:
    """Draw the points `rows`: darker and outlined if `in_test`, as one bitmap if the map has many points."""
    size = float(np.clip(14000 / len(points), 2.0, 20.0))
    ax.scatter(
        *points[rows].T,
        s=size,
        c=colour,
        marker=marker,
        edgecolors=BLACK if in_test else "none",
        linewidths=0.02 * size if in_test else 0.0,
        alpha=0.95 if in_test else 0.5,
        rasterized=len(points) > MAX_VECTOR_POINTS,
    )


def _spread_apart(points: np.ndarray, gap: float) -> np.ndarray:
    """Move points (n, 2) apart until no two are closer than `gap`, for at most 500 rounds."""
    angle = 2.4 * np.arange(len(points))  # about the golden angle: spreads directions evenly
    placed = points + 1e-3 * np.column_stack([np.cos(angle), np.sin(angle)])  # so that equal points separate
    for _ in range(500):
        difference = placed[:, None] - placed[None]
        distance = np.linalg.norm(difference, axis=2)
        np.fill_diagonal(distance, np.inf)
        if distance.min(initial=np.inf) >= gap:
            break
        push = np.clip(gap * 1.02 - distance, 0.0, None) / 2
        placed = placed + (difference / distance[:, :, None] * push[:, :, None]).sum(axis=1)
    return placed


def text_or_none(values: Sequence) -> np.ndarray:
    """Labels as text, None where missing."""
    import pandas as pd

    series = pd.Series(list(values), dtype=object)
    texts = [str(value) if known else None for value, known in zip(series, series.notna(), strict=True)]
    return np.array(texts, dtype=object)
