"""`IF`, the article's layer bit for bit, by hand and by exact arithmetic; `LIF`, which leaks."""

import copy
import io
import math
import pickle
from functools import partial

import article
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_checks import bits, from_bits, quiet_torch, reproducible

from snn_docs import ALIF, IF, LIF, PLIF, CubaLIF, Heaviside, functional
from snn_docs.surrogate import ArcTan

on_every_device = pytest.mark.usefixtures("device")


@st.composite
def shapes_that_broadcast(draw, count):
    """Draw shapes that broadcast, and what they broadcast to."""
    full = tuple(draw(st.lists(st.integers(0, 3), max_size=3)))
    shapes = [full]
    for _ in range(count - 1):
        kept = full[draw(st.integers(0, len(full))) :]
        shapes.append(tuple(1 if draw(st.booleans()) else size for size in kept))
    return draw(st.permutations(shapes)), full


@st.composite
def tensors(draw, shape, threshold):
    """Draw any float32 at all, the threshold and its neighbours more often than the rest."""
    near = torch.tensor([threshold, *[threshold] * 2]).nextafter(
        torch.tensor([threshold, math.inf, -math.inf])
    )
    special = torch.tensor([0.0, -0.0, 1.0, 2.0**-149, math.inf, -math.inf, math.nan])
    patterns = torch.cat([bits(near), bits(special)]).tolist()
    every = st.integers(0, 2**32 - 1) | st.sampled_from(patterns)
    size = math.prod(shape)
    return from_bits(draw(st.lists(every, min_size=size, max_size=size))).reshape(shape)


@st.composite
def steps(draw):
    """Draw a threshold, three inputs, and a gradient that arrives at the spikes."""
    threshold = draw(st.just(1.0) | st.floats(width=32, allow_nan=False))
    shapes, full = draw(shapes_that_broadcast(3))
    inputs = [draw(tensors(shape, threshold)) for shape in shapes]
    return threshold, inputs, draw(tensors(full, threshold))


def spikes_and_gradients(layer, inputs, grad_output):
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    spikes = layer(*leaves)
    return [spikes.detach(), *torch.autograd.grad(spikes, leaves, grad_output)]


def assert_same_bits(ours, theirs):
    for got, expected in zip(ours, theirs, strict=True):
        assert got.shape == expected.shape
        assert torch.equal(bits(got), bits(expected))


@on_every_device
class TestTheArticle:
    @reproducible
    @given(steps())
    def test_forward_and_backward_are_the_articles_bit_for_bit(self, drawn):
        threshold, inputs, grad_output = drawn
        assert_same_bits(
            spikes_and_gradients(IF(threshold), inputs, grad_output),
            spikes_and_gradients(article.IF(threshold), inputs, grad_output),
        )

    @reproducible
    @given(steps(), st.booleans())
    def test_a_tensor_is_a_threshold_too(self, drawn, learnable):
        number, inputs, grad_output = drawn
        threshold = torch.full(grad_output.shape, number)
        if learnable:
            threshold = torch.nn.Parameter(threshold)
        assert_same_bits(
            spikes_and_gradients(IF(threshold), inputs, grad_output),
            spikes_and_gradients(article.IF(number), inputs, grad_output),
        )

    @reproducible
    @given(steps())
    def test_step_returns_the_potential_before_reset(self, drawn):
        threshold, (v_previous, vt, s_previous), _ = drawn
        spikes, state = IF(threshold).step(vt, (s_previous, v_previous))
        assert state.spikes is spikes
        assert_same_bits([state.v], [v_previous * (1 - s_previous) + vt])
        assert_same_bits([spikes], [IF(threshold)(v_previous, vt, s_previous)])


def run(layer, current, steps, *, detach=False):
    """Carry the potential and the spikes through time: [steps, *] each."""
    v = s = torch.zeros_like(current[0] if current.dim() == 2 else current)
    spikes, potentials = [], []
    for t in range(steps):
        now = current[t] if current.dim() == 2 else current
        s, (_, v) = layer.step(now, (s.detach() if detach else s, v))
        spikes.append(s)
        potentials.append(v)
    return torch.stack(spikes), torch.stack(potentials)


@on_every_device
class TestThroughTime:
    @pytest.mark.parametrize("detach", [False, True])
    def test_gradient_through_time_by_hand(self, detach):
        """Run the adjoint backwards: g_x[t] = g_s[t] s[t] + g_x[t+1] (1 - s[t])."""
        current = torch.arange(0, 2, 0.05, dtype=torch.float64).expand(20, 40).clone()
        spikes, v = run(IF(), current.requires_grad_(), 20, detach=detach)
        (gradient,) = torch.autograd.grad(spikes.sum(), current)
        by_hand, g_x = torch.zeros(20, 40, dtype=torch.float64), torch.zeros(40)
        for t in reversed(range(20)):
            g_s = 1 if detach else 1 - v[t] * g_x  # the loss, and the next step's reset
            by_hand[t] = g_x = g_s * spikes[t] + g_x * (1 - spikes[t])
        torch.testing.assert_close(gradient, by_hand.detach(), rtol=1e-13, atol=0)


