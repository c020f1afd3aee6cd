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

from collections.abc import Callable
from functools import partial
from itertools import product

import torch
from harness import (
    Chain,
    Part,
    Row,
    each,
    faded,
    fit_best,
    gated,
    grid,
    matching,
    parameters,
    right,
    tuned,
)
from torch import Tensor, nn

from snn_docs import ALIF, LIF, CubaLIF, data
from snn_docs.surrogate import ArcTan

DELAYS = (15, 30)
RATES = (3e-3, 1e-2, 3e-2)
SEEDS = range(5)
TUNING_SEED = 100
EPOCHS = 100
SOLVED = 0.99
"""A network has learned when validation was at least this good, three epochs in a row."""
UNTOLD = {"validation", "epoch", "merit"}
LEAKS, GATES = (0.0, 0.1, 0.2), (0.0, 2.0, 4.0)
SYNAPSE_LEAKS = ADAPTATION_LEAKS = (0.02, 0.05, 0.1)
ADAPTATIONS = (1.0, 3.0)
HIDDEN = 64
LARGE, GRU_HIDDEN = 242, 33
"""As many units as give a network without recurrence, and a GRU, as many parameters as with it."""


class Spiking(nn.Module):
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
        self.w = nn.Linear(data.CHANNELS, hidden)
        self.u = nn.Linear(hidden, hidden, bias=False) if recurrent else None
        self.last = nn.Linear(hidden, 2)
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
        return faded(self.last(spikes), self.kept)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return two scores."""
        return self.read(self.hidden(inputs))


def gru(bias: float) -> Chain:
    """Return a GRU, read in the last step."""
    return Chain(gated(data.CHANNELS, GRU_HIDDEN, bias), lambda x: x[-1], nn.Linear(GRU_HIDDEN, 2))


NETWORKS: dict[str, Callable[..., nn.Module]] = {
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
    **{f"GRU ゲート+{bias:.0f}": partial(gru, bias) for bias in GATES},
}


def without_loop(network: Spiking, test: Part, silence: range) -> Row:
    """Return what is right when no spikes come back during the silence."""
    inputs, labels = test
    return {"cut": right(network.read(network.hidden(inputs, silence)), labels)}


def without_states(network: Spiking, test: Part, silence: range) -> Row:
    """Return what is right when, at the end of the silence, neurons get another sample's state.

    Where thresholds adapt, either the traces that raise them, or spikes and potentials; and else
    those that fire all through the silence, since their bias alone makes them, or the others.
    """
    inputs, labels = test
    neuron, currents = network.neuron, network.w(inputs)
    spikes, state = neuron.run(currents[: silence.stop])
    own, other = torch.stack(state), torch.randperm(len(labels))
    part = torch.arange(len(own))[:, None, None]
    steady = network.w.bias > float(neuron.leak) * float(neuron.threshold)
    ways = {"steady": steady, "silent": ~steady}
    if isinstance(neuron, ALIF):
        ways = {"threshold": part == 2, "potential": part < 2}  # noqa: PLR2004 - the third part
    found = {}
    for name, chosen in ways.items():
        mixed = torch.where(chosen, own[:, other], own)
        after = neuron.run(currents[silence.stop :], (*mixed,))[0]
        found[name] = right(network.read(torch.cat([spikes, after])), labels)
    return found


ABLATIONS: dict[str, Callable[[Spiking, Part, range], Row]] = {
    "再帰なし 漏れ0.2": without_states,
    **{f"再帰なし 漏れ0.2 適応の漏れ{slow}": without_states for slow in ADAPTATION_LEAKS},
    "再帰あり 漏れ0.2": without_loop,
    "再帰あり 漏れ0.2 適応の漏れ0.02": without_loop,
}


def train(name: str, delay: int, setting: Row, seed: int) -> Row:
    """Train a network on data of its own, and return its best epoch in validation."""
    parts = matching(delay, seed)
    torch.manual_seed(seed)
    network = NETWORKS[name](**{key: value for key, value in setting.items() if key != "rate"})
    found = fit_best(network, parts, setting["rate"], count=EPOCHS, batch=128, until=SOLVED)
    found["merit"] = found["validation"] - found["epochs"] / 1e6  # the sooner of equals
    found["parameters"] = parameters(network)
    if name in ABLATIONS and isinstance(network, Spiking):
        silence = range(data.CUE_STEPS, data.CUE_STEPS + delay)
        with torch.no_grad():
            found |= ABLATIONS[name](network, parts[2], silence)
    return found


def measured(name: str, delay: int) -> Row:
    """Return what a network reached after a silence, with what did best on the tuning seed."""
    settings = grid(rate=RATES, **({"adaptation": ADAPTATIONS} if "適応" in name else {}))
    fit = partial(train, name, delay)
    chosen, _, runs = tuned(settings, fit, [TUNING_SEED], SEEDS, by="merit")
    number = runs.pop("parameters")[0]
    row = {"network": name, "parameters": number, "delay": delay, **chosen, **runs}
    return {key: value for key, value in row.items() if key not in UNTOLD}


if __name__ == "__main__":
    each(__doc__, "memory", product(NETWORKS, DELAYS), measured)
