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
volleys whose channels are off by a step. A last part tries how far ALIF's two
settings of its threshold may be off. With --record the figures are kept beside it. With --only NAME
... those networks alone are run, and the other rows of the record stay, with the machine and the
date that made them. A run takes about twenty minutes on one processor; LSNN alone takes six,
CubaLIF two, the rules a second.
"""

from __future__ import annotations

import sys
import warnings
from functools import partial
from itertools import permutations, product
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from harness import record
from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from torch.nn.functional import cross_entropy

from snn_docs import ALIF, LIF, CubaLIF, Recurrent, data
from snn_docs.surrogate import ArcTan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from record import Row
    from torch import Tensor

GAP = 20
SAMPLES = (1024, 512, 512)
EPOCHS, BATCH = 20, 64
RATES = (3e-3, 1e-2)
SEEDS = range(5)
TUNING_SEED = 100
CHANNELS, ORDERS = 24, 6
HIDDEN, LOOPED, GATED = 100, 42, 20
MIXED, FILTERS = 8, 7
"""As many units as give each network about three thousand parameters."""
PENALTIES = tuple(10.0**power for power in range(-5, 3))
ADAPTATIONS = (0.3, 1.0, 3.0, 10.0)
ADAPTATION_LEAKS = (0.002, 0.02, 0.2)

RULE: dict[str, Any] = {"reset": "subtract", "surrogate": ArcTan()}
"""Of all neurons."""

Part = tuple["Tensor", "Tensor"]


class Spiking(torch.nn.Module):
    """Hidden neurons; a layer of weights reads how often each fires, or has fired of late."""

    def __init__(self, hidden: int, neuron: torch.nn.Module, readout: str = "mean") -> None:
        """Make the layers."""
        super().__init__()
        self.readout = readout
        self.first, self.neuron = torch.nn.Linear(CHANNELS, hidden), neuron
        self.last = torch.nn.Linear(hidden, ORDERS)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return a number for each order."""
        spikes = self.neuron.run(self.first(inputs))[0]  # type: ignore[operator] # a neuron's
        if self.readout == "mean":
            rates = spikes.mean(0)
        else:  # a readout whose potential leaks, in the last step
            weights = (1 - 1 / GAP) ** torch.arange(len(spikes) - 1, -1, -1)
            rates = torch.tensordot(weights / weights.sum(), spikes, 1)
        scores: Tensor = self.last(10 * rates)
        return scores


class Gated(torch.nn.Module):
    """A GRU, read by the mean of its states or by the last, its update gates open or not."""

    def __init__(self, readout: str, bias: float) -> None:
        """Make the layers."""
        super().__init__()
        self.gru, self.readout = torch.nn.GRU(CHANNELS, GATED), readout
        self.last = torch.nn.Linear(GATED, ORDERS)
        with torch.no_grad():
            self.gru.get_parameter("bias_ih_l0")[GATED : 2 * GATED] += bias

    def forward(self, inputs: Tensor) -> Tensor:
        """Return a number for each order."""
        states, _ = self.gru(inputs)
        scores: Tensor = self.last(states[-1] if self.readout == "last" else 10 * states.mean(0))
        return scores


