"""How wide should a box be that takes the place of a spike's derivative?

Trains the small network of surrogate_choice.py with boxes from half a threshold to a hundred
thresholds wide, all of area 1, and with StraightThrough, which has no end, from five seeds. Each
has the better of two learning rates, chosen by another seed. Prints the accuracies on images that
are neither trained on nor those of the book's tests, and which share of the outputs' potentials the
box reaches before and after learning. With --record the figures are kept beside it. A run takes
about a minute on one quiet processor.
"""

from collections.abc import Iterator

import torch
from harness import SEEDS, Part, Row, record
from surrogate_choice import RATES, accuracies, build, parts

from snn_docs.network import Network
from snn_docs.surrogate import Boxcar, StraightThrough, Surrogate

SLOPES = (2.0, 1.0, 0.5, 0.25, 0.05, 0.02, 0.01)
CHOOSING = 5  # the seed that only chooses the rate


def reached(network: Network, spike: Surrogate, part: Part) -> float:
    """Return the share of the outputs' potentials whose derivative is not 0."""
    with torch.no_grad():
        slopes = spike.derivative(network(part[0])[1] - 1)
    return round((slopes > 0).double().mean().item(), record.DIGITS)


def rows() -> Iterator[Row]:
    """Train everything, and yield a row for each width."""
    training, validation = parts()
    for spike in [*map(Boxcar, SLOPES), StraightThrough(0.25)]:

        def trained(rate: float, seed: int, spike: Surrogate = spike) -> tuple[float, list[float]]:
            network = build(spike, 0.0, seed)
            before = reached(network, spike, validation)
            right = accuracies(network, rate, training, validation)[-1]
            return right, [before, reached(network, spike, validation)]

        rate = max(RATES, key=lambda rate: trained(rate, CHOOSING)[0])
        found = [trained(rate, seed) for seed in SEEDS]
        yield {
            "surrogate": type(spike).__name__,
            "width": 1 / spike.slope if isinstance(spike, Boxcar) else None,
            "rate": rate,
            "accuracies": [right for right, _ in found],
            "reached": [shares for _, shares in found],
        }


if __name__ == "__main__":
    record.run(__doc__, "surrogate_width", rows, libraries=["torch", "scikit-learn"])
