"""`kernels_numba`: the bits of `kernels`, forward and back."""

from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_checks import assert_equal, reproducible

from snn_docs import Heaviside, bptt, kernels, kernels_numba, surrogate
from snn_docs.equations import Rule

SURROGATES = (Heaviside.apply, surrogate.ArcTan(2.0), surrogate.Triangle(), surrogate.Sigmoid())


def outputs_and_gradients(loops, rule, tensors, arriving):
    inputs, v_initial = (x.clone().requires_grad_() for x in tensors)
    constants = [x for x in (rule.threshold, rule.decay) if isinstance(x, torch.Tensor)]
    with mock.patch.object(bptt, "loops", loops):
        spikes, v = bptt.run(inputs, v_initial, rule)
        gradients = torch.autograd.grad((spikes, v), [inputs, v_initial, *constants], arriving)
    return [spikes.detach(), v.detach(), *gradients]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("detach_reset", [False, True])
@pytest.mark.parametrize("spike", SURROGATES)
class TestBits:
    @reproducible
    @given(
        steps=st.integers(1, 7),
        shape=st.sampled_from([(), (1,), (9,), (3, 5), (1100,)]),
        learnable=st.booleans(),
        seed=st.integers(0, 2**31),
    )
    def test_same_as_kernels(
        self, *, dtype, reset, detach_reset, spike, steps, shape, learnable, seed
    ):
        generator = torch.Generator().manual_seed(seed)

        def draw(*size):
            return torch.randn(size, generator=generator, dtype=dtype)

        threshold, kept = 0.7, 0.9
        if learnable:
            threshold, kept = draw(*shape[-1:]).abs().requires_grad_(), draw().requires_grad_()
        rule = Rule(threshold, kept, reset, detach_reset, spike)
        tensors = (draw(steps, *shape), draw(*shape))
        arriving = (draw(steps, *shape), draw(steps, *shape))
        got, expected = (
            outputs_and_gradients(loops, rule, tensors, arriving)
            for loops in (kernels_numba, kernels)
        )
        assert_equal(got, expected)

    def test_a_gradient_that_is_one_number_for_all(self, dtype, reset, detach_reset, spike):
        generator = torch.Generator().manual_seed(0)
        tensors = [torch.rand(size, generator=generator, dtype=dtype) for size in ((6, 40), (40,))]
        rule = Rule(1.0, None, reset, detach_reset, spike)
        one = torch.ones((), dtype=dtype).expand(6, 40)
        got, expected = (
            outputs_and_gradients(loops, rule, tensors, (one, one))
            for loops in (kernels_numba, kernels)
        )
        assert_equal(got, expected)


class Slope(surrogate.Surrogate):
    """One number for all potentials, in the dtype that it comes in."""

    dtype = torch.float32

    def smooth(self, input_):
        return input_ / 2

    def derivative(self, input_):
        return torch.full((1,), 0.5, dtype=self.dtype).expand_as(input_)


class DoubleSlope(Slope):
    dtype = torch.float64


@pytest.mark.parametrize("spike", [Slope(), DoubleSlope()])
def test_derivative_that_is_one_number_for_all(spike):
    inputs = torch.rand(6, 40, generator=torch.Generator().manual_seed(0))
    ones = torch.ones(6, 40)
    got, expected = (
        outputs_and_gradients(loops, rule, (inputs, ones[0]), (ones, ones))
        for loops, rule in (
            (kernels_numba, Rule(1.0, None, "zero", detach_reset=False, surrogate=spike)),
            (kernels, Rule(1.0, None, "zero", detach_reset=False, surrogate=Slope())),
        )
    )
    assert_equal(got, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_inputs_that_are_the_same_in_all_steps(dtype, reset):
    generator = torch.Generator().manual_seed(0)
    step, v_initial = torch.rand(2, 8, 5, generator=generator, dtype=dtype)
    one = torch.ones((), dtype=dtype)
    rule = Rule(one, None, reset, detach_reset=False, surrogate=Heaviside.apply)
    for inputs in (step.expand(6, 8, 5), step.T.expand(6, 5, 8)):
        v, expected = torch.empty(inputs.shape, dtype=dtype), torch.empty(inputs.shape, dtype=dtype)
        for out, loops in ((v, kernels_numba), (expected, kernels)):
            out[0] = v_initial.view(inputs.shape[1:])
            loops.advance(out, inputs, rule)
        assert torch.equal(v, expected)


@pytest.mark.parametrize(
    ("spike", "size", "handed_over"),
    [
        (surrogate.ArcTan(), kernels_numba.WIDE, True),
        (surrogate.ArcTan(), kernels_numba.WIDE - 1, False),
        (Heaviside.apply, kernels_numba.WIDE, False),
    ],
)
def test_torch_goes_back_where_it_is_faster(spike, size, handed_over, monkeypatch):
    """In wide layers the slopes take the time, and they are torch's either way."""
    back, calls = kernels.backward, []
    monkeypatch.setattr(kernels, "backward", lambda *given: calls.append(back(*given)))
    rule = Rule(1.0, 0.9, "subtract", detach_reset=True, surrogate=spike)
    tensors, arriving = (torch.rand(3, size), torch.rand(size)), [torch.rand(3, size)] * 2
    outputs_and_gradients(kernels_numba, rule, tensors, arriving)
    assert bool(calls) == handed_over
