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

import delays
import torch
from harness import Row, record
from torch import Tensor
from torch.nn.functional import cross_entropy

PRICES = (1e-2, 3e-3, 1e-3, 3e-4)
RATES = (2e-2, 5e-3)
USED = 0.1
"""From which part of a filter's largest weight a channel counts as used."""


def train(
    price: float, rate: float, parts: list[delays.Part], seed: int
) -> tuple[float, float, Tensor]:
    """Return what is reached in validation and in the test, and by which weights."""
    (inputs, labels), held, test = parts
    torch.manual_seed(seed)
    network = delays.Convolved(delays.CLASSES, mean=False)
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, delays.EPOCHS)
    for _ in range(delays.EPOCHS):
        for chosen in torch.randperm(len(labels)).split(delays.BATCH):
            loss = cross_entropy(network(inputs[:, chosen]), labels[chosen])
            if price:
                loss = loss + price * network.first.weight.abs().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        slower.step()
    weight = network.first.weight.detach()
    return delays.accuracy(network, *held), delays.accuracy(network, *test), weight


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
    tuning = delays.sample(delays.TUNING_SEED)
    tried: list[Row] = []
    for price in PRICES:
        for rate in RATES:
            reached, _, _ = train(price, rate, tuning, delays.TUNING_SEED)
            tried.append({"price": price, "rate": rate, "validation": reached})
    chosen = max(tried, key=lambda each: each["validation"])
    parts = {seed: delays.sample(seed) for seed in delays.SEEDS}
    for price in (0.0, *reversed(PRICES)):
        found = [train(price, chosen["rate"], parts[seed], seed) for seed in delays.SEEDS]
        told = [read(weight) for _, _, weight in found]
        row: Row = {"price": price, "rate": chosen["rate"], "test": [test for _, test, _ in found]}
        row |= {key: [each[key] for each in told] for key in told[0]}
        yield {**row, "tried": tried} if price == chosen["price"] else row


if __name__ == "__main__":
    record.run(__doc__, "delays_sparse", rows, libraries=["torch"])
