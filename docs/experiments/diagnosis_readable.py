"""Does what can be read of a network before training tell how well it will learn?

Makes each network that diagnosis.py trained, with the same seeds and untrained, and writes down how
many of its training labels can be read from the number of spikes of each neuron of the last hidden
layer alone (the answer whose mean counts are nearest), and how many times as large the gradient of
the first weights is as that of the last. Those that were only trained faster are left out: before
training, they are what they are without that cure. With --record the figures are kept beside it. A
run takes about a minute on one processor.
"""

import json
from collections.abc import Iterator

import torch
from diagnosis import CURES, FAULTS, LARGER, SEEDS, TASKS, Setting, Task, build, seen
from harness import Row, record
from torch import Tensor

from snn_docs import LIF, Sequential


def readable(network: Sequential, inputs: Tensor, labels: Tensor) -> float:
    """Return how many labels the spike counts of the last hidden layer tell."""
    x = inputs
    *hidden, _ = network
    with torch.no_grad():
        for layer in hidden:
            x = layer.run(x)[0] if isinstance(layer, LIF) else Sequential(layer)(x)
    counts = x.sum(0)
    kinds = labels.unique()
    means = torch.stack([counts[labels == kind].mean(0) for kind in kinds])
    nearest = kinds[torch.cdist(counts, means).argmin(1)]
    return float((nearest == labels).float().mean())


def look(task: Task, setting: Setting, seed: int) -> tuple[float, float | None]:
    """Return what can be read of the network that training would begin with, and the growth."""
    torch.manual_seed(seed)
    network = build(task, setting)
    inputs = task.train * setting.inputs
    found = readable(network, inputs, task.train_labels)
    return found, seen(network, inputs, task.train_labels)["growth"]


def rows() -> Iterator[Row]:
    """Yield what is seen before training, in the order of the record of what was reached."""
    tasks = {name: make() for name, make in TASKS.items()}
    reached = json.loads((record.EXPERIMENTS / "diagnosis.json").read_text(encoding="utf-8"))
    for row in reached["rows"]:
        if row["cure"] in LARGER:
            continue
        setting = FAULTS.get(row["fault"], Setting())
        setting = setting._replace(**CURES.get(row["cure"], {}))  # type: ignore[arg-type] # its own names
        looks = [look(tasks[row["task"]], setting, seed) for seed in SEEDS]
        yield {
            "task": row["task"], "fault": row["fault"], "cure": row["cure"],
            "readable": [read for read, _ in looks], "growth": [growth for _, growth in looks],
        }  # fmt: skip


if __name__ == "__main__":
    record.run(__doc__, "diagnosis_readable", rows, libraries=["torch", "mlxtend", "aeon"])