class Convolved(torch.nn.Module):
    """Two convolutions over time, the later one as long as two gaps; its largest or mean output."""

    def __init__(self, taps: int, readout: str) -> None:
        """Make the layers; the first brings the channels together over so many steps."""
        super().__init__()
        self.readout = readout
        self.first = torch.nn.Conv1d(CHANNELS, MIXED, taps, padding=taps // 2)
        self.then = torch.nn.Conv1d(MIXED, FILTERS, 2 * GAP + 5, padding=GAP + 2)
        self.last = torch.nn.Linear(FILTERS, ORDERS)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return a number for each order."""
        found = self.then(self.first(inputs.permute(1, 2, 0)).relu()).relu()
        scores: Tensor = self.last(10 * found.mean(2) if self.readout == "mean" else found.amax(2))
        return scores


def leaky(leak: float, readout: str = "mean") -> Spiking:
    """Return a network of leaky neurons."""
    return Spiking(HIDDEN, LIF(leak=leak, **RULE), readout)


def looped(leak: float, gain: float) -> Spiking:
    """Return a network whose spikes come back through weights that begin so large."""
    return Spiking(LOOPED, with_spikes_back(LIF(leak=leak, **RULE), gain))


def with_spikes_back(neuron: torch.nn.Module, gain: float) -> Recurrent:
    """Return neurons whose spikes come back through weights that begin so large."""
    back = torch.nn.Linear(LOOPED, LOOPED, bias=False)
    torch.nn.init.orthogonal_(back.weight, gain=gain)
    return Recurrent(neuron, back)


def slow(leak: float, synapse_leak: float, readout: str) -> Spiking:
    """Return a network of neurons whose inputs stay as a current."""
    return Spiking(HIDDEN, CubaLIF(leak=leak, synapse_leak=synapse_leak, **RULE), readout)


def adapting(leak: float, adaptation: float, adaptation_leak: float) -> ALIF:
    """Return neurons whose thresholds adapt."""
    return ALIF(leak=leak, adaptation=adaptation, adaptation_leak=adaptation_leak, **RULE)


def adaptive(
    leak: float, adaptation: float, adaptation_leak: float, readout: str = "mean"
) -> Spiking:
    """Return a network of neurons whose thresholds adapt."""
    return Spiking(HIDDEN, adapting(leak, adaptation, adaptation_leak), readout)


def adaptive_looped(
    leak: float, adaptation: float, adaptation_leak: float, gain: float, readout: str
) -> Spiking:
    """Return one whose spikes come back, too: a long short-term spiking network (LSNN)."""
    neuron = adapting(leak, adaptation, adaptation_leak)
    return Spiking(LOOPED, with_spikes_back(neuron, gain), readout)


class Contestant(NamedTuple):
    """What makes a network, and what may be chosen."""

    make: Callable[..., torch.nn.Module]
    grid: dict[str, Sequence[float | str]]

    def settings(self) -> list[Row]:
        """Return all that may be chosen."""
        return [
            dict(zip(self.grid, values, strict=True)) for values in product(*self.grid.values())
        ]


MEMORY = 1 / 2 / GAP
"""What leaks slowly enough to last from the first volley to the third."""
READOUTS = ("mean", "fading")
NETWORKS = {
    "memoryless": Contestant(leaky, {"leak": (1.0,)}),
    "LIF": Contestant(leaky, {"leak": (0.0, 0.01, 0.05, 0.2)}),
    "fading": Contestant(leaky, {"leak": (0.05, 0.2, 0.5, 1.0), "readout": READOUTS[1:]}),
    "CubaLIF": Contestant(
        slow, {"leak": (0.5, 1.0), "synapse_leak": (MEMORY,), "readout": READOUTS}
    ),
    "recurrent": Contestant(looped, {"leak": (0.0, 0.05), "gain": (0.2, 0.5)}),
    "ALIF": Contestant(
        adaptive, {"leak": (0.5, 1.0), "adaptation": (1.0, 3.0), "adaptation_leak": (MEMORY,)}
    ),
    "ALIF, longer": Contestant(
        adaptive,
        {
            "leak": (0.1, 0.33),
            "adaptation": (1.0,),
            "adaptation_leak": (MEMORY,),
            "readout": READOUTS,
        },
    ),
    "LSNN": Contestant(
        adaptive_looped,
        {
            "leak": (0.2, 0.5),
            "adaptation": (1.0,),
            "adaptation_leak": (MEMORY,),
            "gain": (0.5,),
            "readout": READOUTS,
        },
    ),
    "GRU": Contestant(Gated, {"readout": ("mean", "last"), "bias": (0.0, 2.0)}),
    "convolution": Contestant(Convolved, {"taps": (1, 3), "readout": ("max", "mean")}),
}
RULES = {"rule 1": 1, "rule 3": 3}
"""The rule that is told the groups, and over how many steps it counts a group's spikes."""


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


def accuracy(network: torch.nn.Module, inputs: Tensor, labels: Tensor) -> float:
    """Return which part of the answers is right."""
    with torch.no_grad():
        return float((network(inputs).argmax(1) == labels).float().mean())


def train(
    make: Callable[[], torch.nn.Module], rate: float, parts: list[Part], seed: int
) -> tuple[float, float]:
    """Return what the epoch that was best in validation reached there and in the test."""
    (inputs, labels), held, test = parts
    torch.manual_seed(seed)
    network = make()
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    best = -1.0, -1.0
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(labels)).split(BATCH):
            loss = cross_entropy(network(inputs[:, chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        reached = accuracy(network, *held)
        if reached > best[0]:
            best = reached, accuracy(network, *test)
    return best


def trained(name: str, jitter: int) -> Row:
    """Choose a network's settings, and return what they reach on fresh seeds."""
    make, _ = contestant = NETWORKS[name]
    tuning = sample(jitter, TUNING_SEED)
    tried: list[Row] = [
        {
            **own,
            "rate": rate,
            "validation": train(partial(make, **own), rate, tuning, TUNING_SEED)[0],
        }
        for own, rate in product(contestant.settings(), RATES)
    ]
    chosen = dict(max(tried, key=lambda each: each["validation"]))
    del chosen["validation"]
    own, rate = {key: chosen[key] for key in contestant.grid}, chosen["rate"]
    fit = partial(train, partial(make, **own), rate)
    found: Row = {
        "network": name,
        "parameters": sum(each.numel() for each in make(**own).parameters()),
        "jitter": jitter,
        "chosen": chosen,
        "tried": tried,
        "test": [fit(sample(jitter, seed), seed)[1] for seed in SEEDS],
    }
    if jitter == 0:
        found["scrambled"] = [fit(sample(jitter, seed, scrambled=True), seed)[1] for seed in SEEDS]
    return found


def linear(name: str, jitter: int, see: Callable[[Tensor], Tensor]) -> Row:
    """Return what a linear classifier reaches that sees a part of the inputs."""

    def fitted(parts: list[Part], penalty: float) -> tuple[float, float]:
        (train, labels), *others = ((see(inputs).numpy(), y.numpy()) for inputs, y in parts)
        line = LogisticRegression(C=penalty, max_iter=300).fit(train, labels)
        held, test = (float(line.score(*other)) for other in others)
        return held, test

    tuning = sample(jitter, TUNING_SEED)
    tried = {penalty: fitted(tuning, penalty)[0] for penalty in PENALTIES}
    best = max(PENALTIES, key=tried.__getitem__)
    return {
        "network": name,
        "parameters": ORDERS * (see(tuning[0][0]).shape[1] + 1),
        "jitter": jitter,
        "chosen": {"C": best},
        "tried": [{"C": penalty, "validation": held} for penalty, held in tried.items()],
        "test": [fitted(sample(jitter, seed), best)[1] for seed in SEEDS],
    }


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

    def right(part: Part) -> float:
        return float((in_order(part[0], RULES[name]) == part[1]).float().mean())

    return {
        "network": name,
        "parameters": 0,
        "jitter": jitter,
        "chosen": {"window": RULES[name]},
        "tried": [{"window": RULES[name], "validation": right(sample(jitter, TUNING_SEED)[1])}],
        "test": [right(sample(jitter, seed)[2]) for seed in SEEDS],
    }


def rows(only: Sequence[str] | None = None, jitters: Sequence[int] = (0, 1)) -> Iterator[Row]:
    """Yield what each network reached, and what ALIF reaches with other thresholds."""
    if only:
        for name, jitter in product(only, jitters):
            yield (ruled if name in RULES else trained)(name, jitter)
        return
    warnings.simplefilter("ignore", ConvergenceWarning)
    for jitter in (0, 1):
        yield linear("counts", jitter, lambda inputs: inputs.sum(0))
        yield linear("raster", jitter, lambda inputs: inputs.movedim(0, 1).flatten(1))
        for name in NETWORKS:
            yield trained(name, jitter)
        for name in RULES:
            yield ruled(name, jitter)
    tuning = sample(0, TUNING_SEED)
    for adaptation, adaptation_leak in product(ADAPTATIONS, ADAPTATION_LEAKS):
        make = partial(adaptive, 1.0, adaptation, adaptation_leak)
        yield {
            "adaptation": adaptation,
            "adaptation_leak": adaptation_leak,
            "validation": train(make, RATES[-1], tuning, TUNING_SEED)[0],
        }


def show(row: Row) -> str:
    """Return what was tried, and what it reached."""
    if "network" not in row:
        return f"ALIF {row['adaptation']} {row['adaptation_leak']}: {row['validation']:.2f}"
    parts = {key: row[key] for key in ("test", "scrambled") if key in row}
    told = "  ".join(f"{key} {' '.join(f'{x:.2f}' for x in each)}" for key, each in parts.items())
    best = max(each["validation"] for each in row["tried"])
    return (
        f"{row['network']} {row['parameters']} jitter {row['jitter']}  {row['chosen']} of "
        f"{len(row['tried'])}: {best:.2f}  {told}"
    )


def among_the_kept(found: Sequence[Row]) -> list[Row]:
    """Return the record's rows with these in place of, or beside, those of the same networks."""
    places = {name: place for place, name in enumerate(("counts", "raster", *NETWORKS, *RULES))}

    def place(row: Row) -> tuple[int, int]:
        return row.get("jitter", 2), places.get(row.get("network", ""), len(places))

    new = {place(row) for row in found}
    stays = [row for row in record.kept("timing") if place(row) not in new]
    return sorted([*stays, *found], key=place)


def main() -> None:
    """Run what is asked for, and keep it if told to."""
    parser = record.new_parser(__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=[*NETWORKS, *RULES], help="keep the record's other rows"
    )
    parser.add_argument("--jitter", type=int, nargs="+", default=[0, 1], help="of --only")
    options = parser.parse_args()
    torch.set_num_threads(1)  # the same bits however many processors there are
    found = []
    for row in rows(options.only, options.jitter):
        sys.stdout.write(f"{show(row)}\n")
        sys.stdout.flush()
        found.append(row)
    if options.record:
        found = among_the_kept(found) if options.only else found
        libraries = ["torch", "scikit-learn"]
        sys.stdout.write(f"kept in {record.save('timing', found, libraries)}\n")


if __name__ == "__main__":
    main()
