"""`Network`: against the same network by hand, step by step. Readouts: against a loop."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import linear
from torch_checks import reproducible, seeded

from snn_docs import ALIF, LI, CubaLIF, Recurrent, functional, surrogate
from snn_docs.network import Network, count, last_potential, max_potential, mean_potential
from snn_docs.neurons import IF, LIF
from snn_docs.sequential import Sequential

pytestmark = pytest.mark.usefixtures("device")

NEURONS = {
    "if": lambda: IF(threshold=0.5),
    "lif": lambda: LIF(threshold=0.5, leak=0.1, reset="subtract", surrogate=surrogate.ArcTan()),
    "detached": lambda: LIF(
        threshold=0.5, leak=0.3, detach_reset=True, surrogate=surrogate.Triangle()
    ),
}


def by_hand(network, inputs):
    """All layers, one time step after the other."""
    states = [None] * len(network.linears)
    record = []
    for current in inputs:
        spikes = current
        for i, (layer, neuron) in enumerate(zip(network.linears, network.neurons, strict=True)):
            driven = linear(spikes, layer.weight, layer.bias)
            s, v = states[i] or (torch.zeros_like(driven), torch.zeros_like(driven))
            spikes, v = functional.step(
                v, driven, s, neuron.threshold, getattr(neuron, "leak", 0.0), reset=neuron.reset,
                detach_reset=neuron.detach_reset, surrogate=neuron.surrogate,
            )  # fmt: skip
            states[i] = spikes, v
        record.append(states[-1])
    return (torch.stack(part) for part in zip(*record, strict=True))


@pytest.mark.parametrize("name", NEURONS)
@pytest.mark.parametrize("sizes", [[3, 2], [3, 8, 2], [3, 8, 5, 2]])
def test_a_network_is_its_layers_step_by_step(name, sizes):
    torch.manual_seed(0)
    network = Network(sizes, NEURONS[name]).double()
    for parameter in network.parameters():
        torch.nn.init.uniform_(parameter, -0.4, 0.6)
    inputs = torch.rand(12, 4, 3, dtype=torch.float64, requires_grad=True)
    leaves = [inputs, *network.parameters()]
    results = []
    for spikes, v in (network(inputs), by_hand(network, inputs)):
        weights = torch.linspace(-1, 2, v.numel(), dtype=v.dtype).view_as(v)
        loss = (spikes * weights).sum() + (v * weights).square().sum()
        results.append((spikes, v, torch.autograd.grad(loss, leaves)))
    (spikes, v, gradients), (expected_spikes, expected_v, expected_gradients) = results
    assert 0 < spikes.mean() < 1
    assert torch.equal(spikes, expected_spikes)
    torch.testing.assert_close(v, expected_v)
    torch.testing.assert_close(gradients, expected_gradients)


class Plain(torch.nn.Module):
    """A neuron as a reader may write it: with two methods, and no `forward`."""

    def __init__(self, gives=lambda v, state: (v, state)):
        super().__init__()
        self.gives = gives

    def step(self, inputs, state=None):
        v = inputs if state is None else 0.5 * state + inputs
        return self.gives((v > 0.1).to(v), v)

    def run(self, inputs, state=None):
        record = []
        for x in inputs:
            s, state = self.step(x, state)
            record.append(s)
        return torch.stack(record), state


TAKEN = {
    "alif": lambda: ALIF(0.5, leak=0.1, adaptation=0.5, adaptation_leak=0.1),
    "cuba": lambda: CubaLIF(0.5, leak=0.1, synapse_leak=0.5),
    "li": lambda: LI(leak=0.1),
    "recurrent": lambda: Recurrent(LIF(0.5, leak=0.1), torch.nn.Identity()),
    "a reader's": Plain,
}


@pytest.mark.parametrize("name", TAKEN)
def test_it_takes_what_sequential_takes(name):
    """What comes is what the same layers give in a row; the potential, where `record` gives it."""
    torch.manual_seed(0)
    network = Network([3, 8, 2], TAKEN[name])
    inputs = torch.rand(12, 4, 3)
    outputs, v = network(inputs)
    assert torch.equal(outputs, Sequential(*network)(inputs))
    last = network.neurons[-1]
    if hasattr(last, "record"):
        hidden = Sequential(*list(network)[:-1])(inputs)
        assert torch.equal(v, last.record(hidden)[1])
    else:
        assert v is outputs


@pytest.mark.parametrize(
    ("gives", "came"),
    [
        (lambda s, _: s, "a torch.Tensor"),
        (lambda s, v: (s, v, v), r"\(torch.Tensor, torch.Tensor, torch.Tensor\)"),
        (lambda _, v: (None, v), r"\(NoneType, torch.Tensor\)"),
    ],
)
def test_a_neuron_that_returns_no_pair_is_named(gives, came):
    class Odd(Plain):
        def run(self, inputs, state=None):
            return gives(inputs, state or inputs)

    message = rf"Odd.run must return the pair \(outputs, state\), .* but {came} came"
    for network in (Network([3, 2], Odd), Network([3, 2, 2], Odd), Sequential(Odd())):
        with pytest.raises(TypeError, match=message):
            network(torch.ones(5, 1, 3))
    recurrent = Recurrent(Plain(gives), torch.nn.Identity())
    with pytest.raises(TypeError, match=rf"Plain.step must return the pair .* but {came} came"):
        recurrent.run(torch.ones(5, 1, 3))


@pytest.mark.parametrize("size", [(5, 0), (0, 5)], ids=["no samples", "no time"])
def test_of_nothing_comes_nothing(size):
    spikes, v = Network([3, 4, 2], IF)(torch.ones(*size, 3))
    assert spikes.shape == v.shape == (*size, 2)


def test_each_layer_gets_a_neuron_of_its_own():
    network = Network([4, 3, 2], lambda: IF(torch.nn.Parameter(torch.tensor(1.0))))
    names = [name for name, _ in network.named_parameters()]
    assert names == [
        "linears.0.weight", "linears.0.bias", "linears.1.weight", "linears.1.bias",
        "neurons.0.threshold", "neurons.1.threshold",
    ]  # fmt: skip


READOUTS = {
    count: sum,
    last_potential: lambda steps: steps[-1],
    max_potential: max,
    mean_potential: lambda steps: sum(steps) / len(steps),
}


@pytest.mark.parametrize("readout", READOUTS)
def test_readouts_number_by_number(readout):
    torch.manual_seed(0)
    values = torch.randn(6, 4, 3)
    got = readout(values)
    assert got.shape == (4, 3)
    for i in range(4):
        for k in range(3):
            expected = READOUTS[readout](values[:, i, k].tolist())
            assert got[i, k].item() == pytest.approx(expected, abs=1e-6)


def test_where_the_gradients_of_readouts_arrive():
    v = torch.tensor([1.0, 3.0, 2.0]).reshape(3, 1, 1).requires_grad_()
    arrived = {
        readout: torch.autograd.grad(readout(v).sum(), v)[0].flatten().tolist()
        for readout in READOUTS
    }
    third = pytest.approx([1 / 3] * 3)
    expected = {count: [1, 1, 1], last_potential: [0, 0, 1], max_potential: [0, 1, 0]}
    assert arrived == expected | {mean_potential: third}


@st.composite
def batches(draw):
    """Draw what a last layer returns, and how much of each sample is there."""
    steps, batch = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    values = torch.randn(steps, batch, 3, generator=seeded(draw(st.integers(0, 2**31))))
    lengths = draw(st.lists(st.integers(1, steps), min_size=batch, max_size=batch))
    return values.double(), torch.tensor(lengths)


NETWORKS = {
    "network": lambda: Network([3, 2], IF),
    "sequential": lambda: Sequential(torch.nn.Linear(3, 2), LIF(leak=0.1)),
}


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
class TestWhatIsNoNumber:
    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_is_told_with_its_place(self, make, value):
        inputs = torch.ones(4, 5, 3)
        inputs[1, 2, 0] = inputs[3, 0, 0] = value
        with pytest.raises(ValueError, match=rf"2 of 60 .* first {value} at \[1, 2, 0\]"):
            make()(inputs)

    def test_is_nothing_that_only_the_sum_can_not_hold(self, make):
        largest = torch.finfo(torch.float32).max
        assert len(make()(torch.full((4, 1, 3), largest / 3))) > 0


class TestLengths:
    @pytest.mark.parametrize("readout", READOUTS)
    @reproducible
    @given(drawn=batches(), padding=st.sampled_from([0.0, 7.0, math.inf, -math.inf, math.nan]))
    def test_a_sample_is_read_as_if_it_were_alone(self, readout, drawn, padding):
        values, lengths = drawn
        samples = [values[:length, i : i + 1] for i, length in enumerate(lengths.tolist())]
        for i, length in enumerate(lengths.tolist()):
            values[length:, i] = padding
        values.requires_grad_()
        got = readout(values, lengths)
        torch.testing.assert_close(got, torch.cat([readout(sample) for sample in samples]))
        (gradient,) = torch.autograd.grad(got.sum(), values)
        for i, length in enumerate(lengths.tolist()):
            alone = samples[i].clone().requires_grad_()
            (expected,) = torch.autograd.grad(readout(alone).sum(), alone)
            torch.testing.assert_close(gradient[:length, i : i + 1], expected)
            assert not gradient[length:, i].any()
