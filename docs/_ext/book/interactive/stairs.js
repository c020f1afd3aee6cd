// An IF neuron in place of a ReLU: its rate after some steps, for each input, and how right converted
// networks were after as many. `converted` is what was recorded: docs/experiments/conversion_depth.py.

const START = 0.5; // of the threshold
const CURRENTS = Array.from({ length: 321 }, (_, i) => (i - 60) / 200);

// How a depth is drawn; where its name is, and how far above its ReLU the number of that is.
const LOOKS = [["", 0, 0.98, 0.04], [" dotted", 2.2, 0.7, -0.07]];

const relu = (x) => Math.min(1, Math.max(0, x));
const rateOf = (current, count) => {
  const steps = run(Array(count).fill(current), { reset: "subtract", left: START });
  return f(firings(steps).length / count);
};

const figure = {
  name: "stairs",
  label:
    "左は、横軸が入力、縦軸が発火率の階段で、細い線が1で頭打ちにしたReLU。待つステップ数だけ段があり、待つほど線に近づく。" +
    "右は、横軸が待つステップ数、縦軸が正解率。隠れ層2つは速く、8つは遅く、" +
    "それぞれの水平な線の元のReLUに並ぶ。縦の破線は、いま待つステップ数。",
  question: "発火率とReLUの差の最大を0.05に縮めるには、何ステップ待ちますか？",
  height: 330,
  controls: [
    { name: "count", label: "待つステップ数", unit: "ステップ", min: 1, max: 32, step: 1, value: 4 },
  ],
  compute: ({ count }) => {
    const rates = CURRENTS.map((current) => [current, rateOf(current, count)]);
    const off = Math.max(...rates.map(([current, rate]) => Math.abs(rate - relu(current))));
    return { count, rates, off };
  },
  draw: ({ count, rates }) => {
    const left = axes({
      ...{ top: 36, bottom: 272, right: 298, title: `${count}ステップの発火率` },
      x: { from: -0.3, to: 1.3, ticks: [0, 0.5, 1], name: "入力" },
      y: { from: 0, to: 1.3, ticks: [0, 0.5, 1] },
    });
    const right = axes({
      ...{ top: 36, bottom: 272, left: 368, title: "正解率（横線はReLU）" },
      x: {
        ...{ from: -0.2, to: 5.2, ticks: [0, 1, 2, 3, 4, 5], name: "待つステップ数" },
        words: (power) => `${2 ** power}`,
      },
      y: { from: 0.3, to: 1.05, ticks: [0.4, 0.6, 0.8, 1] },
    });
    const waited = Math.log2(count);
    const [away, anchor] = waited < 2.5 ? [6, "start"] : [-6, "end"];
    const stairs = rates.flatMap(([x, rate], i) => [[x, rates[Math.max(0, i - 1)][1]], [x, rate]]);
    const depth = ({ layers, ann, reached }, [look, x, y, above]) => {
      const points = Object.entries(reached).map(([steps, share]) => [Math.log2(steps), share]);
      return [
        line(right, [[-0.2, ann], [5.2, ann]], `reference${look}`),
        line(right, points, `curve${look}`),
        ...[dots(right, points, { name: "point", r: 4 })],
        text(right.across(x), right.up(y), `隠れ層${layers}つ`),
        text(right.across(5.2), right.up(ann + above), `元 ${ann.toFixed(2)}`, "end"),
      ].join("");
    };
    return [
      ...[left.markup, line(left, [-0.3, 0, 1, 1.3].map((x) => [x, relu(x)]), "reference")],
      ...[line(left, stairs, "fired"), text(left.across(0.64), left.up(0.42), "ReLU")],
      ...[text(left.across(0.2), left.up(0.57), "IF"), right.markup],
      upright(right, waited, "threshold"),
      text(right.across(waited) + away, right.up(0.34), `${count}ステップ`, anchor),
      ...converted.map((network, i) => depth(network, LOOKS[i])),
    ].join("");
  },
  summary: ({ count, off }) => {
    const known = Math.max(...Object.keys(converted[0].reached).map(Number).filter((n) => n <= count));
    const told = converted.map(({ layers, ann, reached }) =>
      `隠れ層${layers}つで${reached[known].toFixed(2)}（元のReLUは${ann.toFixed(2)}）`);
    return `${count}ステップなら、発火率と、1で頭打ちにしたReLUの差は最大${off.toFixed(3)}です。` +
      `正解率は、${known}ステップで測ったとき、${told.join("、")}です。`;
  },
  table: ({ rates }) => ({
    head: ["入力", "発火率", "1で頭打ちにしたReLU"],
    rows: rates
      .filter((_, i) => i % 10 === 0)
      .map(([current, rate]) => [current, rate, relu(current)].map((x) => shortest(f(x)))),
  }),
};
