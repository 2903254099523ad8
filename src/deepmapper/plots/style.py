"""The common style of all figures: sizes, colours, axes, legends, display names, and how files are saved."""

from __future__ import annotations

import base64
import io
import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..accumulate import wilson_interval
from ..core.aliases import alias_of, readable_names
from ..core.files import atomic_write
from ..core.nothing import NOTHING_TO_SHOW
from ..errors import InputError

if TYPE_CHECKING:
    import pandas as pd

BLUE, VERMILLION, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#E69F00", "#009E73", "#CC79A7"

GREY, BLACK, NO_VALUE = "#8C8C8C", "#222222", "#E3E3E3"

CLASS_COLOURS = (
    "#332288", "#CC6677", "#117733", "#DDCC77", "#88CCEE", "#882255", "#44AA99", "#999933", "#AA4499",
)  # fmt: skip

CLASS_MARKERS = ("o", "^", "s", "D", "v", "P")

ROW_HEIGHT = 0.2  # inches per row of a dot plot: 8 pt text and some space

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
    "text.parse_math": False,  # a "$" in a feature name is a dollar sign, not mathematics
    "svg.fonttype": "none",  # text stays text, so it can be searched and edited
    "svg.hashsalt": "deepmapper",  # the same element ids in every process
    "pdf.fonttype": 42,
}

# No date in the metadata: the same figure has the same bytes.
METADATA = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {}}

# Coordinates in an SVG, and their digits beyond a hundredth of a point, which would double the size of the file.
_LINES, _DIGITS = re.compile(r' (?:d|x|y)="[^"]*"'), re.compile(r"(\.\d\d)\d+")

# Bitmaps in an SVG. With a table of colours, those of at most 256 take about half the room; the pixels stay the same.
_BITMAPS = re.compile(r"(data:image/png;base64,)([A-Za-z0-9+/=\s]+)")

COLOUR_BAR_HEIGHT = 1.6  # inches

MAX_VECTOR_POINTS = 5000  # more points are drawn as one bitmap inside the vector file, which stays small


