"""Does a reset that subtracts the threshold need its gradient?

Trains the network of reset_gradient.py, with the same images for 32 steps and an arctan of slope 1,
once with the reset attached and once with it detached: for both rules of resetting and each
learning rate, so that nothing is hidden by a choice. With --record the figures are kept beside it.
A run takes about five minutes on one processor.
"""

from collections.abc import Iterator
from itertools import product
from typing import Literal

import harness
import torch
from harness import Row, record
from reset_gradient import BATCH, EPOCHS, RATES, SEEDS, loss_of
from torch import Tensor

from snn_docs import IF, data, encoding
from snn_docs.network import Network, count
from snn_docs.surrogate import ArcTan

Reset = Literal["zero", "subtract"]


RESETS: tuple[Reset, ...] = ("subtract", "zero")
STEPS = 32


def build(reset: Reset, *, detach: bool, seed: int) -> Network:
    """Make a network that fires from the start."""
    torch.manual_seed(seed)
    network = Network(
        [64, 64, 10], lambda: IF(reset=reset, detach_reset=detach, surrogate=ArcTan())
    )
    for linear in network.linears:
        torch.nn.init.constant_(linear.get_parameter("bias"), 0.5)
    return network


def train(reset: Reset, rate: float, *, detach: bool, seed: int) -> float:
    """Train, and return the accuracy in tests after the last epoch."""
    split = data.digits(validation=360)
    network = build(reset, detach=detach, seed=seed)
    images, labels = split.train_inputs, split.train_labels

    def loss(chosen: Tensor) -> Tensor:
        return loss_of(network, images[chosen], labels[chosen], STEPS)

    harness.train(network, loss, len(labels), rate, count=EPOCHS, batch=BATCH)
    with torch.no_grad():
        answers = count(network(encoding.direct(split.test_inputs, STEPS))[0]).argmax(1)
    return float((answers == split.test_labels).float().mean())


def rows() -> Iterator[Row]:
    """Yield what each rule reached at each learning rate, attached and detached."""
    for reset, rate in product(RESETS, RATES):
        row: Row = {"reset": reset, "steps": STEPS, "rate": rate}
        for name, detach in {"attached": False, "detached": True}.items():
            row[name] = [train(reset, rate, detach=detach, seed=seed) for seed in SEEDS]
        yield row


if __name__ == "__main__":
    record.run(__doc__, "reset_subtract", rows, libraries=["torch", "scikit-learn"])
