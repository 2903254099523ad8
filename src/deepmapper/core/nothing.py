"""Marks figures and pages that only say why there is nothing to show. Standard library only."""

from __future__ import annotations

from pathlib import Path

NOTHING_TO_SHOW = "deepmapper: nothing to show"


def shows_nothing(path: str | Path) -> bool:
    """Whether a file begins with the mark, within its first 4096 bytes."""
    with Path(path).open("rb") as file:
        return NOTHING_TO_SHOW.encode() in file.read(4096)
