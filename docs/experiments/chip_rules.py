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

from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from statistics import fmean
from typing import NamedTuple

import torch
from harness import TUNING, Row, record
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, cross_entropy, linear, one_hot

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
Part = tuple[Tensor, Tensor]


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


class Whole(NamedTuple):
    """How weights become whole numbers."""

    bits: int
    top: float


def whole(weight: Tensor, how: Whole | None) -> tuple[Tensor, Tensor]:
    """Return weights and the threshold that belongs to them."""
    if how is None:
        return weight, torch.tensor(1.0)
    return chip.whole(weight, how.bits, top=how.top)


def free(v: Tensor) -> Tensor:
    """Return potentials as they are."""
    return v


class Network(nn.Module):
    """Two convolutions and a layer of weights, each with neurons behind it."""

    def __init__(self, rules: Rules, how: Whole | None = None) -> None:
        """Make the layers."""
        super().__init__()
        self.rules, self.how, self.steps = rules, how, STEPS
        self.hold: Callable[[Tensor], Tensor] = free
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
def parts(seed: int) -> tuple[Part, Part, Part]:
    """Return data for training, validation and test."""
    split = data.digits(seed=seed, validation=360)
    pairs = (
        (split.train_inputs, split.train_labels),
        (split.validation_inputs, split.validation_labels),
        (split.test_inputs, split.test_labels),
    )
    train, held, test = ((x.view(-1, 1, 8, 8), labels) for x, labels in pairs)
    return train, held, test


def shown(images: Tensor, rules: Rules) -> Tensor:
    """Return images as the network gets them."""
    return (images > 0.5).float() if rules.binary else images  # noqa: PLR2004 - half of the brightest


@cache
def trained(rules: Rules, rate: float, seed: int, how: Whole | None = None) -> Network:
    """Return a trained network."""
    torch.manual_seed(seed)
    network = Network(rules, how)
    images, labels = parts(seed)[0]
    images = shown(images, rules)
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(labels)).split(BATCH):
            loss = cross_entropy(network(images[chosen]).sum(0), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        slower.step()
    return network


@torch.no_grad()
def reached(network: Network, seed: int, part: int) -> float:
    """Return which part of the answers is right."""
    images, labels = parts(seed)[part]
    answers = network(shown(images, network.rules)).sum(0).argmax(1)
    return float((answers == labels).float().mean())


def settings(way: str, bits: int) -> list[Row]:
    """Return what may be chosen."""
    if way in STAGES:
        return [{"rate": rate} for rate in RATES]
    return [{"rate": rate, "top": top, "bits": bits} for rate, top in product(RATES, TOPS)]


def made(way: str, setting: Row, seed: int) -> Network:
    """Return a network of one way."""
    if way in STAGES:
        return trained(STAGES[way], setting["rate"], seed)
    how = Whole(setting["bits"], setting["top"])
    if way == "trained":
        return trained(Rules(), setting["rate"], seed, how)
    network = Network(Rules(), how)
    network.load_state_dict(trained(Rules(), setting["rate"], seed).state_dict())
    return network


def stopping(bits: int) -> Callable[[Tensor], Tensor]:
    """Return what keeps a potential at the largest number of so many bits."""
    most = 2 ** (bits - 1)
    return lambda v: v.clamp(-most, most - 1)


def wrapping(bits: int) -> Callable[[Tensor], Tensor]:
    """Return what makes a potential go on from the other end."""
    most = 2 ** (bits - 1)
    return lambda v: (v + most) % (2 * most) - most


def in_few_bits(network: Network, seed: int) -> Row:
    """Return what is reached, over longer time, if potentials have few bits."""
    network.steps = LONG
    found: Row = {"free": reached(network, seed, 2)}
    for name, kind in {"stops": stopping, "wraps": wrapping}.items():
        for bits in STATE_BITS:
            network.hold = kind(bits)
            found[f"{name} {bits}"] = reached(network, seed, 2)
    network.hold, network.steps = free, STEPS
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
        found[name] = float((counts.argmax(1) == labels).float().mean())
    network.steps = STEPS
    return found


def compared(way: str, bits: int = 32) -> Row:
    """Choose a way's setting, and return what it reaches on fresh seeds."""
    tried = settings(way, bits)
    validation = [
        fmean(reached(made(way, each, seed), seed, 1) for seed in TUNING) for each in tried
    ]
    chosen = tried[validation.index(max(validation))]
    networks = {seed: made(way, chosen, seed) for seed in SEEDS}
    row: Row = {
        "way": way,
        "bits": bits,
        "settings": tried,
        "validation": validation,
        "chosen": chosen,
        "test": [reached(network, seed, 2) for seed, network in networks.items()],
    }
    if way == "trained" and bits == max(BITS):
        row["states"] = [in_few_bits(network, seed) for seed, network in networks.items()]
    if way == "rounded" and bits == max(BITS):
        row["events"] = [one_at_a_time(network, seed) for seed, network in networks.items()]
    return row


def rows() -> Iterator[Row]:
    """Yield what each stage, and each number of bits, reached."""
    for stage in STAGES:
        yield compared(stage)
    for bits, way in product(BITS, ("rounded", "trained")):
        yield compared(way, bits)


if __name__ == "__main__":
    record.run(__doc__, "chip_rules", rows, libraries=["torch", "scikit-learn"])
