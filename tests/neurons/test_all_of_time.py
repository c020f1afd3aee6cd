"""What all neurons share: all of time at once is one step after another."""

import copy
import math
from functools import partial
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import forward_ad
from torch.utils._python_dispatch import TorchDispatchMode
from torch_checks import (
    FLOATING,
    PARTS,
    assert_equal,
    cases,
    parts,
    quiet_torch,
    reproducible,
    seeded,
    stepping,
)

from snn_docs import ALIF, LI, LIF, CubaLIF, kernels
from snn_docs.surrogate import ArcTan

USUAL = {
    LI: {"leak": 0.1},
    LIF: {"leak": 0.1},
    ALIF: {"leak": 0.1, "adaptation": 0.5, "adaptation_leak": 0.05},
    CubaLIF: {"leak": 0.1, "synapse_leak": 0.3},
}

pytestmark = pytest.mark.usefixtures("device")
each_layer = pytest.mark.parametrize("kind", USUAL)


def usual(kind, **other):
    return kind(**USUAL[kind] | other)


@pytest.fixture(scope="class", params=[kernels.POTENTIALS_AT_ONCE, 4])
def blocks(request):
    """Derivatives of all steps at once, and of a few after a few."""
    before, kernels.POTENTIALS_AT_ONCE = kernels.POTENTIALS_AT_ONCE, request.param
    yield
    kernels.POTENTIALS_AT_ONCE = before


