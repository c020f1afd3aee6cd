// One IF neuron under a constant input, and the fountain that it is.

const STEPS = 20;
const AXES = { top: 70, bottom: LOWEST, left: 330 };
const ROOM = 1.4; // of the threshold, at least: then the threshold is where the tube is full
// Milliseconds that a step takes, that the fountain takes to fall and to knock, and a rest.
const [FILL, FALL, REST] = [420, 950, 1200];
const STRUCK = 0.68; // of the fall, when it is up again

const between = (from, to, share) => from + (to - from) * share;

// From 0 to 1 while `share` goes from one number to another, slowly at both ends.
const eased = (share, from, to) => {
  const x = Math.min(1, Math.max(0, (share - from) / (to - from)));
  return x * x * (3 - 2 * x);
};

const plotOf = ({ threshold, left, steps }) => {
  const top = Math.max(ROOM * threshold, highest(steps), left);
  const marks = ticksUpTo(top).filter((tick) => tick <= top);
  return axes({
    ...{ ...AXES, title: "膜電位", note: "スパイク" },
    x: { from: 0, to: STEPS, ticks: [1, 5, 10, 15, 20], name: "ステップ" },
    y: { from: 0, to: top, ticks: marks },
  });
};

// Where the line goes in a number of steps: up with each input, and down where the neuron fires.
const way = ({ left, steps }, count) => [
  [0, left],
  ...steps
    .slice(0, count)
    .flatMap(({ potential, fired, after }, t) => [
      [t + 1, potential],
      ...(fired ? [[t + 1, after]] : []),
    ]),
];

// What a scene looks like when a share of it is over. Between two steps, the line is followed.
const poseOf = ({ left, current, steps }, { stage, step }, share) => {
  const before = step ? steps[step - 1].after : left;
  const still = { half: UP, drop: 0, fall: 0, pour: 0, knock: 0, done: step };
  if (stage === "rest")
    return { ...still, trail: [[STEPS, between(before, left, eased(share, 0.6, 1))]] };
  const { potential, after } = steps[step];
  if (stage === "fill") {
    const come = eased(share, 0.4, 1);
    const drop = share < 0.4 && current > 0 ? 2.5 + 3.5 * Math.sqrt(current) : 0;
    const trail = [[step + come, between(before, potential, come)]];
    return { ...still, drop, fall: share / 0.4, trail };
  }
  return {
    ...still,
    half: between(UP, DOWN, eased(share, 0, 0.2) - eased(share, 0.5, STRUCK)),
    pour: eased(share, 0.16, 0.24) - eased(share, 0.44, 0.52),
    knock: share < STRUCK ? 0 : 1 - eased(share, 0.75, 1),
    done: share < STRUCK ? step : step + 1,
    trail: [
      [step + 1, potential],
      [step + 1, between(potential, after, eased(share, 0.2, 0.5))],
    ],
  };
};

// Where it stands until it moves: just before it falls for the first time, and a drop on its way.
const firstPose = (result) => {
  const first = result.steps.findIndex(({ fired }) => fired);
  const scene = { stage: "fill", step: first < 0 ? STEPS - 1 : Math.max(0, first - 1) };
  const { drop, fall } = poseOf(result, scene, 0.25);
  return { ...poseOf(result, scene, 1), drop, fall };
};

const partsIn = (plot, { trail, ...pose }, drawn) => {
  const [[t, v]] = trail.slice(-1);
  const [x, y] = [at(plot.across(t)), plot.up(v)];
  const path = drawn.map(([t, v]) => `${at(plot.across(t))} ${at(plot.up(v))}`).join("L");
  return {
    ...fountain({ ...pose, height: y }),
    level: ["path", { class: "level", opacity: +(pose.half === UP && y < LOWEST - 3), d: `M${PIVOT[0]} ${at(y)}H${x}` }],
    line: ["path", { class: "potential", d: `M${path}` }],
    pen: ["circle", { class: "pen", cx: x, cy: at(y), r: 6 }],
  };
};

// A mark for each step: where its potential came to, and what a reset has left.
const marksOf = (plot, { steps }) =>
  steps
    .map(({ potential, fired, after }, t) => {
      const emptied = fired
        ? dots(plot, [[t + 1, after]], { name: "left" }) + ticks(plot, [t + 1])
        : "";
      return `<g>${dots(plot, [[t + 1, potential]])}${emptied}</g>`;
    })
    .join("");

const figure = {
  name: "if-neuron",
  label:
    "鹿威しと、1つのIFニューロンの膜電位の折れ線グラフ。竹筒の水位が膜電位と同じ高さにあり、" +
    "破線の閾値を超えると、筒は傾いて水を吐き、空で戻って石を打ち、鳴る。発火したステップの上に縦棒がある。",
  height: 300,
  controls: [
    { name: "current", label: "入力（1ステップあたり）", min: 0, max: 2, step: 0.05, value: 0.3 },
    { name: "threshold", label: "閾値", min: 0.2, max: 2, step: 0.05, value: 1 },
    { name: "left", label: "最初の膜電位", min: 0, max: 2, step: 0.05, value: 0 },
  ],
  compute: ({ current, threshold, left }) => ({
    ...{ current, threshold, left: f(left) },
    steps: run(Array(STEPS).fill(current), { threshold, left }),
  }),
  draw: (result) => {
    const plot = plotOf(result);
    const whole = way(result, STEPS);
    const { level, line: drawn, pen, ...moving } = partsIn(plot, firstPose(result), whole);
    const height = plot.up(result.threshold);
    return [
      behind,
      plot.markup,
      text(60, height - 8, "閾値"),
      text(SPOUT[0] + 12, SPOUT[1] + 14, "入力"),
      `<g class="ahead">${line(plot, whole, "potential")}</g>`,
      partsOf(moving),
      before,
      rule(60, height, AXES.left - 32, height, "threshold"),
      rule(AXES.left, height, RIGHT, height, "threshold"),
      partsOf({ level, line: drawn }),
      `<g class="marks">${marksOf(plot, result)}</g>`,
      partsOf({ pen }),
    ].join("");
  },
  scenes: ({ steps }) => [
    ...steps.flatMap(({ fired }, step) => [
      { stage: "fill", step, ms: FILL },
      ...(fired ? [{ stage: "fall", step, ms: FALL }] : []),
    ]),
    { stage: "rest", step: STEPS, ms: REST },
  ],
  show: (svg, result, scene, share) => {
    const pose = poseOf(result, scene, share);
    move(svg, partsIn(plotOf(result), pose, [...way(result, scene.step), ...pose.trail]));
    [...svg.querySelector(".marks").children].forEach((mark, t) =>
      mark.classList.toggle("ahead", t >= pose.done),
    );
  },
  summary: ({ steps }) =>
    `${STEPS}ステップの発火は${occasions(steps)}、` +
    `膜電位の最大は${shortest(highest(steps))}です。`,
  table: ({ steps }) => ({
    head: ["ステップ", "膜電位", "スパイク"],
    rows: steps.map(({ potential, fired }, t) => [`${t + 1}`, shortest(potential), `${+fired}`]),
  }),
};
