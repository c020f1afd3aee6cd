// Seventeen values under a code: a raster plot, and what can be read from the spikes.

import { direct, first, latency, mean, rate } from "./encodings.mjs";
import { axes, dots, line, shortest, strokes } from "./plot.mjs";
import { uniform } from "./uniform.mjs";

const LEVELS = 16; // as in the images of digits
const VALUES = Array.from({ length: LEVELS + 1 }, (_, k) => k / LEVELS);

// Of each random number in [0, 1) there is its first hexadecimal digit, for each step and value.
// That is enough: it lies below k/16 if, and only if, the digit is below k.
const random = (draw, count, k) =>
  Array.from({ length: count }, (_, t) => {
    const row = (draw - 1) * count + t;
    return parseInt(uniform[row * VALUES.length + k], 16) / LEVELS;
  });

const CODES = {
  rate: {
    name: "レート符号化",
    train: (x, { count, draw }, k) => rate(x, random(draw, count, k)),
    read: mean,
  },
  latency: {
    name: "潜時符号化",
    train: (x, { count }) => latency(x, count),
    read: first,
  },
  subtract: {
    name: "直接入力（閾値を引く）",
    train: (x, { count }) => direct(x, count, "subtract"),
    read: mean,
  },
  zero: {
    name: "直接入力（0に戻す）",
    train: (x, { count }) => direct(x, count, "zero"),
    read: mean,
  },
};

export const figure = {
  name: "raster",
  label:
    "左は、17個の値のスパイクを並べたラスタープロット。横軸はステップ、縦軸は値。" +
    "右は、スパイクから復元した値の点。斜めの線に乗れば、誤差はない。",
  height: 434,
  controls: [
    {
      ...{ name: "code", label: "符号化", value: "rate" },
      options: Object.entries(CODES).map(([key, { name }]) => [key, name]),
    },
    { name: "count", label: "長さ", unit: "ステップ", min: 4, max: 64, step: 4, value: 16 },
    {
      ...{ name: "draw", label: "乱数（レート符号化だけ）", value: "1" },
      options: ["1", "2", "3"].map((draw) => [draw, `${draw}回目`]),
    },
  ],
  compute: ({ code, count, draw }) => {
    const { name, train, read } = CODES[code];
    const rows = VALUES.map((value, k) => {
      const spikes = train(value, { count, draw: Number(draw) }, k);
      return { value, spikes, restored: read(spikes) };
    });
    return { name, count, rows };
  },
  draw: ({ count, rows }) => {
    const values = { from: -0.03, to: 1.03, ticks: [0, 0.5, 1] };
    const raster = axes({
      ...{ top: 36, bottom: 376, right: 404, title: "値", y: values },
      x: { from: 0, to: count + 1, ticks: [1, count / 2, count], name: "ステップ" },
    });
    const restored = axes({
      ...{ top: 36, bottom: 376, left: 446, right: 580, title: "復元した値" },
      ...{ x: { from: 0, to: 1, ticks: [0, 1] }, y: { ...values, bare: true } },
    });
    const marks = rows.flatMap(({ value, spikes }) =>
      spikes.flatMap((fired, t) => (fired ? [[t + 1, value]] : [])),
    );
    return [
      ...[raster.markup, strokes(raster, marks, 14)],
      ...[restored.markup, line(restored, [[0, 0], [1, 1]], "reference")],
      dots(restored, rows.map(({ value, restored }) => [restored, value])),
    ].join("");
  },
  summary: ({ name, count, rows }) => {
    const spikes = rows.flatMap((row) => row.spikes).filter(Boolean).length;
    const squares = rows.map(({ value, restored }) => (restored - value) * (restored - value));
    const rms = Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / rows.length);
    return (
      `${name}、${count}ステップでは、17個の値に${spikes}個のスパイクを使います。` +
      `復元した値の誤差（RMS）は${rms.toFixed(3)}です。`
    );
  },
  table: ({ rows }) => ({
    head: ["値", "発火したステップ", "復元した値"],
    rows: rows.map(({ value, spikes, restored }) => {
      const at = spikes.flatMap((fired, t) => (fired ? [t + 1] : []));
      return [shortest(value), at.join("、") || "なし", shortest(restored)];
    }),
  }),
};
