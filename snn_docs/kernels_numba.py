"""`kernels`, compiled by numba for the processor: the same bits, without a call per operation.

The neurons are taken by blocks, whose potentials stay in the nearest cache while time passes.
"""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from snn_docs.kernels import Constants, Record, SlopesOf

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


def advance(v: Tensor, inputs: Tensor, constants: Constants) -> None:
    """Fill the potentials, `[T, *]`, from the first, which is there."""
    neurons = (_neurons(x, v[0]) for x in (constants.threshold, _kept(constants)))
    _advance(constants.subtract, *neurons, *(_rows(x, v[0].numel()) for x in (v, inputs)))


def backward(
    grad: Tensor, record: Record, constants: Constants, slopes_of: SlopesOf | None, length: int
) -> None:
    """Fill the gradients of the potentials, `[T, *]`, from the last step to the first."""
    nothing = later = grad[:0]
    neurons = [_neurons(x, grad[0]) for x in (constants.threshold, _kept(constants))]
    for start in reversed(range(0, len(grad), length)):
        steps = slice(start, start + length)
        slopes = nothing if slopes_of is None else slopes_of(steps)
        block = (grad[steps], later, *record.part(steps), slopes)
        _backward(
            constants.subtract,
            constants.detach_reset,
            *neurons,
            *(_rows(nothing if x is None else x, grad[0].numel()) for x in block),
        )
        later = grad[start : start + 1]


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


# coverage sees nothing of what numba compiles
@intrinsic
def _fused(_context: Any, a: Any, _b: Any, _c: Any) -> Any:  # noqa: ANN401 - the types are numba's
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        return builder.fma(*arguments)

    return a(a, a, a), generate


@njit(error_model="numpy")
def _plus_product(a: float, b: float, c: float) -> float:
    return _fused(b, c, a) if ROUNDS_ONCE else a + b * c  # type: ignore[call-arg]


@njit(cache=True, error_model="numpy")
def _advance(subtract: bool, threshold: Array, kept: Array, v: Array, inputs: Array) -> None:
    one, zero = v.dtype.type(1), v.dtype.type(0)
    for start in range(0, v.shape[1], BLOCK):
        part = slice(start, start + BLOCK)
        theta, keep = threshold[part], kept[part]
        for t in range(1, len(v)):
            before, after, current = v[t - 1, part], v[t, part], inputs[t, part]
            for n in range(len(after)):
                x = before[n]
                if subtract:
                    left = (x - theta[n] * (one if x > theta[n] else zero)) * keep[n]
                else:
                    left = x * keep[n] * (one if x <= theta[n] else zero)
                after[n] = left + current[n]


@njit(cache=True, error_model="numpy")
def _backward(
    subtract: bool,
    detach_reset: bool,
    threshold: Array,
    kept: Array,
    grad: Array,
    later: Array,
    spikes: Array,
    v: Array,
    grad_spikes: Array,
    grad_v: Array,
    slopes: Array,
) -> None:
    zero = grad.dtype.type(0)
    for start in range(0, grad.shape[1], BLOCK):
        part = slice(start, start + BLOCK)
        theta, keep = threshold[part], kept[part]
        for t in range(len(grad) - 1, -1, -1):
            out, s, row = grad[t, part], spikes[t, part], grad_spikes[t, part]
            slope = slopes[t, part] if len(slopes) else s
            taken = theta if subtract else v[t, part]
            if t < len(grad) - 1 or len(later):
                after = grad[t + 1, part] if t < len(grad) - 1 else later[0, part]
                for n in range(len(out)):
                    carry, arriving = after[n] * keep[n], row[n]
                    if not detach_reset:
                        arriving = _plus_product(arriving, -carry, taken[n])
                    if subtract:
                        out[n] = _plus_product(carry, arriving, slope[n])
                    elif len(slopes):
                        left = _plus_product(carry, -carry, s[n])
                        out[n] = _plus_product(left, arriving, slope[n])
                    else:  # as torch.lerp
                        chosen = arriving if s[n] > zero else carry
                        out[n] = _plus_product(chosen, zero, arriving - carry)
            else:
                out[:] = row * slope
            if len(grad_v):
                out += grad_v[t, part]


# coverage sees all again
