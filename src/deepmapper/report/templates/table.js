"use strict";
const LONGEST = 160;  // letters of a cell
const {columns, rows, lead, numeric, rates, optional, notes} = JSON.parse(document.getElementById("data").textContent);
const find = id => document.getElementById(id);
const head = find("head"), body = find("body"), search = find("search"), size = find("size"), more = find("more");
const text = rows.map(row => row.map(v => v === null ? "" : String(v)).join("\n").toLowerCase());
let sorted = null, ascending = true, start = 0;

const show = (value, rate) => {
  if (value === null) return "";
  if (rate && value === 0) return "<1e-300";  // too small for a floating-point number
  if (typeof value !== "number") return value === true ? "yes" : value === false ? "no" : value;
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
};
// Lists of names end after the first ones; the search reads all of them, and the file has them.
const short = value => {
  if (typeof value !== "string" || value.length <= LONGEST || !value.includes(",")) return value;
  const kept = value.slice(0, LONGEST), names = value.split(",").length;
  return `${kept.slice(0, kept.lastIndexOf(",") + 1 || LONGEST)} \u2026 (${names.toLocaleString("en")} in all)`;
};
const broken = value => typeof value === "string" ? value.replace(/,(?=\S)/g, ",\u200b") : value;  // lines end between names
const compare = (a, b) => typeof a === "number" && typeof b === "number" ? a - b
  : String(a).localeCompare(String(b), undefined, {numeric: true});

function matchingRows() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const kept = rows.map((_, i) => i).filter(i => words.every(word => text[i].includes(word)));
  if (sorted !== null) kept.sort((i, j) => {
    const a = rows[i][sorted], b = rows[j][sorted];
    if (a === null || b === null) return (a === null) - (b === null) || i - j;  // missing values come last in both orders
    return (ascending ? 1 : -1) * compare(a, b) || i - j;
  });
  return kept;
}

function draw() {
  const kept = matchingRows(), perPage = Number(size.value);
  start = Math.max(0, Math.min(start, Math.floor((kept.length - 1) / perPage) * perPage));
  const visible = columns.map((_, c) => c).filter(c => !optional[c] || (more && more.checked));
  head.replaceChildren(...visible.map(c => {
    const cell = document.createElement("th"), button = document.createElement("button");
    cell.scope = "col";
    if (c === lead) cell.className = "lead text"; else if (!numeric[c]) cell.className = "text";
    cell.setAttribute("aria-sort", c !== sorted ? "none" : ascending ? "ascending" : "descending");
    button.textContent = columns[c].replace(/[_\[\/]/g, "$&\u200b");  // long names may break here
    button.type = "button";
    if (notes[c]) button.title = notes[c];
    button.dataset.column = c;
    cell.append(button);
    return cell;
  }));
  body.replaceChildren(...kept.slice(start, start + perPage).map(i => {
    const line = document.createElement("tr");
    line.append(...visible.map(c => {
      const cell = document.createElement(c === lead ? "th" : "td");
      if (c === lead) cell.scope = "row";
      if (!numeric[c]) cell.className = "text";
      cell.textContent = broken(short(show(rows[i][c], rates[c])));
      return cell;
    }));
    return line;
  }));
  const last = Math.min(start + perPage, kept.length);
  const matching = kept.length < rows.length ? ` matching, of ${rows.length.toLocaleString("en")} in all` : "";
  find("count").textContent = kept.length ? `rows ${start + 1} to ${last} of ${kept.length.toLocaleString("en")}${matching}` : "no row matches";
  find("back").disabled = start === 0;
  find("on").disabled = last >= kept.length;
}

head.addEventListener("click", event => {
  const button = event.target.closest("button");
  if (!button) return;
  const column = Number(button.dataset.column);
  ascending = column === sorted ? !ascending : !numeric[column];  // numbers: largest first
  sorted = column;
  start = 0;
  draw();
  head.querySelector(`button[data-column="${column}"]`).focus();
});
search.addEventListener("input", () => { start = 0; draw(); });
size.addEventListener("change", () => { start = 0; draw(); });
if (more) more.addEventListener("change", draw);
find("back").addEventListener("click", () => { start -= Number(size.value); draw(); });
find("on").addEventListener("click", () => { start += Number(size.value); draw(); });
draw();
