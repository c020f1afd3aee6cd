"""How fast is training, how does it scale over processes, and how much of it is the neurons' time?

Trains on the digits, with 16 time steps and with 100, alone and under torchrun, and prints one line
for each question. Every process computes with one thread. All ratios come from one run on one
machine, so they can be compared between machines; samples a second cannot.
With --record the figures are also kept in docs/_data/train_speed.json, which the book shows.
A run takes about a minute and a half on 2 processors.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import record
import torch

from snn_docs import data, tasks
from snn_docs.fitting import Run
from snn_docs.neurons import LIF
from snn_docs.train import Config

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from record import Row
    from torch import Tensor

SETTINGS = {
    16: 12,
    100: 5,
}  # time steps: epochs, of which the first, while all is cold, is left out


class Wire(LIF):
    """Passes its input on: what a training step costs without neurons."""

    def record(
        self, inputs: Tensor, _state: tuple[Tensor, ...] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the input as spikes and as potential."""
        return inputs, inputs


def epoch_seconds(processes: int, steps: int) -> float:
    """Train in a process of its own, or in several, and return how long an epoch takes."""
    torchrun = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    with tempfile.TemporaryDirectory(prefix="train_speed-") as out:
        done = subprocess.run(  # noqa: S603
            [
                *(sys.executable, "-m", *(torchrun if processes > 1 else []), "snn_docs.train"),
                *("--out", out, "--steps", str(steps), "--epochs", str(SETTINGS[steps])),
            ],
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
    config = Config(steps=steps)
    task, network = tasks.digits(config), tasks.Connected([64, tasks.HIDDEN, 10], config)
    run = Run(network, task.training, task.validation, torch.device("cpu"), 1, task.lr, {})
    batch = next(iter(task.training))

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
    samples = len(data.digits(validation=tasks.VALIDATION["digits"]).train_labels)
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
    for processes in [count for count in speeds if count > 1]:
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
    options = parser.parse_args()
    rows = measured(options)
    show(rows)
    if options.record:
        libraries = ("numpy", "scikit-learn")
        sys.stdout.write(f"kept in {record.save('train_speed', rows, libraries)}\n")


if __name__ == "__main__":
    main()
