"""Sinabs' `IAF` and `LIF`, set to this book's equations, and where its defaults differ."""

import sinabs.layers
import torch
from hypothesis import given
from hypothesis import strategies as st
from peer_checks import DRAWN, assert_same_run, next_above, runs
from sinabs.activation import MembraneReset, MembraneSubtract, SingleSpike
from torch_checks import reproducible

from snn_docs import IF, LIF, surrogate

taus = st.sampled_from([None]) | st.floats(0.5, 100)


def article(v, threshold):
    """Return the article's derivative: 1 where it fires."""
    return (v >= threshold).float()


def sinabs_layer(run, tau, reset_fn, derivative=article):
    """Return one of their layers. It keeps exp(-1 / tau) of the potential in a step."""
    options = {"spike_fn": SingleSpike, "reset_fn": reset_fn, "surrogate_grad_fn": derivative}
    options["spike_threshold"] = torch.tensor(next_above(run.threshold))
    if tau is None:
        return sinabs.layers.IAF(**options)
    return sinabs.layers.LIF(tau_mem=tau, norm_input=False, **options)


def layer_like(peer, run, **rule):
    """Return a layer of this package with the leak of one of theirs."""
    if isinstance(peer, sinabs.layers.IAF):
        return IF(run.threshold, **rule)
    rule = {"surrogate": surrogate.Heaviside.apply} | rule
    return LIF(run.threshold, leak=1 - peer.alpha_mem_calculated.item(), **rule)


def over_time(peer, inputs):
    """Run a layer of theirs, which takes [batch, T, *], from rest."""
    peer.reset_states()
    return peer(inputs.unsqueeze(0)).squeeze(0)


class TestSameEquations:
    """It fires at exactly the threshold: with the next float32, it fires where v > threshold."""

    @reproducible
    @given(runs(min_dims=1), taus)
    def test_reset_to_zero_is_detached(self, run, tau):
        peer = sinabs_layer(run, tau, MembraneReset())
        layer = layer_like(peer, run, detach_reset=True)
        assert_same_run(layer, lambda inputs: over_time(peer, inputs), run)

    @reproducible
    @given(runs(min_dims=1), taus)
    def test_reset_by_subtraction_is_attached(self, run, tau):
        peer = sinabs_layer(run, tau, MembraneSubtract(run.threshold))
        layer = layer_like(peer, run, reset="subtract")
        assert_same_run(layer, lambda inputs: over_time(peer, inputs), run)

    @reproducible
    @given(runs(min_dims=1), taus)
    def test_a_surrogate(self, run, tau):
        fast = surrogate.FastSigmoid(1.0)
        peer = sinabs_layer(run, tau, MembraneReset(), lambda v, theta: fast.derivative(v - theta))
        layer = layer_like(peer, run, detach_reset=True, surrogate=fast)
        assert_same_run(layer, lambda inputs: over_time(peer, inputs), run)


class TestDifferences:
    def test_the_drawn_spikes(self):
        many = DRAWN.cumsum(0).floor().diff(dim=0, prepend=torch.zeros(1, 1))
        assert torch.equal(over_time(sinabs.layers.IAF(), DRAWN), many)
        options = {"spike_fn": SingleSpike, "reset_fn": MembraneReset()}
        matched = sinabs.layers.IAF(spike_threshold=torch.tensor(next_above(1.0)), **options)
        assert torch.equal(over_time(matched, DRAWN), IF().run(DRAWN)[0])
