"""What does the network of delays.py know: the order of five spikes, or how far apart they are?

Trains its four neurons with learnt delays on spikes six steps apart, and ends the narrowing at four
widths. Then shows them the same orders with other gaps, and with channels off by a step or two. A
convolution over time of four filters meets the same tests. The hidden layer of weights alone, which
cannot tell the orders with the leaks tried in delays.py, gets two smaller leaks. All keep the
settings and the five seeds of delays.py. With --record the figures are kept beside it; with --new
only what the record lacks is measured. A run takes about ten minutes on one processor.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from delays import (
    CLASSES,
    GAP,
    NOISE,
    SEEDS,
    STEPS,
    Convolved,
    accuracy,
    delayed,
    patterns,
    sample,
    train,
    weights_alone,
)
from harness import record

if TYPE_CHECKING:
    from collections.abc import Callable

    from delays import Part
    from record import Row

BY = ("network", "value")
"""What tells rows apart."""
WIDTHS = (0.3, 1.0, 2.0, 3.0)
LEAKS = (0.5, 0.05, 0.01, 0.0)
GAPS = range(3, 10)
JITTERS = (1, 2)
RATE = 2e-2
TESTED = 500


def shown(gap: int, jitter: int, seed: int) -> Part:
    """Return the same orders with another gap, or with channels off by so many steps."""
    generator = torch.Generator().manual_seed(1000 + seed)
    labels = torch.randint(CLASSES, (TESTED,), generator=generator)
    steps = torch.randint(2, 11, (TESTED, 1), generator=generator)
    steps = steps + patterns()[labels] // GAP * gap
    steps += torch.randint(-jitter, jitter + 1, steps.shape, generator=generator)
    inputs = (torch.rand(STEPS, *steps.shape, generator=generator) < NOISE).float()
    return inputs.scatter(0, steps[None], 1.0), labels


def measured(network: str, value: float) -> Row:
    """Return what a network that was trained with one gap and no jitter tells of others."""
    make: dict[str, Callable[[], torch.nn.Module]] = {
        "delays": partial(delayed, 0.5, learnt=True, narrowest=value),
        "convolution 4": partial(Convolved, CLASSES, mean=False),
        "weights 100": partial(weights_alone, value, 100),
    }
    tests, gaps, jitters = [], [], []
    for seed in SEEDS:
        _, test, trained = train(make[network], RATE, sample(seed), seed)
        tests.append(test)
        gaps.append([accuracy(trained, *shown(gap, 0, seed)) for gap in GAPS])
        jitters.append([accuracy(trained, *shown(GAP, off, seed)) for off in JITTERS])
    row: Row = {"network": network, "value": value, "test": tests}
    if network != "weights 100":
        row |= {"gaps": list(GAPS), "by_gap": gaps, "jitters": list(JITTERS), "by_jitter": jitters}
    return row


def show(row: Row) -> str:
    """Return a network, and what it told."""
    told = " ".join(f"{value:.3f}" for value in row["test"])
    line = f"{row['network']} {row['value']}: {told}"
    for key in ("by_gap", "by_jitter"):
        if key in row:
            means = [sum(each) / len(each) for each in zip(*row[key], strict=True)]
            line += f"\n    {key}: " + " ".join(f"{value:.2f}" for value in means)
    return line


if __name__ == "__main__":
    places = [("delays", width) for width in WIDTHS]
    places += [("convolution 4", 0.0), *(("weights 100", leak) for leak in LEAKS)]
    record.run_each(
        __doc__, "delays_width", by=BY, places=places,
        measured=measured, show=show, libraries=["torch"],
    )  # fmt: skip
