"""What tests of training share: a small network, its data, and what a run has left."""

import io
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from snn_docs import LI, LIF, Sequential
from snn_docs.network import mean_potential
from snn_docs.surrogate import ArcTan

ROOT = Path(__file__).parents[2]
LIMIT = 300  # seconds after which a process that should have ended hangs


@pytest.fixture(autouse=True)
def one_thread():
    """The bits depend on the number of threads. What `start` starts has one: so has all here."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Reader(torch.nn.Module):
    """A network as a reader writes it: samples first, sequences of their own lengths."""

    def __init__(self, hidden=4, dropout=0.2):
        super().__init__()
        first, last = torch.nn.Linear(3, hidden), torch.nn.Linear(hidden, 2)
        neuron = LIF(leak=0.1, reset="subtract", surrogate=ArcTan())
        self.layers = Sequential(first, neuron, torch.nn.Dropout(dropout), last, LI(leak=0.1))

    def forward(self, inputs, lengths):
        return mean_potential(self.layers(inputs.transpose(0, 1)), lengths)


def reader(seed=0, **sizes):
    torch.manual_seed(seed)
    return Reader(**sizes)


def samples(count=30, seed=0):
    """Sequences of two kinds that noise makes hard to tell apart."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, 6, 3, generator=generator)
    labels = torch.arange(count) % 2
    inputs[:, :, 0] += labels[:, None]
    return inputs, torch.randint(2, 7, (count,), generator=generator), labels


def loader(count=30, seed=0, **settings):
    return DataLoader(TensorDataset(*samples(count, seed)), batch_size=8, **settings)


def loaders(**settings):
    return loader(shuffle=True, **settings), loader(20, seed=1)


def metrics(folder):
    path = folder / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def checkpoint(folder):
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def bits(state):
    """Return what a checkpoint holds, with the bytes of each tensor, but not how long it took."""
    if isinstance(state, torch.Tensor):
        return state.dtype, state.shape, state.numpy().tobytes()
    if isinstance(state, dict):
        return {key: bits(state[key]) for key in state if key != "seconds"}
    if isinstance(state, list):
        return [bits(each) for each in state]
    return state


def assert_same_bits(folder, other):
    """Two runs have the same checkpoints, metrics and best weights, except how long they took."""
    ours, theirs = (checkpoint(each) for each in (folder, other))
    assert bits(ours) == bits(theirs)
    for state, each in [(ours, folder), (theirs, other)]:
        assert metrics(each) == state["records"]
        assert bits(torch.load(each / "best.pt", weights_only=True)) == bits(state["best"])


def environment():
    paths = [str(ROOT), str(ROOT / "tests/helpers"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


def start(*arguments, processes=None):
    """Start Python, under torchrun if a number of processes is given."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return subprocess.Popen(
        [sys.executable, *(launcher if processes else []), *map(str, arguments)],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process):
    """Wait for a process, and return its status, output and errors."""
    try:
        output, errors = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        give_up(process, f"still running after {LIMIT} s")
    return process.returncode, output, errors


def give_up(process, why):
    """End a process and what it has started, and fail."""
    if process.poll() is None:
        for each in [*psutil.Process(process.pid).children(recursive=True), process]:
            each.kill()
    pytest.fail(f"{why}: {process.communicate()}")


def wait_for_epochs(folder, number, process):
    """Return the metrics as soon as there are so many."""
    deadline = time.monotonic() + LIMIT
    while len(found := metrics(folder)) < number:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
        if process.poll() is not None or time.monotonic() > deadline:
            give_up(process, f"no {number} epochs in {LIMIT} s")
    return found


class Terminal(io.StringIO):
    def isatty(self):
        return True
