"""`Heaviside`, the article's function bit for bit, and the family of smooth surrogates."""

import copy
import math
import pickle

import article
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import forward_ad
from torch_checks import FLOATING, SURROGATES, bits, from_bits, quiet_torch, reproducible

from snn_docs import Heaviside
from snn_docs.surrogate import ArcTan, Boxcar, FastSigmoid, Sigmoid, StraightThrough, Triangle

SMALLEST = 2.0**-149  # the smallest positive float32, a subnormal
SPECIAL = [0.0, -0.0, SMALLEST, -SMALLEST, 1.0, -1.0, math.inf, -math.inf, math.nan]


every_float32 = st.integers(0, 2**32 - 1) | st.sampled_from(bits(torch.tensor(SPECIAL)).tolist())


@st.composite
def inputs_and_gradients(draw):
    pairs = draw(st.lists(st.tuples(every_float32, every_float32), max_size=12))
    inputs, gradients = (from_bits([pair[i] for pair in pairs]) for i in (0, 1))
    return inputs, gradients


def value_and_gradient(function, input_, grad_output):
    leaf = input_.clone().requires_grad_()
    output = function(leaf)
    (gradient,) = torch.autograd.grad(output, leaf, grad_output)
    return output.detach(), gradient


class TestTheArticle:
    @reproducible
    @given(inputs_and_gradients())
    def test_forward_and_backward_are_the_articles_bit_for_bit(self, drawn):
        ours = value_and_gradient(Heaviside.apply, *drawn)
        theirs = value_and_gradient(article.Heaviside.apply, *drawn)
        for got, expected in zip(ours, theirs, strict=True):
            assert torch.equal(bits(got), bits(expected))


class TestDtypeAndDevice:
    @pytest.mark.parametrize("dtype", FLOATING)
    def test_dtype_is_kept_both_ways(self, dtype):
        x = torch.tensor([-1.0, 0.0, 1.0], dtype=dtype)
        output, gradient = value_and_gradient(Heaviside.apply, x, torch.full_like(x, 3))
        assert output.dtype == gradient.dtype == dtype
        assert output.tolist() == [0, 0, 1]
        assert gradient.tolist() == [0, 0, 3]

    @pytest.mark.parametrize("dtype", FLOATING)
    def test_the_smallest_positive_number_of_each_dtype_fires(self, dtype):
        integer = {2: torch.int16, 4: torch.int32, 8: torch.int64}[dtype.itemsize]
        smallest = torch.tensor(1, dtype=integer).view(dtype)  # a subnormal
        assert Heaviside.apply(smallest).item() == 1
        assert Heaviside.apply(-smallest).item() == 0


X = torch.tensor([-0.5, 0.0, 0.25, 2.0])
FIRED = torch.tensor([0.0, 0.0, 1.0, 1.0])


def loss(x):
    return (Heaviside.apply(x - 0.125) * x**3).sum()


def loss_hessian(x):
    """Differentiate once more by hand: only x³ and 3x² move, the factors H and H' are constant.

    The rule composed for H makes d(H x³)/dx = m x³ + H 3x² with m the fired mask: m has no
    derivative, H has m again.
    """
    return torch.diag(FIRED * (3 * x**2 + 3 * x**2 + 6 * x))


@quiet_torch
class TestTransforms:
    def test_jvp(self):
        tangent = torch.tensor([1.0, 2.0, 3.0, 4.0])
        output, directional = torch.func.jvp(Heaviside.apply, (X,), (tangent,))
        assert torch.equal(output, FIRED)
        assert torch.equal(directional, FIRED * tangent)

    def test_hessian(self):
        plain = torch.autograd.functional.hessian(loss, X)
        assert torch.equal(torch.func.hessian(loss)(X), loss_hessian(X))
        assert torch.equal(plain, loss_hessian(X))

    def test_forward_and_reverse_mode_together(self):
        with forward_ad.dual_level():
            leaf = X.clone().requires_grad_()
            output = Heaviside.apply(forward_ad.make_dual(leaf, torch.full_like(X, 5)))
            (gradient,) = torch.autograd.grad(output.sum(), leaf)
            assert torch.equal(forward_ad.unpack_dual(output).tangent, 5 * FIRED)
        assert torch.equal(gradient, FIRED)


