"""`snn_docs.nir`: networks come back bit for bit, or it says why they can't."""

import io
from itertools import pairwise

import nir
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_checks import reproducible

from snn_docs import IF, LI, LIF, PLIF, CubaLIF, Sequential
from snn_docs.conversion import convert
from snn_docs.nir import RESET, from_nir, to_nir
from snn_docs.surrogate import ArcTan, Heaviside

some = settings(reproducible, max_examples=100)
steps = st.sampled_from([1.0, 1e-3, 1e-4]) | st.floats(1e-9, 1e3)


def run(layers, inputs):
    """Run layer after layer over all of time; return the last potentials, too."""
    spikes = v = inputs
    for layer in layers:
        spikes, v = layer.record(spikes) if hasattr(layer, "record") else (layer(spikes), v)
    return spikes, v


def through_a_file(graph):
    """Write the graph as HDF5 and read it again, which sorts nodes by name."""
    file = io.BytesIO()
    nir.write(file, graph)
    return nir.read(file)


@st.composite
def constants(draw, size, dtype, low, high):
    """Draw what a threshold or a leak may be: a number, or a tensor that broadcasts."""
    shape = draw(st.sampled_from([None, (), (1,), (size,)]))
    if shape is None:
        return draw(st.floats(low, high))
    numbers = st.floats(low, high, width=32)
    values = draw(st.lists(numbers, min_size=size, max_size=size))
    tensor = torch.tensor(values, dtype=dtype).clamp(low, high)
    tensor = tensor[: shape[0]] if shape else tensor[0]
    return torch.nn.Parameter(tensor) if draw(st.booleans()) else tensor


@st.composite
def neurons(draw, size, dtype):
    threshold = draw(constants(size, dtype, -1.0, 4.0))
    if draw(st.booleans()):
        return IF(threshold, reset=RESET)
    return LIF(threshold, leak=draw(constants(size, dtype, 2.0**-60, 1.0)), reset=RESET)


@st.composite
def networks(draw):
    """Draw layers that may begin with neurons, and inputs for them."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    layers = [draw(neurons(sizes[0], dtype))] if len(sizes) == 1 or draw(st.booleans()) else []
    for inputs, outputs in pairwise(sizes):
        linear = torch.nn.Linear(inputs, outputs, bias=draw(st.booleans()), dtype=dtype)
        for parameter in linear.parameters():
            with torch.no_grad():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
        layers += [linear, draw(neurons(outputs, dtype))]
    return layers, torch.randn((5, 2, sizes[0]), generator=generator, dtype=dtype)


def constants_of(layer):
    """Return what a neuron's layer holds, as numbers of float64."""
    names = ("threshold", "leak") if isinstance(layer, LIF) else ("threshold",)
    return [torch.as_tensor(getattr(layer, name), dtype=torch.float64) for name in names]


