"""Does what can be read of a network before training tell how well it will learn?

Makes each network that diagnosis.py trained, with the same seeds and untrained, and writes down how
many of its training labels can be read from the number of spikes of each neuron of the last hidden
layer alone (the answer whose mean counts, taken from the other half, are nearest), and how many
times as large the gradient of the first weights is as that of the last. Those that were only
trained faster are left out: before training, they are what they are without that cure. With
--record the figures are kept beside it. A run takes about a minute on one processor.
"""

import torch
from diagnosis import LARGER, SEEDS, TASKS, Setting, Task, build, places, setting_of
from harness import Row, each

from snn_docs.diagnosis import diagnose


def look(task: Task, setting: Setting, seed: int) -> tuple[float, float | None]:
    """Return what can be read of the network that training would begin with, and the growth."""
    torch.manual_seed(seed)
    *layers, _ = diagnose(
        build(task, setting), task.train * setting.inputs, task.train_labels
    ).layers
    first, last = layers[0].gradient, layers[-1].gradient
    return layers[-1].readable, first / last if last else None


def measured(name: str, fault: str | None, cure: str | None) -> Row:
    """Return what is seen before training."""
    looks = [look(TASKS[name](), setting_of(fault, cure), seed) for seed in SEEDS]
    read, growth = zip(*looks, strict=True)
    return {"task": name, "fault": fault, "cure": cure, "readable": [*read], "growth": [*growth]}


if __name__ == "__main__":
    looked = [place for place in places() if place[2] not in LARGER]
    each(__doc__, "diagnosis_readable", looked, measured, ["torch", "mlxtend", "aeon"])
