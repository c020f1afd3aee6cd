"""Wrong calls: one table of what is refused, and in which words; and calls with whatever comes."""

import math
from functools import partial

import nir
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from snn_docs import (
    ALIF,
    IF,
    LI,
    LIF,
    PLIF,
    CubaLIF,
    Heaviside,
    Recurrent,
    Sequential,
    chip,
    data,
    encoding,
    functional,
    plot,
)
from snn_docs.conversion import Stairs, convert, halfway
from snn_docs.costs import count_operations
from snn_docs.delays import Delayed
from snn_docs.diagnosis import diagnose
from snn_docs.evaluation import cross_validate, interval
from snn_docs.fitting import measure, minimize
from snn_docs.network import Network, count
from snn_docs.nir import RESET, from_nir, to_nir
from snn_docs.surrogate import ArcTan, Surrogate

INPUTS, STATE = torch.ones(4, 3), (torch.zeros(3), torch.zeros(3))
ONE, ZEROS, META = torch.ones(3), torch.zeros(3), torch.ones(3, device="meta")
ARTICLE = (ZEROS, ONE, ZEROS)
LABELS = torch.zeros(4, dtype=torch.int64)
IMAGE = (2, 4, 4)
MATRIX = np.ones((2, 3), np.float32)
OTHER_RESET = {"zero": "subtract", "subtract": "zero"}[RESET]


def axes():
    return Figure().subplots()


def nested():
    return torch.nested.nested_tensor([ONE, ONE[:2]], layout=torch.jagged)


def graph_of(node, dt=1.0):
    """A graph that is read as soon as it is made."""
    return from_nir(nir.NIRGraph.from_list(node, type_check=False), dt=dt)


def lif_node(**other):
    reset = {"v_reset": np.zeros(2)} if RESET == "zero" else {}
    rest = {"tau": 2.0, "r": 2.0, "v_leak": 0.0, "v_threshold": 1.0} | other
    return nir.LIF(**{name: np.full(2, value) for name, value in rest.items()}, **reset)


def cuba_node(**other):
    rest = {"tau_syn": 2.0, "tau_mem": 4.0, "r": 4.0, "w_in": 2.0} | other
    numbers = rest | {"v_leak": 0.0, "v_threshold": 1.0}
    return nir.CubaLIF(**{name: np.full(2, value) for name, value in numbers.items()})


def graph_with(edges):
    """Two nodes between an input and an output, in whatever order."""
    graph = nir.NIRGraph.from_list(lif_node(), lif_node())
    graph.nodes = dict(zip(("input", "a", "b", "output"), graph.nodes.values(), strict=True))
    graph.edges = [tuple(edge.split("-")) for edge in edges.split()]
    return from_nir(graph, dt=1.0)


def written(layer, shape=IMAGE):
    return to_nir([layer], dt=1.0, input_shape=shape)


def converted(*layers, inputs=None, percentile=99.9):
    inputs = torch.rand(3, 5) if inputs is None else inputs
    return convert(nn.Sequential(*layers), inputs, percentile=percentile)


def dense(middle=None):
    return nn.Linear(5, 4), middle or nn.ReLU(), nn.Linear(4, 2)


def learnt(**changed):
    usual = {"loss": sum, "parameters": [nn.Parameter(ONE)], "samples": 4, "epochs": 1}
    return minimize(**usual | changed)


def lost(loss):
    """Learn from a loss of one weight."""
    weight = torch.ones((), requires_grad=True)
    return minimize(lambda _: loss(weight), [weight], 4, epochs=1)


def measured(*batch, network=None):
    return measure(network or nn.Linear(3, 2), [batch])


def diagnosed(network=None, inputs=INPUTS[:, None], labels=LABELS[:1], **other):
    return diagnose(network or Sequential(nn.Linear(3, 2), IF()), inputs, labels, **other)


def validated(answers=ONE, **options):
    part = [(k, k % 2) for k in range(6)]
    return cross_validate(lambda _: lambda _: answers, part, **options)


def stepped(layer):
    """A class whose ``run`` is to be named."""
    layer.run = lambda *_: ONE
    return Sequential(layer)


def curve(records, *quantity):
    return plot.learning_curve(axes(), records, *quantity)


def idle():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.neuron = IF()

        def forward(self, inputs):
            return self.neuron.run(inputs)[0]

    return Idle()


adapting = partial(ALIF, leak=0.1, adaptation=0.5, adaptation_leak=0.1)
cuba = partial(CubaLIF, leak=0.1, synapse_leak=0.1)
spiking = partial(Sequential, nn.Linear(3, 2), IF())


CALLED = IF.run, IF.step, lambda layer, x: layer(x, x, x)
CODES = encoding.rate, encoding.latency, encoding.direct


