// One LIF neuron under a constant input, and what the last potential owes to each input: the gradient
// on its way back, which the article's derivative lets through where the neuron has fired.

const BACK = 20; // steps
const FARTHEST = 6; // powers of ten that are drawn; half of them where that is enough
const WEAK = 0.05; // an input to compare with, whose gradient vanishes

// As `LIF(leak=leak, surrogate=Heaviside.apply)` gives it, reset attached, from the last step back.
const sensitivities = (steps, leak) => {
  const share = f(1 - leak);
  const back = [1];
  for (const { potential, fired } of steps.slice(0, -1).reverse()) {
    const arriving = f(back.at(-1) * share);
    back.push(fired ? f(-arriving * potential) : arriving);
  }
  return back.reverse();
};

const power = (x) => Math.min(FARTHEST, Math.max(-FARTHEST, Math.log10(Math.abs(x))));
const roughly = (x) => `${Number(Math.abs(x).toPrecision(2))}`;
const POWERS = { [-4]: "1万分の1", [-2]: "100分の1", 0: "1倍", 2: "100倍", 4: "1万倍" };

// What each of the steps multiplies by; the average, where some fire and some do not.
const each = (whole, steps, leak) => {
  const fired = steps.slice(0, -1).filter(({ fired }) => fired);
  const factor = `${Number((Math.abs(whole) ** (1 / BACK)).toPrecision(3))}倍`;
  if (fired.length === BACK) return `${shortest(f(1 - leak))}×${shortest(fired[0].potential)}=${factor}`;
  return fired.length ? `平均${factor}` : factor;
};

const backwards = (current, leak) => {
  const steps = run(Array(BACK + 1).fill(current), { leak });
  return { steps, gradients: sensitivities(steps, leak) };
};

const figure = {
  name: "factors",
  label:
    "上下2段のグラフ。横軸はどちらも時刻で、右端が最後。上段は膜電位の折れ線と、破線の閾値、" +
    "発火したステップの縦棒。下段は、最後の電位の、各時刻の入力についての勾配の大きさの棒で、" +
    "1倍の線から、爆発すれば上へ、消えれば下へ伸びる。" +
    "爆発するときは、入力0.05なら1つ戻るごとに小さくなって消えることを、下に薄い棒で示す。",
  question: "入力を1.5から下げていくと、20ステップ前の勾配は、いつも小さくなりますか？",
  height: 392,
  controls: [
    { name: "current", label: "入力（1ステップあたり）", min: 0.05, max: 2, step: 0.05, value: 1.5 },
    { name: "leak", label: "漏れ", min: 0, max: 0.4, step: 0.05, value: 0.1 },
  ],
  compute: ({ current, leak }) => ({
    ...{ current, leak, ...backwards(current, leak) },
    weak: backwards(WEAK, leak),
  }),
  draw: ({ current, leak, steps, gradients, weak: { steps: still, gradients: weak } }) => {
    const x = { from: 0.4, to: BACK + 1.6, ticks: [1, 11, 21] };
    const before = (t) => (t > BACK ? "最後" : `${BACK + 1 - t}前`);
    const all = ticksUpTo(Math.max(1.4, 1.2 * highest(steps)));
    const ticks = all.filter(Number.isInteger);
    const above = axes({
      ...{ top: 32, bottom: 122, left: 126, title: `膜電位（入力${shortest(f(current))}）`, note: "縦棒: スパイク" },
      ...{ x: { ...x, bare: true }, y: { from: 0, to: all.at(-1), ticks, words: (n) => (n === 1 ? "閾値1" : `${n}`) } },
    });
    const reach = Math.max(...[...gradients, ...weak].map((x) => Math.abs(power(x))));
    const far = reach > FARTHEST / 2 ? FARTHEST : FARTHEST / 2;
    const below = axes({
      ...{ top: 164, bottom: 334, left: 126, title: "", note: "勾配の大きさ（対数目盛り）" },
      x: { ...x, name: "時刻（さかのぼるステップの数）", words: before },
      y: { from: -1.15 * far, to: 1.15 * far, ticks: [-2 * far / 3, 0, 2 * far / 3], words: (n) => POWERS[n] },
    });
    // Bars, how far the one farthest back reaches, and by what each of them has grown or shrunk.
    const told = (all, input, steps, opacity) => {
      const [whole] = all;
      const [end, up] = [below.up(power(whole)), power(whole) > 0];
      const bars = all.map((gradient, t) =>
        bar(below, [t + 0.65, 0], [t + 1.35, power(gradient)], "gradient filled", opacity),
      );
      const place = below.up(((up ? 2 : -2) * far) / 3) + (up ? -7 : 24); // beside the grid's line
      const words = `入力${shortest(f(input))}: ${each(whole, steps, leak)}ずつ`;
      return [
        ...bars,
        text(below.across(0.65), up ? end - 6 : Math.min(end + 22, below.bottom - 6), `${roughly(whole)}倍`),
        whole ? text(RIGHT, place, words, "end") : "",
      ].join("");
    };
    const one = line(below, [[x.from, 0], [x.to, 0]], "reference");
    const other = power(gradients[0]) > 0 && power(weak[0]) < 0 ? told(weak, WEAK, still, 0.6) : "";
    const bars = told(gradients, current, steps, 1);
    return [above.markup, trace(above, steps, 1), below.markup, bars, other, one].join("");
  },
  summary: ({ current, leak, steps, gradients }) =>
    `入力${shortest(f(current))}、漏れ${shortest(f(leak))}なら、発火は${occasions(steps)}で、` +
    `${BACK}ステップ前の入力の勾配は、最後の${roughly(gradients[0])}倍です。`,
  table: ({ steps, gradients }) => ({
    head: ["さかのぼるステップ", "膜電位", "スパイク", "勾配"],
    rows: steps.map(({ potential, fired }, t) => [
      ...[`${BACK - t}`, shortest(potential), `${+fired}`, shortest(gradients[t])],
    ]),
  }),
};
