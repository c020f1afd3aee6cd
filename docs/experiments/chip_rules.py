"""What does each rule of a chip cost in accuracy, and does one have to train with 8-bit weights?

Trains a small convolutional network on 8x8 digits, four steps an image, once more for each rule:
leaky neurons; integrate-and-fire; no bias; spikes into a pool that sums, where means of currents
were; images of zeros and ones. The control has leaky neurons, biases and gray images, and as many
neurons as a network that keeps all rules, since it pools spikes, too. Then the weights become whole
numbers of 8, 6, 4, 3 or 2 bits, and each threshold a whole number, in two ways:

- rounded: after training;
- trained: in each forward pass of the training, with gradients that go straight through.

All choose among the same three rates; both ways of rounding also choose among four heights at which
weights are cut off. What is best in validation, on the mean of three seeds that are used for
nothing else, then trains with five other seeds, whose split differs, too. Of the networks that are
trained with rounded weights, adds what remains if potentials stop at, or wrap around, fewer bits;
of those that are rounded after training, what remains if the pixels of an image come one at a time,
as they do to a chip that has no steps. With --record the figures are kept beside it. A run takes
about twenty minutes on one processor.
"""

from collections.abc import Callable
from functools import cache, partial
from itertools import product
from typing import NamedTuple

import torch
from harness import TUNING, Part, Row, accuracy, each, fit, grid, pairs, right, tuned
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, linear, one_hot

from snn_docs import chip, data
from snn_docs.surrogate import ArcTan

STEPS = 4
EPOCHS, BATCH = 15, 128
RATES = (1e-2, 3e-2, 6e-2)
TOPS = (1.0, 0.7, 0.4, 0.25)
"""Where weights are cut off, in parts of a layer's largest."""
BITS = (8, 6, 4, 3, 2)
STATE_BITS = (16, 12, 10, 8)
LONG = 16
"""Steps for which potentials are also held in few bits."""
SEEDS = range(60, 65)

fire = ArcTan()


class Rules(NamedTuple):
    """What a network keeps to."""

    leak: float = 0.0
    bias: bool = False
    spikes_pooled: bool = True
    binary: bool = True


STAGES = {
    "leaky": Rules(leak=0.1, bias=True, spikes_pooled=False, binary=False),
    "as many": Rules(leak=0.1, bias=True, binary=False),
    "integrate": Rules(bias=True, spikes_pooled=False, binary=False),
    "no bias": Rules(spikes_pooled=False, binary=False),
    "pooled": Rules(binary=False),
    "binary": Rules(),
}


Whole = tuple[int, float]
"""How weights become whole numbers: of how many bits, and where they are cut off."""


def whole(weight: Tensor, how: Whole | None) -> tuple[Tensor, Tensor]:
    """Return weights and the threshold that belongs to them."""
    if how is None:
        return weight, torch.tensor(1.0)
    bits, top = how
    return chip.whole(weight, bits, top=top)


HOLD: dict[str, Callable[..., Tensor]] = {
    "stops": lambda v, most: v.clamp(-most, most - 1),
    "wraps": lambda v, most: (v + most) % (2 * most) - most,
}
"""What keeps a potential at the largest number, or makes it go on from the other end."""


