// The derivatives of the package's surrogates in float32, for a potential x above the threshold.
// Only those are here that +, -, × and ÷ make, one rounding each: they have the same bits on every
// machine. ArcTan's product and sum are rounded at once where the processor can, and the last bit of
// Sigmoid's exponential is up to torch.

const derivatives = {
  FastSigmoid: (x, slope) => {
    const wide = f(1 + f(f(2 * slope) * Math.abs(x)));
    return f(f(1 / f(wide * wide)) * f(slope)); // torch divides a number by a tensor in this way
  },
  Triangle: (x, slope) => f(f(slope) * Math.max(0, f(1 - f(f(slope) * Math.abs(x))))),
  Boxcar: (x, slope) => (Math.abs(x) <= f(0.5 / slope) ? f(slope) : 0),
  StraightThrough: (x, slope) => f(slope),
};

// What a surrogate is the derivative of.
const smooth = {
  Boxcar: (x, slope) => Math.min(1, Math.max(0, f(f(f(slope) * x) + 0.5))),
};

// The spike itself, and the article's rule for its derivative.
const heaviside = (x) => (x > 0 ? 1 : 0);
