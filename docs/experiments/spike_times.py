"""How well do exact gradients of spike times train, and what do they need?

Yin-Yang: points in a disc, three classes; the two coordinates and what they lack to 1 are the times
of four spikes, and a fifth comes at 0. Two layers of neurons that spike once, whose times are a
closed form, learn by the gradient of those times, with and without a rescue of silent neurons; with
hidden neurons that may spike four times; and with hidden weights left as they were drawn. Beside
them: the same layers in steps of 1 ms, whose spikes have a surrogate gradient and whose outputs are
read by their highest potential; a network of rectified units of the same width; a linear one. Each
gets four settings; the best in validation, on the mean of three seeds, then trains with five
others, and the test accuracy is that of the last epoch. A second test has times that are off at
random. How many outputs are silent is told before and after training. Then weights so small that
most neurons are silent; and twenty seeds without rescue at the setting that was chosen with it.
With --record the figures are kept beside it. A run takes about five minutes on one processor.
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from harness import SEEDS, Part, Row, accuracy, grid, record, studied
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from snn_docs.surrogate import ArcTan

MEMBRANE, SYNAPSE = 10.0, 5.0
"""Time constants in ms; the one is twice the other, so that the potential is a parabola."""
SPAN, END, SHARP = 10.0, 30.0, 0.5
"""In ms: the latest input, what a silent output counts as, and what one logit is worth."""
INPUTS, HIDDEN, CLASSES = 5, 60, 3
SAMPLES = (1500, 500, 1000)
EPOCHS, BATCH, OFTEN = 12, 40, 4
"""Networks without spikes, which are fast, train as many times as many epochs."""
HEAD, EYE = 0.5, 0.2
"""The radii of the two small circles, and of the dots in them, in a disc of radius 1."""
NOISE = 0.05
WEAK = 0.4
MOSTLY = 0.9
"""A hidden neuron is helped if it is silent in more than this part of a batch."""
MANY = range(20)
SEVERAL = 4
"""As often as a hidden neuron may spike, where it may more than once."""


def yin_yang(size: int, generator: torch.Generator) -> Part:
    """Return points as four numbers from 0 to 1 each, as many of each class, and the classes."""
    points = 2 * torch.rand(20 * size, 2, generator=generator) - 1
    points = points[points.norm(dim=1) < 1]
    middle = torch.tensor([HEAD, 0.0])
    left, right = (points + middle).norm(dim=1), (points - middle).norm(dim=1)
    light = (left < HEAD) | ((points[:, 1] > 0) & (right >= HEAD))
    labels = torch.where((left < EYE) | (right < EYE), 2, light.long())
    each = [(labels == kind).nonzero()[:, 0][: -(-size // 3)] for kind in range(CLASSES)]
    chosen = torch.cat(each)[torch.randperm(3 * -(-size // 3), generator=generator)[:size]]
    places = (points[chosen] + 1) / 2
    return torch.cat([places, 1 - places], 1), labels[chosen]


def sample(seed: int) -> list[Part]:
    """Return data for training, validation, test, and a test whose times are off."""
    generator = torch.Generator().manual_seed(seed)
    parts = [yin_yang(size, generator) for size in SAMPLES]
    inputs, labels = parts[-1]
    noise = NOISE * torch.randn(inputs.shape, generator=generator)
    return [*parts, ((inputs + noise).clamp(min=0), labels)]


def arrivals(inputs: Tensor) -> Tensor:
    """Return when each input spikes, in ms; the last one always does at 0."""
    return torch.cat([SPAN * inputs, torch.zeros(len(inputs), 1)], 1)


def spike_times(times: Tensor, weights: Tensor, most: int = 1) -> Tensor:
    """Return when each neuron spikes, as often as is asked, along a last axis; inf if it does not.

    A spike takes 1, the threshold, from the potential, and what is lost decays as the potential.
    """
    t, order = times.sort(1)
    known = t.isfinite()
    grown = ((torch.where(known, t, 0.0) / MEMBRANE).exp() * known)[..., None]
    each = 4 * weights.T[order] * grown
    a, b = each.cumsum(1), (each * grown).cumsum(1)
    until = torch.cat([t[:, 1:], torch.full_like(t[:, :1], torch.inf)], 1)
    lost = torch.zeros_like(a[:, 0])
    found = [torch.full_like(lost, -torch.inf)]
    for _ in range(most):
        left = a - lost[:, None]
        inside = left * left - 4 * b
        meets = (inside > 0) & (left > 0) & (b > 0)
        root = left + torch.where(meets, inside, 1.0).sqrt()
        at = MEMBRANE * (2 * torch.where(meets, b, 1.0) / torch.where(meets, root, 1.0)).log()
        meets = meets & (at >= t[..., None]) & (at <= until[..., None]) & (at > found[-1][:, None])
        found.append(torch.where(meets, at, torch.inf).amin(1))
        lost = lost + (torch.where(found[-1].isfinite(), found[-1], 0.0) / MEMBRANE).exp()
    return torch.stack(found[1:], -1)


def response(late: Tensor) -> Tensor:
    """Return what a spike of weight 1 adds to a potential so many ms after it came."""
    late = late.clamp(min=0)
    return 4 * ((-late / MEMBRANE).exp() - (-late / SYNAPSE).exp())


class Spiking(torch.nn.Module):
    """Two layers of neurons."""

    def __init__(self, start: float, mean: float = 0.05) -> None:
        """Draw the weights; those of outputs have a mean that may be chosen."""
        super().__init__()
        first, last = torch.randn(HIDDEN, INPUTS), torch.randn(CLASSES, HIDDEN)
        self.first = torch.nn.Parameter(start * (0.6 + 1.2 * first))
        self.last = torch.nn.Parameter(start * (mean + 0.2 * last))


class Exact(Spiking):
    """They spike at times that are a closed form: outputs once, hidden ones as often as is said."""

    def __init__(
        self,
        *,
        rescue: float,
        mean: float,
        start: float = 1.0,
        frozen: bool = False,
        most: int = 1,
    ) -> None:
        """Remember by how much weights of silent neurons are raised; hidden ones may stay."""
        super().__init__(start, mean)
        self.rescue, self.most = rescue, most
        self.first.requires_grad_(not frozen)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return a number for each class: the earlier, the larger."""
        spikes = spike_times(arrivals(inputs), self.first, self.most)
        self.hidden = spikes[..., 0]
        weights = self.last.repeat_interleave(self.most, 1)
        self.output = spike_times(spikes.flatten(1), weights)[..., 0]
        return -self.output.clamp(max=END) / SHARP

    @torch.no_grad()
    def help(self, labels: Tensor) -> None:
        """Raise the weights of those that were silent: outputs, if they were the right ones."""
        if self.first.requires_grad:
            silent = self.hidden.isinf().float().mean(0) > MOSTLY
            self.first.add_(self.rescue * silent[:, None])
        for kind in labels.unique():
            missing = self.output[labels == kind, kind].isinf().float().mean()
            self.last[kind].add_(self.rescue * missing)


