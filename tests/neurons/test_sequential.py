"""`Sequential`: layers of torch and neurons in a row, against the same layers step by step."""

import copy
import io
from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch_checks import assert_equal, parts, seeded

from snn_docs import IF, LI, LIF, Recurrent, sequential
from snn_docs.network import Network
from snn_docs.sequential import Sequential
from snn_docs.states import LIState, State
from snn_docs.surrogate import ArcTan

pytestmark = pytest.mark.usefixtures("device")


def lif():
    return LIF(0.5, leak=0.1, reset="subtract", surrogate=ArcTan())


def convolutional():
    """A network of every kind of layer, in double precision, with weights of a seed."""
    torch.manual_seed(0)
    return Sequential(
        nn.Conv2d(2, 3, 3), nn.AvgPool2d(2), lif(), nn.Flatten(),
        Sequential(nn.Linear(27, 6), IF(0.5, surrogate=ArcTan())), nn.Linear(6, 4), LI(0.25),
    ).double()  # fmt: skip


def by_hand(network, inputs):
    """Each step through all layers, before the next step."""
    conv, pool, first, flat, (linear, second), readout, integrator = network
    outputs, states = [], [None, None, None]
    for current in inputs:
        s, states[0] = first.step(pool(conv(current)), states[0])
        s, states[1] = second.step(linear(flat(s)), states[1])
        v, states[2] = integrator.step(readout(s), states[2])
        outputs.append(v)
    return torch.stack(outputs)


def outputs_and_gradients(function, network, inputs):
    outputs = function(network, inputs)
    weights = torch.linspace(-1, 2, outputs.numel(), dtype=outputs.dtype).view_as(outputs)
    loss = (outputs * weights).sum()
    return outputs, torch.autograd.grad(loss, [inputs, *network.parameters()])


@pytest.fixture
def inputs():
    drawn = torch.rand(9, 4, 2, 8, 8, dtype=torch.float64, generator=seeded()) * 4
    return drawn.requires_grad_()


@pytest.fixture(
    params=[sequential.BYTES_AT_ONCE, 4 * 3 * 6 * 6 * 8 * 2, 1], ids=["whole", "two", "one"]
)
def block(request, monkeypatch):
    """Blocks of all steps, of two steps, and of one."""
    monkeypatch.setattr(sequential, "BYTES_AT_ONCE", request.param)


