"""Wrong calls that used to end deep inside torch, or in silence: what came, what to do."""

from functools import partial
from inspect import Parameter, signature

import nir
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from snn_docs import (
    ALIF,
    IF,
    LI,
    LIF,
    PLIF,
    CubaLIF,
    Heaviside,
    Sequential,
    chip,
    data,
    encoding,
    functional,
    plot,
)
from snn_docs.conversion import convert
from snn_docs.costs import count_operations
from snn_docs.delays import Delayed
from snn_docs.evaluation import interval
from snn_docs.fitting import measure
from snn_docs.network import Network, count
from snn_docs.nir import RESET, from_nir, to_nir
from snn_docs.surrogate import ArcTan, Surrogate

INPUTS = torch.ones(4, 3)
STATE = (torch.zeros(3), torch.zeros(3))
ARTICLE = (torch.zeros(3), torch.ones(3), torch.zeros(3))


@pytest.mark.parametrize(
    "call",
    [
        lambda layer: layer.run(INPUTS),
        lambda layer: layer.step(INPUTS[0], STATE),
        lambda layer: layer(*ARTICLE),
    ],
    ids=["run", "step", "the article's call"],
)
@pytest.mark.parametrize(
    ("surrogate", "error", "words"),
    [
        (
            lambda x: (x > 0).to(x.dtype).sum(),
            ValueError,
            r"surrogate must return one spike for each potential, \(3,\), but \(\) came",
        ),
        (
            lambda x: (x > 0).double(),
            TypeError,
            r"the dtype it is given, torch\.float32, but torch\.float64 came; end it with \.to\(x",
        ),
        (lambda x: x > 0, TypeError, r"it is given, torch\.float32, but torch\.bool came"),
        (lambda _: None, TypeError, r"it is given, torch\.float32, but a NoneType came"),
    ],
)
def test_a_surrogate_that_gives_no_spike_for_each_potential(call, surrogate, error, words):
    with pytest.raises(error, match=words):
        call(IF(surrogate=surrogate))


@pytest.mark.parametrize("narrow", [lambda x: x[:2], torch.sum])
@pytest.mark.parametrize(
    "call", [lambda layer, x: layer.run(x)[0], lambda layer, x: layer(x, x, x)]
)
def test_a_derivative_that_gives_no_number_for_each_potential(narrow, call):
    class Narrow(Surrogate):
        def smooth(self, input_):
            return input_

        def derivative(self, input_):
            return narrow(input_)

    inputs = INPUTS.clone().requires_grad_()
    spikes = call(IF(surrogate=Narrow()), inputs)
    with pytest.raises(ValueError, match=r"derivative must return one number .*, \(4, 3\), but"):
        spikes.sum().backward()


@pytest.mark.parametrize(
    ("call", "came"),
    [
        (lambda: LIF(15), r"LIF\(15\)"),
        (lambda: LIF(tau=15), r"LIF\(tau=15\)"),
        (lambda: LIF(torch.ones(3), reset="subtract"), r"LIF\(torch\.Tensor, reset='subtract'\)"),
        (lambda: LIF(1.0, 0.1), r"LIF\(1\.0, 0\.1\)"),
        (lambda: Network([3, 2], LIF), r"LIF\(\)"),
    ],
)
def test_a_time_constant_in_the_place_of_a_leak(call, came):
    with pytest.raises(TypeError, match=rf"its leak by name, but {came} came; .*leak=dt / tau\)"):
        call()


@pytest.mark.parametrize(
    ("call", "missing", "came", "instead"),
    [
        (
            lambda: ALIF(15),
            "leak, adaptation, adaptation_leak",
            "ALIF(15)",
            "ALIF(leak=dt / tau, adaptation=0.5, adaptation_leak=dt / tau_a)",
        ),
        (
            lambda: ALIF(leak=0.1, adaptation_leak=0.1),
            "adaptation",
            "ALIF(leak=0.1, adaptation_leak=0.1)",
            "ALIF(leak=dt / tau, adaptation=0.5, adaptation_leak=dt / tau_a)",
        ),
        (
            CubaLIF,
            "leak, synapse_leak",
            "CubaLIF()",
            "CubaLIF(leak=dt / tau, synapse_leak=dt / tau_i)",
        ),
        (
            lambda: CubaLIF(leak=0.1),
            "synapse_leak",
            "CubaLIF(leak=0.1)",
            "CubaLIF(leak=dt / tau, synapse_leak=dt / tau_i)",
        ),
        (LI, "leak", "LI()", "LI(leak=dt / tau)"),
        (lambda: LI(tau=15), "leak", "LI(tau=15)", "LI(leak=dt / tau)"),
    ],
)
def test_what_the_other_neurons_need(call, missing, came, instead):
    with pytest.raises(TypeError) as caught:
        call()
    told = str(caught.value)
    assert f" needs its {missing} by name, but {came} came; a leak is " in told
    in_steps = instead.replace("dt", "1")
    assert told.endswith(f"give {instead}, for tau in steps {in_steps}")