V = torch.tensor([0.5, 0.5, 1.5, 0.25])
VT = torch.tensor([0.25, 0.75, 0.5, 1.0])
S = torch.tensor([0.0, 0.0, 1.0, 0.0])


def demo_2(step, current, steps):
    """Return spikes, potentials and the gradient of the number of spikes."""
    leaf = current.clone().requires_grad_()
    spikes, v = step(leaf, steps)
    return spikes.detach(), v.detach(), *torch.autograd.grad(spikes.sum(), leaf)


@quiet_torch
class TestCompile:
    def test_a_compiled_step_carried_on_equals_eager_bit_for_bit(self, fullgraph):
        class Compiled(IF):
            step = fullgraph(IF.step)

        current = torch.arange(0, 2, 0.05)
        got = demo_2(partial(run, Compiled()), current, 20)
        assert_same_bits(got, demo_2(partial(run, IF()), current, 20))
        assert torch.count_nonzero(got[0]) == 521

    def test_shapes_that_change(self, fullgraph):
        layer = IF(torch.tensor([1.0]))
        step = fullgraph(layer.step, dynamic=True)
        for size in (3, 5, 8):
            arguments = torch.linspace(0, 2, size), (torch.zeros(2, 1), torch.zeros(1))
            assert_same_bits(step(*arguments)[1], layer.step(*arguments)[1])


@quiet_torch
def test_errors_come_out_of_compiled_code():
    layer = torch.compile(IF(), backend="aot_eager")
    with pytest.raises(TypeError, match="must have the same dtype"):
        layer(V, VT.double(), S)
    torch.compiler.reset()


RULES = [
    {},
    {"reset": "subtract"},
    {"detach_reset": True},
    {"surrogate": ArcTan(2.0)},
    {"reset": "subtract", "detach_reset": True, "surrogate": ArcTan()},
]


def outputs_and_gradient(function, inputs):
    leaf = inputs.clone().requires_grad_()
    spikes, v = function(leaf)
    weights = torch.linspace(-1, 1, spikes.numel(), dtype=leaf.dtype).reshape(spikes.shape)
    gradient = torch.autograd.grad((spikes * weights + v * weights.flip(0)).sum(), leaf)
    return spikes.detach(), v.detach(), *gradient


@pytest.mark.parametrize("rule", RULES)
class TestRun:
    INPUTS = torch.rand(12, 3, 4, generator=torch.Generator().manual_seed(0))

    def test_passes_everything_on_to_functional(self, rule):
        layer = LIF(torch.tensor(0.5), leak=torch.tensor([0.1, 0.2, 0.3, 0.4]), **rule)
        expected = functional.record(self.INPUTS, None, layer.threshold, layer.leak, **rule)
        assert_same_bits(layer.record(self.INPUTS), expected)
        s, v, current = self.INPUTS[:3]
        expected = functional.step(v, current, s, layer.threshold, layer.leak, **rule)
        assert_same_bits(layer.step(current, (s, v))[1], expected)

    def test_without_a_leak_lif_is_if_bit_for_bit(self, rule):
        rule = {"surrogate": ArcTan()} | rule
        for leak in (0, 0.0, torch.tensor(0.0), torch.zeros(4)):
            assert_same_bits(
                outputs_and_gradient(LIF(leak=leak, **rule).record, self.INPUTS),
                outputs_and_gradient(IF(**rule).record, self.INPUTS),
            )
            arguments = self.INPUTS[1], (self.INPUTS[2].round(), self.INPUTS[0])
            layers = LIF(leak=leak, **rule), IF(**rule)
            assert_same_bits(*(layer.step(*arguments)[1] for layer in layers))


@on_every_device
class TestResetByHand:
    @pytest.mark.parametrize(
        ("layer", "v"),
        [
            (IF(), [0.75, 1.5, 0.75, 1.5]),
            (IF(reset="subtract"), [0.75, 1.5, 1.25, 1.0]),
            (LIF(leak=0.5), [0.75, 1.125, 0.75, 1.125]),
            (LIF(leak=0.5, reset="subtract"), [0.75, 1.125, 0.8125, 1.15625]),
            (LIF(0.5, leak=1.0), [0.75, 0.75, 0.75, 0.75]),
        ],
    )
    def test_potentials(self, layer, v):
        assert layer.record(torch.full((4,), 0.75))[1].tolist() == v


