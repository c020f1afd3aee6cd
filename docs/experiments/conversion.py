"""How does a converted network's accuracy grow with the steps that it is given, and its operations?

Trains a fully connected and a convolutional network of ReLUs on 28x28 digits, then replaces each
ReLU by an IF neuron: thresholds at the 99.9th percentile, and potentials from half the threshold.
Counts what goes along the connections after the first layer of weights: that one sees the same
image in every step, so it is reckoned once in both networks. With --record the figures are kept
beside it. A run takes about two minutes on one processor.
"""

import copy
from collections.abc import Callable
from itertools import product
from statistics import fmean

import torch
from harness import Part, Row, each, fit, right
from torch import Tensor, nn

from snn_docs import IF, data
from snn_docs.conversion import convert

STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 32, 64)
SEEDS = range(5)
EPOCHS, BATCH, RATE = 12, 64, 2e-3
PERCENTILE, START = 99.9, 0.5
"""Of the activations, which is the threshold; and the part of it to start from."""


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


def fan_out(layer: nn.Module, x: Tensor) -> Tensor:
    """Return how often each step's and sample's values that are not 0 go along a connection."""
    ones = copy.deepcopy(layer)
    ones.weight.fill_(1.0)  # type: ignore[operator] # a tensor
    ones.bias.zero_()  # type: ignore[operator] # likewise
    arrived: Tensor = ones((x != 0).float())
    return arrived.flatten(1).sum(1)


def answer(network: nn.Sequential, images: Tensor) -> tuple[Tensor, float, float]:
    """Return a network of ReLUs' outputs, and its operations an image: all, and those not on 0."""
    x, dense, nonzero, first = images, 0.0, 0.0, True
    for layer in network:
        if isinstance(layer, nn.Linear | nn.Conv2d):
            if not first:
                dense += fan_out(layer, torch.ones_like(x[:1])).item()
                nonzero += fan_out(layer, x).mean().item()
            first = False
        x = layer(x)
    return x, dense, nonzero


def run(network: nn.Sequential, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the outputs' mean up to each step, and the operations an image up to it."""
    steps = max(STEPS)
    x, first, operations = images[None], True, torch.zeros(steps)
    for layer in network:
        if isinstance(layer, IF):
            inputs, zeros = x.expand(steps, *x.shape[1:]), torch.zeros_like(x[0])
            x, _ = layer.run(inputs, (zeros, zeros + START * layer.threshold))
            continue
        if isinstance(layer, nn.Linear | nn.Conv2d):
            if not first:
                operations += torch.stack([fan_out(layer, each).mean() for each in x])
            first = False
        x = torch.stack([layer(each) for each in x])
    counted = torch.arange(1, steps + 1).view(-1, 1, 1)
    return x.cumsum(0) / counted, operations.cumsum(0)


def one(name: str, seed: int) -> Row:
    """Train and convert a network."""
    split = data.mnist(seed=seed, validation=500)
    torch.manual_seed(seed)
    network = NETWORKS[name]()
    train(network, split[:2])
    outputs, dense, nonzero = answer(network, split.test_inputs)
    spiking = convert(network, split.train_inputs, percentile=PERCENTILE)
    means, operations = run(spiking, split.test_inputs)
    return {
        "ann": right(outputs, split.test_labels),
        "dense": dense,
        "nonzero": nonzero,
        "mended_accuracy": [right(means[t - 1], split.test_labels) for t in STEPS],
        "mended_operations": [operations[t - 1].item() for t in STEPS],
    }


def measured(name: str) -> Row:
    """Return what a network reached."""
    runs = [one(name, seed) for seed in SEEDS]
    told: Row = {key: [run[key] for run in runs] for key in runs[0]}
    for key in ("dense", "nonzero"):
        told[key] = fmean(told[key])
    told["mended_operations"] = [*map(fmean, zip(*told["mended_operations"], strict=True))]
    return {"network": name, "steps": list(STEPS), **told}


if __name__ == "__main__":
    each(__doc__, "conversion", product(NETWORKS), measured, ["torch", "mlxtend"])
