"""What the pages share: looks for screen, dark rooms and paper, links that hold, numbers in words."""

from __future__ import annotations

import math
from html import escape

# Sizes in rem, so that the reader's own text size counts; colours told apart without colour vision.
STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --dim: #55606e; --line: #dfe4ea; --paper: #fff; --shade: #f5f7fa;
  --blue: #0067a3; --yes: #eef5fa; --no: #fdf1e8; --open: #fdf6e5; --edge-no: #c04f00; --edge-open: #b97a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --dim: #a5b0bd; --line: #333c48; --paper: #14181d;
  --shade: #1d232b; --blue: #6db6ea; --yes: #152a3a; --no: #3a2115; --open: #352a10; --edge-no: #f08c4f;
  --edge-open: #e0ac3d; } }
* { box-sizing: border-box; }
body { font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
  padding: 0 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 0.2rem; } h2 { font-size: 1.15rem; margin: 2rem 0 0.5rem; }
h3 { font-size: 1rem; margin: 1rem 0 0.3rem; }
a { color: var(--blue); } a:focus-visible, button:focus-visible, input:focus-visible, select:focus-visible,
summary:focus-visible, .wide:focus-visible { outline: 2px solid var(--blue); outline-offset: 2px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } .wide { overflow-x: auto; max-width: 100%; }
th, td { padding: 0.3rem 0.7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; color: var(--dim); } th:first-child, td:first-child, .text { text-align: left; }
.small { color: var(--dim); font-size: 0.9rem; }
@media print { body { margin: 0; max-width: none; font-size: 10pt; } .wide { overflow: visible; }
  .controls, .pages { display: none; } h2, h3 { break-after: avoid; } tr { break-inside: avoid; } }
"""

# A page that was put into a report has left its folder: what it names is in the report's menu, not beside it.
LEFT_ITS_FOLDER = """
if (location.protocol === "data:" || location.protocol === "blob:" || location.pathname.includes("/data/raw/")) {
  for (const link of document.querySelectorAll("a.file")) {
    const name = document.createElement("span");
    name.textContent = link.textContent;
    name.title = link.getAttribute("href") + " in the folder of results";
    link.replaceWith(name);
  }
  for (const line of document.querySelectorAll("[data-moved]")) line.textContent = line.dataset.moved;
}
"""


def page(title: str, style: str, body: list[str], script: str) -> str:
    """Put a page together that needs nothing from elsewhere."""
    return "\n".join(
        [
            "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'>",
            f"<title>{escape(title)}</title><meta name='viewport' content='width=device-width, initial-scale=1'>",
            f"<style>{STYLE}{style}</style></head><body>",
            *body,
            f"<script>{LEFT_ITS_FOLDER}{script}</script>",
            "</body></html>\n",
        ]
    )


def link(path: str, text: str) -> str:
    """Link to a file beside the page."""
    return f"<a class='file' href='{escape(path)}'>{escape(text)}</a>"


def number(value, digits: int = 3) -> str:
    """Write a number; nothing where there is none."""
    return "" if value is None or math.isnan(float(value)) else f"{value:.{digits}f}"


def between(value, low, high, digits: int = 3) -> str:
    """Write a number with its interval; nothing where there is none."""
    if value is None or math.isnan(float(value)):
        return ""
    if any(end is None or math.isnan(float(end)) for end in (low, high)):
        return number(value, digits)
    return f"{value:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def count(n: int, one: str, many: str = "") -> str:
    """Write a count with its noun."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"
