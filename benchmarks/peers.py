"""Neurons of other libraries, set to the equations of this package's."""

import importlib
import importlib.util
import logging
import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import Linear, Module

from snn_docs import IF, LIF, Heaviside
from snn_docs.surrogate import ArcTan, Triangle

SURROGATES: dict[str, Callable[[Tensor], Tensor]] = {
    "article": Heaviside.apply,
    "arctan": ArcTan(1.0),
    "triangle": Triangle(1.0),
}
NEXT = 1 + 2**-23
"""The threshold of what fires at its threshold, not above it: the next number after 1."""


class Rule(NamedTuple):
    """What neurons do."""

    reset: str
    detach_reset: bool
    derivative: str
    leak: float = 0.0

    def neuron(self) -> IF | LIF:
        """Return neurons of this package."""
        rule: dict[str, Any] = {"reset": self.reset, "detach_reset": self.detach_reset}
        rule["surrogate"] = SURROGATES[self.derivative]
        return LIF(leak=self.leak, **rule) if self.leak else IF(**rule)


class Cell(Module):
    """A layer of neurons of some library: all steps, one after the other.

    A step returns its spikes and the state after it; the first state is None.
    """

    def run(self, inputs: Tensor) -> Tensor:
        """Return the spikes of all steps."""
        state, spikes = None, []
        for current in inputs:
            s, state = self(current, state)
            spikes.append(s)
        return torch.stack(spikes)


class Looped(Cell):
    """Neurons to whose inputs their spikes come back, in a library that has no layer for that."""

    def __init__(self, cell: Cell, back: Linear) -> None:
        super().__init__()
        self.cell, self.back = cell, back

    def forward(self, current: Tensor, state: Any) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Take a step with what the spikes before bring back."""
        last, inner = (torch.zeros_like(current), None) if state is None else state
        spikes, inner = self.cell(current + self.back(last), inner)
        return spikes, (spikes, inner)


class Rectified(Cell):
    """ReLU, which carries nothing from step to step."""

    def forward(self, current: Tensor, state: Any) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Cut off what is below zero."""
        return torch.relu(current), state

    def run(self, inputs: Tensor) -> Tensor:
        """Do so with all steps at once."""
        return torch.relu(inputs)


class OfSnnTorch(Cell):
    """`Leaky`, whose reset is detached with its delay, and attached without.

    `RLeaky` resets to zero what comes in at the next step, too: a layer leads back in its place.
    """

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        library = importlib.import_module("snntorch")
        theirs = library.surrogate
        derivatives = {"article": theirs.heaviside(), "arctan": theirs.atan(alpha=2.0)}
        self.layer = library.Leaky(
            1 - rule.leak,
            reset_mechanism=rule.reset,
            reset_delay=rule.detach_reset,
            spike_grad=derivatives[rule.derivative],
        )

    def forward(self, current: Tensor, state: Any) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Take a step from a potential."""
        spikes, v = self.layer(current, torch.zeros_like(current) if state is None else state)
        return spikes, v


class OfSpikingJelly(Cell):
    """`IFNode` or `LIFNode`, one step at a time or, in its multi-step mode, all of them."""

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        logging.getLogger("torch._library.triton").setLevel(logging.ERROR)  # no GPU, it would say
        theirs = importlib.import_module("spikingjelly.activation_based.surrogate")
        nodes = importlib.import_module("spikingjelly.activation_based.neuron")
        derivatives = {
            "article": theirs.LeakyKReLU(leak=0.0, k=1.0),
            "arctan": theirs.ATan(2.0),
            "triangle": theirs.PiecewiseQuadratic(1.0),
        }
        leaky = partial(nodes.LIFNode, 1 / rule.leak, decay_input=False) if rule.leak else None
        self.node = (leaky or nodes.IFNode)(
            v_threshold=NEXT,
            surrogate_function=derivatives[rule.derivative],
            detach_reset=rule.detach_reset,
        )

    def forward(self, current: Tensor, state: Any) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Take a step; the node keeps its state itself."""
        if state is None:
            self.node.step_mode = "s"
            self.node.reset()
        return self.node(current), True

    def run(self, inputs: Tensor) -> Tensor:
        """Take all steps in one call."""
        self.node.step_mode = "m"
        self.node.reset()
        spikes: Tensor = self.node(inputs)
        return spikes


