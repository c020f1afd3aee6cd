"""Can a convolution be read as learnt delays can, if its weights have a price?

Trains the four filters of delays.py, one for each pattern and no layer behind them, with a price on
the sum of all weights' sizes (L1) added to the loss. Of four prices at two learning rates, the best
in validation is chosen on the seed that delays.py chooses on, the higher price among equals; the
five seeds of delays.py then train with each price at the rate chosen, and with none. Each channel
is read at its largest weight, as in delays.py: how many steps apart would a pattern's spikes
arrive, on all channels, and on those that a filter uses, whose largest weight is a tenth of the
filter's largest, or more? With --record the figures are kept beside it. A run takes about two
minutes on one processor.
"""

from collections.abc import Iterator
from functools import partial

import delays
from harness import Row, best, grid, record
from torch import Tensor

PRICES = (1e-2, 3e-3, 1e-3, 3e-4)
RATES = (2e-2, 5e-3)
KEPT = ("test", "spread", "used", "used_spread")
USED = 0.1
"""From which part of a filter's largest weight a channel counts as used."""


def train(setting: Row, seed: int) -> Row:
    """Return what is reached in validation and in the test, and how it reads."""
    make = partial(delays.Convolved, delays.CLASSES, mean=False)
    price = setting["price"]
    found = delays.train(make, {"rate": setting["rate"]}, delays.sample(seed), seed, price)
    return {**found, **read(found["network"].first.weight.detach())}


def read(weight: Tensor) -> Row:
    """Return how far apart spikes would arrive, on all channels and on those used, by filter."""
    largest, late = weight.max(2)
    arrivals = delays.patterns() - late
    used = largest >= USED * weight.amax((1, 2))[:, None]
    kept = [each[chosen] for each, chosen in zip(arrivals, used, strict=True)]
    return {
        "spread": (arrivals.amax(1) - arrivals.amin(1)).tolist(),
        "used": used.sum(1).tolist(),
        "used_spread": [int(each.max() - each.min()) for each in kept],
    }


def rows() -> Iterator[Row]:
    """Choose a price and a rate, and yield what each price comes to on fresh seeds."""
    settings = grid(price=PRICES, rate=RATES)
    chosen, tried = best(settings, lambda each: train(each, delays.TUNING_SEED)["validation"])
    for price in (0.0, *reversed(PRICES)):
        row = {"price": price, "rate": chosen["rate"]}
        runs = [train(row, seed) for seed in delays.SEEDS]
        row |= {key: [run[key] for run in runs] for key in KEPT}
        if price == chosen["price"]:
            row["tried"] = [
                {**each, "validation": held} for each, held in zip(settings, tried, strict=True)
            ]
        yield row


if __name__ == "__main__":
    record.run(__doc__, "delays_sparse", rows, libraries=["torch"])
