"""A table as a page: sorted by a click, searched as one types, in one file that needs nothing from elsewhere."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from html import escape

import numpy as np
import pandas as pd

from ._page import count, page

MOST_ROWS = 2000  # held by a page; the file holds all

_STYLE = """
body { max-width: none; margin: 1.2rem auto; } .about { max-width: 60rem; }
.controls { display: flex; flex-wrap: wrap; gap: 0.6rem 1.2rem; align-items: center; margin: 0.8rem 0; }
.controls input[type=search] { font: inherit; padding: 0.3rem 0.6rem; width: min(22rem, 80vw); color: inherit;
  background: var(--paper); border: 1px solid var(--dim); border-radius: 4px; }
.controls select, .pages button { font: inherit; color: inherit; background: var(--shade); padding: 0.2rem 0.6rem;
  border: 1px solid var(--line); border-radius: 4px; }
.pages { margin: 0.8rem 0; display: flex; gap: 0.6rem; align-items: center; } .pages button:disabled { opacity: 0.4; }
thead th { position: sticky; top: 0; background: var(--shade); padding: 0; z-index: 1; vertical-align: bottom; }
.frame { max-height: 78vh; overflow: auto; border: 1px solid var(--line); } .frame table { width: max-content; }
th button { all: unset; box-sizing: border-box; cursor: pointer; display: block; width: 100%; max-width: 9.5rem;
  padding: 0.35rem 0.7rem; color: inherit; white-space: normal; overflow-wrap: anywhere; }
th button:focus-visible { outline: 2px solid var(--blue); outline-offset: -2px; }
th button::after { content: " \\2195"; opacity: 0.35; }
th[aria-sort=ascending] button::after { content: " \\2191"; opacity: 1; }
th[aria-sort=descending] button::after { content: " \\2193"; opacity: 1; }
tbody th { font-weight: 500; color: inherit; position: sticky; left: 0; background: var(--paper); }
thead th.lead { left: 0; z-index: 2; } td.text { max-width: 26rem; white-space: normal; overflow-wrap: anywhere; }
tbody tr:hover td, tbody tr:hover th { background: var(--shade); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.15rem 1rem; margin: 0.4rem 0; max-width: 70rem; }
dt { font-weight: 600; } dd { margin: 0; } summary { cursor: pointer; color: var(--blue); }
@media print { .frame { max-height: none; overflow: visible; border: 0; } }
"""

_SCRIPT = """
"use strict";
const {columns, rows, lead, numeric, optional, notes} = JSON.parse(document.getElementById("data").textContent);
const find = id => document.getElementById(id);
const head = find("head"), body = find("body"), search = find("search"), size = find("size"), more = find("more");
const text = rows.map(row => row.map(v => v === null ? "" : String(v)).join("\\n").toLowerCase());
let sorted = null, rising = true, at = 0;

const show = value => {
  if (value === null) return "";
  if (typeof value !== "number") return value === true ? "yes" : value === false ? "no" : value;
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
};
const compare = (a, b) => typeof a === "number" && typeof b === "number" ? a - b
  : String(a).localeCompare(String(b), undefined, {numeric: true});

function shown() {
  const words = search.value.toLowerCase().split(/\\s+/).filter(Boolean);
  const kept = rows.map((_, i) => i).filter(i => words.every(word => text[i].includes(word)));
  if (sorted !== null) kept.sort((i, j) => {
    const a = rows[i][sorted], b = rows[j][sorted];
    if (a === null || b === null) return (a === null) - (b === null) || i - j;  // no value comes last, both ways
    return (rising ? 1 : -1) * compare(a, b) || i - j;
  });
  return kept;
}

