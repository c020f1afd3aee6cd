"""How many steps does a converted network need if it was trained with the levels that spikes have?

Trains fully connected networks on 14x14 digits, with 2 and 8 hidden layers, whose activations are a
ReLU, a ReLU that stops at a learnt height, or one that is also rounded to L levels (QCFS), and
replaces each by an IF neuron that starts from half its threshold and fires T steps:

- untuned: ReLUs, thresholds at the 99.9th percentile of the activations;
- percentile: ReLUs, thresholds at the best of seven percentiles;
- levels: trained with the best of seven numbers of levels L, thresholds at the learnt heights;
- clipped: trained with learnt heights alone, thresholds at the best of the percentiles, as a
  control: is it the levels that help, or the heights?
- bits: no spikes at all, the networks with levels, of which there are now as many as the bits hold
  that write a count of T;
- direct: not converted: IF neurons from the start, trained for each T by the best of seven slopes
  of a surrogate gradient, from the same weights and for as long.

All may choose among the same learning rates. Choices are made for each T on the validation part of
a seed that is used for nothing else, then five other seeds train and are tested. A last row, equal,
has as many levels as steps: it says how many counts are not the levels that were trained, at once
and if each layer waits for all steps of the one before. With --record the figures are kept beside
it. A run takes about twenty minutes on one processor.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import pairwise, product

import torch
from harness import Part, Row, accuracy, each, fit, grid, pairs, right
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from snn_docs import IF, data
from snn_docs.conversion import Stairs
from snn_docs.surrogate import ArcTan

DEPTHS = (2, 8)
STEPS = (1, 2, 4, 8, 16)
DIRECT_STEPS = (1, 2, 4, 8)
"""For which T networks are trained directly: each takes a training of its own."""
EQUAL = 4
"""How many levels, and steps, the networks have that are compared with what was trained."""
WIDTH = 128
EPOCHS, BATCH = 8, 128
RATES = (2e-3, 5e-3, 1e-2)
PERCENTILES = (90.0, 94.0, 96.0, 98.0, 99.0, 99.9, 100.0)
LEVELS = (1, 2, 3, 4, 7, 8, 15)
SLOPES = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
RELU, CLIPPED = -1, 0
"""What stands in the place of a number of levels for activations that are not rounded."""
TUNING_SEED = 100
SEEDS = range(40, 45)


def build(depth: int, levels: int) -> nn.Sequential:
    """Make a network, with weights that keep the size of what goes through."""
    layers: list[nn.Module] = []
    for pair in pairwise([196] + depth * [WIDTH]):
        linear = nn.Linear(*pair)
        nn.init.kaiming_normal_(linear.weight)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU() if levels == RELU else Stairs(levels)]
    return nn.Sequential(*layers, nn.Linear(WIDTH, 10))


@cache
def parts(seed: int) -> list[Part]:
    """Return data for training, validation and test."""
    split = data.mnist(seed=seed, validation=500)
    return [(avg_pool2d(x, 2).flatten(1), labels) for x, labels in pairs(split)]


@cache
def trained(depth: int, levels: int, rate: float, seed: int) -> nn.Sequential:
    """Return a trained network."""
    torch.manual_seed(seed)
    network = build(depth, levels)
    return fitted(network, network, rate, seed)


def fitted(
    network: nn.Sequential, answers: Callable[[Tensor], Tensor], rate: float, seed: int
) -> nn.Sequential:
    """Return a network, trained by the answers that are computed with it."""
    how = {"count": EPOCHS, "batch": BATCH, "cosine": True}
    fit(network, parts(seed)[0], rate, scores=answers, **how)
    return network.requires_grad_(requires_grad=False)


def judged(seed: int) -> Part:
    """Return what a network is judged by: where settings are chosen, not the test."""
    return parts(seed)[1 if seed == TUNING_SEED else 2]


def direct(depth: int, setting: Row, seed: int, steps: int) -> float:
    """Return the accuracy of IF neurons trained by a surrogate gradient, from the same weights."""
    torch.manual_seed(seed)
    network = build(depth, RELU)
    neuron = IF(reset="subtract", surrogate=ArcTan(setting["slope"]))

    def answers(x: Tensor) -> Tensor:
        x = x.expand(steps, *x.shape)
        for layer in network:
            if isinstance(layer, nn.Linear):
                x = layer(x)
                continue
            zeros = torch.zeros_like(x[0])
            x, _ = neuron.run(x, (zeros, zeros + 0.5))
        return x.mean(0)

    fitted(network, answers, setting["rate"], seed)
    return accuracy(answers, *judged(seed))


def heights(network: nn.Sequential, seed: int, percentile: float) -> list[float]:
    """Return each threshold: the height of levels, or that percentile of what is not rounded."""
    x, found = parts(seed)[0][0][:1000], []
    for layer in network:
        x = layer(x)
        if isinstance(layer, Stairs) and layer.levels != CLIPPED:
            found.append(layer.height.item())
        elif not isinstance(layer, nn.Linear):
            found.append(torch.quantile(x, percentile / 100).item())
    return found


def run(
    network: nn.Sequential, tops: list[float], x: Tensor, steps: int, *, wait: bool = False
) -> tuple[Tensor, list[Tensor]]:
    """Run IF neurons in the place of activations, with an image in every step.

    Return what came out up to each step, and each hidden layer's counts at the last one.
    """
    left, x, counts = iter(tops), x.expand(steps, *x.shape), []
    for layer in network:
        if isinstance(layer, nn.Linear):
            x = layer(x)
            continue
        top = next(left)
        x = x.mean(0).expand_as(x) if wait else x
        zeros = torch.zeros_like(x[0])
        fired, _ = IF(top, reset="subtract").run(x, (zeros, zeros + top / 2))
        counts.append(fired.sum(0))
        x = fired * top
    return x.cumsum(0) / torch.arange(1, steps + 1).view(-1, 1, 1), counts


def with_bits(network: nn.Sequential, steps: int) -> nn.Sequential:
    """Return a network with as many levels as the bits hold that write a count of T."""
    other = copy.deepcopy(network)
    for layer in other:
        if isinstance(layer, Stairs):
            layer.levels = 2 ** steps.bit_length() - 1
    return other


SETTINGS = {
    "relu": grid(levels=(RELU,), rate=RATES),
    "untuned": grid(levels=(RELU,), rate=RATES, percentile=(99.9,)),
    "percentile": grid(levels=(RELU,), rate=RATES, percentile=PERCENTILES),
    "levels": grid(levels=LEVELS, rate=RATES),
    "clipped": grid(levels=(CLIPPED,), rate=RATES, percentile=PERCENTILES),
    "bits": grid(levels=LEVELS, rate=RATES),
    "direct": grid(rate=RATES, slope=SLOPES),
    "equal": grid(levels=(EQUAL,), rate=RATES),
}
TIMES = {"direct": DIRECT_STEPS, "equal": (EQUAL,)}
"""The T of those that have others."""


def reached(way: str, depth: int, setting: Row, seed: int, times: Sequence[int]) -> list[float]:
    """Return the accuracy at each T; of a ReLU it's one and the same."""
    if way == "direct":
        return [direct(depth, setting, seed, steps) for steps in times]
    network = trained(depth, setting["levels"], setting["rate"], seed)
    inputs, labels = judged(seed)
    if way == "relu":
        return [right(network(inputs), labels)] * len(times)
    if way == "bits":
        return [right(with_bits(network, steps)(inputs), labels) for steps in times]
    tops = heights(network, seed, setting.get("percentile", 100.0))
    outputs, _ = run(network, tops, inputs, max(STEPS))
    return [right(outputs[steps - 1], labels) for steps in times]