def detached_reset(spikes: Tensor, v: Tensor, reset: Tensor, _: Tensor) -> Tensor:
    """Set back those that fired, without a gradient through their spikes."""
    return v - spikes.detach() * (v - reset)


class OfNorse(Cell):
    """Steps of `iaf`, whose reset is attached, or `LIFBoxCell`; their derivative is a triangle.

    The latter multiplies inputs by the leak: the weights before it make up for that.
    """

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        library = importlib.import_module("norse.torch")
        iaf = importlib.import_module("norse.torch.functional.iaf")
        self.cell: Callable[..., tuple[Tensor, Any]]
        if rule.leak:
            leak = torch.tensor(rule.leak)
            box = library.LIFBoxParameters(
                leak, reset_method=detached_reset, method="triangle", alpha=1.0
            )
            self.first, self.cell = None, library.LIFBoxCell(box, dt=1.0)
        else:
            parameters = iaf.IAFParameters(torch.tensor(1.0), method="triangle", alpha=1.0)
            self.first = iaf.IAFFeedForwardState(torch.zeros(()))
            self.cell = partial(iaf.iaf_feed_forward_step, p=parameters)

    def forward(self, current: Tensor, state: Any) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Take a step."""
        return self.cell(current, self.first if state is None else state)


class OfSinabs(Cell):
    """`LIF`, or `LIFRecurrent` where spikes come back; the batch comes before the time."""

    def __init__(self, rule: Rule, back: Linear | None = None) -> None:
        super().__init__()
        layers = importlib.import_module("sinabs.layers")
        activation = importlib.import_module("sinabs.activation")
        slope = ArcTan(1.0).derivative
        derivatives = {
            "article": lambda v, threshold: (v >= threshold).float(),
            "arctan": lambda v, threshold: slope(v - threshold),
        }
        zero = rule.reset == "zero"
        settings = {
            "tau_mem": -1 / math.log1p(-rule.leak) if rule.leak else math.inf,
            "norm_input": False,
            "spike_threshold": torch.tensor(NEXT),
            "spike_fn": activation.SingleSpike,
            "reset_fn": activation.MembraneReset() if zero else activation.MembraneSubtract(1.0),
            "surrogate_grad_fn": derivatives[rule.derivative],
        }
        if back is None:
            self.layer = layers.LIF(**settings)
        else:
            self.layer = layers.LIFRecurrent(**settings, rec_connect=back)
        for constant in self.layer.parameters(recurse=False):  # nobody else learns them
            constant.requires_grad = False

    def forward(self, current: Tensor, state: Any) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Take a step; the layer keeps its state itself."""
        if state is None:
            self.layer.reset_states()
        return self.layer(current.unsqueeze(1)).squeeze(1), True

    def run(self, inputs: Tensor) -> Tensor:
        """Take all steps in one call."""
        self.layer.reset_states()
        spikes: Tensor = self.layer(inputs)
        return spikes


CELLS: dict[str, Callable[[Rule], Cell]] = {
    "snntorch": OfSnnTorch,
    "spikingjelly": OfSpikingJelly,
    "norse": OfNorse,
    "sinabs": OfSinabs,
    "relu": lambda _: Rectified(),
}
INSTALLED = [who for who in CELLS if importlib.util.find_spec(who)]


def cell(who: str, rule: Rule, back: Linear | None = None) -> Cell:
    """Return neurons of a library, with the layer through which spikes come back, if any."""
    if back is None:
        return CELLS[who](rule)
    return OfSinabs(rule, back) if who == "sinabs" else Looped(CELLS[who](rule), back)
