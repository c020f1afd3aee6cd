"""`CubaLIF`, a current that decays before a LIF, and `PLIF`, which learns its leak."""

import copy

import pytest
import torch
from torch_checks import seeded

from snn_docs import LIF, PLIF, CubaLIF
from snn_docs.surrogate import ArcTan

pytestmark = pytest.mark.usefixtures("device")


class TestCubaLIF:
    @pytest.mark.parametrize("reset", ["zero", "subtract"])
    def test_its_equations_by_hand(self, reset):
        inputs = torch.rand(30, 4, generator=seeded(), dtype=torch.float64)
        layer = CubaLIF(leak=0.25, synapse_leak=0.5, reset=reset)
        i = v = s = torch.zeros(4, dtype=torch.float64)
        fired = 0
        for current, *got in zip(inputs, *layer.record(inputs), strict=True):
            i = 0.5 * i + current
            v = 0.75 * (v * (1 - s) if reset == "zero" else v - s) + i
            s = (v > 1).double()
            fired += s.sum()
            for part, expected in zip(got, (s, v, i), strict=True):
                torch.testing.assert_close(part, expected)
        assert fired > 0

    def test_a_current_that_is_gone_at_once_is_the_input(self):
        inputs = 2 * torch.rand(20, 4, generator=seeded())
        got = CubaLIF(leak=0.1, synapse_leak=1.0).record(inputs)
        assert all(map(torch.equal, got, (*LIF(leak=0.1).record(inputs), inputs)))


class TestPLIF:
    @pytest.mark.parametrize("leak", [0.25, torch.tensor([0.1, 0.5, 0.9])])
    def test_it_is_a_lif_with_that_leak_bit_for_bit(self, leak):
        layer = PLIF(0.5, leak=leak, reset="subtract", surrogate=ArcTan())
        torch.testing.assert_close(layer.leak, torch.as_tensor(leak))
        plain = LIF(0.5, leak=layer.leak.detach(), reset="subtract", surrogate=ArcTan())
        inputs = torch.rand(20, 4, 3, generator=seeded())
        assert all(map(torch.equal, layer.record(inputs), plain.record(inputs)))
        before = torch.zeros(3), torch.full((3,), 0.5)
        steps = [each.step(inputs[0, 0], before)[1] for each in (layer, plain)]
        assert all(map(torch.equal, *steps))

    def test_its_gradient_is_that_of_the_sigmoid(self):
        layer = PLIF(0.5, leak=0.25, surrogate=ArcTan())
        inputs = torch.rand(20, 4, 3, generator=seeded())
        leak = layer.leak.detach().requires_grad_()
        grads = [
            torch.autograd.grad(each.run(inputs)[0].sum(), leaf)[0]
            for each, leaf in [(layer, layer.w), (LIF(0.5, leak=leak, surrogate=ArcTan()), leak)]
        ]
        torch.testing.assert_close(grads[0], grads[1] * 0.25 * 0.75)

    def test_each_neuron_may_start_elsewhere_and_nothing_is_shared(self):
        start = torch.nn.Parameter(torch.tensor([0.25, 0.5]))
        layer = PLIF(leak=start)
        assert layer.w.shape == (2,)
        assert [name for name, _ in layer.named_parameters()] == ["w"]
        assert copy.deepcopy(layer).double().w.dtype == torch.float64
