"""Which features are found by which models and tests: the sizes of all overlaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

from ..core.words import count
from . import style
from .style import BLACK, BLUE, GREY, NO_VALUE

_MAX_OVERLAPS = 20  # drawn, the largest


def overlap(found: Mapping[str, Collection[str]], path, *, title="Found by which models and tests", note="") -> Path:
    """Draw how many features every combination of sets has in common, and no other set has (an UpSet plot).

    Parameters
    ----------
    found
        Features that each model or test finds, by its name.
    path, title
        See `features.ranking`.
    note
        Written below the title.

    Returns
    -------
    Path
        The file written. If fewer than two sets have members, the figure says so.
    """
    members: dict[str, list[str]] = {}
    for name, features in found.items():
        for feature in features:
            members.setdefault(feature, []).append(name)
    if not members:
        return style.save_message(path, title, "Nothing is significant", "No model and no test finds a feature.")
    if sum(bool(len(features)) for features in found.values()) == 1:
        return style.save_message(path, title, "There is nothing to compare", "Only one model or test finds features.")
    sizes = Counter(map(tuple, members.values())).most_common()
    drawn, names = sizes[:_MAX_OVERLAPS], list(found)
    width, height, bars = 0.32 * len(drawn), 0.24 * len(names), 1.5
    with style.saved_figure(path) as figure:
        top = figure.add_axes((0, height + 0.1, width, bars))
        top.bar(range(len(drawn)), [n for _, n in drawn], width=0.6, color=BLUE)
        for x, (_, n) in enumerate(drawn):
            top.text(x, n, f"{n:,}", ha="center", va="bottom", fontsize=8)
        top.set_xlim(-0.6, len(drawn) - 0.4)
        top.set_xticks([])
        top.set_ylabel("features")
        top.locator_params(axis="y", nbins=4, integer=True)
        top.yaxis.set_major_formatter("{x:,.0f}")
        grid = figure.add_axes((0, 0, width, height))
        _draw_memberships(grid, [combination for combination, _ in drawn], names)
        style.label_rows(grid, style.display_names(names), margin=0.5)
        grid.set_xlim(-0.6, len(drawn) - 0.4)
        left = width + 0.3
        totals = figure.add_axes((left, 0, 1.2, height))
        totals.barh(range(len(names)), [len(found[name]) for name in names], height=0.6, color=GREY)
        style.label_rows(totals, None, len(names), margin=0.5)
        totals.locator_params(axis="x", nbins=3, integer=True)
        totals.xaxis.set_major_formatter("{x:,.0f}")
        totals.set_xlabel("features in all")
        more = f"the {len(drawn)} largest of {count(len(sizes), 'combination')}; " if len(sizes) > len(drawn) else ""
        style.add_heading(figure, top, max(width + 1.5, 4.4), title, f"{more}{note}".rstrip("; "), above=0.2)
    return Path(path)


def _draw_memberships(ax, combinations, names) -> None:
    """Draw one column per combination: dots for the sets that it is in, joined by a line."""
    for x, combination in enumerate(combinations):
        inside = [y for y, name in enumerate(names) if name in combination]
        outside = [y for y, name in enumerate(names) if name not in combination]
        ax.plot([x] * len(outside), outside, "o", color=NO_VALUE, markersize=5, markeredgewidth=0)
        ax.plot([x] * len(inside), inside, "o-", color=BLACK, markersize=5, linewidth=1.2)
    ax.set_xticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