@pytest.mark.parametrize("neuron", [LI, LIF, ALIF, CubaLIF])
def test_who_asks_for_a_leak_keeps_its_signature(neuron):
    assert signature(neuron).parameters["leak"].default is Parameter.empty


NEURONS = [
    IF(),
    LIF(leak=0.1),
    LI(0.1),
    PLIF(),
    ALIF(leak=0.1, adaptation=1.0, adaptation_leak=0.1),
    CubaLIF(leak=0.1, synapse_leak=0.1),
]
each_neuron = pytest.mark.parametrize("neuron", NEURONS, ids=lambda neuron: type(neuron).__name__)


@each_neuron
def test_a_neuron_after_a_neuron_in_a_sequential_of_torch(neuron):
    network = torch.nn.Sequential(torch.nn.Linear(3, 3), IF(), neuron)
    with pytest.raises(TypeError, match=r"but a tuple came; .* take snn_docs\.Sequential"):
        network(INPUTS)
    assert Sequential(*network)(INPUTS[:, None]).shape == (4, 1, 3)


class TestStateFirst:
    """As neurons were called once, and as the article calls its own."""

    @each_neuron
    def test_a_step_says_how_it_is_written(self, neuron):
        with pytest.raises(TypeError) as caught:
            neuron.step(*ARTICLE)
        name = type(neuron).__name__
        extra = {"ALIF": ", a", "CubaLIF": ", i"}.get(name, "")
        state = "(v,)" if name == "LI" else f"(spikes, v{extra})"
        assert str(caught.value) == (
            f"{name} takes the inputs first, then the state in one piece, but 3 arguments came; "
            f"write layer.step(inputs, {state}) for a step, and layer.run for all of time"
        )

    @pytest.mark.parametrize("neuron", NEURONS[1:], ids=lambda neuron: type(neuron).__name__)
    def test_the_article_s_call_is_of_if_alone(self, neuron):
        with pytest.raises(
            TypeError, match=r"inputs first, .* 3 arguments came; write layer\.step"
        ):
            neuron(*ARTICLE)

    @pytest.mark.parametrize("call", [LIF(leak=0.1).step, LIF(leak=0.1), LIF(leak=0.1).run, IF()])
    def test_a_state_in_pieces(self, call):
        with pytest.raises(
            TypeError,
            match=r"a tuple of tensors, \(spikes, v\), but a torch\.Tensor came; inputs come",
        ):
            call(INPUTS, INPUTS[0])


def test_autocast_may_give_a_network_another_dtype():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        spikes, _ = Network([3, 2], IF)(torch.ones(4, 5, 3).bfloat16())
    assert spikes.dtype == torch.bfloat16


class TestNir:
    def test_a_layer_alone(self):
        with pytest.raises(
            TypeError, match=r"layers must be layers in a row, but a .*IF came; give"
        ):
            to_nir(IF(), dt=1.0)

    def test_a_network_is_layers_in_a_row(self):
        network = Network([3, 4, 2], partial(LIF, leak=0.25, reset=RESET))
        inputs = torch.rand(8, 5, 3, generator=torch.Generator().manual_seed(0)) * 4
        spikes = inputs
        layers = from_nir(to_nir(network, dt=1.0), dt=1.0)
        for linear, neuron in zip(layers[::2], layers[1::2], strict=True):
            spikes, _ = neuron.run(linear(spikes))
        assert torch.equal(spikes, network(inputs)[0])
        assert [type(layer) for layer in network] == [torch.nn.Linear, LIF] * 2

    @pytest.mark.parametrize("dt", [None, "1", True, torch.tensor(1.0)])
    @pytest.mark.parametrize("function", [to_nir, from_nir])
    def test_a_step_that_is_no_number(self, function, dt):
        with pytest.raises(TypeError, match=r"dt must be a number, but a .* came; give a float"):
            function([], dt=dt)


