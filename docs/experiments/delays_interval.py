"""What have four neurons with delays learnt: an order of five spikes, or when exactly they come?

Trains four neurons with learnt delays, as the lesson does, on spikes six steps apart, and ends the
narrowing at three widths; beside them four whose delays stay as they were drawn. Then shows them
the same orders at other intervals, and with channels off by a step or two. A convolution over time
of four filters, which has no width to choose, meets the same tests. A hidden layer of a hundred
neurons with weights alone, of leaks smaller than those of delays.py, tells how far potentials come
without delays. Each gets two learning rates; the better in validation, on the mean of three seeds,
trains with five others. With --record the figures are kept beside it. A run takes about six minutes
on one processor.
"""

from functools import partial

import delays
import torch
from harness import Part, Row, accuracy, loss_on, study
from torch import Tensor

from snn_docs.delays import Delayed
from snn_docs.fitting import minimize

WIDTHS = (0.3, 1.0, 2.0)
LEAKS = (0.01, 0.0)
INTERVALS = range(3, 10)
JITTERS = (1, 2)
TESTED = 500


def rates(*values: float) -> list[Row]:
    """Return what may be chosen."""
    return [{"rate": value} for value in values]


NETWORKS = {
    **{f"delays {width:g}": rates(1e-2, 2e-2) for width in WIDTHS[::-1]},
    "random 2": rates(2e-2, 5e-2),
    **{f"weights {leak:g}": rates(2e-2, 5e-2) for leak in LEAKS[::-1]},
    "convolution": rates(5e-3, 2e-2),
}


def shown(interval: int, jitter: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return the same orders at another interval, or with channels off by up to so many steps."""
    generator = torch.Generator().manual_seed(1000 + seed)
    labels = torch.randint(delays.CLASSES, (TESTED,), generator=generator)
    steps = torch.randint(2, 11, (TESTED, 1), generator=generator)
    steps = steps + delays.patterns()[labels] // delays.GAP * interval
    steps += torch.randint(-jitter, jitter + 1, steps.shape, generator=generator)
    inputs = (torch.rand(delays.STEPS, *steps.shape, generator=generator) < delays.NOISE).float()
    return inputs.scatter(0, steps[None], 1.0), labels


def made(kind: str, value: float) -> torch.nn.Module:
    """Return a network."""
    if kind == "weights":
        return delays.weights_alone(value, 100)
    if kind == "convolution":
        return delays.Convolved(delays.CLASSES, mean=False)
    late = Delayed(delays.CHANNELS, delays.CLASSES, delays.LONGEST)
    if kind == "random":
        torch.nn.init.uniform_(late.late, 0, delays.LONGEST / late.pace)
        late.late.requires_grad = False
    return delays.Counting(late, delays.leaky(0.5))


def narrowed(network: torch.nn.Module, training: Part, rate: float, narrowest: float) -> None:
    """Train, and narrow delays, if there are any."""

    def narrow(losses: list[float]) -> None:
        if isinstance(network.first, Delayed):
            network.first.anneal(len(losses) / delays.EPOCHS, narrowest)

    minimize(
        loss_on(network, *training, axis=1), network.parameters(), len(training[1]),
        epochs=delays.EPOCHS, lr=rate, on_epoch=narrow,
    )  # fmt: skip


def train(name: str, setting: Row, seed: int) -> Row:
    """Return what a network reaches where it was trained, and what it tells of other intervals."""
    kind, _, value = name.partition(" ")
    training, held, test = delays.sample(seed)
    torch.manual_seed(seed)
    network = made(kind, float(value or 0))
    narrowed(network, training, setting["rate"], float(value or 0))
    told = partial(accuracy, network)
    row: Row = {"validation": told(*held), "test": told(*test)}
    if kind != "weights":
        row["by_interval"] = [told(*shown(each, 0, seed)) for each in INTERVALS]
        row["by_jitter"] = [told(*shown(delays.GAP, each, seed)) for each in JITTERS]
    return row


if __name__ == "__main__":
    study(__doc__, "delays_interval", NETWORKS, train)
