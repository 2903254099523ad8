"""House style of all figures: sizes, axes, legends, names and files."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..accumulate import wilson_interval
from ..core.files import atomic_write
from ..errors import InputError

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

MAX_VECTOR_POINTS = 5000


@contextmanager
def sheet(*paths) -> Iterator[Any]:
    """Yield a blank figure in the house style, one inch square so that coordinates are inches; write it at the end."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a user's matplotlibrc does not change the figures
        matplotlib.rcParams.update(STYLE)  # type: ignore[arg-type]  # its stubs take literal keys alone
        figure = Figure(figsize=(1.0, 1.0))
        yield figure
        for path in paths:
            write(figure, Path(path))


def write(figure, path: Path) -> None:
    """Write `figure` whole."""
    if path.suffix not in METADATA:
        raise InputError(f"{path}: suffix {path.suffix!r}; expected one of {', '.join(METADATA)}")
    with atomic_write(path) as unfinished:
        figure.savefig(unfinished, format=path.suffix[1:], dpi=200, bbox_inches="tight", pad_inches=0.08,
                       metadata=METADATA[path.suffix])  # fmt: skip


def say(path, title: str, headline: str, text: str) -> Path:
    """Write a figure that explains why there is nothing to draw."""
    with sheet(path) as figure:
        figure.text(0, 1.0, "\n".join(textwrap.wrap(title, 60)), fontsize=10, fontweight="bold", va="bottom")
        figure.text(0.1, 0.7, "\n".join(textwrap.wrap(headline, 60)), fontsize=10, color=VERMILLION, va="bottom")
        figure.text(0.1, 0.6, "\n".join(textwrap.wrap(text, 90)), fontsize=9, va="top")
    return Path(path)


def head(figure, ax, width: float, title: str, note: str = "", warning: str = "", above: float = 0.1) -> None:
    """Title, note and warning from `above` inches over `ax`, flush left, wrapped to `width` inches."""
    y = ax.get_position().y1 + above
    for text, style, line, per_inch in ((warning, {"color": VERMILLION, "fontsize": 8.5}, 0.16, 15),
                                        (note, {"color": "#444444", "fontsize": 8.5}, 0.16, 15),
                                        (title, {"fontweight": "bold", "fontsize": 10}, 0.19, 10)):  # fmt: skip
        if text:
            lines = textwrap.wrap(text, max(30, int(per_inch * width)))
            figure.text(ax.get_position().x0, y, "\n".join(lines), va="bottom", **style)
            y += line * len(lines) + 0.04


def rows(ax, names: Sequence[str] | None, n: int = 0, margin: float = 0.75) -> None:
    """One row a name from the top down; None leaves the rows without names."""
    n = n if names is None else len(names)
    ax.set_yticks(range(n), [""] * n if names is None else names)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(n - 1 + margin, -margin)


def columns(ax, names: Sequence[str]) -> None:
    """One column a name, slanted below the axes."""
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    ax.tick_params(axis="x", length=0)


def dots(ax, y, interval, colour, marker="o", size=4.5, hollow: bool = False) -> None:
    """Values with their intervals (value, low, high), lying."""
    value, low, high = interval
    ax.hlines(y, low, high, color=colour, linewidth=1.3, alpha=0.6)
    face = {"markerfacecolor": "white", "markeredgewidth": 0.9} if hollow else {"markeredgewidth": 0}
    ax.plot(value, y, marker, color=colour, markersize=size, **face)


def heat(ax, values, most: float):
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


def ink(share: float, faint: float = 0.0) -> str:
    """Colour that reads on a cell of `_heat` at `share` of the scale; grey below `faint`."""
    return "white" if share > 0.55 else BLACK if share >= faint else GREY


def colour_bar(figure, mesh, ax, left: float, label: str, below: bool = False) -> None:
    """Colour scale to the right of `ax`, flush with its top."""
    where = figure.add_axes((left, ax.get_position().y1 - BAR, 0.13, BAR))
    bar = figure.colorbar(mesh, cax=where, label=label, extend="min" if below else "neither")
    bar.solids.set_edgecolor("face")
    bar.outline.set_visible(False)


def key(figure, left: float, top: float, entries, columns: int = 1) -> None:
    """Explain marks in a block whose upper left corner is at `left`, `top`."""
    figure.legend(*handles(entries), loc="upper left", bbox_to_anchor=(left, top + 0.08), ncols=columns)


def handles(entries) -> tuple[list, list[str]]:
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


def checked(frame: pd.DataFrame, columns: Sequence[str], name: str) -> pd.DataFrame:
    """`frame`, once it has all `columns`."""
    absent = [c for c in columns if c not in frame.columns]
    if absent:
        raise InputError(f"{name}: no column {', '.join(absent)}; it has {', '.join(map(str, frame.columns))}")
    return frame


def names(values) -> list[str]:
    """Names fit for one line: no control characters, long ones shortened in the middle unless that makes two alike."""
    whole = ["".join(c if c.isprintable() else " " for c in str(value)) for value in values]
    short = [name if len(name) <= 64 else f"{name[:36]}\u2026{name[-27:]}" for name in whole]
    return short if len(set(short)) == len(set(whole)) else whole


def wilson(shares: pd.Series, trials: pd.Series) -> np.ndarray:
    """Wilson's intervals, shape (2, n): low and high; NaN where a share or its n is missing."""
    pairs = zip(shares.astype(float), trials.astype(float), strict=True)
    bounds = [wilson_interval(s, int(n)) if np.isfinite([s, n]).all() else (np.nan, np.nan) for s, n in pairs]
    return np.array(bounds).reshape(-1, 2).T
