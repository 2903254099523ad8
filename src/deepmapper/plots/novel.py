"""Novel transcripts beside the annotation, with their expression in each class."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import style
from .style import BLACK, BLUE, CLASS_COLOURS, GREY, VERMILLION

MAX_NEIGHBOURS = 7  # annotated transcripts drawn; more would hide the novel one among them

_WIDTH, _BARS_LEFT, _BARS_WIDTH = 5.2, 6.6, 1.9  # inches
_ROW, _COVERAGE, _AXIS, _HEADING_LINE = 0.19, 0.5, 0.42, 0.16
_ARROWS_APART = 0.22  # inches between the arrows that show the strand
_MAX_DOTS = 60  # samples of a class drawn as dots


@dataclass(frozen=True)
class TranscriptModel:
    """A transcript in the genome: label, strand ("+", "-" or "."), exons as (start, end), 0-based and half-open."""

    label: str
    strand: str
    exons: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class NovelTranscript:
    """One novel transcript and what is drawn of it.

    Attributes
    ----------
    name, alias
        ``DENOVO_...`` and the readable name.
    rank
        In the ranking of the model.
    about
        Class, class code and its meaning.
    length
        In nucleotides.
    values
        For each class the normalised expression of its samples.
    chrom, model
        Its place in the genome; "" and None without one.
    neighbours
        Annotated transcripts around it.
    coverage
        For each class the mean depth in equal parts of the region from the first to the last base of `region`; empty
        if it was not measured.
    region
        First and last base drawn, 0-based and half-open.
    """

    name: str
    alias: str
    rank: int
    about: str
    length: int
    values: Mapping[str, np.ndarray]
    chrom: str = ""
    model: TranscriptModel | None = None
    neighbours: Sequence[TranscriptModel] = ()
    coverage: Mapping[str, np.ndarray] = field(default_factory=dict)
    region: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> NovelTranscript:
        """Make it from its arguments, with plain tuples for transcripts in the genome."""
        tracks = {
            **({"model": TranscriptModel(*record["model"])} if record.get("model") else {}),
            "neighbours": [TranscriptModel(*near) for near in record.get("neighbours", ())],
        }
        return cls(**{**record, **tracks})


def novel_transcripts(
    novel: Sequence[NovelTranscript], path, unit: str = "normalised expression", title="Novel transcripts"
) -> Path:
    """Draw novel transcripts one below the other: exons beside the annotation, and mean expression by class.

    Parameters
    ----------
    novel
        In the order in which they are drawn.
    path, title
        See `features.ranking`.
    unit
        What the expression is measured in.

    Returns
    -------
    Path
        The file written. If there is no novel transcript, the figure says so.
    """
    if not novel:
        return style.save_message(
            path, title, "No novel transcript", "There is no novel transcript among the features of this model."
        )
    with style.saved_figure(path) as figure:
        top = 0.0
        for own in novel:
            top = _draw(figure, own, top, unit, first=own is novel[0], title=title)
    return Path(path)


def _draw(figure, own: NovelTranscript, top: float, unit: str, *, first: bool, title: str) -> float:
    """Draw one transcript below `top`; return where it ends."""
    neighbours, left_out = own.neighbours[:MAX_NEIGHBOURS], max(0, len(own.neighbours) - MAX_NEIGHBOURS)
    tracks = [own.model or TranscriptModel(own.alias, ".", ((0, own.length),)), *neighbours]
    (alias, *_), about = style.display_names([own.alias]), textwrap.wrap(own.about, 105)
    heading = [f"{own.rank}. {alias}  ({own.name})" if own.alias != own.name else f"{own.rank}. {alias}"]
    n_rows = max(len(tracks), len(own.values), 2)
    bottom = top - _HEADING_LINE * (1 + len(about)) - 0.1 - (_COVERAGE if own.coverage else 0) - _ROW * n_rows
    ax = figure.add_axes((0, bottom, _WIDTH, _ROW * n_rows))
    _draw_tracks(ax, own, tracks, n_rows, left_out)
    if own.coverage:
        _draw_coverage(figure.add_axes((0, bottom + _ROW * n_rows, _WIDTH, _COVERAGE - 0.08)), own)
    _draw_bars(figure.add_axes((_BARS_LEFT, bottom, _BARS_WIDTH, _ROW * n_rows)), own, n_rows, unit)
    text_top = top - 0.02
    figure.text(-1.1, text_top, heading[0], fontsize=9, fontweight="bold", va="top")
    figure.text(-1.1, text_top - _HEADING_LINE, "\n".join(about), fontsize=8.5, color="#444444", va="top")
    if first:
        figure.text(-1.1, top + 0.12, title, fontsize=10, fontweight="bold", va="bottom")
    return bottom - _AXIS - 0.2


def _draw_tracks(ax, own: NovelTranscript, tracks: Sequence[TranscriptModel], n_rows: int, left_out: int) -> None:
    start, end = own.region if own.model else (0, own.length)
    ax.set_xlim(start, end)
    for row, track in enumerate(tracks):
        _draw_transcript(ax, row, track, VERMILLION if row == 0 else BLUE, (start, end))
    labels = ["novel", *style.display_names([track.label for track in tracks[1:]])]
    ax.set_yticks(range(len(labels)), labels)
    ax.tick_params(axis="y", length=0)
    ax.get_yticklabels()[0].set_color(VERMILLION)
    ax.set_ylim(n_rows - 0.5, -0.6)
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(_few_ticks(5))
    if own.model is None:
        ax.set_xlabel("position in the transcript, bases; it has no place in the genome")
        return
    ax.xaxis.set_major_formatter(lambda x, _: f"{x / 1000:,.1f}")
    more = f"; {left_out} more annotated transcripts not drawn" if left_out else ""
    ax.set_xlabel(f"{own.chrom}, kb{more}")


def _draw_transcript(ax, row: int, track: TranscriptModel, colour: str, region: tuple[int, int]) -> None:
    """Exons as boxes, introns as a line, and arrows that point to the 3' end."""
    start, end = region
    first, last = max(start, track.exons[0][0]), min(end, track.exons[-1][1])
    ax.hlines(row, first, last, color=colour, linewidth=0.8)
    visible = [(max(a, start), min(b, end)) for a, b in track.exons if a < end and b > start]
    ax.broken_barh([(a, b - a) for a, b in visible], (row - 0.3, 0.6), color=colour, linewidth=0)
    if track.strand not in ("+", "-"):
        return
    per_inch = (end - start) / _WIDTH
    n = max(1, int((last - first) / per_inch / _ARROWS_APART))
    at = first + (np.arange(n) + 0.5) * (last - first) / n
    in_exon = np.array([any(a <= x < b for a, b in visible) for x in at], dtype=bool)
    marker = ">" if track.strand == "+" else "<"
    for inside, shade in ((True, "white"), (False, colour)):
        ax.plot(at[in_exon == inside], np.full((in_exon == inside).sum(), row), linestyle="none", marker=marker,
                markersize=3, color=shade, markeredgewidth=0)  # fmt: skip


