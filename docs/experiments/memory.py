"""What carries a network over a silence: a smaller leak, a slow state, recurrence, or gates?

Trains networks on `data.delayed_match` until they answer right, or for EPOCHS epochs. The readout
never fires, so that it only adds up and all that is remembered is remembered by the hidden layer.
Each kind has three settings of its own: the leak of neurons with recurrence or without; where the
neuron's stays at 0.2, that of a synapse's current or of an adaptive threshold; the bias that a
GRU's update gates begin with. One row has adaptive thresholds and recurrence. Two more tell what
else could be the reason: a readout that doesn't leak, and as many parameters without recurrence as
with it. Each network gets the learning rate of three that did best in validation, on a seed that is
used for nothing else, then trains with five others; the test accuracy is that of the epoch that was
best in validation. How far a threshold rises is searched along with the rate, among two values.
Controls take away what may be the memory of a trained network: the states of neurons that fire all
through the silence, or of the others, the raised thresholds or all else that a neuron keeps, and
the spikes that come back during the silence. With --record the figures are kept beside it. A run
takes about three quarters of an hour on one processor.
"""

import itertools
from collections.abc import Callable
from functools import partial

import torch
from harness import Row, each
from torch import Tensor
from torch.nn.functional import cross_entropy

from snn_docs import ALIF, LIF, CubaLIF, data
from snn_docs.surrogate import ArcTan

DELAYS = (15, 30)
RATES = (3e-3, 1e-2, 3e-2)
SEEDS = range(5)
TUNING_SEED = 100
EPOCHS = 100
SOLVED, TIMES = 0.99, 3
"""A network has learned when validation was at least this good, so many epochs in a row."""
UNTOLD = {"validation", "epoch"}
CONTROLS = ("steady", "silent", "threshold", "potential", "cut")
LEAKS, GATES = (0.0, 0.1, 0.2), (0.0, 2.0, 4.0)
SYNAPSE_LEAKS = ADAPTATION_LEAKS = (0.02, 0.05, 0.1)
ADAPTATIONS = (1.0, 3.0)
HIDDEN = 64
LARGE, GRU_HIDDEN = 242, 33
"""As many units as give a network without recurrence, and a GRU, as many parameters as with it."""


class Spiking(torch.nn.Module):
    """A hidden layer of neurons, with recurrence or without, and a readout that adds up."""

    def __init__(
        self,
        leak: float,
        readout: float = 0.2,
        *,
        hidden: int = HIDDEN,
        recurrent: bool = False,
        neuron: Callable[..., LIF | CubaLIF | ALIF] = LIF,
        **constants: float,
    ) -> None:
        """Make the layers."""
        super().__init__()
        self.w = torch.nn.Linear(data.CHANNELS, hidden)
        self.u = torch.nn.Linear(hidden, hidden, bias=False) if recurrent else None
        self.last = torch.nn.Linear(hidden, 2)
        self.neuron = neuron(leak=leak, reset="subtract", surrogate=ArcTan(), **constants)
        self.kept = 1 - readout

    def hidden(self, inputs: Tensor, cut: range = range(0)) -> Tensor:
        """Return the spikes of the hidden layer; in steps that are cut, none come back."""
        currents = self.w(inputs)
        if self.u is None:
            return self.neuron.run(currents)[0]
        s, state = torch.zeros_like(currents[0]), None
        spikes = []
        for step, current in enumerate(currents):
            s, state = self.neuron.step(current if step in cut else current + self.u(s), state)  # type: ignore[assignment] # of any neuron
            spikes.append(s)
        return torch.stack(spikes)

    def read(self, spikes: Tensor) -> Tensor:
        """Return the readout's potential in the last step."""
        weights = self.kept ** torch.arange(len(spikes) - 1, -1, -1)
        scores: Tensor = torch.tensordot(weights, self.last(spikes), 1)
        return scores

    def forward(self, inputs: Tensor) -> Tensor:
        """Return two scores."""
        return self.read(self.hidden(inputs))


class Gated(torch.nn.Module):
    """A GRU, read in the last step. Its update gates keep the more, the larger their bias is."""

    def __init__(self, bias: float) -> None:
        """Make the layers."""
        super().__init__()
        self.gru = torch.nn.GRU(data.CHANNELS, GRU_HIDDEN)
        self.last = torch.nn.Linear(GRU_HIDDEN, 2)
        with torch.no_grad():
            self.gru.get_parameter("bias_ih_l0")[GRU_HIDDEN : 2 * GRU_HIDDEN] += bias

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the two scores."""
        scores: Tensor = self.last(self.gru(inputs)[0][-1])
        return scores


NETWORKS: dict[str, Callable[..., torch.nn.Module]] = {
    **{f"再帰なし 漏れ{leak}": partial(Spiking, leak) for leak in LEAKS},
    "再帰なし 漏れ0.0 読み出しも0.0": partial(Spiking, 0.0, 0.0),
    "再帰なし 漏れ0.2 242個": partial(Spiking, 0.2, hidden=LARGE),
    **{
        f"再帰なし 漏れ0.2 電流の漏れ{slow}": partial(
            Spiking, 0.2, neuron=partial(CubaLIF, synapse_leak=slow)
        )
        for slow in SYNAPSE_LEAKS
    },
    **{
        f"再帰なし 漏れ0.2 適応の漏れ{slow}": partial(
            Spiking, 0.2, neuron=partial(ALIF, adaptation_leak=slow)
        )
        for slow in ADAPTATION_LEAKS
    },
    **{f"再帰あり 漏れ{leak}": partial(Spiking, leak, recurrent=True) for leak in LEAKS},
    "再帰あり 漏れ0.2 適応の漏れ0.02": partial(
        Spiking, 0.2, recurrent=True, neuron=partial(ALIF, adaptation_leak=0.02)
    ),
    **{f"GRU ゲート+{bias:.0f}": partial(Gated, bias) for bias in GATES},
}


def searched(name: str) -> list[Row]:
    """Return the constants that a network's neurons are tried with."""
    return [{"adaptation": each} for each in ADAPTATIONS] if "適応" in name else [{}]