class TestToldNothing:
    """What a neuron takes for a surrogate."""

    @staticmethod
    def gradient_below_the_threshold(layer):
        inputs = torch.full((1, 2), 0.5, requires_grad=True)
        layer.run(inputs)[0].sum().backward()
        return inputs.grad[0, 0].item()

    @pytest.mark.parametrize(
        "layer",
        [
            LIF(leak=0.1),
            PLIF(),
            ALIF(leak=0.1, adaptation=0.2, adaptation_leak=0.1),
            CubaLIF(leak=0.1, synapse_leak=0.2),
        ],
        ids=lambda layer: type(layer).__name__,
    )
    def test_a_silent_one_can_be_woken(self, layer):
        expected = ArcTan().derivative(torch.tensor(0.5)).item()
        assert self.gradient_below_the_threshold(layer) == pytest.approx(expected)
        assert "surrogate" not in repr(layer)

    def test_if_is_as_the_article_has_it(self):
        assert self.gradient_below_the_threshold(IF()) == 0
        assert repr(LIF(leak=0.1, surrogate=Heaviside.apply)).endswith("surrogate=Heaviside.apply)")


class TestModule:
    def test_repr_shows_what_differs_from_the_article(self):
        assert repr(LIF(leak=0.1)) == "LIF(leak=0.1, threshold=1.0)"
        assert repr(LIF(leak=torch.tensor(0.5))) == "LIF(leak=0.5, threshold=1.0)"
        expected = (
            "IF(threshold=1.0, reset='subtract', detach_reset=True, surrogate=ArcTan(slope=2.0))"
        )
        assert repr(IF(reset="subtract", detach_reset=True, surrogate=ArcTan(2.0))) == expected

    def test_a_leak_that_is_a_buffer_is_told_from_a_number(self):
        number, tensor = LIF(leak=0.25), LIF(leak=torch.tensor([0.5, 0.75]))
        for layer, other in ((tensor, number), (number, tensor)):
            with pytest.raises(RuntimeError, match="leak is a buffer where it is a tensor, and"):
                layer.load_state_dict(other.state_dict())
        fitting = LIF(leak=torch.zeros([2]))
        fitting.load_state_dict(tensor.state_dict())
        assert torch.equal(fitting.leak, tensor.leak)

    @pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
    @pytest.mark.parametrize("rule", RULES)
    def test_copies_and_pickles_keep_the_rule(self, duplicate, rule):
        layer = LIF(leak=torch.tensor(0.5), **rule)
        other = duplicate(layer)
        assert repr(other) == repr(layer)
        inputs = torch.rand(6, 3, generator=torch.Generator().manual_seed(0)) * 2
        assert_same_bits(
            outputs_and_gradient(other.record, inputs), outputs_and_gradient(layer.record, inputs)
        )

    def test_repr_shows_the_threshold(self):
        assert repr(IF()) == "IF(threshold=1.0)"
        assert repr(IF(2)) == "IF(threshold=2)"
        assert repr(IF(torch.tensor(0.5))) == "IF(threshold=0.5)"
        assert repr(IF(torch.nn.Parameter(torch.tensor(0.5)))) == "IF(threshold=0.5)"
        expected = "IF(threshold=tensor([0.5000, 2.0000]))"
        assert repr(IF(torch.tensor([0.5, 2.0]))) == expected
        assert repr(IF(torch.nn.Parameter(torch.tensor([0.5, 2.0])))) == expected

    def test_a_number_is_saved_and_compared(self):
        layer = LIF(2.0, leak=0.1)
        assert not list(layer.parameters()) + list(layer.buffers())
        file = io.BytesIO()
        torch.save(layer.state_dict(), file)
        file.seek(0)
        saved = torch.load(file, weights_only=True)
        LIF(2, leak=0.1).load_state_dict(saved)
        for other, words in (
            (LIF(2.0, leak=0.2), r"leak is 0\.1 in what is loaded, but 0\.2 in this layer; make"),
            (LIF(1.0, leak=0.1), r"threshold is 2\.0 in what is loaded, but 1\.0 in this layer"),
        ):
            with pytest.raises(ValueError, match=words):
                other.load_state_dict(saved)

    def test_weights_from_elsewhere_have_no_numbers_to_compare(self):
        LIF(2.0, leak=0.1).load_state_dict({})
        layer = LIF(2.0, leak=torch.tensor(0.1))
        layer.load_state_dict({"leak": torch.tensor(0.5)})
        assert layer.leak.item() == 0.5
        with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "leak"'):
            layer.load_state_dict({})

    @pytest.mark.parametrize("other", [LIF(2.0, leak=torch.tensor(0.1)), IF(2.0)])
    def test_a_number_is_not_loaded_where_there_is_none(self, other):
        with pytest.raises((RuntimeError, ValueError)):
            other.load_state_dict(LIF(2.0, leak=0.1).state_dict())

    def test_a_parameter_is_learnable(self):
        layer = IF(torch.nn.Parameter(torch.tensor(1.0)))
        assert dict(layer.named_parameters()) == {"threshold": layer.threshold}
        layer(V, VT, S).sum().backward()
        assert layer.threshold.grad.item() == -2  # two fired: each falls by one
