"use strict";
// Points that are named when they are pointed at, or reached with the arrow keys or the search.
const SVG = "http://www.w3.org/2000/svg", WIDTH = 640, HEIGHT = 380, TOP = 12, RIGHT = 14;
// On a narrow screen letters are larger, as in the style, and take more room.
const NARROW = matchMedia("(max-width: 48rem)").matches, LEFT = NARROW ? 80 : 58, BOTTOM = NARROW ? 62 : 44;
const make = (name, attributes, parent, text) => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  if (parent) parent.append(element);
  return element;
};

const minus = value => String(value).replace("-", "\u2212");

function ticks(low, high, n) {
  const raw = (high - low) / n, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(k => k * power).find(s => s >= raw);
  const found = [];
  for (let t = Math.ceil(low / step) * step; t <= high + 1e-9 * step; t += step) found.push(Number(t.toPrecision(12)));
  return found;
}

function plot(host) {
  const {groups, x, log, balanced} = JSON.parse(host.querySelector("script").textContent);
  const choice = host.querySelector("select"), search = host.querySelector("input"), said = host.querySelector("output");
  const svg = make("svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, tabindex: 0, role: "img", "aria-label": `${groups[0].y} against ${x}`});
  said.before(svg);
  let points = [], places = [], ring = null, current = -1, y = "";

  function draw() {
    ({points, y} = groups[choice ? choice.selectedIndex : 0]);
    const along = points.map(p => log ? Math.log10(p[1]) : p[1]), up = points.map(p => p[2]);
    let [low, high] = [Math.min(...along), Math.max(...along)];
    if (balanced) { high = Math.max(Math.abs(low), Math.abs(high), 0.5); low = -high; }
    if (log) low = 0;
    if (high <= low) high = low + 1;
    const top = Math.max(...up) * 1.04 || 1, base = Math.min(0, ...up);
    const sx = v => LEFT + 6 + (v - low) / (high - low) * (WIDTH - LEFT - RIGHT - 12);
    const sy = v => HEIGHT - BOTTOM - (v - base) / (top - base) * (HEIGHT - BOTTOM - TOP);
    svg.replaceChildren();
    const xs = log ? [0, 1, 2, 3, 4, 5].filter(t => t <= high).map(t => [t, (10 ** t).toLocaleString("en")])
      : ticks(low, high, 6).map(t => [t, minus(t)]);
    for (const [t, text] of xs) {
      make("line", {x1: sx(t), x2: sx(t), y1: TOP, y2: HEIGHT - BOTTOM, class: "grid"}, svg);
      make("text", {x: sx(t), y: HEIGHT - BOTTOM + (NARROW ? 24 : 16), "text-anchor": "middle"}, svg, text);
    }
    for (const t of ticks(base, top, 5)) {
      make("line", {x1: LEFT, x2: WIDTH - RIGHT, y1: sy(t), y2: sy(t), class: "grid"}, svg);
      make("text", {x: LEFT - 6, y: sy(t) + 4, "text-anchor": "end"}, svg, minus(t));
    }
    make("text", {x: (LEFT + WIDTH) / 2, y: HEIGHT - 8, "text-anchor": "middle"}, svg, x);
    make("text", {x: 0, y: 0, "text-anchor": "middle",
      transform: `translate(${NARROW ? 18 : 12} ${(HEIGHT - BOTTOM) / 2}) rotate(-90)`}, svg, y);
    places = points.map((p, i) => [sx(along[i]), sy(up[i])]);
    for (const kind of [0, -1, 1]) {
      const dots = places.filter((_, i) => points[i][3] === kind)
        .map(([a, b]) => `M${(a - 2.6).toFixed(1)} ${b.toFixed(1)}a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0 -5.2 0`);
      make("path", {d: dots.join(""), class: kind > 0 ? "up" : kind < 0 ? "down" : "rest"}, svg);
    }
    ring = make("circle", {r: 6, class: "ring", visibility: "hidden"}, svg);
    current = -1;
    said.textContent = said.dataset.hint;
  }

  function name(i) {
    current = i;
    const [feature, a, b, , more] = points[i];
    ring.setAttribute("cx", places[i][0]);
    ring.setAttribute("cy", places[i][1]);
    ring.setAttribute("visibility", "visible");
    said.textContent = [`${feature}: ${x} ${a}`, `${y} ${b}`, more].filter(Boolean).join(", ");
  }

  svg.addEventListener("pointermove", event => {
    const box = svg.getBoundingClientRect(), scale = WIDTH / box.width;
    const a = (event.clientX - box.left) * scale, b = (event.clientY - box.top) * scale;
    let best = -1, least = 900;
    places.forEach(([c, d], i) => {
      const far = (a - c) ** 2 + (b - d) ** 2;
      if (far < least) { least = far; best = i; }
    });
    if (best >= 0) name(best);
  });
  svg.addEventListener("keydown", event => {
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (!step || !points.length) return;
    event.preventDefault();
    name((current + step + points.length) % points.length);
  });
  search.addEventListener("input", () => {
    const word = search.value.trim().toLowerCase();
    if (!word) return;
    const names = points.map(p => p[0].toLowerCase());
    const found = [names.indexOf(word), names.findIndex(n => n.startsWith(word)), names.findIndex(n => n.includes(word))]
      .find(i => i >= 0);
    if (found === undefined) {
      ring.setAttribute("visibility", "hidden");
      said.textContent = "not among these points; the table has all features";
    } else name(found);
  });
  if (choice) choice.addEventListener("change", draw);
  draw();
}
document.querySelectorAll(".points").forEach(plot);
