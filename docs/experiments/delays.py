"""Which networks tell four patterns that differ in nothing but when five channels fire?

Each pattern is an order of five spikes, six steps apart, that begins at a random step; each channel
also fires at random. Four neurons that learn how long each spike takes to arrive, and no layer
behind them, meet the same neurons with delays that stay as they were drawn, hidden layers with such
delays or without any, spikes that come back, and convolutions over time, of which the smaller has
one filter for each pattern, and no layer behind them, either. Each gets eight settings; the best in
validation, on a seed that is used for nothing else, then trains with five others, and the test
accuracy is that of the last epoch, when all delays are whole steps. Where there is a unit for each
pattern, its delays, or the steps of a filter's largest weights, are read, too: how far apart would
that pattern's spikes arrive? Controls: the steps of each sample in random order. Limits: delays
that begin all over the range, and channels off by a step, where delays that stay wide are tried,
too. With --record the figures are kept beside it. A run takes about half an hour on one processor.
"""

from collections.abc import Callable
from functools import cache, partial
from itertools import chain
from typing import Any

import torch
from harness import Part, Row, accuracy, each, epochs, grid, tuned
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import CosineAnnealingLR

from snn_docs import LIF, Recurrent
from snn_docs.delays import Delayed
from snn_docs.surrogate import ArcTan

STEPS, CHANNELS, CLASSES, GAP, NOISE = 64, 5, 4, 6, 0.02
LONGEST = 36
SAMPLES = (1000, 500, 500)
EPOCHS, BATCH = 40, 64
WIDEST, WIDE, NARROWEST = 10.0, 3.0, 0.3
SEEDS = range(20, 25)
TUNING_SEED = 100
TAPS = 25


def patterns() -> Tensor:
    """Return when each channel fires, by pattern."""
    generator = torch.Generator().manual_seed(1)
    orders = [torch.randperm(CHANNELS, generator=generator) for _ in range(CLASSES)]
    return GAP * torch.stack(orders)


@cache
def sample(seed: int, *, jitter: int = 0, scrambled: bool = False) -> list[Part]:
    """Return data for training, validation and test; if told to, with steps in random order."""
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for samples in SAMPLES:
        labels = torch.randint(CLASSES, (samples,), generator=generator)
        start = torch.randint(1, 11, (samples, 1), generator=generator)
        steps = start + patterns()[labels]
        steps += torch.randint(-jitter, jitter + 1, steps.shape, generator=generator)
        inputs = (torch.rand(STEPS, samples, CHANNELS, generator=generator) < NOISE).float()
        inputs.scatter_(0, steps[None], 1.0)
        if scrambled:
            order = torch.rand(inputs.shape[:2], generator=generator).argsort(0)
            inputs = inputs.take_along_dim(order[:, :, None], 0)
        parts.append((inputs, labels))
    return parts


class Late(Delayed):
    """Delays that are learnt, or stay as they were drawn."""

    def __init__(
        self,
        outputs: int,
        *,
        learnt: bool,
        weight: float = 0.1,
        narrowest: float = NARROWEST,
        spread: float = 2.0,
    ) -> None:
        """Make delays about the middle of what there may be, or all over it."""
        width = WIDEST if learnt else narrowest
        super().__init__(CHANNELS, outputs, LONGEST, width=width, weight=weight, pace=1.0)
        self.learnt, self.narrowest = learnt, narrowest
        if not learnt or spread == float("inf"):
            delay = (LONGEST + 1) * torch.rand(outputs, CHANNELS) - 0.5
            self.late.data = delay if learnt else delay.round()
        self.late.requires_grad_(learnt)


class Counting(torch.nn.Module):
    """Neurons behind a layer; how often each fires is read as it is, or by a layer of weights."""

    def __init__(self, first: torch.nn.Module, neuron: torch.nn.Module, hidden: int = 0) -> None:
        """Keep the parts."""
        super().__init__()
        self.first, self.neuron = first, neuron
        self.last = torch.nn.Linear(hidden, CLASSES) if hidden else torch.nn.Identity()

    def forward(self, inputs: Tensor) -> Tensor:
        """Return a number for each pattern."""
        spikes = self.neuron.run(self.first(inputs))[0]  # type: ignore[operator] # a neuron's
        scores: Tensor = self.last(spikes.sum(0))
        return scores


