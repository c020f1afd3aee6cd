"""How fast is training, and how does it scale over processes?

Trains on the digits, with 16 time steps and with 100, alone and under torchrun, in 2, 4, ...
processes, up to the processors that there are. Every process computes with one thread. All ratios
come from one run on one machine, so they can be compared between machines; samples a second cannot.
With --record the figures are also kept in docs/_data/train_speed.json, which the book shows.
A run takes about a minute and a half on 2 processors.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import record
import torch
from record import Row
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from snn_docs import LIF, data, encoding
from snn_docs.fitting import fit
from snn_docs.network import Network, count

SETTINGS = {
    16: 12,
    100: 5,
}  # time steps: epochs, of which the first, while all is cold, is left out
ROUNDS = 2
TRAIN = "train"
SPLIT = data.digits(validation=360)


class Digits(torch.nn.Module):
    """Reads an image that is shown in each of some time steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.layers = Network([64, 512, 10], lambda: LIF(leak=0.1, reset="subtract"))

    def forward(self, images: Tensor) -> Tensor:
        """Return how often each output fires."""
        spikes, _ = self.layers(encoding.direct(images, self.steps))
        return count(spikes)


def batches(inputs: Tensor, labels: Tensor) -> Iterable[tuple[Tensor, ...]]:
    """Return a loader that takes each batch at once, which sample by sample is slow."""
    samples = TensorDataset(inputs, labels)
    drawn = BatchSampler(RandomSampler(samples), 64, drop_last=False)
    return DataLoader(samples, batch_size=None, sampler=drawn)


def train(steps: int, out: str) -> None:
    """Train as one of the processes that `epoch_seconds` starts."""
    torch.manual_seed(0)
    training = batches(SPLIT.train_inputs, SPLIT.train_labels)
    validation = batches(SPLIT.validation_inputs, SPLIT.validation_labels)
    fit(Digits(steps), training, validation, out, epochs=SETTINGS[steps])


def epoch_seconds(processes: int, steps: int) -> float:
    """Train in a process of its own, or in several, and return how long an epoch takes."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    launcher = torchrun if processes > 1 else []
    with tempfile.TemporaryDirectory(prefix="train_speed-") as out:
        done = subprocess.run(  # noqa: S603
            [sys.executable, *launcher, __file__, TRAIN, str(steps), out],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"training failed:\n{done.stderr[-3000:]}")
        lines = Path(out, "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return statistics.median(float(json.loads(line)["seconds"]) for line in lines[1:])


def rows() -> Iterator[Row]:
    """Yield how many samples a second each number of processes trains on."""
    counts = [2**i for i in range(10) if 2**i <= max(2, os.cpu_count() or 1)]
    places = [(processes, steps) for processes in counts for steps in SETTINGS]
    rounds = [{place: epoch_seconds(*place) for place in places} for _ in range(ROUNDS)]
    for processes, steps in places:
        seconds = statistics.median(each[processes, steps] for each in rounds)
        yield {
            "kind": "speed", "processes": processes, "steps": steps,
            "samples_per_second": len(SPLIT.train_labels) / seconds,
        }  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == [TRAIN]:  # a process of its own
        train(int(sys.argv[2]), sys.argv[3])
    else:
        record.run(__doc__, "train_speed", rows, libraries=["numpy", "scikit-learn"])
