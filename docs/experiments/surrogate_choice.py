"""Which surrogates learn, once training has come to rest, and what does the first bias change?

Trains a small network on the digits with each surrogate, from five seeds and two biases, at two
learning rates, until its accuracy no longer grows, and prints a line for each: the accuracies after
the last epoch. They are of images that are neither trained on nor those of the book's tests.
Accuracies can be compared between machines, apart from what rounding changes. With --record the
figures are kept beside it. A run takes about four minutes on one quiet processor.
"""

from collections.abc import Callable, Iterator
from itertools import product

import harness
import torch
from harness import SEEDS, Part, Row, accuracy, pairs, record
from torch import Tensor

from snn_docs import IF, data, encoding, surrogate
from snn_docs.network import Network, count

SURROGATES: dict[tuple[str, float | None], Callable[[Tensor], Tensor]] = {
    ("Heaviside", None): surrogate.Heaviside.apply,
    **{
        (kind.__name__, slope): kind(slope)
        for kind, slopes in [
            (surrogate.ArcTan, [0.05, 1.0, 4.0, 16.0, 64.0]),
            (surrogate.FastSigmoid, [1.0]),
            (surrogate.Sigmoid, [1.0]),
            (surrogate.Triangle, [0.25, 1.0]),
            (surrogate.Boxcar, [0.05, 0.25, 1.0]),
            (surrogate.StraightThrough, [0.25, 1.0]),
        ]
        for slope in slopes
    },
}
BIASES = (0.0, 0.5)
RATES = (0.003, 0.01)
KEPT = (1, 2, 4, 7, 10, 15, 20, 30, 40)  # epochs whose accuracy is kept
VALIDATION = 287  # images, of the 1437 that are not for tests
STEPS = 8
BATCH = 128


def parts() -> tuple[Part, Part]:
    """Return what is trained on, and what the accuracy is measured on, coded for all of time."""
    train, held, _ = pairs(data.digits(validation=VALIDATION))
    return encoded(*train), encoded(*held)


def encoded(images: Tensor, labels: Tensor) -> Part:
    """Return images as inputs of all steps."""
    return encoding.direct(images, steps=STEPS), labels


def build(spike: Callable[[Tensor], Tensor], bias: float, seed: int) -> Network:
    """Return a network whose weights the seed draws."""
    torch.manual_seed(seed)
    network = Network([64, 32, 10], lambda: IF(surrogate=spike, detach_reset=True))
    for linear in network.linears:
        torch.nn.init.constant_(linear.get_parameter("bias"), bias)
    return network


def accuracies(network: Network, rate: float, training: Part, validation: Part) -> list[float]:
    """Train, and return the accuracy after each epoch that is kept."""
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)

    def scores(inputs: Tensor) -> Tensor:
        return count(network(inputs)[0])

    loss = harness.loss_on(scores, *training, axis=1)
    going = harness.epochs(loss, len(training[1]), optimizer, count=max(KEPT), batch=BATCH)
    held = (accuracy(scores, *validation) for epoch in going if epoch in KEPT)
    return [round(each, record.DIGITS) for each in held]


def rows() -> Iterator[Row]:
    """Train everything, and yield a row for each."""
    training, validation = parts()
    for (name, slope), bias, rate, seed in product(SURROGATES, BIASES, RATES, SEEDS):
        network = build(SURROGATES[name, slope], bias, seed)
        yield {
            "surrogate": name, "slope": slope, "bias": bias, "rate": rate, "seed": seed,
            "epochs": KEPT, "accuracies": accuracies(network, rate, training, validation),
        }  # fmt: skip


if __name__ == "__main__":
    record.run(__doc__, "surrogate_choice", rows, libraries=["torch", "scikit-learn"])
