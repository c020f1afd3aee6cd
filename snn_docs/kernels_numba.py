"""`kernels`, compiled by numba for the processor: the same bits, without a call per operation.

The neurons are taken by blocks, whose potentials stay in the nearest cache while time passes.
"""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from snn_docs.kernels import Constants

try:
    from numba import njit
    from numba.extending import intrinsic
except ImportError as error:
    raise ImportError(
        "the backend 'numba' needs the package numba, which could not be imported; "
        'install it with pip install "snn-docs[fast]"'
    ) from error

BLOCK = 1024  # neurons
Array = NDArray[Any]


def forward(inputs: Tensor, carried: Tensor | None, constants: Constants) -> tuple[Tensor, Tensor]:
    """Return spikes and potentials. `carried` is what is left of the potential before."""
    v = torch.empty(inputs.shape, dtype=inputs.dtype)
    spikes = torch.empty_like(v)
    start = torch.zeros_like(constants.threshold) if carried is None else carried
    neurons = (_neurons(x, v[0]) for x in (start, constants.threshold, _kept(constants)))
    rows = (_rows(x, v[0].numel()) for x in (inputs, spikes, v))
    _forward(constants.subtract, *neurons, *rows)
    return spikes, v


def backward(grad: Tensor, arriving: Tensor, factors: Tensor, later: Tensor | None) -> None:
    """Solve grad[t] = arriving[t] + factors[t] · grad[t + 1], from the last step to the first."""
    after = grad[:0] if later is None else later[None]
    _backward(*(_rows(x, grad[0].numel()) for x in (grad, arriving, factors, after)))


def backward_choosing(grad: Tensor, arriving: Tensor, spikes: Tensor, kept: Tensor | None) -> None:
    """Solve grad[t] = arriving[t] where it fired, kept · grad[t + 1] where it did not."""
    kept = grad.new_ones(()) if kept is None else kept
    rows = (_rows(x, grad[0].numel()) for x in (grad, arriving, spikes))
    _backward_choosing(_neurons(kept, grad[0]), *rows)


def _kept(constants: Constants) -> Tensor:
    return torch.ones_like(constants.threshold) if constants.kept is None else constants.kept


def _rows(tensor: Tensor, neurons: int) -> Array:
    """Return `[T, *]` as an array `[T, N]`, which shares the memory if the strides allow it."""
    array: Array = tensor.reshape(len(tensor), neurons).numpy()
    return array


def _neurons(tensor: Tensor, step: Tensor) -> Array:
    """Return what broadcasts to a step as an array `[N]`."""
    array: Array = tensor.detach().expand_as(step).reshape(-1).contiguous().numpy()
    return array


def _rounds_once() -> bool:
    """Tell whether torch's addcmul rounds a + b · c once, as it does where the processor can."""
    x = torch.tensor([1 + 2**-12])
    return bool(torch.addcmul(-x.square(), x, x) != 0)


ROUNDS_ONCE = _rounds_once()


@intrinsic
def _fused(_context: Any, a: Any, _b: Any, _c: Any) -> Any:  # noqa: ANN401 - the types are numba's
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        return builder.fma(*arguments)

    return a(a, a, a), generate


# coverage sees nothing of what numba compiles
@njit(error_model="numpy")
def _plus_product(a: float, b: float, c: float) -> float:
    return _fused(b, c, a) if ROUNDS_ONCE else a + b * c  # type: ignore[call-arg]


@njit(cache=True, error_model="numpy")
def _forward(
    subtract: bool,
    carried: Array,
    threshold: Array,
    kept: Array,
    inputs: Array,
    spikes: Array,
    v: Array,
) -> None:
    one, zero = v.dtype.type(1), v.dtype.type(0)
    for start in range(0, v.shape[1], BLOCK):
        part = slice(start, start + BLOCK)
        theta, keep = threshold[part], kept[part]
        for t in range(len(v)):
            current, after, s = inputs[t, part], v[t, part], spikes[t, part]
            if t == 0:
                after[:] = carried[part] + current
            else:
                before = v[t - 1, part]
                for n in range(len(after)):
                    x = before[n]
                    if subtract:
                        left = (x - theta[n] * (one if x > theta[n] else zero)) * keep[n]
                    else:
                        left = x * keep[n] * (one if x <= theta[n] else zero)
                    after[n] = left + current[n]
            for n in range(len(after)):
                s[n] = one if after[n] > theta[n] else zero


@njit(cache=True, error_model="numpy")
def _backward(grad: Array, arriving: Array, factors: Array, later: Array) -> None:
    for start in range(0, grad.shape[1], BLOCK):
        part = slice(start, start + BLOCK)
        for t in range(len(grad) - 1, -1, -1):
            out, term, factor = grad[t, part], arriving[t, part], factors[t, part]
            if t < len(grad) - 1 or len(later):
                after = grad[t + 1, part] if t < len(grad) - 1 else later[0, part]
                for n in range(len(out)):
                    out[n] = _plus_product(term[n], after[n], factor[n])
            else:
                out[:] = term


@njit(cache=True, error_model="numpy")
def _backward_choosing(kept: Array, grad: Array, arriving: Array, spikes: Array) -> None:
    zero = grad.dtype.type(0)
    for start in range(0, grad.shape[1], BLOCK):
        part = slice(start, start + BLOCK)
        keep = kept[part]
        for t in range(len(grad) - 1, -1, -1):
            out, term, fired = grad[t, part], arriving[t, part], spikes[t, part]
            if t == len(grad) - 1:
                out[:] = term * fired
            else:
                after = grad[t + 1, part]
                for n in range(len(out)):
                    carry = after[n] * keep[n]
                    chosen = term[n] if fired[n] > zero else carry
                    out[n] = _plus_product(chosen, zero, term[n] - carry)  # as torch.lerp
