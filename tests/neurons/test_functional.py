"""`functional`, and what `IF` and `LIF` do with it: their equations, memory, and surrogates.

That all of time in one call equals one step after another is tested of all neurons together.
"""

import gc
import platform
import re
from functools import partial
from itertools import accumulate

import pytest
import torch
from torch.profiler import ProfilerActivity, profile
from torch_checks import assert_equal, fresh_memory, quiet_torch, seeded

from snn_docs import ALIF, IF, LIF, CubaLIF, Heaviside, functional, kernels, surrogate
from snn_docs.functional import record, step

RESETS = ("zero", "subtract")
SURROGATES = (Heaviside.apply, surrogate.ArcTan(2.0), surrogate.Triangle())


def by_autograd(inputs, threshold, leak, *, reset, detach_reset, surrogate):
    """Write the equations out, and leave their derivative to autograd: the oracle."""
    s = v = torch.zeros_like(inputs[0])
    steps = []
    for current in inputs:
        reset_spikes = s.detach() if detach_reset else s
        v_reset = v * (1 - reset_spikes) if reset == "zero" else v - reset_spikes * threshold
        v = v_reset * (1 - leak) + current
        smooth = surrogate.smooth(v - threshold)
        s = smooth + ((v > threshold).to(v.dtype) - smooth).detach()
        steps.append((s, v))
    return tuple(torch.stack(part) for part in zip(*steps, strict=True))


def loss(outputs):
    """Weigh every output differently."""
    terms = []
    for tensor in outputs:
        weights = torch.linspace(-1, 2, tensor.numel(), dtype=tensor.dtype).reshape(tensor.shape)
        terms.append((tensor * weights).sum())
    return sum(terms)


def assert_close(got, expected):
    for ours, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("smooth", SURROGATES[1:])
@pytest.mark.parametrize("detach_reset", [False, True])
def test_gradients_are_those_of_the_written_equations(reset, smooth, detach_reset):
    inputs = torch.rand(9, 7, generator=seeded(), dtype=torch.float64)
    threshold, leak = torch.tensor(0.7).double(), torch.full((7,), 0.2).double()
    leaves = [tensor.requires_grad_() for tensor in (inputs, threshold, leak)]
    rule = {"reset": reset, "detach_reset": detach_reset, "surrogate": smooth}
    got = record(inputs, None, threshold, leak, **rule)
    expected = by_autograd(inputs, threshold, leak, **rule)
    assert torch.equal(got[0], expected[0])
    assert_close(*(torch.autograd.grad(loss(outputs), leaves) for outputs in (got, expected)))


@pytest.mark.usefixtures("device")
class TestShapes:
    @pytest.mark.parametrize("reset", RESETS)
    def test_memory_layout_does_not_matter(self, reset):
        plain = torch.rand(6, 4, 5, generator=seeded())
        for inputs in (plain.permute(2, 1, 0), plain[::2, :, 1:4], plain[:1].expand(6, 4, 5)):
            leaf, copy = inputs.clone().requires_grad_(), inputs.contiguous().requires_grad_()
            strided = leaf.as_strided(inputs.shape, leaf.stride())
            got, expected = record(strided, reset=reset), record(copy, reset=reset)
            for ours, theirs in zip(got, expected, strict=True):
                assert torch.equal(ours, theirs)
                assert ours.is_contiguous()
            ours, theirs = (
                torch.autograd.grad(loss(outputs), leaf_)[0]
                for outputs, leaf_ in ((got, leaf), (expected, copy))
            )
            assert torch.equal(ours, theirs)


