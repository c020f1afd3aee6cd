"""`count_operations`: against loops over every connection."""

import pytest
import torch
from torch import nn
from torch_checks import seeded

from snn_docs import ALIF, IF, LI, LIF, Recurrent, Sequential
from snn_docs.costs import count_operations
from snn_docs.network import Network

pytestmark = pytest.mark.usefixtures("device")


def sparse(*shape):
    """Numbers of which half are 0."""
    drawn = torch.rand(shape, generator=seeded())
    return drawn * (drawn > 0.5)


def connections(layer, inputs):
    """Count by the gradient: of a layer whose weights are 1, it is the number of outputs."""
    for parameter in layer.parameters():
        nn.init.ones_(parameter)
    leaf = torch.ones_like(inputs, requires_grad=True)
    (fan_out,) = torch.autograd.grad(layer(leaf).sum(), leaf)
    return int(fan_out.sum()), int(fan_out[inputs != 0].sum())


class TestProducts:
    @pytest.mark.parametrize(
        ("layer", "shape"),
        [
            (nn.Linear(5, 3), (4, 5)),
            (nn.Conv1d(2, 3, 3, stride=2), (4, 2, 9)),
            (nn.Conv2d(2, 4, 3, padding=1), (4, 2, 6, 5)),
            (nn.Conv2d(4, 6, 3, groups=2, dilation=2, bias=False), (2, 4, 8, 8)),
            (nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular"), (2, 1, 5, 5)),
            (nn.ConvTranspose2d(2, 3, 3, stride=2), (2, 2, 4, 4)),
        ],
        ids=lambda given: str(given)[:40],
    )
    def test_each_connection_is_counted_once(self, layer, shape):
        inputs = sparse(*shape)
        (cost,) = count_operations(layer, inputs)
        assert (cost.dense, cost.nonzero) == connections(layer, inputs)
        assert 0 < cost.nonzero < cost.dense

    def test_a_spike_costs_its_connections(self):
        """Of an LIF's spikes, each goes to 10 neurons: synaptic operations."""
        network = Network([8, 20, 10], lambda: LIF(leak=0.1))
        inputs = 4 * sparse(6, 3, 8)
        first, hidden, second, last = count_operations(network, inputs)
        spikes, _ = network.neurons[0].run(network.linears[0](inputs))
        assert hidden.active == int(spikes.sum()) > 0
        assert second.nonzero == 10 * hidden.active
        assert (second.dense, first.dense) == (6 * 3 * 20 * 10, 6 * 3 * 8 * 20)
        assert hidden.rate == pytest.approx(spikes.mean().item())
        assert last.active == int(network(inputs)[0].sum())

    def test_a_relu_network_skips_its_zeros_as_well(self):
        network = nn.Sequential(nn.Linear(4, 50), nn.ReLU(), nn.Linear(50, 2))
        inputs = sparse(3, 4)
        _, relu, second = count_operations(network, inputs)
        assert relu.active == int((network[:2](inputs) > 0).sum())
        assert second.nonzero == 2 * relu.active < second.dense


class TestRuns:
    def test_layers_are_named_in_order_and_blocks_of_time_add_up(self, monkeypatch):
        network = Sequential(nn.Conv2d(1, 2, 3), IF(), nn.Flatten(), Sequential(nn.Linear(8, 2)))
        inputs = sparse(6, 2, 1, 4, 4)
        whole = count_operations(network, inputs)
        assert [(cost.name, cost.layer) for cost in whole] == [
            ("0", "Conv2d"), ("1", "IF"), ("2", "Flatten"), ("3.0", "Linear"),
        ]  # fmt: skip
        monkeypatch.setattr("snn_docs.sequential.BYTES_AT_ONCE", 1)
        assert count_operations(network, inputs) == whole

    def test_a_neuron_in_several_places_says_where(self):
        neuron = IF()
        network = Sequential(nn.Linear(4, 3), neuron, nn.Linear(3, 2), neuron)
        names = {cost.name: cost.outputs for cost in count_operations(network, sparse(5, 1, 4))}
        assert names == {"0": 15, "1, 3": 25, "2": 10}

    def test_what_goes_back_costs_too(self):
        adaptive = ALIF(leak=0.1, adaptation=0.5, adaptation_leak=0.1)
        network = Sequential(Recurrent(adaptive, nn.Linear(5, 5)), LI(0.1))
        inputs = 2 * sparse(7, 3, 5)
        back, neuron, integrator = count_operations(network, inputs)
        assert (back.name, neuron.name) == ("0.layer", "0.neuron")
        assert back.dense == 7 * 3 * 25
        last = network[0].run(inputs)[0][-1]
        assert back.nonzero == 5 * (neuron.active - int(last.sum()))  # which goes nowhere
        assert integrator.outputs == 7 * 3 * 5

    def test_nothing_is_left_behind(self):
        network = Sequential(nn.BatchNorm1d(3), nn.Dropout(), nn.Linear(3, 2), IF())
        network[1].eval()
        before = {name: value.clone() for name, value in network.state_dict().items()}
        count_operations(network, sparse(4, 2, 3))
        with pytest.raises(ValueError, match=r"layer \d, Linear.* takes"):
            count_operations(network[2:], sparse(4, 2, 5))
        assert [layer.training for layer in network] == [True, False, True, True]
        after = network.state_dict()
        assert all(torch.equal(after[name], value) for name, value in before.items())
        assert not any(vars(layer)["_forward_hooks"] for layer in network)

    def test_it_goes_on_from_a_state(self):
        network, inputs = Sequential(nn.Linear(4, 3), IF(), nn.Linear(3, 2)), 3 * sparse(8, 2, 4)
        _, state = network.run(inputs[:3])
        first = count_operations(network, inputs[:3])
        rest = count_operations(network, inputs[3:], state)
        for whole, *parts in zip(count_operations(network, inputs), first, rest, strict=True):
            assert whole[2:] == tuple(map(sum, zip(*(part[2:] for part in parts), strict=True)))

    def test_an_empty_layer_has_no_rate(self):
        (cost,) = count_operations(Sequential(IF()), torch.ones(0, 2, 3))
        assert (cost.outputs, cost.rate) == (0, 0.0)
