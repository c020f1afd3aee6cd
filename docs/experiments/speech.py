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
from statistics import fmean
from typing import NamedTuple

import harness
import torch
from harness import SEEDS, TUNING, Row, accuracy, best, grid, parameters, record, tuned
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from torch import Tensor
from torch.nn.functional import cross_entropy

from snn_docs import ALIF, LIF, Recurrent, data
from snn_docs.data import Sequences
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


class Spiking(torch.nn.Module):
    """Hidden neurons; a layer of weights reads some of their spikes."""

    def __init__(
        self,
        hidden: int,
        leak: float,
        *,
        adaptive: bool,
        recurrent: bool,
        read: Callable[[Tensor, Tensor], Tensor],
    ) -> None:
        """Make the layers."""
        super().__init__()
        self.read = read
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
        answer: Tensor = self.last(self.read(self.hidden(inputs), lengths))
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
        answer: Tensor = self.last(
            mean(states, lengths) if self.readout == "mean" else end(states, lengths)
        )
        return answer


class Contestant(NamedTuple):
    """What makes a network of a setting, what may be chosen, and whether it hears the order."""

    make: Callable[..., torch.nn.Module]
    settings: tuple[float | str, ...] = LEAKS
    scrambled: bool = False


def spiking(
    hidden: int,
    *,
    adaptive: bool = False,
    recurrent: bool = False,
    read: Callable[[Tensor, Tensor], Tensor] = mean,
) -> Callable[..., Spiking]:
    """Return what makes such a network for a leak."""
    return lambda leak: Spiking(hidden, leak, adaptive=adaptive, recurrent=recurrent, read=read)


NETWORKS = {
    "最後の1ステップを読む": Contestant(spiking(SMALL, read=last)),
    "声の終わりの1ステップを読む": Contestant(spiking(SMALL, read=end)),
    "パディングごと平均する": Contestant(spiking(SMALL, read=padded)),
    "声だけを平均する": Contestant(spiking(SMALL)),
    "声だけを平均する（順番はばらばら）": Contestant(spiking(SMALL), scrambled=True),
    "LIF": Contestant(spiking(LARGE)),
    "ALIF": Contestant(spiking(LARGE, adaptive=True)),
    "GRU": Contestant(lambda readout: Gated(GATED, readout), ("mean", "last")),
    "LIF＋再帰": Contestant(spiking(LOOPED, recurrent=True)),
}


def scrambled(inputs: Tensor, lengths: Tensor) -> Tensor:
    """Return the voices with their steps in random order, and the padding where it was."""
    keys = torch.rand(inputs.shape[:2]) + (torch.arange(len(inputs))[:, None] >= lengths)
    return inputs.take_along_dim(keys.argsort(0)[:, :, None], 0)


def train(network: torch.nn.Module, split: Sequences, rate: float) -> None:
    """Train for all epochs."""

    def loss(chosen: Tensor) -> Tensor:
        answers = network(split.train_inputs[:, chosen], split.train_lengths[chosen])
        return cross_entropy(answers, split.train_labels[chosen])

    harness.train(network, loss, len(split.train_labels), rate, count=EPOCHS, batch=BATCH)


def heard(network: Contestant, seed: int, validation: int = 0) -> Sequences:
    """Return the voices as a network hears them, and begin its random numbers."""
    split = data.vowels(seed=seed, validation=validation)
    torch.manual_seed(seed)
    if not network.scrambled:
        return split
    parts = ("train", "test", "validation")
    named = split._asdict()
    return split._replace(
        **{
            f"{part}_inputs": scrambled(named[f"{part}_inputs"], named[f"{part}_lengths"])
            for part in parts
            if len(named[f"{part}_lengths"])
        }
    )


def trained(name: str, contestant: Contestant) -> Row:
    """Choose a network's settings, and return what they reach on fresh seeds."""

    def fit(setting: Row, seed: int) -> Row:
        validation = HELD if seed in TUNING else 0
        split = heard(contestant, seed, validation)
        network = contestant.make(setting["own"])
        train(network, split, setting["rate"])
        if validation:
            held = split.validation_inputs, split.validation_lengths, split.validation_labels
            return {"validation": accuracy(network, *held)}
        told = split.test_lengths, split.test_labels
        twice = torch.cat([split.test_inputs, torch.zeros_like(split.test_inputs)])
        return {
            "parameters": parameters(network),
            "test": accuracy(network, split.test_inputs, *told),
            "longer": accuracy(network, twice, *told),
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

    def fitted(penalty: float, split: Sequences, part: str) -> float:
        named = split._asdict()
        (known, labels), (asked, answers) = (
            (
                (named[f"{each}_inputs"].sum(0) / named[f"{each}_lengths"][:, None]).numpy(),
                named[f"{each}_labels"].numpy(),
            )
            for each in ("train", part)
        )
        line = LogisticRegression(C=penalty, max_iter=1000).fit(known, labels)
        return float(line.score(asked, answers))

    splits = [data.vowels(seed=seed, validation=HELD) for seed in TUNING]
    held = lambda penalty: fmean(fitted(penalty, split, "validation") for split in splits)  # noqa: E731
    chosen, tried = best(PENALTIES, held)
    return {
        "network": "時間の平均とロジスティック回帰",
        "parameters": SPEAKERS * (COEFFICIENTS + 1),
        "setting": chosen,
        "validation": max(tried),
        "test": [fitted(chosen, data.vowels(), "test")],
    }


def rows() -> Iterator[Row]:
    """Yield what each network reached."""
    yield linear()
    for name, contestant in NETWORKS.items():
        yield trained(name, contestant)


if __name__ == "__main__":
    record.run(__doc__, "speech", rows, libraries=["torch", "aeon", "scikit-learn"])