class Stepped(Spiking):
    """They spike in steps of 1 ms, as often as they will; outputs do not."""

    def __init__(self, *, slope: float, start: float = 1.0) -> None:
        """Make the surrogate gradient."""
        super().__init__(start)
        self.spike = ArcTan(slope)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return a number for each class: the highest potential."""
        steps = torch.arange(END)
        potentials = response(steps[:, None, None] - arrivals(inputs)) @ self.first.T
        lost = torch.zeros_like(potentials[0])
        spikes = []
        for potential in potentials:
            lost = lost * torch.tensor(-1 / MEMBRANE).exp()
            spikes.append(self.spike(potential - lost - 1))
            lost = lost + spikes[-1].detach()
        seen = torch.stack(spikes) @ self.last.T
        kernel = response(steps[:, None] - steps)
        highest: Tensor = torch.tensordot(kernel, seen, 1).amax(0)
        return highest


def rectified() -> torch.nn.Module:
    """Return a network of as many hidden units."""
    first, last = torch.nn.Linear(INPUTS - 1, HIDDEN), torch.nn.Linear(HIDDEN, CLASSES)
    return torch.nn.Sequential(first, torch.nn.ReLU(), last)


RESCUE = 0.1
MAKE: dict[str, Callable[..., torch.nn.Module]] = {
    "exact": partial(Exact, rescue=RESCUE),
    "exact alone": partial(Exact, rescue=0.0),
    "several": partial(Exact, rescue=RESCUE, most=SEVERAL),
    "several alone": partial(Exact, rescue=0.0, most=SEVERAL),
    "frozen": partial(Exact, rescue=RESCUE, frozen=True),
    "stepped": Stepped,
    "rectified": rectified,
    "linear": partial(torch.nn.Linear, INPUTS - 1, CLASSES),
}


TIMED = grid(rate=(2e-3, 8e-3), mean=(0.05, 0.2))
"""What all whose spikes have exact times may choose from: a rate, and how the outputs begin."""
NETWORKS = {
    **dict.fromkeys(("exact", "exact alone", "several", "several alone", "frozen"), TIMED),
    "stepped": grid(rate=(1.6e-2, 3.2e-2), slope=(3.0, 10.0)),
    "rectified": grid(rate=(1e-2, 2e-2, 5e-2, 1e-1)),
    "linear": grid(rate=(1e-2, 3e-2, 1e-1, 3e-1)),
}
BEGUN_WEAK = ("exact", "exact alone", "stepped")


def silent(network: Exact, inputs: Tensor) -> float:
    """Return which part of the outputs does not spike."""
    with torch.no_grad():
        network(inputs)
    return float(network.output.isinf().float().mean())


def train(name: str, setting: Row, seed: int, **more: float) -> Row:
    """Return what is reached in validation and in the tests, and how many outputs are silent."""
    (inputs, labels), held, test, noisy = sample(seed)
    torch.manual_seed(seed)
    own = {key: value for key, value in setting.items() if key != "rate"}
    network = MAKE[name](**{**own, **more})
    quiet = [silent(network, held[0])] if isinstance(network, Exact) else []
    epochs = EPOCHS if isinstance(network, Spiking) else OFTEN * EPOCHS
    optimizer = torch.optim.Adam(network.parameters(), lr=setting["rate"])
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for chosen in torch.randperm(len(labels)).split(BATCH):
            loss = cross_entropy(network(inputs[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            if isinstance(network, Exact):
                network.help(labels[chosen])
        slower.step()
    parts = {"validation": held, "test": test, "noisy": noisy}
    reached: Row = {key: accuracy(network, *part) for key, part in parts.items()}
    if isinstance(network, Exact):
        reached["silent"] = [*quiet, silent(network, held[0])]
    return reached


def at(network: str, told: str, setting: Row, *seeds: int, **more: float) -> Row:
    """Return a row of what a network reaches at a setting that is given."""
    runs = [train(network, setting, seed, **more) for seed in seeds]
    each = {key: [run[key] for run in runs] for key in runs[0]}
    return {"network": f"{network}, {told}", "chosen": setting, **each}


def rows() -> Iterator[Row]:
    """Choose each network's setting, and yield what it reaches; then the other conditions."""
    found: dict[str, Row] = {}
    for row in studied("spike_times", NETWORKS, train):
        found[row["network"]] = row
        yield row
    for name in BEGUN_WEAK:
        yield at(name, "weak", found[name]["chosen"], *SEEDS, start=WEAK)
    for name in ("exact", "several"):
        yield at(f"{name} alone", f"as {name}", found[name]["chosen"], *MANY)


def again(row: Row) -> tuple[Row, Row]:
    """Make the first seed of a row again."""
    found = train(row["network"], row["chosen"], SEEDS[0])
    return {key: row[key][0] for key in found}, found


if __name__ == "__main__":
    record.run(__doc__, "spike_times", rows, libraries=["torch"], again=again)
