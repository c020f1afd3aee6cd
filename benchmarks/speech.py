"""Do spikes tell nine speakers apart by two vowels, and what do recurrence and adaptation add?

Trains networks with one hidden layer on JapaneseVowels: leaky neurons, with spikes that come back,
with thresholds that adapt, and a GRU, of about as many parameters, and a smaller network.
Each gets four settings, two learning rates by two of its own: leaks, or for the GRU the readout by
the mean or by the last step. The best in validation, the mean over three choices of 90 of the 270
sequences, on seeds that are used for nothing else, then trains with five other seeds on all 270;
the test is on the other 370.
With --record the figures are also kept in docs/_data/speech.json, which the book shows.
A run takes about four minutes on one processor.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import record
import torch
from torch.nn.functional import cross_entropy

from snn_docs import ALIF, LIF, Recurrent, data
from snn_docs.network import count
from snn_docs.sequential import Sequential
from snn_docs.surrogate import ArcTan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from record import Row
    from torch import Tensor

    from snn_docs.data import Sequences

EPOCHS, BATCH = 60, 30
RATES = (3e-3, 1e-2)
LEAKS = (0.1, 0.3)
SEEDS = range(5)
TUNING_SEEDS = (100, 101, 102)
COEFFICIENTS, SPEAKERS = 12, 9


class Spiking(torch.nn.Module):
    """Hidden neurons; a layer of weights reads how often each fires."""

    def __init__(self, hidden: int, leak: float, *, adaptive: bool, recurrent: bool) -> None:
        """Make the layers."""
        super().__init__()
        rule = {"leak": leak, "reset": "subtract", "detach_reset": True, "surrogate": ArcTan(1.0)}
        neuron: torch.nn.Module = (
            ALIF(adaptation=0.2, adaptation_leak=0.1, **rule) if adaptive else LIF(**rule)  # type: ignore[arg-type] # as the keys say
        )
        if recurrent:
            back = torch.nn.Linear(hidden, hidden, bias=False)
            torch.nn.init.orthogonal_(back.weight, gain=0.2)
            neuron = Recurrent(neuron, back)
        self.hidden = Sequential(torch.nn.Linear(COEFFICIENTS, hidden), neuron)
        self.last = torch.nn.Linear(hidden, SPEAKERS)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return a number for each speaker."""
        spikes: Tensor = self.hidden(inputs)
        answer: Tensor = self.last(count(spikes, lengths) / lengths[:, None])
        return answer


class Gated(torch.nn.Module):
    """A GRU, read by the mean of its states or by the last."""

    def __init__(self, hidden: int, readout: str) -> None:
        """Make the layers."""
        super().__init__()
        self.hidden, self.readout = torch.nn.GRU(COEFFICIENTS, hidden), readout
        self.last = torch.nn.Linear(hidden, SPEAKERS)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return a number for each speaker."""
        states, _ = self.hidden(inputs)
        if self.readout == "mean":
            read = count(states, lengths) / lengths[:, None]
        else:
            read = states[lengths - 1, torch.arange(len(lengths))]
        answer: Tensor = self.last(read)
        return answer


def spiking(
    hidden: int, *, adaptive: bool = False, recurrent: bool = False
) -> Callable[..., Spiking]:
    """Return what makes such a network for a leak."""
    return lambda leak: Spiking(hidden, leak, adaptive=adaptive, recurrent=recurrent)


NETWORKS: dict[str, tuple[Callable[..., torch.nn.Module], tuple[float | str, ...]]] = {
    "LIF（小）": (spiking(128), LEAKS),
    "LIF": (spiking(214), LEAKS),
    "ALIF": (spiking(214, adaptive=True), LEAKS),
    "GRU": (lambda readout: Gated(32, readout), ("mean", "last")),
    "LIF＋再帰": (spiking(58, recurrent=True), LEAKS),
}


def accuracy(network: torch.nn.Module, inputs: Tensor, lengths: Tensor, labels: Tensor) -> float:
    """Return which part of the answers is right."""
    with torch.no_grad():
        return float((network(inputs, lengths).argmax(1) == labels).float().mean())


def train(network: torch.nn.Module, split: Sequences, rate: float) -> None:
    """Train for all epochs."""
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(split.train_labels)).split(BATCH):
            answers = network(split.train_inputs[:, chosen], split.train_lengths[chosen])
            loss = cross_entropy(answers, split.train_labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def validated(make: Callable[..., torch.nn.Module], setting: float | str, rate: float) -> float:
    """Return what a setting reaches in validation."""
    reached = []
    for seed in TUNING_SEEDS:
        split = data.vowels(seed=seed, validation=90)
        torch.manual_seed(seed)
        network = make(setting)
        train(network, split, rate)
        held = split.validation_inputs, split.validation_lengths, split.validation_labels
        reached.append(accuracy(network, *held))
    return sum(reached) / len(reached)


def rows() -> Iterator[Row]:
    """Yield what each network reached."""
    split = data.vowels()
    test = split.test_inputs, split.test_lengths, split.test_labels
    for name, (make, own) in NETWORKS.items():
        settings = list(product(own, RATES))
        tried = [validated(make, *setting) for setting in settings]
        setting, rate = settings[tried.index(max(tried))]
        reached = []
        for seed in SEEDS:
            torch.manual_seed(seed)
            network = make(setting)
            train(network, split, rate)
            reached.append(accuracy(network, *test))
        yield {
            "network": name,
            "parameters": sum(each.numel() for each in network.parameters()),
            "setting": setting,
            "rate": rate,
            "validation": max(tried),
            "test": reached,
        }


def show(row: Row) -> str:
    """Return a setting, and what it reached."""
    tests = " ".join(f"{value:.3f}" for value in row["test"])
    told = f"{row['setting']} {row['rate']}  validation {row['validation']:.3f}  test {tests}"
    return f"{row['network']} {row['parameters']} {told}"


if __name__ == "__main__":
    record.run(__doc__, "speech", rows, show, ["torch", "aeon"])
