// Seventeen values under two codes, side by side: raster plots, and what can be read from the spikes,
// and from those of one value when one spike is lost.

const LEVELS = 16; // as in the images of digits
const VALUES = Array.from({ length: LEVELS + 1 }, (_, k) => k / LEVELS);

const LOST = 12; // the value of which one spike is lost, in sixteenths

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
    title: "レート符号化（数）",
    train: (x, { count, draw }, k) => rate(x, random(draw, count, k)),
    read: mean,
  },
  latency: {
    name: "潜時符号化",
    title: "潜時符号化（時刻）",
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

// What a code makes of the values, and how far off a receiver is.
const coded = (code, settings) => {
  const { name, title = name, train, read } = CODES[code];
  const rows = VALUES.map((value, k) => {
    const spikes = train(value, settings, k);
    return { value, spikes, restored: read(spikes) };
  });
  const squares = rows.map(({ value, restored }) => (restored - value) * (restored - value));
  const { spikes: all, restored: before } = rows[LOST];
  const fired = all.flatMap((one, t) => (one ? [t] : []));
  const gone = fired[Math.floor(fired.length / 2)]; // none of none
  const after = read(all.map((one, t) => one && t !== gone));
  return {
    lost: { step: fired.length ? gone + 1 : 0, before, after },
    ...{ name, title, rows, spikes: rows.flatMap((row) => row.spikes).filter(Boolean).length },
    rms: Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / rows.length),
  };
};

// A code's raster plot from `left` on, and beside it the values that are read.
const column = ({ title, rows, lost }, count, left, bare) => {
  const values = { from: -0.03, to: 1.03, ticks: [0, 0.5, 1] };
  const heights = { top: 36, bottom: 316 };
  const raster = axes({
    ...{ ...heights, left, right: left + 160, title, y: { ...values, bare, name: bare ? "" : "明るさ" } },
    x: { from: 0, to: count + 1, ticks: [1, count / 2, count], name: "ステップ" },
  });
  const restored = axes({
    ...{ ...heights, left: left + 188, right: left + 246, title: "" },
    ...{ x: { from: 0, to: 1, ticks: [0, 1], name: "復元" }, y: { ...values, bare: true } },
  });
  const marks = rows.flatMap(({ value, spikes }, k) =>
    spikes.flatMap((fired, t) => (fired && (k !== LOST || t + 1 !== lost.step) ? [[t + 1, value]] : [])),
  );
  const height = VALUES[LOST];
  const told = `○が消えると${lost.before.toFixed(2)}→${lost.after.toFixed(2)}`;
  return [
    ...[raster.markup, strokes(raster, marks, 12)],
    ...[restored.markup, line(restored, [[0, 0], [1, 1]], "reference")],
    dots(restored, rows.map(({ value, restored }) => [restored, value])),
    lost.step ? dots(raster, [[lost.step, height]], { name: "curve", r: 8 }) : "",
    lost.step ? strokes(raster, [[lost.step, height]], 9) : "", // within the ring
    line(restored, [[lost.before, height], [lost.after, height]], "curve"),
    dots(restored, [[lost.after, height]], { name: "left", r: 5 }),
    text(left + 123, 394, lost.step ? told : "消えるものがない", "middle"),
  ].join("");
};

const figure = {
  name: "raster",
  label:
    "17個の値のスパイクを並べたラスタープロットが、左右に2つ。左がレート符号化、右が選んだ符号化。" +
    "横軸はステップ、縦軸は明るさ。それぞれの右は、スパイクから復元した値の点。斜めの線に乗れば、誤差はない。" +
    "値0.75のスパイクを1個だけ輪で囲み、それが消えると白抜きの点に動く。レート符号化では少し、潜時符号化では0まで動く。",
  question: "長さを64ステップにすると、1個消えたときの値は、左右でどう変わりますか？",
  height: 404,
  controls: [
    {
      ...{ name: "code", label: "右の符号化", value: "latency" },
      options: ["latency", "subtract", "zero"].map((key) => [key, CODES[key].name]),
    },
    { name: "count", label: "長さ", unit: "ステップ", min: 4, max: 64, step: 4, value: 16 },
    {
      ...{ name: "draw", label: "左（レート符号化）の乱数", value: "1" },
      options: ["1", "2", "3"].map((draw) => [draw, `${draw}回目`]),
    },
  ],
  compute: ({ code, count, draw }) => {
    const settings = { count, draw: Number(draw) };
    return { count, codes: ["rate", code].map((key) => coded(key, settings)) };
  },
  draw: ({ count, codes }) =>
    [62, 342].map((left, k) => column(codes[k], count, left, k === 1)).join(""),
  summary: ({ count, codes }) =>
    `値${VALUES[LOST]}のスパイクが1個消えると、` +
    codes.map(({ name, lost }) => `${name}は${lost.before.toFixed(2)}から${lost.after.toFixed(2)}に`).join("、") +
    `なります。${count}ステップで17個の値を表すのに、` +
    codes
      .map(({ name, spikes, rms }) => `${name}は${spikes}個のスパイクを使い、誤差（RMS）は${rms.toFixed(3)}`)
      .join("、") +
    "です。",
  table: ({ codes }) => ({
    head: ["値", "左の発火したステップ", "左の復元した値", "右の発火したステップ", "右の復元した値"],
    rows: VALUES.map((value, k) => [
      shortest(value),
      ...codes.flatMap(({ rows }) => {
        const at = rows[k].spikes.flatMap((fired, t) => (fired ? [t + 1] : []));
        return [at.join("、") || "なし", shortest(rows[k].restored)];
      }),
    ]),
  }),
};