class TestCurves:
    @pytest.mark.parametrize(
        ("records", "came"), [([1], "int"), (1, "int"), (None, "NoneType"), ({"epoch": 1}, "dict")]
    )
    def test_what_holds_no_records(self, records, came):
        with pytest.raises(
            TypeError, match=f"records must be a list of dictionaries, but a {came}"
        ):
            plot.learning_curve(Figure().subplots(), records)

    def test_a_record_of_words(self):
        records = [{"epoch": 1, "test_accuracy": "high"}]
        with pytest.raises(
            TypeError, match="test_accuracy of record 0 must be a number, but a str"
        ):
            plot.learning_curve(Figure().subplots(), records)

    def test_numbers_of_torch_are_numbers(self):
        records = [{"epoch": 1, "test_accuracy": torch.tensor(0.5)}]
        (line,) = plot.learning_curve(Figure().subplots(), records)
        assert line.get_ydata().tolist() == [0.5]

    def test_a_quantity_that_is_no_word(self):
        with pytest.raises(ValueError, match=r"quantity must be one of .*, but \[\] came"):
            plot.learning_curve(Figure().subplots(), [], [])


TAKES_TENSORS = {
    "run": IF().run,
    "step": lambda x: IF().step(x, (x, x)),
    "the article's call": lambda x: IF()(x, x, x),
    "threshold": IF,
    "leak": lambda x: LIF(leak=x),
    "Heaviside": Heaviside.apply,
    "ArcTan": ArcTan(),
    "rate": lambda x: encoding.rate(x, 3),
    "latency": lambda x: encoding.latency(x, 3),
    "delta": lambda x: encoding.delta(x, 0.1),
    "direct": lambda x: encoding.direct(x, 3),
    "network": Network([3, 2], IF),
    "count": count,
    "raster": lambda x: plot.raster(Figure().subplots(), x),
    "potential": lambda x: plot.potential(Figure().subplots(), x),
}


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
@pytest.mark.filterwarnings("ignore:.*nested tensors is in prototype stage")
class TestLayouts:
    @pytest.mark.parametrize("name", TAKES_TENSORS)
    @pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
    def test_sparse(self, name, layout):
        words = rf"\w+ must be a dense tensor, but one of layout {layout} came; .*\.to_dense\(\)"
        with pytest.raises(TypeError, match=words):
            TAKES_TENSORS[name](INPUTS.to_sparse(layout=layout))

    @pytest.mark.parametrize("name", TAKES_TENSORS)
    @pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
    def test_nested(self, name, layout):
        rows = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=layout)
        words = (
            r"whose rows are equally long, but a nested one came; pad it with .*to_padded_tensor"
        )
        with pytest.raises(TypeError, match=words):
            TAKES_TENSORS[name](rows)


class Odd:
    """An object that is nothing in particular."""

    def __repr__(self):
        return "Odd()"


ODD = [
    None, True, -1, 0, 5, 2**31, 2**63, 10**60, -(10**5000), 0.5, -0.5, 2.5, float("nan"),
    float("inf"), 1j, "x", "", b"x", [], [1.0], (), {}, Odd(), Odd, len, np.ones(3), np.float32(2),
    torch.ones(()), torch.ones(2), torch.ones(0), torch.ones(2, 3), torch.ones(2, 3, 4, 5),
    torch.ones(2, dtype=torch.int64), torch.ones(2, dtype=torch.bool), torch.full((2,), torch.nan),
    torch.ones(2, dtype=torch.complex64), torch.ones(2).to(torch.float8_e5m2), torch.nn.ReLU(),
    torch.ones(2).to_sparse(), Figure(), IF(), [torch.nn.Linear(2, 2)], torch.Generator(),
]  # fmt: skip
"""What a call may be given by mistake."""
MATRIX = np.ones((2, 3), np.float32)


def axes():
    return Figure().subplots()


def graph_of(node):
    """A graph that is read as soon as it is made."""
    return from_nir(nir.NIRGraph.from_list(node, type_check=False), dt=1.0)


def flattening(x):
    return nir.Flatten({"input": np.array([2, 3])}, x, -1)


def leaking(x):
    return nir.LIF(*np.ones((2, 2)), np.zeros(2), np.ones(2), metadata={"leak": x})


