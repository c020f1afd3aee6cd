"""Which cure helps against which symptom, in networks that the chapters were not made with?

Takes two networks that learn, one that hears voices and one that sees 28x28 digits, and spoils each
in five ways. Then tries one cure after the other, each alone, with five seeds, and writes down what
could be seen before training: how many neurons are silent, and how many times as large the gradient
of the first weights is as that of the last. Among the cures are two larger learning rates, and
nothing else changed; with every other cure the learning rate stays what it was. With --record the
figures are kept beside it. A run takes about fifteen minutes on one processor.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import torch
from harness import Row, record
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from snn_docs import LIF, Sequential, data, encoding
from snn_docs.surrogate import ArcTan, Heaviside

SEEDS = range(5)
UPDATES = 120
LARGE = 12**0.5


class Setting(NamedTuple):
    """What may be wrong, and mended."""

    inputs: float = 1.0
    extra: int = 0
    spike: Callable[[Tensor], Tensor] = ArcTan()
    rate: float = 5e-3
    scale: float = 1.0
    norm: bool = False
    detach: bool = False


FAULTS: dict[str, Setting] = {
    "入力が20分の1": Setting(inputs=0.05),
    "層を4つ足す": Setting(extra=4),
    "ArcTan(16)": Setting(spike=ArcTan(16.0)),
    "Heaviside": Setting(spike=Heaviside.apply),
    "学習率0.2": Setting(rate=0.2),
}
CURES: dict[str, dict[str, object]] = {
    "切り離す": {"detach": True},
    "ArcTan(1)": {"spike": ArcTan()},
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


def voices() -> Task:
    """Return vowels, of which also the padding is heard."""
    split = data.vowels()
    return Task(
        split.train_inputs, split.train_labels, split.test_inputs, split.test_labels,
        lambda: [nn.Linear(12, 64), nn.Linear(64, 64)], batch=54,
    )  # fmt: skip


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
    sizes = [
        float(g.norm())
        for g in torch.autograd.grad(cross_entropy(x.mean(0), labels), [first, last])
    ]
    return {"silent": silent, "growth": sizes[0] / sizes[1] if sizes[1] else None}


def train(task: Task, setting: Setting, seed: int) -> Row:
    """Train, and return the accuracy in tests and what was seen before and after."""
    torch.manual_seed(seed)
    network = build(task, setting)
    inputs = task.train * setting.inputs
    found = {"before": seen(network, inputs, task.train_labels)}
    optimizer = torch.optim.Adam(network.parameters(), lr=setting.rate)
    orders = [torch.randperm(inputs.shape[1]) for _ in range(UPDATES)]
    batches = [part for order in orders for part in order.split(task.batch)][:UPDATES]
    for chosen in batches:
        loss = cross_entropy(network(inputs[:, chosen]).mean(0), task.train_labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found["after"] = seen(network, inputs, task.train_labels)
    with torch.no_grad():
        answers = network.eval()(task.test * setting.inputs).mean(0).argmax(1)
    return found | {"test": float((answers == task.test_labels).float().mean())}


def summed(runs: list[Row]) -> Row:
    """Return the accuracies of all seeds, and what was seen of the first."""
    return {
        "test": [run["test"] for run in runs],
        "before": runs[0]["before"],
        "after": runs[0]["after"],
    }


def rows() -> Iterator[Row]:
    """Yield what each network reached with each fault and cure, where a cure changes something."""
    for name, make in TASKS.items():
        task = make()
        runs = [train(task, Setting(), seed) for seed in SEEDS]
        yield {"task": name, "fault": None, "cure": None, **summed(runs)}
        for (fault, setting), (cure, change) in product(FAULTS.items(), [("", {}), *CURES.items()]):
            mended = setting._replace(**change)  # type: ignore[arg-type] # its own names
            if change and mended == setting:
                continue
            if cure in LARGER and setting.rate > Setting().rate:
                continue
            if (
                cure == "ArcTan(1)"
                and isinstance(setting.spike, ArcTan)
                and setting.spike.slope == 1
            ):
                continue
            runs = [train(task, mended, seed) for seed in SEEDS]
            yield {"task": name, "fault": fault, "cure": cure or None, **summed(runs)}


if __name__ == "__main__":
    record.run(__doc__, "diagnosis", rows, libraries=["torch", "mlxtend", "aeon"])
