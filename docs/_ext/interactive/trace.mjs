// What figures of neurons have in common: how a run is drawn, and how it is told.

import { firings } from "./neuron.mjs";
import { dots, line, triangles } from "./plot.mjs";

const LISTED = 6; // more are not listened to; the table has them all

export const highest = (steps) => Math.max(...steps.map(({ potential }) => potential));

// The potentials, with triangles where they fire, and the threshold.
export const trace = (plot, steps, threshold) => {
  const points = steps.map(({ potential }, t) => [t + 1, potential]);
  return [
    line(plot, [[0, threshold], [steps.length, threshold]], "limit"),
    line(plot, points, "line"),
    dots(plot, points),
    triangles(plot, points.filter((_, t) => steps[t].fired)),
  ].join("");
};

// How often a neuron has fired, and when.
export const occasions = (steps) => {
  const at = firings(steps);
  if (!at.length) return "0回";
  if (at.length === steps.length) return `${at.length}回（毎ステップ）`;
  const more = at.length > LISTED ? "、…" : "";
  return `${at.length}回（${at.slice(0, LISTED).join("、")}${more}ステップ目）`;
};
