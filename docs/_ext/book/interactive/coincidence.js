// Two inputs close together, then two some steps apart, for a neuron that keeps all and for one that
// leaks.

const STEPS = 30;
const CLOSE = [2, 4]; // the steps of the first two inputs
const THIRD = 12; // the step of the third; the fourth is moved
const NAMES = ["漏れなし（IF）", "漏れあり（LIF）"];
const X = { from: 0, to: STEPS, ticks: [1, 6, 12, 18, 24, 30] };

const figure = {
  name: "coincidence",
  label:
    "3段のグラフ。上段は入力で、近い2つと、離れた2つがある。中段は漏れのないニューロン、" +
    "下段は漏れのあるニューロンの膜電位の折れ線。閾値は破線で、発火したステップの上に縦棒がある。",
  question: "あとの2つの隔たりを何ステップまで縮めると、LIFも2回発火しますか？",
  height: 430,
  controls: [
    {
      ...{ name: "gap", label: "あとの2つの入力の隔たり", unit: "ステップ" },
      ...{ min: 1, max: STEPS - THIRD - 1, step: 1, value: 8 },
    },
    { name: "strength", label: "入力1つの大きさ", min: 0.3, max: 1.2, step: 0.05, value: 0.6 },
    { name: "leak", label: "漏れ", min: 0.05, max: 1, step: 0.05, value: 0.1 },
  ],
  compute: ({ gap, strength, leak }) => {
    const times = [...CLOSE, THIRD, THIRD + gap];
    const inputs = Array.from({ length: STEPS }, (_, t) => (times.includes(t + 1) ? strength : 0));
    return { gap, leak, inputs, both: [0, leak].map((each) => run(inputs, { leak: each })) };
  },
  draw: ({ inputs, both }) => {
    const arrived = inputs.flatMap((input, t) => (input ? [[t + 1, input]] : []));
    const above = axes({
      ...{ top: 32, bottom: 74, title: "入力（近い2つと、隔たりを変える2つ）" },
      x: { ...X, bare: true },
      y: { from: 0, to: 1.4, ticks: [0, 1] },
    });
    const marks = arrived.map(([x, y]) => line(above, [[x, 0], [x, y]], "input"));
    const ticks = ticksUpTo(Math.max(1.4, ...both.map(highest)));
    const panel = (steps, i) => {
      const top = 120 + 150 * i;
      const plot = axes({
        ...{ top, bottom: top + 102, title: `${NAMES[i]}: 膜電位`, note: "縦棒: スパイク" },
        x: { ...X, name: i ? "ステップ" : "", bare: !i },
        y: { from: 0, to: ticks.at(-1), ticks },
      });
      const named = text(plot.across(8), plot.up(1) - 6, "閾値", "middle");
      return plot.markup + trace(plot, steps, 1) + named;
    };
    const arrivals = dots(above, arrived, { name: "input filled", r: 5 });
    return [above.markup, ...marks, arrivals, ...both.map(panel)].join("");
  },
  summary: ({ gap, leak, both }) =>
    `あとの2つの隔たりが${gap}ステップのとき、漏れのないニューロンの発火は${occasions(both[0])}、` +
    `漏れ${shortest(Math.fround(leak))}のニューロンの発火は${occasions(both[1])}です。`,
  table: ({ inputs, both: [kept, leaked] }) => ({
    head: ["ステップ", "入力", "漏れなし: 膜電位", "スパイク", "漏れあり: 膜電位", "スパイク"],
    rows: inputs.map((input, t) => [
      ...[`${t + 1}`, shortest(Math.fround(input))],
      ...[kept[t], leaked[t]].flatMap(({ potential, fired }) => [shortest(potential), `${+fired}`]),
    ]),
  }),
};