class TestDoubleBackward:
    @pytest.mark.parametrize("function", [article.Heaviside, Heaviside])
    def test_gradient_depends_on_grad_output_alone(self, function):
        x = X.clone().requires_grad_()
        grad_output = torch.ones_like(X, requires_grad=True)
        (gradient,) = torch.autograd.grad(function.apply(x), x, grad_output, create_graph=True)
        second = torch.autograd.grad(gradient.sum(), (x, grad_output), allow_unused=True)
        assert second[0] is None
        assert torch.equal(second[1], FIRED)


@quiet_torch
class TestCompile:
    def test_equals_eager_bit_for_bit(self, fullgraph):
        x = torch.tensor([*SPECIAL, 0.5, -0.5])
        grad_output = torch.tensor([*SPECIAL, 0.5, -0.5]).flip(0)
        eager = value_and_gradient(Heaviside.apply, x, grad_output)
        stored = Heaviside.apply
        for function in (lambda x: Heaviside.apply(x + 0), lambda x: stored(x + 0)):
            got = value_and_gradient(fullgraph(function), x, grad_output)
            for ours, expected in zip(got, eager, strict=True):
                assert torch.equal(bits(ours), bits(expected))

    def test_without_gradients(self, fullgraph):
        function = fullgraph(lambda x: Heaviside.apply(x) + 1)
        assert torch.equal(function(X), FIRED + 1)


def test_a_subclass_keeps_its_own_backward():
    class Doubled(Heaviside):
        @staticmethod
        def backward(ctx, grad_output):
            return 2 * Heaviside.backward(ctx, grad_output)

    output, gradient = value_and_gradient(Doubled.apply, X, torch.ones(4))
    assert torch.equal(output, FIRED)
    assert torch.equal(gradient, 2 * FIRED)


SLOPES = [0.5, 1.0, 2.0, 25.0]
family = pytest.mark.parametrize("kind", SURROGATES)
slopes = pytest.mark.parametrize("slope", SLOPES)


@pytest.mark.usefixtures("device")
@family
@slopes
class TestFamily:
    def test_fires_as_heaviside_does(self, kind, slope):
        x = torch.tensor([*SPECIAL, 0.5, -0.5])
        assert torch.equal(kind(slope)(x), Heaviside.apply(x))

    def test_backward_is_the_derivative(self, kind, slope):
        x = torch.linspace(-2, 2, 81)
        grad_output = torch.linspace(-1, 2, 81)
        _, gradient = value_and_gradient(kind(slope), x, grad_output)
        assert torch.equal(gradient, grad_output * kind(slope).derivative(x))

    def test_derivative_is_that_of_the_smooth_function_by_autograd(self, kind, slope):
        x = torch.linspace(-2, 2, 400, dtype=torch.float64)  # not the corners of Triangle, Boxcar
        _, gradient = value_and_gradient(kind(slope).smooth, x, torch.ones_like(x))
        torch.testing.assert_close(kind(slope).derivative(x), gradient, rtol=1e-9, atol=1e-12)

    def test_slope_is_the_derivative_at_zero_where_it_is_largest(self, kind, slope):
        x = torch.arange(-200, 201, dtype=torch.float64) / 100
        derivative = kind(slope).derivative(x)
        assert derivative[200] == slope
        assert (derivative <= slope).all()
        assert (derivative >= 0).all()

    @pytest.mark.parametrize("dtype", FLOATING)
    def test_dtype_and_shape_are_kept(self, kind, slope, dtype):
        x = torch.tensor([[-0.5, 0.0, 0.5]], dtype=dtype)
        output, gradient = value_and_gradient(kind(slope), x, torch.ones_like(x))
        assert output.dtype == gradient.dtype == dtype
        assert output.shape == gradient.shape == x.shape
        assert kind(slope).smooth(x).dtype == dtype

    def test_infinitely_far_from_the_threshold_the_gradient_is_that_of_far(self, kind, slope):
        x = torch.tensor([-math.inf, math.inf])
        expected = slope if kind is StraightThrough else 0
        assert kind(slope).derivative(x).tolist() == [expected, expected]

    def test_second_derivative_is_that_of_the_smooth_function(self, kind, slope):
        def second(function):
            x = torch.linspace(-2, 2, 400, dtype=torch.float64, requires_grad=True)
            (first,) = torch.autograd.grad(function(x).sum(), x, create_graph=True)
            if not first.requires_grad:
                return torch.zeros_like(x)
            (gradient,) = torch.autograd.grad(
                first.sum(), x, allow_unused=True, materialize_grads=True
            )
            return gradient

        torch.testing.assert_close(second(kind(slope)), second(kind(slope).smooth))

    def test_copies_compare_equal(self, kind, slope):
        ours = kind(slope)
        assert copy.deepcopy(ours) == pickle.loads(pickle.dumps(ours)) == ours
        assert ours != kind(slope + 1)
        assert repr(ours) == f"{kind.__name__}(slope={slope})"


