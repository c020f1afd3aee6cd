"""How well does a small spiking network read Fashion-MNIST, whole, beside what others published?

Trains a convolutional network on 55,000 images, with neurons, with ReLUs, and with ReLUs of as many
levels as there are counts of spikes; another 5,000 are for validation, and the 10,000 of the test
are read once, with the weights of the epoch that is best in validation. Each gets the same search:
three learning rates, on a subset, for fewer epochs, with three seeds that are used for no more.
It runs with the processor's own arithmetic, since the book's way would take hours: digits differ
between processors. A run takes about half an hour on one quiet processor. --again trains the first
network for two epochs, and compares them: exactly, if processor and PyTorch are those of the
record, and else closely.
The images are not downloaded: those of Debian's dataset-fashion-mnist, or of the folder that the
environment names in FASHION_MNIST.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from harness import TUNING, accuracy, epochs, parameters, record, study
from torch import nn
from torch.nn.functional import cross_entropy

from snn_docs import LIF, data, encoding
from snn_docs.conversion import Stairs
from snn_docs.sequential import Sequential
from snn_docs.surrogate import ArcTan

if TYPE_CHECKING:
    from collections.abc import Callable

    from record import Row
    from torch import Tensor

FOLDER = Path(os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))
SEEDS = (0, 1, 2)
RATES = (1e-3, 2e-3, 5e-3)
CHANNELS, HIDDEN = (16, 32), 128
STEPS = 4
BATCH = 64
VALIDATION = 5000  # images, of the 60,000 that are not for tests
SUBSET, TRIES = 10_000, 2  # images and epochs with which a learning rate is chosen
EPOCHS = 4
EARLY = 2  # epochs that are made twice
NEAR = 0.03  # how far accuracies of another processor may lie after so few epochs


def neuron() -> LIF:
    """Return the neurons of every layer."""
    return LIF(leak=0.1, reset="subtract", detach_reset=True, surrogate=ArcTan())


def layers(activation: Callable[[], nn.Module]) -> tuple[nn.Module, list[nn.Module]]:
    """Return what makes currents of an image, and what reads them."""
    few, many = CHANNELS
    first = nn.Sequential(
        nn.Conv2d(1, few, 3, padding=1, bias=False), nn.BatchNorm2d(few), nn.MaxPool2d(2)
    )
    return first, [
        activation(),
        nn.Conv2d(few, many, 3, padding=1, bias=False), nn.BatchNorm2d(many), nn.MaxPool2d(2),
        activation(), nn.Flatten(), nn.Linear(many * 7 * 7, HIDDEN),
        activation(), nn.Linear(HIDDEN, 10),
    ]  # fmt: skip


class Spiking(nn.Module):
    """Makes currents of an image once, shows them for some steps, takes the mean of the answers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, rest = layers(neuron)
        self.rest = Sequential(*rest)

    def forward(self, images: Tensor) -> Tensor:
        """Return ten scores for each image."""
        found: Tensor = self.rest(encoding.direct(self.first(images), STEPS)).mean(0)
        return found


def plain(activation: Callable[[], nn.Module]) -> nn.Module:
    """Return the same network of values."""
    first, rest = layers(activation)
    return nn.Sequential(first, *rest)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "ReLU": lambda: plain(nn.ReLU),
    "stairs": lambda: plain(lambda: Stairs(STEPS)),
    "SNN": Spiking,
}


class Part(NamedTuple):
    """Images, and what they show."""

    images: Tensor
    labels: Tensor


@functools.cache
def parts() -> dict[str, Part]:
    """Return the images; the subset lies in the training, which the split has shuffled."""
    try:
        split = data.fashion_mnist(FOLDER, validation=VALIDATION)
    except FileNotFoundError as error:
        sys.exit(f"{error}; on Debian, apt install dataset-fashion-mnist, or set FASHION_MNIST")
    return {
        "training": Part(split.train_inputs, split.train_labels),
        "subset": Part(split.train_inputs[:SUBSET], split.train_labels[:SUBSET]),
        "validation": Part(split.validation_inputs, split.validation_labels),
        "test": Part(split.test_inputs, split.test_labels),
    }