class TestRoundTrip:
    @some
    @given(networks(), steps, st.booleans())
    def test_bit_for_bit(self, drawn, dt, in_a_file):
        layers, inputs = drawn
        graph = to_nir(layers, dt=dt, input_shape=inputs.shape[2:])
        back = from_nir(through_a_file(graph) if in_a_file else graph, dt=dt)
        assert [type(layer) for layer in back] == [type(layer) for layer in layers]
        for got, layer in zip(back, layers, strict=True):
            if isinstance(layer, torch.nn.Linear):
                assert got.state_dict().keys() == layer.state_dict().keys()
                assert all(map(torch.equal, got.parameters(), layer.parameters()))
            else:
                for constant, expected in zip(constants_of(got), constants_of(layer), strict=True):
                    assert torch.equal(*torch.broadcast_tensors(constant, expected))
        for got, expected in zip(run(back, inputs), run(layers, inputs), strict=True):
            assert got.dtype == expected.dtype
            assert torch.equal(got, expected)

    def test_more_layers_than_ten_keep_their_order(self):
        layers = [IF(float(i), reset=RESET) for i in range(12)]
        graph = through_a_file(to_nir(layers, dt=1.0, input_shape=(2,)))
        assert list(graph.nodes)[3] == "layer_10"
        assert [layer.threshold for layer in from_nir(graph, dt=1.0)] == list(range(12))

    def test_half_precision(self):
        threshold, leak = torch.tensor([[1.0, 2.0], [0.1, 1e-4]], dtype=torch.float16)
        graph = to_nir([LIF(threshold, leak=leak, reset=RESET)], dt=1e3, input_shape=(2,))
        (layer,) = from_nir(through_a_file(graph), dt=1e3)
        for got, expected in [(layer.threshold, threshold), (layer.leak, leak)]:
            assert got.dtype == torch.float16
            assert torch.equal(got, expected)

    def test_what_all_neurons_share_comes_back_as_a_number_and_the_rest_as_a_tensor(self):
        shared = LIF(torch.full((2,), 0.5), leak=torch.nn.Parameter(torch.tensor(0.25)))
        own = LIF(torch.tensor([0.5, 1.0]), leak=torch.tensor([0.25, 0.1]))
        for layer in (shared, own):
            layer.reset = RESET
        graph = to_nir([shared, own], dt=1.0, input_shape=(2,))
        shared, own = from_nir(graph, dt=1.0)
        assert (shared.threshold, shared.leak) == (0.5, 0.25)
        assert dict(own.named_buffers()).keys() == {"threshold", "leak"}  # none is learnable
        assert not list(own.parameters())
        assert own.threshold.tolist() == [0.5, 1.0]
        assert own.leak.dtype == torch.float32

    def test_what_nir_does_not_hold_is_given_again(self):
        layer = IF(reset=RESET, detach_reset=True, surrogate=ArcTan(2.0))
        graph = to_nir([layer], dt=1.0, input_shape=(1,))
        (plain,) = from_nir(graph, dt=1.0)
        assert (plain.detach_reset, plain.surrogate) == (False, Heaviside.apply)
        (given_,) = from_nir(graph, dt=1.0, detach_reset=True, surrogate=ArcTan(2.0))
        assert (given_.detach_reset, given_.surrogate) == (True, ArcTan(2.0))
        assert given_.reset == RESET

    def test_arrays_are_copies_both_ways(self):
        layers = [torch.nn.Linear(2, 2), IF(torch.tensor([1.0, 2.0]), reset=RESET)]
        graph = to_nir(layers, dt=1.0)
        back = from_nir(graph, dt=1.0)
        weight = layers[0].weight.tolist()
        with torch.no_grad():
            for tensor in (*layers[0].parameters(), layers[1].threshold):
                tensor.fill_(7)
        assert graph.nodes["layer_0"].weight.tolist() == weight
        for node in (graph.nodes["layer_0"].weight, graph.nodes["layer_1"].v_threshold):
            node.fill(8)
        assert back[0].weight.tolist() == weight
        assert back[1].threshold.tolist() == [1.0, 2.0]

    def test_reading_draws_no_random_numbers(self):
        graph = to_nir([torch.nn.Linear(2, 2)], dt=1.0)
        before = torch.get_rng_state()
        from_nir(graph, dt=1.0)
        assert torch.equal(torch.get_rng_state(), before)


