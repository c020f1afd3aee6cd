"""Does training need the gradient through the reset, or is it better detached?

Trains a network on the digits, given as a current for all of time, with each surrogate and with the
reset attached, attached and the gradient clipped to a norm of 1, and detached: 8, 32 and 128 steps.
Each of the three gets the learning rate that did best in validation on a seed that is used for
nothing else, then trains with five others. The first biases are 0.5, so that no neuron is silent
for want of a start, which would hide what is asked. Beside the accuracy in tests stands how many
times as large the attached gradient is as the detached one, before training. With --record the
figures are kept beside it. A run takes about twelve minutes on one processor.
"""

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Literal

import torch
from harness import Row, each, fit, reached, tuned
from torch import Tensor
from torch.nn.functional import cross_entropy

from snn_docs import IF, data, encoding
from snn_docs.network import Network, count
from snn_docs.surrogate import ArcTan, FastSigmoid, Heaviside, Triangle

Spike = Callable[[Tensor], Tensor]
Reset = Literal["zero", "subtract"]


SURROGATES: dict[str, Spike] = {
    "Heaviside": Heaviside.apply,
    "ArcTan(0.1)": ArcTan(0.1),
    "ArcTan(1)": ArcTan(),
    "ArcTan(4)": ArcTan(4.0),
    "FastSigmoid(1)": FastSigmoid(),
    "Triangle(1)": Triangle(),
}
LENGTHS = (8, 32, 128)
RATES = (1e-3, 5e-3, 2e-2)
SEEDS = range(5)
TUNING_SEED = 100
EPOCHS, BATCH = 8, 64
WAYS = {"attached": (False, None), "clipped": (False, 1.0), "detached": (True, None)}
"""Whether the reset is detached, and the norm that a gradient is clipped to."""


def build(spike: Spike, *, detach: bool, seed: int, reset: Reset = "zero") -> Network:
    """Make a network that fires from the start."""
    torch.manual_seed(seed)
    neuron = partial(IF, reset=reset, detach_reset=detach, surrogate=spike)
    network = Network([64, 64, 10], neuron)
    for linear in network.linears:
        torch.nn.init.constant_(linear.get_parameter("bias"), 0.5)
    return network


def scores_of(network: Network, images: Tensor, steps: int) -> Tensor:
    """Return rates in eighths."""
    return count(network(encoding.direct(images, steps))[0]) * (8 / steps)


def loss_of(network: Network, images: Tensor, labels: Tensor, steps: int) -> Tensor:
    """Return the loss of a batch."""
    return cross_entropy(scores_of(network, images, steps), labels)


def train(  # noqa: PLR0913 - what a training depends on
    spike: Spike, steps: int, way: str, rate: float, seed: int, *, reset: Reset = "zero"
) -> Row:
    """Train, and return the accuracy in validation and in tests after the last epoch."""
    split = data.digits(validation=360)
    detach, norm = WAYS[way]
    network = build(spike, detach=detach, seed=seed, reset=reset)
    scores = partial(scores_of, network, steps=steps)
    fit(network, split[:2], rate, scores=scores, count=EPOCHS, batch=BATCH, clip=norm)
    return reached(scores, split)


def size(spike: Spike, steps: int, *, detach: bool, seed: int) -> float:
    """Return how large the gradient of the first weights is before training."""
    split = data.digits(validation=360)
    network = build(spike, detach=detach, seed=seed).double()  # too large for float32
    loss_of(
        network, split.train_inputs[:BATCH].double(), split.train_labels[:BATCH], steps
    ).backward()
    gradient = network.linears[0].get_parameter("weight").grad
    return float(gradient.norm())  # type: ignore[union-attr] # there is one


def measured(name: str, steps: int) -> Row:
    """Return what a surrogate reached in a time, with the reset attached and detached."""
    spike = SURROGATES[name]
    row: Row = {"surrogate": name, "steps": steps, "rates": list(RATES)}
    sizes = {
        detach: [size(spike, steps, detach=detach, seed=seed) for seed in SEEDS]
        for detach in (False, True)
    }
    row["growth"] = [a / b for a, b in zip(sizes[False], sizes[True], strict=True)]
    for way in WAYS:
        rate, _, runs = tuned(RATES, partial(train, spike, steps, way), [TUNING_SEED], SEEDS)
        row |= {f"{way}_rate": rate, way: runs["test"]}
    return row


if __name__ == "__main__":
    each(
        __doc__, "reset_gradient", product(SURROGATES, LENGTHS), measured, ["torch", "scikit-learn"]
    )
