"use strict";
const {columns, rows, lead, numeric, optional, notes} = JSON.parse(document.getElementById("data").textContent);
const find = id => document.getElementById(id);
const head = find("head"), body = find("body"), search = find("search"), size = find("size"), more = find("more");
const text = rows.map(row => row.map(v => v === null ? "" : String(v)).join("\n").toLowerCase());
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
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
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
    button.textContent = columns[c].replace(/[_\[\/]/g, "$&\u200b");  // where long names may break
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
