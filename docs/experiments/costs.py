"""Which layer costs what, with spiking neurons and with ReLUs, and how few bits do weights need?

Trains networks for four tasks, each in both ways: digits of 8x8 and of 28x28 pixels, moving digits
as an event camera tells them, and voices. Then counts for a sample of the test, layer by layer, the
operations on what is not 0, and how often a neuron's state or a ReLU's value is written; and reads
the test with weights of fewer and fewer bits, chosen for nothing. The images are still, so their
first layer is reckoned once. The events have two opponents: one has the same weights and sees when
each pixel told something last, the other sees all bins at once, for which it needs five times the
weights and a buffer. The opponent for the voices sees each step by itself and takes the mean, as
the neurons do. With --record the figures are kept beside it. A run takes about ten minutes on one
processor.
"""

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import harness
import images
import torch
from harness import Row, record
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy

from snn_docs import data, encoding
from snn_docs.costs import count_operations
from snn_docs.network import count
from snn_docs.sequential import Sequential

SEEDS = range(5)
BITS = (8, 4, 3, 2)
STEPS = images.STEPS
TAU = 10  # steps in which a time surface fades, as the potentials of a leak of 0.1 do


class Task(NamedTuple):
    """What a network learns from, and what it is counted and tested on."""

    inputs: Tensor
    labels: Tensor
    parts: list[tuple[Tensor, Tensor]]
    """Inputs of the test, each part of one length, and their labels."""
    epochs: int
    batch: int
    rate: float
    samples: int = 0
    """Where the inputs have their samples: after time, or first."""
    lengths: Tensor | None = None
    """Of each sample, where they differ."""


class Eye(nn.Module):
    """Looks at each step, and answers by the mean over time, of a sample's own length."""

    def __init__(self, hidden: Sequential, last: nn.Module) -> None:
        """Take the layers."""
        super().__init__()
        self.hidden, self.last = hidden, last

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return a number for each class."""
        hidden = self.hidden(inputs)
        mean = hidden.mean(0) if lengths is None else count(hidden, lengths) / lengths[:, None]
        answer: Tensor = self.last(mean)
        return answer


class Buffered(nn.Module):
    """Looks at all of time at once, through what it makes of it."""

    def __init__(self, keep: Callable[[Tensor], Tensor], *layers: nn.Module) -> None:
        """Take what is kept of the inputs, and the layers."""
        super().__init__()
        self.keep, self.layers = keep, nn.Sequential(*layers)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return a number for each class."""
        answer: Tensor = self.layers(self.keep(inputs))
        return answer


def stacked(inputs: Tensor) -> Tensor:
    """Return all steps, as channels."""
    return inputs.transpose(0, 1).flatten(1, 2)


def surface(inputs: Tensor) -> Tensor:
    """Return of each pixel how long ago it told something, fading to 0."""
    steps = torch.arange(1, len(inputs) + 1).view(-1, 1, 1, 1, 1)
    last = (steps * (inputs > 0)).amax(0)
    return torch.exp((last - len(inputs)) / TAU) * (last > 0)


def still(split: data.Split, epochs: int) -> Task:
    """Return a task of images."""
    test = [(split.test_inputs, split.test_labels)]
    return Task(split.train_inputs, split.train_labels, test, epochs, 64, 4e-3)


def crossing(pictures: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Return events of digits that cross a canvas to the right, left, down or up."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(len(pictures)) % 4
    road = torch.zeros(len(pictures), 20, 54)
    for k, top in enumerate(torch.randint(7, (len(pictures),), generator=generator)):
        road[k, top : top + 14, 20:34] = (avg_pool2d(pictures[k], 2)[0] > 0.5).float()  # noqa: PLR2004 - half
    video = torch.stack([road[:, :, left : left + 20] for left in range(34, -1, -2)])
    video[:, labels % 2 == 1] = video[:, labels % 2 == 1].flip(0)
    video[:, labels >= 2] = video[:, labels >= 2].transpose(2, 3)  # noqa: PLR2004 - down and up
    dark = torch.rand(len(pictures), generator=generator) < 0.5  # noqa: PLR2004 - half
    sent = encoding.delta(torch.where(dark[:, None, None], 1 - video, video), threshold=0.5)
    return torch.stack([sent.clamp(min=0), (-sent).clamp(min=0)], 2), labels


def digits() -> Task:
    """Return the task of the first network."""
    return still(data.digits(validation=360), 15)


def pictures() -> Task:
    """Return the task of the images."""
    return still(data.mnist(validation=images.VALIDATION), 10)


def events() -> Task:
    """Return the task of the moving digits."""
    split = data.mnist()
    test = [crossing(split.test_inputs[:400], 1)]
    return Task(*crossing(split.train_inputs[:600], 0), test, 12, 32, 1e-2, 1)


def voices() -> Task:
    """Return the task of the voices; the test in parts of one length, without padding."""
    split = data.vowels()
    parts = []
    for length in split.test_lengths.unique().tolist():
        chosen = split.test_lengths == length
        parts.append((split.test_inputs[:length, chosen], split.test_labels[chosen]))
    return Task(split.train_inputs, split.train_labels, parts, 60, 30, 1e-2, 1, split.train_lengths)


def eye(activation: Callable[[], nn.Module]) -> Eye:
    """Return the network for voices."""
    return Eye(Sequential(nn.Linear(12, 214), activation()), nn.Linear(214, 9))


def moving(activation: Callable[[], nn.Module], maps: int = 2) -> list[nn.Module]:
    """Return the layers for events."""
    first, second = nn.Conv2d(maps, 4, 5, stride=2), nn.Conv2d(4, 8, 3, stride=2)
    return [first, activation(), second, activation(), nn.Flatten()]


TASKS: dict[str, tuple[Callable[[], Task], dict[str, Callable[[], nn.Module]]]] = {
    "8×8の数字": (
        digits,
        {
            "SNN": lambda: images.Spiking(nn.Linear(64, 100), nn.Linear(100, 10)),
            "ReLU": lambda: nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10)),
        },
    ),
    "28×28の数字": (
        pictures,
        {"SNN": images.NETWORKS["conv SNN"], "ReLU": images.NETWORKS["CNN"]},
    ),
    "イベント": (
        events,
        {
            "SNN": lambda: Eye(Sequential(*moving(images.neuron)), nn.Linear(72, 4)),
            "ReLU": lambda: Buffered(surface, *moving(nn.ReLU), nn.Linear(72, 4)),
            "ReLU all bins": lambda: Buffered(stacked, *moving(nn.ReLU, 36), nn.Linear(72, 4)),
        },
    ),
    "声": (
        voices,
        {"SNN": lambda: eye(images.neuron), "ReLU": lambda: eye(nn.ReLU)},
    ),
}


