"""`chip`: which rule each network breaks, and what whole numbers leave as it was."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch_checks import seeded

from snn_docs import IF, LIF, Sequential, chip
from snn_docs.network import Network

nir = pytest.importorskip("nir")
from snn_docs.nir import RESET  # noqa: E402 - needs nir

IMAGE = (1, 8, 8)


def neuron(**kwargs):
    return IF(reset=RESET, **kwargs)


def conv(*sizes, **kwargs):
    """A convolution of weights that are whole already."""
    layer = nn.Conv2d(*sizes, bias=False, **kwargs)
    layer.weight.data.round_()
    return layer


def total(*sizes):
    return nn.AvgPool2d(*sizes, divisor_override=1)


def good(*, biased=False):
    """What a chip takes, but for its weights, which are real."""
    torch.manual_seed(0)
    return Sequential(
        nn.Conv2d(1, 12, 3, bias=False), neuron(), total(2), nn.Conv2d(12, 32, 3, bias=biased),
        neuron(), nn.Flatten(), nn.Linear(32, 10, bias=False), neuron(),
    )  # fmt: skip


def told(network, shape=IMAGE, **rules):
    """The broken rules, each with its layer."""
    found = chip.check(network, shape, replace(chip.SPECK, **rules))
    return [(one.layer, one.rule) for one in found]


class TestCheck:
    def test_a_network_that_keeps_all_rules(self):
        assert chip.check(chip.integers(good()), IMAGE) == []
        assert repr(chip.check(chip.integers(good()), IMAGE)) == "[]"

    def test_an_ordinary_network_breaks_ten(self):
        leaky = LIF(leak=0.1, reset=RESET)
        network = [nn.Conv2d(1, 12, 3), nn.AvgPool2d(2), leaky, nn.Conv2d(12, 32, 3), leaky,
                   nn.Flatten(), nn.Linear(32, 10), leaky]  # fmt: skip
        assert told(network) == [
            ("1", "プール"), ("2", "ニューロン"), ("4", "ニューロン"), ("7", "ニューロン"),
            ("0", "重み"), ("0", "バイアスの時刻"), ("3", "重み"), ("3", "バイアスの時刻"),
            ("6", "重み"), ("6", "バイアスの時刻"),
        ]  # fmt: skip

    def test_a_bias_is_added_at_each_step_or_at_none(self):
        """Whole numbers are not enough on a chip that adds biases by a clock of its own."""
        whole = chip.integers(good(biased=True))
        assert told(whole) == [("3", "バイアスの時刻")]
        assert told(whole, bias_each_step=True) == []
        assert told(good(biased=True), bias_each_step=True)[2] == ("3", "バイアス")
        whole[3].bias.data.zero_()
        assert told(whole) == []

    @pytest.mark.parametrize(
        ("layers", "shape", "rules"),
        [
            ([conv(1, 4, 3), total(2), neuron()], IMAGE, [("0→1", "並び"), ("1→2", "並び")]),
            ([neuron(), conv(1, 4, 3), neuron()], IMAGE, [("input→0", "並び")]),
            ([conv(1, 1, 17), neuron()], (1, 20, 20), [("0", "カーネル")]),
            ([conv(1, 1, 3, stride=3), neuron()], IMAGE, [("0", "歩幅")]),
            ([conv(1, 1, 3, padding=8), neuron()], IMAGE, [("0", "足す幅")]),
            ([conv(1, 1, 3, dilation=2), neuron()], IMAGE, [("0", "間隔と組")]),
            ([conv(1, 1025, 8), neuron()], IMAGE, [("0", "チャネル"), ("0", "メモリ")]),
            ([conv(1, 1, 3, stride=4), neuron()], (1, 129, 129), [("0", "入力の縦横")]),
            ([conv(1, 1, 3), neuron()], (1, 128, 128), [("0", "出力の縦横")]),
            ([conv(1, 17, 3, stride=2), neuron()], (1, 128, 128), [("0", "メモリ")]),
            ([conv(1, 16, 3, stride=2), neuron()], (1, 128, 128), []),
            ([conv(1, 1, 3), neuron(threshold=0.5)], IMAGE, [("1", "閾値")]),
            ([conv(1, 1, 3), neuron(threshold=2.0**15)], IMAGE, [("1", "閾値")]),
            ([conv(1, 1, 3), neuron(threshold=-1.0)], IMAGE, [("1", "閾値")]),
        ],
    )
    def test_each_rule_is_named_with_its_layer(self, layers, shape, rules):
        assert told(layers, shape) == rules

    @pytest.mark.parametrize("size", [(3,), (2, 1), (2, 2, 1)])
    def test_a_pool_is_as_wide_as_its_stride(self, size):
        layers = [conv(1, 1, 3), neuron(), total(*size), conv(1, 1, 2), neuron()]
        assert told(layers) == [("2", "プールの形")]

    def test_nine_layers_fit_nine_cores_if_small_ones_move(self):
        row = [conv(1, 1, 1), neuron()]
        assert told(9 * row) == []
        assert told(10 * row) == [("18", "メモリ")]
        small, large = [conv(1, 2, 1), neuron()], [conv(2, 2, 3, padding=1), neuron()]
        two = (100, 1000, 1000), (10, 1000, 1000)
        assert told(small + large, cores=two) == []
        assert told(small + large + large, cores=two) == [("4", "メモリ")]

    def test_a_layer_behind_flatten_is_a_square_kernel_over_the_whole_picture(self):
        layers = [nn.Flatten(), nn.Linear(12, 2, bias=False), neuron()]
        layers[1].weight.data.zero_()
        assert told(layers, (1, 3, 4)) == [("1", "カーネルの形")]
        assert told(layers, (12, 1, 1)) == []
        assert told(layers, (12,)) == [("input", "入力の形")]

    def test_what_to_do_about_a_vector_of_inputs(self):
        """It says to begin with Flatten, without which the shape that it asks for does not fit."""
        layers = [nn.Linear(12, 2, bias=False), neuron()]
        layers[0].weight.data.zero_()
        (found,) = chip.check(layers, (12,))
        assert found.fix == "画像でなければ(数, 1, 1)とし、Flattenで始める"
        assert chip.check([nn.Flatten(), *layers], (12, 1, 1)) == []

    def test_a_bias_too_large_is_mended_by_top(self):
        layers = Sequential(nn.Flatten(), nn.Linear(12, 2), neuron())
        layers[1].weight.data.fill_(0.5)
        layers[1].bias.data.fill_(2.0)
        rules = replace(chip.SPECK, bias_each_step=True)
        (found,) = chip.check(chip.integers(layers), (12, 1, 1), rules)
        assert found[1:4] == ("バイアス", "508から508", "8ビットの整数")
        assert found.fix.endswith("大きすぎれば、topを上げる")
        assert chip.check(chip.integers(layers, top=5), (12, 1, 1), rules) == []

    def test_a_shape_that_is_missing_is_asked_for(self):
        for ask in chip.check, chip.drawing:
            with pytest.raises(ValueError, match="it takes; give the shape of the input"):
                ask(good())

    def test_rules_are_data(self):
        network = chip.integers(good())
        assert told(network, fan_in=107) == [("3", "入力の線")]
        assert told(network, fan_in=108) == []
        assert told(chip.integers(good(), 7), weight_bits=7) == []
        assert {layer for layer, _ in told(network, weight_bits=7)} == {"0", "3", "6"}
        leaky = [conv(1, 1, 3), LIF(leak=0.5, reset=RESET)]
        assert told(leaky, neurons=["LIF"]) == []
        bare = chip.Rules("いくらでも")
        assert chip.check([conv(1, 1, 17), neuron()], (1, 200, 200), bare) == []

    def test_a_graph_that_was_read_tells_its_nodes(self, tmp_path):
        graph = chip.drawing(chip.integers(good()), IMAGE)
        nir.write(tmp_path / "chip.nir", graph)
        read = nir.read(tmp_path / "chip.nir")
        assert chip.check(read) == []
        read.nodes["layer_1"].r *= 2
        read.nodes["layer_4"].v_threshold[0] += 1
        read.edges += [("layer_4", "layer_3"), ("layer_4", "layer_0")]
        read.edges.remove(("layer_7", "output"))
        found = {(one.layer, one.rule) for one in chip.check(read)}
        assert found == {
            ("layer_1", "倍率"), ("layer_4", "閾値"), ("layer_4", "送り先"),
            ("layer_7", "つながり"), ("output", "つながり"),
            ("layer_0, layer_1, layer_2, layer_3, layer_4", "輪"),
        }  # fmt: skip

    def test_a_node_without_shape_or_kind(self):
        graph = chip.drawing([conv(1, 1, 3), neuron()], IMAGE)
        graph.nodes["layer_0"].output_type = {"output": None}
        with pytest.raises(ValueError, match=r"'layer_0' .* call graph.infer_types"):
            chip.check(graph)
        graph = chip.drawing([nn.Linear(2, 2)])
        graph.nodes["layer_0"] = nir.Scale(torch.ones(2).numpy())
        found = chip.check(graph)
        assert ("layer_0", "部品") in {(one.layer, one.rule) for one in found}

    def test_the_table_has_a_line_for_each_rule(self):
        table = repr(
            chip.check([nn.Conv2d(1, 1, 3), neuron(), nn.Conv2d(1, 1, 3), neuron()], IMAGE)
        )
        head, weights, biases = table.splitlines()
        assert head.split() == ["規則", "層", "来たもの", "載るもの", "直し方"]
        assert weights.split()[:3] == ["重み", "0,", "2"]
        assert biases.split()[:3] == ["バイアスの時刻", "0,", "2"]


class TestIntegers:
    def test_weights_biases_and_thresholds_are_scaled_alike(self):
        network, whole = good(biased=True), chip.integers(good(biased=True))
        for at, fires in [(0, 1), (3, 4), (6, 7)]:
            n = whole[fires].threshold
            assert n == round(127 / network[at].weight.abs().max().item())
            torch.testing.assert_close(whole[at].weight, (n * network[at].weight).round())
        n = whole[4].threshold
        torch.testing.assert_close(whole[3].bias, (n * network[3].bias).round())

    def test_spikes_differ_only_where_a_weight_was_rounded(self):
        """Weights that are parts of 127 lose nothing."""
        network = Sequential(nn.Linear(20, 30, bias=False), neuron(threshold=2.0))
        drawn = torch.randint(-127, 128, (30, 20), generator=seeded()).float()
        drawn[0, 0] = 127
        network[0].weight.data = drawn / 64
        whole = chip.integers(network)
        assert whole[1].threshold == 128
        inputs = (torch.rand(8, 5, 20, generator=seeded(1)) < 0.5).float()
        assert whole(inputs).equal(network(inputs))
        assert 0 < network(inputs).mean() < 1

    def test_the_network_stays_as_it_was_and_its_kind(self):
        network = Network([4, 3, 2], neuron)
        before = [weight.clone() for weight in network.parameters()]
        whole = chip.integers(network, 4)
        assert type(whole) is Network
        assert all(map(torch.equal, before, network.parameters()))
        assert all(linear.weight.abs().max() <= 7 for linear in whole.linears)

    def test_thresholds_of_each_neuron_and_of_no_layer(self):
        spread = Sequential(nn.Linear(1, 2, bias=False), IF(torch.tensor([1.0, 0.3])), IF(1.4))
        spread[0].weight.data = torch.tensor([[0.5], [0.1]])
        first, last = (layer.threshold for layer in [*chip.integers(spread)][1:])
        assert first.tolist() == [254.0, 76.0]
        assert last == 1.0

    def test_a_layer_of_zeros_stays_one(self):
        network = Sequential(conv(1, 1, 3), neuron())
        network[0].weight.data.zero_()
        assert chip.integers(network)[0].weight.eq(0).all()
        assert chip.check(chip.integers(network), IMAGE) == []

    def test_gradients_go_straight_through(self):
        weight = torch.tensor([0.9, -0.33, 0.12], requires_grad=True)
        values, n = chip.whole(weight, bits=3, top=0.5)
        assert values.tolist() == [3.0, -2.0, 1.0]
        (values / n).sum().backward()
        assert weight.grad.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.skipif(RESET == "subtract", reason="this nir has no reset potential")
def test_a_reset_to_another_potential():
    graph = chip.drawing([conv(1, 1, 3), neuron()], IMAGE)
    graph.nodes["layer_1"].v_reset -= 1
    assert [(one.rule, one.came) for one in chip.check(graph)] == [("リセット", "-1へ")]
