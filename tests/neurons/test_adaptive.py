"""`ALIF`: its equations written out, and what adaptation does."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_checks import cases, reproducible, seeded

from snn_docs import ALIF, LIF
from snn_docs.surrogate import ArcTan

pytestmark = pytest.mark.usefixtures("device")


def by_hand(layer, inputs):
    """Write the equations of the papers out, in the order of this package."""
    s = v = a = torch.zeros_like(inputs[0])
    record = []
    for current in inputs:
        a = (1 - layer.adaptation_leak) * a + s
        v_reset = v * (1 - s) if layer.reset == "zero" else v - layer.threshold * s
        v = (1 - layer.leak) * v_reset + current
        s = (v > layer.threshold + layer.adaptation * a).to(v.dtype)
        record.append((s, v, a))
    return tuple(torch.stack(part) for part in zip(*record, strict=True))


class TestLaws:
    @reproducible
    @given(cases(ALIF))
    def test_its_equations(self, case):
        layer, inputs, _ = case
        spikes, v, a = by_hand(layer, inputs)
        theta = layer.threshold + layer.adaptation * a
        sure = ((v - theta).abs() > 1e-12).all()  # or rounding decides
        for got, expected in zip(layer.record(inputs), (spikes, v, a), strict=True):
            assert not sure or torch.allclose(got, expected)

    @reproducible
    @given(st.integers(0, 2**31), st.sampled_from(["zero", "subtract"]), st.booleans())
    def test_without_adaptation_it_is_a_lif(self, seed, reset, detach_reset):
        inputs = 2 * torch.rand(9, 3, generator=seeded(seed))
        options = {"reset": reset, "detach_reset": detach_reset, "surrogate": ArcTan()}
        plain = LIF(leak=0.3, **options)
        layer = ALIF(leak=0.3, adaptation=0.0, adaptation_leak=0.1, **options)
        leaves = [inputs.clone().requires_grad_() for _ in range(2)]
        got, expected = layer.record(leaves[0])[:2], plain.record(leaves[1])
        assert all(map(torch.equal, got, expected))
        grads = [
            torch.autograd.grad(s.sum() + v.sin().sum(), leaf)[0]
            for (s, v), leaf in zip((got, expected), leaves, strict=True)
        ]
        torch.testing.assert_close(*grads)

    def test_gradients_reach_back_through_the_threshold(self):
        """With a leak of 1 the potential carries nothing, but the trace does."""
        inputs = torch.full((30, 1), 0.9, requires_grad=True)
        for adaptation in (0.0, 0.5):
            layer = ALIF(leak=1.0, adaptation=adaptation, adaptation_leak=0.01, surrogate=ArcTan())
            spikes, *_ = layer.run(inputs)
            (gradient,) = torch.autograd.grad(spikes[-1].sum(), inputs)
            assert bool(gradient[0]) == bool(adaptation)
