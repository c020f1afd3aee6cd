// The codes of `snn_docs.encoding` for one value in float32: whether it fires in each step.

// To the nearest integer, and to the even one from halfway, as torch rounds.
const rounded = (x) => {
  const below = Math.floor(x);
  const rest = x - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
};

const steps = (count) => Array.from({ length: count }, (_, t) => t);

// `uniform` are random numbers from 0 to 1, one a step.
const rate = (x, uniform) => uniform.map((u) => u < x);

const latency = (x, count) => {
  const delay = rounded(f(f(1 - x) * (count - 1)));
  return steps(count).map((t) => x > 0 && t === delay);
};

const direct = (x, count, reset) =>
  run(steps(count).map(() => x), { reset }).map(({ fired }) => fired);

// The values that a receiver reads: from how often it fires, or from when it does first.
const mean = (train) => f(train.filter(Boolean).length / train.length);

const first = (train) =>
  train.includes(true) ? f(1 - f(train.indexOf(true) / (train.length - 1))) : 0;
