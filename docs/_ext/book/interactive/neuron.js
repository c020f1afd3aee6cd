// One neuron in float32, as `IF(threshold, reset=reset).run(inputs)` computes it, or `LIF` where there
// is a leak: each operation is rounded by itself, so that every bit is the same.

const f = Math.fround;

// What happens in each step, from the potential that the step before has left.
const run = (inputs, { threshold = 1, reset = "zero", left = 0, leak = 0 }) => {
  const limit = f(threshold);
  const share = f(1 - leak);
  let kept = f(f(left) * share);
  return inputs.map((input) => {
    const potential = f(kept + f(input));
    const fired = potential > limit;
    const after = !fired ? potential : reset === "zero" ? 0 : f(potential - limit);
    kept = f(after * share);
    return { potential, fired, after };
  });
};

// The numbers of the steps that fired, from 1.
const firings = (steps) => steps.flatMap(({ fired }, t) => (fired ? [t + 1] : []));
