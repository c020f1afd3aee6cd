"""How long does a whole network take to train and to run, beside other libraries and beside ReLU?

Three networks (convolutions, fully connected, recurrent) take one step of training each (forward,
cross entropy, backward, Adam) and one pass without gradients. This package's `Sequential` stands
beside snnTorch, SpikingJelly, Norse and sinabs, with the same weights, inputs and neurons: LIF with
a leak of 0.1, a reset to zero that is detached, and the derivative of the arctangent. All of them
can be set to these equations, but for the derivative in Norse, which is compared with this
package's under a derivative that both have. Every library is measured in two arrangements, the
whole network at each time and each layer at all times, and the faster one counts. So it is with
ReLU in place of the neurons, once at all times and, where the inputs are no sequence, also as it is
used: a single pass for an image.

One thread, nothing compiled. All take turns in one run; the clock counts the time on the processor,
so that what else runs disturbs less; the figures are medians over the rounds, with the least and
the greatest ratio. Before that, all libraries give the same loss and the same gradients. Beside the
times of training stands the most memory that a step takes, as torch allocates it, without weights,
inputs and what Adam keeps.
With --record the figures are also kept in docs/_data/network_speed.json, which the book shows.
A run takes some minutes. `make peers` makes an environment with the libraries in it, but for
sinabs, which pins an older nir than they need and does without it here:
.venv-peers/bin/python -m pip install --no-deps "sinabs>=3.1.3,<4" pbr
.venv-peers/bin/python benchmarks/network_speed.py
"""

import importlib
import importlib.util
import logging
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import Any, NamedTuple

import record
import torch
from record import Row
from torch import Tensor
from torch.nn import Conv2d, Flatten, Linear, MaxPool2d, Module, ModuleList
from torch.nn.functional import cross_entropy
from torch.profiler import ProfilerActivity, profile

from snn_docs import LIF, Recurrent, Sequential
from snn_docs.surrogate import ArcTan, Triangle

BATCH, RATE = 64, 0.3
LEAK, THRESHOLD = 0.1, 1.0
GAIN = 2
"""So many times larger than torch draws them are the weights, so that every layer fires."""
LEARNING_RATE = 1e-7  # the networks stay the same, however many steps are measured
ROUNDS, TURNS, AT_LEAST, TURN = 7, 5, 2, 0.1
"""In a round each has so many turns, of at least so many steps, and of so many seconds."""
ALLOCATOR = 31 * 2**20  # bytes: below the 32 MiB up to which glibc learns to keep what is freed
ROUNDING = {"loss": 1e-3, "gradients": 1e-2}
"""How far, in parts of the whole, two may be apart that round elsewhere: a potential right at the
threshold fires on one side only."""
MIB = 2**20


Key = tuple[str, str]  # who, and in which arrangement
OURS: Key = ("ours", "layers")
SURROGATE = ArcTan(1.0)
OTHER_SURROGATES = {"norse": Triangle(1.0)}
"""What a library has that has no arctangent: the fastest of its derivatives."""
PASSES = "training", "inference"


class Neurons(Module):
    """Where neurons are in a network, and the layer through which spikes come back to them."""

    def __init__(self, back: Linear | None = None) -> None:
        super().__init__()
        self.back = back


class Case(NamedTuple):
    """A network, as a list of layers, and what it is given in a step of time."""

    layers: Callable[[], list[Module]]
    inputs: tuple[int, ...]
    classes: int
    steps: tuple[int, ...]


def convolutional() -> list[Module]:
    """Return the layers of a small network for images."""
    return [
        Conv2d(1, 12, 5), MaxPool2d(2), Neurons(), Conv2d(12, 32, 5), MaxPool2d(2), Neurons(),
        Flatten(), Linear(512, 10), Neurons(),
    ]  # fmt: skip


def connected() -> list[Module]:
    """Return the layers of a network of connected layers alone."""
    return [Linear(784, 512), Neurons(), Linear(512, 10), Neurons()]


def recurrent() -> list[Module]:
    """Return the layers of a network whose spikes come back, read by weights alone."""
    return [Linear(12, 128), Neurons(Linear(128, 128, bias=False)), Linear(128, 9)]


CASES = {
    "conv": Case(convolutional, (1, 28, 28), 10, (4, 16)),
    "connected": Case(connected, (784,), 10, (4, 16)),
    "recurrent": Case(recurrent, (12,), 9, (28, 100)),
}


class Cell(Module):
    """A layer of neurons of some library: all steps, one after the other.

    A step returns its spikes and the state after it; the first state is None.
    """

    def run(self, inputs: Tensor) -> Tensor:
        """Return the spikes of all steps."""
        state, spikes = None, []
        for current in inputs:
            s, state = self(current, state)
            spikes.append(s)
        return torch.stack(spikes)


