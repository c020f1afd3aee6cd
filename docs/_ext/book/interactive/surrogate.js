// Which of a network's potentials a surrogate reaches, and how well the network learns with it.
// `reached` holds what was recorded of both: docs/experiments/surrogate_potentials.py and surrogate_choice.py.

const KINDS = [
  ["Boxcar", "矩形（Boxcar）"],
  ["Triangle", "三角形（Triangle）"],
  ["FastSigmoid", "高速シグモイド（FastSigmoid）"],
  ["StraightThrough", "直通推定（StraightThrough）"],
];
const WIDTH_OF_BIN = (reached.to - reached.from) / reached.counts.length;
const BINS = reached.counts.map((count, i) => [reached.from + (i + 0.5) * WIDTH_OF_BIN, count]);
const TALLEST = Math.max(...reached.counts);
const TABLE = Array.from({ length: 17 }, (_, i) => (i - 8) / 4);
// Where a width lies on the axis of the lower plot, and at its end what is wide without an end.
const EVERYWHERE = 5.7;
const widthAt = (slope) => -Math.log2(slope);
const CURVE = Array.from({ length: 601 }, (_, i) => f((i - 300) / 100));

const figure = {
  name: "surrogate",
  label:
    "上段は、横軸が膜電位と閾値の差。学習前の出力の電位の散らばりの棒に、選んだ代理勾配の一点鎖線を重ねてある。" +
    "勾配の届く棒は、届く強さに応じて濃く塗られ、届かない棒は枠だけ。" +
    "下段は、横軸が代理勾配の幅、縦軸が学習後の正解率の点。右の端は、どこにでも同じ強さで届く直通推定。破線が選んだ幅。",
  question: "幅をいくつにすると、正解率が0.9を超えますか？",
  height: 414,
  controls: [
    { name: "width", label: "代理勾配の幅", min: 1, max: 20, step: 1, value: 1 },
    { name: "kind", label: "代理勾配の形", value: "Boxcar", options: KINDS },
  ],
  compute: ({ kind, width }) => {
    const slope = 1 / width;
    const gradient = (at) => derivatives[kind](f(at), slope);
    const bins = BINS.map(([at, count]) => ({ at, count, gradient: gradient(at) }));
    const hit = bins.filter(({ gradient }) => gradient > 0);
    return {
      ...{ kind, width, endless: kind === "StraightThrough", bins, curve: CURVE.map((at) => [at, gradient(at)]) },
      table: TABLE.map((at) => [at, gradient(at)]),
      share: Math.round((100 * hit.reduce((sum, { count }) => sum + count, 0)) / reached.all),
      accuracies: reached.accuracies[kind],
    };
  },
  draw: ({ width, endless, bins, curve, share, accuracies }) => {
    const above = axes({
      ...{ top: 32, bottom: 176, title: `勾配は、電位の${share}%に届く`, note: "■ 届く　□ 届かない" },
      x: { from: -3, to: 3, ticks: [-3, -2, -1, 0, 1, 2, 3], name: "膜電位と閾値の差（0を超えると発火）" },
      y: { from: 0, to: 1.1, ticks: [0, 0.5, 1], bare: true },
    });
    const everywhere = Math.max(...reached.accuracies.StraightThrough.map(([, right]) => right));
    const below = axes({
      ...{ top: 268, bottom: 356, title: "学習後の正解率" },
      x: {
        ...{ from: -0.4, to: 6.6, ticks: [0, 2, widthAt(0.05), EVERYWHERE] },
        ...{ name: "代理勾配の幅（右ほど広い）" },
        words: (at) => (at === EVERYWHERE ? "どこでも" : `${Math.round(2 ** at)}`),
      },
      y: { from: 0.4, to: 1.1, ticks: [0.5, 0.75, 1] },
    });
    const measured = endless ? [] : accuracies.map(([slope, right]) => [widthAt(slope), right]);
    const hill = [...measured.sort(([a], [b]) => a - b), [EVERYWHERE, everywhere]];
    const named = hill.map(([x, right]) =>
      text(below.across(x) + 12, below.up(right) + (right > 0.9 ? -12 : 14), right.toFixed(2)),
    );
    const tall = Math.max(...curve.map(([, gradient]) => gradient));
    const edge = Math.max(...curve.filter(([, gradient]) => gradient === tall).map(([x]) => x));
    // The name of the curve: beside its peak, on its plateau, or on the tail of a low one.
    const peaked = edge < 1 && tall > 0.4;
    const tail = Math.max(...curve.filter(([x]) => x >= 2).map(([, gradient]) => gradient));
    const top = [above.across(edge) + (peaked ? 12 : -6), above.up(tall) + (peaked ? 16 : -10)];
    const at = peaked || edge >= 1 ? top : [RIGHT - 6, above.up(tail) - 10];
    const name = text(...at, "代理勾配", peaked ? "start" : "end");
    const half = WIDTH_OF_BIN / 2;
    const spread = bins.map(({ at, count, gradient }) => {
      const corners = [[at - half, 0], [at + half, count / TALLEST]];
      const shade = (gradient * width).toFixed(2);
      const filled = gradient ? bar(above, ...corners, "potential filled", shade) : "";
      return bar(above, ...corners, "outline") + filled;
    });
    return [
      ...[above.markup, ...spread, upright(above, 0, "threshold"), line(above, curve, "gradient")],
      name,
      ...[below.markup, upright(below, endless ? EVERYWHERE : Math.log2(width), "threshold")],
      line(below, hill, "curve dotted"),
      ...[dots(below, hill, { name: "point", r: 6 }), ...named],
    ].join("");
  },
  summary: ({ kind, width, endless, share, accuracies }) => {
    const named = (at) => (endless ? `強さ${at}` : `幅${Math.round(1 / at)}`);
    const each = [...accuracies].sort(([a], [b]) => b - a).map(([at, right]) => `${named(at)}で${right.toFixed(2)}`).join("、");
    return `${endless ? "" : `幅${width}の`}${kind}は、学習前の電位の${share}%に届きます。学習したあとの正解率は、${each}です。`;
  },
  table: ({ table }) => ({
    head: ["膜電位と閾値の差", "スパイク", "勾配"],
    rows: table.map(([x, gradient]) => [x, heaviside(x), gradient].map(shortest)),
  }),
};