class Network(nn.Module):
    """Two convolutions and a layer of weights, each with neurons behind it."""

    def __init__(self, rules: Rules, how: Whole | None = None) -> None:
        """Make the layers."""
        super().__init__()
        self.rules, self.how, self.steps = rules, how, STEPS
        self.hold: Callable[[Tensor], Tensor] = lambda v: v
        self.first = nn.Conv2d(1, 12, 3, bias=rules.bias)
        self.second = nn.Conv2d(12, 32, 3, bias=rules.bias)
        self.last = nn.Linear(32, 10, bias=rules.bias)

    def neurons(self, currents: Tensor, n: Tensor) -> Tensor:
        """Return spikes."""
        v, spikes = torch.zeros_like(currents[0]), []
        for current in currents:
            v = self.hold((1 - self.rules.leak) * v + current)
            fired = fire((v - n) / n)
            spikes.append(fired)
            v = v * (1 - fired)
        return torch.stack(spikes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the spikes of each step, in all of which, or each of which, images are shown."""
        weight, n = whole(self.first.weight, self.how)
        currents = conv2d(images.flatten(0, -4), weight, self.first.bias)
        if self.rules.spikes_pooled:
            currents = currents.unflatten(0, images.shape[:-3])
            spikes = self.neurons(currents.expand(self.steps, *currents.shape[-4:]), n)
            x = 4 * avg_pool2d(spikes.flatten(0, 1), 2)
        else:
            currents = avg_pool2d(currents, 2)
            x = self.neurons(currents.expand(self.steps, *currents.shape), n).flatten(0, 1)
        weight, n = whole(self.second.weight, self.how)
        currents = conv2d(x, weight, self.second.bias)
        x = self.neurons(currents.unflatten(0, (self.steps, -1)), n).flatten(2)
        weight, n = whole(self.last.weight, self.how)
        return self.neurons(linear(x, weight, self.last.bias), n)


@cache
def parts(seed: int) -> list[Part]:
    """Return data for training, validation and test."""
    split = data.digits(seed=seed, validation=360)
    return [(x.view(-1, 1, 8, 8), labels) for x, labels in pairs(split)]


def shown(images: Tensor, rules: Rules) -> Tensor:
    """Return images as the network gets them."""
    return (images > 0.5).float() if rules.binary else images  # noqa: PLR2004 - half of the brightest


@cache
def trained(rules: Rules, rate: float, seed: int, how: Whole | None = None) -> Network:
    """Return a trained network."""
    torch.manual_seed(seed)
    network = Network(rules, how)
    images, labels = parts(seed)[0]
    part, scores = (shown(images, rules), labels), lambda x: network(x).sum(0)
    fit(network, part, rate, scores=scores, count=EPOCHS, batch=BATCH, cosine=True)
    return network


def reached(network: Network, seed: int, part: int) -> float:
    """Return which part of the answers is right."""
    images, labels = parts(seed)[part]
    return accuracy(lambda x: network(x).sum(0), shown(images, network.rules), labels)


def made(way: str, setting: Row, seed: int) -> Row:
    """Return a network of one way, and what it reaches."""
    rules, rate = STAGES.get(way, Rules()), setting["rate"]
    how = (setting["bits"], setting["top"]) if "bits" in setting else None
    if way == "rounded":
        network = Network(rules, how)
        network.load_state_dict(trained(rules, rate, seed).state_dict())
    else:
        network = trained(rules, rate, seed, how)
    found = {"validation": reached(network, seed, 1), "test": reached(network, seed, 2)}
    return {"network": network, **found}


def in_few_bits(network: Network, seed: int) -> Row:
    """Return what is reached, over longer time, if potentials have few bits."""
    network.steps = LONG
    found: Row = {"free": reached(network, seed, 2)}
    for (name, kind), bits in product(HOLD.items(), STATE_BITS):
        network.hold = partial(kind, most=2 ** (bits - 1))
        found[f"{name} {bits}"] = reached(network, seed, 2)
    return found


@torch.no_grad()
def one_at_a_time(network: Network, seed: int) -> Row:
    """Return what is reached if a step shows one pixel: by rows, or in another order each time."""
    images, labels = parts(seed)[2]
    pixels = shown(images, network.rules).flatten(1)
    shape = STEPS, *pixels.shape  # of the order in which each showing of an image gives its pixels
    generator = torch.Generator().manual_seed(seed)
    orders = {
        "rows": torch.arange(shape[-1]).expand(shape),
        "random": torch.rand(shape, generator=generator).argsort(),
    }
    found: Row = {}
    for name, order in orders.items():
        alone = one_hot(order).transpose(1, 2).flatten(0, 1) * pixels
        network.steps = len(alone)
        counts = network(alone.unflatten(2, images.shape[1:])).sum(0)
        found[name] = right(counts, labels)
    return found


def compared(way: str, bits: int) -> Row:
    """Choose a way's setting, and return what it reaches on fresh seeds."""
    settings = grid(rate=RATES)
    if way not in STAGES:
        settings = grid(rate=RATES, top=TOPS, bits=[bits])
    chosen, tried, runs = tuned(settings, partial(made, way), TUNING, SEEDS)
    row: Row = {"way": way, "bits": bits, "settings": settings, "validation": tried}
    row |= {"chosen": chosen, "test": runs["test"]}
    networks = list(zip(runs["network"], SEEDS, strict=True))
    if (way, bits) == ("trained", max(BITS)):
        row["states"] = [in_few_bits(*each) for each in networks]
    if (way, bits) == ("rounded", max(BITS)):
        row["events"] = [one_at_a_time(*each) for each in networks]
    return row


if __name__ == "__main__":
    whole_numbers = [(way, bits) for bits, way in product(BITS, ("rounded", "trained"))]
    places = [*product(STAGES, [32]), *whole_numbers]
    each(__doc__, "chip_rules", places, compared, ["torch", "scikit-learn"])