def loss_of(network: nn.Module, task: Task, chosen: Tensor) -> Tensor:
    """Return the loss of some samples."""
    lengths = () if task.lengths is None else (task.lengths[chosen],)
    scores = network(task.inputs.index_select(task.samples, chosen), *lengths)
    return cross_entropy(scores, task.labels[chosen])


def train(network: nn.Module, task: Task) -> None:
    """Train for all epochs."""
    samples, loss = len(task.labels), partial(loss_of, network, task)
    harness.train(network, loss, samples, task.rate, count=task.epochs, batch=task.batch)


def accuracy(network: nn.Module, task: Task) -> float:
    """Return which part of the test is answered right."""
    with torch.no_grad():
        right = sum(int((network(x).argmax(-1) == y).sum()) for x, y in task.parts)
    return right / sum(len(y) for _, y in task.parts)


def quantised(network: nn.Module, bits: int) -> nn.Module:
    """Return the network with each layer's weights rounded to so many steps, 0 in the middle."""
    rounded, most = copy.deepcopy(network), 2 ** (bits - 1) - 1
    with torch.no_grad():
        for layer in rounded.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                step = layer.weight.abs().max() / most
                layer.weight.copy_((layer.weight / step).round() * step)
    return rounded


class Look(NamedTuple):
    """What a layer of weights is given."""

    size: int
    """Its weights."""
    samples: int
    """Samples at all steps: how often it works."""
    binary: bool
    """Whether they hold nothing but 0 and 1: additions suffice."""


def looks(network: nn.Module, inputs: Tensor) -> list[Look]:
    """Return what each layer of weights is given, in the order of layers."""
    found: dict[nn.Module, Look] = {}

    def look(layer: nn.Module, given: tuple[Tensor]) -> None:
        plain = bool(((given[0] == 0) | (given[0] == 1)).all())
        before = found.get(layer, Look(0, 0, binary=True))
        size = next(layer.parameters()).numel()
        found[layer] = Look(size, before.samples + len(given[0]), before.binary and plain)

    hooks = [
        layer.register_forward_pre_hook(look)
        for layer in network.modules()
        if isinstance(layer, nn.Linear | nn.Conv2d)
    ]
    with torch.no_grad():
        network(inputs)
    for hook in hooks:
        hook.remove()
    return list(found.values())


def counted(network: nn.Module, task: Task) -> Row:
    """Return what a sample costs, on average."""
    samples = sum(len(y) for _, y in task.parts)
    dense: dict[str, float] = {}
    nonzero: dict[str, float] = {}
    updates = 0.0
    for x, _ in task.parts:
        for cost in count_operations(network, x):
            if cost.dense:
                dense[cost.name] = dense.get(cost.name, 0.0) + cost.dense / samples
                nonzero[cost.name] = nonzero.get(cost.name, 0.0) + cost.nonzero / samples
            elif cost.layer in ("LIF", "ReLU"):
                updates += cost.outputs / samples
    by_layer = list(zip(*(looks(network, x) for x, _ in task.parts), strict=True))
    first = task.parts[0][0]
    kept = network.keep(first) if isinstance(network, Buffered) else None
    return {
        "dense": list(dense.values()),
        "nonzero": list(nonzero.values()),
        "binary": [all(look.binary for look in layer) for layer in by_layer],
        "size": [layer[0].size for layer in by_layer],
        "steps": [sum(look.samples for look in layer) / samples for layer in by_layer],
        "updates": updates,
        "buffer": 0 if kept is None else kept[0].numel(),
        "written": 0.0 if kept is None else int((first > 0).sum()) / first.shape[1],
        "weights": sum(each.numel() for each in network.parameters()),
    }


def rows() -> Iterator[Row]:
    """Yield a row for each network."""
    for task_name, (make_task, networks) in TASKS.items():
        task = make_task()
        for name, make in networks.items():
            for seed in SEEDS:
                torch.manual_seed(seed)
                network = make()
                train(network, task)
                yield {
                    "task": task_name, "network": name, "seed": seed,
                    **counted(network, task), "test": accuracy(network, task),
                    "bits": list(BITS),
                    "rounded": [accuracy(quantised(network, bits), task) for bits in BITS],
                }  # fmt: skip


if __name__ == "__main__":
    record.run(__doc__, "costs", rows, libraries=["torch", "mlxtend", "aeon", "scikit-learn"])