def _draw_coverage(ax, own: NovelTranscript) -> None:
    """Depth of the aligned reads by class, as lines over the tracks."""
    for i, (name, depth) in enumerate(own.coverage.items()):
        edges = np.linspace(*own.region, len(depth) + 1)
        ax.stairs(depth, edges, color=CLASS_COLOURS[i % len(CLASS_COLOURS)], linewidth=0.9, label=str(name))
    ax.set_xlim(*own.region)
    ax.set_ylim(0, None)
    ax.set_xticks([])
    ax.yaxis.set_major_locator(_few_ticks(2))
    ax.set_ylabel("depth", fontsize=7.5)
    ax.tick_params(labelsize=7)
    ax.spines["bottom"].set_visible(False)


def _few_ticks(n: int) -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(n)


def _draw_bars(ax, own: NovelTranscript, n_rows: int, unit: str) -> None:
    """Mean of every class as a bar, its samples as dots."""
    names = list(own.values)
    offset = (n_rows - len(names)) / 2
    for i, values in enumerate(own.values.values()):
        if not len(values):
            continue
        row = i + offset
        colour = CLASS_COLOURS[i % len(CLASS_COLOURS)] if own.coverage else GREY
        ax.barh(row, float(np.mean(values)), height=0.62, color=colour, alpha=0.75)
        if len(values) <= _MAX_DOTS:
            spread = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else np.zeros(1)
            ax.plot(values, row + spread, "o", markersize=2.4, color=BLACK, markeredgewidth=0)
    ax.set_yticks(np.arange(len(names)) + offset, style.display_names(names))
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(n_rows - 0.5, -0.6)
    low = min((float(np.min(values)) for values in own.values.values() if len(values)), default=0.0)
    ax.set_xlim(min(0.0, low), None)
    left, right = ax.get_xlim()
    ax.set_xlim(left - 0.03 * (right - left), right)  # dots at 0 are not hidden by the axis
    ax.xaxis.set_major_locator(_few_ticks(4))
    ax.set_xlabel(unit)
