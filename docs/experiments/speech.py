"""Which steps of a voice of unequal length should be read, and does a network need their order?

Trains networks with one hidden layer on JapaneseVowels. First one of leaky neurons that differs in
nothing but what is read of its spikes: the last step of the padding, the last one of the voice, the
mean with the padding or without; each is also tested with twice as much padding. Then one that
learns and hears the steps of every voice in random order, and a linear classifier of the mean. At
last networks of about as many parameters, with larger hidden layers, with spikes that come back,
with thresholds that adapt, and a GRU. Each gets four settings, two learning rates by two of its
own: leaks, or for the GRU the readout by the mean or by the last step; the linear classifier four
strengths of its penalty. The best in validation, the mean over three choices of 90 of the 270
sequences, on seeds that are used for nothing else, then trains with five other seeds on all 270;
the test is on the other 370. With --record the figures are kept beside it. A run takes about six
minutes on one processor.
"""

from collections.abc import Callable, Iterator
from functools import partial
from statistics import fmean
from typing import Any, NamedTuple

import harness
import torch
from harness import (
    SEEDS,
    TUNING,
    Chain,
    Row,
    accuracy,
    best,
    gated,
    grid,
    parameters,
    record,
    tuned,
)
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from torch import Tensor
from torch.nn.functional import cross_entropy

from snn_docs import ALIF, LIF, Recurrent, data
from snn_docs.network import count
from snn_docs.sequential import Sequential
from snn_docs.surrogate import ArcTan

EPOCHS, BATCH = 60, 30
RATES = (3e-3, 1e-2)
LEAKS = (0.1, 0.3)
HELD = 90
"""Sequences of the training that choose settings."""
PENALTIES = (0.01, 0.1, 1.0, 10.0)
COEFFICIENTS, SPEAKERS = 12, 9
SMALL, LARGE, LOOPED, GATED = 128, 214, 58, 32
"""Neurons: few, and as many as give each network about as many parameters."""


def last(spikes: Tensor, lengths: Tensor) -> Tensor:  # noqa: ARG001 - as the others
    """Read the last step, which for most voices is padding."""
    return spikes[-1]


def end(spikes: Tensor, lengths: Tensor) -> Tensor:
    """Read the last step of each voice."""
    return spikes[lengths - 1, torch.arange(len(lengths))]


def padded(spikes: Tensor, lengths: Tensor) -> Tensor:  # noqa: ARG001 - as the others
    """Read the mean over all steps, with the padding."""
    return spikes.mean(0)


def mean(spikes: Tensor, lengths: Tensor) -> Tensor:
    """Read the mean over each voice."""
    return count(spikes, lengths) / lengths[:, None]


Read = Callable[[Tensor, Tensor], Tensor]
Voices = tuple[Tensor, Tensor, Tensor]  # inputs, lengths, labels


