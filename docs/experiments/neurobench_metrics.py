"""What do NeuroBench's metrics say of the book's four tasks, with spiking neurons and with ReLUs?

Trains the networks of `costs.py`, for fewer epochs: digits of 8x8 and of 28x28 pixels, moving
digits as an event camera tells them, and voices. Each may choose among the same prices on what its
hidden layers give: the one with the fewest effective operations among those whose accuracy is
within 0.01 of its best, on the validation parts of two seeds that are used for nothing else (with
one seed, a price was chosen that left other seeds without a spike). Then five other seeds train,
and are tested. The digits of 28x28 pixels are also shown to spiking neurons for fewer steps, at no
price: with the next, most of those networks fell silent. Of each network it counts the bytes of
parameters and buffers, the zeros among weights and among what neurons give, and the synaptic
operations, all as NeuroBench's package does, and, where that is installed, has it count them, too:
the row tells by how much the two differ. That package adds up in float32, which holds whole numbers
up to 2**24: so it is given few samples at a time. As it does, zeros of neurons are a mean over
batches, weighted by samples. With --record the figures are kept beside it. A run takes about five
minutes on one processor. `make peers` makes an environment with NeuroBench in it:
.venv-peers/bin/python docs/experiments/neurobench_metrics.py
"""

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import costs
import harness
import images
import torch
from harness import Row, record
from torch import Tensor, nn

from snn_docs import LIF, data, encoding
from snn_docs.network import count

Figures = dict[str, float]


PRICES = (0.0, 0.1, 0.3, 1.0)
TOLERANCE = 0.01
BATCH = 10
TUNING_SEEDS = (100, 101)
SEEDS = range(70, 75)
PICTURES = "28×28の数字"
FEWER = (1, 2)
"""The steps for which pictures are also shown, besides those of `images.py`."""
THERE = importlib.util.find_spec("neurobench") is not None


class Parts(NamedTuple):
    """What a seed trains on, and what it is judged by: the validation or the test."""

    training: costs.Task
    validation: costs.Task


def still(make: Callable[..., data.Split], seed: int, held: int, epochs: int) -> Parts:
    """Return images, with so many of them held back."""
    split = make(seed=seed, validation=held)
    task = costs.still(split, epochs)
    return Parts(task, task._replace(parts=[(split.validation_inputs, split.validation_labels)]))


def events(seed: int) -> Parts:
    """Return moving digits."""
    split = data.mnist(seed=seed)
    test = [costs.crossing(split.test_inputs[:400], 1)]
    held = [costs.crossing(split.train_inputs[600:1000], 2)]
    task = costs.Task(*costs.crossing(split.train_inputs[:600], 0), test, 8, 32, 1e-2, 1)
    return Parts(task, task._replace(parts=held))


def voices(seed: int) -> Parts:
    """Return voices; those of tuning seeds train on fewer, to have some to be judged by."""
    task = costs.voices()._replace(epochs=30)
    if seed not in TUNING_SEEDS:
        return Parts(task, task)
    split = data.vowels(seed=seed, validation=90)
    held = [
        (split.validation_inputs[:n, k : k + 1], split.validation_labels[k : k + 1])
        for k, n in enumerate(split.validation_lengths.tolist())
    ]
    inputs, lengths, labels = split.train_inputs, split.train_lengths, split.train_labels
    task = task._replace(inputs=inputs, labels=labels, lengths=lengths)
    return Parts(task, task._replace(parts=held))


PARTS: Mapping[str, Callable[[int], Parts]] = {
    "8×8の数字": lambda seed: still(data.digits, seed, 360, 15),
    PICTURES: lambda seed: still(data.mnist, seed, images.VALIDATION, 3),
    "イベント": events,
    "声": voices,
}


class Fewer(images.Spiking):
    """Shows the currents of an image for fewer steps."""

    def __init__(self, steps: int, first: nn.Module, *rest: nn.Module) -> None:
        """Take the layers."""
        super().__init__(first, *rest)
        self.steps = steps

    def forward(self, pictures: Tensor) -> Tensor:
        """Return ten counts for each image."""
        return count(self.rest(encoding.direct(self.first(pictures), self.steps)))


def fewer(steps: int) -> Fewer:
    """Return the spiking network for images, with so many steps."""
    return Fewer(steps, images.first(), *images.second(images.neuron))


def spikes_of(output: Any) -> Tensor:  # noqa: ANN401 - a tensor, or one and a state
    """Return what a layer gives to the next, without a neuron's state."""
    given: Tensor = output[0] if isinstance(output, tuple) else output
    return given


def train(network: nn.Module, task: costs.Task, price: float) -> None:
    """Train for all epochs, with a price on what the neurons before another layer give."""
    given: list[Tensor] = []
    neurons = [layer for layer in network.modules() if isinstance(layer, LIF | nn.ReLU)]
    hidden = neurons[:-1] if isinstance(network, images.Spiking) else neurons
    hooks = [
        layer.register_forward_hook(lambda _, __, output: given.append(spikes_of(output).mean()))
        for layer in hidden
    ]

    def loss(chosen: Tensor) -> Tensor:
        given.clear()
        return costs.loss_of(network, task, chosen) + price * sum(given)

    harness.train(network, loss, len(task.labels), task.rate, count=task.epochs, batch=task.batch)
    for hook in hooks:
        hook.remove()


def batches(task: costs.Task) -> Iterator[Tensor]:
    """Yield all inputs, a few samples at a time."""
    for inputs, _ in task.parts:
        yield from inputs.split(BATCH, task.samples)


