// Two neurons under the same input: one is reset to zero, the other by the threshold.

const STEPS = 20;
const RESETS = { zero: "0に戻す", subtract: "閾値を引く" };

const figure = {
  name: "resets",
  label:
    "上下2段の膜電位の折れ線グラフ。上段は0に戻すリセット、下段は閾値を引くリセット。" +
    "発火したステップの上に縦棒、閾値に破線がある。",
  question: "入力を0.6から1.0まで動かすと、発火の回数が変わらないのは、どちらのリセットですか？",
  height: 448,
  controls: [
    { name: "current", label: "入力（1ステップあたり）", min: 0, max: 1.5, step: 0.02, value: 0.32 },
    { name: "threshold", label: "閾値", min: 0.5, max: 1.5, step: 0.05, value: 1 },
    {
      ...{ name: "duration", label: "入力を続ける長さ", unit: "ステップ" },
      ...{ min: 0, max: STEPS, step: 1, value: STEPS },
    },
  ],
  compute: ({ current, threshold, duration }) => {
    const inputs = Array.from({ length: STEPS }, (_, t) => (t < duration ? current : 0));
    const both = Object.keys(RESETS).map((reset) => run(inputs, { threshold, reset }));
    return { threshold, both };
  },
  draw: ({ threshold, both }) => {
    const ticks = ticksUpTo(Math.max(1.4, threshold, ...both.map(highest)));
    const panel = (steps, i) => {
      const top = 36 + 206 * i;
      const plot = axes({
        ...{ top, bottom: top + 148, title: `${Object.values(RESETS)[i]}: 膜電位` },
        x: { from: 0, to: STEPS, ticks: [1, 5, 10, 15, 20], name: i ? "ステップ" : "", bare: !i },
        y: { from: 0, to: ticks.at(-1), ticks },
      });
      return plot.markup + trace(plot, steps, threshold);
    };
    return both.map(panel).join("");
  },
  summary: ({ both }) =>
    `${STEPS}ステップのあいだの発火は、0に戻すと${occasions(both[0])}、` +
    `閾値を引くと${occasions(both[1])}です。`,
  table: ({ both: [zero, subtract] }) => ({
    head: ["ステップ", "0に戻す: 膜電位", "スパイク", "閾値を引く: 膜電位", "スパイク"],
    rows: zero.map((one, t) => [
      `${t + 1}`,
      ...[one, subtract[t]].flatMap(({ potential, fired }) => [shortest(potential), `${+fired}`]),
    ]),
  }),
};