class TestWhatIsWritten:
    @some
    @given(st.floats(1e-6, 1), steps)
    def test_eulers_method_on_nirs_equation_is_a_step(self, leak, dt):
        """Write it out: v + (dt / tau) (v_leak - v + r I)."""
        inputs = torch.randn((8, 3), generator=torch.Generator().manual_seed(0))
        layer = LIF(1e9, leak=leak, reset=RESET)
        node = to_nir([layer], dt=dt, input_shape=(3,)).nodes["layer_0"]
        v = np.zeros(3)
        for current, expected in zip(inputs, layer.record(inputs)[1], strict=True):
            v = v + dt / node.tau * (node.v_leak - v + node.r * current.numpy())
            np.testing.assert_allclose(v, expected, rtol=1e-5, atol=1e-5)

    def test_the_potential_after_a_spike(self):
        node = to_nir([LIF(leak=0.5, reset=RESET)], dt=1.0, input_shape=(2,)).nodes["layer_0"]
        assert getattr(node, "v_reset", None) is None or not node.v_reset.any()
        knows_v_reset = tuple(map(int, nir.version.split(".")[:3])) >= (1, 0, 6)
        assert {True: "zero", False: "subtract"}[knows_v_reset] == RESET

    @pytest.mark.parametrize("bias", [True, False])
    def test_a_linear_is_affine_if_it_has_a_bias(self, bias):
        node = to_nir([torch.nn.Linear(3, 2, bias=bias)], dt=1.0).nodes["layer_0"]
        assert type(node) is (nir.Affine if bias else nir.Linear)

    def test_metadata_survives_a_file(self):
        graph = through_a_file(to_nir([IF(reset=RESET)], dt=1e-3, input_shape=(2,)))
        assert graph.metadata == {"dt": 1e-3, "spike": "v > v_threshold"}

    def test_shapes(self):
        layers = [IF(reset=RESET), torch.nn.Linear(3, 2), LIF(leak=0.5, reset=RESET)]
        graph = to_nir(layers, dt=1.0, input_shape=(3,))
        shapes = [node.output_type["output"] for node in graph.nodes.values()]
        assert [tuple(map(int, shape)) for shape in shapes] == [(3,), (3,), (2,), (2,), (2,)]


OPTIONS = [
    {},
    {"stride": 2, "padding": (1, 0), "bias": False},
    {"dilation": 2},
    {"padding": "same"},
    pytest.param(
        {"kernel_size": 2, "padding": "same"},
        marks=[
            pytest.mark.skipif(RESET == "subtract", reason="nir before 1.0.6 can't read it"),
            pytest.mark.filterwarnings("ignore:Using padding='same'"),  # torch copies the input
        ],
    ),
]