class Lengths(nn.Module):
    """Notes how many steps come at once; a hook would have them all come at once."""

    def __init__(self, seen, samples):
        super().__init__()
        self.seen, self.samples = seen, samples

    def forward(self, x):
        self.seen.append(len(x) // self.samples)
        return x


class TestThroughTime:
    @pytest.mark.usefixtures("block")
    def test_it_is_its_layers_step_by_step(self, inputs):
        got = outputs_and_gradients(Sequential.forward, convolutional(), inputs)
        expected = outputs_and_gradients(by_hand, convolutional(), inputs)
        torch.testing.assert_close(got, expected)

    def test_its_blocks_are_about_as_long_as_the_widest_layer_allows(self, monkeypatch):
        """The last one is of one step, since all that the others keep is there when it ends."""
        seen = []
        network = Sequential(nn.Linear(2, 100), Lengths(seen, samples=4), IF())
        two_steps = 2 * 4 * 100 * 4  # of four samples
        monkeypatch.setattr(sequential, "BYTES_AT_ONCE", two_steps)
        network(torch.ones(9, 4, 2))
        assert seen == [3, 2, 2, 1, 1]
        network(torch.ones(2, 4, 2))
        assert seen[5:] == [2]

    def test_a_width_that_no_weights_tell_is_known_from_the_second_block_on(self, monkeypatch):
        seen = []
        layers = nn.Sequential(Lengths(seen, samples=4), nn.Conv1d(1, 2, 1), nn.Upsample(100))
        two_steps = 2 * 4 * 2 * 5 * 4  # as it is guessed
        monkeypatch.setattr(sequential, "BYTES_AT_ONCE", two_steps)
        Sequential(layers, IF())(torch.ones(9, 4, 1, 5))
        assert seen == [3, 1, 1, 1, 1, 1, 1]

    @pytest.mark.usefixtures("block")
    def test_neurons_have_the_same_bits_in_any_blocks(self):
        layers = Sequential(lif(), IF(1.5, reset="subtract"), LI(0.3))
        inputs = torch.rand(9, 3, 5, generator=seeded())
        spikes, _ = layers[0].run(inputs)
        expected, _ = layers[2].run(layers[1].run(spikes)[0])
        assert expected.any()
        assert torch.equal(layers(inputs), expected)

    @pytest.mark.usefixtures("block")
    @pytest.mark.parametrize("cut", [0, 1, 5, 9])
    def test_it_goes_on_from_a_state(self, cut, inputs):
        network = convolutional()
        first, state = network.run(inputs[:cut])
        second, last = network.run(inputs[cut:], state)
        together, expected = network.run(inputs)
        torch.testing.assert_close(torch.cat([first, second]), together)
        torch.testing.assert_close(last, expected)
        assert [type(each) for each in last] == [
            type(None), type(None), State, type(None), tuple, type(None), LIState
        ]  # fmt: skip

    def test_step_by_step(self, inputs):
        network, state, steps = convolutional(), None, []
        for current in inputs:
            outputs, state = network.step(current, state)
            steps.append(outputs)
        torch.testing.assert_close(torch.stack(steps), network(inputs))

    @pytest.mark.parametrize("shape", [(0, 4, 2, 8, 8), (3, 0, 2, 8, 8)])
    def test_no_time_and_no_samples_give_nothing(self, shape):
        outputs = convolutional()(torch.ones(shape, dtype=torch.float64))
        assert outputs.shape == (*shape[:2], 4)

    @pytest.mark.usefixtures("block")
    def test_batch_norm_in_training_sees_all_of_time(self):
        network, norm = Sequential(nn.BatchNorm1d(3), LI(0.5)), nn.BatchNorm1d(3)
        inputs = torch.rand(9, 4, 3, generator=seeded())
        expected, _ = LI(0.5).run(norm(inputs.flatten(0, 1)).view_as(inputs))
        torch.testing.assert_close(network(inputs), expected)
        assert torch.equal(network[0].running_mean, norm.running_mean)


HOOKED = {  # a network, and the names of its neurons
    "in a Sequential": (lambda: Sequential(nn.Linear(3, 5), lif(), nn.Linear(5, 2), IF()), "1 3"),
    "one Sequential in another": (lambda: Sequential(nn.Linear(3, 5), Sequential(lif())), "1.0"),
    "in a Network": (lambda: Network([3, 5, 2], lif), "neurons.0 neurons.1"),
}


@pytest.mark.parametrize("name", HOOKED)
@pytest.mark.usefixtures("block")
class TestHooks:
    def test_a_neuron_s_fires_once_with_all_of_time(self, name):
        make, names = HOOKED[name]
        torch.manual_seed(0)
        network, inputs = make(), 3 * torch.rand(9, 4, 3, generator=seeded())
        expected, seen = network(inputs), []
        for each in names.split():
            neuron = network.get_submodule(each)
            neuron.register_forward_pre_hook(lambda layer, given: seen.append((layer, given)))
            neuron.register_forward_hook(lambda *call: seen.append(call))
        outputs = network(inputs)
        torch.testing.assert_close(outputs, expected, rtol=0, atol=0)
        before, after = seen[::2], seen[1::2]
        assert [layer for layer, *_ in after] == [*map(network.get_submodule, names.split())]
        for (_, given), (layer, again, (spikes, state)) in zip(before, after, strict=True):
            assert given is again
            assert len(given[0]) == 9
            assert_equal((spikes, *parts(state)), as_run(layer, given[0]))
        last = outputs[0] if isinstance(outputs, tuple) else outputs
        assert torch.equal(after[-1][2][0], last)

    def test_it_goes_on_from_a_state_and_keeps_gradients(self, name):
        make, names = HOOKED[name]
        torch.manual_seed(0)
        network, inputs = make(), torch.rand(4, 2, 3, generator=seeded())
        neuron, seen = network.get_submodule(names.split()[0]), []
        neuron.register_forward_hook(lambda _, given, outputs: seen.append((given, outputs)))
        network(inputs)
        if not isinstance(network, Network):
            _, state = network.run(inputs)
            network.run(inputs, state)
            _, first = seen[1]
            _, before = seen[2][0]
            assert_equal(parts(before), parts(first[1]))
        (weight, *_) = network.parameters()
        seen[-1][1][0].sum().backward()  # a loss of what the hook has seen
        assert weight.grad.any()


class TestHooksOfContainers:
    @pytest.mark.usefixtures("block")
    @pytest.mark.parametrize(
        "inner",
        [lambda: Sequential(nn.Linear(3, 3), lif()), lambda: Recurrent(lif(), nn.Linear(3, 3))],
        ids=["Sequential", "Recurrent"],
    )
    def test_it_sees_once_what_a_neuron_s_would_see(self, inner):
        torch.manual_seed(0)
        layer, seen = inner(), []
        network, inputs = Sequential(layer, LI(0.1)), 3 * torch.rand(9, 4, 3, generator=seeded())
        expected, (state, _) = network.run(inputs)
        layer.register_forward_hook(lambda _, given, outputs: seen.append((given, outputs)))
        assert torch.equal(network(inputs), expected)
        [((given, before), (outputs, after))] = seen
        assert torch.equal(given, inputs)
        assert before is None
        assert torch.equal(outputs, layer.run(inputs)[0])
        torch.testing.assert_close(after, state)

    @pytest.mark.parametrize(
        ("inner", "name"),
        [
            (lif, "neuron"),
            (lambda: Sequential(lif(), LI(0.5)), "neuron"),
            (lambda: Sequential(nn.Linear(3, 3), lif()), "neuron.1"),
            (lambda: Recurrent(lif(), nn.Linear(3, 3)), "neuron.neuron"),
        ],
    )
    def test_in_a_recurrent_each_step_is_a_call(self, inner, name):
        torch.manual_seed(0)
        layer, seen = Recurrent(inner(), nn.Linear(3, 3)), []
        inputs = 3 * torch.rand(9, 4, 3, generator=seeded())
        expected, after = layer.run(inputs)
        layer.get_submodule(name).register_forward_hook(lambda *call: seen.append(call[1:]))
        outputs, state = layer.run(inputs)
        assert torch.equal(outputs, expected)
        torch.testing.assert_close(state, after)
        assert {tuple(given[0].shape) for given, _ in seen} == {(1, 4, 3)}
        assert torch.equal(torch.cat([made for _, (made, _) in seen]), expected)


def as_run(layer, inputs):
    """Run a neuron by itself: outputs, and the parts of its state."""
    outputs, state = layer.run(inputs)
    return outputs, *parts(state)


class TestAsATorchModule:
    def test_it_is_made_cut_and_named_as_torch_s(self):
        network = Sequential(OrderedDict(first=nn.Linear(3, 2), fire=IF()))
        assert isinstance(network, nn.Sequential)
        assert list(network.state_dict()) == ["first.weight", "first.bias", "fire._extra_state"]
        assert type(network[:1]) is Sequential
        network.append(LI(0.5))
        assert network(torch.ones(2, 1, 3)).shape == (2, 1, 2)

    def test_a_layer_may_come_twice(self):
        layer = nn.Linear(3, 3)
        inputs = torch.rand(2, 4, 3, generator=seeded())
        torch.testing.assert_close(Sequential(layer, layer)(inputs), layer(layer(inputs)))

    def test_it_is_saved_and_loaded(self, inputs):
        network, file = convolutional(), io.BytesIO()
        torch.save(network.state_dict(), file)
        file.seek(0)
        other = copy.deepcopy(network)
        for parameter in other.parameters():
            nn.init.zeros_(parameter)
        other.load_state_dict(torch.load(file, weights_only=True))
        assert torch.equal(other(inputs), network(inputs))


class TestDescribe:
    def test_it_says_the_shape_after_each_layer(self):
        assert convolutional().describe(2, 8, 8).splitlines() == [
            "inputs         [T, B, 2, 8, 8]",
            "0 Conv2d       [T, B, 3, 6, 6]",
            "1 AvgPool2d    [T, B, 3, 3, 3]",
            "2 LIF          [T, B, 3, 3, 3]",
            "3 Flatten      [T, B, 27]",
            "4 Sequential   [T, B, 6]",
            "5 Linear       [T, B, 4]",
            "6 LI           [T, B, 4]",
        ]

    def test_it_changes_nothing(self):
        network = Sequential(nn.BatchNorm1d(3), nn.Dropout(), IF())
        network[1].eval()
        before = copy.deepcopy(network.state_dict())
        network.describe(3)
        assert [layer.training for layer in network] == [True, False, True]
        assert all(torch.equal(before[name], each) for name, each in network.state_dict().items())


class TestErrors:
    def test_a_layer_of_several_dimensions_or_none_yet_is_let_through(self):
        network = Sequential(nn.Linear(3, 2), nn.LazyLinear(4), IF())
        assert network(torch.ones(5, 1, 7, 3)).shape == (5, 1, 7, 4)
