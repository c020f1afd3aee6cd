"""How fast is training, how does it scale over processes, and how much of it is the neurons' time?

Trains on the digits, with 16 time steps and with 100, alone and under torchrun, and prints one line
for each question. Every process computes with one thread. All ratios come from one run on one
machine, so they can be compared between machines; samples a second cannot.
With --record the figures are also kept in docs/_data/train_speed.json, which the book shows.
A run takes about a minute and a half on 2 processors.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import record
import torch
from record import Row
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from snn_docs import LIF, data, encoding
from snn_docs.fitting import Run, fit
from snn_docs.network import Network, count
from snn_docs.states import State

SETTINGS = {
    16: 12,
    100: 5,
}  # time steps: epochs, of which the first, while all is cold, is left out
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


class Wire(LIF):
    """Passes its input on: what a training step costs without neurons."""

    def record(self, inputs: Tensor, _state: tuple[Tensor, ...] | None = None) -> State:
        """Return the input as spikes and as potential."""
        return State(inputs, inputs)


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
            [sys.executable, *launcher, __file__, "--train", str(steps), out],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"training failed:\n{done.stderr[-3000:]}")
        lines = Path(out, "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return statistics.median(float(json.loads(line)["seconds"]) for line in lines[1:])


def neurons_share(steps: int, rounds: int) -> float:
    """Return which part of a training step the neurons take, forward and backward."""
    torch.set_num_threads(1)
    network = Digits(steps)
    run = Run(network, [], [], torch.device("cpu"), 1e-3)
    batch = SPLIT.train_inputs[:64], SPLIT.train_labels[:64]

    def step() -> None:
        run.backward(network, batch)
        run.optimizer.step()

    neurons = network.layers.neurons
    wires = torch.nn.ModuleList(Wire(leak=0.0) for _ in neurons)
    seconds: dict[torch.nn.ModuleList, list[float]] = {neurons: [], wires: []}
    for _ in range(10 * rounds):
        for layers, taken in seconds.items():  # by turns, so that both see the same machine
            network.layers.neurons = layers
            taken.append(timed(step))
    return 1 - statistics.median(seconds[wires]) / statistics.median(seconds[neurons])


def timed(work: Callable[[], None]) -> float:
    """Return how many seconds some work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measured(options: argparse.Namespace) -> list[Row]:
    """Measure everything, and return a row for each number of processes and each of steps."""
    counts = [1, *options.processes]
    seconds: dict[tuple[int, int], list[float]] = {}
    for number in range(options.rounds):
        sys.stderr.write(f"round {number + 1} of {options.rounds}\n")
        for steps in SETTINGS:
            for processes in counts:
                taken = seconds.setdefault((processes, steps), [])
                taken.append(epoch_seconds(processes, steps))
    samples = len(SPLIT.train_labels)
    speeds: list[Row] = [
        {"kind": "speed", "processes": processes, "steps": steps,
         "samples_per_second": samples / statistics.median(seconds[processes, steps])}
        for processes in counts for steps in SETTINGS
    ]  # fmt: skip
    shares: list[Row] = [
        {"kind": "share", "steps": steps, "share": neurons_share(steps, options.rounds)}
        for steps in SETTINGS
    ]
    return speeds + shares


def line(what: str, values: list[str]) -> None:
    """Print a row of the table."""
    sys.stdout.write(f"{what:44}" + "".join(f"{value:>12}" for value in values) + "\n")


def show(rows: list[Row]) -> None:
    """Print the table: a column for each number of steps."""
    line("", [f"{steps} steps" for steps in SETTINGS])
    speeds: dict[int, list[float]] = {}
    for row in rows:
        if row["kind"] == "speed":
            speeds.setdefault(row["processes"], []).append(row["samples_per_second"])
    for processes, values in speeds.items():
        line(f"samples/s, processes: {processes}", [f"{value:.0f}" for value in values])
    for processes in [number for number in speeds if number > 1]:
        ratios = [many / one for many, one in zip(speeds[processes], speeds[1], strict=True)]
        line(f"speed, {processes} processes / 1 process", [f"{ratio:.2f}" for ratio in ratios])
    shares = [f"{row['share']:.2f}" for row in rows if row["kind"] == "share"]
    line("neurons' share of a training step", shares)


def main() -> None:
    """Measure and print."""
    parser = record.new_parser(__doc__)
    parser.add_argument(
        "--rounds",
        type=int,
        default=2,
        metavar="N",
        help="measure everything so many times and take medians (default: 2)",
    )
    parser.add_argument(
        "--processes",
        type=int,
        nargs="+",
        default=[2**i for i in range(1, 10) if 2**i <= max(2, os.cpu_count() or 1)],
        metavar="N",
        help="compare one process with so many (default: 2, 4, ... up to the processors there are)",
    )
    parser.add_argument("--train", nargs=2, metavar=("STEPS", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:  # a process of its own
        steps, out = options.train
        train(int(steps), out)
        return
    rows = measured(options)
    show(rows)
    if options.record:
        libraries = ("numpy", "scikit-learn")
        sys.stdout.write(f"kept in {record.save('train_speed', rows, libraries)}\n")


if __name__ == "__main__":
    main()
