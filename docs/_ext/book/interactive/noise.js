// A silent neuron whose potential noise shakes: how probable a spike is, and the slope of that.

const SILENT = -0.25; // its potential, less the threshold
const ACROSS = { from: -1.2, to: 1.2, ticks: [-1, -0.5, 0, 0.5, 1] };
const HIGHEST = 3; // of the slopes that fit; that of the smallest noise is cut
const LOW = 1.5; // and where all are low
const TABLE = Array.from({ length: 17 }, (_, i) => (i - 8) / 8);

// A uniform noise up to `noise` either way, and none.
const shaken = (noise) => ({
  chance: (x) => (noise ? smooth.Boxcar(f(x), 0.5 / noise) : heaviside(x)),
  slope: (x) => (noise ? derivatives.Boxcar(f(x), 0.5 / noise) : 0),
});

const figure = {
  name: "noise",
  label:
    "3段のグラフ。横軸はどれも膜電位と閾値の差。上段は、傾きのない実線の段と、雑音がつくる点線の坂（発火の確率）。" +
    "中段は雑音で揺れる電位の帯、下段は坂の傾き。閾値より0.25低いニューロンに点がある。上段では、段の上の白抜きの点（出力0）と、坂の上の点。",
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
    const bare = { ...ACROSS, bare: true };
    const whole = noise && 0.5 / noise;
    const highest = whole > LOW ? HIGHEST : LOW;
    const above = axes({
      ...{ top: 30, bottom: 120, title: "順伝播: 傾きのない段（実線）のまま。点線は発火の確率" },
      ...{ x: bare, y: { from: 0, to: 1, ticks: [0, 1] } },
    });
    const band = axes({
      ...{ top: 160, bottom: 196, title: "雑音で揺れる電位（破線の閾値を超えた分が発火）" },
      ...{ x: bare, y: { from: -1, to: 1, ticks: [] } },
    });
    const below = axes({
      ...{ top: 238, bottom: 334, title: "逆伝播: 段の代わりに、発火の確率（坂）の傾き" },
      x: { ...ACROSS, name: "膜電位と閾値の差" },
      y: { from: 0, to: highest, ticks: [0, 1, 2, 3].filter((tick) => tick <= highest) },
    });
    const [from, to] = [x - noise, x + noise];
    const percent = `${Number((100 * chance).toFixed(1))}%`;
    const height = Math.min(whole, highest);
    const hill = [[-1.2, 0], [-noise, 0], [-noise, height], [noise, height], [noise, 0], [1.2, 0]];
    return [
      ...[band.markup, above.markup, below.markup],
      bar(band, [from, -0.5], [Math.min(to, 0), 0.5], "potential filled", 0.6),
      to > 0 ? bar(band, [0, -0.5], [to, 0.5], "spike filled", 0.6) : "",
      to > 0 ? text(band.across(to) + 10, band.up(0) + 6, percent) : "",
      ...[band, above, below].map((plot) => upright(plot, 0, "threshold")),
      line(above, [[-1.2, 0], [0, 0], [0, 1], [1.2, 1]], "fired"),
      line(above, [[-1.2, 0], [-noise, 0], [noise, 1], [1.2, 1]], "curve dotted"),
      noise ? bar(below, [-noise, 0], [noise, height], "gradient filled faint") : "",
      line(below, hill, "gradient"),
      whole > HIGHEST ? text(below.across(noise) + 10, below.top + 18, `上に続く（高さ${whole}）`) : "",
      dots(band, [[x, 0]], CHOSEN),
      ...[dots(above, [[x, chance]], CHOSEN), dots(above, [[x, 0]], { name: "curve", r: 6 })],
      text(above.across(x) - 14, above.up(0) - 8, "出力0", "end"),
      to > 0 ? text(above.across(x) - 14, above.up(chance) - 8, `確率${percent}`, "end") : "",
      dots(below, [[x, gradient]], CHOSEN),
      text(below.across(x) - 4, below.up(gradient) - 16, `届く勾配${Number(gradient.toFixed(2))}`, "end"),
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
