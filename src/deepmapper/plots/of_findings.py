"""The figures of `Findings`, as methods of `Findings.plot`."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .features import importance_heatmap, ranking


@dataclass(frozen=True)
class Svg:
    """A figure that a notebook shows.

    Attributes
    ----------
    text
        The figure as SVG.
    """

    text: str

    def _repr_svg_(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return "<figure: a notebook shows it; give a path to write it to a file>"


class FindingsPlots:
    """Figures of findings; each is written to `path`, or returned for a notebook.

    Parameters
    ----------
    findings
        The `Findings`.
    """

    def __init__(self, findings: Any) -> None:
        self._findings = findings

    def ranking(self, path: str | Path | None = None, top: int = 30) -> Path | Svg:
        """Draw the first `top` features: how often each was selected, and how important it was."""
        return self._draw(ranking, path, top)

    def importance_heatmap(self, path: str | Path | None = None, top: int = 30) -> Path | Svg:
        """Draw the importance of the first `top` features for every class."""
        return self._draw(importance_heatmap, path, top)

    def _draw(self, figure: Any, path: str | Path | None, top: int) -> Path | Svg:
        table = self._findings.to_frame()
        summary = {"n_accepted": self._findings.n_accepted, "n_passes_run": self._findings.n_passes_run}
        if path is not None:
            return figure(table, Path(path), top=top, summary=summary)
        with tempfile.TemporaryDirectory() as folder:
            written = figure(table, Path(folder, "figure.svg"), top=top, summary=summary)
            return Svg(written.read_text(encoding="utf-8"))