def compared(way: str, depth: int) -> Row:
    """Choose a way's settings for each T, and return what they reach on fresh seeds."""
    settings, times = SETTINGS[way], TIMES.get(way, STEPS)
    tried = [reached(way, depth, setting, TUNING_SEED, times) for setting in settings]
    chosen = [column.index(max(column)) for column in zip(*tried, strict=True)]
    picked = {steps: settings[n] for steps, n in zip(times, chosen, strict=True)}
    row: Row = {
        "depth": depth,
        "way": way,
        "steps": list(times),
        "settings": settings,
        "validation": tried,
        "chosen": chosen,
        "test": [
            [reached(way, depth, each, seed, [steps])[0] for steps, each in picked.items()]
            for seed in SEEDS
        ],
    }
    if way == "equal":
        for key, wait in {"wrong": False, "wrong_waiting": True}.items():
            row[key] = [differing(depth, picked[EQUAL], seed, wait=wait) for seed in SEEDS]
    return row


def differing(depth: int, setting: Row, seed: int, *, wait: bool) -> list[float]:
    """Return which part of each hidden layer's counts is not the level of the trained network."""
    network, x = trained(depth, setting["levels"], setting["rate"], seed), parts(seed)[2][0]
    _, counts = run(network, heights(network, seed, 100.0), x, EQUAL, wait=wait)
    found, left = [], iter(counts)
    for layer in network:
        x = layer(x)
        if isinstance(layer, Stairs):
            due = (x / layer.height * layer.levels).round()
            found.append(float((next(left) != due).float().mean()))
    return found


def places() -> Iterator[tuple[str, int]]:
    """Yield each way at each depth."""
    ways = [way for way in SETTINGS if way != "equal"]
    yield from ((way, depth) for depth, way in product(DEPTHS, ways))
    yield "equal", max(DEPTHS)


if __name__ == "__main__":
    each(__doc__, "few_steps", places(), compared, ["torch", "mlxtend"])
