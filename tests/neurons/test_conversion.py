"""`convert`: against the loop by hand, against the rates' formula, and what it refuses."""

import copy
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import fusion
from torch.nn.utils.parametrizations import weight_norm
from torch_checks import reproducible, seeded

from snn_docs import IF, LI, LIF, Sequential, encoding
from snn_docs.conversion import Stairs, convert, halfway

pytestmark = pytest.mark.usefixtures("device")


def dense(*sizes, seed=0):
    torch.manual_seed(seed)
    layers = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*layers[:-1]).double()


def convolutional():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Dropout(0.9),
        nn.Sequential(nn.Conv2d(4, 6, 2, padding=1), nn.ReLU()), nn.AdaptiveAvgPool2d(2),
        nn.Flatten(), nn.Linear(24, 8, bias=False), nn.ReLU(), nn.Linear(8, 3),
    ).double()  # fmt: skip


def drawn(*shape, seed=0):
    return torch.rand(shape, generator=seeded(seed), dtype=torch.float64)


def by_hand(network, x, steps, start=0.5):
    """Keep the weights, and pass thresholds on instead of ones; the mean over time."""
    layers = [layer for layer in network.modules() if not any(layer.children())]
    thresholds, activation = {}, x
    for layer in layers:
        activation = activation if isinstance(layer, nn.Dropout) else layer(activation)
        if isinstance(layer, nn.ReLU):
            thresholds[layer] = activation.max()
    v, total = {layer: start * theta for layer, theta in thresholds.items()}, 0.0
    for _ in range(steps):
        current = x
        for layer in layers:
            if isinstance(layer, nn.ReLU):
                v[layer] = v[layer] + current
                current = thresholds[layer] * (v[layer] > thresholds[layer])
                v[layer] = v[layer] - current
            elif not isinstance(layer, nn.Dropout):
                current = layer(current)
        total = total + current
    return total / steps


def spiking_mean(network, x, steps, **options):
    spiking = convert(network, x, **options)
    return spiking.run(encoding.direct(x, steps), halfway(spiking))[0].mean(0)


class TestItIsTheNetwork:
    @pytest.mark.parametrize("steps", [1, 7])
    @pytest.mark.parametrize(
        ("network", "x"),
        [(dense(5, 9, 7, 3), drawn(6, 5)), (convolutional(), drawn(6, 1, 8, 8))],
        ids=["dense", "convolutional"],
    )
    def test_step_by_step_by_hand(self, network, x, steps):
        expected = by_hand(network, x, steps)
        torch.testing.assert_close(spiking_mean(network, x, steps, percentile=100), expected)

    @reproducible
    @given(st.integers(0, 2**31), st.integers(1, 40), st.integers(1, 6))
    def test_one_layer_is_wrong_by_half_a_spike_at_most(self, seed, steps, hidden):
        network, x = dense(3, hidden, 2, seed=seed), drawn(5, 3, seed=seed)
        theta = network[:2](x).max()
        if theta == 0:
            return
        most = network[2].weight.abs().sum(1) * theta / (2 * steps)
        error = (spiking_mean(network, x, steps, percentile=100) - network(x)).abs()
        assert (error <= most + 1e-12).all()

    @reproducible
    @given(st.integers(0, 2**31), st.integers(-8, 8), st.sampled_from([95.0, 99.0, 100.0]))
    def test_what_weights_are_multiplied_with_and_divided_by_changes_no_bit(
        self, seed, power, percentile
    ):
        network, x = dense(3, 8, 8, 2, seed=seed), drawn(5, 3, seed=seed)
        with torch.no_grad():
            network[0].bias += 0.5  # some fire
            network[2].bias += 0.5
        other = copy.deepcopy(network)
        with torch.no_grad():
            other[0].weight *= 2.0**power
            other[0].bias *= 2.0**power
            other[2].weight /= 2.0**power
        first, second = (
            spiking_mean(each, x, 5, percentile=percentile) for each in (network, other)
        )
        assert torch.equal(first, second)

    @reproducible
    @given(st.integers(0, 2**31), st.floats(50, 100, exclude_min=True))
    def test_a_percentage_of_the_activations_stays_below_the_threshold(self, seed, percentile):
        network, x = dense(3, 20, 2, seed=seed), drawn(50, 3, seed=seed)
        with torch.no_grad():
            network[0].bias += 1.0
        threshold = convert(network, x, percentile=percentile)[1].threshold
        activations = network[:2](x)
        below, up_to = (activations < threshold).sum(), (activations <= threshold).sum()
        assert below - 1e-6 <= percentile / 100 * activations.numel() <= up_to + 1e-6


