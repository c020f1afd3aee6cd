// What figures of neurons have in common: how a run is drawn, and how it is told.

const LISTED = 6; // more are not listened to; the table has them all

const highest = (steps) => Math.max(...steps.map(({ potential }) => potential));

// The potentials, those that a reset has left, too, and the threshold; above them, a stroke for each
// step that fires.
const trace = (plot, steps, threshold) => {
  const points = steps.map(({ potential }, t) => [t + 1, potential]);
  const left = steps.map(({ fired, after }, t) => (fired ? [[t + 1, after]] : []));
  return [
    line(plot, [[plot.from, threshold], [steps.length, threshold]], "threshold"),
    line(plot, points.flatMap((point, t) => [point, ...left[t]]), "potential"),
    dots(plot, points),
    dots(plot, left.flat(), { name: "left" }),
    ticks(plot, firings(steps)),
  ].join("");
};

// How often a neuron has fired, and when.
const occasions = (steps) => {
  const at = firings(steps);
  if (!at.length) return "0回";
  if (at.length === steps.length) return `${at.length}回（毎ステップ）`;
  const more = at.length > LISTED ? "、…" : "";
  return `${at.length}回（${at.slice(0, LISTED).join("、")}${more}ステップ目）`;
};