class Looped(Cell):
    """Neurons to whose inputs their spikes come back, in a library that has no layer for that."""

    def __init__(self, cell: Cell, back: Linear) -> None:
        super().__init__()
        self.cell, self.back = cell, back

    def forward(self, current: Tensor, state: Any) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Take a step with what the spikes before bring back."""
        last, inner = (torch.zeros_like(current), None) if state is None else state
        spikes, inner = self.cell(current + self.back(last), inner)
        return spikes, (spikes, inner)


class Rectified(Cell):
    """ReLU, which carries nothing from step to step."""

    def forward(self, current: Tensor, state: Any) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Cut off what is below zero."""
        return torch.relu(current), state

    def run(self, inputs: Tensor) -> Tensor:
        """Do so with all steps at once."""
        return torch.relu(inputs)


class OfSnnTorch(Cell):
    """`Leaky`. With its delay, its reset is detached.

    `RLeaky` resets to zero what comes in at the next step, too: a layer leads back in its place.
    """

    def __init__(self) -> None:
        super().__init__()
        library = importlib.import_module("snntorch")
        arctan = library.surrogate.atan(alpha=2.0)
        self.layer = library.Leaky(1 - LEAK, reset_mechanism="zero", spike_grad=arctan)

    def forward(self, current: Tensor, state: Any) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Take a step from a potential."""
        spikes, v = self.layer(current, torch.zeros_like(current) if state is None else state)
        return spikes, v


class OfSpikingJelly(Cell):
    """`LIFNode`, one step at a time or, in its multi-step mode, all of them."""

    def __init__(self) -> None:
        super().__init__()
        logging.getLogger("torch._library.triton").setLevel(logging.ERROR)  # no GPU, it would say
        library = importlib.import_module("spikingjelly.activation_based")
        arctan = importlib.import_module(f"{library.__name__}.surrogate").ATan(2.0)
        node = importlib.import_module(f"{library.__name__}.neuron").LIFNode
        told = {"decay_input": False, "detach_reset": True, "surrogate_function": arctan}
        self.node = node(1 / LEAK, **told)

    def forward(self, current: Tensor, state: Any) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Take a step; the node keeps its state itself."""
        if state is None:
            self.node.step_mode = "s"
            self.node.reset()
        return self.node(current), True

    def run(self, inputs: Tensor) -> Tensor:
        """Take all steps in one call."""
        self.node.step_mode = "m"
        self.node.reset()
        spikes: Tensor = self.node(inputs)
        return spikes


def detached_reset(spikes: Tensor, v: Tensor, reset: Tensor, _: Tensor) -> Tensor:
    """Set back those that fired, without a gradient through their spikes."""
    return v - spikes.detach() * (v - reset)


class OfNorse(Cell):
    """`LIFBoxCell`, which multiplies inputs by the leak: the weights before it make up for it."""

    def __init__(self) -> None:
        super().__init__()
        library = importlib.import_module("norse.torch")
        told = library.LIFBoxParameters(
            tau_mem_inv=torch.tensor(LEAK), reset_method=detached_reset,
            method="triangle", alpha=1.0,
        )  # fmt: skip
        self.cell = library.LIFBoxCell(told, dt=1.0)

    def forward(self, current: Tensor, state: Any) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Take a step."""
        spikes, after = self.cell(current, state)
        return spikes, after


class OfSinabs(Cell):
    """`LIF`, or `LIFRecurrent` where spikes come back; the batch comes before the time."""

    def __init__(self, back: Linear | None) -> None:
        super().__init__()
        layers = importlib.import_module("sinabs.layers")
        activation = importlib.import_module("sinabs.activation")
        told: dict[str, Any] = {
            "tau_mem": -1 / math.log1p(-LEAK), "norm_input": False,
            "spike_fn": activation.SingleSpike, "reset_fn": activation.MembraneReset(),
            "surrogate_grad_fn": lambda v, threshold: SURROGATE.derivative(v - threshold),
        }  # fmt: skip
        self.layer = (
            layers.LIF(**told) if back is None else layers.LIFRecurrent(**told, rec_connect=back)
        )
        for constant in self.layer.parameters(recurse=False):  # nobody else learns them
            constant.requires_grad = False

    def forward(self, current: Tensor, state: Any) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Take a step; the layer keeps its state itself."""
        if state is None:
            self.layer.reset_states()
        return self.layer(current.unsqueeze(1)).squeeze(1), True

    def run(self, inputs: Tensor) -> Tensor:
        """Take all steps in one call."""
        self.layer.reset_states()
        spikes: Tensor = self.layer(inputs)
        return spikes


