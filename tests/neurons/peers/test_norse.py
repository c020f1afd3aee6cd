"""Norse's `IAFCell` and `LIFBoxCell`, set to this book's equations, and where they differ."""

import warnings

import torch
from hypothesis import given
from hypothesis import strategies as st
from peer_checks import DRAWN, Run, assert_same_derivative, assert_same_run, runs
from torch_checks import reproducible

from snn_docs import IF, LIF, surrogate

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
    from norse.torch.functional import iaf, lif_box
    from norse.torch.functional.reset import reset_subtract, reset_value
    from norse.torch.functional.threshold import triangle_fn


class SuperSpike(surrogate.FastSigmoid):
    """A fast sigmoid whose derivative is 1 high, whatever its slope."""

    def derivative(self, input_):
        return super().derivative(input_) / self.slope


def detached(z, v, reset, _):
    """Return what a user may give for a reset method, without a gradient through the spikes."""
    return v - z.detach() * (v - reset)


RESETS = {"zero": reset_value, "subtract": reset_subtract, "detached": detached}


def through_time(step, inputs, state, parameters):
    spikes = []
    for current in inputs:
        fired, state = step(current, state, parameters)
        spikes.append(fired)
    return torch.stack(spikes)


def run_iaf(inputs, threshold=1.0, **options):
    parameters = iaf.IAFParameters(v_th=torch.as_tensor(threshold), **options)
    state = iaf.IAFFeedForwardState(torch.zeros_like(inputs[0]))
    return through_time(iaf.iaf_feed_forward_step, inputs, state, parameters)


def run_lif_box(inputs, leak, threshold, reset, **options):
    """Run it with steps of 1; it multiplies the input by the leak, too."""
    parameters = lif_box.LIFBoxParameters(
        tau_mem_inv=torch.as_tensor(leak),
        v_th=torch.as_tensor(threshold),
        reset_method=RESETS[reset],
        **options,
    )

    def step(current, state, p):
        return lif_box.lif_box_feed_forward_step(current, state, p, dt=1.0)

    state = lif_box.LIFBoxFeedForwardState(torch.zeros_like(inputs[0]))
    return through_time(step, inputs / leak, state, parameters)


class TestSameEquations:
    """Their reset is attached unless told. Their SuperSpike is 1 high, our fast sigmoid k."""

    @reproducible
    @given(runs())
    def test_iaf_with_super_spike(self, run):
        layer = IF(run.threshold, surrogate=SuperSpike(0.5))
        assert_same_run(layer, lambda inputs: run_iaf(inputs, run.threshold, method="super"), run)

    @reproducible
    @given(runs())
    def test_iaf_with_triangle(self, run):
        layer = IF(run.threshold, surrogate=surrogate.Triangle(1.0))
        assert_same_run(
            layer, lambda inputs: run_iaf(inputs, run.threshold, method="triangle", alpha=1.0), run
        )

    @reproducible
    @given(runs(), st.sampled_from([0.25, 0.5, 1.0]), st.sampled_from(sorted(RESETS)))
    def test_lif_box_where_arithmetic_is_exact(self, run, leak, reset):
        """It computes v + leak (I / leak - v): the same number, but rounded elsewhere.

        Its reset is what it is told: attached, or detached.
        """
        inputs = (run.inputs / run.threshold * 16).round().double() / 16
        exact = Run(inputs, run.threshold, run.grad_spikes.double())
        rule = {"detach_reset": True} if reset == "detached" else {"reset": reset}
        layer = LIF(run.threshold, leak=leak, **rule, surrogate=SuperSpike(0.5))
        assert_same_run(
            layer,
            lambda inputs: run_lif_box(inputs, leak, run.threshold, reset, method="super"),
            exact,
        )


class TestDerivatives:
    """What the docstrings of this package's surrogates say about Norse's parameters."""

    def test_triangle_is_0_3_times_as_high_by_default(self):
        assert_same_derivative(surrogate.Triangle(1.0), triangle_fn, height=1 / 0.3)


class TestDifferences:
    def test_the_drawn_spikes(self):
        assert torch.equal(run_iaf(DRAWN), IF().run(DRAWN)[0])
