"""Which networks tell in which order three groups fired, when every channel fires as often?

Trains networks with one hidden layer on `data.orders`, where counts say nothing: neurons without
memory, leaky ones, ones with a slow current, ones whose thresholds adapt, leaky ones and adaptive
ones with spikes that come back (the latter are called LSNN), and a GRU, of about as many
parameters. Each gets eight settings, two learning rates by four of its own; the best in validation,
on a seed that is used for nothing else, then trains with five others, and the test accuracy is that
of the epoch that was best in validation. A linear classifier of the counts, and one of the whole
raster, get eight strengths of their penalty. Rates are read as means, but LSNN, CubaLIF and a
control of leaky neurons may also be read, as the GRU may by its last state, by a readout that
fades: there, late spikes count more. A convolution over time, of as many parameters, is read by
its largest or mean output. A rule that learns nothing is told the groups: the busiest step, or
steps, of each, sorted. Controls: the same networks on data whose steps are in random order, and on
volleys whose channels are off by a step; an ALIF that also keeps a potential over these steps is
chosen on three seeds. A last part tries how far ALIF's two settings of its
threshold may be off. With --record the figures are kept beside it. A run takes about
twenty-five minutes on one processor.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import permutations
from typing import Any

import torch
from harness import (
    TUNING,
    Chain,
    Part,
    Row,
    fit_best,
    gated,
    grid,
    parameters,
    record,
    tuned,
)
from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from torch import Tensor

from snn_docs import ALIF, LIF, CubaLIF, Recurrent, data
from snn_docs.surrogate import ArcTan

GAP = 20
SAMPLES = (1024, 512, 512)
EPOCHS, BATCH = 20, 64
RATES = (3e-3, 1e-2)
SEEDS = range(5)
TUNING_SEED = 100
CONTROL = "ALIF, leaky"
"""What is chosen on all three seeds: it asks whether a potential would have helped."""
CHANNELS, ORDERS = 24, 6
HIDDEN, LOOPED, GATED = 100, 42, 20
MIXED, FILTERS = 8, 7
"""As many units as give each network about three thousand parameters."""
PENALTIES = tuple(10.0**power for power in range(-5, 3))
ADAPTATIONS = (0.3, 1.0, 3.0, 10.0)
ADAPTATION_LEAKS = (0.002, 0.02, 0.2)

RULE: dict[str, Any] = {"reset": "subtract", "surrogate": ArcTan()}
"""Of all neurons."""


def fading(spikes: Tensor) -> Tensor:
    """Return ten times the rates that a readout sees whose potential leaks, in the last step."""
    weights = (1 - 1 / GAP) ** torch.arange(len(spikes) - 1, -1, -1)
    rates: Tensor = torch.tensordot(weights / weights.sum(), spikes, 1)
    return 10 * rates


READ: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda states: 10 * states.mean(0),
    "last": lambda states: states[-1],
    "fading": fading,
}
"""What the last layer of weights sees of a hidden layer."""


def spiking(
    kind: type[LIF | CubaLIF | ALIF],
    *,
    readout: str = "mean",
    gain: float | None = None,
    **constants: Any,  # noqa: ANN401 - the neuron's own
) -> Chain:
    """Return a network of such neurons, whose spikes may come back through weights so large."""
    neuron: torch.nn.Module = kind(**constants, **RULE)
    hidden = HIDDEN
    if gain is not None:
        hidden, back = LOOPED, torch.nn.Linear(LOOPED, LOOPED, bias=False)
        torch.nn.init.orthogonal_(back.weight, gain=gain)
        neuron = Recurrent(neuron, back)
    first, last = torch.nn.Linear(CHANNELS, hidden), torch.nn.Linear(hidden, ORDERS)
    return Chain(first, neuron, READ[readout], last)


def gru(readout: str, bias: float) -> Chain:
    """Return a GRU, read by the mean of its states or by the last, its update gates open or not."""
    return Chain(gated(CHANNELS, GATED, bias), READ[readout], torch.nn.Linear(GATED, ORDERS))


def convolved(taps: int, readout: str) -> Chain:
    """Return two convolutions over time, read by their largest or their mean output.

    The first brings the channels together over so many steps; the other is as long as two gaps.
    """
    return Chain(
        lambda inputs: inputs.permute(1, 2, 0),
        torch.nn.Conv1d(CHANNELS, MIXED, taps, padding=taps // 2),
        torch.relu,
        torch.nn.Conv1d(MIXED, FILTERS, 2 * GAP + 5, padding=GAP + 2),
        torch.relu,
        lambda found: 10 * found.mean(2) if readout == "mean" else found.amax(2),
        torch.nn.Linear(FILTERS, ORDERS),
    )


MEMORY = 1 / 2 / GAP
"""What leaks slowly enough to last from the first volley to the third."""
READOUTS = ("mean", "fading")
of_lif, of_cuba, of_alif = (partial(spiking, kind) for kind in (LIF, CubaLIF, ALIF))
NETWORKS: dict[str, tuple[Callable[..., torch.nn.Module], list[Row]]] = {
    "memoryless": (of_lif, grid(leak=(1.0,), rate=RATES)),
    "LIF": (of_lif, grid(leak=(0.0, 0.01, 0.05, 0.2), rate=RATES)),
    "fading": (of_lif, grid(leak=(0.05, 0.2, 0.5, 1.0), readout=READOUTS[1:], rate=RATES)),
    "CubaLIF": (
        of_cuba,
        grid(leak=(0.5, 1.0), synapse_leak=(MEMORY,), readout=READOUTS, rate=RATES),
    ),
    "recurrent": (of_lif, grid(leak=(0.0, 0.05), gain=(0.2, 0.5), rate=RATES)),
    "ALIF": (
        of_alif,
        grid(leak=(0.5, 1.0), adaptation=(1.0, 3.0), adaptation_leak=(MEMORY,), rate=RATES),
    ),
    CONTROL: (
        of_alif,
        grid(
            leak=(1 / 3,), adaptation=(1.0, 2.0, 3.0, 5.0), adaptation_leak=(MEMORY,),
            rate=RATES,
        ),
    ),
    "ALIF, longer": (
        of_alif,
        grid(
            leak=(0.1, 0.33), adaptation=(1.0,), adaptation_leak=(MEMORY,),
            readout=READOUTS, rate=RATES,
        ),
    ),
    "LSNN": (
        of_alif,
        grid(
            leak=(0.2, 0.5), adaptation=(1.0,), adaptation_leak=(MEMORY,), gain=(0.5,),
            readout=READOUTS, rate=RATES,
        ),
    ),
    "GRU": (gru, grid(readout=("mean", "last"), bias=(0.0, 2.0), rate=RATES)),
    "convolution": (convolved, grid(taps=(1, 3), readout=("max", "mean"), rate=RATES)),
}  # fmt: skip
RULES = {"rule 1": 1, "rule 3": 3}
"""The rule that is told the groups, and over how many steps it counts a group's spikes."""


