"""`encoding`: each way of turning values into inputs, by its definition and by its laws."""

from fractions import Fraction
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_checks import FLOATING, reproducible, seeded

from snn_docs import encoding

pytestmark = pytest.mark.usefixtures("device")

unit = st.floats(0, 1, width=32)
lengths = st.integers(1, 100)
# Sums and differences of eighths are exact.
eighths = st.lists(st.integers(-80, 80), min_size=1, max_size=50)


def spike_steps(spikes):
    """Return the steps, counted from 0, at which one neuron fires."""
    return spikes.nonzero().flatten().tolist()


class TestRate:
    @reproducible
    @given(unit, st.integers(0, 2**31))
    def test_fires_as_often_as_the_value_says(self, value, seed):
        steps = 4000
        spikes = encoding.rate(torch.tensor(value), steps, generator=seeded(seed))
        deviation = (value * (1 - value) / steps) ** 0.5
        assert set(spikes.tolist()) <= {0, 1}
        assert abs(spikes.mean().item() - value) <= 5 * deviation + 4 / steps

    @pytest.mark.parametrize("dtype", FLOATING)
    def test_small_values_are_not_favoured_in_any_dtype(self, dtype):
        value = torch.tensor(0.001, dtype=dtype)
        spikes = encoding.rate(value, 200_000, generator=seeded())
        assert spikes.double().mean().item() == pytest.approx(value.item(), rel=0.3)

    def test_steps_and_neurons_are_independent(self):
        """Two neighbours in time, or in space, fire together as often as chance has it."""
        spikes = encoding.rate(torch.full((2,), 0.5), 40_000, generator=seeded())
        in_time = (spikes[1:] * spikes[:-1]).mean().item()
        in_space = (spikes[:, 0] * spikes[:, 1]).mean().item()
        assert in_time == pytest.approx(0.25, abs=0.015)
        assert in_space == pytest.approx(0.25, abs=0.015)

    def test_a_generator_moves_on_and_leaves_the_global_one_alone(self):
        values, generator = torch.full((50,), 0.5), seeded()
        before = torch.get_rng_state()
        first, second = (encoding.rate(values, 4, generator=generator) for _ in range(2))
        assert not torch.equal(first, second)
        assert torch.equal(torch.get_rng_state(), before)

    def test_without_a_generator_the_global_one_draws(self):
        values = torch.full((50,), 0.5)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            spikes = encoding.rate(values, 4)
        assert torch.equal(spikes, encoding.rate(values, 4, generator=seeded()))


class TestLatency:
    @pytest.mark.parametrize(
        ("value", "step"),
        [
            (1.0, 0),
            (0.75, 1),
            (0.5, 2),
            (0.25, 3),
            (0.625, 2),  # 1.5 lies in the middle: to the even one
            (0.6, 2),  # 1.6
            (0.65, 1),  # 1.4
            (2.0**-149, 4),  # the smallest float32 fires, too
        ],
    )
    def test_five_steps_by_hand(self, value, step):
        assert spike_steps(encoding.latency(torch.tensor(value), 5)) == [step]

    @pytest.mark.parametrize("zero", [0.0, -0.0])
    @pytest.mark.parametrize("steps", [1, 5])
    def test_zero_never_fires(self, zero, steps):
        assert torch.equal(encoding.latency(torch.tensor(zero), steps), torch.zeros(steps))

    @reproducible
    @given(st.integers(1, 64), lengths, st.sampled_from(FLOATING))
    def test_equals_exact_arithmetic(self, sixty_fourths, steps, dtype):
        value = Fraction(sixty_fourths, 64)
        spikes = encoding.latency(torch.tensor(float(value), dtype=dtype), steps)
        assert spike_steps(spikes) == [round((1 - value) * (steps - 1))]

    @pytest.mark.parametrize("dtype", FLOATING)
    def test_more_steps_than_half_precision_can_count(self, dtype):
        spikes = encoding.latency(torch.tensor([1, 0.5, 0.25], dtype=dtype), 4098)
        assert spikes.argmax(0).tolist() == [0, 2048, 3073]  # 2048.5 and 3072.75


def delta_by_hand(signal, threshold):
    spikes = [0]
    for before, now in pairwise(signal):
        change = now - before
        spikes.append((change > threshold) - (change < -threshold))
    return spikes


class TestDelta:
    @reproducible
    @given(eighths, st.integers(0, 80))
    def test_equals_exact_arithmetic(self, signal, threshold):
        spikes = encoding.delta(torch.tensor(signal) / 8, threshold / 8)
        assert spikes.tolist() == delta_by_hand(signal, threshold)

    @pytest.mark.parametrize(
        ("threshold", "spikes"),
        [
            (0, [0, 1, 0, -1]),
            (0.5, [0, 1, 0, -1]),
            (1, [0, 0, 0, -1]),  # a change of exactly 1: silent
            (2.0, [0, 0, 0, 0]),
            (float("inf"), [0, 0, 0, 0]),
        ],
    )
    def test_thresholds_by_hand(self, threshold, spikes):
        signal = torch.tensor([3.0, 4.0, 4.0, 2.0])
        assert encoding.delta(signal, threshold).tolist() == spikes

    def test_every_channel_is_its_own_signal(self):
        signal = torch.randn(20, 2, 3, generator=seeded())
        together = encoding.delta(signal, 0.5)
        for row in range(2):
            for channel in range(3):
                alone = encoding.delta(signal[:, row, channel], 0.5)
                assert torch.equal(together[:, row, channel], alone)
        assert set(together.flatten().tolist()) == {-1, 0, 1}


class TestDirect:
    def test_every_step_is_the_values(self):
        values = torch.randn(2, 3, generator=seeded())
        current = encoding.direct(values, 4)
        assert current.shape == (4, 2, 3)
        for step in current:
            assert torch.equal(step, values)

    def test_nothing_is_copied(self):
        values = torch.randn(2, 3, generator=seeded())
        current = encoding.direct(values, 1000)
        assert current.data_ptr() == values.data_ptr()
        assert current.stride() == (0, *values.stride())

    def test_the_gradient_is_the_sum_over_steps(self):
        values = torch.ones(2, requires_grad=True)
        weights = torch.arange(6.0).reshape(3, 2)
        (encoding.direct(values, 3) * weights).sum().backward()
        assert values.grad.tolist() == [0 + 2 + 4, 1 + 3 + 5]


OF_VALUES = [encoding.rate, encoding.latency, encoding.direct]
SPIKING = [
    lambda values: encoding.rate(values, 3),
    lambda values: encoding.latency(values, 3),
    lambda values: encoding.delta(values, 0.1),
]


class TestEveryEncoding:
    @pytest.mark.parametrize("encode", OF_VALUES)
    @pytest.mark.parametrize("shape", [(), (0,), (2, 0), (2, 3)])
    @pytest.mark.parametrize("steps", [1, 3])
    def test_time_is_the_first_dimension(self, encode, shape, steps):
        assert encode(torch.ones(shape), steps).shape == (steps, *shape)

    @pytest.mark.parametrize("encode", [*SPIKING, lambda values: encoding.direct(values, 3)])
    @pytest.mark.parametrize("dtype", FLOATING)
    def test_dtype_and_device_are_kept(self, encode, dtype):
        for values in (torch.ones(2, dtype=dtype), torch.ones(2, dtype=dtype, device="meta")):
            output = encode(values)
            assert output.dtype == dtype
            assert output.device == values.device

    @pytest.mark.parametrize("encode", SPIKING)
    def test_spikes_pass_no_gradient(self, encode):
        assert not encode(torch.rand(3, requires_grad=True)).requires_grad