def looped(cell: Cell, back: Linear | None) -> Cell:
    """Return neurons with the layer through which their spikes come back, if there is one."""
    return cell if back is None else Looped(cell, back)


CELLS: dict[str, Callable[[Linear | None], Cell]] = {
    "snntorch": lambda back: looped(OfSnnTorch(), back),
    "spikingjelly": lambda back: looped(OfSpikingJelly(), back),
    "norse": lambda back: looped(OfNorse(), back),
    "sinabs": OfSinabs,
    "relu": lambda back: looped(Rectified(), back),
}
INSTALLED = [who for who in CELLS if importlib.util.find_spec(who)]


class Steps(Module):
    """The whole network at each time."""

    def __init__(self, layers: list[Module]) -> None:
        super().__init__()
        self.layers = ModuleList(layers)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what the last layer gives, at all times."""
        states, outputs = [None] * len(self.layers), []
        for x in inputs:
            for i, layer in enumerate(self.layers):
                if isinstance(layer, Cell):
                    x, states[i] = layer(x, states[i])  # noqa: PLW2901 - goes from layer to layer
                else:
                    x = layer(x)  # noqa: PLW2901
            outputs.append(x)
        return torch.stack(outputs)


class Layers(Steps):
    """Each layer at all times, as SpikingJelly's own layers do it in multi-step mode."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what the last layer gives, at all times."""
        x = inputs
        for layer in self.layers:
            if isinstance(layer, Cell):
                x = layer.run(x)
            else:
                x = layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return x


class BatchFirst(Layers):
    """The same, with the batch before the time, as sinabs' layers have it."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what the last layer gives, at all times."""
        return super().forward(inputs).transpose(0, 1)


