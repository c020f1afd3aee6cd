"""Where has the gradient of Izhikevich's neuron to be cut, so that a network of it learns?

Trains networks of 64, 64 and 10 neurons to read the digits, 25 steps, with Izhikevich's neuron. Its
gradient is whole, or cut on two ways through time: the drift, by which the potential drives itself
(0.04 v^2 + 5 v + 140), and the reset. The surrogate is as wide as the package's usual one, in
millivolts, or thirty times as wide. As its area is 1, a wide one is low: with both ways cut, each
width has the height of the other, too. Beside these: only the square cut, steps of a millisecond
instead of a quarter, and an LIF. Each has the best of six settings, chosen by the validation
accuracy of three seeds: two sizes of the current (of the leak, for the LIF) with three rates. A run
takes about ten minutes on one processor.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from harness import Row, accuracy, loss_on, study
from torch import Tensor, nn

from snn_docs import LIF, data, encoding
from snn_docs.fitting import RunError, minimize
from snn_docs.network import Network, count
from snn_docs.surrogate import ArcTan

STEPS = 25
EPOCHS = 6
BATCH = 128
RATES = (0.003, 0.01, 0.03)
SPLIT = data.digits(validation=360)
NARROW, WIDE = 1.0, 30.0  # mV; the usual ArcTan() is as narrow


class State(NamedTuple):
    """What a neuron keeps: what it fired, its potential in mV, and its recovery."""

    spikes: Tensor
    v: Tensor
    u: Tensor


class Izhikevich(nn.Module):
    """The neuron of the chapter, regular spiking, with what is cut of its gradient."""

    def __init__(
        self,
        *,
        gain: float,
        size: tuple[float, float] = (WIDE, 1 / WIDE),
        drift: str = "cut",
        is_reset_cut: bool = True,
        dt: float = 0.25,
    ) -> None:
        """Say what is cut: of the drift all ("cut"), its "square", or nothing ("whole").

        The surrogate's size is its width and its height: 1 / width, or its gradient is another's.
        """
        super().__init__()
        self.a, self.b, self.c, self.d = 0.02, 0.2, -65.0, 8.0
        self.gain, self.dt, self.drift, self.is_reset_cut = gain, dt, drift, is_reset_cut
        width, height = size
        self.surrogate = ArcTan(1 / width)
        self.times = height * width

    def step(self, inputs: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Take a step."""
        if state is None:
            rest = torch.full_like(inputs, self.c)
            state = State(torch.zeros_like(inputs), rest, self.b * rest)
        s, v, u = state
        if self.is_reset_cut:
            s = s.detach()
        v, u = v + s * (self.c - v), u + self.d * s
        squared = v if self.drift == "whole" else v.detach()
        linear = v.detach() if self.drift == "cut" else v
        drift = 0.04 * squared**2 + 5 * linear + 140
        v, u = (
            v + self.dt * (drift - u + self.gain * inputs),
            u + self.dt * self.a * (self.b * v - u),
        )
        spikes = self.surrogate(v - 30)
        if self.times != 1:
            spikes = spikes.detach() + self.times * (spikes - spikes.detach())
        return spikes, State(spikes, v, u)

    def run(self, inputs: Tensor, state: State | None = None) -> tuple[Tensor, State | None]:
        """Take all steps."""
        spikes = []
        for each in inputs:
            one, state = self.step(each, state)
            spikes.append(one)
        return torch.stack(spikes), state


GAINS = [{"gain": gain, "rate": rate} for gain in (30.0, 100.0) for rate in RATES]
LEAKS = [{"leak": leak, "rate": rate} for leak in (0.05, 0.2) for rate in RATES]
NEURONS: dict[str, Callable[..., nn.Module]] = {
    **{
        f"{drift}, reset {'cut' if is_cut else 'whole'}, {width} mV": partial(
            Izhikevich, drift=drift, is_reset_cut=is_cut, size=(width, 1 / width)
        )
        for width in (WIDE, NARROW)
        for drift in ("cut", "whole")
        for is_cut in (True, False)
    },
    f"cut, reset cut, {WIDE} mV, high": partial(Izhikevich, size=(WIDE, 1 / NARROW)),
    f"cut, reset cut, {NARROW} mV, low": partial(Izhikevich, size=(NARROW, 1 / WIDE)),
    "square, reset cut": partial(Izhikevich, drift="square"),
    **{f"{drift}, 1 ms": partial(Izhikevich, drift=drift, dt=1.0) for drift in ("cut", "whole")},
    "LIF": LIF,
}


def train(name: str, setting: Row, seed: int) -> Row:
    """Train a network, and return which part of its answers is right."""
    torch.manual_seed(seed)
    constants = {key: value for key, value in setting.items() if key != "rate"}
    network = Network([64, 64, 10], lambda: NEURONS[name](**constants))

    def scores(images: Tensor) -> Tensor:
        return count(network(encoding.direct(images, STEPS))[0])

    loss, samples, finite = loss_on(scores, *SPLIT[:2]), len(SPLIT.train_labels), True
    try:
        minimize(
            loss, network.parameters(), samples, epochs=EPOCHS, batch=BATCH, lr=setting["rate"]
        )
    except (RunError, ValueError):  # the gradient is not finite, nor are the weights after it
        finite = False
    return {
        "validation": accuracy(scores, SPLIT.validation_inputs, SPLIT.validation_labels)
        if finite
        else 0.0,
        "test": accuracy(scores, SPLIT.test_inputs, SPLIT.test_labels) if finite else 0.0,
        "finite": finite,
    }


if __name__ == "__main__":
    networks = {name: LEAKS if name == "LIF" else GAINS for name in NEURONS}
    study(__doc__, "own_neuron", networks, train)