WRONG_KINDS = {
    "tensors": [
        (lambda: IF().run([1.0]), "inputs must be .*a list came; convert with torch.as_tensor"),
        (lambda: IF().run(ONE.int()),
         r"torch.int32 of shape \(3,\) came; convert with inputs.float"),
        (lambda: IF().run(ONE + 1j), "torch.complex64 .* convert with inputs.real"),
        (lambda: IF().run(ONE.to(torch.float8_e5m2)), "16 bits or more, but torch.float8"),
        (lambda: IF().run(INPUTS.to_sparse()), r"must be a dense .*inputs.to_dense\(\)"),
        (lambda: IF().run(nested()), "equally long, but a nested .*to_padded_tensor"),
        (lambda: plot.raster(axes(), INPUTS.to_sparse()), "spikes must be a dense"),
        (lambda: plot.raster(axes(), nested()), "whose rows are equally long"),
        (lambda: IF().run((ONE, ONE)), r"a tuple came; .*inputs\[0\].* take snn_docs.Sequential"),
        (lambda: count((ONE, ONE)), r"a tuple came; give the one .* for example spikes\[0\]$"),
        (lambda: Heaviside.apply(0.5), "input_ must be .* a float came"),
        (lambda: ArcTan()(torch.tensor([1])), "input_ must be .* convert with input_.float"),
        (lambda: IF()(ZEROS, None, ZEROS), "vt must be .* a NoneType came"),
        (lambda: IF()(ZEROS.double(), ONE, ZEROS),
         "^v_previous and vt must .*float64 and torch.float32 came; convert v_previous with"),
        (lambda: IF(ONE.double())(*ARTICLE), "threshold and vt .* convert the layer with"),
        (lambda: functional.step(ZEROS.double(), ONE, ZEROS), "v_previous and inputs must"),
    ],
    "states": [
        (lambda: IF().run(INPUTS, ZEROS),
         r"tensors, \(spikes, v\), but a torch.Tensor came; inputs"),
        (lambda: IF().run(INPUTS[:0], (ZEROS,)), r"\(spikes, v\), but one of 1 came"),
        (lambda: IF().run(INPUTS, (ZEROS, None)), "state.v must be a floating-point tensor"),
        (lambda: IF().run(INPUTS, (ZEROS, ZEROS.double())), r"state.v and inputs\[0\] must"),
        (lambda: adapting().run(INPUTS, STATE), r"\(spikes, v, a\), but one of 2 came"),
        (lambda: cuba().run(INPUTS, STATE), r"\(spikes, v, i\), but one of 2 came"),
        (lambda: LI(0.5).run(INPUTS, STATE), r"tensors, \(v,\), but one of 2 came"),
        (lambda: LI(0.5).step(ONE, (ONE.half(),)), "state.v and inputs must have the same"),
        (lambda: LIF(leak=0.1).run(INPUTS, ONE), "but a torch.Tensor came; inputs come first"),
        (lambda: IF()(INPUTS, ONE), "but a torch.Tensor came; inputs come first"),
        (lambda: IF().step(*ARTICLE),
         r"^IF takes the inputs first, .* 3 arguments came; .*layer.step\(inputs, \(spikes, v\)\)"),
        (lambda: LI(0.1).step(*ARTICLE), r"layer.step\(inputs, \(v,\)\)"),
        (lambda: adapting().step(*ARTICLE), r"layer.step\(inputs, \(spikes, v, a\)\)"),
        (lambda: cuba().step(*ARTICLE), r"layer.step\(inputs, \(spikes, v, i\)\)"),
        (lambda: LIF(leak=0.1)(*ARTICLE), "^LIF takes the inputs first, .* 3 arguments came"),
        (lambda: PLIF()(*ARTICLE), "^PLIF takes the inputs first"),
    ],
    "constants": [
        (lambda: IF("1"), r"threshold must be .* a str came; give a float, or .*torch.tensor\(thr"),
        (lambda: IF(threshold=True), "threshold must be a number .* a bool came"),
        (lambda: IF(torch.tensor(1)), "torch.int64 .* threshold.float"),
        (lambda: IF(detach_reset=1), "detach_reset must be True or False, but 1 came"),
        (lambda: IF(surrogate=None), "surrogate must be a function.*Heaviside.apply"),
        (lambda: IF(surrogate=ArcTan), r"surrogate must be a function.*ArcTan\(\)"),
        (lambda: functional.step(*ARTICLE, leak=None), "leak must be a number or a floating"),
        (lambda: adapting(adaptation=None), "adaptation must be a number or a floating-point"),
        (lambda: PLIF(leak="1"), "leak must be a number or a floating-point tensor"),
        (lambda: LIF(15),
         r"^LIF: missing .*'leak'; .* LIF\(leak=dt / tau\), for tau in steps LIF\(leak=1 / tau\)$"),
        (lambda: Network([3, 2], LIF), r"LIF\(leak=dt / tau\)"),
        (LI, r"^LI: missing .*'leak'; .*LI\(leak=dt / tau\)"),
        (lambda: ALIF(15), r"ALIF\(leak=dt / tau, adaptation=0.5, adaptation_leak=dt / tau_a\)"),
        (lambda: CubaLIF(leak=0.1), r"'synapse_leak'; .*leak=1 / tau, synapse_leak=1 / tau_i\)$"),
    ],
    "surrogates": [
        *[
            (partial(call, IF(surrogate=wrong), INPUTS), words)
            for call in CALLED
            for wrong, words in (
                (lambda x: (x > 0).double(),
                 r"dtype it is given, torch.float32, but torch.float64 came; end it with .to\(x"),
                (lambda _: None, "a NoneType"),
            )
        ],
        (lambda: ArcTan("1"), "slope must be a number, but a str came; give a float"),
        (lambda: ArcTan(slope=True), "slope must be a number, but a bool came"),
        (lambda: Heaviside(ONE), r"call Heaviside.apply\(input_\)"),
        (Surrogate, "abstract"),
    ],
    "encoding": [
        *[(partial(code, ONE, 3.0), "steps must be an int, but a float") for code in CODES],
        (lambda: encoding.rate([1.0], 3), "values must be a floating-point tensor"),
        (lambda: encoding.direct(ONE, steps=True), "steps must be an int, but a bool"),
        (lambda: encoding.rate(ONE, 3, generator=0),
         r"an? int came; make one with torch.Generator"),
        (lambda: encoding.delta(ONE, ONE[0]), "threshold must be a number, but a torch.Tensor"),
        (lambda: encoding.delta(ONE.int(), 1.0), "convert with signal.float"),
    ],
    "networks": [
        (lambda: Network([4.0, 2], IF), r"sizes\[0\] must be an int, but a float came"),
        (lambda: Network(nn.Linear(3, 2), IF), "Linear came; .* layers into a snn_docs.Sequential"),
        (lambda: Network([4, 2], IF()), r"function that makes a layer, but a .*IF came.*leak=0.1"),
        (lambda: Network([4, 2], None), "neuron must be a function .*, but a NoneType came"),
        (lambda: Network([4, 2], nn.ReLU), "what neuron returns .*ReLU without step and run came"),
        (lambda: Network([3, 2], IF)(INPUTS[None].double()),
         "weights, torch.float32, but .*float64"),
        (lambda: spiking()(INPUTS[None].double()), "weights, torch.float32, but .*float64 came"),
        (lambda: Recurrent(IF(), nn.Linear(3, 3)).run(INPUTS[None].double()),
         "dtype of the weights"),
        (lambda: Sequential(IF(), IF()).run(INPUTS, ONE), "the states of 2 layers, but a torch.T"),
        (lambda: Sequential(IF(), IF()).run(INPUTS, (None,)), "one of 1 came; .* or None to start"),
        (lambda: Sequential(nn.GRU(3, 2))(INPUTS[None]), "one tensor, but a tuple came; wrap the"),
        (lambda: spiking().describe((1, 8, 8)), r"size\[0\] must be an int, but a tuple came"),
        (lambda: Sequential(nn.Linear(3, 2), LIF), "layer 1 .* the class LIF came; make a layer"),
        (lambda: Sequential([IF()]),
         r"layer 0 must be .*, but list came; .*Sequential\(\*layers\)"),
        (lambda: Sequential().append(IF), "layer 0 must be .*, but the class IF came"),
        (lambda: Recurrent(nn.Linear(3, 3), IF()), "neuron must be .* without step and run came"),
        (lambda: Recurrent(LIF, nn.Linear(3, 3)), "neuron must be a layer .*, but a type came"),
        (lambda: Recurrent(IF(), IF()), "layer must be a layer of torch, .* but a .*IF came; give"),
        (lambda: Recurrent(IF(), nn.Identity()).run(INPUTS, ONE),
         "outputs and the state of the ne"),
        (lambda: Recurrent(IF(), nn.Identity()).run([1.0]), "inputs must be a floating-point"),
        (lambda: stepped(IF())(INPUTS),
         r"IF.run must return the pair \(outputs, state\), a tensor and"),
    ],
    "readouts": [
        (lambda: count(torch.ones(2, 4, 3).long()), "spikes must be a floating-point tensor"),
        (lambda: count(INPUTS[:, None], [1]),
         "torch.int64, but a list came; convert with torch.as"),
        (lambda: count(INPUTS[:, None], ONE), "whole numbers, torch.int64, but torch.float32 came"),
    ],
    "delays": [
        (lambda: Delayed(5, 4, 8.0), "longest must be an int"),
        (lambda: Delayed(5, 4, 8, weight="1"), "weight must be a number"),
        (lambda: Delayed(3, 2, 8)(INPUTS[None].int()), "inputs must be a floating-point"),
        (lambda: Delayed(3, 2, 8)(INPUTS[None].half()), "dtype of the weights"),
        (lambda: Delayed(3, 2, 8).step(INPUTS, 0), "state must be a floating-point"),
    ],
    "conversion": [
        (lambda: converted(*dense(nn.BatchNorm1d(4))),
         r"layer 1, BatchNorm1d\(4.* fold it .*fuse_conv_bn_eval"),
        (lambda: converted(*dense(nn.MaxPool1d(2))),
         "the largest of .*AvgPool2d, or with a stride"),
        (lambda: converted(*dense(nn.Tanh())), r"Tanh\(\), .* only a ReLU's is a rate; train with"),
        (lambda: converted(*dense(IF())), r"layer 1, IF\(threshold=1.0\), can't be converted"),
        (lambda: converted(*dense(nn.Sequential(nn.GELU()))), "layer 1.0, GELU"),
        (lambda: convert([nn.ReLU()], INPUTS),
         "must be a torch.nn.Sequential, but a list came; put"),
        (lambda: converted(*dense(), inputs=[1.0]), "inputs must be a floating-point tensor"),
        (lambda: converted(*dense(), percentile="9"), "percentile must be a number"),
        (lambda: halfway(nn.Sequential(IF())),
         "network must be a snn_docs.Sequential, but a .*give what"),
        (lambda: Stairs(2)(torch.arange(3)), "x must be a floating-point tensor"),
        (lambda: count_operations([IF()], INPUTS),
         "network must be a torch.nn.Module, but a list ca"),
        (lambda: count_operations(nn.Linear(3, 2), INPUTS, (None,)),
         "run that takes a state, but a"),
    ],
    "learning": [
        (lambda: learnt(loss=ONE), "loss must be a function .*, but a torch.Tensor"),
        (lambda: learnt(parameters=ONE), "in a row, but a torch.Tensor came; give"),
        (lambda: learnt(parameters=nn.Linear(2, 2)), "in a row, but a torch.*Linear came"),
        (lambda: learnt(parameters=[{}]), "in a row, but a dict came"),
        (lambda: learnt(epochs=1.0), "epochs must be an int, but a float came"),
        (lambda: lost(lambda weight: weight.item()), "floating-point tensor, but a float came"),
        (lambda: lost(lambda weight: weight.long()), "tensor, but torch.int64 came; return"),
        (lambda: measured(INPUTS), "inputs first and labels last"),
        (lambda: measure(nn.Linear(3, 2), [ONE]), r"a torch.Tensor of \[\] came"),
        (lambda: measured(INPUTS, [0] * 4), r"of \['torch.Tensor', 'list'\] came"),
        (lambda: measured(INPUTS, torch.ones(4)), r"convert with labels.long\(\)"),
        (lambda: measured(INPUTS, LABELS, network=IF()),
         "one tensor, but a tuple came; read the last"),
        (lambda: measure(nn.Linear, []), "network must be a torch.nn.Module, but a type came"),
        (lambda: interval(0.5, 1), "right must be an int"),
        (lambda: diagnosed(3), "network must be a torch.nn.Module, but a int came"),
        (lambda: diagnosed(labels=[1]), "labels must be whole numbers.*but a list came"),
        (lambda: diagnosed(labels=ONE), r"but torch.float32 of shape \[3\] came"),
    ],
    "data": [
        (lambda: data.digits(seed=True), "seed must be an int, but a bool came"),
        (lambda: data.digits(validation=0.2), "validation must be an int, but a float came"),
        (lambda: data.vowels(validation=0.5), "validation must be an int, but a float"),
        (lambda: data.delayed_match(4, 3, generator=0), "generator must be a torch.Generator or"),
        (lambda: data.orders(4, 10, noise=0.5), "noise must be an int, but a float came"),
        (lambda: data.orders(4, 10, generator=0), "generator must be a torch.Generator or"),
    ],
    "plot": [
        (lambda: plot.raster(None, torch.eye(2)), r"ax must be .*NoneType came; .*axes\[0\]"),
        (lambda: plot.raster(axes(), MATRIX), "a numpy.ndarray came; convert with torch.as_tensor"),
        (lambda: plot.learning_curve(None, [{"epoch": 1, "test_loss": 1}], "loss"),
         "ax must be a matplotlib.axes.Axes"),
        (lambda: curve([1]), "records must be a list of dictionaries, but a int came"),
        (lambda: curve({"epoch": 1}), "records must be a list of dictionaries, but a dict came"),
        (lambda: curve([{"epoch": 1, "test_accuracy": "high"}]),
         "test_accuracy of record 0 must be"),
    ],
    "chip": [
        (lambda: chip.check([IF(reset=RESET)], IMAGE, "speck"),
         "must be chip.Rules, but a str came"),
        (lambda: chip.integers(IF()), "layers in a row"),
        (lambda: chip.integers([nn.Linear(2, 2)], 8.0), "bits must be an int"),
    ],
    "nir": [
        (lambda: to_nir([], dt="1"), "dt must be a number, but a str came; give a float"),
        (lambda: to_nir(IF(), dt=1.0), "layers must be layers in a row, but a .*IF came; give"),
        (lambda: to_nir([nn.Linear(3, 2), "IF"], dt=1.0), "layer 1 must be .* a str came"),
        (lambda: written(nn.MaxPool2d(2)), "MaxPool2d came; NIR has no maximum; train with .*Avg"),
        (lambda: written(nn.BatchNorm2d(3)), "BatchNorm2d came; .* with .*fuse_conv_bn_eval"),
        (lambda: written(nn.Dropout()), "Dropout came; it does nothing after training; leave it"),
        (lambda: written(nn.ReLU()), "ReLU came; .* put IF neurons in its place"),
        (lambda: written(adapting()), "ALIF came; .* has no node for"),
        (lambda: written(Recurrent(IF(), nn.Linear(2, 2))),
         "Recurrent came; .* has no node for it"),
        (lambda: to_nir([nn.Linear(2, 2).bfloat16()], dt=1.0), "weight must have .*bfloat16 came"),
        (lambda: written(IF(ONE.bfloat16(), reset=RESET), (3,)), "threshold must have .*bfloat16"),
        (lambda: from_nir(lif_node(), dt=1.0), "graph must be a nir.NIRGraph, but a .*LIF came"),
        (lambda: graph_of(nir.Scale(np.ones(2))),
         "node 'scale' must be one of Linear, Aff.*Scale came"),
        (lambda: graph_of(nir.Linear(MATRIX > 0)), "must hold real numbers, but bool came"),
        (lambda: graph_of(nir.Linear(MATRIX.astype(str))), "must hold real numbers, but <U"),
    ],
}  # fmt: skip
"""What calls raise a TypeError, and words of its message."""
WRONG_VALUES = {
    "tensors": [
        (lambda: IF().run(torch.tensor(1.0)), r"shape \[T, \*\], time first.*inputs\[None\]"),
        (lambda: IF()(ZEROS, ONE, META),
         r"^s_previous and vt must be .* meta and cpu came; move s_previous with .to\(vt.device"),
        (lambda: IF(META)(*ARTICLE), "but meta and cpu came; move the layer with"),
        (lambda: IF()(ZEROS, torch.ones(4), ZEROS),
         r"broadcast, but v_previous \(3,\), vt \(4,\), s_previous \(3,\) came; .* equal or 1"),
        (lambda: LIF(leak=ONE).run(torch.ones(2, 4)), r"inputs\[0\] \(4,\), leak \(3,\) came"),
        (lambda: LI(ONE).run(torch.ones(2, 4)), r"inputs\[0\] \(4,\), leak \(3,\) came"),
        (lambda: cuba(synapse_leak=ONE).run(torch.ones(2, 4)), r"synapse_leak \(3,\) came"),
        (lambda: adapting(adaptation=ONE).run(torch.ones(2, 4)), r"adaptation \(3,\) came"),
    ],
    "states": [
        (lambda: IF().run(INPUTS, (META, ZEROS)), "state.spikes .* meta and cpu came"),
        (lambda: IF().run(INPUTS, (ONE[:2], ZEROS)), r"state.spikes \(2,\), state.v \(3,\)"),
        (lambda: adapting().step(ONE, (*STATE, ONE[:2])), r"state.a \(2,\)"),
    ],
    "constants": [
        (lambda: IF(math.nan), r"threshold must not be NaN.*float\('inf'\)"),
        (lambda: IF(torch.tensor([1.0, math.nan])), "threshold must not be NaN"),
        (lambda: IF(10**60), r"threshold must be less than 2\*\*63 .* of 200 bits came"),
        (lambda: IF(math.inf, reset="subtract"), "finite where the reset subtracts it, but inf"),
        (lambda: IF(reset="none"), "reset must be 'zero' or 'subtract', but 'none' came"),
        (lambda: functional.record(INPUTS, leak=1.5), "leak must be between 0 and 1, but 1.5"),
        (lambda: functional.record(INPUTS, threshold=math.nan), "threshold must not be NaN"),
        (lambda: LIF(leak=torch.tensor([0.5, -0.1])), "leak must be between 0 and 1.*1 / tau"),
        (lambda: LIF(leak=math.nan), "leak must be between 0 and 1, but nan came"),
        (lambda: LI(1.5), "leak must be between 0 and 1, but 1.5 came; .* of the potential"),
        (lambda: cuba(synapse_leak=2.0), "synapse_leak must be .*2.0 came; .* of the current"),
        (lambda: adapting(adaptation_leak=-0.5), "adaptation_leak must be .* of the trace"),
        (lambda: adapting(adaptation=math.inf), "adaptation must be finite, but inf came"),
        (lambda: adapting(adaptation=math.nan), "adaptation must be finite, but nan came"),
        (lambda: PLIF(leak=0.0), "leak must be more than 0 and less than 1, but 0.0 came"),
        (lambda: PLIF(leak=torch.tensor([0.5, 1.0])), "leak must be more than 0 and less"),
    ],
    "surrogates": [
        *[
            (partial(call, IF(surrogate=torch.sum), INPUTS),
             r"surrogate must return one spike for each potential, \(.*\), but \(\) came")
            for call in CALLED
        ],
        (lambda: ArcTan(0), "slope must be positive and finite, but 0 came"),
        (lambda: ArcTan(math.inf), "slope must be positive and finite, but inf came"),
    ],
    "encoding": [
        *[(partial(code, ONE, 0), "steps must be 1 or more, but 0 came") for code in CODES],
        *[(partial(code, ONE, 2**31), r"must be less than 2\*\*31") for code in CODES],
        (lambda: encoding.rate(2 * ONE, 3), r"between 0 and 1, but 2.0 came, and 3 of 3 .* scale"),
        (lambda: encoding.latency(-ONE, 3), "between 0 and 1, but -1.0 came"),
        (lambda: encoding.rate(ONE * math.nan, 3), "between 0 and 1, but nan came"),
        (lambda: encoding.direct(ONE / 0, 3),
         r"values must be finite, but 3 of 3 numbers are NaN or infinite, first inf at \[0\]"),
        (lambda: encoding.delta(ONE / 0, 0.1), "signal must be finite"),
        (lambda: encoding.rate(META, 3, generator=torch.Generator()), "on the device meta.*on cpu"),
        (lambda: encoding.delta(ONE, -1), "threshold must be 0 or more, but -1 came"),
        (lambda: encoding.delta(ONE, math.nan), "threshold must be 0 or more, but nan came"),
        (lambda: encoding.delta(ONE[0], 1.0), r"a tensor of shape \(\) came.*\[T, \*\]"),
    ],
    "networks": [
        (lambda: Network([], IF), r"sizes must hold .* but \[\] came; give for example"),
        (lambda: Network([4], IF), r"sizes must hold .* but \[4\] came"),
        (lambda: Network([4, 0], IF), r"sizes\[1\] must be 1 or more, but 0 came"),
        (lambda: Network([3, 2], IF)(INPUTS),
         r"\[T, batch, 3\], but \[4, 3\] came; put time first, .*encoding.direct"),
        (lambda: Network([3, 2], IF)(torch.ones(5, 3, 4)), r"but \[5, 3, 4\] came.* first of the"),
        (lambda: Network([3, 2], IF)(META[None, None]),
         "on the device of the weights, .* on meta; m"),
        (lambda: spiking()(META[None, None]),
         "on the device of the weights, .*, but they are on meta"),
        (lambda: Sequential(IF()).run(ONE), r"\[T, B, \*\], time first, but \[3\] came"),
        (lambda: spiking()(torch.ones(5, 2, 4)),
         r"layer 0, Linear\(in_features=3, .*, takes \[T, B, 3\], but \[T, B, 4\] came; put"),
        (lambda: spiking()(INPUTS), r"\[T, B, 3\], but \[T, B\] came; .*encoding.direct"),
        (lambda: spiking()(torch.ones(5, 2, 2, 4)), r"\[T, B, 2, 4\] came; .*Flatten\(\)"),
        (lambda: spiking().describe(4), r"takes \[T, B, 3\], but \[T, B, 4\] came"),
        (lambda: Sequential(nn.Conv2d(3, 2, 3)).describe(1, 8, 8),
         r"layer 0, Conv2d\(3, .* takes \[T, B, 3, H, W\], but \[T, B, 1, 8, 8\] came"),
        (lambda: Sequential(nn.Conv1d(1, 2, 3)).describe(1, 8, 8), r"takes \[T, B, 1, L\], but"),
        (lambda: Recurrent(IF(), nn.Linear(3, 5)).run(INPUTS[:, None]),
         r"shape of the inputs, \(1, 3\), but it made \(1, 5\) of outputs of \(1, 3\)"),
        (lambda: Recurrent(IF(), nn.Linear(9, 3)).run(INPUTS[:, None]), "layer layer, Linear"),
    ],
    "readouts": [
        (lambda: count(INPUTS), r"\[T, batch, classes\] .* but \[4, 3\] came"),
        (lambda: count(torch.ones(0, 4, 3)), r"T of 1 or more, but \[0, 4, 3\] came"),
        (lambda: count(INPUTS[:, None], LABELS), r"shape \[1\], one for each .*, but \[4\] on cpu"),
        (lambda: count(INPUTS[:, None], LABELS[:1].to("meta")), r"\[1\] on meta came"),
        (lambda: count(INPUTS[:, None], LABELS[:1]), "from 1 to 4, .*, but 0 to 0 came; a sample"),
        (lambda: count(INPUTS[:, None], LABELS[:1] + 5), "from 1 to 4, .*, but 5 to 5 came"),
    ],
    "delays": [
        (lambda: Delayed(5, 0, 8), "n_out must be 1 or more"),
        (lambda: Delayed(5, 4, 8, width=0.0), "width must be positive"),
        (lambda: Delayed(3, 2, 8).anneal(1.5), "from 0 to 1, .* give epoch / epochs"),
        (lambda: Delayed(3, 2, 8).anneal(1, narrowest=0), "narrowest must be positive"),
        (lambda: Delayed(3, 2, 8)(INPUTS), r"\[T, B, 3\], time first, .* \[4, 3\]"),
        (lambda: Delayed(3, 2, 8).step(INPUTS, INPUTS), r"of shape \[8, 4, 3\]"),
    ],
    "conversion": [
        (lambda: converted(*dense(), inputs=torch.ones(0, 5)), r"hold samples, .* \[0, 5\] came"),
        (lambda: converted(*dense(), percentile=0), "percentile must be above 0, and 100 at most"),
        (lambda: converted(*dense(), percentile=101), "and 100 at most, but 101 came"),
        (lambda: converted(*dense(), inputs=INPUTS), r"layer 0, .* can't take inputs of \[4, 3\]"),
        (lambda: converted(nn.ReLU(), inputs=torch.full((3, 5), 2.0)),
         r"layer 0, ReLU\(\), is the last, but a layer of weights"),
        (lambda: converted(nn.ReLU(), nn.Linear(5, 2), inputs=-torch.ones(3, 5)),
         "has 0.0 as its perc"),
        (lambda: converted(nn.ReLU(), nn.Linear(5, 2), inputs=torch.ones(3, 5) / 0),
         "has inf as its"),
        (lambda: Stairs(-1), "levels must be 0 or more"),
        (lambda: count_operations(idle(), INPUTS),
         r"the IF at 'neuron' .* write neuron\(x\) where"),
    ],
    "learning": [
        (lambda: learnt(parameters=[]), "must learn, but of 0 none requires a gradient"),
        (lambda: learnt(parameters=[ONE]), "must learn, but of 1 none requires"),
        (lambda: learnt(samples=0), "samples must be 1 or more, but 0 came"),
        (lambda: learnt(batch=0), "batch must be 1 or more, but 0 came"),
        (lambda: learnt(lr=0.0), "lr must be positive and finite, but 0.0 came"),
        (lambda: lost(lambda weight: weight.expand(3)), r"the shape \[\], but \[3\] came; end"),
        (lambda: lost(lambda weight: weight.detach()), "on the parameters, but .* no gradient"),
        (lambda: measured(torch.ones(6, 4, 3), LABELS), r"\[\[6, 4, 3\], \[4\]\] came; put time"),
        (lambda: measured(INPUTS, LABELS[:, None]), "one label for each"),
        (lambda: measured(INPUTS / 0, LABELS), r"batch\[0\] must be finite, but 12 of 12"),
        (lambda: measured(INPUTS, LABELS, network=nn.Flatten(0)), r"\[4, classes\], but \[12\]"),
        (lambda: measure(nn.Linear(3, 2), []), "there was no batch; give a DataLoader"),
        (lambda: interval(3, 2), "right must be total, 2, or less, but 3 came"),
        (lambda: interval(-1, 2), "right must be 0 or more"),
        (lambda: interval(0, 0), "total must be 1 or more"),
        (lambda: validated(folds=1), "folds must be 2 or more"),
        (lambda: validated(seed=-1), "seed must be 0 or more"),
        (lambda: validated(folds=31), "folds, 31, samples or more"),
        (lambda: validated(INPUTS, folds=3), r"each of 2 samples, but \[4, 3\] came; .*argmax"),
        (lambda: diagnosed(labels=LABELS), r"the shape \[4, classes\], but \[1, 2\] came"),
        (lambda: diagnosed(inputs=torch.ones(1, 4, 3)),
         r"but \[4, 2\] came; put time first, with inputs.transpose\(0, 1\), or give readout"),
        (lambda: diagnosed(readout=lambda x: x), r"but \[4, 1, 2\] came; give readout"),
        (lambda: diagnosed(Sequential(nn.Linear(3, 2))), "no neuron of the network fired"),
    ],
    "data": [
        (lambda: data.digits(seed=-1), "seed must be 0 or more, but -1 came"),
        (lambda: data.digits(validation=9), "must be 0, or from 10 to 1427, .* but 9 came"),
        (lambda: data.digits(validation=1428), "must be 0, or from 10 to 1427, .* but 1428"),
        (lambda: data.mnist(seed=-1), "seed must be 0 or more, but -1 came"),
        (lambda: data.mnist(validation=3991), "0, or from 10 to 3990, .* but 3991 came"),
        (lambda: data.vowels(validation=8), "must be 0, or from 9 to 261, .* but 8 came"),
        (lambda: data.fashion_mnist(".", seed=-1), "seed must be 0 or more, but -1 came"),
        (lambda: data.delayed_match(0, 3), "samples must be 1 or more, but 0 came"),
        (lambda: data.delayed_match(4, -1), "delay must be 0 or more, but -1 came"),
        (lambda: data.orders(4, 0), "gap must be 1 or more, but 0 came"),
        (lambda: data.orders(4, 10, jitter=6), "at most half of gap, 5, but 6 came"),
        (lambda: data.orders(4, 10, noise=31), r"noise must be at most 3 \* gap, 30, but 31"),
    ],
    "plot": [
        (lambda: plot.raster(axes(), torch.tensor([[0.0, 0.5]])),
         "0 or 1, but 0.5 came.*spikes > 0"),
        (lambda: plot.raster(axes(), torch.tensor([[math.nan]])), "must be 0 or 1, but nan came"),
        (lambda: plot.raster(axes(), ONE), r"the shape \[T, N\], but \(3,\) came"),
        (lambda: curve([], "f1"), r"one of \['accuracy', 'loss'\], but 'f1' came"),
        (lambda: curve([], []), r"quantity must be one of .*, but \[\] came"),
        (lambda: curve([]), "train_accuracy or .* but 0 records without them came"),
        (lambda: curve([{"epoch": 1}]), "but 1 records without them came"),
        (lambda: curve([{"test_loss": 1, "epoch": 1}, {"epoch": 2}], "loss"),
         r"every record must hold test_loss, but record 1 holds only \['epoch'\]"),
        (lambda: curve([{"test_accuracy": 1}]), "every record must hold epoch, but record 0"),
    ],
    "chip": [
        (lambda: chip.integers([nn.Linear(2, 2)], 1), "bits must be 2 or more"),
        (lambda: chip.integers([nn.Linear(2, 2)], top=0.0), "top must be positive"),
        (lambda: chip.integers([layer := IF(), nn.Linear(2, 2), layer]), r"IF\(.* in two places"),
    ],
    "nir": [
        *[
            (partial(graph_with, edges), "graph must be a chain")
            for edges in (
                "", "input-a a-b", "input-a a-output", "input-a a-b b-output a-output",
                "input-a a-b b-a b-output", "input-a a-b b-a", "input-a a-b b-nowhere",
                "a-b b-output",
            )
        ],
        (lambda: to_nir([], dt=0.0), "dt must be positive and finite, but 0.0 came"),
        (lambda: from_nir([], dt=math.nan), "dt must be positive and finite, but nan came"),
        (lambda: to_nir([], dt=1.0), "none came"),
        (lambda: written(nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular")),
         "pads with zeros"),
        (lambda: written(nn.AvgPool2d(3, ceil_mode=True)), r"AvgPool2d\(.*\), is more than NIR"),
        (lambda: written(nn.AvgPool2d(2, count_include_pad=False)), "a padding alone"),
        (lambda: written(nn.AvgPool2d(2, divisor_override=3)),
         "divisor_override=1 besides for sums"),
        (lambda: written(nn.Flatten(0)), r"flattens the batch, too.* give torch.nn.Flatten\(\)"),
        (lambda: written(nn.Conv2d(2, 4, 3, groups=2)), "nir .* could not read .* without groups"),
        (lambda: written(nn.Conv2d(2, 4, (1, 3))), r"makes \(4, 4, 2\) of .* a square"),
        (lambda: written(nn.Conv2d(5, 2, 3)), r"Conv2d\(5, .*, can't take \(2, 4, 4\): "),
        (lambda: written(nn.AvgPool2d(2), (8, 8)), r"takes channels, .* \(8, 8\) comes .* three"),
        (lambda: written(nn.Conv2d(1, 2, 3), None), "does not say which shape .* the input, "),
        (lambda: written(IF(reset=RESET), None), "does not say how many .* the input, "),
        (lambda: written(IF(reset=OTHER_RESET)), f"reset='{OTHER_RESET}'.* can only say '{RESET}'"),
        (lambda: written(nn.Linear(3, 2), (5, 3)), r"takes \(3,\), but \(5, 3\) comes before it"),
        (lambda: to_nir([nn.Linear(3, 2)] * 2, dt=1.0), r"layer 1 takes \(3,\), but \(2,\) comes"),
        (lambda: written(LIF(leak=0.0, reset=RESET)), "has the leak 0.0, .*tau = dt / leak is inf"),
        (lambda: written(LIF(leak=5e-324, reset=RESET)), "tau = dt / leak is infinite"),
        (lambda: written(LI(torch.tensor([0.1, 0.0])), (2,)), "tau = dt / leak is infinite"),
        (lambda: written(cuba(synapse_leak=0.0, reset=RESET)), "has the leak 0.0, for which tau"),
        (lambda: written(IF(ONE, reset=RESET), (2,)), r"threshold has the shape \(3,\).* \(2,\)"),
        (lambda: written(LIF(leak=ONE / 2, reset=RESET), (2,)), r"leak has the shape \(3,\)"),
        (lambda: graph_of(nir.Linear(np.ones((2, 2, 2)))), r"node 'linear' .* shape \(2, 2, 2\)"),
        (lambda: graph_of(nir.Affine(MATRIX, np.ones(5))), r"bias of shape \(5,\) for 2 outputs"),
        (lambda: graph_of(lif_node(tau=0.5)), "'lif' has tau = 0.5, .* dt = 1.0"),
        (lambda: graph_of(lif_node(tau=math.inf)), "'lif' has tau = inf"),
        (lambda: graph_of(lif_node(r=1.0)), "adds 0.5 times its input in a step of dt = 1.0"),
        (lambda: graph_of(lif_node(r=math.inf)), "adds inf times its input"),
        (lambda: graph_of(lif_node(v_leak=0.5)), "'lif': v_leak is 0.5, but only 0"),
        (lambda: graph_of(nir.I(r=np.ones(2) / 4)), "adds 0.25 times its input"),
        (lambda: graph_of(nir.LI(np.full(2, 4.0), np.ones(2), np.zeros(2))),
         "adds 0.25 times its input"),
        (lambda: graph_of(nir.IF(np.ones(2), np.ones(2)), 1e-3), "adds 0.001 times its input"),
        (lambda: graph_of(nir.LI(*np.full((2, 2), 4.0), np.ones(2))), "v_leak is 1.0, but only 0"),
        (lambda: graph_of(cuba_node(w_in=1.0)), "adds 0.5 times its input"),
        (lambda: graph_of(cuba_node(tau_syn=0.5)), "tau_syn = 0.5, but it must be finite and not"),
    ],
}  # fmt: skip
"""The same of a ValueError."""
REFUSED = {
    f"{part} {error.__name__} {k}": (call, error, words)
    for error, parts in ((TypeError, WRONG_KINDS), (ValueError, WRONG_VALUES))
    for part, rows in parts.items()
    for k, (call, words) in enumerate(rows)
}


@pytest.mark.filterwarnings("ignore:.*nested tensors is in prototype stage")
@pytest.mark.parametrize(("call", "error", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_says_so(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call()
    assert type(caught.value) is error


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


@pytest.mark.skipif(RESET == "subtract", reason="this nir has no reset potential")
@pytest.mark.parametrize("node", [lif_node(), nir.IF(np.ones(2), np.ones(2), np.zeros(2))])
def test_a_potential_after_a_spike_that_is_not_0(node):
    node.v_reset = np.array([0.0, -1.0])
    with pytest.raises(ValueError, match=r"v_reset is -1\.0, but only 0"):
        graph_of(node)


@pytest.mark.parametrize("missing", [["input"], ["output"], ["input", "output"]])
def test_graphs_without_an_end(missing):
    graph = nir.NIRGraph.from_list(lif_node())
    for name in missing:
        del graph.nodes[name]
    graph.edges = [edge for edge in graph.edges if not {*missing} & {*edge}]
    with pytest.raises(ValueError, match="graph must be a chain"):
        from_nir(graph, dt=1.0)


def test_what_a_layer_can_t_take_is_told_with_the_layer():
    network = Sequential(nn.Linear(3, 4), IF(), nn.Bilinear(5, 2, 2))
    with pytest.raises(TypeError, match="missing 1 required positional argument") as caught:
        network(torch.ones(2, 1, 3))
    (note,) = caught.value.__notes__
    assert note.startswith("in layer 2, Bilinear(in1_features=5,")
    assert note.endswith(", which was given [T, B, 4]")


def test_autocast_may_give_a_network_another_dtype():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        spikes, _ = Network([3, 2], IF)(torch.ones(4, 5, 3).bfloat16())
    assert spikes.dtype == torch.bfloat16


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


def test_a_node_that_flattens_dimensions_that_are_not_there():
    node = flattening(0)
    node.start_dim = 5
    with pytest.raises(ValueError, match="can't take"):
        graph_of(node)


def test_a_threshold_that_the_dtype_rounds_to_infinity():
    never = IF(1e300)
    assert torch.equal(never.run(INPUTS)[0][0], never.step(INPUTS[0], STATE)[0])
