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

import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import clock
import record
import torch
from peers import INSTALLED, Cell, Rule, cell
from record import Row
from torch import Tensor
from torch.nn import Conv2d, Flatten, Linear, MaxPool2d, Module, ModuleList
from torch.nn.functional import cross_entropy

from snn_docs import Recurrent, Sequential

BATCH, RATE = 64, 0.3
RULE = Rule("zero", detach_reset=True, derivative="arctan", leak=0.1)
RULES = {"norse": RULE._replace(derivative="triangle")}
"""What a library has that has no arctangent: the fastest of its derivatives."""
GAIN = 2
"""So many times larger than torch draws them are the weights, so that every layer fires."""
LEARNING_RATE = 1e-7  # the networks stay the same, however many steps are measured
ROUNDS, TURN = 7, 0.5
"""In a round each works for at least so many seconds."""
ROUNDING = {"loss": 1e-3, "gradients": 1e-2}
"""How far, in parts of the whole, two may be apart that round elsewhere: a potential right at the
threshold fires on one side only."""
MIB = 2**20


Key = tuple[str, str]  # who, and in which arrangement
OURS: Key = ("ours", "layers")
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


def ours(case: Case, rule: Rule = RULE) -> Module:
    """Return the network as this package writes it."""

    def made(layer: Module) -> Module:
        if not isinstance(layer, Neurons):
            return layer
        return rule.neuron() if layer.back is None else Recurrent(rule.neuron(), layer.back)

    return Sequential(*map(made, drawn(case)))


def arrangements(case: Case, who: str) -> dict[str, Module]:
    """Return the ways in which a library, or ReLU, can go through a network."""

    def made() -> list[Module]:
        layers = drawn(case)
        if who == "norse":
            weigh(layers, 1 / RULE.leak)
        rule = RULES.get(who, RULE)
        return [
            cell(who, rule, each.back) if isinstance(each, Neurons) else each for each in layers
        ]

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
            expected = Contender(ours(case, RULES.get(who, RULE)), inputs, labels)
            check(f"{who}, {way}", each, expected)
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
        works = {key: getattr(each, work) for key, each in found.items()}
        times = clock.rounds_of(works, rounds, at_least=2, turn=TURN)
        for who in dict.fromkeys(who for who, _ in found):
            mine = [key for key in found if key[0] == who]
            best = min(mine, key=lambda key: statistics.median(times[key]))
            row = {"pass": work, "who": who, **clock.ratios(times[best], times[OURS])}
            if work == "training":
                row["mib"] = clock.most_memory(found[best].training) / MIB
            yield row


def rows() -> Iterator[Row]:
    """Yield who takes how long, in each network and for each number of steps."""
    clock.keep_memory()
    for name, case in CASES.items():
        for steps in case.steps:
            for row in compared(contenders(case, steps, INSTALLED), ROUNDS):
                yield {"network": name, "steps": steps, **row}


if __name__ == "__main__":
    record.run(__doc__, "network_speed", rows, libraries=INSTALLED)
