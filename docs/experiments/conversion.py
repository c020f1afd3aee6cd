"""How does a converted network's accuracy grow with the steps that it is given, and its operations?

Trains a fully connected and a convolutional network of ReLUs on 28x28 digits, then replaces each
ReLU by an IF neuron: thresholds at the 99.9th percentile, and potentials from half the threshold.
Counts what goes along the connections after the first layer of weights: that one sees the same
image in every step, so it is reckoned once in both networks. With --record the figures are kept
beside it. A run takes about two minutes on one processor.
"""

from collections.abc import Callable
from itertools import product
from statistics import fmean
from typing import Any

import torch
from harness import Part, Row, accuracy, each, fit, right
from torch import Tensor, nn

from snn_docs import data, encoding
from snn_docs.conversion import convert, halfway
from snn_docs.costs import count_operations

STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 32, 64)
SEEDS = range(5)
EPOCHS, BATCH, RATE = 12, 64, 2e-3
PERCENTILE = 99.9
"""Of the activations, which is the threshold."""


def fully_connected() -> nn.Sequential:
    """Make a network of two hidden layers."""
    hidden = (nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU())
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(128, 10))


def convolutional() -> nn.Sequential:
    """Make a network of two convolutions, whose strides stand for pooling."""
    first, second = nn.Conv2d(1, 12, 5, stride=2), nn.Conv2d(12, 32, 5, stride=2)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Flatten(), nn.Linear(512, 10))


NETWORKS: dict[str, Callable[[], nn.Sequential]] = {
    "全結合": fully_connected,
    "畳み込み": convolutional,
}


def train(network: nn.Sequential, part: Part) -> None:
    """Train as any network of ReLUs is."""
    fit(network, part, RATE, count=EPOCHS, batch=BATCH)
    network.requires_grad_(requires_grad=False)


def operations(network: nn.Module, inputs: Tensor, *state: Any) -> float:  # noqa: ANN401
    """Return how many operations are not on 0 after the first layer of weights."""
    _, *costs = (cost for cost in count_operations(network, inputs, *state) if cost.dense)
    return float(sum(cost.nonzero for cost in costs))


def one(name: str, seed: int) -> Row:
    """Train and convert a network."""
    split = data.mnist(seed=seed, validation=500)
    torch.manual_seed(seed)
    network = NETWORKS[name]()
    train(network, split[:2])
    spiking = convert(network, split.train_inputs, percentile=PERCENTILE)
    images, labels = split.test_inputs, split.test_labels
    inputs, half = encoding.direct(images, max(STEPS)), halfway(spiking)
    sums = spiking.run(inputs, half)[0].cumsum(0)
    spent = [operations(spiking, inputs[:t], half) / len(images) for t in STEPS]
    return {
        "ann": accuracy(network, images, labels),
        "nonzero": operations(network, images) / len(images),
        "mended_accuracy": [right(sums[t - 1], labels) for t in STEPS],
        "mended_operations": spent,
    }


def measured(name: str) -> Row:
    """Return what a network reached."""
    runs = [one(name, seed) for seed in SEEDS]
    told: Row = {key: [run[key] for run in runs] for key in runs[0]}
    told["nonzero"] = fmean(told["nonzero"])
    told["mended_operations"] = [*map(fmean, zip(*told["mended_operations"], strict=True))]
    return {"network": name, "steps": list(STEPS), **told}


if __name__ == "__main__":
    each(__doc__, "conversion", product(NETWORKS), measured, ["torch", "mlxtend"])