function draw() {
  const kept = shown(), many = Number(size.value);
  at = Math.max(0, Math.min(at, Math.floor((kept.length - 1) / many) * many));
  const seen = columns.map((_, c) => c).filter(c => !optional[c] || (more && more.checked));
  head.replaceChildren(...seen.map(c => {
    const cell = document.createElement("th"), button = document.createElement("button");
    cell.scope = "col";
    if (c === lead) cell.className = "lead text"; else if (!numeric[c]) cell.className = "text";
    cell.setAttribute("aria-sort", c !== sorted ? "none" : rising ? "ascending" : "descending");
    button.textContent = columns[c].replace(/[_\\[\\/]/g, "$&\\u200b");  // where long names may break
    button.type = "button";
    if (notes[c]) button.title = notes[c];
    button.dataset.column = c;
    cell.append(button);
    return cell;
  }));
  body.replaceChildren(...kept.slice(at, at + many).map(i => {
    const line = document.createElement("tr");
    line.append(...seen.map(c => {
      const cell = document.createElement(c === lead ? "th" : "td");
      if (c === lead) cell.scope = "row";
      if (!numeric[c]) cell.className = "text";
      cell.textContent = show(rows[i][c]);
      return cell;
    }));
    return line;
  }));
  const last = Math.min(at + many, kept.length);
  const matching = kept.length < rows.length ? ` that match, of ${rows.length}` : "";
  find("count").textContent = kept.length ? `rows ${at + 1} to ${last} of ${kept.length}${matching}` : "no row matches";
  find("back").disabled = at === 0;
  find("on").disabled = last >= kept.length;
}

head.addEventListener("click", event => {
  const button = event.target.closest("button");
  if (!button) return;
  const column = Number(button.dataset.column);
  rising = column === sorted ? !rising : !numeric[column];  // numbers from the largest down first
  sorted = column;
  at = 0;
  draw();
  head.querySelector(`button[data-column="${column}"]`).focus();
});
search.addEventListener("input", () => { at = 0; draw(); });
size.addEventListener("change", () => { at = 0; draw(); });
if (more) more.addEventListener("change", draw);
find("back").addEventListener("click", () => { at -= Number(size.value); draw(); });
find("on").addEventListener("click", () => { at += Number(size.value); draw(); });
draw();
"""


def table_page(
    table: pd.DataFrame,
    title: str,
    about: str,
    source: str,
    notes: Mapping[str, str] | None = None,
    lead: str = "",
    most: int = MOST_ROWS,
) -> str:
    """Write the page.

    Parameters
    ----------
    table
        Its rows in the order in which they are shown first.
    title, about
        Heading, and how to read the table in a sentence or a few.
    source
        Where the whole table lies, as a person finds it.
    notes
        What columns mean; ``name[*]`` speaks of all columns ``name[CLASS]``.
    lead
        Column that stays in sight, by default the first. Columns ``name[CLASS]`` are shown on demand.
    most
        Rows held by the page, from the first on; the page says where the others are.
    """
    columns, notes = [str(name) for name in table.columns], notes or {}
    lead = lead or (columns[0] if columns else "")
    held = table.head(most)
    numeric = [bool(pd.api.types.is_numeric_dtype(t) and not pd.api.types.is_bool_dtype(t)) for t in held.dtypes]
    meanings = [notes.get(name) or notes.get(f"{name.partition('[')[0]}[*]", "") for name in columns]
    optional = ["[" in name and name.endswith("]") for name in columns]
    data = {
        "columns": columns,
        "rows": [[_plain(value) for value in row] for row in held.itertuples(index=False, name=None)],
        "lead": columns.index(lead) if columns else 0,
        "numeric": numeric,
        "optional": optional,
        "notes": meanings,
    }
    whole = f"The whole table is the file <b>{escape(source)}</b>."
    if len(table) > most:
        whole = f"This page holds the first {most:,} of {len(table):,} rows. {whole}"
    by_class = sum(optional)
    body = [
        f"<h1>{escape(title)}</h1><p class='about'>{escape(about)}</p>",
        f"<p class='small about'>{whole}</p>",
        _meanings(columns, meanings),
    ]
    if table.empty:
        return page(title, _STYLE, [*body, "<p><b>The table has no row.</b></p>"], "")
    body += [
        "<div class='controls'><label>Search <input type='search' id='search' autocomplete='off' "
        "placeholder='any words of a row'></label>",
        "<label>Rows <select id='size'><option>25</option><option selected>50</option><option>200</option>"
        "</select></label>",
        f"<label><input type='checkbox' id='more'> {count(by_class, 'column')} of the classes</label>"
        if by_class
        else "",
        "<span id='count' role='status' aria-live='polite' class='small'></span></div>",
        f"<div class='frame' tabindex='0' role='region' aria-label='{escape(title)}'><table>",
        "<thead><tr id='head'></tr></thead><tbody id='body'></tbody></table></div>",
        "<div class='pages'><button type='button' id='back'>Back</button>"
        "<button type='button' id='on'>Further</button></div>",
        "<noscript><p>This page sorts and searches with JavaScript, which is switched off. The file named above holds "
        "the same.</p></noscript>",
        f"<script type='application/json' id='data'>{_embedded(data)}</script>",
    ]
    return page(title, _STYLE, body, _SCRIPT)


def _plain(value):
    """A value as JSON knows it; null where there is none."""
    if value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value


def _embedded(data: dict) -> str:
    """JSON that cannot end the script it lies in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _meanings(columns: list[str], meanings: list[str]) -> str:
    """List what columns mean, those of the classes once."""
    told: dict[str, str] = {}
    for name, meaning in zip(columns, meanings, strict=True):
        if meaning:
            told.setdefault(f"{name.partition('[')[0]}[class]" if name.endswith("]") else name, meaning)
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(meaning)}</dd>" for name, meaning in told.items())
    return f"<details><summary>What the columns mean</summary><dl>{listed}</dl></details>" if listed else ""
