"""snnTorch's `Leaky`, set to this book's equations, and where its defaults differ."""

import snntorch
import torch
from hypothesis import given
from hypothesis import strategies as st
from peer_checks import DRAWN, assert_same_derivative, assert_same_run, runs
from snntorch import surrogate as theirs
from torch_checks import reproducible

from snn_docs import IF, LIF, CubaLIF, Recurrent, surrogate

leaks = st.just(0.0) | st.floats(0, 1)


def leaky(inputs, leak=0.0, **options):
    """Run `Leaky`; its beta is what a step keeps."""
    return over_time(snntorch.Leaky(beta=1 - leak, **options), inputs)


def over_time(layer, inputs):
    """Run a layer of theirs from rest; its mem is the potential."""
    mem, record = torch.zeros_like(inputs[0]), []
    for current in inputs:
        spikes, mem = layer(current, mem)
        record.append((spikes, mem))
    return tuple(torch.stack(part) for part in zip(*record, strict=True))


class TestSameEquations:
    """`heaviside()` is the rule of the article; the reset is detached, unless without delay."""

    @reproducible
    @given(runs(), leaks)
    def test_reset_to_zero_is_detached(self, run, leak):
        rule = {"detach_reset": True, "surrogate": surrogate.Heaviside.apply}
        layer = LIF(run.threshold, leak=leak, **rule)
        options = {"reset_mechanism": "zero", "spike_grad": theirs.heaviside()}
        assert_same_run(
            layer, lambda inputs: leaky(inputs, leak, threshold=run.threshold, **options)[0], run
        )

    @reproducible
    @given(runs(), leaks)
    def test_mem_is_the_potential_before_reset(self, run, leak):
        _, mem = leaky(run.inputs, leak, threshold=run.threshold, reset_mechanism="zero")
        assert torch.equal(LIF(run.threshold, leak=leak).record(run.inputs)[1], mem)

    @reproducible
    @given(runs(), leaks, st.sampled_from(["zero", "subtract"]))
    def test_reset_without_delay_is_attached(self, run, leak, reset):
        rule = {"reset": reset, "surrogate": surrogate.Heaviside.apply}
        layer = LIF(run.threshold, leak=leak, **rule)
        options = {"reset_mechanism": reset, "spike_grad": theirs.heaviside()}
        options |= {"threshold": run.threshold, "reset_delay": False}
        assert_same_run(layer, lambda inputs: leaky(inputs, leak, **options)[0], run)

    @reproducible
    @given(runs(), leaks)
    def test_a_surrogate(self, run, leak):
        layer = LIF(run.threshold, leak=leak, detach_reset=True, surrogate=surrogate.ArcTan(1.5))
        options = {"reset_mechanism": "zero", "spike_grad": theirs.atan(alpha=3.0)}
        assert_same_run(
            layer, lambda inputs: leaky(inputs, leak, threshold=run.threshold, **options)[0], run
        )

    @reproducible
    @given(runs(min_dims=1), st.integers(0, 2**31))
    def test_what_each_neuron_learns(self, run, seed):
        """The gradients of thresholds and leaks, too; theirs is that of beta = 1 - leak."""
        generator = torch.Generator().manual_seed(seed)
        threshold, leak = torch.rand((2, *run.inputs.shape[1:]), generator=generator)
        threshold = torch.nn.Parameter((threshold + 0.5) * run.threshold)
        leak = torch.nn.Parameter(leak)
        rule = {"detach_reset": True, "surrogate": surrogate.Heaviside.apply}
        layer = LIF(threshold, leak=leak, **rule)
        spikes, v = layer.record(run.inputs)
        peer = snntorch.Leaky(
            beta=1 - leak.detach(),
            threshold=threshold.detach().clone(),
            learn_beta=True,
            learn_threshold=True,
            reset_mechanism="zero",
            spike_grad=theirs.heaviside(),
        )
        peer_spikes, mem = over_time(peer, run.inputs)
        assert torch.equal(spikes, peer_spikes)
        assert torch.equal(v, mem)
        ours = torch.autograd.grad(spikes, (threshold, leak), run.grad_spikes)
        peers = torch.autograd.grad(peer_spikes, (peer.threshold, peer.beta), run.grad_spikes)
        for got, expected in zip(ours, (peers[0], -peers[1]), strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


def eighths(shape, seed):
    """Numbers whose sums are exact, whatever the order."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-8, 13, shape, generator=generator) / 8


class TestParts:
    """What more their neurons have, with numbers that no order of sums rounds."""

    @reproducible
    @given(st.integers(0, 2**31))
    def test_rleaky_is_a_way_back_around_a_neuron(self, seed):
        inputs, weight = eighths((9, 4, 3), seed), eighths((3, 3), seed + 1)
        back = torch.nn.Linear(3, 3, bias=False)
        peer = snntorch.RLeaky(beta=1.0, linear_features=3, reset_mechanism="subtract")
        with torch.no_grad():
            back.weight.copy_(weight)
            peer.recurrent.weight.copy_(weight)
            peer.recurrent.bias.zero_()
        spk, mem = torch.zeros(4, 3), torch.zeros(4, 3)
        steps = []
        for current in inputs:
            spk, mem = peer(current, spk, mem)
            steps.append(spk)
        spikes, state = Recurrent(IF(reset="subtract"), back).run(inputs)
        assert torch.equal(spikes, torch.stack(steps))
        assert torch.equal(state[1][1], mem)

    @reproducible
    @given(st.integers(0, 2**31), st.sampled_from([0.25, 0.5, 1.0]))
    def test_synaptic_is_a_cuba_lif(self, seed, synapse_leak):
        inputs = eighths((7, 4), seed)
        peer = snntorch.Synaptic(alpha=1 - synapse_leak, beta=1.0, reset_mechanism="subtract")
        syn, mem = torch.zeros(4), torch.zeros(4)
        steps = []
        for current in inputs:
            spk, syn, mem = peer(current, syn, mem)
            steps.append((spk, mem, syn))
        layer = CubaLIF(leak=0.0, synapse_leak=synapse_leak, reset="subtract")
        expected = (torch.stack(part) for part in zip(*steps, strict=True))
        assert all(map(torch.equal, layer.record(inputs), expected))


class TestDerivatives:
    """What the docstrings of this package's surrogates say about snnTorch's parameters."""

    def test_straight_through_and_heaviside(self):
        straight = theirs.straight_through_estimator()
        assert_same_derivative(surrogate.StraightThrough(1.0), straight)
        assert_same_derivative(surrogate.Heaviside.apply, theirs.heaviside())


class TestDifferences:
    def test_the_drawn_spikes(self):
        assert torch.equal(leaky(DRAWN)[0], IF(reset="subtract").run(DRAWN)[0])
        assert torch.equal(leaky(DRAWN, reset_mechanism="zero")[0], IF().run(DRAWN)[0])

    def test_a_reset_of_rleaky_to_zero_takes_the_next_input_away(self):
        peer = snntorch.RLeaky(beta=1.0, linear_features=1, reset_mechanism="zero")
        with torch.no_grad():
            peer.recurrent.weight.zero_()
            peer.recurrent.bias.zero_()
        spk, mem = torch.zeros(1, 1), torch.zeros(1, 1)
        for current in (1.5, 0.75):
            spk, mem = peer(torch.full((1, 1), current), spk, mem)
        assert mem.item() == 0
        assert IF().record(torch.tensor([1.5, 0.75]))[1].tolist() == [1.5, 0.75]
