"""`LI`: a leaky integrator over all of time."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_checks import reproducible, seeded

from snn_docs import IF, LI, LIF

pytestmark = pytest.mark.usefixtures("device")


class TestLaws:
    def test_without_a_leak_it_is_the_sum_and_with_all_of_it_the_input(self):
        inputs = torch.tensor([[1.0, 0.5], [0.25, -1.0], [0.0, 2.0]])
        assert LI(0.0).run(inputs)[0].tolist() == [[1.0, 0.5], [1.25, -0.5], [1.25, 1.5]]
        assert torch.equal(LI(1.0).run(inputs)[0], inputs)

    def test_it_is_a_neuron_that_never_fires(self):
        inputs = torch.rand(20, 7, generator=seeded())
        assert torch.equal(LI(0.1).run(inputs)[0], LIF(math.inf, leak=0.1).record(inputs)[1])
        assert torch.equal(LI(0.0).run(inputs)[0], IF(math.inf).record(inputs)[1])

    @reproducible
    @given(st.integers(0, 2**31), st.floats(-2, 2, width=32))
    def test_it_is_linear(self, seed, factor):
        first, second = torch.rand(2, 9, 3, generator=seeded(seed), dtype=torch.float64)
        a, b, both = (LI(0.3).run(each)[0] for each in (first, second, first + factor * second))
        torch.testing.assert_close(both, a + factor * b)
