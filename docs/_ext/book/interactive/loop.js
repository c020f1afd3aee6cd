// Two neurons in a row: a walk around a rectangle in the plane of their weights, up and down the
// slopes that a surrogate claims there are.

const PACES = 100; // to a unit of length
const SIDES = [
  { from: [-1, 0], way: [1, 0] },
  { from: [1, 0], way: [0, 1] },
  { from: [1, 2], way: [-1, 0] },
  { from: [-1, 2], way: [0, -1] },
]; // each two long
const ROUND = 8;

// The gradient of H(w2 · H(w1) - 0.5), with FastSigmoid's derivative in place of H's.
const gradientAt = ([w1, w2], slope) => {
  const spike = heaviside(f(w1));
  const outer = derivatives.FastSigmoid(f(f(f(w2) * spike) - 0.5), slope);
  return [f(f(outer * f(w2)) * derivatives.FastSigmoid(f(w1), slope)), f(outer * spike)];
};

// Where the numbers of the sides stand: a place on each, and how far off it.
const NUMBERED = [
  [0, 0, 0, 22, "middle"],
  [1, 1, 8, 6, "start"],
  [0, 2, 0, -8, "middle"],
  [-1, 1, -8, 6, "end"],
];

const placeAt = (walked) => {
  const side = Math.min(3, Math.floor(walked / 2));
  const { from, way } = SIDES[side];
  return { way, place: from.map((start, i) => start + (walked - 2 * side) * way[i]) };
};

// The heights on the way, after each pace. Its slope is that in its middle.
const climb = (slope) => {
  let height = 0;
  return Array.from({ length: ROUND * PACES }, (_, pace) => {
    const { way, place } = placeAt((pace + 0.5) / PACES);
    const gradient = gradientAt(place, slope);
    const steep = way[0] * gradient[0] + way[1] * gradient[1];
    height += steep / PACES;
    return { place, steep, height };
  });
};

const ARROWS = [-1.4, -0.84, -0.28, 0.28, 0.84, 1.4].flatMap((w1) =>
  [0.3, 0.7, 1.1, 1.5, 1.9].map((w2) => [w1, w2]),
);
const arrow = (plot, [w1, w2], slope) => {
  const [dx, dy] = gradientAt([w1, w2], slope).map((each) => (0.5 * each) / slope);
  const [x, y] = [plot.across(w1), plot.up(w2)];
  const [tx, ty] = [plot.across(w1 + dx), plot.up(w2 + dy)];
  const long = Math.sqrt((tx - x) ** 2 + (ty - y) ** 2);
  if (long < 3) return `<circle class="gradient filled" cx="${at(x)}" cy="${at(y)}" r="1.5"/>`;
  const [ux, uy] = [(6 * (tx - x)) / long, (6 * (ty - y)) / long];
  const head = [[tx - ux - uy / 2, ty - uy + ux / 2], [tx, ty], [tx - ux + uy / 2, ty - uy - ux / 2]];
  const corners = head.map(([a, b]) => `${at(a)} ${at(b)}`).join("L");
  return `<path class="arrow" d="M${at(x)} ${at(y)}L${at(tx)} ${at(ty)}M${corners}"/>`;
};

const figure = {
  name: "loop",
  label:
    "左は、2つの重みの平面に、代理勾配の矢印と、反時計回りに1周する長方形の道を描いた図。辺は順に①から④、白抜きの丸が出発点。" +
    "右は、歩いた距離に対する高さの折れ線。1周して戻っても、高さは0に戻らない。",
  question: "傾きを変えると、1周して戻ったときの高さは、0に近づきますか？",
  height: 330,
  controls: [
    { name: "slope", label: "代理勾配の傾き", min: 0.25, max: 4, step: 0.25, value: 1 },
    { name: "walked", label: "歩いた距離", min: 0, max: ROUND, step: 0.25, value: ROUND },
  ],
  compute: ({ slope, walked }) => ({ slope, walked, paces: climb(slope) }),
  draw: ({ slope, walked, paces }) => {
    const plane = axes({
      ...{ top: 36, bottom: 272, right: 322, title: "代理勾配の矢印" },
      x: { from: -1.8, to: 1.8, ticks: [-1, 0, 1], name: "重みw₁" },
      y: { from: -0.3, to: 2.4, ticks: [0, 1, 2], name: "w₂" },
    });
    const heights = axes({
      ...{ top: 36, bottom: 272, left: 390, title: "高さ" },
      x: { from: 0, to: ROUND, ticks: [0, 2, 4, 6, 8], name: "歩いた距離" },
      y: { from: -0.2, to: 1, ticks: [0, 0.5, 1] },
    });
    const sofar = paces.slice(0, walked * PACES);
    const here = placeAt(walked).place;
    const height = sofar.at(-1)?.height ?? 0;
    const corners = [0, 2, 4, 6, 8].map((far) => placeAt(far).place);
    const numbers = NUMBERED.flatMap(([w1, w2, right, down, anchor], i) => [
      text(plane.across(w1) + right, plane.up(w2) + down, "①②③④"[i], anchor),
      text(heights.across(2 * i + 1), heights.bottom - 6, "①②③④"[i], "middle"),
    ]);
    const back = walked === ROUND;
    const [aside, anchor] = back ? [-12, "end"] : [0, "middle"];
    const down = !back ? -16 : height < 0.3 ? -50 : 34;
    const told = [...(back ? ["元に戻った"] : []), `${back ? "のに" : ""}${height.toFixed(2)}`];
    const passed = corners.filter((_, i) => 2 * i <= walked);
    return [
      ...[plane.markup, ...ARROWS.map((from) => arrow(plane, from, slope))],
      ...[line(plane, corners, "reference"), line(plane, [...passed, here], "curve")],
      ...[dots(plane, [corners[0]], { name: "curve", r: 11 }), dots(plane, [here], CHOSEN)],
      ...[heights.markup, ...numbers],
      line(heights, [[0, 0], [ROUND, 0]], "reference"),
      line(heights, [[0, 0], ...sofar.map(({ height }, i) => [(i + 1) / PACES, height])], "curve"),
      dots(heights, [[walked, height]], CHOSEN),
      back ? line(heights, [[ROUND, 0], [ROUND, height]], "curve dotted") : "",
      ...told.map((words, i) =>
        text(heights.across(walked) + aside, heights.up(height) + down + 26 * i, words, anchor),
      ),
    ].join("");
  },
  summary: ({ slope, walked, paces }) => {
    const height = walked ? paces[walked * PACES - 1].height : 0;
    const told = `傾き${slope}の代理勾配の坂を${walked}だけ歩くと、高さは${height.toFixed(2)}です。`;
    return walked < ROUND ? told : `${told}出発点に戻ったのに、0に戻りません。`;
  },
  table: ({ paces }) => ({
    head: ["歩いた距離", "w₁", "w₂", "道に沿った傾き", "高さ"],
    rows: paces
      .filter((_, i) => i % 25 === 24)
      .map(({ place, steep, height }, i) => [
        ...[`${(i + 1) / 4}`, ...place.map((each) => each.toFixed(3))],
        ...[shortest(f(steep)), height.toFixed(4)],
      ]),
  }),
};
