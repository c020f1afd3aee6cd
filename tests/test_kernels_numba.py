"""`kernels_numba`: the bits of `kernels`, forward and back."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_checks import reproducible

from snn_docs import Heaviside, bptt, kernels, kernels_numba, surrogate
from snn_docs.equations import Rule

SURROGATES = (Heaviside.apply, surrogate.ArcTan(2.0), surrogate.Triangle(), surrogate.Sigmoid())


def outputs_and_gradients(loops, rule, tensors, arriving):
    inputs, left = (x.clone().requires_grad_() for x in tensors)
    spikes, v = bptt.run(inputs, left, rule, loops)
    constants = [x for x in (rule.threshold, rule.kept) if isinstance(x, torch.Tensor)]
    gradients = torch.autograd.grad((spikes, v), [inputs, left, *constants], arriving)
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
        for ours, theirs in zip(got, expected, strict=True):
            assert torch.equal(ours, theirs)

    def test_a_gradient_that_is_one_number_for_all(self, dtype, reset, detach_reset, spike):
        generator = torch.Generator().manual_seed(0)
        tensors = [torch.rand(size, generator=generator, dtype=dtype) for size in ((6, 40), (40,))]
        rule = Rule(1.0, None, reset, detach_reset, spike)
        one = torch.ones((), dtype=dtype).expand(6, 40)
        got, expected = (
            outputs_and_gradients(loops, rule, tensors, (one, one))
            for loops in (kernels_numba, kernels)
        )
        for ours, theirs in zip(got, expected, strict=True):
            assert torch.equal(ours, theirs)