@cache
def sample(jitter: int, seed: int, *, scrambled: bool = False) -> list[Part]:
    """Return data for training, validation and test; if told to, with steps in random order."""
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for samples in SAMPLES:
        inputs, labels = data.orders(samples, GAP, jitter=jitter, generator=generator)
        if scrambled:
            order = torch.rand(inputs.shape[:2], generator=generator).argsort(0)
            inputs = inputs.take_along_dim(order[:, :, None], 0)
        parts.append((inputs, labels))
    return parts


def train(make: Callable[..., torch.nn.Module], setting: Row, parts: list[Part], seed: int) -> Row:
    """Return what the epoch that was best in validation reached there and in the test."""
    torch.manual_seed(seed)
    network = make(**{key: value for key, value in setting.items() if key != "rate"})
    found = fit_best(network, parts, setting["rate"], count=EPOCHS, batch=BATCH)
    return found | {"parameters": parameters(network)}


def compared(
    name: str, jitter: int, settings: Sequence[Row], reached: Callable[[Row, list[Part], int], Row]
) -> Row:
    """Choose a network's setting, and return what it reaches on fresh seeds."""
    run = lambda setting, seed: reached(setting, sample(jitter, seed), seed)  # noqa: E731
    tuning = TUNING if name == CONTROL else [TUNING_SEED]
    chosen, tried, runs = tuned(settings, run, tuning, SEEDS)
    return {
        "network": name,
        "parameters": runs["parameters"][0],
        "jitter": jitter,
        "chosen": chosen,
        "tried": [{**each, "validation": held} for each, held in zip(settings, tried, strict=True)],
        "test": runs["test"],
    }


