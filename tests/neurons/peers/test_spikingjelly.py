"""SpikingJelly's `IFNode` and `LIFNode`, set to this book's equations, and where they differ."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from peer_checks import DRAWN, assert_same_derivative, assert_same_run, next_above, runs
from spikingjelly.activation_based import neuron
from spikingjelly.activation_based import surrogate as theirs
from torch_checks import reproducible

from snn_docs import IF, LIF, PLIF, CubaLIF, surrogate

modes = st.sampled_from(["s", "m"])


def over_time(node, inputs):
    """Run a node in its own mode: step by step, or over all of time."""
    if node.step_mode == "m":
        return node(inputs)
    return torch.stack([node(current) for current in inputs])


class Strict(torch.nn.Module):
    """The article's rule in place of a surrogate of theirs: 0 does not fire."""

    def forward(self, x):
        return surrogate.Heaviside.apply(x)


class TestSameEquations:
    """It fires at exactly the threshold: with the next float32, it fires where v > threshold."""

    @reproducible
    @given(runs(min_dims=1), st.booleans(), modes)
    def test_if_node(self, run, detach_reset, mode):
        layer = IF(run.threshold, detach_reset=detach_reset)
        options = {"surrogate_function": theirs.LeakyKReLU(leak=0.0, k=1.0), "step_mode": mode}
        options |= {"v_threshold": next_above(run.threshold), "detach_reset": detach_reset}
        assert_same_run(layer, lambda inputs: over_time(neuron.IFNode(**options), inputs), run)

    @reproducible
    @given(runs(min_dims=1), st.booleans(), modes, st.sampled_from([2, 4, 64]))
    def test_lif_node_that_does_not_decay_its_input(self, run, detach_reset, mode, tau):
        """It computes v - v / tau: the same bits where 1 / tau is a power of 2."""
        rule = {"detach_reset": detach_reset, "surrogate": surrogate.Heaviside.apply}
        layer = LIF(run.threshold, leak=1 / tau, **rule)
        options = {"surrogate_function": theirs.LeakyKReLU(leak=0.0, k=1.0), "step_mode": mode}
        options |= {"v_threshold": next_above(run.threshold), "detach_reset": detach_reset}
        options |= {"tau": float(tau), "decay_input": False}
        assert_same_run(layer, lambda inputs: over_time(neuron.LIFNode(**options), inputs), run)

    @reproducible
    @given(runs(min_dims=1), st.booleans(), modes, st.sampled_from([None, 2, 4, 64]))
    def test_reset_by_subtraction(self, run, detach_reset, mode, tau):
        """With a strict function of the user's own, so that the threshold itself is subtracted."""
        rule = {"reset": "subtract", "detach_reset": detach_reset}
        rule |= {"surrogate": surrogate.Heaviside.apply}
        options = {"surrogate_function": Strict(), "step_mode": mode, "v_reset": None}
        options |= {"v_threshold": run.threshold, "detach_reset": detach_reset}
        if tau is None:
            layer, node = IF(run.threshold, **rule), neuron.IFNode(**options)
        else:
            layer = LIF(run.threshold, leak=1 / tau, **rule)
            node = neuron.LIFNode(tau=float(tau), decay_input=False, **options)

        def run_node(inputs):
            node.reset()
            return over_time(node, inputs)

        assert_same_run(layer, run_node, run)

    @reproducible
    @given(runs(min_dims=1), st.booleans())
    def test_a_surrogate(self, run, detach_reset):
        options = {"surrogate": surrogate.ArcTan(1.0), "detach_reset": detach_reset}
        layer = IF(run.threshold, **options)
        options = {"surrogate_function": theirs.ATan(alpha=2.0), "detach_reset": detach_reset}
        options |= {"v_threshold": next_above(run.threshold), "step_mode": "m"}
        assert_same_run(layer, lambda inputs: over_time(neuron.IFNode(**options), inputs), run)


class TestParts:
    """What more their neurons have."""

    @reproducible
    @given(runs(min_dims=1), modes, st.sampled_from([2.0, 4.0]))
    def test_parametric_lif_learns_the_same(self, run, mode, tau):
        rule = {"detach_reset": True, "surrogate": surrogate.Heaviside.apply}
        layer = PLIF(run.threshold, leak=1 / tau, **rule)
        peer = neuron.ParametricLIFNode(
            init_tau=tau,
            decay_input=False,
            v_threshold=next_above(run.threshold),
            detach_reset=True,
            surrogate_function=theirs.LeakyKReLU(leak=0.0, k=1.0),
            step_mode=mode,
        )
        torch.testing.assert_close(layer.w.detach(), peer.w.detach().reshape(()))
        spikes, expected = layer.run(run.inputs)[0], over_time(peer, run.inputs)
        assert torch.equal(spikes, expected)
        ours = torch.autograd.grad(spikes, layer.w, run.grad_spikes)[0]
        theirs_ = torch.autograd.grad(expected, peer.w, run.grad_spikes)[0]
        torch.testing.assert_close(ours, theirs_.reshape(()), rtol=1e-4, atol=1e-4)

    @reproducible
    @given(runs(min_dims=1), st.sampled_from([0.25, 0.5]), st.sampled_from([0.5, 1.0]))
    def test_cuba_lif(self, run, leak, synapse_leak):
        layer = CubaLIF(run.threshold, leak=leak, synapse_leak=synapse_leak)
        peer = neuron.CUBALIFNode(
            c_decay=1 - synapse_leak,
            v_decay=1 - leak,
            v_threshold=next_above(run.threshold),
            surrogate_function=theirs.LeakyKReLU(leak=0.0, k=1.0),
        )
        got = layer.run(run.inputs)[0]
        assert torch.equal(got, torch.stack([peer(current) for current in run.inputs]))


class TestDerivatives:
    """What the docstrings of this package's surrogates say about SpikingJelly's parameters."""

    def test_rect_is_the_boxcar(self):
        assert_same_derivative(surrogate.Boxcar(25.0), theirs.Rect(alpha=25.0))

    def test_leaky_k_relu_is_the_articles_rule_except_at_the_threshold(self):
        rule = theirs.LeakyKReLU(leak=0.0, k=1.0)
        x = torch.tensor([-1.0, 1.0, 0.0], requires_grad=True)
        (gradient,) = torch.autograd.grad(rule(x).sum(), x)
        assert gradient.tolist() == [0, 1, 1]
        assert surrogate.Heaviside.apply(x).tolist() == [0, 1, 0]


class TestDifferences:
    def test_the_drawn_spikes(self):
        at_least = IF(threshold=1 - 2**-24).run(DRAWN)[0]
        assert torch.equal(over_time(neuron.IFNode(), DRAWN), at_least)
        matched = over_time(neuron.IFNode(v_threshold=next_above(1.0)), DRAWN)
        assert torch.equal(matched, IF().run(DRAWN)[0])

    def test_the_next_threshold_is_what_it_subtracts(self):
        node = neuron.IFNode(v_threshold=next_above(1.0), v_reset=None)
        node(torch.tensor([1.5]))
        assert node.v.item() == 1.5 - next_above(1.0) != 0.5
