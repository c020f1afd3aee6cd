"""What the tests against other libraries share: drawn runs, and what is compared."""

from typing import NamedTuple

import torch
from hypothesis import strategies as st

# Demo 2 of the book: 40 neurons, each with its own constant current, for 20 steps.
DEMO_2 = torch.arange(0, 2, 0.05).expand(20, 40)
DRAWN = torch.tensor([0.5] * 12 + [2.5] * 2)[:, None]
"""The input of the first picture of peers, which this package computes by their rules."""


class Run(NamedTuple):
    inputs: torch.Tensor  # [T, *]
    threshold: float  # which float32 holds
    grad_spikes: torch.Tensor  # [T, *]: what arrives from the loss


@st.composite
def runs(draw, min_dims=0):
    """Draw inputs that meet the threshold exactly, or any normal numbers.

    Currents don't exceed the threshold: so no neuron is above it still after a subtraction.
    """
    size = st.integers(1, 4)
    shape = draw(st.tuples(st.integers(1, 12), *[size] * draw(st.integers(min_dims, 3))))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    threshold = draw(st.sampled_from([0.5, 1.0, 2.0]) | st.floats(0.125, 8, width=32))
    if draw(st.booleans()):
        inputs = torch.randint(-8, 17, shape, generator=generator) / 16 * threshold
    else:
        inputs = (torch.randn(shape, generator=generator) + 0.5) * threshold
    grad_spikes = torch.randn(shape, generator=generator)
    return Run(inputs.clamp(max=threshold), threshold, grad_spikes)


def next_above(number):
    """Return the float32 after this one: x >= it where x > number."""
    return torch.tensor(number).nextafter(torch.tensor(torch.inf)).item()


def spikes_and_gradient(function, run):
    leaf = run.inputs.clone().requires_grad_()
    spikes = function(leaf)
    (gradient,) = torch.autograd.grad(spikes, leaf, run.grad_spikes)
    return spikes.detach(), gradient


def assert_same_run(layer, theirs, run):
    """Compare a layer's spikes bit for bit, and gradients up to the rounding of the largest."""
    got, got_gradient = spikes_and_gradient(lambda inputs: layer.run(inputs)[0], run)
    spikes, gradient = spikes_and_gradient(theirs, run)
    assert torch.equal(got, spikes)
    largest = gradient.abs().max().item()
    torch.testing.assert_close(got_gradient, gradient, rtol=1e-5, atol=1e-5 * largest)


def assert_same_derivative(ours, theirs, *, height=1.0):
    """Compare derivatives on both sides of the threshold; ours is `height` times theirs."""
    x = torch.linspace(-2, 2, 1001)
    got, expected = (
        torch.autograd.grad(function(leaf).sum(), leaf)[0]
        for function in (ours, theirs)
        for leaf in (x.clone().requires_grad_(),)
    )
    largest = got.max().item()
    torch.testing.assert_close(got, height * expected, rtol=1e-5, atol=1e-6 * largest)
    assert largest > 0
