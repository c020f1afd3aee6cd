// One neuron whose threshold rises when it fires: two volleys in one order, and in the other.

const STEPS = 70;
const FIRST = 4;
const SIZES = { 群A: 5, 群B: 2.5 };
const RISE = 3;
const ROOM = 20; // steps that a name takes

// What is measured upwards, along its axis.
const beside = ({ top, bottom }, words) => {
  const middle = (top + bottom) / 2;
  return text(28, middle, words, "middle").replace(" ", ` transform="rotate(-90 28 ${middle})" `);
};

// As `ALIF(leak=1, adaptation=RISE, adaptation_leak=leak)` runs: nothing is left of earlier inputs.
const adapt = (inputs, leak) => {
  const share = f(1 - leak);
  let [trace, last] = [0, 0];
  return inputs.map((input) => {
    trace = f(f(trace * share) + last);
    const threshold = f(f(trace * RISE) + 1);
    last = +(f(input) > threshold);
    return { input, threshold, fired: last === 1 };
  });
};

const compared = ({ input, threshold, fired }) =>
  `${input}${fired ? "＞" : "＜"}${threshold.toFixed(2)} → ${fired ? "発火" : "発火しない"}`;

const figure = {
  name: "order",
  label:
    "上下2段のグラフ。上段は群A、群Bの順に、下段は群B、群Aの順に入力の縦線が来る。" +
    "破線の閾値は、発火すると跳ね上がり、ゆっくり戻る。2つ目の入力のそばに、閾値との大小と、発火するかどうか。初めの状態では、上段は発火せず、下段は発火する。",
  question: "間隔を広げていくと、何ステップから、2つの順番を区別できなくなりますか？",
  height: 404,
  controls: [
    { name: "gap", label: "2つの間隔", unit: "ステップ", min: 1, max: 60, step: 1, value: 20 },
    {
      ...{ name: "leak", label: "上がった閾値の戻る速さ" },
      ...{ min: 0.005, max: 0.1, step: 0.005, value: 0.025 },
    },
  ],
  compute: ({ gap, leak }) => {
    const both = [["群A", "群B"], ["群B", "群A"]].map((groups) => {
      const at = [FIRST, FIRST + gap];
      const inputs = Array.from({ length: STEPS }, (_, t) =>
        at.includes(t + 1) ? SIZES[groups[at.indexOf(t + 1)]] : 0,
      );
      return { groups, at, steps: adapt(inputs, leak) };
    });
    return { gap, both };
  },
  draw: ({ both }) =>
    both
      .map(({ groups, at, steps }, i) => {
        const top = 40 + 178 * i;
        const plot = axes({
          ...{ top, bottom: top + 128, title: `${groups.join(" → ")}` },
          note: `出力スパイク${firings(steps).length}個`,
          x: { from: 0, to: STEPS, ticks: [1, 20, 40, 60], name: i ? "ステップ" : "", bare: !i },
          y: { from: 0, to: 8, ticks: [0, 2, 4, 6, 8] },
        });
        const arrived = at.map((x) => [x, steps[x - 1].input]);
        const names = arrived.map(([x, y], k) => {
          const [away, anchor] = k && x > (i ? ROOM : 2 * ROOM) ? [-9, "end"] : [9, "start"];
          const below = groups[k] === "群A" ? 2 : 26; // the threshold falls between the two
          const name = k && !i ? `${groups[k]}: ${compared(steps[x - 1])}` : `${groups[k]}${k ? "" : "の入力"}（強さ${y}）`;
          return text(plot.across(x) + away, plot.up(y) + below, name, anchor);
        });
        const fired = firings(steps);
        const [after, side] = at[1] > 2 * ROOM ? [-9, "end"] : [9, "start"];
        const raised = steps.map(({ threshold }, t) => [t + 1, threshold]);
        const last = raised[STEPS - 1][1];
        return [
          ...[plot.markup, beside(plot, "入力と閾値"), line(plot, [[0, 1], ...raised], "threshold")],
          ...arrived.map(([x, y]) => line(plot, [[x, 0], [x, y]], "input")),
          ...[dots(plot, arrived, { name: "input filled", r: 5 }), ...names],
          text(plot.across(STEPS) - 4, plot.up(last) - 10, "閾値", "end"),
          ticks(plot, fired),
          i
            ? text(plot.across(at[1]) + after, top + 18, compared(steps[at[1] - 1]), side)
            : text(plot.across(FIRST) + 9, top + 18, "発火（出力）すると閾値が上がる"),
        ].join("");
      })
      .join(""),
  summary: ({ gap, both }) => {
    const [one, other] = both.map(({ steps }) => firings(steps).length);
    const so = one === other ? "出力の数からは、順番を区別できません。" : "出力の数から、順番がわかります。";
    return `間隔が${gap}ステップなら、A→Bのスパイクは${one}個、B→Aのスパイクは${other}個です。${so}`;
  },
  table: ({ both: [one, other] }) => ({
    head: ["ステップ", "A→B: 入力", "閾値", "スパイク", "B→A: 入力", "閾値", "スパイク"],
    rows: one.steps.map((step, t) => [
      `${t + 1}`,
      ...[step, other.steps[t]].flatMap(({ input, threshold, fired }) => [
        ...[shortest(input), shortest(threshold), `${+fired}`],
      ]),
    ]),
  }),
};