class Calls(TorchDispatchMode):
    """Counts the operations that compute, not those that only look at a tensor in another way."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += not func.is_view
        return func(*args, **(kwargs or {}))


def calls(layer, steps):
    inputs = torch.rand(steps, 5, requires_grad=True)
    with Calls() as forward:
        output = run(layer, inputs)[0]
    with Calls() as backward:
        output.backward(torch.ones_like(output))
    return forward.count, backward.count


def run(layer, inputs, state=None):
    """Return of all steps what a state holds of one."""
    if isinstance(layer, LI):
        return (layer.run(inputs, state)[0],)
    return layer.record(inputs, state)


def gradients(function, layer, inputs, state, *, wanted=None, create_graph=False):
    """Differentiate a loss of some outputs: autograd gives the others no gradient at all."""
    leaves = [inputs, *parts(state), *layer.parameters()]
    outputs = function(layer, inputs, state)
    loss = 0 * inputs.sum()  # since an output may depend on nothing
    for part in outputs if wanted is None else [outputs[wanted]]:
        weights = torch.linspace(-1, 2, part.numel(), dtype=part.dtype).reshape(part.shape)
        loss = loss + (weights * part).sum() + (part * part * part).sum()
    options = {"create_graph": create_graph, "allow_unused": True, "materialize_grads": True}
    return torch.autograd.grad(loss, leaves, **options), leaves


@each_layer
@pytest.mark.usefixtures("blocks")
class TestRunEqualsSteps:
    @reproducible
    @given(st.data())
    def test_forward_bit_for_bit_and_gradients_to_rounding(self, kind, data):
        case = data.draw(cases(kind))
        outputs = run(*case)
        assert_equal(outputs, stepping(*case))
        wanted = data.draw(st.sampled_from([None, *range(len(outputs))]))
        got, expected = (gradients(each, *case, wanted=wanted)[0] for each in (run, stepping))
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)

    @reproducible
    @given(st.data())
    def test_second_derivatives_to_rounding(self, kind, data):
        case = data.draw(cases(kind))

        def second(function):
            first, leaves = gradients(function, *case, create_graph=True)
            torch.testing.assert_close(first, gradients(function, *case)[0], rtol=1e-9, atol=1e-12)
            loss = sum((g * g).sum() for g in first)
            return torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)

        torch.testing.assert_close(second(run), second(stepping), rtol=1e-8, atol=1e-10)

    @reproducible
    @given(st.data(), st.integers(0, 5))
    def test_a_run_a_step_and_a_call_go_on_from_each_other(self, kind, data, cut):
        case = data.draw(cases(kind))
        at = min(cut, len(case[1]) - 1)

        def in_pieces(layer, inputs, state):
            first, state = layer.run(inputs[:at], state)
            second, state = layer.step(inputs[at], state)
            third, state = layer(inputs[at + 1 :], state)
            return torch.cat([first, second[None], third]), *parts(state)

        def together(*case):
            record = run(*case)
            return record[0], *(part[-1] for part in record)

        assert_equal(in_pieces(*case), together(*case))
        got, expected = (gradients(each, *case)[0] for each in (in_pieces, together))
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)


@each_layer
class TestRun:
    @pytest.mark.parametrize("dtype", FLOATING)
    def test_dtype_is_kept(self, kind, dtype):
        inputs = torch.full((4, 3), 0.75, dtype=dtype, requires_grad=True)
        record = run(usual(kind), inputs)
        (gradient,) = torch.autograd.grad(sum(x.sum() for x in record), inputs)
        assert {x.dtype for x in (*record, gradient)} == {dtype}
        assert_equal(record, stepping(usual(kind), inputs))

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    @pytest.mark.parametrize("leak", [0.1, torch.tensor(0.3), torch.linspace(0, 1, 1030)])
    def test_wide_layers_bit_for_bit(self, kind, leak, dtype):
        """In wide ones the processor takes several numbers at once, by other instructions."""
        inputs = torch.rand(7, 2, 1030, generator=seeded(), dtype=dtype)
        leak = leak.to(dtype) if isinstance(leak, torch.Tensor) else leak
        for reset in ("zero", "subtract") if kind is not LI else (None,):
            options = {} if reset is None else {"threshold": 0.7, "reset": reset}
            layer = usual(kind, leak=leak, **options)
            assert_equal(run(layer, inputs), stepping(layer, inputs))

    @pytest.mark.parametrize("reset", ["zero", "subtract"])
    def test_operations_of_a_step(self, kind, reset, device):
        """Count what `run` calls, forward and back: each is a pass over memory."""
        if kind is not LIF:
            return  # autograd takes steps of the others
        if device != "cpu":
            pytest.skip("elsewhere a product takes an operation of its own")
        few, many = (calls(usual(kind, reset=reset), steps) for steps in (10, 30))
        most = (2, 4) if reset == "zero" else (3, 3)
        assert ((many[0] - few[0]) / 20, (many[1] - few[1]) / 20) == most

    def test_a_change_in_place_is_noticed(self, kind):
        if kind in (ALIF, LI):
            return  # their outputs are copies, which no gradient needs
        record = run(usual(kind, leak=torch.nn.Parameter(torch.tensor(0.5))), torch.ones(3, 2))
        potential = record[len(record) // 2]
        with torch.no_grad():
            potential.zero_()
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            record[0].sum().backward()

    def test_without_gradients_nothing_is_kept(self, kind):
        with torch.no_grad():
            record = run(usual(kind), torch.ones(3, requires_grad=True))
        assert not [x.grad_fn for x in record if x.grad_fn]


@each_layer
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_special_number_bit_for_bit(kind, dtype):
    ones = torch.ones(2, dtype=dtype)
    near = ones.nextafter(torch.tensor([0, 2], dtype=dtype)).tolist()
    special = [0.0, -0.0, 1.0, *near, 3.0, -2.0, math.inf, -math.inf, math.nan, 2.0**-149]
    inputs = torch.tensor(list(product(special, repeat=3)), dtype=dtype).T
    leaks = [name for name in USUAL[kind] if name.endswith("leak")]
    wide = inputs[0].new_ones(inputs.shape[1])
    states = [None, (-0.0 * wide,) * PARTS[kind], (2 * wide,) * PARTS[kind]]
    resets = [{}] if kind is LI else [{"reset": "zero"}, {"reset": "subtract"}]
    for numbers in product([0.0, 0.3, 1.0], repeat=len(leaks)):
        for reset, state in product(resets, states):
            layer = usual(kind, **dict(zip(leaks, numbers, strict=True)), **reset)
            outputs = run(layer, inputs, state), stepping(layer, inputs, state)
            for got, expected in zip(*outputs, strict=True):
                nan = expected.isnan()  # of which IEEE 754 leaves the bits open
                assert torch.equal(nan, got.isnan())
                assert torch.equal(got[~nan], expected[~nan])
                assert torch.equal(got[~nan].signbit(), expected[~nan].signbit())


@each_layer
class TestShapes:
    @pytest.mark.parametrize("shape", [(0,), (0, 3), (4,), (4, 0), (1, 1), (3, 2, 2)])
    def test_shape_is_kept(self, kind, shape):
        inputs = torch.ones(shape, requires_grad=True)
        record = run(usual(kind), inputs)
        (gradient,) = torch.autograd.grad(sum(x.sum() for x in record), inputs)
        assert {tuple(x.shape) for x in (*record, gradient)} == {shape}

    def test_constants_and_state_widen_the_inputs(self, kind):
        layer, state = usual(kind, leak=torch.tensor([0.5, 1.0])), torch.zeros(4, 1)
        state = (state,) * PARTS[kind]
        assert {tuple(x.shape) for x in run(layer, torch.ones(2), state)} == {(2, 4, 2)}
        assert stepping(layer, torch.ones(1), state)[0].shape == (1, 4, 2)


@quiet_torch
@each_layer
class TestTransforms:
    def test_grad_vmap_and_forward_mode(self, kind):
        inputs = torch.rand(4, 3, generator=seeded())
        fires = {"threshold": 0.5, "surrogate": ArcTan()} if kind is not LI else {}
        layer = usual(kind, **fires)

        def total(inputs):
            return sum(x.pow(3).sum() for x in run(layer, inputs))

        leaf = inputs.clone().requires_grad_()
        (plain,) = torch.autograd.grad(total(leaf), leaf)
        torch.testing.assert_close(torch.func.grad(total)(inputs), plain)
        mapped = torch.vmap(partial(run, layer), in_dims=1, out_dims=1)(inputs)
        assert_equal(mapped, run(layer, inputs))
        with forward_ad.dual_level():
            dual = total(forward_ad.make_dual(inputs, torch.ones_like(inputs)))
            torch.testing.assert_close(forward_ad.unpack_dual(dual).tangent, plain.sum())

    @pytest.mark.slow
    def test_compile(self, kind, fullgraph):
        inputs, layer = torch.rand(4, 3, generator=seeded()), usual(kind)
        (spikes, state), expected = fullgraph(layer.run)(inputs), layer.run(inputs)
        assert_equal((spikes, *parts(state)), (expected[0], *parts(expected[1])))


SHOWN = {
    LI: "LI(leak=0.5)",
    LIF: "LIF(leak=0.5, threshold=1.0)",
    ALIF: "ALIF(leak=0.5, adaptation=0.5, adaptation_leak=0.05, threshold=1.0)",
    CubaLIF: "CubaLIF(leak=0.5, synapse_leak=0.3, threshold=1.0)",
}


@each_layer
def test_it_is_shown_copied_saved_and_compared(kind):
    layer = usual(kind, leak=torch.nn.Parameter(torch.tensor(0.5)))
    assert repr(layer) == SHOWN[kind]
    other = copy.deepcopy(layer)
    torch.nn.init.zeros_(other.leak)
    other.load_state_dict(layer.state_dict())
    assert other.leak.item() == 0.5
    for name, number in USUAL[kind].items():
        with pytest.raises(ValueError, match=rf"{name} is {number} in what is loaded, but 0\.9"):
            usual(kind, **{name: 0.9}).load_state_dict(usual(kind).state_dict())