class Reader(torch.nn.Module):
    """A hidden layer; a layer of weights reads some of what it gives."""

    def __init__(self, hidden: torch.nn.Module, units: int, read: Read) -> None:
        """Make the last layer."""
        super().__init__()
        self.hidden, self.read = hidden, read
        self.last = torch.nn.Linear(units, SPEAKERS)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return a number for each speaker."""
        answer: Tensor = self.last(self.read(self.hidden(inputs), lengths))
        return answer


class Contestant(NamedTuple):
    """What makes a network of a setting, what may be chosen, and whether it hears the order."""

    make: Callable[..., torch.nn.Module]
    settings: tuple[float | str, ...] = LEAKS
    scrambled: bool = False


def spiking(
    units: int, leak: float, *, adaptive: bool = False, recurrent: bool = False, read: Read = mean
) -> Reader:
    """Return a network of spiking neurons."""
    rule: Any = {"leak": leak, "reset": "subtract", "detach_reset": True, "surrogate": ArcTan(1.0)}
    neuron: torch.nn.Module = LIF(**rule)
    if adaptive:
        neuron = ALIF(adaptation=0.2, adaptation_leak=0.1, **rule)
    if recurrent:
        back = torch.nn.Linear(units, units, bias=False)
        torch.nn.init.orthogonal_(back.weight, gain=0.2)
        neuron = Recurrent(neuron, back)
    return Reader(Sequential(torch.nn.Linear(COEFFICIENTS, units), neuron), units, read)


def gru(readout: str) -> Reader:
    """Return a GRU, read by the mean of its states or by the last."""
    return Reader(Chain(gated(COEFFICIENTS, GATED)), GATED, {"mean": mean, "last": end}[readout])


NETWORKS = {
    "最後の1ステップを読む": Contestant(partial(spiking, SMALL, read=last)),
    "声の終わりの1ステップを読む": Contestant(partial(spiking, SMALL, read=end)),
    "パディングごと平均する": Contestant(partial(spiking, SMALL, read=padded)),
    "声だけを平均する": Contestant(partial(spiking, SMALL)),
    "声だけを平均する（順番はばらばら）": Contestant(partial(spiking, SMALL), scrambled=True),
    "LIF": Contestant(partial(spiking, LARGE)),
    "ALIF": Contestant(partial(spiking, LARGE, adaptive=True)),
    "GRU": Contestant(gru, ("mean", "last")),
    "LIF＋再帰": Contestant(partial(spiking, LOOPED, recurrent=True)),
}


def scrambled(inputs: Tensor, lengths: Tensor) -> Tensor:
    """Return the voices with their steps in random order, and the padding where it was."""
    keys = torch.rand(inputs.shape[:2]) + (torch.arange(len(inputs))[:, None] >= lengths)
    return inputs.take_along_dim(keys.argsort(0)[:, :, None], 0)


def heard(network: Contestant, seed: int, validation: int = 0) -> list[Voices]:
    """Return the training, the test and the validation as heard, and begin the random numbers."""
    split = data.vowels(seed=seed, validation=validation)
    torch.manual_seed(seed)
    parts = [split[:3], split[3:6], split[6:]]
    if network.scrambled:
        parts = [(scrambled(*part[:2]), *part[1:]) for part in parts]
    return parts


def trained(name: str, contestant: Contestant) -> Row:
    """Choose a network's settings, and return what they reach on fresh seeds."""

    def fit(setting: Row, seed: int) -> Row:
        known, test, held = heard(contestant, seed, HELD if seed in TUNING else 0)
        inputs, lengths, labels = known
        network = contestant.make(setting["own"])

        def loss(chosen: Tensor) -> Tensor:
            return cross_entropy(network(inputs[:, chosen], lengths[chosen]), labels[chosen])

        harness.train(network, loss, len(labels), setting["rate"], count=EPOCHS, batch=BATCH)
        if seed in TUNING:
            return {"validation": accuracy(network, *held)}
        twice = torch.cat([test[0], torch.zeros_like(test[0])])
        return {
            "parameters": parameters(network),
            "test": accuracy(network, *test),
            "longer": accuracy(network, twice, *test[1:]),
        }

    settings = grid(own=contestant.settings, rate=RATES)
    chosen, tried, runs = tuned(settings, fit, TUNING, SEEDS)
    return {
        "network": name,
        "parameters": runs["parameters"][0],
        "setting": chosen["own"],
        "rate": chosen["rate"],
        "validation": max(tried),
        "test": runs["test"],
        "longer": runs["longer"],
    }


def linear() -> Row:
    """Return what a linear classifier of each voice's mean reaches; it has no seeds."""

    def fitted(penalty: float, known: Voices, asked: Voices) -> float:
        ours, others = (
            ((inputs.sum(0) / lengths[:, None]).numpy(), labels.numpy())
            for inputs, lengths, labels in (known, asked)
        )
        return float(LogisticRegression(C=penalty, max_iter=1000).fit(*ours).score(*others))

    splits = [data.vowels(seed=seed, validation=HELD) for seed in TUNING]
    held = lambda penalty: fmean(fitted(penalty, each[:3], each[6:]) for each in splits)  # noqa: E731
    chosen, tried = best(PENALTIES, held)
    whole = data.vowels()
    return {
        "network": "時間の平均とロジスティック回帰",
        "parameters": SPEAKERS * (COEFFICIENTS + 1),
        "setting": chosen,
        "validation": max(tried),
        "test": [fitted(chosen, whole[:3], whole[3:6])],
    }


def rows() -> Iterator[Row]:
    """Yield what each network reached."""
    yield linear()
    for name, contestant in NETWORKS.items():
        yield trained(name, contestant)


if __name__ == "__main__":
    record.run(__doc__, "speech", rows, libraries=["torch", "aeon", "scikit-learn"])