@family
def test_slope_is_1_unless_given(kind):
    assert kind() == kind(1.0)


def test_the_borders_belong_to_the_boxcar():
    borders = torch.tensor([-0.25, 0.25])
    assert Boxcar(2.0).derivative(borders).tolist() == [2, 2]
    outside = borders.nextafter(torch.tensor([-1.0, 1.0]))
    assert Boxcar(2.0).derivative(outside).tolist() == [0, 0]


@pytest.mark.parametrize("kind", [ArcTan, FastSigmoid, Sigmoid, Triangle, Boxcar])
def test_the_smooth_function_climbs_from_0_to_1(kind):
    ours = kind()
    far = torch.tensor([-1e6, 1e6], dtype=torch.float64)
    torch.testing.assert_close(
        ours.smooth(far), torch.tensor([0.0, 1.0]).double(), atol=1e-6, rtol=0
    )
    assert (ours.smooth(torch.linspace(-3, 3, 601)).diff() >= 0).all()
    assert ours.smooth(torch.zeros(1)).item() == 0.5


def smooth_loss(kind):
    return lambda x: (kind(2.0)(x - 0.125) * x**3).sum()


@quiet_torch
@family
class TestFamilyTransforms:
    def test_grad_vmap_jvp_and_jacobians(self, kind):
        leaf = X.clone().requires_grad_()
        (plain,) = torch.autograd.grad(smooth_loss(kind)(leaf), leaf)
        batch = torch.stack([X, -X])
        torch.testing.assert_close(torch.func.grad(smooth_loss(kind))(X), plain)
        assert torch.equal(torch.vmap(kind())(batch), (batch > 0).float())
        got = torch.vmap(torch.func.grad(smooth_loss(kind)))(batch)
        for gradient, x in zip(got, batch, strict=True):
            torch.testing.assert_close(gradient, torch.func.grad(smooth_loss(kind))(x))
        output, tangent = torch.func.jvp(kind(), (X,), (torch.full_like(X, 3),))
        assert torch.equal(output, FIRED)
        torch.testing.assert_close(tangent, 3 * kind().derivative(X))
        for jacobian in (torch.func.jacrev, torch.func.jacfwd):
            torch.testing.assert_close(jacobian(kind())(X), torch.diag(kind().derivative(X)))

    def test_hessian(self, kind):
        plain = torch.autograd.functional.hessian(smooth_loss(kind), X)
        torch.testing.assert_close(torch.func.hessian(smooth_loss(kind))(X), plain)
        assert plain.count_nonzero() > 0

    def test_compile_equals_eager(self, kind, fullgraph):
        grad_output = torch.tensor([1.0, -2.0, 3.0, 0.5])
        ours = kind(2.0)
        eager = value_and_gradient(ours, X, grad_output)
        got = value_and_gradient(fullgraph(lambda x: ours(x + 0)), X, grad_output)
        assert torch.equal(got[0], eager[0])
        torch.testing.assert_close(got[1], eager[1])


def test_grad_fn_says_surrogate():
    x = torch.tensor([1.0], requires_grad=True)
    assert "SurrogateSpikeBackward" in repr(ArcTan()(x))
