// Drawings as SVG text: axes and marks in the manner of the book's other plots. Colours and sizes of
// text are in interactive.css; what differs by colour differs in shape or dashes too.

const WIDTH = 600;
const RIGHT = 588;
const LEFT = 62;

const at = (x) => `${Number(x.toFixed(1))}`;

const escaped = (words) =>
  words.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");

const text = (x, y, words, anchor = "start") =>
  `<text x="${at(x)}" y="${at(y)}" text-anchor="${anchor}">${escaped(words)}</text>`;

const rule = (x1, y1, x2, y2, name) =>
  `<line class="${name}" x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}"/>`;

// Ticks from 0 to the first that is not below `highest`: at most five spaces.
const ticksUpTo = (highest) => {
  const space = [0.1, 0.2, 0.5, 1, 2, 5, 10].find((step) => highest <= 5 * step) ?? 20;
  const count = Math.max(1, Math.ceil(highest / space - 1e-9));
  return Array.from({ length: count + 1 }, (_, i) => Number((i * space).toFixed(1)));
};

const wordsOf = ({ words = String }) => words;

// A pair of axes: where values lie on them, and what to draw of them. Ticks are numbers; `words`
// puts them otherwise.
const axes = ({ top, bottom, left = LEFT, right = RIGHT, x, y, title, note }) => {
  const place = ({ from, to }, start, end) => (value) =>
    start + ((value - from) / (to - from)) * (end - start);
  const across = place(x, left, right);
  const up = place(y, bottom, top);
  const drawn = [
    ...y.ticks.map((tick) => rule(left, up(tick), right, up(tick), "grid")),
    ...x.ticks.map((tick) => rule(across(tick), bottom, across(tick), top, "grid")),
    rule(left, bottom, right, bottom, "axis"),
    rule(left, bottom, left, top, "axis"),
    ...(y.bare ? [] : y.ticks).map((tick) => text(left - 8, up(tick) + 6, wordsOf(y)(tick), "end")),
    ...(x.bare ? [] : x.ticks).map((tick) => text(across(tick), bottom + 24, wordsOf(x)(tick), "middle")),
    text(y.name ? left + 16 : left, top - 14, title),
    note ? text(right, top - 14, note, "end") : "",
    y.name ? text(left - 8, top - 14, y.name, "end") : "",
    x.name ? text((left + right) / 2, bottom + 50, x.name, "middle") : "",
  ];
  return { across, up, top, bottom, from: x.from, markup: drawn.join("") };
};

const line = ({ across, up }, points, name) =>
  `<path class="${name}" d="M${points.map(([x, y]) => `${at(across(x))} ${at(up(y))}`).join("L")}"/>`;

const upright = ({ across, top, bottom }, x, name) =>
  rule(across(x), bottom, across(x), top, name);

// From one corner to the opposite one.
const bar = ({ across, up }, [x1, y1], [x2, y2], name, opacity = 1) =>
  `<rect class="${name}" x="${at(across(x1))}" y="${at(up(Math.max(y1, y2)))}" ` +
  `width="${at(across(x2) - across(x1))}" height="${at(Math.abs(up(y1) - up(y2)))}" ` +
  `fill-opacity="${opacity}"/>`;

const CHOSEN = { name: "chosen", r: 7 };
const dots = ({ across, up }, points, { name = "dot", r = 3.5 } = {}) =>
  points
    .map(([x, y]) => `<circle class="${name}" cx="${at(across(x))}" cy="${at(up(y))}" r="${r}"/>`)
    .join("");

// Spikes are upright strokes: in a raster plot, and along the top of potentials.
const strokes = ({ across, up }, points, length) =>
  points
    .map(([x, y]) => rule(across(x), up(y) - length / 2, across(x), up(y) + length / 2, "spike"))
    .join("");

const ticks = ({ across, top }, at) =>
  at.map((x) => rule(across(x), top - 6, across(x), top + 10, "spike")).join("");

// The fewest digits that tell a float32 from all others: 1.0000001, 0.3.
const shortest = (x) => {
  for (let digits = 1; ; digits++) {
    const written = Number(x.toPrecision(digits));
    if (Math.fround(written) === x) return `${written}`;
  }
};
