"""What does each coding of the digits cost, and how many does the network read, by time steps?

Trains the network of the chapter on costs anew for each coding, number of steps and seed, and the
same network with ReLU instead of neurons; counts the operations of one image, zeros skipped, how
often a potential or a value is computed, and the right answers: in validation, for choosing, and in
the test. Each coding with each number of steps, and ReLU, gets the same search: of four learning
rates the best in validation, on average over three seeds that are used for nothing else. With
--record the figures are kept beside it. A run takes about four minutes on one quiet processor.
"""

from collections.abc import Callable
from functools import cache
from itertools import product
from statistics import fmean

import torch
from harness import SEEDS, TUNING, Row, best, each, fit, reached
from torch import Tensor, nn

from snn_docs import IF, data, encoding
from snn_docs.costs import count_operations
from snn_docs.network import Network, count
from snn_docs.surrogate import ArcTan

HIDDEN, EPOCHS, BATCH = 100, 15, 64
RATES = (5e-3, 1e-2, 2e-2, 4e-2)
CODINGS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "direct": encoding.direct,
    "rate": encoding.rate,
    "latency": encoding.latency,
}
STEPS = [1, 2, 4, 8, 16]


def dense_row(split: data.Split, rate: float) -> Row:
    """Train with ReLU; count what is not zero."""
    layers = nn.Linear(64, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 10)
    network = nn.Sequential(*layers)
    fit(network, split[:2], rate, count=EPOCHS, batch=BATCH)
    first, _, second = count_operations(network, split.test_inputs)
    return reached(network, split) | {
        "first": first.nonzero / len(split.test_inputs),
        "second": second.nonzero / len(split.test_inputs),
        "updates": HIDDEN,
    }


def spiking_row(split: data.Split, coding: str, steps: int, rate: float) -> Row:
    """Train with spikes; count them."""
    network = Network([64, HIDDEN, 10], lambda: IF(surrogate=ArcTan()))

    def scores(images: Tensor) -> Tensor:
        return count(network(CODINGS[coding](images, steps))[0])

    fit(network, split[:2], rate, scores=scores, count=EPOCHS, batch=BATCH)
    images = split.test_inputs
    first, _, second, _ = count_operations(network, CODINGS[coding](images, steps))
    # what is given directly is the same at every step, and is multiplied once
    times = steps if coding == "direct" else 1
    return reached(scores, split) | {
        "first": first.nonzero / times / len(images),
        "second": second.nonzero / len(images),
        "updates": (HIDDEN + 10) * steps,
    }


def trained(coding: str, steps: int, rate: float, seed: int) -> Row:
    """Train one network; return what it reached and what it cost."""
    split = data.digits(seed=seed, validation=360)
    torch.manual_seed(seed)
    if coding == "relu":
        return dense_row(split, rate)
    return spiking_row(split, coding, steps, rate)


@cache
def chosen(coding: str, steps: int) -> tuple[float, list[float]]:
    """Return the learning rate that is best in validation, and what each reaches."""

    def held(rate: float) -> float:
        return fmean(trained(coding, steps, rate, seed)["validation"] for seed in TUNING)

    return best(RATES, held)


def measured(coding: str, steps: int, seed: int) -> Row:
    """Return what a network reaches and costs with the learning rate chosen."""
    rate, tried = chosen(coding, steps)
    row = {"coding": coding, "steps": steps, "seed": seed, "tried": by_rate(tried), "rate": rate}
    return row | trained(coding, steps, rate, seed)


def by_rate(tried: list[float]) -> Row:
    """Return what each learning rate reached."""
    return dict(zip(map(str, RATES), tried, strict=True))


if __name__ == "__main__":
    places = [(*each, seed) for each in [("relu", 1), *product(CODINGS, STEPS)] for seed in SEEDS]
    each(__doc__, "coding_cost", places, measured, ["scikit-learn"])
