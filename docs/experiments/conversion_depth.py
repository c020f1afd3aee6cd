"""How many steps does a converted network need, the deeper it is, and why?

Trains fully connected networks of ReLUs on 28x28 digits, with 2, 4 and 8 hidden layers, and
replaces each ReLU, without training again, in three ways that start from half a step:

- spikes: an IF neuron that fires T steps;
- waiting: a ReLU of T + 1 levels, which is what an IF neuron answers if it waits until all that
  comes in T steps is there, so that the order of spikes, the unevenness, is taken away;
- bits: a ReLU of as many levels as the bits hold that write a count of T, ceil(log2(T + 1)).

Each way gets the percentile of the activations, its threshold, that did best in validation, for
each T, depth and seed. With --record the figures are kept beside it. A run takes about four minutes
on one processor.
"""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise, product

import torch
from conversion import train
from harness import Part, Row, accuracy, best, each, pairs, right
from torch import Tensor, nn

from snn_docs import IF, data

DEPTHS = (2, 4, 8)
STEPS = (1, 2, 4, 8, 16, 32)
PERCENTILES = (90.0, 95.0, 98.0, 99.0, 99.9, 100.0)
SEEDS = range(5)
WIDTH = 128
CALIBRATION = 1000  # images of the training data that the thresholds are taken from


def build(depth: int) -> nn.Sequential:
    """Make a network of ReLUs."""
    sizes = [784] + depth * [WIDTH]
    layers: list[nn.Module] = []
    for pair in pairwise(sizes):
        layers += [nn.Linear(*pair), nn.ReLU()]
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(WIDTH, 10))


def thresholds(network: nn.Sequential, images: Tensor) -> dict[float, list[float]]:
    """Return each ReLU's threshold for each percentile."""
    x = images
    found: dict[float, list[float]] = {each: [] for each in PERCENTILES}
    for layer in network:
        x = layer(x)
        if isinstance(layer, nn.ReLU):
            for percentile, heights in found.items():
                heights.append(float(torch.quantile(x, percentile / 100)))
    return found


def quantised(x: Tensor, height: float, levels: int) -> Tensor:
    """Return a ReLU's value on the nearest of levels from 0 to its height."""
    return (x / height * levels + 0.5).floor().clamp(0, levels) / levels * height


def levels(network: nn.Sequential, heights: list[float], x: Tensor, count: int) -> Tensor:
    """Return the outputs of a network whose ReLUs have so many levels above 0."""
    left = iter(heights)
    for layer in network:
        x = quantised(x, next(left), count) if isinstance(layer, nn.ReLU) else layer(x)
    return x


def spikes(network: nn.Sequential, heights: list[float], x: Tensor, steps: int) -> Tensor:
    """Return the mean outputs of a network whose ReLUs are IF neurons."""
    left = iter(heights)
    x = x.expand(steps, *x.shape)
    for layer in network:
        if isinstance(layer, nn.ReLU):
            height = next(left)
            zeros = torch.zeros_like(x[0])
            fired, _ = IF(height, reset="subtract").run(x, (zeros, zeros + height / 2))
            x = fired * height
        else:
            x = x.flatten(2) if isinstance(layer, nn.Flatten) else layer(x)
    return x.mean(0)


Way = Callable[[nn.Sequential, list[float], Tensor, int], Tensor]
WAYS: dict[str, Way] = {
    "spikes": spikes,
    "waiting": levels,
    "bits": lambda network, heights, x, steps: levels(
        network, heights, x, 2 ** math.ceil(math.log2(steps + 1)) - 1
    ),
}


def one(depth: int, seed: int) -> Row:
    """Train a network, and measure each way."""
    split = data.mnist(seed=seed, validation=500)
    torch.manual_seed(seed)
    network = build(depth)
    train(network, split[:2])
    heights = thresholds(network, split.train_inputs[:CALIBRATION])
    _, held, test = pairs(split)

    def reached(percentile: float, way: Way, steps: int, part: Part) -> float:
        inputs, labels = part
        return right(way(network, heights[percentile], inputs, steps), labels)

    row: Row = {"ann": accuracy(network, *test)}
    for (name, way), steps in product(WAYS.items(), STEPS):
        chosen, _ = best(PERCENTILES, partial(reached, way=way, steps=steps, part=held))
        row.setdefault(name, []).append(reached(chosen, way, steps, test))
    return row


def measured(depth: int) -> Row:
    """Return what a depth reached: for each way a list for each seed, of all T."""
    runs = [one(depth, seed) for seed in SEEDS]
    told = {key: [run[key] for run in runs] for key in runs[0]}
    return {"depth": depth, "steps": list(STEPS), **told}


if __name__ == "__main__":
    each(__doc__, "conversion_depth", product(DEPTHS), measured, ["torch", "mlxtend"])
