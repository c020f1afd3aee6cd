"""How long does a training step of a whole network take, beside other libraries and beside ReLU?

Three networks (convolutions, fully connected, recurrent) take one step of training each: forward,
cross entropy, backward, Adam. This package's `Sequential` stands beside snnTorch, SpikingJelly and
Norse, with the same weights, inputs and neurons: LIF with a leak of 0.1, which subtracts the
threshold, and the derivative of the arctangent. Where a library has no such neuron, it takes the
nearest, and its rows say what differs. Every library is measured in two arrangements, the whole
network at each time and each layer at all times, and the faster one counts. So it is with the
floor, the same network with ReLU in place of its neurons.

One thread, nothing compiled. All take turns in one run; the clock counts the time on the processor,
so that what else runs disturbs less; the figures are medians over the rounds, with the least and
the greatest ratio. Before that, whoever has the same equations gives the same loss, and, if the
derivative is the same too, the same gradients. Beside the times stands the most memory that a step
takes, as torch allocates it, without weights, inputs and what Adam keeps.
With --record the figures are also kept in docs/_data/network_speed.json, which the book shows.
A run takes some minutes. `make peers` makes an environment with the libraries in it:
.venv-peers/bin/python benchmarks/network_speed.py
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import statistics
import sys
import time
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import record
import torch
from torch import Tensor
from torch.nn import Conv2d, Flatten, Linear, MaxPool2d, Module, ModuleList
from torch.nn.functional import cross_entropy
from torch.profiler import ProfilerActivity, profile

from snn_docs import LIF, Recurrent, Sequential
from snn_docs.surrogate import ArcTan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from record import Row

BATCH, RATE = 64, 0.3
LEAK, THRESHOLD = 0.1, 1.0
GAIN = 2
"""So many times larger than torch draws them are the weights, so that every layer fires."""
LEARNING_RATE = 1e-7  # the networks stay the same, however many steps are measured
TURNS, AT_LEAST, TURN = 5, 2, 0.1
"""In a round each has so many turns, of at least so many steps, and of so many seconds."""
ALLOCATOR = 31 * 2**20  # bytes
ROUNDING = {"loss": 1e-3, "gradients": 1e-2}
"""How far, in parts of the whole, two may be apart that round elsewhere: a potential right at the
threshold fires on one side only."""
MIB = 2**20


Key = tuple[str, str]  # who, and in which arrangement
OURS: Key = ("ours", "layers")


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
    return [Linear(12, 128), Neurons(Linear(128, 128)), Linear(128, 9)]


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
    """`Leaky`, or `RLeaky` where spikes come back: they subtract after the leak, detached."""

    def __init__(self, back: Linear | None) -> None:
        super().__init__()
        library = importlib.import_module("snntorch")
        told = {"beta": 1 - LEAK, "spike_grad": library.surrogate.atan(alpha=2.0)}
        self.parts = 1 if back is None else 2
        if back is None:
            self.layer = library.Leaky(**told)
        else:
            self.layer = library.RLeaky(**told, linear_features=back.out_features)
            self.layer.recurrent = back

    def forward(self, current: Tensor, state: Any) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Take a step from a potential, or from spikes and a potential."""
        spikes, v = self.layer(current, *(state or (torch.zeros_like(current),) * self.parts))
        return spikes, (spikes, v)[-self.parts :]


class OfSpikingJelly(Cell):
    """`LIFNode`, one step at a time or, in its multi-step mode, all of them."""

    def __init__(self) -> None:
        super().__init__()
        logging.getLogger("torch._library.triton").setLevel(logging.ERROR)  # no GPU, it would say
        library = importlib.import_module("spikingjelly.activation_based")
        arctan = importlib.import_module(f"{library.__name__}.surrogate").ATan(2.0)
        node = importlib.import_module(f"{library.__name__}.neuron").LIFNode
        self.node = node(1 / LEAK, decay_input=False, v_reset=None, surrogate_function=arctan)

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


