// A spike, and the gradient that a surrogate gives it.

const REACH = 200; // hundredths
const CURVE = Array.from({ length: 2 * REACH + 1 }, (_, i) => f((i - REACH) / 100));
const KINDS = [
  ["FastSigmoid", "高速シグモイド（FastSigmoid）"],
  ["Triangle", "三角形（Triangle）"],
  ["Boxcar", "矩形（Boxcar）"],
  ["StraightThrough", "直通推定（StraightThrough）"],
];
const CHOSEN = { name: "chosen", r: 7 };
const TABLE = Array.from({ length: 17 }, (_, i) => (i - 8) / 4);

const figure = {
  name: "surrogate",
  label:
    "上下2段のグラフ。上段は、膜電位が閾値を超えると0から1になるスパイク。" +
    "下段は、選んだ代理勾配の一点鎖線と、記事の微分の細い実線。選んだ電位に点がある。",
  height: 434,
  controls: [
    { name: "kind", label: "代理勾配", value: "FastSigmoid", options: KINDS },
    { name: "slope", label: "傾き", min: 0.25, max: 4, step: 0.25, value: 1 },
    { name: "x", label: "膜電位と閾値の差", min: -2, max: 2, step: 0.05, value: -0.5 },
  ],
  compute: ({ kind, slope, x }) => {
    const gradient = (at) => derivatives[kind](f(at), slope);
    const curve = CURVE.map((at) => [at, gradient(at)]);
    const table = TABLE.map((at) => [at, heaviside(at), gradient(at)]);
    return { kind, slope, curve, table, x: f(x), spike: heaviside(x), gradient: gradient(x) };
  },
  draw: ({ slope, curve, x, spike, gradient }) => {
    const range = { from: -2, to: 2, ticks: [-2, -1, 0, 1, 2] };
    const ticks = ticksUpTo(Math.max(1, slope));
    const above = axes({
      ...{ top: 36, bottom: 126, title: "スパイク" },
      ...{ x: { ...range, bare: true }, y: { from: 0, to: 1, ticks: [0, 1] } },
    });
    const below = axes({
      ...{ top: 184, bottom: 376, title: "勾配" },
      x: { ...range, name: "膜電位と閾値の差" },
      y: { from: 0, to: ticks.at(-1), ticks },
    });
    const step = [[-2, 0], [0, 0], [0, 1], [2, 1]];
    return [
      ...[above.markup, line(above, step, "fired"), dots(above, [[x, spike]], CHOSEN)],
      ...[below.markup, line(below, step, "reference"), line(below, curve, "gradient")],
      dots(below, [[x, gradient]], CHOSEN),
    ].join("");
  },
  summary: ({ kind, slope, x, spike, gradient }) =>
    `膜電位と閾値の差が${shortest(x)}なら、${spike ? "発火し" : "発火せず"}、` +
    `傾き${slope}の${kind}で届く勾配は${gradient.toFixed(3)}です。記事の微分では${spike}です。`,
  table: ({ table, x, spike, gradient }) => ({
    head: ["膜電位と閾値の差", "スパイク", "勾配"],
    rows: [
      [`${shortest(x)}（選んだ電位）`, shortest(spike), shortest(gradient)],
      ...table.map((row) => row.map(shortest)),
    ],
  }),
};
