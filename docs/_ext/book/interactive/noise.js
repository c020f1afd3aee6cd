// A silent neuron whose potential noise shakes: how probable a spike is, and the slope of that.

const SILENT = -0.25; // its potential, less the threshold
const ACROSS = { from: -1.2, to: 1.2, ticks: [-1, -0.5, 0, 0.5, 1] };
const TABLE = Array.from({ length: 17 }, (_, i) => (i - 8) / 8);

// A uniform noise up to `noise` either way, and none.
const shaken = (noise) => ({
  chance: (x) => (noise ? smooth.Boxcar(f(x), 0.5 / noise) : heaviside(x)),
  slope: (x) => (noise ? derivatives.Boxcar(f(x), 0.5 / noise) : 0),
});

const figure = {
  name: "noise",
  label:
    "3段のグラフ。横軸はどれも膜電位と閾値の差で、閾値より0.25低いニューロンに点がある。" +
    "上段は、傾きのない段。中段は、雑音で揺れる電位の帯で、閾値を超えた分が塗り分けてある。" +
    "下段は、発火の確率の坂で、傾きのある範囲（一点鎖線）を淡く塗ってある。",
  question: "雑音をいくつまで小さくすると、点のニューロンに勾配が届かなくなりますか？",
  height: 392,
  controls: [
    { name: "spread", label: "雑音の大きさ（±）", min: 0, max: 1, step: 0.1, value: 0.5 },
  ],
  compute: ({ spread: noise }) => {
    const { chance, slope } = shaken(noise);
    const row = (x) => [x, chance(x), slope(x)];
    return { noise, chosen: row(SILENT), table: TABLE.map(row) };
  },
  draw: ({ noise, chosen: [x, chance, gradient] }) => {
    const bare = { x: { ...ACROSS, bare: true }, y: { from: 0, to: 1, ticks: [0, 1] } };
    const above = axes({ ...bare, top: 30, bottom: 108, title: "段: 傾きは0" });
    const band = axes({
      ...{ ...bare, top: 148, bottom: 184, title: "電位が雑音で揺れると、閾値を超えた分だけ発火する" },
      y: { from: -1, to: 1, ticks: [] },
    });
    const below = axes({
      ...{ ...bare, top: 224, bottom: 334, title: "発火の確率: 段が坂になる" },
      x: { ...ACROSS, name: "膜電位と閾値の差" },
    });
    const [from, to] = [x - noise, x + noise];
    const percent = `${Number((100 * chance).toFixed(1))}%`;
    const slope = `傾き${Number(gradient.toFixed(2))}`;
    const reach = gradient ? "勾配が届く" : "届かない";
    return [
      ...[band.markup, above.markup, below.markup],
      bar(band, [from, -0.5], [Math.min(to, 0), 0.5], "potential filled", 0.6),
      to > 0 ? bar(band, [0, -0.5], [to, 0.5], "spike filled", 0.6) : "",
      to > 0 ? text(band.across(to) + 10, band.up(0) + 6, percent) : "",
      ...[band, above, below].map((plot) => upright(plot, 0, "threshold")),
      line(above, [[-1.2, 0], [0, 0], [0, 1], [1.2, 1]], "fired"),
      noise ? bar(below, [-noise, 0], [noise, 1], "gradient filled faint") : "",
      line(below, [[-1.2, 0], [-noise, 0], [noise, 1], [1.2, 1]], "curve"),
      noise ? line(below, [[-noise, 0], [noise, 1]], "gradient") : "",
      dots(band, [[x, 0]], CHOSEN),
      ...[dots(above, [[x, 0]], CHOSEN), dots(below, [[x, chance]], CHOSEN)],
      text(above.across(x) - 10, above.up(0) - 14, "傾き0: 勾配が届かない", "end"),
      text(below.across(x) - 10, below.up(chance) - 14, `${slope}: ${reach}`, "end"),
    ].join("");
  },
  summary: ({ noise, chosen: [, chance, gradient] }) => {
    if (!noise) return "雑音がなければ、段の傾きはどこでも0です。閾値の下のニューロンには、勾配が届きません。";
    const so = gradient
      ? `${chance.toFixed(2)}の確率で発火し、大きさ${gradient.toFixed(2)}の勾配が届きます。`
      : "発火せず、勾配も届きません。坂が、そこまで届いていません。";
    return `雑音が±${noise.toFixed(1)}なら、閾値より0.25低いニューロンは、${so}`;
  },
  table: ({ chosen, table }) => ({
    head: ["膜電位と閾値の差", "発火の確率", "坂の傾き"],
    rows: [chosen, ...table].map((row) => row.map((x) => shortest(f(x)))),
  }),
};
