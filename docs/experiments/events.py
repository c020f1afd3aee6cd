"""Which way do the events move: what must be remembered of them, and how long?

Trains networks of the same two convolutions on events of digits that cross a canvas to the right,
left, down or up: leaky neurons that see one step at a time, and ReLUs that see once what is kept of
all 18 steps: their mean, all of them as channels, or an exponential time surface, the time since
each pixel's last event as a number that decays. Each gets the same search: two learning rates by
what is its own, leaks or time constants. The best in validation, on a seed that is used for nothing
else, then trains with five others: all of them, where several are the best. The test is on other
digits. The second part trains the leaky neurons on wider bins: the leak that does it depends on the
width. With --record the figures are kept beside it. A run takes about four minutes on one
processor.
"""

import math
from collections.abc import Callable, Iterator
from itertools import product

import torch
from costs import crossing
from harness import SEEDS, Part, Row, accuracy, fit, parameters, record
from torch import Tensor, nn

from snn_docs import LIF, Sequential, data
from snn_docs.surrogate import ArcTan

View = Callable[[Tensor], Tensor]


EPOCHS, BATCH = 10, 32
RATES = (3e-3, 1e-2)
LEAKS, CONSTANTS = (0.0, 0.1, 0.3), (3.0, 10.0, 30.0)
TUNING_SEED = 100
BINS = (18, 6, 2)
LEAKS_BY_BINS = (0.1, 0.27, 0.61, 1.0)
"""The time constant of 9.5 steps that 0.1 is of a step is 0.27 of three steps, 0.61 of nine."""


class Eye(nn.Module):
    """Two convolutions; a layer of weights reads the mean of what comes out over time."""

    def __init__(self, activation: nn.Module, maps: int) -> None:
        """Make the layers."""
        super().__init__()
        first, second = nn.Conv2d(maps, 4, 5, stride=2), nn.Conv2d(4, 8, 3, stride=2)
        self.layers = Sequential(first, activation, second, activation, nn.Flatten())
        self.answer = nn.Linear(72, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return a number for each direction."""
        answer: Tensor = self.answer(self.layers(inputs).mean(0))
        return answer


def lif(leak: float) -> nn.Module:
    """Return leaky neurons."""
    return LIF(leak=leak, reset="subtract", detach_reset=True, surrogate=ArcTan())


def steps(events: Tensor) -> Tensor:
    """Return the events as they come."""
    return events


def mean(events: Tensor) -> Tensor:
    """Return the mean over time as the only step."""
    return events.mean(0, keepdim=True)


def stacked(events: Tensor) -> Tensor:
    """Return all steps as channels of the only one."""
    return events.transpose(0, 1).flatten(1, 2)[None]


def surface(constant: float) -> View:
    """Return what sees a map a polarity of how long ago the last event was."""
    kept = math.exp(-1 / constant)

    def seen(events: Tensor) -> Tensor:
        last = torch.zeros_like(events[0])
        for now in events:
            last = torch.maximum(kept * last, (now > 0).float())
        return last[None]

    return seen


Networks = dict[str, tuple[Callable[[float], tuple[Eye, View]], tuple[float, ...]]]
NETWORKS: Networks = {
    "SNN": (lambda leak: (Eye(lif(leak), 2), steps), LEAKS),
    "SNN、漏れ1": (lambda leak: (Eye(lif(leak), 2), steps), (1.0,)),
    "平均": (lambda _: (Eye(nn.ReLU(), 2), mean), (0.0,)),
    "18枚": (lambda _: (Eye(nn.ReLU(), 36), stacked), (0.0,)),
    "時間の面": (lambda constant: (Eye(nn.ReLU(), 2), surface(constant)), CONSTANTS),
}


def reached(
    make: Callable[[float], tuple[Eye, View]],
    setting: tuple[float, float],
    seed: int,
    parts: tuple[Part, Part],
) -> tuple[float, Eye]:
    """Train on the first part; return the accuracy on the second, and the network."""
    own, rate = setting
    torch.manual_seed(seed)
    network, view = make(own)
    (inputs, labels), (others, answers) = parts
    fit(network, (view(inputs), labels), rate, axis=1, count=EPOCHS, batch=BATCH)
    return accuracy(network, view(others), answers), network


def compared(networks: Networks, train: Part, held: Part, test: Part) -> Iterator[Row]:
    """Yield what each network reached with its best settings, and the trained ones."""
    for name, (make, own) in networks.items():
        settings = list(product(own, RATES))
        tried = [reached(make, setting, TUNING_SEED, (train, held))[0] for setting in settings]
        for setting, value in zip(settings, tried, strict=True):
            if value == max(tried):
                runs = [reached(make, setting, seed, (train, test)) for seed in SEEDS]
                yield {
                    "network": name,
                    "weights": parameters(runs[0][1]),
                    "settings": settings,
                    "validation": tried,
                    "best": setting,
                    "test": [each for each, _ in runs],
                    "networks": [network for _, network in runs],
                }


def coarse(part: Part, bins: int) -> Part:
    """Return the events counted in fewer bins."""
    return part[0].unflatten(0, (bins, -1)).sum(1), part[1]


def widened(train: Part, test: Part) -> Iterator[Row]:
    """Yield what leaky neurons reach by the number of bins and the leak."""
    for bins, leak in product(BINS, LEAKS_BY_BINS):
        make, parts = NETWORKS["SNN"][0], (coarse(train, bins), coarse(test, bins))
        runs = [reached(make, (leak, RATES[-1]), seed, parts)[0] for seed in SEEDS]
        yield {"bins": bins, "leak": leak, "test": runs}


def parts() -> tuple[Part, Part, Part]:
    """Return events to train on, to choose settings by, and to test."""
    split = data.mnist()
    train, held = crossing(split.train_inputs[:600], 0), crossing(split.train_inputs[600:1000], 2)
    return train, held, crossing(split.test_inputs[:400], 1)


def rows() -> Iterator[Row]:
    """Yield what each network reached, and then the leaky neurons with wider bins."""
    train, held, test = parts()
    for row in compared(NETWORKS, train, held, test):
        del row["networks"]
        yield row
    yield from widened(train, test)


if __name__ == "__main__":
    record.run(__doc__, "events", rows, libraries=["torch", "mlxtend"])
