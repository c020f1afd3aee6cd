"""Which cure helps against which symptom, in networks that the chapters were not made with?

Takes two networks that learn, one that hears voices and one that sees 28x28 digits, and spoils each
in five ways. Then tries one cure after the other, each alone, with five seeds, and writes down what
could be seen before training: how many neurons are silent, and how many times as large the gradient
of the first weights is as that of the last. Among the cures are two larger learning rates, and
nothing else changed; with every other cure the learning rate stays what it was. With --record the
figures are kept beside it. A run takes about fifteen minutes on one processor.
"""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from typing import NamedTuple

import torch
from harness import Row, accuracy, each, fit
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from snn_docs import LIF, Sequential, data, encoding
from snn_docs.surrogate import ArcTan, Heaviside

SEEDS = range(5)
UPDATES = 120
LARGE = 12**0.5
GENTLE = ArcTan()


class Setting(NamedTuple):
    """What may be wrong, and mended."""

    inputs: float = 1.0
    extra: int = 0
    spike: Callable[[Tensor], Tensor] = GENTLE
    rate: float = 5e-3
    scale: float = 1.0
    norm: bool = False
    detach: bool = False


FAULTS: dict[str | None, Setting] = {
    "入力が20分の1": Setting(inputs=0.05),
    "層を4つ足す": Setting(extra=4),
    "ArcTan(16)": Setting(spike=ArcTan(16.0)),
    "Heaviside": Setting(spike=Heaviside.apply),
    "学習率0.2": Setting(rate=0.2),
}
CURES: dict[str | None, dict[str, object]] = {
    "切り離す": {"detach": True},
    "ArcTan(1)": {"spike": GENTLE},
    "学習率0.005": {"rate": 5e-3},
    "重み√12倍": {"scale": LARGE},
    "正規化": {"norm": True},
    "学習率0.02": {"rate": 2e-2},
    "学習率0.05": {"rate": 5e-2},
}
LARGER = ("学習率0.02", "学習率0.05")
"""Cures that only train faster: not asked of the fault that is a learning rate, and too large."""


class Task(NamedTuple):
    """What is learnt: inputs with time first, labels, and layers of weights before the last."""

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    layers: Callable[[], list[nn.Module]]
    batch: int


@cache
def voices() -> Task:
    """Return vowels, of which also the padding is heard."""
    split = data.vowels()
    return Task(
        split.train_inputs, split.train_labels, split.test_inputs, split.test_labels,
        lambda: [nn.Linear(12, 64), nn.Linear(64, 64)], batch=54,
    )  # fmt: skip


@cache
def images() -> Task:
    """Return a thousand digits, given for four steps."""
    split = data.mnist()
    return Task(
        encoding.direct(split.train_inputs[:1000], 4), split.train_labels[:1000],
        encoding.direct(split.test_inputs, 4), split.test_labels,
        lambda: [nn.Conv2d(1, 8, 5, stride=2), nn.Conv2d(8, 16, 5, stride=2), nn.Flatten(),
                 nn.Linear(256, 64)],
        batch=50,
    )  # fmt: skip


TASKS = {"声": voices, "画像": images}


def build(task: Task, setting: Setting) -> Sequential:
    """Make a network of the task's layers, each followed by neurons, and one that reads rates."""
    parts: list[nn.Module] = []
    for layer in task.layers() + [nn.Linear(64, 64) for _ in range(setting.extra)]:
        parts.append(layer)
        if not isinstance(layer, nn.Linear | nn.Conv2d):
            continue
        layer.weight.data *= setting.scale
        if setting.norm:
            kind = nn.BatchNorm2d if isinstance(layer, nn.Conv2d) else nn.BatchNorm1d
            parts.append(kind(len(layer.weight)))
        parts.append(LIF(leak=0.1, surrogate=setting.spike, detach_reset=setting.detach))
    return Sequential(*parts, nn.Linear(64, int(task.train_labels.max()) + 1))


def seen(network: Sequential, inputs: Tensor, labels: Tensor) -> Row:
    """Return the part of silent neurons in each layer, and how the gradient grows backwards."""
    x, silent, weights = inputs, [], []
    for layer in network:
        x = layer.run(x)[0] if isinstance(layer, LIF) else Sequential(layer)(x)
        if isinstance(layer, LIF):
            silent.append(float((x.detach().amax((0, 1)) == 0).float().mean()))
        elif isinstance(layer, nn.Linear | nn.Conv2d):
            weights.append(layer.weight)
    first, last = weights[0], weights[-2]
    slopes = torch.autograd.grad(cross_entropy(x.mean(0), labels), [first, last])
    large, small = (float(each.norm()) for each in slopes)
    return {"silent": silent, "growth": large / small if small else None}


def train(task: Task, setting: Setting, seed: int) -> Row:
    """Train, and return the accuracy in tests and what was seen before and after."""
    torch.manual_seed(seed)
    network = build(task, setting)
    part = task.train * setting.inputs, task.train_labels
    found = {"before": seen(network, *part)}
    scores = lambda x: network(x).mean(0)  # noqa: E731
    epochs = UPDATES * task.batch // len(task.train_labels)
    fit(network, part, setting.rate, scores=scores, axis=1, count=epochs, batch=task.batch)
    found["after"] = seen(network, *part)
    network.eval()
    return found | {"test": accuracy(scores, task.test * setting.inputs, task.test_labels)}


def setting_of(fault: str | None, cure: str | None) -> Setting:
    """Return what is wrong, and mended."""
    return FAULTS.get(fault, Setting())._replace(**CURES.get(cure, {}))  # type: ignore[arg-type] # its own names


def places() -> Iterator[tuple[str, str | None, str | None]]:
    """Yield each network with each fault and cure, where a cure changes something."""
    for name in TASKS:
        yield name, None, None
        for fault, cure in product(FAULTS, [None, *CURES]):
            spoilt = setting_of(fault, None)
            faster = cure in LARGER and spoilt.rate > Setting().rate
            if cure is None or (setting_of(fault, cure) != spoilt and not faster):
                yield name, fault, cure


def measured(name: str, fault: str | None, cure: str | None) -> Row:
    """Return what a network reached with all seeds, and what was seen of the first."""
    runs = [train(TASKS[name](), setting_of(fault, cure), seed) for seed in SEEDS]
    row: Row = {"task": name, "fault": fault, "cure": cure, "test": [run["test"] for run in runs]}
    return row | {key: runs[0][key] for key in ("before", "after")}


if __name__ == "__main__":
    each(__doc__, "diagnosis", places(), measured, ["torch", "mlxtend", "aeon"])