def share(network: nn.Module, part: Part) -> float:
    """Return which part of the images is read, by statistics that were learned."""
    network.eval()
    pieces = list(zip(part.images.split(250), part.labels.split(250), strict=True))
    read = sum(round(accuracy(network, *piece) * len(piece[1])) for piece in pieces)
    network.train()
    return read / len(part.labels)


def digest(network: nn.Module) -> str:
    """Name the weights by what they are."""
    weights = b"".join(each.detach().numpy().tobytes() for each in network.parameters())
    return hashlib.sha256(weights).hexdigest()[:16]


class Run:
    """The training of one network with one seed, epoch by epoch."""

    def __init__(self, network: str, rate: float, seed: int, part: Part, count: int) -> None:
        torch.manual_seed(seed)
        self.network, self.part = NETWORKS[network](), part
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=rate)
        steps = count * -(-len(part.labels) // BATCH)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, steps)
        self.optimizer.register_step_post_hook(lambda *_: schedule.step())
        self.curve: list[float] = []
        self.digests: list[str] = []
        self.best: dict[str, Tensor] = {}

    def go(self, stop: int) -> Run:
        """Train up to the end of an epoch."""

        def loss(chosen: Tensor) -> Tensor:
            return cross_entropy(self.network(self.part.images[chosen]), self.part.labels[chosen])

        for _ in epochs(loss, len(self.part.labels), self.optimizer, count=stop, batch=BATCH):
            self.curve.append(share(self.network, parts()["validation"]))
            self.digests.append(digest(self.network))
            if self.curve[-1] > max(self.curve[:-1], default=-1):
                self.best = {k: v.clone() for k, v in self.network.state_dict().items()}
        return self


def train(network: str, setting: Row, seed: int) -> Row:
    """Train a network: on the subset if its seed is for choosing, and else whole."""
    rate = setting["rate"]
    if seed in TUNING:
        run = Run(network, rate, seed, parts()["subset"], TRIES).go(TRIES)
        return {"validation": run.curve[-1]}
    run = Run(network, rate, seed, parts()["training"], EPOCHS).go(EPOCHS)
    run.network.load_state_dict(run.best)
    twice = early(network, rate, seed).digests if seed == SEEDS[0] else None
    return {
        "parameters": parameters(run.network), "seed": seed,
        "validation": max(run.curve), "epoch": run.curve.index(max(run.curve)) + 1,
        "test": share(run.network, parts()["test"]),
        "curve": run.curve, "early": run.digests[:EARLY], "twice": twice,
    }  # fmt: skip


def early(network: str, rate: float, seed: int) -> Run:
    """Make the first epochs of a whole run, and no more."""
    return Run(network, rate, seed, parts()["training"], EPOCHS).go(EARLY)


def again(row: Row) -> tuple[Row, Row]:
    """Return the first epochs of a network's first seed, as they were and as they are."""
    run = early(row["network"], row["chosen"]["rate"], row["seed"][0])
    here, made, known = record.machine(), row["made"], row["curve"][0][:EARLY]
    if all(here[key] == made[key] for key in ("cpu", "torch")):
        return {"curve": known, "early": row["early"][0]}, {
            "curve": run.curve, "early": run.digests
        }  # fmt: skip
    near = [abs(one - other) < NEAR for one, other in zip(run.curve, known, strict=True)]
    return {"near": [True] * EARLY}, {"near": near}


if __name__ == "__main__":
    settings = [{"rate": rate} for rate in RATES]
    study(
        __doc__, "fashion_mnist", dict.fromkeys(NETWORKS, settings), train,
        again=again, seeds=SEEDS,
    )  # fmt: skip