@torch.no_grad()
def products(layer: nn.Module, given: Tensor, weight: Tensor) -> float:
    """Return how many products are made of what is given with those weights."""
    if isinstance(layer, nn.Linear):
        return float((given.double() @ weight.double().T).sum())
    stride = layer.stride if isinstance(layer, nn.Conv2d) else 1
    return float(nn.functional.conv2d(given, weight, stride=stride).sum(dtype=torch.float64))


def counted(network: nn.Module, task: costs.Task) -> Figures:
    """Return the figures as the package reckons them."""
    network.eval()
    layers = [m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    weights = [layer.weight for layer in layers]
    stored = [*network.parameters(), *network.buffers()]
    sums = dict.fromkeys(("dense", "macs", "acs", "sparsity"), 0.0)
    now: list[Tensor] = []

    def connected(layer: nn.Module, given: tuple[Tensor]) -> None:
        x, weight = given[0], next(layer.parameters())
        plain = bool(((x == 0) | (x.abs() == 1)).all())
        used = products(layer, (x != 0).float(), (weight != 0).float())
        sums["acs" if plain else "macs"] += used
        sums["dense"] += products(layer, torch.ones_like(x), torch.ones_like(weight))

    hooks = [layer.register_forward_pre_hook(connected) for layer in layers]
    hooks += [
        layer.register_forward_hook(lambda _, __, output: now.append(spikes_of(output)))
        for layer in network.modules()
        if isinstance(layer, LIF | nn.ReLU)
    ]
    samples = sum(len(labels) for _, labels in task.parts)
    with torch.no_grad():
        for inputs in batches(task):
            now.clear()
            network(inputs)
            outputs = sum(each.numel() for each in now)
            zeros = outputs - sum(int(each.count_nonzero()) for each in now)
            sums["sparsity"] += zeros / outputs * inputs.shape[task.samples]
    for hook in hooks:
        hook.remove()
    return {
        "footprint": sum(each.numel() * each.element_size() for each in stored),
        "connection": sum(int((each == 0).sum()) for each in weights)
        / sum(each.numel() for each in weights),
        "activation": sums["sparsity"] / samples,
        **{key: sums[key] / samples for key in ("dense", "macs", "acs")},
    }


def theirs(network: nn.Module, task: costs.Task) -> Figures:
    """Return the figures that NeuroBench tells."""
    model = importlib.import_module("neurobench.models").TorchModel(network)
    static = importlib.import_module("neurobench.metrics.static")
    workload = importlib.import_module("neurobench.metrics.workload")
    operations, zeros = workload.SynapticOperations(), workload.ActivationSparsity()
    samples, sparsity, told = sum(len(labels) for _, labels in task.parts), 0.0, {}
    model.add_activation_module(LIF)
    model.register_hooks()
    with torch.no_grad():
        for inputs in batches(task):
            model(inputs)
            for hook in model.activation_hooks:
                hook.activation_outputs = [spikes_of(each) for each in hook.activation_outputs]
            number = inputs.shape[task.samples]
            told = operations(model, None, (torch.empty(number), None))
            sparsity += zeros(model, None, None) * number
            model.reset_hooks()
    model.cleanup_hooks()
    return {
        "footprint": static.Footprint()(model),
        "connection": static.ConnectionSparsity()(model),
        "activation": sparsity / samples,
        "dense": told["Dense"],
        "macs": told["Effective_MACs"],
        "acs": told["Effective_ACs"],
    }


def trained(make: Callable[[], nn.Module], parts: Parts, seed: int, price: float) -> nn.Module:
    """Return a network that has learnt from a seed."""
    torch.manual_seed(seed)
    network = make()
    train(network, parts.training, price)
    return network


def tuned(name: str, make: Callable[[], nn.Module], prices: Sequence[float]) -> Row:
    """Return the price chosen, and what each reached, as means over the seeds."""
    reached, spent = [0.0] * len(prices), [0.0] * len(prices)
    for seed, (n, price) in product(TUNING_SEEDS, enumerate(prices)):
        parts = PARTS[name](seed)
        network = trained(make, parts, seed, price)
        figures = counted(network, parts.validation)
        reached[n] += costs.accuracy(network, parts.validation) / len(TUNING_SEEDS)
        spent[n] += (figures["macs"] + figures["acs"]) / len(TUNING_SEEDS)
    good = [n for n, each in enumerate(reached) if each >= max(reached) - TOLERANCE]
    chosen = prices[min(good, key=spent.__getitem__)]
    return {"prices": list(prices), "validation": reached, "operations": spent, "price": chosen}


def measured(name: str, make: Callable[[], nn.Module], prices: Sequence[float] = PRICES) -> Row:
    """Return of a network what was tried, and its figures from each seed."""
    row = tuned(name, make, prices)
    row |= {"test": [], "figures": []} | ({"apart": []} if THERE else {})
    for seed in SEEDS:
        parts = PARTS[name](seed)
        network = trained(make, parts, seed, row["price"])
        row["test"].append(costs.accuracy(network, parts.training))
        figures = counted(network, parts.training)
        row["figures"].append(figures)
        if THERE:
            package = theirs(network, parts.training)
            row["apart"].append({key: abs(figures[key] - package[key]) for key in figures})
    return row


def rows() -> Iterator[Row]:
    """Yield each network; then that for pictures, with fewer steps."""
    for task_name, (_, networks) in costs.TASKS.items():
        for network_name, make in networks.items():
            yield {"task": task_name, "network": network_name, **measured(task_name, make)}
    for steps in FEWER:
        row = measured(PICTURES, partial(fewer, steps), PRICES[:1])
        yield {"task": PICTURES, "network": "SNN", "steps": steps, **row}


if __name__ == "__main__":
    libraries = ["torch", "mlxtend", "aeon", "scikit-learn"] + ["neurobench"] * THERE
    record.run(__doc__, "neurobench_metrics", rows, libraries=libraries)
