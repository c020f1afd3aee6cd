"""What do neurons lose without a reset, and what do they gain with a learnt matrix of steps?

Trains networks of one hidden layer: with a reset, without one, and with a learnt matrix of steps
times steps (a parallel spiking neuron), which sees all steps or only those that have been, or has
the same numbers in each step (a sliding one), as many as the training has steps.
Tasks: `data.delayed_match` after a silence of 30 steps, until validation was right in three epochs
in a row, and the 8x8 digits, shown for eight steps. Each network gets four learning rates; the best
in validation, on the mean of three seeds, and the sooner of equals, then trains with five others.
The test accuracy is that of the epoch that was best in validation. What has learned the silence is
also tested at 35 steps, where its neurons can be of any number of steps.
With --record the figures are kept beside it. A run takes about a quarter of an hour on one
processor.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from harness import Chain, Part, Row, accuracy, faded, fit_best, grid, matching, pairs, study
from torch import Tensor

from snn_docs import LIF, data
from snn_docs.surrogate import ArcTan

SPIKE = ArcTan()
RATES = (3e-3, 1e-2, 3e-2, 1e-1)
SILENCE, LONGER = 30, 5
"""How long the silence is, and by how many steps longer in the last test."""
SLOW, LASTING = 0.2, 0.0
"""The leaks of the networks that are trained."""
BATCH, HIDDEN = 128, 64
SOLVED = 0.99
"""A memory is there when validation was at least this good, three epochs in a row."""


def decays(steps: int, kept: float) -> Tensor:
    """Return, by step and by step of the input, which part of an input is left."""
    lags = torch.arange(steps)[:, None] - torch.arange(steps)
    left: Tensor = kept ** lags.clamp(min=0)
    return left.tril()


class Potentials(torch.nn.Module):
    """Neurons without reset: what is left of each input, and when they fire, is fixed or learnt."""

    def __init__(
        self, steps: int, leak: float | None, *, learnt: bool = False, causal: bool = False
    ) -> None:
        """Begin with a leak, or with random numbers, as linear layers do."""
        super().__init__()
        weight = torch.nn.Linear(steps, steps).weight.detach()
        if leak is not None:
            weight = decays(steps, 1 - leak).clone()
        self.weight = torch.nn.Parameter(weight, requires_grad=learnt)
        self.threshold = torch.nn.Parameter(torch.ones(steps, 1, 1), requires_grad=learnt)
        self.causal = causal

    def forward(self, currents: Tensor) -> tuple[Tensor, None]:
        """Return the spikes of all steps, and no state."""
        weight = self.weight.tril() if self.causal else self.weight
        return SPIKE(torch.tensordot(weight, currents, 1) - self.threshold), None

    def of_other_length(self, steps: int) -> bool:
        """Become neurons of another number of steps, if nothing was learnt step by step."""
        if self.weight.requires_grad:
            return False
        kept = float(self.weight[1, 0])
        self.weight.data, self.threshold.data = decays(steps, kept), torch.ones(steps, 1, 1)
        return True


class Sliding(torch.nn.Module):
    """Neurons without reset: what is left of an input depends on its age alone, and is learnt."""

    def __init__(self, order: int, leak: float) -> None:
        """Begin with a leak; inputs that are older than the order do not count."""
        super().__init__()
        self.weight = torch.nn.Parameter((1 - leak) ** torch.arange(order))
        self.threshold = torch.nn.Parameter(torch.ones(()))

    def forward(self, currents: Tensor) -> tuple[Tensor, None]:
        """Return the spikes of all steps, of which there may be any number, and no state."""
        steps, order = len(currents), len(self.weight)
        ages = torch.arange(steps)[:, None] - torch.arange(steps)
        counts = (ages >= 0) & (ages < order)
        matrix = self.weight[ages.clamp(0, order - 1)] * counts
        return SPIKE(torch.tensordot(matrix, currents, 1) - self.threshold), None


def with_reset(_: int, leak: float) -> LIF:
    """Return neurons with a reset."""
    return LIF(leak=leak, reset="subtract", surrogate=SPIKE)


NEURONS: dict[str, Callable[[int], torch.nn.Module]] = {
    "reset 0.2": partial(with_reset, leak=SLOW),
    "reset 0": partial(with_reset, leak=LASTING),
    "free 0.2": partial(Potentials, leak=SLOW),
    "free 0": partial(Potentials, leak=LASTING),
    "learnt": partial(Potentials, leak=SLOW, learnt=True),
    "learnt, random": partial(Potentials, leak=None, learnt=True),
    "learnt, causal": partial(Potentials, leak=SLOW, learnt=True, causal=True),
    "learnt, sliding": partial(Sliding, leak=SLOW),
}


class Task(NamedTuple):
    """Data, how long to train, and what the readout keeps in each step."""

    parts: Callable[[int], list[Part]]
    epochs: int
    kept: float
    until: float
    """Training ends when validation was at least this good for some epochs."""


def written(seed: int) -> list[Part]:
    """Return the digits, shown for eight steps."""
    split = data.digits(seed=seed, validation=360)
    return [(x.expand(8, -1, -1), y) for x, y in pairs(split)]


TASKS = {
    "match": Task(partial(matching, SILENCE), epochs=80, kept=0.8, until=SOLVED),
    "digits": Task(written, epochs=25, kept=1.0, until=float("inf")),
}


def stretched(network: Chain, neuron: torch.nn.Module, seed: int) -> Row:
    """Return which part is right when the silence is longer than in training, if it may be."""
    inputs, labels = matching(SILENCE + LONGER, seed)[2]
    if isinstance(neuron, Potentials) and not neuron.of_other_length(len(inputs)):
        return {}
    return {"longer": accuracy(network, inputs, labels)}


def train(name: str, setting: Row, seed: int) -> Row:
    """Return what the epoch that was best in validation reached there and in the test."""
    kind, told = name.split(" ", 1)
    task = TASKS[kind]
    parts = task.parts(seed)
    inputs, labels = parts[0]
    torch.manual_seed(seed)
    neuron = NEURONS[told](len(inputs))
    hidden = Chain(torch.nn.Linear(inputs.shape[2], HIDDEN), neuron)
    last = torch.nn.Linear(HIDDEN, int(labels.max()) + 1)
    network = Chain(hidden, last, partial(faded, kept=task.kept))  # adds up, and forgets
    best = fit_best(
        network, parts, setting["rate"], count=task.epochs, batch=BATCH, until=task.until
    )
    with torch.no_grad():
        best["fired"] = float(hidden(parts[2][0]).mean())
    best["merit"] = best["validation"] - best["epochs"] / 10_000  # the sooner of equals
    best["learnt"] = sum(each.numel() for each in neuron.parameters() if each.requires_grad)
    return best | (stretched(network, neuron, seed) if kind == "match" else {})


NETWORKS = {f"{task} {neuron}": grid(rate=RATES) for task in TASKS for neuron in NEURONS}

if __name__ == "__main__":
    study(__doc__, "psn", NETWORKS, train, by="merit")
