"""Which mend for dead neurons helps how far, if each is tuned alike?

Trains the network of the chapter on the digits. Each mend gets the learning rate and the strength
of its own that did best in validation, on a seed that is used for nothing else, then trains with
five others; the test accuracy is that of the epoch that was best in validation. With --record the
figures are kept beside it. A run takes about five minutes on one processor.
"""

from collections.abc import Callable
from functools import partial
from itertools import product

import torch
from harness import Row, accuracy, best_epoch, each, epochs, pairs, tuned
from torch import Tensor
from torch.nn.functional import cross_entropy

from snn_docs import IF, data, encoding
from snn_docs.network import Network, count
from snn_docs.surrogate import ArcTan

Layers = list[tuple[Tensor, Tensor]]


STEPS, EPOCHS, BATCH = 8, 20, 64
RATES = (2e-3, 5e-3)
SEEDS = range(5)
TUNING_SEED = 100
BIASES = (0.25, 0.5, 1.0)
WEIGHTS = (0.01, 0.1, 1.0)
SLOPES = (0.5, 1.0, 2.0)


def layers(network: Network, inputs: Tensor) -> Layers:
    """Return spikes and potentials of each layer."""
    found = []
    for linear, neuron in zip(network.linears, network.neurons, strict=True):
        inputs, v = neuron.record(linear(inputs))  # type: ignore[operator] # not any Module
        found.append((inputs, v))
    return found


def rate_penalty(outputs: Layers) -> Tensor:
    """Return how far the neurons fire less than 0.1 times a step."""
    return torch.stack([torch.relu(0.1 - s.mean((0, 1))).sum() for s, _ in outputs]).sum()


def potential_penalty(outputs: Layers) -> Tensor:
    """Return how far the neurons' highest potentials stay below the threshold."""
    return torch.stack([torch.relu(1 - v.amax((0, 1))).sum() for _, v in outputs]).sum()


class Mend:
    """The article's rule with one thing changed, as strongly as `strength` says."""

    def __init__(
        self,
        *strengths: float,
        neuron: Callable[[float], IF] = lambda _: IF(),
        biased: bool = False,
        penalty: Callable[[Layers], Tensor] | None = None,
    ) -> None:
        """Say what is changed."""
        self.strengths = strengths or (0.0,)
        self.neuron, self.biased, self.penalty = neuron, biased, penalty

    def build(self, strength: float) -> Network:
        """Make a network."""
        network = Network([64, 64, 10], lambda: self.neuron(strength))
        if self.biased:
            for linear in network.linears:
                torch.nn.init.constant_(linear.bias, strength)  # type: ignore[arg-type] # has one
        return network

    def loss(self, outputs: Layers, labels: Tensor, strength: float) -> Tensor:
        """Return the loss of a batch."""
        loss = cross_entropy(count(outputs[-1][0]), labels)
        return loss + strength * self.penalty(outputs) if self.penalty else loss


MENDS = {
    "Heaviside": Mend(),
    "切り離し": Mend(neuron=lambda _: IF(detach_reset=True)),
    "発火率の罰則": Mend(*(10 * weight for weight in WEIGHTS), penalty=rate_penalty),
    "電位の罰則": Mend(*WEIGHTS, penalty=potential_penalty),
    "バイアス": Mend(*BIASES, biased=True),
    "バイアス＋切り離し": Mend(*BIASES, neuron=lambda _: IF(detach_reset=True), biased=True),
    "ArcTan": Mend(*SLOPES, neuron=lambda slope: IF(surrogate=ArcTan(slope))),
}


def train(mend: Mend, setting: tuple[float, float], seed: int) -> Row:
    """Train a network, and return its best epoch in validation."""
    strength, rate = setting
    (inputs, labels), held, test = pairs(data.digits(validation=360))
    torch.manual_seed(seed)
    network = mend.build(strength)
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)

    def loss(chosen: Tensor) -> Tensor:
        outputs = layers(network, encoding.direct(inputs[chosen], STEPS))
        return mend.loss(outputs, labels[chosen], strength)

    scores = lambda images: count(network(encoding.direct(images, STEPS))[0])  # noqa: E731
    going = epochs(loss, len(labels), optimizer, count=EPOCHS, batch=BATCH)
    told = lambda: {"test": accuracy(scores, *test)}  # noqa: E731
    return best_epoch(going, partial(accuracy, scores, *held), told)


def mended(name: str) -> Row:
    """Return what a mend reached."""
    mend = MENDS[name]
    settings = list(product(mend.strengths, RATES))
    (strength, rate), _, runs = tuned(settings, partial(train, mend), [TUNING_SEED], SEEDS)
    row = {"mend": name, "settings": len(settings), "strength": strength, "rate": rate}
    return {**row, "test": runs["test"], "epoch": runs["epoch"]}


if __name__ == "__main__":
    each(__doc__, "dead_neurons", product(MENDS), mended, ["torch", "scikit-learn"])