def allocated(function):
    """Return the bytes that a call has allocated at most at a time, and at its end."""
    gc.disable()  # or what other tests have left might be freed while this is counted
    # the profiler writes to stderr what it starts and stops
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        function()
    gc.enable()
    events = profiler.profiler.kineto_results.events()  # prof.events() has only some of them
    sizes = [(e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]"]
    alive = list(accumulate(size for _, size in sorted(sizes)))
    return max(alive), alive[-1]


class TestMemory:
    STEPS, NEURONS = 500, 2000
    FULL = STEPS * NEURONS * 4

    @pytest.mark.parametrize("reset", RESETS)
    @pytest.mark.parametrize("detach_reset", [False, True])
    @pytest.mark.parametrize("spike", SURROGATES)
    @pytest.mark.parametrize("learnable", [False, True])
    def test_three_full_buffers_at_most(self, reset, detach_reset, spike, learnable):
        inputs = torch.rand(self.STEPS, self.NEURONS, requires_grad=True)
        threshold, leak = torch.tensor(1.0), torch.tensor(0.1)
        if learnable:
            threshold.requires_grad_(), leak.requires_grad_()
        rule = {"reset": reset, "detach_reset": detach_reset, "surrogate": spike}

        def forward_and_backward_twice():
            for _ in range(2):
                spikes, _ = record(inputs, None, threshold, leak, **rule)
                spikes.sum().backward()
                inputs.grad = threshold.grad = leak.grad = spikes = None

        forward_and_backward_twice()
        most, left = allocated(forward_and_backward_twice)
        # beside them a few steps, or blocks of steps
        assert most < 3 * self.FULL + 4 * 4 * kernels.POTENTIALS_AT_ONCE + 20 * 4 * self.NEURONS
        assert left == 0

    def test_potentials_are_not_kept_where_no_gradient_needs_them(self):
        inputs = torch.rand(self.STEPS, self.NEURONS, requires_grad=True)
        kept = []

        def forward(**rule):
            kept.append(record(inputs, **rule)[0])

        for rule, buffers in [({"detach_reset": True}, 1), ({"reset": "subtract"}, 1), ({}, 2)]:
            _, left = allocated(lambda rule=rule: forward(**rule))
            assert left // self.FULL == buffers
            kept.clear()

    @pytest.mark.parametrize("reset", ["zero", "subtract"])
    def test_spikes_are_not_kept_where_no_gradient_needs_them(self, reset):
        inputs = torch.rand(self.STEPS, self.NEURONS, requires_grad=True)
        kept = []
        _, left = allocated(
            lambda: kept.append(record(inputs, reset=reset, surrogate=surrogate.ArcTan())[1])
        )
        assert left // self.FULL == (1 if reset == "subtract" else 2)

    @pytest.mark.slow
    @pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc's malloc")
    def test_freed_memory_serves_the_next_call_as_the_page_on_speed_says(self, root):
        prepare = """
from snn_docs.functional import record
inputs = torch.rand(100, 16384, requires_grad=True)
"""
        call = """
    record(inputs)[0].sum().backward()
    inputs.grad = None
"""
        page = (root / "docs/experiments/scaling.md").read_text(encoding="utf-8")
        settings = dict(re.findall(r"(MALLOC_\w+)=(\d+)", page))
        buffer = 100 * 16384 * 4
        assert fresh_memory(prepare, call, settings) < buffer / 2
        # It is one buffer, two or three: that depends on where they lie, so all of it is shifted.
        shifted = (f"{prepare}\npad = bytearray({k} << 13)" for k in range(5))
        assert any(fresh_memory(each, call, {}) > 1.5 * buffer for each in shifted)

    @pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
    def test_inference_saves_nothing(self, mode):
        inputs = torch.rand(self.STEPS, self.NEURONS, requires_grad=True)

        def inference():
            with mode():
                spikes, v = record(inputs, surrogate=SURROGATES[1])
            assert not spikes.requires_grad
            assert not v.requires_grad
            del v
            kept.append(spikes)

        kept = []
        _, left = allocated(inference)
        assert left == self.FULL


@pytest.mark.usefixtures("device")
class TestModes:
    @pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
    @pytest.mark.parametrize("spike", SURROGATES)
    def test_without_gradients_the_same_bits(self, mode, spike):
        inputs = torch.rand(5, 3, generator=seeded(), requires_grad=True)
        expected = record(inputs, surrogate=spike)
        with mode():
            assert_equal(record(inputs, surrogate=spike), expected)

    def test_autocast_keeps_single_precision_and_takes_half(self):
        inputs = torch.rand(5, 3, generator=seeded())
        expected = record(inputs)
        with torch.autocast(inputs.device.type, dtype=torch.bfloat16):
            assert_equal(record(inputs), expected)
            projected = inputs @ torch.eye(3)
            assert record(projected)[0].dtype == torch.bfloat16
            with pytest.raises(
                TypeError, match=r"threshold and inputs\[0\] must have the same dtype"
            ):
                record(projected, threshold=torch.ones(3))

    def test_the_state_s_gradient_has_memory_of_its_own(self):
        inputs = torch.zeros(3, 2, requires_grad=True)
        v = torch.ones(2, requires_grad=True)
        record(inputs, (torch.zeros(2), v))[1].sum().backward()
        inputs.grad.zero_()
        assert torch.equal(v.grad, torch.full((2,), 3.0))


INPUTS = torch.rand(4, 3, generator=seeded())


@quiet_torch
class TestTransforms:
    """`torch.func` and forward mode take the steps one by one, as all of torch understands them."""

    @pytest.mark.slow
    @pytest.mark.parametrize("spike", SURROGATES)
    def test_compile(self, fullgraph, spike):
        def both(inputs):
            return record(inputs, leak=0.25, surrogate=spike)

        leaf = INPUTS.clone().requires_grad_()
        got, expected = fullgraph(both)(leaf), both(leaf)
        assert_equal(got, expected)
        ours, theirs = (torch.autograd.grad(loss(outputs), leaf)[0] for outputs in (got, expected))
        torch.testing.assert_close(ours, theirs)


OWN = {
    "IF": IF,
    "LIF": partial(LIF, leak=0.1),
    "ALIF": partial(ALIF, leak=0.1, adaptation=0.5, adaptation_leak=0.1),
    "CubaLIF": partial(CubaLIF, leak=0.1, synapse_leak=0.3),
}


@pytest.mark.usefixtures("device")
class TestSurrogate:
    @pytest.mark.parametrize("layer", OWN.values(), ids=OWN)
    def test_a_function_of_one_s_own_gives_the_same(self, layer):
        class Own(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return (x > 0).to(x.dtype)

            @staticmethod
            def backward(ctx, grad):
                return grad * SURROGATES[1].derivative(ctx.saved_tensors[0])

        inputs = (2 * torch.rand(9, 4, 3).double()).requires_grad_()
        got, expected = (layer(surrogate=s).record(inputs) for s in (Own.apply, SURROGATES[1]))
        assert_equal(got, expected)
        ours, theirs = (torch.autograd.grad(loss(each[:2]), inputs) for each in (got, expected))
        assert_close(ours, theirs)

    def test_what_learns_is_called_at_each_step(self):
        slope = torch.tensor(0.5, requires_grad=True)

        def learns(x):
            smooth = torch.sigmoid(slope * x)
            return (x > 0).to(x.dtype) - smooth.detach() + smooth

        spikes, _ = record(torch.full((3, 1), 1.5), surrogate=learns)
        assert torch.autograd.grad(spikes.sum(), slope)[0].item() != 0

    def test_what_has_no_slope_has_no_gradient(self):
        spikes, _ = record(
            torch.ones(3, 1, requires_grad=True), surrogate=lambda x: (x > 0).float()
        )
        assert not spikes.requires_grad

    def test_a_function_that_fires_at_the_threshold_is_called_at_each_step(self):
        class Halved(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return (x >= 0).to(x.dtype)

            @staticmethod
            def backward(ctx, grad):
                return grad / 2

        inputs = torch.ones(3, 1, requires_grad=True)
        spikes, _ = record(inputs, surrogate=Halved.apply)
        assert spikes.flatten().tolist() == [1, 1, 1]  # it fires at the threshold itself
        (gradient,) = torch.autograd.grad(spikes.sum(), inputs)
        assert gradient.flatten().tolist() == [0.375, 0.25, 0.5]

    def test_one_that_fires_in_its_own_way_is_called_at_each_step(self):
        class AtTheThreshold(surrogate.ArcTan):
            def __call__(self, input_):
                return super().__call__(input_) + (input_ == 0)

        spikes, _ = record(torch.ones(3, 1), surrogate=AtTheThreshold())
        assert spikes.flatten().tolist() == [1, 1, 1]

    def test_a_surrogate_of_one_s_own_is_fast_too(self, monkeypatch):
        class Half(surrogate.Surrogate):
            def smooth(self, input_):
                return input_ / 2

            def derivative(self, input_):
                return torch.full_like(input_, 0.5)

        monkeypatch.setattr(functional.equations, "one_by_one", None)
        inputs = torch.full((2, 1), 2.0, requires_grad=True)
        spikes, _ = record(inputs, detach_reset=True, surrogate=Half())
        (gradient,) = torch.autograd.grad(spikes.sum(), inputs)
        assert gradient.flatten().tolist() == [0.5, 0.5]


@pytest.mark.parametrize("function", [step, record])
def test_defaults_are_the_article_s(function):
    inputs = torch.tensor([[0.5, 1.5, 2.5], [1.25, 0.5, 2.5]])
    arguments = (inputs[0], inputs[1], inputs[0].gt(1).float()) if function is step else (inputs,)
    rule = {"reset": "zero", "detach_reset": False, "surrogate": Heaviside.apply}
    explicit = function(*arguments, threshold=1.0, leak=0.0, **rule)
    assert_equal(function(*arguments), explicit)
    assert explicit[0].reshape(-1, 3)[-1].tolist() == [1, 0, 1]
