// One IF neuron under a constant input.

const STEPS = 20;

const figure = {
  name: "if-neuron",
  label: "1つのIFニューロンの膜電位の折れ線グラフ。発火したステップの上に縦棒、閾値に破線がある。",
  height: 290,
  controls: [
    { name: "current", label: "入力（1ステップあたり）", min: 0, max: 2, step: 0.05, value: 0.3 },
    { name: "threshold", label: "閾値", min: 0.2, max: 2, step: 0.05, value: 1 },
    { name: "left", label: "最初の膜電位", min: 0, max: 2, step: 0.05, value: 0 },
  ],
  compute: ({ current, threshold, left }) => ({
    threshold,
    steps: run(Array(STEPS).fill(current), { threshold, left }),
  }),
  draw: ({ threshold, steps }) => {
    const ticks = ticksUpTo(Math.max(1.4, threshold, highest(steps)));
    const plot = axes({
      ...{ top: 36, bottom: 232, title: "膜電位", note: "縦棒: スパイク、破線: 閾値" },
      x: { from: 0, to: STEPS, ticks: [1, 5, 10, 15, 20], name: "ステップ" },
      y: { from: 0, to: ticks.at(-1), ticks },
    });
    return plot.markup + trace(plot, steps, threshold);
  },
  summary: ({ steps }) =>
    `${STEPS}ステップのあいだの発火は${occasions(steps)}、` +
    `膜電位の最大は${shortest(highest(steps))}です。`,
  table: ({ steps }) => ({
    head: ["ステップ", "膜電位", "スパイク"],
    rows: steps.map(({ potential, fired }, t) => [`${t + 1}`, shortest(potential), `${+fired}`]),
  }),
};