def accuracy(network: torch.nn.Module, inputs: Tensor, labels: Tensor) -> float:
    """Return which part of the answers is right."""
    with torch.no_grad():
        return float((network(inputs).argmax(1) == labels).float().mean())


def without_loop(network: Spiking, inputs: Tensor, labels: Tensor, silence: range) -> Row:
    """Return what is right when no spikes come back during the silence."""
    scores = network.read(network.hidden(inputs, silence))
    return {"cut": float((scores.argmax(1) == labels).float().mean())}


def without_states(network: Spiking, inputs: Tensor, labels: Tensor, silence: range) -> Row:
    """Return what is right when, at the end of the silence, neurons get another sample's state.

    Those that fire all through the silence, since their bias alone makes them, and the others.
    """
    currents = network.w(inputs)
    spikes, state = network.neuron.run(currents[: silence.stop])
    other = torch.randperm(len(labels))
    steady = network.w.bias > float(network.neuron.leak) * float(network.neuron.threshold)

    def right(chosen: Tensor) -> float:
        swapped = tuple(torch.where(chosen, each[other], each) for each in state)
        after = network.neuron.run(currents[silence.stop :], swapped)[0]
        scores = network.read(torch.cat([spikes, after]))
        return float((scores.argmax(1) == labels).float().mean())

    return {"steady": right(steady), "silent": right(~steady)}


def without_thresholds(network: Spiking, inputs: Tensor, labels: Tensor, silence: range) -> Row:
    """Return what is right when, at the end of the silence, neurons get another sample's state.

    Either the traces that raise the thresholds, or spikes and potentials.
    """
    currents = network.w(inputs)
    spikes, (s, v, a) = network.neuron.run(currents[: silence.stop])  # type: ignore[misc] # an ALIF
    other = torch.randperm(len(labels))

    def right(state: tuple[Tensor, ...]) -> float:
        after = network.neuron.run(currents[silence.stop :], state)[0]
        scores = network.read(torch.cat([spikes, after]))
        return float((scores.argmax(1) == labels).float().mean())

    return {"threshold": right((s, v, a[other])), "potential": right((s[other], v[other], a))}


ABLATIONS: dict[str, Callable[[Spiking, Tensor, Tensor, range], Row]] = {
    "再帰なし 漏れ0.2": without_states,
    **{f"再帰なし 漏れ0.2 適応の漏れ{slow}": without_thresholds for slow in ADAPTATION_LEAKS},
    "再帰あり 漏れ0.2": without_loop,
    "再帰あり 漏れ0.2 適応の漏れ0.02": without_loop,
}


def ablated(name: str, network: torch.nn.Module, test: tuple[Tensor, Tensor], delay: int) -> Row:
    """Return what is right without what may be the memory, where it is asked."""
    if name not in ABLATIONS or not isinstance(network, Spiking):
        return {}
    silence = range(data.CUE_STEPS, data.CUE_STEPS + delay)
    with torch.no_grad():
        return ABLATIONS[name](network, *test, silence)


def train(name: str, delay: int, rate: float, constants: Row, seed: int) -> Row:
    """Train a network on data of its own, and return its best epoch in validation."""
    generator = torch.Generator().manual_seed(seed)
    (inputs, labels), validation, test = (
        data.delayed_match(samples, delay, generator=generator) for samples in (1024, 512, 512)
    )
    torch.manual_seed(seed)
    network = NETWORKS[name](**constants)
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
    without = ablated(name, network, test, delay)
    return best | {"epochs": epoch, "learned": in_a_row == TIMES} | without


def measured(name: str, delay: int) -> Row:
    """Return what a network reached after a silence, with what did best on the tuning seed."""
    constants = searched(name)
    tried = [
        (train(name, delay, rate, each, TUNING_SEED), rate, each)
        for rate, each in itertools.product(RATES, constants)
    ]
    _, rate, best = max(tried, key=lambda t: (t[0]["validation"], -t[0]["epochs"]))
    runs = [train(name, delay, rate, best, seed) for seed in SEEDS]
    parameters = sum(each.numel() for each in NETWORKS[name](**best).parameters())
    return {
        "network": name,
        "parameters": parameters,
        "delay": delay,
        "rate": rate,
        **best,
        **{key: [run[key] for run in runs] for key in runs[0] if key not in UNTOLD},
    }


if __name__ == "__main__":
    each(__doc__, "memory", itertools.product(NETWORKS, DELAYS), measured, ["torch"])
