"""How many steps does a converted network need, the deeper it is, and why?

Trains fully connected networks of ReLUs on 28x28 digits, with 2, 4 and 8 hidden layers, and
replaces each ReLU, without training again, in three ways that start from half a step:

- spikes: an IF neuron that fires T steps;
- waiting: a ReLU of T + 1 levels, which is what an IF neuron answers if it waits until all that
  comes in T steps is there, so that the order of spikes, the unevenness, is taken away;
- bits: a ReLU of as many levels as the bits hold that write a count of T, ceil(log2(T + 1)).

Each way gets the percentile of the activations, its threshold, that did best in validation, for
each T, depth and seed. Adds how much of a layer's counts differ from those of the same neurons if
they wait. With --record the figures are kept beside it. A run takes about four minutes on one
processor.
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise, product

import torch
from conversion import accuracy, train
from harness import Row, record
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


def uneven(network: nn.Sequential, heights: list[float], x: Tensor, steps: int) -> list[float]:
    """Return for each hidden layer how many counts are not those of neurons that wait."""
    left, found = iter(heights), []
    x = x.expand(steps, *x.shape)
    for layer in network:
        if isinstance(layer, nn.ReLU):
            height = next(left)
            zeros = torch.zeros_like(x[0])
            fired, _ = IF(height, reset="subtract").run(x, (zeros, zeros + height / 2))
            waited = quantised(x.mean(0), height, steps)
            x = fired * height
            found.append(float(((x.mean(0) - waited).abs() > height / steps / 2).float().mean()))
        else:
            x = x.flatten(2) if isinstance(layer, nn.Flatten) else layer(x)
    return found


WAYS: dict[str, Callable[[nn.Sequential, list[float], Tensor, int], Tensor]] = {
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
    train(network, split.train_inputs, split.train_labels)
    heights = thresholds(network, split.train_inputs[:CALIBRATION])
    row: Row = {"ann": accuracy(network(split.test_inputs), split.test_labels)}
    for (name, way), steps in product(WAYS.items(), STEPS):
        tried = {
            percentile: accuracy(
                way(network, heights[percentile], split.validation_inputs, steps),
                split.validation_labels,
            )
            for percentile in PERCENTILES
        }
        best = max(tried, key=lambda each: tried[each])
        outputs = way(network, heights[best], split.test_inputs, steps)
        row.setdefault(name, []).append(accuracy(outputs, split.test_labels))
        row.setdefault(f"{name}_percentile", []).append(best)
    untuned = [spikes(network, heights[99.9], split.test_inputs, steps) for steps in STEPS]
    row["untuned"] = [accuracy(each, split.test_labels) for each in untuned]
    row["uneven"] = uneven(network, heights[99.9], split.test_inputs, 4)
    return row


def rows() -> Iterator[Row]:
    """Yield what each depth reached: for each way a list for each seed, of all T."""
    for depth in DEPTHS:
        runs = [one(depth, seed) for seed in SEEDS]
        told = {"depth": depth, "steps": list(STEPS), "percentiles": list(PERCENTILES)}
        yield told | {key: [run[key] for run in runs] for key in runs[0]}


if __name__ == "__main__":
    record.run(__doc__, "conversion_depth", rows, libraries=["torch", "mlxtend"])
