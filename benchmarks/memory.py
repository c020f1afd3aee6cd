"""What carries a network over a silence: the leak of its neurons, recurrence, or a GRU?

Trains networks on `data.delayed_match` until they answer right, or for EPOCHS epochs. Hidden and
readout leak differ independently; the readout never fires, so that it only adds up and all that
is remembered is remembered by the hidden layer. Each network gets the learning rate that did best
in validation, on a seed that is used for nothing else, then trains with five others; the test
accuracy is that of the epoch that was best in validation.
With --record the figures are also kept in docs/_data/memory.json, which the book shows.
A run takes about an hour on one processor.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import record
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from snn_docs import LIF, data
from snn_docs.surrogate import ArcTan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from record import Row

DELAYS = (15, 30)
RATES = (3e-3, 1e-2, 3e-2)
SEEDS = range(5)
TUNING_SEED = 100
EPOCHS = 200
SOLVED, TIMES = 0.99, 3
"""A network has learned when validation was at least this good, so many epochs in a row."""
HIDDEN = 64
GRU_HIDDEN = 33
"""As many units as give the GRU the number of parameters of the recurrent network."""


class Spiking(torch.nn.Module):
    """A hidden layer of LIF neurons, with recurrence or without, and a readout that adds up."""

    def __init__(self, leak: float, readout: float, *, recurrent: bool = False) -> None:
        """Make the layers."""
        super().__init__()
        self.w = torch.nn.Linear(data.CHANNELS, HIDDEN)
        self.u = torch.nn.Linear(HIDDEN, HIDDEN, bias=False) if recurrent else None
        self.last = torch.nn.Linear(HIDDEN, 2)
        self.neuron = LIF(leak=leak, reset="subtract", surrogate=ArcTan())
        self.kept = 1 - readout

    def hidden(self, inputs: Tensor) -> Tensor:
        """Return the spikes of the hidden layer."""
        currents = self.w(inputs)
        if self.u is None:
            return self.neuron.run(currents)[0]
        s = v = torch.zeros_like(currents[0])
        spikes = []
        for current in currents:
            s, v = self.neuron.step(v, current + self.u(s), s)
            spikes.append(s)
        return torch.stack(spikes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the readout's potential in the last step."""
        weights = self.kept ** torch.arange(len(inputs) - 1, -1, -1)
        read: Tensor = torch.tensordot(weights, self.last(self.hidden(inputs)), 1)
        return read


class Gated(torch.nn.Module):
    """A GRU, read in the last step."""

    def __init__(self) -> None:
        """Make the layers."""
        super().__init__()
        self.gru = torch.nn.GRU(data.CHANNELS, GRU_HIDDEN)
        self.last = torch.nn.Linear(GRU_HIDDEN, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the two scores."""
        scores: Tensor = self.last(self.gru(inputs)[0][-1])
        return scores


NETWORKS: dict[str, Callable[[], torch.nn.Module]] = {
    **{
        f"LIF {leak} {readout}": partial(Spiking, leak, readout)
        for leak in (0.0, 0.1, 0.2)
        for readout in (0.0, 0.2)
    },
    "recurrent 0.2 0.2": partial(Spiking, 0.2, 0.2, recurrent=True),
    "GRU": Gated,
}


def accuracy(network: torch.nn.Module, inputs: Tensor, labels: Tensor) -> float:
    """Return which part of the answers is right."""
    with torch.no_grad():
        return float((network(inputs).argmax(1) == labels).float().mean())


def train(make: Callable[[], torch.nn.Module], delay: int, rate: float, seed: int) -> Row:
    """Train a network on data of its own, and return its best epoch in validation."""
    generator = torch.Generator().manual_seed(seed)
    (inputs, labels), validation, test = (
        data.delayed_match(samples, delay, generator=generator) for samples in (1024, 512, 512)
    )
    torch.manual_seed(seed)
    network = make()
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    best: Row = {"validation": -1.0}
    in_a_row = 0
    for epoch in range(1, EPOCHS + 1):
        for chosen in torch.randperm(len(labels)).split(128):
            loss = cross_entropy(network(inputs[:, chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        reached = accuracy(network, *validation)
        if reached > best["validation"]:
            best = {"validation": reached, "epoch": epoch, "test": accuracy(network, *test)}
        in_a_row = in_a_row + 1 if reached >= SOLVED else 0
        if in_a_row == TIMES:
            break
    return best | {"epochs": epoch, "learned": in_a_row == TIMES}


def rows() -> Iterator[Row]:
    """Yield what each network reached after each silence."""
    for name, make in NETWORKS.items():
        parameters = sum(each.numel() for each in make().parameters())
        for delay in DELAYS:
            tried = {rate: train(make, delay, rate, TUNING_SEED) for rate in RATES}
            best = max(RATES, key=lambda r: (tried[r]["validation"], -tried[r]["epochs"]))
            runs = [train(make, delay, best, seed) for seed in SEEDS]
            yield {
                "network": name,
                "parameters": parameters,
                "delay": delay,
                "rate": best,
                **{key: [run[key] for run in runs] for key in ("test", "epochs", "learned")},
            }


def show(row: Row) -> str:
    """Return a network and a delay, and what it reached."""
    tests = " ".join(f"{value:.3f}" for value in row["test"])
    return (
        f"{row['network']:20}{row['parameters']:6} silence {row['delay']:3}  "
        f"rate {row['rate']:.3f}  test {tests}  epochs {row['epochs']}"
    )


if __name__ == "__main__":
    record.run(__doc__, "memory", rows, show, ["torch"])