def trained(name: str, jitter: int) -> Row:
    """Return what a network reaches, and without jitter also with the steps in random order."""
    make, settings = NETWORKS[name]
    row = compared(name, jitter, settings, partial(train, make))
    if jitter == 0:
        parts = {seed: sample(jitter, seed, scrambled=True) for seed in SEEDS}
        row["scrambled"] = [train(make, row["chosen"], parts[seed], seed)["test"] for seed in SEEDS]
    return row


def linear(name: str, jitter: int, see: Callable[[Tensor], Tensor]) -> Row:
    """Return what a linear classifier reaches that sees a part of the inputs."""

    def fitted(setting: Row, parts: list[Part], _: int) -> Row:
        (train, labels), *others = ((see(inputs).numpy(), y.numpy()) for inputs, y in parts)
        line = LogisticRegression(max_iter=300, **setting).fit(train, labels)
        held, test = (float(line.score(*other)) for other in others)
        number = ORDERS * (train.shape[1] + 1)
        return {"validation": held, "test": test, "parameters": number}

    return compared(name, jitter, grid(C=PENALTIES), fitted)


def in_order(inputs: Tensor, window: int) -> Tensor:
    """Return the order of the groups' busiest steps: which group came first, second and third."""
    counts = inputs.unflatten(2, (3, -1)).sum(3).permute(1, 2, 0)
    near = torch.nn.functional.avg_pool1d(counts, window, 1, padding=window // 2)
    slots = near.argmax(2).argsort(1).argsort(1)  # of each group, its place
    every = torch.tensor(list(permutations(range(3))))
    answers: Tensor = (slots[:, None] == every).all(2).int().argmax(1)
    return answers


def ruled(name: str, jitter: int) -> Row:
    """Return what the rule reaches, which has nothing to learn."""

    def told(setting: Row, parts: list[Part], _: int) -> Row:
        held, test = (
            float((in_order(inputs, **setting) == labels).float().mean())
            for inputs, labels in parts[1:]
        )
        return {"validation": held, "test": test, "parameters": 0}

    return compared(name, jitter, grid(window=(RULES[name],)), told)


def rows() -> Iterator[Row]:
    """Yield what each network reached, and what ALIF reaches with other thresholds."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    for jitter in (0, 1):
        yield linear("counts", jitter, lambda inputs: inputs.sum(0))
        yield linear("raster", jitter, lambda inputs: inputs.movedim(0, 1).flatten(1))
        for name in NETWORKS:
            yield trained(name, jitter)
        for name in RULES:
            yield ruled(name, jitter)
    tuning = sample(0, TUNING_SEED)
    for setting in grid(adaptation=ADAPTATIONS, adaptation_leak=ADAPTATION_LEAKS):
        whole = {"leak": 1.0, "rate": RATES[-1], **setting}
        reached = train(of_alif, whole, tuning, TUNING_SEED)["validation"]
        yield {**setting, "validation": reached}


def remade(_: Row) -> tuple[Row, Row]:
    """Make a rule's row again: the first one is at chance, where a rounding chooses the answer."""
    known = next(row for row in record.kept("timing") if row.get("network") == "rule 3")
    return known, ruled("rule 3", known["jitter"])


if __name__ == "__main__":
    record.run(__doc__, "timing", rows, libraries=["torch", "scikit-learn"], again=remade)