class Convolved(torch.nn.Module):
    """A convolution over time, and the largest or the mean of each unit.

    These are read as they are if there is one for each pattern, or by a layer of weights.
    """

    def __init__(self, units: int, *, mean: bool) -> None:
        """Make the layers."""
        super().__init__()
        self.mean, alone = mean, units == CLASSES
        self.first = torch.nn.Conv1d(CHANNELS, units, TAPS)
        self.last = torch.nn.Identity() if alone else torch.nn.Linear(units, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return a number for each pattern."""
        found = self.first(inputs.permute(1, 2, 0)).relu()
        scores: Tensor = self.last(found.mean(2) if self.mean else found.amax(2))
        return scores


def leaky(leak: float) -> LIF:
    """Return leaky neurons."""
    return LIF(leak=leak, reset="subtract", surrogate=ArcTan())


def delayed(leak: float, *, learnt: bool, hidden: int = 0, **own: float) -> Counting:
    """Return a network whose first spikes are late."""
    return Counting(Late(hidden or CLASSES, learnt=learnt, **own), leaky(leak), hidden)


def weights_alone(leak: float, hidden: int) -> Counting:
    """Return a network in which all spikes arrive at once."""
    return Counting(torch.nn.Linear(CHANNELS, hidden), leaky(leak), hidden)


def looped(leak: float, hidden: int) -> Counting:
    """Return a network whose spikes come back."""
    back = torch.nn.Linear(hidden, hidden, bias=False)
    torch.nn.init.orthogonal_(back.weight, gain=0.5)
    first = torch.nn.Linear(CHANNELS, hidden)
    return Counting(first, Recurrent(leaky(leak), back), hidden)


LEAKS = (0.05, 0.5)
RATES = (2e-3, 5e-3, 1e-2, 2e-2)
ALONE = grid(leak=LEAKS, rate=RATES)
DRAWN = grid(leak=LEAKS, weight=(0.1, 0.4), rate=(5e-3, 2e-2))
Make = Callable[..., torch.nn.Module]
NETWORKS: dict[str, tuple[Make, list[Row]]] = {
    "delays": (
        partial(delayed, learnt=True),
        grid(leak=(0.5, 0.05), weight=(0.1, 0.2), rate=(2e-2, 1e-2)),
    ),
    "random 4": (partial(delayed, learnt=False), DRAWN),
    "random 31": (partial(delayed, learnt=False, hidden=31), DRAWN),
    "random 100": (partial(delayed, learnt=False, hidden=100), DRAWN),
    "weights 100": (partial(weights_alone, hidden=100), ALONE),
    "recurrent 64": (partial(looped, hidden=64), ALONE),
    "convolution 20": (partial(Convolved, 20), grid(mean=(False, True), rate=RATES)),
    "convolution 4": (partial(Convolved, CLASSES), grid(mean=(False, True), rate=RATES[::-1])),
}
LIMITS = ("delays", "random 100", "convolution 20")
"""The networks that are also tried with channels off by a step."""
READ = ("delays", "convolution 4")
"""The networks with one unit for each pattern, whose steps are read."""


def spread(network: torch.nn.Module) -> list[int]:
    """Return of each unit how many steps apart its own pattern's spikes arrive."""
    first: Any = network.first
    late = first.delay if isinstance(first, Late) else -first.weight.argmax(2)
    arrivals = patterns() + late.detach().int()
    return (arrivals.amax(1) - arrivals.amin(1)).tolist()


def made(make: Make, setting: Row) -> torch.nn.Module:
    """Return a network with these settings."""
    return make(**{key: value for key, value in setting.items() if key != "rate"})


def train(make: Make, setting: Row, parts: list[Part], seed: int, price: float = 0.0) -> Row:
    """Return a network, and what it reaches; there may be a price on the first weights' sizes."""
    (inputs, labels), held, test = parts
    torch.manual_seed(seed)
    network = made(make, setting)
    first: Any = network.first
    late = [first.late] if isinstance(first, Late) else []
    weights = [each for name, each in network.named_parameters() if name != "first.late"]
    rate = setting["rate"]
    groups: list[dict[str, Any]] = [{"params": weights}, {"params": late, "lr": 20 * rate}]
    optimizer = torch.optim.Adam(groups, lr=rate)
    slower = CosineAnnealingLR(optimizer, EPOCHS)

    def loss(chosen: Tensor) -> Tensor:
        found = cross_entropy(network(inputs[:, chosen]), labels[chosen])
        return found + price * first.weight.abs().sum() if price else found

    going = epochs(loss, len(labels), optimizer, count=EPOCHS, batch=BATCH, slower=slower)
    for epoch in chain([0], going):
        if late and first.learnt and epoch < EPOCHS:
            first.anneal(epoch / EPOCHS, first.narrowest)
    reached = {"validation": accuracy(network, *held), "test": accuracy(network, *test)}
    return {"network": network, **reached}


def trained(name: str) -> Row:
    """Choose a network's settings, and return what they reach on fresh seeds."""
    make, settings = NETWORKS[name]
    fit = lambda setting, seed: train(make, setting, sample(seed), seed)  # noqa: E731
    chosen, tried, runs = tuned(settings, fit, [TUNING_SEED], SEEDS)
    learnt = [each for each in made(make, chosen).parameters() if each.requires_grad]
    found: Row = {
        "network": name,
        "parameters": sum(each.numel() for each in learnt),
        "chosen": chosen,
        "tried": [{**each, "validation": held} for each, held in zip(settings, tried, strict=True)],
        "test": runs["test"],
    }

    def again(make: Make = make, **how: Any) -> list[float]:  # noqa: ANN401 - those of `sample`
        return [train(make, chosen, sample(seed, **how), seed)["test"] for seed in SEEDS]

    if name in READ:
        found["spread"] = [spread(network) for network in runs["network"]]
    if name in LIMITS:
        found |= {"jitter": again(jitter=1), "scrambled": again(scrambled=True)}
    if name == "delays":
        found["anywhere"] = again(partial(make, spread=float("inf")))
        found["wide"] = again(partial(make, narrowest=WIDE), jitter=1)
    return found


if __name__ == "__main__":
    each(__doc__, "delays", [(name,) for name in NETWORKS], trained)