class Fused(Module):
    """The recurrent network with ReLU as torch has it: one call for all of time."""

    def __init__(self, layers: list[Any]) -> None:
        super().__init__()
        first, neurons, self.last = layers
        self.rnn = torch.nn.RNN(first.in_features, first.out_features, nonlinearity="relu")
        self.rnn.weight_ih_l0, self.rnn.bias_ih_l0 = first.weight, first.bias
        self.rnn.weight_hh_l0 = neurons.back.weight
        nothing = torch.zeros(first.out_features)
        self.rnn.bias_hh_l0 = torch.nn.Parameter(nothing, requires_grad=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what the last layer gives, at all times."""
        scores: Tensor = self.last(self.rnn(inputs)[0])
        return scores


def drawn(case: Case) -> list[Module]:
    """Return the layers of a network, with weights that are always the same."""
    torch.manual_seed(0)
    layers = case.layers()
    with torch.no_grad():
        for layer in layers:
            for weights in layer.parameters():
                weights.mul_(GAIN)
    return layers


def ours(case: Case, surrogate: Callable[[Tensor], Tensor] = SURROGATE) -> Module:
    """Return the network as this package writes it."""
    rule: dict[str, Any] = {"leak": LEAK, "detach_reset": True, "surrogate": surrogate}

    def made(layer: Module) -> Module:
        if not isinstance(layer, Neurons):
            return layer
        return LIF(**rule) if layer.back is None else Recurrent(LIF(**rule), layer.back)

    return Sequential(*map(made, drawn(case)))


def arrangements(case: Case, who: str) -> dict[str, Module]:
    """Return the ways in which a library, or ReLU, can go through a network."""

    def made() -> list[Module]:
        layers = drawn(case)
        if who == "norse":
            weigh(layers, 1 / LEAK)
        return [CELLS[who](each.back) if isinstance(each, Neurons) else each for each in layers]

    found: dict[str, Module] = {"layers": (BatchFirst if who == "sinabs" else Layers)(made())}
    if who != "sinabs" or case is not CASES["recurrent"]:
        found["steps"] = Steps(made())  # LIFRecurrent takes all steps alone
    if who == "relu" and case is CASES["recurrent"]:
        found["fused"] = Fused(drawn(case))
    return found


def weigh(layers: list[Module], factor: float) -> None:
    """Multiply all weights that lead to neurons."""
    last = max(i for i, layer in enumerate(layers) if isinstance(layer, Neurons))
    with torch.no_grad():
        for layer in layers[: last + 1]:
            for weights in layer.parameters():
                weights.mul_(factor)


class Contender:
    """A network in training, always on the same batch."""

    def __init__(self, network: Module, inputs: Tensor, labels: Tensor) -> None:
        self.network, self.labels = network, labels
        batch_first = isinstance(network, BatchFirst)
        self.inputs = inputs.transpose(0, 1).contiguous() if batch_first else inputs
        learnt = [each for each in network.parameters() if each.requires_grad]
        self.learnt = learnt
        self.optimizer = torch.optim.Adam(learnt, lr=LEARNING_RATE)

    def loss(self) -> Tensor:
        """Return how far the mean output over time is from the labels."""
        return cross_entropy(self.network(self.inputs).mean(0), self.labels)

    def slopes(self) -> Tensor:
        """Return the gradients of all weights, each times its weight: so no factor shows."""
        found = torch.autograd.grad(self.loss(), self.learnt)
        pairs = zip(found, self.learnt, strict=True)
        return torch.cat([(grad * weight).detach().flatten() for grad, weight in pairs])

    def training(self) -> None:
        """Take a step of training."""
        self.loss().backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def inference(self) -> None:
        """Answer, without gradients."""
        with torch.no_grad():
            self.network(self.inputs).mean(0)

    def turn(self, work: str) -> list[float]:
        """Work some times, and return how many seconds the processor worked each time."""
        once: Callable[[], None] = getattr(self, work)
        times: list[float] = []
        while len(times) < AT_LEAST or sum(times) < TURN:
            start = time.process_time()
            once()
            times.append(time.process_time() - start)
        return times

    def mebibytes(self) -> float:
        """Return the most memory that a step takes beyond what is there before it."""
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
            self.training()
        events = profiler.profiler.kineto_results.events()
        sizes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
        return float(max(accumulate(size for _, size in sizes))) / MIB


def contenders(case: Case, steps: int, peers: list[str]) -> dict[Key, Contender]:
    """Return who takes part, by name and arrangement, checked against each other."""
    generator = torch.Generator().manual_seed(0)
    inputs = (torch.rand(steps, BATCH, *case.inputs, generator=generator) < RATE).float()
    labels = torch.randint(case.classes, (BATCH,), generator=generator)
    networks = {OURS: ours(case)}
    for who in (*peers, "relu"):
        networks |= {(who, way): each for way, each in arrangements(case, who).items()}
    found = {key: Contender(network, inputs, labels) for key, network in networks.items()}
    for (who, way), each in found.items():
        if who in peers:
            surrogate = OTHER_SURROGATES.get(who, SURROGATE)
            check(f"{who}, {way}", each, Contender(ours(case, surrogate), inputs, labels))
    if case is not CASES["recurrent"]:
        found["one pass", "layers"] = Contender(
            arrangements(case, "relu")["layers"], inputs[:1], labels
        )
    return found


def check(name: str, found: Contender, expected: Contender) -> None:
    """Stop unless two networks are the same one."""
    for what, given, right in [
        ("loss", found.loss().detach(), expected.loss().detach()),
        ("gradients", found.slopes(), expected.slopes()),
    ]:
        apart = float((given - right).norm() / right.norm())
        if apart > ROUNDING[what]:
            sys.exit(f"{name}, does not give the same {what}: {apart:.2g} apart")


def compared(found: Mapping[Key, Contender], rounds: int) -> Iterator[Row]:
    """Let all take turns, and yield a row for each and each pass, in its faster arrangement."""
    for each in found.values():
        each.training()  # what comes first brings memory, and state of Adam, that stay
    for work in PASSES:
        times = rounds_of(found, work, rounds)
        for who in dict.fromkeys(who for who, _ in found):
            mine = [key for key in found if key[0] == who]
            best = min(mine, key=lambda key: statistics.median(times[key]))
            ratios = [one / other for one, other in zip(times[best], times[OURS], strict=True)]
            yield {
                "pass": work, "who": who, "way": best[1],
                "ms": statistics.median(times[best]) * 1e3,
                "ratio": statistics.median(ratios), "least": min(ratios), "most": max(ratios),
            } | ({"mib": found[best].mebibytes()} if work == "training" else {})  # fmt: skip


def rounds_of(found: Mapping[Key, Contender], work: str, rounds: int) -> dict[Key, list[float]]:
    """Return the median time of each in each round, in which all take turns."""
    times: dict[Key, list[float]] = {key: [] for key in found}
    for _ in range(rounds):
        taken: dict[Key, list[float]] = {key: [] for key in found}
        for key, each in [*found.items()] * TURNS:
            taken[key] += each.turn(work)
        for key in found:
            times[key].append(statistics.median(taken[key]))
    return times


def rows() -> Iterator[Row]:
    """Yield who takes how long, in each network and for each number of steps."""
    # From now on glibc keeps freed memory of this size, as in a process that has worked for a
    # while; else whether it gives it back depends on who came before.
    bytearray(ALLOCATOR)
    for name, case in CASES.items():
        for steps in case.steps:
            for row in compared(contenders(case, steps, INSTALLED), ROUNDS):
                yield {"network": name, "steps": steps, **row}


if __name__ == "__main__":
    record.run(__doc__, "network_speed", rows, libraries=INSTALLED)