@contextmanager
def saved_figure(*paths, about: str = "") -> Iterator[Any]:
    """Yield a blank figure, one inch square so that coordinates are inches, and save it to `paths` at the end.

    `about` is written into the metadata of SVG files.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # the user's matplotlibrc must not change the figures
        matplotlib.rcParams.update(STYLE)  # type: ignore[arg-type]  # its stubs accept only literal keys
        figure = Figure(figsize=(1.0, 1.0))
        yield figure
        for path in paths:
            save(figure, Path(path), about)


def save(figure, path: Path, about: str = "") -> None:
    """Save `figure` with an atomic write, in the format of the suffix; `about` goes into the metadata of an SVG."""
    if path.suffix not in METADATA:
        raise InputError(f"{path}: suffix {path.suffix!r}; expected one of {', '.join(METADATA)}")
    metadata = METADATA[path.suffix] | ({"Description": about} if about and path.suffix == ".svg" else {})
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=200, bbox_inches="tight", pad_inches=0.08,
                       metadata=metadata)  # fmt: skip
        if path.suffix == ".svg":
            text = Path(temporary).read_text(encoding="utf-8")
            text = _LINES.sub(lambda found: _DIGITS.sub(r"\1", found[0]), text)
            Path(temporary).write_text(_BITMAPS.sub(_with_colour_table, text), encoding="utf-8")


def _with_colour_table(found: re.Match[str]) -> str:
    """A bitmap with a table of colours, if it has few of them and none is transparent; else as it is."""
    from PIL import Image

    bitmap = Image.open(io.BytesIO(base64.b64decode(found[2])))
    opaque = bitmap.convert("RGB")
    if bitmap.convert("RGBA").getchannel("A").getextrema() != (255, 255) or opaque.getcolors(256) is None:
        return found[0]
    table = opaque.quantize(256)
    if table.convert("RGB").tobytes() != opaque.tobytes():
        return found[0]
    file = io.BytesIO()
    table.save(file, "PNG", optimize=True)
    return found[1] + base64.b64encode(file.getvalue()).decode("ascii")


def save_message(path, title: str, headline: str, text: str) -> Path:
    """Save a figure that only explains why there is nothing to draw."""
    with saved_figure(path, about=NOTHING_TO_SHOW) as figure:
        figure.text(0, 1.0, "\n".join(textwrap.wrap(title, 60)), fontsize=10, fontweight="bold", va="bottom")
        figure.text(0.1, 0.7, "\n".join(textwrap.wrap(headline, 60)), fontsize=10, color=VERMILLION, va="bottom")
        figure.text(0.1, 0.6, "\n".join(textwrap.wrap(text, 90)), fontsize=9, va="top")
    return Path(path)


def add_heading(figure, ax, width: float, title: str, note: str = "", warning: str = "", above: float = 0.1) -> None:
    """Write title, note and warning `above` inches above `ax`, left-aligned and wrapped to `width` inches."""
    y = ax.get_position().y1 + above
    # from the bottom up: text, its style, inches per line, letters per inch
    parts = (
        (warning, {"color": VERMILLION, "fontsize": 8.5}, 0.16, 15),
        (note, {"color": "#444444", "fontsize": 8.5}, 0.16, 15),
        (title, {"fontweight": "bold", "fontsize": 10}, 0.19, 10),
    )
    for text, style, line_height, letters in parts:
        if text:
            lines = textwrap.wrap(text, max(30, int(letters * width)))
            figure.text(ax.get_position().x0, y, "\n".join(lines), va="bottom", **style)
            y += line_height * len(lines) + 0.04


def label_rows(ax, names: Sequence[str] | None, n: int = 0, margin: float = 0.75) -> None:
    """Give `ax` one row per name, from top to bottom; None gives `n` rows without names."""
    n = n if names is None else len(names)
    ax.set_yticks(range(n), [""] * n if names is None else names)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(n - 1 + margin, -margin)


def label_columns(ax, names: Sequence[str]) -> None:
    """Give `ax` one column per name, written at an angle below it."""
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    ax.tick_params(axis="x", length=0)


def interval_dots(ax, y, interval, colour, marker="o", size=4.5, hollow: bool = False) -> None:
    """Draw values as dots with horizontal intervals; `interval` is (value, low, high)."""
    value, low, high = interval
    ax.hlines(y, low, high, color=colour, linewidth=1.3, alpha=0.6)
    face = {"markerfacecolor": "white", "markeredgewidth": 0.9} if hollow else {"markeredgewidth": 0}
    ax.plot(value, y, marker, color=colour, markersize=size, **face)


def heatmap(ax, values, vmax: float):
    """Draw cells from white (0) to blue (`vmax`); missing values in grey, values below 0 in orange."""
    import matplotlib

    colours = matplotlib.colormaps["Blues"].with_extremes(bad=NO_VALUE, under=ORANGE)
    ax.set_facecolor(NO_VALUE)
    wide_cells = ax.get_position().width > 0.2 * values.shape[1]
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax.pcolormesh(
        np.arange(values.shape[1] + 1) - 0.5,
        np.arange(values.shape[0] + 1) - 0.5,
        np.ma.masked_invalid(values),
        cmap=colours,
        vmin=0.0,
        vmax=vmax,
        edgecolors="white" if wide_cells else "face",
        linewidth=0.4,
    )


def text_colour(share: float, faint: float = 0.0) -> str:
    """Colour of legible text on a `heatmap` cell at `share` of the scale; grey below `faint`."""
    return "white" if share > 0.55 else BLACK if share >= faint else GREY


def add_colour_bar(figure, mesh, ax, left: float, label: str, below: bool = False) -> None:
    """Add a colour bar to the right of `ax`, aligned with its top; `below`: mark that there are values below 0."""
    height = COLOUR_BAR_HEIGHT
    bar_axes = figure.add_axes((left, ax.get_position().y1 - height, 0.13, height))
    bar = figure.colorbar(mesh, cax=bar_axes, label=label, extend="min" if below else "neither")
    bar.solids.set_edgecolor("face")
    bar.outline.set_visible(False)


def add_legend(figure, left: float, top: float, entries, columns: int = 1) -> None:
    """Add a legend with its upper left corner at `left`, `top`; `entries` are (mark, colour, text).

    A mark is a matplotlib marker, or "-" (thin line), "=" (thick line), "h" (hollow dot) or "O" (outlined dot).
    """
    figure.legend(*_legend_handles(entries), loc="upper left", bbox_to_anchor=(left, top + 0.08), ncols=columns)


def _legend_handles(entries) -> tuple[list, list[str]]:
    """Artists and texts of a legend."""
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


def require_columns(frame: pd.DataFrame, columns: Sequence[str], name: str) -> pd.DataFrame:
    """Return `frame` if it has all `columns`, else raise InputError; `name` is its file name."""
    absent = [c for c in columns if c not in frame.columns]
    if absent:
        raise InputError(f"{name}: no column {', '.join(absent)}; it has {', '.join(map(str, frame.columns))}")
    return frame


def display_names(values) -> list[str]:
    """Names for one line: without control characters, and shortened to 64 letters unless two would become equal."""
    full = ["".join(c if c.isprintable() else " " for c in str(value)) for value in values]
    short = [name if len(name) <= 64 else f"{name[:36]}\u2026{name[-27:]}" for name in full]
    return short if len(set(short)) == len(set(full)) else full


def feature_names(table: pd.DataFrame) -> list[str]:
    """Names for one line of the features in a table: by the column `alias` if there is one, else their ids."""
    return display_names(readable_names(table["feature"], alias_of(table)))


def wilson_intervals(shares: pd.Series, trials: pd.Series) -> np.ndarray:
    """95 % Wilson intervals, shape (2, n): low and high; NaN where a share or its number of trials is missing."""
    pairs = zip(shares.astype(float), trials.astype(float), strict=True)
    bounds = [wilson_interval(s, int(n)) if np.isfinite([s, n]).all() else (np.nan, np.nan) for s, n in pairs]
    return np.array(bounds).reshape(-1, 2).T


def shortened(text: object, length: int) -> str:
    """Return a text in at most so many letters: its start and its end, about three to two."""
    whole, end = str(text), length * 2 // 5
    return whole if len(whole) <= length else f"{whole[: length - 1 - end]}\u2026{whole[-end:]}"
