"""Figures on a page: the file inside the page, so that the page can be copied and sent alone."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core.nothing import shows_nothing

# A page above 2 MB as a data URI, which adds a third, stays blank in the frame of Snakemake's report; what does not fit
# in is linked.
MAX_PAGE = 1_550_000  # letters

_WIDTH = re.compile(rb"<svg[^>]* width=\"([0-9.]+)pt\"")


@dataclass(frozen=True)
class Figure:
    """A figure with its caption.

    Attributes
    ----------
    path
        File, relative to the page.
    name
        Its name (`titles.FIGURES`).
    caption
        How to read it.
    source
        The image as a data URI; "" if it does not fit in, and the page links it.
    width
        Width in points at which its text has the size that it was given; 0 if the file does not say.
    """

    path: str
    name: str
    caption: str
    source: str
    width: int = 0


def figures_of(
    paths: Mapping[str, str | Path],
    folder: str | Path,
    names: Mapping[str, str],
    captions: Mapping[str, str],
    room: int = MAX_PAGE,
) -> dict[str, Figure]:
    """Read figures, the first ones first, as long as they fit into a page.

    Parameters
    ----------
    paths
        The SVG files, by figure. Those that have nothing to show are left out.
    folder
        Folder of the page.
    names, captions
        See `Figure`; by figure.
    room
        Letters that are left for them in the page.
    """
    found, left = {}, room
    for key, path in paths.items():
        if shows_nothing(path):
            continue
        content = Path(path).read_bytes()
        source = f"data:image/svg+xml;base64,{base64.b64encode(content).decode('ascii')}"
        if len(source) > left:
            source = ""
        left -= len(source)
        width = _WIDTH.search(content)
        points = round(float(width[1])) if width else 0
        found[key] = Figure(Path(path).relative_to(folder).as_posix(), names[key], captions[key], source, points)
    return found
