"""Gene chords: their members, and their scores in test samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.aliases import readable_names
from ..core.words import count, natural_order
from . import style
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, ROW_HEIGHT

if TYPE_CHECKING:
    import pandas as pd

SIDES = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"))

MAX_MEMBERS = 15  # drawn per side

MIN_FOR_DENSITY = 12  # samples of a class; fewer are drawn one by one

SIDE_GAP = 1.5  # inches between sides

LETTER_WIDTH = 0.072  # inches, of the widest usual letter at 8 pt

OMITTED = "\x00"  # first character of the text that stands for members not drawn; no feature name contains it

# Tables behind the figures of the chords.
CHORD_TABLES = ("chords", "pairs", "triplets", "scores")


def draw_chords(
    tables: Mapping[str, pd.DataFrame], paths: Mapping[str, str | Path], *, aliases: Mapping[str, str], why: str
) -> None:
    """Draw the members of the chords and their scores in every class.

    Parameters
    ----------
    tables
        Tables of the run, by the names in `CHORD_TABLES`.
    paths
        Files of the figures "chord_networks" and "chord_scores".
    aliases
        Readable name of every feature that has one, by name.
    why
        The statement of the screen, shown if there is no chord.
    """
    chords, triplets = tables["chords"], tables["triplets"]
    chord_networks(chords, tables["pairs"], paths["chord_networks"], triplets=triplets, why=why, aliases=aliases)
    chord_scores(tables["scores"], chords, paths["chord_scores"], why=why)


def chord_networks(
    chords: pd.DataFrame,
    pairs: pd.DataFrame,
    path,
    triplets: pd.DataFrame | None = None,
    max_chords: int = 6,
    why: str = "",
    title="Gene chords",
    aliases: Mapping[str, str] | None = None,
) -> Path:
    """Draw the members of each chord by side, with lines between members whose product is significant.

    Parameters
    ----------
    chords
        ``findings/chords.tsv``, or ``chords/chords.tsv``, which has no test results.
    pairs, triplets
        ``chords/pairs.tsv`` and ``chords/triplets.tsv``.
    path
        File to write.
    max_chords
        Number of chords drawn, the first of the table.
    why
        The statement of the screen, shown if there is no chord.
    title
        Title of the figure.
    aliases
        Readable name of every feature that has one, by name.

    Returns
    -------
    Path
        The file written. If there is no chord, the figure says so.

    Raises
    ------
    InputError
        If a column is missing.
    """
    needed = ("chord", "order", "class", "z", "n_members", "side_1", "side_2")
    table = style.require_columns(chords, needed, "chords.tsv")
    if table.empty:
        return save_no_chord(path, title, why)
    links = [*_links(pairs, "ab", "pairs.tsv")]
    if triplets is not None:
        links += _links(triplets, "abc", "triplets.tsv")
    drawn = table.head(max_chords)
    strongest = max([abs(z) for _, z in links], default=1.0)
    panels = [_members(row) for _, row in drawn.iterrows()]
    shown_as = _texts(panels, aliases or {})
    left_margin, right_margin = (
        LETTER_WIDTH * max(len(shown_as[name]) for sides in panels for name in sides[i]) + 0.15 for i in (0, -1)
    )
    width = max(left_margin + right_margin + SIDE_GAP * (max(map(len, panels)) - 1), 3.9) + 0.3
    columns = 2 if len(drawn) > 1 and width < 5.5 else 1
    top = 0.0
    with style.saved_figure(path) as figure:
        for start in range(0, len(drawn), columns):
            shown = range(start, min(start + columns, len(drawn)))
            heights = [_row_height(panels[i]) * max(map(len, panels[i])) for i in shown]
            for i, height in zip(shown, heights, strict=True):
                left = (i - start) * width
                figure.text(left, top, _description(drawn.iloc[i]), fontsize=8.5, va="top", linespacing=1.35)
                ax = figure.add_axes((left + left_margin, top - 0.42 - height, SIDE_GAP * (len(panels[i]) - 1), height))
                _draw_chord(ax, drawn.iloc[i], panels[i], links, strongest, height, shown_as)
            top -= max(heights) + 0.72
        keys = [(marker, colour, f"side {i + 1}") for i, (colour, marker) in enumerate(SIDES)]
        keys = keys[: max(len(sides) for sides in panels)]
        if any(_split_names(row.get("joined")) for _, row in drawn.iterrows()):
            keys.append(("h", BLUE, "member without a significant product of its own"))
        keys.append(("=", GREY, "significant product (wider line: larger |z|)"))
        style.add_legend(figure, -0.1, top + 0.1, keys, columns=3)
        note = "the product of the scores of its sides predicts the class; strongest members on top"
        more = f"the first {len(drawn)} of {len(table):,} chords; " if len(table) > len(drawn) else ""
        heading = figure.add_axes((0, 0, 6.5, 0.01), frameon=False, xticks=[], yticks=[])
        style.add_heading(figure, heading, 6.5, title, more + note, above=0.12)
    return Path(path)


def chord_scores(
    scores: pd.DataFrame,
    chords: pd.DataFrame,
    path,
    classes: Sequence[str] | None = None,
    max_chords: int = 6,
    why: str = "",
    title="Chord scores by class",
) -> Path:
    """Draw the distribution of each chord's scores in every class, on the test split if there is one.

    Parameters
    ----------
    scores
        ``chords/scores.tsv``: cell, split, label, chord, score.
    chords
        ``findings/chords.tsv``: the order of the chords and the class of each.
    path, max_chords, why, title
        See `chord_networks`.
    classes
        Order of the classes; None: natural order of their names.

    Returns
    -------
    Path
        The file written. If there is no chord, the figure says so.

    Raises
    ------
    InputError
        If a column is missing.
    """
    table = style.require_columns(chords, ("chord", "class", "z"), "chords.tsv")
    if table.empty:
        return save_no_chord(path, title, why)
    values = style.require_columns(scores, ("split", "label", "chord", "score"), "scores.tsv")
    tested = bool((values["split"] == "test").any())
    values = values[values["split"] == "test"] if tested else values
    names = [str(c) for c in classes] if classes else natural_order(set(values["label"].astype(str)))
    drawn = table.head(max_chords)
    columns = min(3, len(drawn))
    width, height = 2.3, max(0.26 * len(names) + 0.1, 0.6)
    with style.saved_figure(path) as figure:
        axes = []
        for i, (_, row) in enumerate(drawn.iterrows()):
            ax = figure.add_axes(((i % columns) * (width + 0.25), -(i // columns) * (height + 1.0), width, height))
            own = values[values["chord"] == row["chord"]]
            style.label_rows(ax, style.display_names(names) if i % columns == 0 else None, len(names))
            for y, name in enumerate(names):
                inside = own["label"].astype(str) == name
                colour = BLUE if name == str(row["class"]) else GREY
                _draw_scores(ax, y, own.loc[inside, "score"].to_numpy(dtype=float), colour)
            ax.axvline(0, color=GREY, linewidth=0.7, zorder=0)
            ax.grid(axis="x")
            ax.locator_params(axis="x", nbins=5)
            ax.set_title(f"{row['chord']}: {style.shortened(row['class'], 30)}", fontsize=9, loc="left")
            ax.set_xlabel("chord score")
            axes.append(ax)
        if "cell" in values:
            samples = values.drop_duplicates("cell")
        else:
            samples = values[values["chord"] == drawn["chord"].iloc[0]]
        if tested:
            source, warning = "test split, not used by the screen", ""
        else:
            source = "development part, used by the screen"
            warning = "Not validated: no test split was set aside."
        note = f"{count(len(samples), 'sample', separator=',')} of the {source}; "
        note += "blue: the class that the chord predicts; dot and bar: median and quartiles"
        style.add_heading(figure, axes[0], max(columns * (width + 0.25), 4.6), title, note, warning, above=0.32)
    return Path(path)


def save_no_chord(path, title: str, why: str) -> Path:
    """Save a figure that says that no chord was found."""
    return style.save_message(
        path, title, "No chord was found", why or "No product of features predicts a class beyond main effects."
    )


def _links(products: pd.DataFrame, letters: str, name: str) -> list[tuple[frozenset, float]]:
    """Significant products as (members, z)."""
    columns = [f"feature_{letter}" for letter in letters]
    table = style.require_columns(products, (*columns, "z", "significant"), name)
    table = table[table["significant"].to_numpy(dtype=bool)] if len(table) else table
    members = table[columns].astype(str).itertuples(index=False)
    return [(frozenset(row), float(z)) for row, z in zip(members, table["z"], strict=True)]


def _members(row: Mapping) -> list[list[str]]:
    """Members of each side; the last one is "and 4 more" if some are not drawn."""
    sides = []
    for number in range(1, int(row["order"]) + 1):
        side = _split_names(row[f"side_{number}"])
        more = len(side) - MAX_MEMBERS
        sides.append(side if more <= 0 else [*side[: MAX_MEMBERS - 1], f"{OMITTED}and {more + 1} more"])
    return sides


def _texts(panels: list[list[list[str]]], aliases: Mapping[str, str]) -> dict[str, str]:
    """What stands beside the mark of each member, by its name; members not drawn are already in words."""
    names = list(dict.fromkeys(name for sides in panels for side in sides for name in side))
    readable = readable_names([name.removeprefix(OMITTED) for name in names], aliases)
    return dict(zip(names, style.display_names(readable), strict=True))


def _draw_chord(
    ax, row, sides: list[list[str]], links, strongest: float, height: float, shown_as: Mapping[str, str]
) -> None:
    """Draw one column of members per side, and lines between members whose product is significant."""
    step = _row_height(sides)
    position = {name: (float(x), (i + 0.5) * step) for x, side in enumerate(sides) for i, name in enumerate(side)}
    for members, z in links:
        if members <= position.keys():
            ends = sorted(position[name] for name in members)
            width = 0.4 + 2.6 * abs(z) / strongest
            ax.plot(*zip(*ends, strict=True), color=GREY, linewidth=width, alpha=0.7, zorder=1)
    joined = set(_split_names(row.get("joined")))
    last = len(sides) - 1
    for x, (side, (colour, marker)) in enumerate(zip(sides, SIDES, strict=False)):
        for name in side:
            if not name.startswith(OMITTED):
                face = "white" if name in joined else colour
                ax.plot(*position[name], marker, color=colour, markerfacecolor=face, markersize=5.5, zorder=3)
            if 0 < x < last:
                offset, alignment = (0, 5), {"ha": "center", "va": "bottom"}
            else:
                offset, alignment = (6 if x else -6, 0), {"ha": "left" if x else "right", "va": "center"}
            ax.annotate(
                shown_as[name], position[name], offset, textcoords="offset points", fontsize=8, zorder=4, **alignment
            )
    ax.set_xlim(0, last)
    ax.set_ylim(height, 0)
    ax.axis("off")
    for artist in ax.lines:
        artist.set_clip_on(False)


def _split_names(cell) -> list[str]:
    """Names in a cell of a table; none if it is empty."""
    return cell.split(",") if isinstance(cell, str) and cell else []


def _row_height(sides: list[list[str]]) -> float:
    """Inches per member; more if there is a middle side, whose names stand above their marks."""
    return ROW_HEIGHT if len(sides) == 2 else 1.8 * ROW_HEIGHT


def _description(row) -> str:
    """Name, class and strength of a chord, and its results on the test split if there are any."""
    lines = [f"{row['chord']} predicts {style.shortened(row['class'], 30)} (z = {row['z']:.1f})"]
    if np.isfinite(float(row.get("auc_chord", np.nan))):
        lines.append(
            f"test split: AUC {row['auc_chord']:.2f} ({row['auc_chord_low']:.2f} to {row['auc_chord_high']:.2f}), "
            f"synergy {row['synergy']:.2f} ({row['synergy_low']:.2f} to {row['synergy_high']:.2f})"
        )
    return "\n".join(lines)


def _draw_scores(ax, y: float, values: np.ndarray, colour: str) -> None:
    """Draw the density of the scores, or every sample if there are few, with median and quartiles."""
    values = values[np.isfinite(values)]
    if not len(values):
        ax.text(
            0.5, y, "no sample", transform=ax.get_yaxis_transform(), ha="center", va="center", fontsize=8, color=GREY
        )
        return
    if len(values) >= MIN_FOR_DENSITY and np.ptp(values) > 0:
        from scipy.stats import gaussian_kde

        grid = np.linspace(values.min(), values.max(), 120)
        density = gaussian_kde(values)(grid)
        half = 0.42 * density / density.max()
        ax.fill_between(grid, y - half, y + half, color=colour, alpha=0.45, linewidth=0)
    else:
        shift = 0.25 * np.sin(2.4 * np.arange(len(values)))  # not random; places equal values side by side
        ax.plot(values, y + shift, "o", color=colour, markersize=3, markeredgewidth=0, alpha=0.7)
    q25, median, q75 = np.quantile(values, [0.25, 0.5, 0.75])
    ax.plot([q25, q75], [y, y], color=BLACK, linewidth=1.6, solid_capstyle="butt", zorder=3)
    ax.plot(median, y, "o", color=BLACK, markerfacecolor="white", markersize=4.5, zorder=4)
