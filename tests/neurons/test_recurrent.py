"""`Recurrent`: what the step before gave comes back, against loops written out."""

from functools import partial

import pytest
import torch
from torch import nn
from torch_checks import seeded

from snn_docs import ALIF, IF, LI, LIF, Recurrent, Sequential
from snn_docs.surrogate import ArcTan

pytestmark = pytest.mark.usefixtures("device")


def lif():
    return LIF(0.5, leak=0.1, reset="subtract", surrogate=ArcTan())


def seeded_linear(size=3):
    torch.manual_seed(0)
    return nn.Linear(size, size)


def by_hand(layer, inputs):
    """Carry the potential and the spikes of a LIF."""
    s, state = torch.zeros_like(inputs[0]), None
    record = []
    for x in inputs:
        s, state = layer.neuron.step(x + layer.layer(s), state)
        record.append(s)
    return torch.stack(record)


def outputs_and_gradients(function, layer, inputs):
    outputs = function(layer, inputs)
    weights = torch.linspace(-1, 2, outputs.numel()).view_as(outputs)
    return outputs, torch.autograd.grad((outputs * weights).sum(), [inputs, *layer.parameters()])


@pytest.fixture
def inputs():
    return torch.rand(9, 4, 3, generator=seeded()).requires_grad_()


class TestThroughTime:
    def test_it_is_its_layers_step_by_step(self, inputs):
        layer = Recurrent(lif(), seeded_linear())
        got = outputs_and_gradients(lambda layer, inputs: layer.run(inputs)[0], layer, inputs)
        expected = outputs_and_gradients(by_hand, layer, inputs)
        assert torch.equal(got[0], expected[0])
        assert torch.equal(layer(inputs), got[0])
        assert 0 < got[0].mean() < 1
        torch.testing.assert_close(got[1], expected[1])

    def test_around_a_leak_of_1_it_is_torch_s_rnn(self, inputs):
        """A layer without memory of its own: h = relu(x + U h + b)."""

        class Relu(nn.Module):
            def step(self, inputs, state=None):
                return inputs.relu(), state

            run = step

        layer, theirs = Recurrent(Relu(), seeded_linear()), nn.RNN(3, 3, nonlinearity="relu")
        with torch.no_grad():
            theirs.weight_ih_l0.copy_(torch.eye(3))
            theirs.bias_ih_l0.zero_()
            theirs.weight_hh_l0.copy_(layer.layer.weight)
            theirs.bias_hh_l0.copy_(layer.layer.bias)
        torch.testing.assert_close(layer.run(inputs)[0], theirs(inputs)[0])

    @pytest.mark.parametrize(
        "neuron",
        [lif, IF, partial(LI, 0.25), partial(ALIF, leak=0.1, adaptation=0.5, adaptation_leak=0.1)],
    )
    @pytest.mark.parametrize("cut", [0, 1, 5, 9])
    def test_it_goes_on_from_a_state(self, neuron, cut, inputs):
        layer = Recurrent(neuron(), seeded_linear())
        first, state = layer.run(inputs[:cut])
        second, last = layer.run(inputs[cut:], state)
        together, expected = layer.run(inputs)
        assert torch.equal(torch.cat([first, second]), together)
        torch.testing.assert_close(last, expected if cut < 9 else state)

    def test_convolutions_go_back_in_a_network(self):
        torch.manual_seed(0)
        back = nn.Conv2d(2, 2, 3, padding=1)
        network = Sequential(nn.Conv2d(1, 2, 3), Recurrent(lif(), back), nn.Flatten())
        inputs = torch.rand(5, 4, 1, 6, 6, generator=seeded())
        outputs, state = network.run(inputs)
        expected = by_hand(network[1], network[0](inputs.flatten(0, 1)).unflatten(0, (5, 4)))
        assert torch.equal(outputs, expected.flatten(2))
        assert torch.equal(state[1].neuron.spikes, expected[-1])
        assert network.describe(1, 6, 6).splitlines()[2] == "1 Recurrent   [T, B, 2, 4, 4]"


class TestModule:
    @pytest.mark.parametrize("make", [lambda layer: layer, Sequential])
    def test_called_with_a_state_it_is_run(self, make, inputs):
        layer = make(Recurrent(lif(), seeded_linear()))
        _, state = layer.run(inputs)
        for given in (None, state):
            outputs, _ = layer(inputs, given)
            assert torch.equal(outputs, layer.run(inputs, given)[0])