class TestConvolutions:
    @pytest.mark.parametrize(("padding", "written"), [("same", [4, 2]), ("valid", [0, 0])])
    def test_words_for_padding_are_written_as_the_numbers_that_every_library_reads(
        self, padding, written
    ):
        conv = torch.nn.Conv2d(1, 1, 3, padding=padding, dilation=(4, 2))
        node = to_nir([conv], dt=1.0, input_shape=(1, 9, 9)).nodes["layer_0"]
        assert np.array_equal(node.padding, written)

    @pytest.mark.parametrize("options", OPTIONS)
    @pytest.mark.parametrize("in_a_file", [False, True])
    def test_a_network_comes_back_bit_for_bit(self, options, in_a_file):
        torch.manual_seed(0)
        conv = torch.nn.Conv2d(2, 4, **{"kernel_size": 3} | options)
        first = LIF(0.25, leak=torch.rand(4, 1, 1), reset=RESET)
        features = [conv, first, torch.nn.AvgPool2d(2), torch.nn.Flatten()]
        inputs = torch.rand(5, 3, 2, 9, 8)
        size = Sequential(*features)(inputs).shape[2]
        network = Sequential(*features, Sequential(torch.nn.Linear(size, 3), LI(0.125)))
        graph = to_nir(network, dt=1e-3, input_shape=(2, 9, 8))
        back = Sequential(*from_nir(through_a_file(graph) if in_a_file else graph, dt=1e-3))
        assert network[1].run(network[0](inputs.flatten(0, 1))[None])[0].any()
        assert torch.equal(back(inputs), network(inputs))
        assert [type(layer).__name__ for layer in back] == [
            "Conv2d", "LIF", "AvgPool2d", "Flatten", "Linear", "LI"
        ]  # fmt: skip
        shapes = [tuple(map(int, node.output_type["output"])) for node in graph.nodes.values()]
        assert shapes[0] == (2, 9, 8)
        assert shapes[1] == shapes[2] == network[0](inputs[0]).shape[1:]
        assert shapes[4:] == [(size,), (3,), (3,), (3,)]

    def test_a_convolution_has_a_bias_in_nir(self):
        conv = torch.nn.Conv2d(1, 2, 3, bias=False)
        (got,) = from_nir(to_nir([conv], dt=1.0, input_shape=(1, 4, 4)), dt=1.0)
        assert got.bias.tolist() == [0.0, 0.0]

    def test_sums_and_means_of_a_pool(self):
        layers = [torch.nn.AvgPool2d(2, 1, 1), torch.nn.AvgPool2d(2, divisor_override=1)]
        graph = to_nir(layers, dt=1.0, input_shape=(1, 4, 4))
        assert [type(graph.nodes[f"layer_{i}"]) for i in range(2)] == [nir.AvgPool2d, nir.SumPool2d]
        inputs = torch.rand(1, 1, 4, 4)
        for got, layer in zip(from_nir(through_a_file(graph), dt=1.0), layers, strict=True):
            assert torch.equal(got(inputs), layer(inputs))

    @pytest.mark.parametrize("dims", [(1, -1), (1, 2), (2, 3), (-2, -1)])
    def test_dimensions_are_counted_from_the_last_with_the_batch_and_without(self, dims):
        layer = torch.nn.Flatten(*dims)
        graph = to_nir([layer], dt=1.0, input_shape=(2, 3, 4))
        node = graph.nodes["layer_0"]
        assert [node.start_dim, node.end_dim] == [dim if dim < 0 else dim - 4 for dim in dims]
        inputs = torch.rand(5, 2, 3, 4)
        (got,) = from_nir(through_a_file(graph), dt=1.0)
        assert got(inputs).shape == layer(inputs).shape
        assert tuple(map(int, node.output_type["output"])) == layer(inputs).shape[1:]

    def test_dimensions_counted_from_the_first_have_no_batch_before_them(self):
        flatten = nir.Flatten({"input": np.array([2, 3, 4])}, 0, -1)
        (got,) = from_nir(nir.NIRGraph.from_list(flatten), dt=1.0)
        assert got(torch.rand(5, 2, 3, 4)).shape == (5, 24)


class TestIntegrators:
    @some
    @given(st.sampled_from([0.0, 1.0]) | st.floats(2.0**-60, 1), steps)
    def test_bit_for_bit(self, leak, dt):
        graph = to_nir([LI(leak)], dt=dt, input_shape=(2,))
        assert type(graph.nodes["layer_0"]) is (nir.LI if leak else nir.I)
        (layer,) = from_nir(graph, dt=dt)
        assert layer.leak == leak

    def test_a_tensor_of_leaks(self):
        leak = torch.tensor([0.1, 0.3])
        graph = to_nir(Sequential(LI(leak)), dt=1.0, input_shape=(2,))
        (layer,) = from_nir(through_a_file(graph), dt=1.0)
        assert torch.equal(layer.leak, leak)

    def test_of_others(self):
        ones = constant(1.0)
        (layer,) = from_nir(chain(nir.LI(tau=4 * ones, r=4 * ones, v_leak=0 * ones)), dt=1.0)
        assert repr(layer) == "LI(leak=0.25)"


class TestCurrents:
    @some
    @given(st.floats(2.0**-60, 1), st.floats(2.0**-60, 1), steps, st.booleans())
    def test_bit_for_bit(self, leak, synapse_leak, dt, in_a_file):
        layer = CubaLIF(0.5, leak=leak, synapse_leak=synapse_leak, reset=RESET)
        graph = to_nir([layer], dt=dt, input_shape=(2,))
        (got,) = from_nir(through_a_file(graph) if in_a_file else graph, dt=dt)
        assert repr(got) == repr(layer)

    def test_of_others(self):
        ones = constant(1.0)
        taus = {"tau_syn": 2 * ones, "tau_mem": 4 * ones, "r": 4 * ones}
        node = nir.CubaLIF(**taus, v_leak=0 * ones, v_threshold=ones, w_in=2 * ones)
        (layer,) = from_nir(chain(node), dt=1.0)
        assert (layer.leak, layer.synapse_leak) == (0.25, 0.5)

    def test_a_learnt_leak_is_written_as_it_is(self):
        layer = PLIF(0.5, leak=torch.tensor([0.1, 0.3]), reset=RESET)
        (got,) = from_nir(to_nir([layer], dt=1e-3, input_shape=(2,)), dt=1e-3)
        inputs = torch.rand(9, 4, 2, generator=torch.Generator().manual_seed(0))
        assert type(got) is LIF
        assert all(map(torch.equal, got.record(inputs), layer.record(inputs)))