CALLS = {
    "IF": IF,
    "IF reset": lambda x: IF(reset=x),
    "IF detach_reset": lambda x: IF(detach_reset=x),
    "IF surrogate": lambda x: IF(surrogate=x),
    "IF.run": lambda x: IF().run(x),
    "IF.run state": lambda x: IF().run(INPUTS, x),
    "IF.run threshold": lambda x: IF(x).run(INPUTS),
    "LIF leak": lambda x: LIF(leak=x).run(INPUTS),
    "LIF.step": lambda x: LIF(leak=0.1).step(x, STATE),
    "LIF.record": lambda x: LIF(leak=0.1).record(x),
    "PLIF": lambda x: PLIF(leak=x),
    "LI": lambda x: LI(leak=x).run(INPUTS),
    "CubaLIF": lambda x: CubaLIF(leak=0.1, synapse_leak=x).run(INPUTS),
    "ALIF": lambda x: ALIF(leak=0.1, adaptation=x, adaptation_leak=0.1).run(INPUTS),
    "ArcTan": ArcTan,
    "ArcTan call": ArcTan(),
    "step": lambda x: functional.step(x, x, x),
    "record": lambda x: functional.record(INPUTS, None, x),
    "direct": lambda x: encoding.direct(x, 3),
    "direct steps": lambda x: encoding.direct(INPUTS, x),
    "latency steps": lambda x: encoding.latency(INPUTS, x),
    "rate": lambda x: encoding.rate(x, 3),
    "rate generator": lambda x: encoding.rate(INPUTS, 3, generator=x),
    "delta": lambda x: encoding.delta(INPUTS, x),
    "count": count,
    "Network": lambda x: Network(x, IF),
    "Network neuron": lambda x: Network([2, 3], x),
    "Sequential": Sequential,
    "Delayed": lambda x: Delayed(2, 3, x),
    "Delayed run": lambda x: Delayed(3, 2, 4).run(INPUTS[None], x),
    "digits validation": lambda x: data.digits(validation=x),
    "interval": lambda x: interval(x, 5),
    "measure": lambda x: measure(x, [(INPUTS, torch.zeros(4).long())]),
    "measure batches": lambda x: measure(torch.nn.Linear(3, 2), [x]),
    "raster": lambda x: plot.raster(axes(), x),
    "raster ax": lambda x: plot.raster(x, torch.eye(2)),
    "potential": lambda x: plot.potential(axes(), x),
    "potential ax": lambda x: plot.potential(x, INPUTS),
    "potential threshold": lambda x: plot.potential(axes(), INPUTS, x),
    "tuning_curve ax": lambda x: plot.tuning_curve(x, INPUTS[0], INPUTS[0]),
    "learning_curve": lambda x: plot.learning_curve(axes(), x),
    "to_nir": lambda x: to_nir(x, dt=1.0),
    "to_nir dt": lambda x: to_nir([], dt=x),
    "from_nir": lambda x: from_nir(x, dt=1.0),
    "leak in a graph": lambda x: graph_of(leaking(x)),
    "convert": lambda x: convert(x, INPUTS),
    "convert inputs": lambda x: convert(torch.nn.Sequential(torch.nn.Linear(3, 2)), x),
    "chip rules": lambda x: chip.check([IF(reset=RESET)], (3,), x),
    "chip bits": lambda x: chip.integers([torch.nn.Linear(2, 2)], x),
    "count_operations": lambda x: count_operations(x, INPUTS),
}
PASSING = TypeError, ValueError
"""What a wrong call may raise; anything else is an accident in the depths."""


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore")
def test_whatever_comes_a_call_works_or_says_what_is_wrong(name):
    for odd in ODD:
        try:
            CALLS[name](odd)
        except PASSING:
            continue
        except Exception as error:
            raise AssertionError(f"{name} given {str(odd)[:40]} raised {error!r}") from error


def test_numbers_that_torch_does_not_hold():
    with pytest.raises(
        ValueError, match=r"threshold must be less than 2\*\*63 .* of 200 bits came"
    ):
        IF(10**60)
    with pytest.raises(ValueError, match=r"steps must be less than 2\*\*31"):
        encoding.direct(INPUTS, 2**31)


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (nir.Affine(MATRIX, np.ones(5)), r"a bias of shape \(5,\) for 2 outputs"),
        (nir.Linear(MATRIX > 0), "must hold real numbers, but bool came"),
        (nir.Linear(MATRIX.astype(str)), "must hold real numbers, but <U"),
    ],
)
def test_nodes_that_no_layer_is_made_of(node, words):
    with pytest.raises(PASSING, match=words):
        graph_of(node)


def test_a_node_that_flattens_dimensions_that_are_not_there():
    node = flattening(0)
    node.start_dim = 5
    with pytest.raises(ValueError, match="can't take"):
        graph_of(node)


def test_a_threshold_that_the_dtype_rounds_to_infinity():
    never = IF(1e300)
    assert torch.equal(never.run(INPUTS)[0][0], never.step(INPUTS[0], STATE)[0])