class OfNorse(Cell):
    """`LIFBoxCell`, which multiplies its inputs by the leak: the weights before it make up for it.

    It has no arctangent; the derivative is a triangle, the fastest of those that it has.
    """

    def __init__(self) -> None:
        super().__init__()
        library = importlib.import_module("norse.torch")
        told = library.LIFBoxParameters(
            tau_mem_inv=torch.tensor(LEAK), reset_method=library.reset_subtract,
            method="triangle", alpha=1.0,
        )  # fmt: skip
        self.cell = library.LIFBoxCell(told, dt=1.0)

    def forward(self, current: Tensor, state: Any) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Take a step."""
        spikes, after = self.cell(current, state)
        return spikes, after


def looped(cell: Cell, back: Linear | None) -> Cell:
    """Return neurons with the layer through which their spikes come back, if there is one."""
    return cell if back is None else Looped(cell, back)


CELLS: dict[str, Callable[[Linear | None], Cell]] = {
    "snntorch": OfSnnTorch,
    "spikingjelly": lambda back: looped(OfSpikingJelly(), back),
    "norse": lambda back: looped(OfNorse(), back),
    "relu": lambda back: looped(Rectified(), back),
}
SAME = {"snntorch": (), "spikingjelly": ("loss", "gradients"), "norse": ("loss",)}
"""What must come out of a library as it does of this package."""


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


class Fused(Module):
    """The recurrent network with ReLU as torch has it: one call for all of time."""

    def __init__(self, layers: list[Module]) -> None:
        super().__init__()
        first, neurons, self.last = layers
        self.rnn = torch.nn.RNN(first.in_features, first.out_features, nonlinearity="relu")
        for name, layer in {"ih": first, "hh": neurons.back}.items():
            for kind in ("weight", "bias"):
                setattr(self.rnn, f"{kind}_{name}_l0", getattr(layer, kind))

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


def ours(case: Case) -> Module:
    """Return the network as this package writes it."""
    rule: dict[str, Any] = {"leak": LEAK, "reset": "subtract", "surrogate": ArcTan(1.0)}

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

    found: dict[str, Module] = {"steps": Steps(made()), "layers": Layers(made())}
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
        self.network, self.inputs, self.labels = network, inputs, labels
        self.optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)

    def loss(self) -> Tensor:
        """Return how far the mean output over time is from the labels."""
        return cross_entropy(self.network(self.inputs).mean(0), self.labels)

    def gradients(self) -> Tensor:
        """Return the gradients of all weights, one after the other."""
        found = torch.autograd.grad(self.loss(), list(self.network.parameters()))
        return torch.cat([each.flatten() for each in found])

    def step(self) -> None:
        """Take a step of training."""
        self.loss().backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def turn(self) -> list[float]:
        """Take some steps, and return how many seconds the processor worked for each."""
        times: list[float] = []
        while len(times) < AT_LEAST or sum(times) < TURN:
            start = time.process_time()
            self.step()
            times.append(time.process_time() - start)
        return times

    def mebibytes(self) -> float:
        """Return the most memory that a step takes beyond what is there before it."""
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
            self.step()
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
    first = found[OURS]
    expected = {"loss": first.loss().detach(), "gradients": first.gradients()}
    for (who, way), each in found.items():
        for what in SAME.get(who, ()):
            given = each.loss().detach() if what == "loss" else each.gradients()
            apart = float((given - expected[what]).norm() / expected[what].norm())
            if apart > ROUNDING[what]:
                sys.exit(f"{who}, {way}, does not give the same {what}: {apart:.2g} apart")
    return found


def compared(found: Mapping[Key, Contender], rounds: int) -> Iterator[Row]:
    """Let all take turns, and yield a row for each library, in its faster arrangement."""
    for each in found.values():
        each.step()  # what comes first brings memory, and state of Adam, that stay
    times: dict[Key, list[float]] = {key: [] for key in found}
    for _ in range(rounds):
        taken: dict[Key, list[float]] = {key: [] for key in found}
        for key, each in [*found.items()] * TURNS:
            taken[key] += each.turn()
        for key in found:
            times[key].append(statistics.median(taken[key]))
    for who in dict.fromkeys(who for who, _ in found):
        mine = [key for key in found if key[0] == who]
        best = min(mine, key=lambda key: statistics.median(times[key]))
        ratios = [one / other for one, other in zip(times[best], times[OURS], strict=True)]
        yield {
            "who": who, "way": best[1], "ms": statistics.median(times[best]) * 1e3,
            "ratio": statistics.median(ratios), "least": min(ratios), "most": max(ratios),
            "mib": found[best].mebibytes(), "same": list(SAME.get(who, ())),
        }  # fmt: skip


def line(row: Row) -> str:
    """Return the line of a library in a network."""
    where = f"{row['network']:10}{row['steps']:4} steps  {row['who']:13}{row['way']:7}"
    ratio = f"{row['ratio']:6.2f} ({row['least']:.2f} to {row['most']:.2f})"
    same = " and ".join(row["same"]) or "nothing"
    checked = "" if row["who"] in ("ours", "relu") else f"  the same: {same}"
    return f"{where}{row['ms']:8.2f} ms {ratio} {row['mib']:7.1f} MiB{checked}"


def main() -> None:
    """Measure and print."""
    parser = record.new_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="default: 7")
    options = parser.parse_args()
    torch.set_num_threads(1)
    peers = [name for name in SAME if importlib.util.find_spec(name)]
    if missing := sorted(set(SAME) - set(peers)):
        sys.stdout.write(f"not installed, and not compared: {', '.join(missing)}\n")
    # From now on glibc keeps freed memory of this size, as in a process that has worked for a
    # while; else whether it gives it back depends on who came before.
    bytearray(ALLOCATOR)
    rows = []
    for name, case in CASES.items():
        for steps in case.steps:
            about = {"network": name, "steps": steps, "batch": BATCH}
            for row in compared(contenders(case, steps, peers), options.rounds):
                rows.append(about | row)
                sys.stdout.write(f"{line(rows[-1])}\n")
                sys.stdout.flush()
    if options.record:
        sys.stdout.write(f"kept in {record.save('network_speed', rows, peers)}\n")


if __name__ == "__main__":
    main()
