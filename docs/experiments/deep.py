"""What makes seven layers learn, and what tells so before training?

Trains the chapter's seven layers on the digits: as they come, with larger weights, a bias, batch
normalisation, a shortcut, and steeper or flatter surrogates, with Adam, which rescales each
gradient, and with SGD, which does not. Each pair gets the learning rate that did best in validation
on a seed that is used for nothing else, then trains with five others. Beside the accuracies in
tests stand what was measured before training, in each layer: how large its gradient is, and how
many images are told right by its counts of spikes alone, if the answer is the digit whose mean
counts, taken from the other half of the images, are nearest. With --record the figures are kept
beside it. A run takes about three minutes on one processor.
"""

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import NamedTuple

import torch
from harness import Row, each, fit, reached, right, tuned
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from snn_docs import IF, data
from snn_docs.surrogate import ArcTan

LAYERS, WIDTH, STEPS = 7, 64, 8
EPOCHS, LONG, BATCH = 8, 32, 64
SEEDS = range(5)
TUNING_SEED = 100
RATES = {"Adam": (1e-3, 5e-3), "SGD": (0.1, 1.0)}
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "Adam": torch.optim.Adam,
    "SGD": partial(torch.optim.SGD, momentum=0.9),
}
LARGE = 12**0.5
ALSO = ("バイアス+0.5", "重み√12倍", "重み√12倍、傾き4")
"""Ways that are tried with SGD, too."""
SLOW = ("既定の初期値", "バイアス+0.5")
"""Ways that are also given more epochs."""


class Way(NamedTuple):
    """How the layers are made."""

    scale: float = 1.0
    bias: float = 0.0
    norm: bool = False
    skip: bool = False
    slope: float = 1.0
    detach: bool = False


WAYS = {
    "既定の初期値": Way(),
    "バイアス+0.5": Way(bias=0.5),
    "重み√12倍": Way(scale=LARGE),
    "重み√12倍、傾き4": Way(scale=LARGE, slope=4.0),
    "重み√12倍、傾き4、切り離し": Way(scale=LARGE, slope=4.0, detach=True),
    "正規化": Way(norm=True),
    "近道": Way(skip=True),
}


class Deep(nn.Module):
    """Seven layers of weights and neurons, and one of weights that reads the last one's rates."""

    def __init__(self, way: Way) -> None:
        """Make the layers."""
        super().__init__()
        self.skip = way.skip
        self.neuron = IF(surrogate=ArcTan(way.slope), detach_reset=way.detach)
        self.linears = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(LAYERS))
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(WIDTH) if way.norm else nn.Identity() for _ in range(LAYERS)
        )
        for linear in self.linears:
            linear.get_parameter("weight").data *= way.scale
            linear.get_parameter("bias").data += way.bias
        self.last = nn.Linear(WIDTH, 10)

    def given(self, images: Tensor) -> list[Tensor]:
        """Return what each layer gives to the next."""
        s = images.expand(STEPS, -1, -1)
        given: list[Tensor] = []
        for linear, norm in zip(self.linears, self.norms, strict=True):
            current = norm(linear(s.flatten(0, 1))).unflatten(0, (STEPS, -1))
            spikes, _ = self.neuron.run(current)
            s = spikes + s if self.skip and given else spikes
            given.append(s)
        return given

    def forward(self, images: Tensor) -> Tensor:
        """Return the scores."""
        scores: Tensor = self.last(self.given(images)[-1]).mean(0)
        return scores


def train(way: Way, name: str, rate: float, seed: int, epochs: int = EPOCHS) -> Row:
    """Train, and return the accuracy in validation and in tests after the last epoch."""
    split = data.digits(validation=360)
    torch.manual_seed(seed)
    network = Deep(way)
    fit(network, split[:2], rate, count=epochs, batch=BATCH, by=OPTIMIZERS[name])
    return reached(network.eval(), split)


def readable(counts: Tensor, labels: Tensor) -> float:
    """Return how many are told right by the nearest mean of the counts of the other half."""
    kinds, half, told = labels.unique(), labels.argsort(stable=True).argsort() % 2 == 0, 0.0
    for part in (half, ~half):
        means = torch.stack([counts[part & (labels == kind)].mean(0) for kind in kinds])
        told += right(-torch.cdist(counts[~part], means), labels[~part]) / 2
    return told


def before(way: Way) -> Row:
    """Return what is measured before training: a list of the layers for each seed."""
    split = data.digits(validation=360)
    found: Row = {"readable": [], "gradients": []}
    for seed in SEEDS:
        torch.manual_seed(seed)
        network = Deep(way)
        given = network.given(split.train_inputs)
        cross_entropy(network.last(given[-1]).mean(0), split.train_labels).backward()
        counts = [each.detach().sum(0) for each in given]
        weights = [linear.get_parameter("weight") for linear in network.linears]
        found["readable"].append([readable(each, split.train_labels) for each in counts])
        found["gradients"].append([float(each.grad.norm()) for each in weights])  # type: ignore[union-attr] # there is one
    return found


def measured(told: str, name: str) -> Row:
    """Return what a way reached with an optimizer."""
    rates, way = RATES[name], WAYS[told]
    run = partial(train, way, name)
    rate, _, runs = tuned(rates, run, [TUNING_SEED], SEEDS)
    row: Row = {"way": told, "optimizer": name, "rates": list(rates), "rate": rate}
    row["test"] = runs["test"]
    if name == "Adam" and told in SLOW:
        row["long"] = [run(rate, seed, LONG)["test"] for seed in SEEDS]
    return row | before(way)


if __name__ == "__main__":
    places = [place for place in product(WAYS, RATES) if place[1] == "Adam" or place[0] in ALSO]
    each(__doc__, "deep", places, measured, ["torch", "scikit-learn"])