def chain(*nodes):
    return nir.NIRGraph.from_list(*nodes)


def constant(value, shape=(2,)):
    return np.full(shape, value, dtype=np.float32)


def neuron_node(kind, shape=(2,), **values):
    """Make a node, with a reset potential if this nir knows one."""
    values |= {"v_reset": 0.0} if RESET == "zero" else {}
    return kind(**{name: constant(value, shape) for name, value in values.items()})


def if_node(shape=(2,), r=1.0, v_threshold=1.0):
    return neuron_node(nir.IF, shape, r=r, v_threshold=v_threshold)


def lif_node(tau=2.0, r=2.0, v_leak=0.0, v_threshold=1.0):
    return neuron_node(nir.LIF, tau=tau, r=r, v_leak=v_leak, v_threshold=v_threshold)


class TestGraphsOfOthers:
    def test_a_tau_rounded_below_dt_is_a_leak_of_1(self):
        (layer,) = from_nir(chain(lif_node(tau=1e-4, r=1.0)), dt=1e-4)
        assert float(np.float32(1e-4)) < 1e-4
        assert layer.leak == 1

    def test_taus_that_differ_are_leaks_of_their_dtype(self):
        node = lif_node()
        node.tau = node.r = np.array([2.0, 3.0], dtype=np.float32)
        (layer,) = from_nir(chain(node), dt=1.0)
        assert torch.equal(layer.leak, torch.tensor([1 / 2, 1 / 3]))

    def test_a_leak_that_was_recorded_counts_while_tau_is_still_its_own(self):
        graph = to_nir([LIF(leak=0.1, reset=RESET)], dt=1.0, input_shape=(2,))
        node = graph.nodes["layer_0"]
        node.metadata["leak"] = np.nextafter(node.metadata["leak"], 0)
        (layer,) = from_nir(graph, dt=1.0)
        assert layer.leak == np.nextafter(0.1, 0)  # its tau is the same, after rounding
        node.tau = node.r = 2 * node.tau
        (layer,) = from_nir(graph, dt=1.0)
        assert layer.leak == 0.05

    def test_integers_and_tensors_are_read(self):
        node = if_node()
        node.r, node.v_threshold = np.ones(2, dtype=int), torch.tensor([1, 2])
        (layer,) = from_nir(chain(node), dt=1.0)
        assert torch.equal(layer.threshold, torch.tensor([1.0, 2.0]))

    def test_an_empty_chain_has_no_layers(self):
        graph = to_nir([IF(reset=RESET)], dt=1.0, input_shape=(2,))
        del graph.nodes["layer_0"]
        graph.edges = [("input", "output")]
        assert from_nir(graph, dt=1.0) == []


class TestRefusalsToWrite:
    def test_a_converted_network_needs_a_nir_that_subtracts(self):
        layers = torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)
        network = convert(torch.nn.Sequential(*layers), torch.rand(8, 3))
        if RESET == "subtract":
            assert [type(layer) for layer in from_nir(to_nir(network, dt=1.0), dt=1.0)] == [
                torch.nn.Linear, IF, torch.nn.Linear,
            ]  # fmt: skip
            return
        with pytest.raises(ValueError, match=r"layer 1 has .* install nir==1\.0\.4 .*convert"):
            to_nir(network, dt=1.0)