class TestWhatComesOut:
    def test_a_row_of_layers(self):
        network = convolutional()
        spiking = convert(network, drawn(6, 1, 8, 8))
        assert [type(layer).__name__ for layer in spiking] == [
            "Conv2d", "IF", "AvgPool2d", "Conv2d", "IF", "AdaptiveAvgPool2d", "Flatten",
            "Linear", "IF", "Linear",
        ]  # fmt: skip
        assert all(layer.reset == "subtract" for layer in spiking if isinstance(layer, IF))
        assert type(spiking) is Sequential

    def test_the_network_stays_as_it_was(self):
        network, x = convolutional(), drawn(6, 1, 8, 8)
        before = copy.deepcopy(network.state_dict())
        spiking = convert(network, x)
        with torch.no_grad():
            spiking[0].weight.zero_()
        after = network.state_dict()
        assert all(torch.equal(after[name], value) for name, value in before.items())
        assert all(layer.training for layer in network.modules())

    def test_inputs_stay_as_they_were(self):
        x = drawn(6, 5) - 0.5
        before = x.clone()
        convert(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(5, 2).double()), x)
        assert torch.equal(x, before)

    def test_two_relus_in_a_row(self):
        network = dense(5, 9, 3)
        twice = nn.Sequential(network[0], nn.ReLU(), nn.AvgPool1d(3), nn.ReLU(), nn.Linear(3, 2))
        x = drawn(6, 5)
        error = spiking_mean(twice.double(), x, 2000, percentile=100) - twice(x)
        assert error.abs().max() < 0.01

    def test_weights_that_are_computed(self):
        network, x = dense(5, 9, 3), drawn(6, 5)
        expected = spiking_mean(network, x, 6)
        network[2] = weight_norm(network[2])
        outputs = network(x)
        torch.testing.assert_close(spiking_mean(network, x, 6), expected)
        torch.testing.assert_close(spiking_mean(network, x, 6), expected)
        assert torch.equal(network(x), outputs)

    def test_it_is_saved_and_loaded(self):
        network, x = dense(5, 9, 3), drawn(6, 5)
        first, second = convert(network, x), convert(network, x)
        for parameter in second.parameters():
            nn.init.zeros_(parameter)
        second.load_state_dict(first.state_dict())
        assert torch.equal(second(x[None]), first(x[None]))


class TestHalfway:
    def test_each_neuron_is_halfway(self):
        inner = Sequential(LIF(3.0, leak=0.1), nn.Identity())
        network = Sequential(nn.Linear(2, 2), IF(2.0), inner, LI(0.1))
        linear, neuron, (leaky, none), integrator = halfway(network)
        assert (linear, none, integrator) == (None, None, None)
        assert [part.item() for part in (*neuron, *leaky)] == [0.0, 1.0, 0.0, 1.5]
        outputs, _ = network.run(torch.ones(3, 4, 2), halfway(network))
        assert outputs.shape == (3, 4, 2)

    def test_thresholds_may_be_tensors(self):
        state = halfway(Sequential(IF(torch.tensor([1.0, 3.0]))))
        assert state[0][1].tolist() == [0.5, 1.5]

    def test_its_dtype_is_that_of_the_weights(self):
        assert halfway(convert(dense(5, 9, 3), drawn(6, 5)))[1][1].dtype == torch.float64


class TestStairs:
    @pytest.mark.parametrize("levels", [1, 3, 4])
    def test_it_is_how_often_a_neuron_fires_that_begins_at_half(self, levels):
        stairs = Stairs(levels)
        stairs.height.data.fill_(1.5)
        x = torch.linspace(-1, 3, 400)
        neurons = Sequential(IF(1.5, reset="subtract"))
        spikes, _ = neurons.run(encoding.direct(x[None], levels), halfway(neurons))
        differing = (stairs(x) != 1.5 * spikes[:, 0].mean(0)).float().mean()
        assert differing < 0.01  # potentials at the threshold, to a rounding

    def test_without_levels_it_is_a_ramp(self):
        assert Stairs(0)(torch.tensor([-1.0, 0.3, 2.0])).tolist() == pytest.approx([0, 0.3, 1])
        assert repr(Stairs(0)) == "Stairs(levels=0)"

    def test_gradients_are_those_of_the_ramp(self):
        stairs, ramp = Stairs(4), Stairs(0)
        for layer in stairs, ramp:
            layer.height.data.fill_(2.0)
            x = torch.linspace(-1, 3, 41, requires_grad=True)
            layer(x).sum().backward()
            layer.found = x.grad
        assert stairs.found.equal(ramp.found)


class TestErrors:
    def test_what_is_said_of_norms_can_be_followed(self):
        torch.manual_seed(0)
        conv, norm, x = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), torch.rand(9, 1, 6, 6)
        norm(conv(x))
        rest = nn.ReLU(), nn.Flatten(), nn.Linear(64, 2)
        network = nn.Sequential(conv, norm, *rest).eval()
        with pytest.raises(TypeError, match=r"torch\.nn\.utils\.fusion\.fuse_conv_bn_eval and"):
            convert(network, x)
        fused = nn.Sequential(fusion.fuse_conv_bn_eval(conv, norm), *rest)
        assert (spiking_mean(fused, x, 500, percentile=100) - network(x)).abs().max() < 0.02
